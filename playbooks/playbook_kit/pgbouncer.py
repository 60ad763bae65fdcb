"""PgBouncer, with transaction pooling, before a PostgreSQL of its own: where the system has it
installed (Debian and Ubuntu: `pgbouncer`).

Both listen in one folder. An address leads through the pooler; without its port it leads past it,
and that is where databases are made and where PostgreSQL's programs go. Each database has one
connection behind the pooler, so that what meets on it is determined.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from . import commands, postgres
from .environment import frozen
from .errors import ServerError

PORT = 6432
# A second pooler, on the next port, differs in one line: it takes `options`, and drops them.
_IGNORED = {PORT: "", PORT + 1: "options"}
_FOLDER = "pooled"
_START = 30.0  # seconds
_CONFIG = """[databases]
* = host={folder} port=5432 user=postgres
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
admin_users = postgres
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = {ignored}
"""
_AS_ROOT = "user = pgserver\n"  # whom PostgreSQL runs as: both refuse root


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Start both below `directory`; yield the address; stop them at the end. Raises ServerError."""
    home = directory / _FOLDER
    try:
        home.mkdir()
    except OSError as error:
        raise ServerError(f"PgBouncer cannot start below {directory}: {error}") from None
    with contextlib.ExitStack() as stack:
        direct = stack.enter_context(postgres.server(home)).removesuffix("/")
        for port in _IGNORED:
            stack.enter_context(_pooler(home, direct, port))
        yield f"{direct}:{PORT}/"


@contextmanager
def _pooler(home: Path, direct: str, port: int) -> Iterator[None]:
    folder = unquote(direct.partition("@")[2])
    config, log = home / f"{port}.ini", home / f"{port}.log"
    text = _CONFIG.format(folder=folder, port=port, ignored=_IGNORED[port])
    config.write_text(text + (_AS_ROOT if os.geteuid() == 0 else ""))
    with log.open("wb") as file:
        process = commands.background([_program(), str(config)], home, frozen(home), file)
    try:
        end = time.monotonic() + _START
        while not _answers(f"{direct}:{port}/"):
            if process.poll() is not None or time.monotonic() > end:
                raise ServerError(f"PgBouncer does not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.02)
        yield
    finally:
        # Its polite end would wait for clients, in later versions.
        process.kill()
        process.wait()
        (Path(folder) / f".s.PGSQL.{port}").unlink(missing_ok=True)


def _answers(address: str) -> bool:
    with contextlib.suppress(ServerError):
        return bool(_admin(address, "show version"))
    return False


def _admin(address: str, command: str) -> list[tuple[object, ...]]:
    """Say something to the pooler itself. Raises ServerError."""
    return postgres.execute(address, command, "pgbouncer")


def past(address: str) -> str:
    """The same address, or URL of a database, without the pooler in between."""
    return address.replace(f":{PORT}/", "/")


def create(address: str, name: str) -> None:
    """Make an empty database."""
    postgres.create(past(address), name)


def duplicate(address: str, name: str, source: str) -> None:
    """Make a database that is a copy of the one at the URL `source`, which nobody uses now. What was
    left in the session behind the pooler is gone then."""
    # PostgreSQL waits some seconds for the pool's own connection to go.
    with contextlib.suppress(ServerError):  # the pooler does not know a database before it is used
        _admin(address, f"reconnect {source.rpartition('/')[2]}")
    postgres.duplicate(past(address), name, source)


def drop_all(address: str) -> None:
    """Drop the databases whose names begin as the address ends, whoever uses them."""
    postgres.drop_all(past(address))


def client(program: str, words: list[str], url: str) -> tuple[list[str], dict[str, str]]:
    """How one of PostgreSQL's programs is called for the server behind the pooler, and its
    environment: `--port 6432` goes through it. Raises LookupError where it is none of them."""
    from .servers import NAME, name_in

    if "pgbouncer" in words:  # what is said to the pooler itself: `reconnect library`
        words = [re.sub(rf"\b{NAME}\b", name_in(url), word) for word in words]
    return postgres.client(program, words, past(url))


def _program() -> str:
    return commands.installed("pgbouncer", "pgbouncer")


def why_not() -> str:
    """Why no server can be started here; empty where it can."""
    try:
        _program()
    except LookupError as error:
        return str(error)
    return postgres.why_not()


def version() -> str:
    """The version of the pooler that is installed, `1.18.0`; `none` where there is none."""
    if why_not():
        return "none"
    cwd = Path.cwd()
    output = commands.execute([_program(), "--version"], cwd, frozen(cwd), "", 60)[1]
    return output.decode().split()[1]


def version_at(address: str) -> str:
    """None can be lent: playbooks need its settings. Raises ServerError."""
    raise ServerError(f"{address}: playbooks start a PgBouncer of their own, and take none")


def stop_orphan(directory: Path) -> None:
    """Stop the servers of a run that was killed itself, so that its directory can go."""
    import psutil

    home = directory / _FOLDER
    for process in psutil.process_iter(["cmdline"]) if home.exists() else ():
        if any(str(home / f"{port}.ini") in (process.info["cmdline"] or ()) for port in _IGNORED):
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait(10)
    postgres.stop_orphan(home)
