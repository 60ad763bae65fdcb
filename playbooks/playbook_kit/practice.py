"""The directory of an exercise: made, found again, started over.

All that the kit needs is in its hidden folder `.practice`: `state.json`, written first; `start.tar`,
the broken project as it was; `kept.json` and the databases of colleagues for the judge; the bare
repository that is `origin`; and, where it is not on SQLite, a server (`own_server`). A directory in
which a process was killed has a state that says so, and `reset` finishes it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .environment import frozen
from .exercises import HIDDEN, Exercise, ExerciseError, find
from .scratch import run_directory

_STATE = "state.json"


@dataclass
class State:
    """What is known of an exercise under way. Times are ISO 8601, empty for not yet."""

    exercise: str  # its name, or the path of its file
    started: str
    solved: str = ""
    hints: int = 0
    checks: int = 0
    resets: int = 0
    seen_solution: bool = False
    database: str = "SQLite"
    unfinished: bool = True
    kind: str = "playbooks practice"  # whose file this is


def now() -> str:
    """This moment, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def load(directory: Path) -> State:
    """The state of the exercise in this directory. ExerciseError where there is none."""
    try:
        data = json.loads((directory / HIDDEN / _STATE).read_text(encoding="utf-8"))
        state = State(**data)
    except (OSError, ValueError, TypeError):
        state = None
    if state is None or state.kind != State.kind:
        raise ExerciseError(f"{directory} is no exercise: playbooks practice makes one")
    return state


def save(directory: Path, state: State) -> None:
    """Write the state, whole or not at all."""
    _write(directory / HIDDEN / _STATE, json.dumps(asdict(state), indent=2))


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


def here(directory: Path) -> tuple[Path, State]:
    """The exercise that this directory is in: it, or one above it. Raises ExerciseError."""
    above = (directory, *directory.parents)
    folder = next((it for it in above if (it / HIDDEN / _STATE).is_file()), directory)
    return folder, load(folder)


def exercise_of(state: State) -> Exercise:
    """The definition of the exercise under way."""
    return find(state.exercise)


def claim(exercise: Exercise, directory: Path, known_as: str, on: str = "SQLite") -> None:
    """Begin an exercise `on` this database in a directory that is new or empty; `finish` makes it.
    Raises ExerciseError, and ServerError where that database cannot run there."""
    from . import own_server  # for all commands import this module, and only these two use it

    if on not in ("SQLite", *exercise.again_on):
        raise ExerciseError(f"{exercise.name} is not for {on}; playbooks practice says which are")
    if on != "SQLite":
        own_server.refuse(directory)
    if (directory / HIDDEN / _STATE).is_file():
        raise ExerciseError(f"{directory} is an exercise already: playbooks reset starts it over")
    # All that a process leaves that was killed before it wrote the state.
    there = list(directory.iterdir()) if directory.is_dir() else []
    begun: tuple[list[Path], ...] = ([], [directory / HIDDEN / f"{_STATE}.part"])
    left = [it for it in there if it.name != HIDDEN or list(it.iterdir()) not in begun]
    if left or (directory.exists() and not directory.is_dir()):
        raise ExerciseError(f"{directory} is not empty: name a new directory")
    (directory / HIDDEN).mkdir(parents=True, exist_ok=True)
    save(directory, State(known_as, now(), database=on))


def finish(exercise: Exercise, directory: Path, server: str = "") -> None:
    """Make the directory what it is at the start, whatever is in it now."""
    from . import own_server
    from .packing import pack

    state, hidden = load(directory), directory / HIDDEN
    state.unfinished, state.solved = True, ""
    save(directory, state)
    if not (hidden / "start.tar").is_file():
        with run_directory() as scratch:
            pack(exercise, scratch, hidden / "start.tar", server, state.database)
    if state.database != "SQLite":
        own_server.abandon(directory)
    for path in (*directory.iterdir(), *hidden.iterdir()):
        if path.name not in (HIDDEN, _STATE, "start.tar"):
            _remove(path)
    with tarfile.open(hidden / "start.tar") as tar:
        # Python 3.11 has it from 3.11.4 on.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(hidden / "new")
    for path in (hidden / "new").iterdir():
        path.replace((directory if path.name == "project" else hidden) / path.name)
    for path in (directory / "project").iterdir():
        path.replace(directory / path.name)
    (directory / "project").rmdir()
    (hidden / "new").rmdir()
    if state.database != "SQLite":
        own_server.fill(directory)
    state.unfinished = False
    save(directory, state)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def kept(directory: Path) -> dict[str, Any]:
    """What the judge has to hold a repair against."""
    answer: dict[str, Any] = json.loads((directory / HIDDEN / "kept.json").read_text("utf-8"))
    return answer


def under(folder: Path) -> list[tuple[Path, State]]:
    """The exercises in `practice/` below this folder, by the time of their start."""
    found = []
    for path in sorted(folder.glob(f"practice/*/{HIDDEN}")):
        with contextlib.suppress(ExerciseError):
            found.append((path.parent, load(path.parent)))
    return sorted(found, key=lambda one: one[1].started)


@contextlib.contextmanager
def fork_server() -> Iterator[str]:
    """A fork server for the commands of a setup; empty where there can be none."""
    with contextlib.ExitStack() as stack:
        server = ""
        # Windows cannot fork; the path of a temporary directory may be too long for a socket.
        with contextlib.suppress(ImportError, ValueError, RuntimeError):
            from .forkclient import ForkServer

            scratch = stack.enter_context(run_directory())
            started = ForkServer.start(scratch, "django", frozen(scratch))
            server = str(stack.enter_context(started).path)
        yield server
