"""MariaDB: a server of a run's own, on a private socket, where the system has it installed
(Debian and Ubuntu: `mariadb-server`).

Django reaches it through PyMySQL, which needs no compiler: see `config/settings.py` of the sandbox
project.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import commands
from .environment import frozen
from .errors import ServerError

_FOLDER = ".mariadb"  # not what a playbook might call a place
_CLIENTS = ("mariadb", "mariadb-admin", "mariadb-dump")
_ALL = "--no-defaults"  # of the system's own configuration nothing is read
_START = 60.0  # seconds


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """Start a server below `directory`; yield its address; stop it at the end.

    Raises ServerError, with the end of its log where it does not start.
    """
    home = directory / _FOLDER
    try:
        home.mkdir()
    except OSError as error:
        raise ServerError(f"MariaDB cannot start below {directory}: {error}") from None
    data, socket, log = home / "data", home / "s", home / "log"
    user = ["--user=root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    options = [_ALL, f"--datadir={data}", *user]
    making = [_program("mariadb-install-db"), *options, "--auth-root-authentication-method=normal"]
    code, output = commands.execute([*making, "--skip-test-db"], home, frozen(home), "", 120)
    if code:
        raise ServerError(f"MariaDB cannot make its files:\n{output.decode()}")
    options += [f"--socket={socket}", f"--pid-file={home / 'pid'}", "--skip-networking"]
    options += ["--character-set-server=utf8mb4", "--innodb-buffer-pool-size=32M"]
    # Nothing here has to outlive the machine.
    options += ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"]
    with log.open("wb") as file:
        process = commands.background([_program("mariadbd"), *options], home, frozen(home), file)
    try:
        address = f"mysql://root@{quote(str(socket), safe='')}/"
        _wait(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait(address: str, process: Any, log: Path) -> None:
    end = time.monotonic() + _START
    cwd = log.parent
    argv, _ = client("mariadb-admin", ["ping"], address)
    while commands.execute(argv, cwd, frozen(cwd), "", _START)[0]:
        if process.poll() is not None or time.monotonic() > end:
            told = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise ServerError(f"MariaDB does not start:\n{told}")
        time.sleep(0.05)


def create(address: str, name: str) -> None:
    """Make an empty database."""
    _execute(address, f"create database {_full(address, name)}")


def duplicate(address: str, name: str, source: str) -> None:
    """Make a database that is a copy of the one at the URL `source`."""
    create(address, name)
    there = source.rpartition("/")[2]
    cwd = Path(tempfile.gettempdir())
    with tempfile.TemporaryFile() as dump:
        argv, _ = client("mariadb-dump", [there], address)
        _checked(commands.execute(argv, cwd, frozen(cwd), "", 60, dump))
        dump.seek(0)
        text = dump.read().decode()
    argv, _ = client("mariadb", [_full(address, name)], address)
    _checked(commands.execute(argv, cwd, frozen(cwd), text, 60))


def _checked(done: tuple[int, bytes]) -> None:
    if done[0]:
        raise ServerError(f"MariaDB cannot copy a database:\n{done[1].decode()}")


def drop_all(address: str) -> None:
    """Drop the databases whose names begin as the address ends."""
    start = address.rpartition("/")[2]
    for (name,) in _execute(address, "show databases"):
        if start and name.startswith(start):
            _execute(address, f"drop database `{name}`")


def _full(address: str, name: str) -> str:
    return address.rpartition("/")[2] + name


def connect(url: str) -> Any:
    """A connection to the database at this URL, or to none where it names none."""
    import dj_database_url
    import pymysql

    where = dj_database_url.parse(url)
    host = str(where["HOST"])
    at = {"unix_socket": host} if host.startswith("/") else {"host": host}
    return pymysql.connect(
        user=where["USER"],
        password=where["PASSWORD"] or "",
        port=int(where["PORT"] or 3306),
        database=where["NAME"] or None,
        autocommit=True,
        **at,
    )


def _execute(address: str, sql: str) -> tuple[tuple[Any, ...], ...]:
    with connect(address.rpartition("/")[0] + "/") as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        rows: tuple[tuple[Any, ...], ...] = cursor.fetchall()
        return rows


def client(program: str, words: list[str], url: str) -> tuple[list[str], dict[str, str]]:
    """How one of MariaDB's programs is called for the server of `url`, and its environment. Raises
    LookupError where it is none of them."""
    import dj_database_url

    if program not in _CLIENTS:
        raise LookupError(program)
    where = dj_database_url.parse(url)
    host = str(where["HOST"])
    at = [f"--socket={host}"] if host.startswith("/") else [f"--host={host}"]
    at += [f"--port={where['PORT']}"] if where["PORT"] else []
    environment = {"MYSQL_PWD": str(where["PASSWORD"])} if where["PASSWORD"] else {}
    return [_program(program), _ALL, *at, f"--user={where['USER']}", *words], environment


def _program(name: str) -> str:
    return commands.installed(name, "mariadb-server")


def why_not() -> str:
    """Why no server can be started here; empty where it can."""
    try:
        for name in ("mariadbd", "mariadb-install-db", *_CLIENTS):
            _program(name)
    except LookupError as error:
        return str(error)
    return ""


def version() -> str:
    """The version of the server that is installed, `10.11.19`; `none` where there is none."""
    if why_not():
        return "none"
    cwd = Path.cwd()
    output = commands.execute([_program("mariadbd"), "--version"], cwd, frozen(cwd), "", 60)[1]
    return output.decode().partition("Ver ")[2].partition("-")[0]


def version_at(address: str) -> str:
    """The version of the server at this address."""
    return str(_execute(address, "select version()")[0][0]).partition("-")[0]


def stop_orphan(directory: Path) -> None:
    """Stop the server of a run that was killed itself, so that its directory can go."""
    import psutil

    with contextlib.suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int((directory / _FOLDER / "pid").read_text()))
        if any(str(directory / _FOLDER) in word for word in process.cmdline()):
            process.kill()
            process.wait(10)
