"""Asks of one playbook which of its `fix` cells it could do without: `leaving_out.py PLAYBOOK`.

Or, with the line of a `fix` cell behind it, whether it passes without that one alone: for a
playbook on PostgreSQL, whose databases and sessions cannot be put back as they were.

Before each `fix` cell the process forks. The child goes on without that cell and must fail; then
the folder of the sandboxes is put back as it was, and the parent goes on with the cell. So what
stands before a cell runs once, and not again for every cell after it. The answer is a JSON list
of lines on the last line of standard output.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from playbook_kit import sandbox
from playbook_kit.chain import Chain
from playbook_kit.environment import DIRECTORY
from playbook_kit.source import Cell, Playbook


def main(playbook: Playbook, home: Path) -> list[int]:
    """Lines of the `fix` cells without which the playbook passes all the same."""
    code = [cell for cell in playbook.cells() if cell.kind == "code"]
    names: dict[str, Any] = {"__name__": "__main__"}
    needless = []
    for number, cell in enumerate(code):
        if cell.tag == "fix" and passes(code[number + 1 :], names, home):
            needless.append(cell.line)
        execute(cell, names)
    return needless


def alone(playbook: Playbook, line: int) -> list[int]:
    """The line of this `fix` cell if the playbook passes without it; else nothing."""
    rest = [cell for cell in playbook.cells() if cell.kind == "code" and cell.line != line]
    return [line] if runs_through(rest, {"__name__": "__main__"}) else []


def execute(cell: Cell, names: dict[str, Any]) -> None:
    exec(compile(cell.source, f"line {cell.line}", "exec"), names)


def passes(rest: list[Cell], names: dict[str, Any], home: Path) -> bool:
    """Whether the rest of a playbook runs through, in a child whose traces are removed."""
    kept = home.with_name(f"{home.name}-kept")
    shutil.copytree(home, kept, symlinks=True)
    child = os.fork()
    if not child:
        os._exit(0 if runs_through(rest, names) else 1)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(home)
    kept.rename(home)
    return status == 0


def runs_through(rest: list[Cell], names: dict[str, Any]) -> bool:
    shown = os.dup(sys.stdout.fileno())
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    try:
        for cell in rest:
            sandbox.show_measured = must_be_whole if cell.tag == "after" else ignore
            execute(cell, names)
    except BaseException:
        return False
    finally:
        sys.stdout.flush()
        os.dup2(shown, sys.stdout.fileno())
    return True


def ignore(_: object) -> None:
    """A measured value that promises nothing."""


def must_be_whole(value: object) -> None:
    """The rule for what an `after` cell shows."""
    if isinstance(value, Chain):
        assert value.whole
        assert not value.pending


if __name__ == "__main__":
    asked = Playbook(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        found = alone(asked, int(sys.argv[2]))
    else:
        found = main(asked, Path(os.environ[DIRECTORY]))
    print(json.dumps(found))
