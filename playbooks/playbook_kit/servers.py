"""Servers of databases: those that a run starts and ends, and those that the reader lends it.

An address is the URL of a database without its name, or with the first letters of it:
`postgres://postgres@%2Frun%2Fsocket/`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote
from zlib import crc32

from . import commands, mariadb, pgbouncer, postgres
from .databases import default
from .environment import frozen
from .errors import ServerError


class Server(Protocol):
    """What there is to know of one kind of server; its module holds the functions."""

    def why_not(self) -> str: ...
    def version(self) -> str: ...
    def version_at(self, address: str) -> str: ...
    def server(self, directory: Path) -> AbstractContextManager[str]: ...
    def create(self, address: str, name: str) -> None: ...
    def duplicate(self, address: str, name: str, source: str) -> None: ...
    def drop_all(self, address: str) -> None: ...
    def client(
        self, program: str, words: list[str], url: str
    ) -> tuple[list[str], dict[str, str]]: ...
    def stop_orphan(self, directory: Path) -> None: ...


SERVERS: dict[str, Server] = {
    "PostgreSQL": postgres,
    "MariaDB": mariadb,
    "PgBouncer": pgbouncer,
}
# What a playbook calls the database of its sandbox.
NAME = "library"
PREPARED = "prepared"
_THROWAWAY = "throwaway"


def told(database: str) -> str:
    """The variable that names for a playbook's process the address of the run's server."""
    return f"PLAYBOOKS_{database.upper()}"


def lent(database: str) -> str:
    """The variable in which a reader lends a server: the URL of a database on it that is empty or
    may be lost."""
    return f"{told(database)}_URL"


def why_not(database: str) -> str:
    """Why playbooks cannot run on this database here; empty where they can."""
    server = SERVERS.get(database)
    return "" if server is None or os.environ.get(lent(database)) else server.why_not()


def version(database: str) -> str:
    """The version of the server that a run uses here, `18.4`; `none` where there is none."""
    server = SERVERS[database]
    given = os.environ.get(lent(database))
    return server.version_at(_checked(database, given)) if given else server.version()


@contextmanager
def provided(database: str, directory: Path, runner: commands.Runner) -> Iterator[str]:
    """Start a server below `directory`, or take the one that is lent; yield its address, at which the
    database that every sandbox's is copied from is ready; leave nothing behind.

    Raises ServerError where it cannot be started or used, and for a lent database whose name does
    not say that it may be lost.
    """
    server = SERVERS[database]
    given = os.environ.get(lent(database))
    with contextlib.ExitStack() as stack:
        if given:
            address = _checked(database, given) + f"pb{os.getpid()}_"
            stack.callback(server.drop_all, address)
        else:
            address = stack.enter_context(server.server(directory))
        _prepare(database, address, directory, runner)
        yield address


def _checked(database: str, url: str) -> str:
    address, _, name = url.rpartition("/")
    if _THROWAWAY not in re.sub("[^a-z]", "", name.lower()):
        raise ServerError(
            f"{lent(database)} names the database {name!r}. Playbooks make and drop databases on "
            f"that server: they take one only if that name says so, like {_THROWAWAY!r}."
        )
    return f"{address}/"


def _prepare(database: str, address: str, home: Path, runner: commands.Runner) -> None:
    from .template import prepared

    project = prepared(runner) / "project"
    SERVERS[database].create(address, PREPARED)
    environment = frozen(home) | {"DATABASE_URL": address + PREPARED}
    for line in ("manage.py migrate --verbosity 0", "manage.py seed --verbosity 0"):
        code, output = runner.python(line.split(), project, environment, "", 60)
        if code:
            raise ServerError(f"cannot prepare {database}: python {line}\n{output.decode()}")


@cache
def address(database: str) -> str:
    """The address of the server that this run has started, or of one started now for a playbook that
    runs as plain Python; it ends with the process."""
    given = os.environ.get(told(database))
    if given:
        return given
    from .sandbox import _home

    reason = why_not(database)
    if reason:
        raise ServerError(f"{database} cannot run here: {reason}")
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    # A polite kill would end this process without `atexit`, and leave the server running.
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    return stack.enter_context(provided(database, _home(), commands.runner()))


def copy(database: str, home: Path, place: str, source: str = "") -> str:
    """The URL of a new database for this place: a copy of that at `source`, or a seeded one."""
    url = url_of(database, home, place)
    at = address(database)
    SERVERS[database].duplicate(at, url.removeprefix(at), source or at + PREPARED)
    return url


def url_of(database: str, home: Path, place: str) -> str:
    """The URL of the database of this place in a playbook's process."""
    # A playbook that is run on two databases makes its places twice, in the same folder.
    own = crc32(f"{default()} {home / place}".encode())
    return f"{address(database)}at_{re.sub('[^a-z0-9]', '_', place)[:30]}_{own:08x}"


def name_in(url: str) -> str:
    """The name of the database at this URL."""
    return url.rpartition("/")[2]


def scrubbed(text: str, url: str) -> str:
    """What a command printed, with the name of the database at this URL as a playbook writes it, and
    `~` for the folder of its server's socket."""
    text = text.replace(name_in(url), NAME)
    socket = re.search("@(%2F[^:/]+)", url)
    return text.replace(unquote(socket[1]), "~") if socket else text


def client(database: str, argv: list[str], url: str) -> tuple[list[str], dict[str, str]]:
    """How a program of this database is called for the one at `url`, and its environment; or
    LookupError where the program is none of its own.

    A playbook writes `library`, and `library_…` for others beside it; the server has one of each
    for every sandbox.
    """
    program, *words = argv
    own = rf"\1{name_in(url)}"
    mine = [re.sub(rf"^((?:--\w+=)?){NAME}(?=_\w+$|$)", own, word) for word in words]
    return SERVERS[database].client(program, mine, url)


def stop_orphans(directory: Path) -> None:
    """Stop the servers of a run that was killed itself, so that its directory can go."""
    for server in SERVERS.values():
        server.stop_orphan(directory)
