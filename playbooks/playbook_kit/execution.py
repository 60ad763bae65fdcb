"""Running one playbook: its cells in a kernel of its own, to a result or to a failure."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .commands import FORK_SERVER
from .databases import DATABASE
from .environment import DIRECTORY, frozen
from .errors import HeaderError
from .events import MIME
from .header import Header
from .kernels import executing
from .results import Result
from .rules import broken_promises
from .servers import told
from .source import Cell, Playbook
from .versions import versions

CELL_SECONDS = 300  # a guard against a cell that hangs outside of any command


@dataclass(frozen=True)
class Failure:
    """A playbook that did not do what it says: where, and in words what."""

    name: str
    where: str  # file:line
    message: str
    seconds: float = 0.0

    def __str__(self) -> str:
        indented = "\n".join(f"  {line}" for line in self.message.splitlines())
        return (
            f"FAILED {self.name}\n  {self.where}\n{indented}\n"
            f"  again: .venv/bin/playbooks run {self.name}"
        )


@dataclass(frozen=True)
class Job:
    """How a playbook is run: the empty folder in which its sandboxes live, and the sockets of the
    fork servers for its kernel and for its commands (empty: each is a subprocess), the
    addresses of the servers that it needs, by database, and the database of its sandboxes."""

    directory: Path
    kernels: str = ""
    commands: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    database: str = "SQLite"

    def environment(self) -> dict[str, str]:
        """The whole environment of the kernel."""
        said = {
            DIRECTORY: str(self.directory),
            FORK_SERVER: self.commands,
            DATABASE: self.database,
        }
        said |= {told(database): address for database, address in self.addresses.items()}
        return frozen(self.directory) | said


async def run(playbook: Playbook, job: Job) -> Result | Failure:
    """Execute a playbook, hold it to the rules that one run can tell, and say what came of it."""
    started = time.perf_counter()
    try:
        header, cells = playbook.header(), playbook.cells()
    except HeaderError as error:
        where, _, message = str(error).partition(": ")
        return Failure(playbook.name, where, message)
    try:
        failure = await _execute(playbook, cells, job)
        for database in () if failure else header.again_on:
            failure = failure or await _again(playbook, cells, replace(job, database=database))
    except TimeoutError as error:
        failure = str(playbook.path), f"it did not end: {error}"
    seconds = time.perf_counter() - started
    if failure:
        return Failure(playbook.name, *failure, seconds)
    return _kept(playbook, header, cells, seconds)


async def _again(playbook: Playbook, cells: list[Cell], job: Job) -> tuple[str, str] | None:
    """Run it once more, on another database, into `again` of its cells."""
    shutil.rmtree(job.directory)
    job.directory.mkdir()
    anew = [replace(cell, shown=[], again={}) for cell in cells]
    failure = await _execute(playbook, anew, job)
    for cell, other in zip(cells, anew, strict=True):
        cell.again[job.database] = other.shown
    return failure and (failure[0], f"on {job.database}: {failure[1]}")


def _kept(
    playbook: Playbook, header: Header, cells: list[Cell], seconds: float
) -> Result | Failure:
    result = Result(playbook.name, playbook.page, header, cells, versions(), seconds)
    problems = broken_promises(result)
    if problems:
        return Failure(playbook.name, f"{playbook.path}:1", "\n".join(problems), seconds)
    return result


async def _execute(playbook: Playbook, cells: list[Cell], job: Job) -> tuple[str, str] | None:
    """Fill in what each cell shows; return file:line and message where one fails."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbformat import v4

    code = [cell for cell in cells if cell.kind == "code"]
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell.source) for cell in code])
    kernel = executing(
        notebook, job.directory, CELL_SECONDS, server=job.kernels, env=job.environment()
    )
    async with kernel as client:
        for number, cell in enumerate(code):
            where = f"{playbook.path}:{cell.line}"
            try:
                await client.async_execute_cell(notebook.cells[number], number)
            except CellExecutionError as error:
                line = cell.line + _line_in_cell(notebook.cells[number]) - 1
                return f"{playbook.path}:{line}", _message(error)
            except CellTimeoutError:
                return where, f"the cell is still running after {CELL_SECONDS} s"
            except DeadKernelError:
                return where, "its kernel died while it ran this cell"
            cell.shown = [_shown(output) for output in notebook.cells[number].outputs]
    return None


def _shown(output: Any) -> dict[str, Any]:
    if output.output_type == "stream":
        return {"kind": "text", "text": output.text}
    if MIME in output.data:
        return dict(output.data[MIME])
    return {"kind": "text", "text": output.data["text/plain"]}


def _message(error: Any) -> str:
    if error.ename == "PlaybookError":
        return str(error.evalue)
    if error.ename == "AssertionError":
        return f"not true: {error.evalue or 'an assert without a message'}"
    return f"{error.ename}: {error.evalue}"


def _line_in_cell(cell: Any) -> int:
    for output in cell.outputs:
        if output.output_type == "error":
            trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))
            found = re.search(r"Cell In\[\d+\], line (\d+)", trace)
            if found:
                return int(found.group(1))
    return 1
