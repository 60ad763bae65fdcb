"""The process of a PostgreSQL server, found by the folder of its data."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import psutil

from .errors import ServerError


def told(data: Path) -> list[str]:
    """The lines of `postmaster.pid`: the second has the folder, the fifth that of the socket."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def running(data: Path) -> psutil.Process | None:
    """The server that works in this folder. The file alone does not tell: it stays after a crash,
    lies in a copy too, and another process can have that number by now."""
    with contextlib.suppress(IndexError, ValueError, psutil.Error):
        process = psutil.Process(int(told(data)[0]))
        if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == data:
            return process
    return None


def stop(data: Path, how: str) -> bool:
    """Stop it with the signal of this name, and wait; False where none runs. Raises ServerError."""
    lines, process = told(data), running(data)
    if process is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(getattr(signal, how))
        deadline = time.monotonic() + 10
        # Where nobody reaps it, as in many a container, it stays as a zombie.
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                raise ServerError(f"the PostgreSQL server {process.pid} goes on")
            time.sleep(0.02)
    forget(data, lines)
    return True


def forget(data: Path, lines: list[str]) -> None:
    """Remove what a server that is gone has left: a new one takes it for that of another. `lines`: of
    its `postmaster.pid`."""
    if told(data) not in (lines, []):
        return  # somebody has started it meanwhile
    own = lines[1:2] == [str(data)]  # and not of the directory that this one is a copy of
    for folder in [data, *map(Path, lines[4:5] if own else ())]:
        for file in folder.glob(".s.PGSQL.*"):
            file.unlink(missing_ok=True)
    (data / "postmaster.pid").unlink(missing_ok=True)
