"""What the tests of the fork server and of the kernels share."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
from nbformat import NotebookNode, v4
from playbook_kit import launch
from playbook_kit.kernels import executing

GUARD = 60  # seconds after which something hangs; no test is about time

# Starts two processes, one of them in a group of its own, and prints their numbers.
FAMILY = """
import subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
family = [subprocess.Popen(sleep), subprocess.Popen(sleep, process_group=0)]
print(*(process.pid for process in family), flush=True)
"""


def write(path: Path, text: str) -> list[str]:
    """Write a script into this directory; return the arguments that run it there."""
    (path / "script.py").write_text(textwrap.dedent(text))
    return ["script.py"]


def as_subprocess(
    argv: list[str], cwd: Path, env: Mapping[str, str], stdin: str = ""
) -> tuple[int, bytes]:
    """The reference: the same command in a process of its own."""
    done = subprocess.run(
        [sys.executable, launch.__file__, *argv],
        cwd=cwd,
        env={**env},
        input=stdin.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=GUARD,
        check=False,
    )
    return done.returncode, done.stdout


def runs(pid: int) -> bool:
    """Whether this process exists and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + GUARD
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def notebook(*sources: str) -> NotebookNode:
    cells: list[Any] = [v4.new_code_cell(source) for source in sources]
    return v4.new_notebook(cells=cells)


def shown(cell: Any) -> str:
    [output] = cell.outputs
    return str(output.text if output.output_type == "stream" else output.data["text/plain"])


async def execute(book: NotebookNode, place: Path, **options: Any) -> list[str]:
    async with executing(book, place, GUARD, **options) as client:
        for number, cell in enumerate(book.cells):
            await client.async_execute_cell(cell, number)
    return [shown(cell) for cell in book.cells]


def files_of_kernels(place: Path) -> list[str]:
    return [path.name for path in place.iterdir() if path.name.startswith("k") and path.is_dir()]
