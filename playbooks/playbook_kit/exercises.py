"""Exercises as files: `playbooks/exercises/NAME.yaml`, or a file of a team's own."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .source import meant
from .template import REPOSITORY

FOLDER = REPOSITORY / "playbooks" / "exercises"
FIX_CELLS = "fix cells"  # the right repair that the playbook itself shows

DATABASES = ("SQLite", "PostgreSQL")  # that an exercise may be on
HIDDEN = ".practice"  # the kit's own folder in the directory of an exercise
DUMP = ".dump"  # how the file of a database of PostgreSQL ends
# What lies in a project's directory and is none of it.
NOT_CONTENT = (".git", HIDDEN, "__pycache__", "*.pyc", ".venv", "venv", "node_modules")

Step = str | dict[str, Any]  # see `steps`
Keep = dict[str, Any]  # what the rows are → SQL, or {sql: …, rows: […]}


class ExerciseError(Exception):
    """An exercise that cannot be read, made or judged: names the file or directory, and why."""


@dataclass(frozen=True)
class Exercise:
    """One broken project with its story.

    It is broken by the setup of a `playbook`, or is a copy of a `project`; then by the steps of
    `breaks` (key `break`). `place` is the sandbox that the learner gets. `keep`: queries whose rows
    a repair must not change. `colleagues`: places whose databases must still migrate, each with
    such queries. `branch`: the one that must be checked out in the end, where that matters. `week`:
    its day in the first week, 0 for none. `again_on`: the databases that it is for, beside SQLite.
    `second`: the playbook of the other trouble of a mystery.
    """

    path: Path
    title: str
    trains: str
    minutes: int
    story: str
    start: str
    hints: tuple[str, ...]
    keep: Keep
    playbook: str = ""
    project: str = ""
    place: str = "laptop"
    breaks: tuple[Step, ...] = ()
    colleagues: dict[str, Keep] = field(default_factory=dict)
    branch: str = ""
    again_on: tuple[str, ...] = ()
    week: int = 0
    mystery: bool = False
    second: str = ""
    solution: tuple[Step, ...] = ()
    right: tuple[Any, ...] = ()
    wrong: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """What the command line calls it."""
        return self.path.stem

    @property
    def part(self) -> int:
        """Where lists have it: 0 in the first week, 1 among the others, 2 among the mysteries."""
        return 2 if self.mystery else 0 if self.week else 1

    @property
    def about(self) -> str:
        """What it trains, and which database it is on too."""
        return f"{self.trains}; {', '.join(self.again_on)} too" if self.again_on else self.trains

    @property
    def source(self) -> Path:
        """The folder of the team's own project."""
        return (self.path.parent / self.project).resolve()


_KEYS = {("break" if one.name == "breaks" else one.name): one for one in fields(Exercise)}
_NEEDED = ("title", "trains", "minutes", "story", "start", "hints", "keep")


def read(path: Path) -> Exercise:
    """The exercise in this file. Raises ExerciseError that names the key and the remedy."""
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ExerciseError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise ExerciseError(f"{path}: the file holds no keys")
    for key in data:
        if key not in _KEYS or key == "path":
            known = ", ".join(name for name in _KEYS if name != "path")
            raise ExerciseError(f"{path}: unknown key {key!r}; the keys are {known}")
    for key in _NEEDED:
        if key not in data:
            raise ExerciseError(f"{path}: the key {key!r} is missing")
    if bool(data.get("playbook")) == bool(data.get("project")):
        raise ExerciseError(f"{path}: it has one of the keys 'playbook' and 'project'")
    allowed = ([], ["PostgreSQL"]) if data.get("playbook") else ([],)
    if data.get("again_on", []) not in allowed:
        raise ExerciseError(f"{path}: 'again_on' is [PostgreSQL], for an exercise of a playbook")
    for key in ("playbook", "second"):
        if data.get(key) and not list(FOLDER.parent.glob(f"*/{data[key]}.py")):
            raise ExerciseError(f"{path}: no playbook is called {data[key]!r}")
    values: dict[str, Any] = {"path": path.resolve()}
    for key, value in data.items():
        values[_KEYS[key].name] = _typed(path, key, str(_KEYS[key].type), value)
    return Exercise(**values)


def _typed(path: Path, key: str, wanted: str, value: Any) -> Any:
    kinds: dict[str, tuple[type, str]] = {
        "str": (str, "a text"),
        "int": (int, "a number"),
        "bool": (bool, "true or false"),
        "tuple": (list, "a list"),
    }
    kind, words = kinds.get(wanted.partition("[")[0], (dict, "a mapping of names to SQL"))
    if not isinstance(value, kind):
        raise ExerciseError(f"{path}: {key!r} must be {words}, not {value!r}")
    return tuple(value) if isinstance(value, list) else value


def every(folder: Path = FOLDER) -> list[Exercise]:
    """All exercises of the project: the first week, then the others by minutes, mysteries last."""
    read_all = [read(path) for path in sorted(folder.glob("*.yaml"))]
    return sorted(read_all, key=lambda it: (it.part, it.week, it.minutes, it.name))


def find(name: str) -> Exercise:
    """The exercise called `name`, or in the file of that path. Raises ExerciseError."""
    if name.endswith((".yaml", ".yml")):
        return read(Path(name))
    path = FOLDER / f"{name.replace('-', '_')}.yaml"
    if path.is_file() and path.parent == FOLDER:
        return read(path)
    near = meant(name, [known.stem for known in FOLDER.glob("*.yaml")])
    raise ExerciseError(f"no exercise is called {name!r}{near}; playbooks practice lists them")
