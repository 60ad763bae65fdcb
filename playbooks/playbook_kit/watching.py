"""Wait for a change in a directory, and in its database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import ServerError
from .exercises import NOT_CONTENT
from .postgres import execute
from .servers import name_in

# What has been written to a database; a `pg_dump` writes nothing.
_WRITTEN = "select tup_inserted, tup_updated, tup_deleted from pg_stat_database where datname = "


def picture(directory: Path, url: str = "") -> dict[str, tuple[Any, ...]]:
    """Time and size of each file, by path; and counters of the database at `url` on PostgreSQL."""
    seen: dict[str, tuple[Any, ...]] = {}
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if name not in NOT_CONTENT]
        for name in files:
            path = Path(folder, name)
            # A journal of SQLite comes and goes while one only looks.
            if not name.endswith(("-journal", "-wal", "-shm")) and path.exists():
                about = path.stat()
                seen[str(path)] = about.st_mtime_ns, about.st_size
    if url:
        seen["database"] = tuple(execute(url, f"{_WRITTEN}'{name_in(url)}'"))
    return seen


def changes(directory: Path, url: str = "", seconds: float = 0.5) -> Iterator[None]:
    """Yield at once, and after each change, once nothing has changed for a moment: a command writes
    often. A change while the caller looks counts too. Raises ServerError, and only at first: a server
    that is started over is waited for."""
    checked = last = picture(directory, url)
    yield
    while True:
        time.sleep(seconds)
        try:
            now = picture(directory, url)
        except ServerError:
            continue
        if now == last and now != checked:
            checked = now
            yield
        last = now
