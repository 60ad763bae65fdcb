"""The directory of one `playbooks run`: all sandboxes and sockets are below it, and go with it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import servers

PREFIX = "playbooks-"


def memory_or_disk() -> Path:
    """Where temporary files go: memory where the system offers enough of it, else the usual."""
    memory = Path("/dev/shm")
    usual = Path(tempfile.gettempdir())
    if os.environ.get("TMPDIR") or not os.access(memory, os.W_OK):
        return usual
    return memory if shutil.disk_usage(memory).free > 512 * 2**20 else usual


@contextmanager
def run_directory() -> Iterator[Path]:
    """A new directory, removed whatever happens; those of runs that were killed are removed too."""
    parent = memory_or_disk()
    _sweep(parent)
    path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _sweep(parent: Path) -> None:
    import psutil

    for left in parent.glob(f"{PREFIX}*-*"):
        pid = left.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            servers.stop_orphans(left)
            shutil.rmtree(left, ignore_errors=True)
