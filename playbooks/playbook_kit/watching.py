"""Wait for a change in a directory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from .exercises import NOT_CONTENT


def picture(directory: Path) -> dict[str, tuple[int, int]]:
    """Time and size of each file, by path."""
    seen = {}
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if name not in NOT_CONTENT]
        for name in files:
            path = Path(folder, name)
            # A journal of SQLite comes and goes while one only looks.
            if not name.endswith(("-journal", "-wal", "-shm")) and path.exists():
                about = path.stat()
                seen[str(path)] = about.st_mtime_ns, about.st_size
    return seen


def changes(directory: Path, seconds: float = 0.5) -> Iterator[None]:
    """Yield after each change, once nothing has changed for a moment: a command writes often."""
    checked = last = picture(directory)
    while True:
        time.sleep(seconds)
        now = picture(directory)
        if now == last and now != checked:
            checked = now
            yield
        last = now
