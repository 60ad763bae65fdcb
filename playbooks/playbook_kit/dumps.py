"""Databases of PostgreSQL as files, with the programs of the wheel: they may be called from threads."""

from __future__ import annotations

from pathlib import Path

from . import commands
from .environment import frozen
from .errors import ServerError
from .postgres import client
from .servers import name_in

_LOCKED = 5000  # milliseconds that a dump waits for a table which a session has locked


def dump(url: str, file: Path) -> None:
    """Write the database at `url` to a file. Raises ServerError, also where it has to wait long."""
    words = ["--format=custom", f"--lock-wait-timeout={_LOCKED}", f"--file={file}", name_in(url)]
    _call("pg_dump", words, url)


def make(url: str, file: Path | None = None) -> None:
    """Make the database at `url`: as `dump` wrote it, or empty. Raises ServerError."""
    _call("createdb", ["--template=template0", name_in(url)], url)
    if file:  # which may come from a server with another user
        _call("pg_restore", ["--no-owner", f"--dbname={name_in(url)}", str(file)], url)


def drop(url: str) -> None:
    """Drop the database at `url`, whoever uses it. Raises ServerError."""
    _call("dropdb", ["--force", "--if-exists", name_in(url)], url)


def _call(program: str, words: list[str], url: str) -> None:
    argv, its = client(program, words, url)
    cwd = Path.cwd()
    try:
        code, output = commands.execute(argv, cwd, frozen(cwd) | its, "", 60)
    except TimeoutError as error:
        raise ServerError(f"{program}: {error}") from None
    if code:
        told = output.decode("utf-8", "replace").strip()
        locked = "a session has a table locked" if "canceling statement" in told else ""
        raise ServerError(locked or told.partition("\n")[0])
