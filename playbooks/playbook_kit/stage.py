"""Break a project for an exercise: `python -m playbook_kit.stage FILE WHAT`, in a process of its own.

The cells of a playbook are plain Python. Run here, its sandboxes are folders below the directory
that the environment names, and stay when the process ends. WHAT is `broken`, or `solved` to go on
through the playbook's `fix` cells.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from . import commands
from .databases import DATABASE, default
from .dumps import dump
from .environment import DIRECTORY, frozen
from .errors import last_lines
from .exercises import DUMP, NOT_CONTENT, Exercise, ExerciseError, read
from .servers import told
from .source import Cell, find
from .template import GIT_STEPS, REPOSITORY

CASE = "## Is this your case?"
_LEFT_OUT = shutil.ignore_patterns(*NOT_CONTENT, "*.sqlite3*")


def stage(
    exercise: Exercise, home: Path, server: str = "", what: str = "broken", address: str = ""
) -> Path:
    """Break it (or, `what="solved"`, let the playbook solve it) below the empty folder `home`;
    return the learner's place. `server`: the socket of a fork server. `address`: that of a
    PostgreSQL server for it, whose databases are then dumped beside the places. Raises
    ExerciseError."""
    env = frozen(home) | {DIRECTORY: str(home), commands.FORK_SERVER: server}
    if address:
        env |= {DATABASE: "PostgreSQL", told("PostgreSQL"): address}
    argv = [sys.executable, "-m", "playbook_kit.stage", str(exercise.path), what]
    code, output = commands.execute(argv, home, env, "", 300)
    if code:
        end = last_lines(output.decode("utf-8", "replace"))
        raise ExerciseError(f"{exercise.name} cannot be made:\n{end}")
    if not (home / exercise.place / "manage.py").is_file():
        raise ExerciseError(f"{exercise.path}: no place is called {exercise.place!r}")
    return home / exercise.place


def _chosen(cells: list[Cell], what: str) -> list[Cell]:
    """The cells to run: what breaks the project, and up to the last that repairs it."""
    end = next(n for n, cell in enumerate(cells) if CASE in cell.source)
    if what == "solved":
        end = 1 + max(n for n, cell in enumerate(cells) if cell.tag == "fix")
    code = [cell for cell in cells[:end] if cell.kind == "code"]
    return [cell for cell in code if cell.tag not in ("before", "after")]


def main(file: str, what: str) -> None:
    """What the process does."""
    from .sandbox import _home
    from .steps import at, carry_out

    exercise = read(Path(file))
    if exercise.playbook:
        (playbook,) = find(REPOSITORY / "playbooks", (exercise.playbook,))
        names: dict[str, object] = {"__name__": "__main__"}
        for cell in _chosen(playbook.cells(), what):
            code = compile("\n" * (cell.line - 1) + cell.source, str(playbook.path), "exec")
            exec(code, names)
    else:
        shutil.copytree(exercise.source, _home() / exercise.place, ignore=_LEFT_OUT)
    place = at(_home() / exercise.place)
    if exercise.project:
        carry_out(place, GIT_STEPS)
    if what == "broken":
        carry_out(place, exercise.breaks)
    others = exercise.colleagues if what == "broken" else ()
    for name in (exercise.place, *others) if default() != "SQLite" else ():
        dump(at(_home() / name).url, _home() / f"{name}{DUMP}")


if __name__ == "__main__":
    main(*sys.argv[1:])
