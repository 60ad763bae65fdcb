"""The PostgreSQL server of an exercise: in its hidden folder, from `practice` until `stop`, or until
that folder is gone.

The project's settings read the URL of its database from a file there: the socket of a server is
elsewhere where the path of the directory is too long for one, and after a move.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import psutil

from . import commands, postgres, servers
from .dumps import make
from .environment import frozen
from .errors import ServerError
from .exercises import DUMP, HIDDEN
from .forkprotocol import check_length
from .template import CACHE

START = f"start{DUMP}"  # the learner's own database as it was
_URL = "url"
_SOCKET = ".s.PGSQL.5432"
_SETTINGS = "config/settings.py"
_BEFORE = 'else {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}'
_AFTER = f'else dj_database_url.parse((BASE_DIR / "{HIDDEN}" / "{_URL}").read_text())'


@contextmanager
def for_setup(database: str, directory: Path) -> Iterator[str]:
    """A server below `directory` on which an exercise is set up: its address, empty for SQLite.
    Raises ServerError."""
    with contextlib.ExitStack() as stack:
        address = ""
        if database != "SQLite":
            provided = servers.provided(database, directory, commands.runner())
            address = stack.enter_context(provided)
        yield address


def connect(project: Path) -> None:
    """Let the settings find the server, without a change that Git would see."""
    settings = project / _SETTINGS
    text = settings.read_text(encoding="utf-8")
    assert text.count(_BEFORE) == 1
    settings.write_text(text.replace(_BEFORE, _AFTER), encoding="utf-8")
    argv = ["git", "update-index", "--skip-worktree", _SETTINGS]
    code, output = commands.execute(argv, project, frozen(project), "", 60)
    assert code == 0, output


def start(directory: Path) -> str:
    """Start the server of the exercise in this directory, if it does not run: the URL of the
    learner's database. Raises ServerError."""
    refuse(directory)
    data = _data(directory)
    told = _told(data)
    process = _running(data)
    if process and told[1:2] not in ([], [str(data)]):  # it was moved, and its socket with it
        _end(data, process, "SIGINT")
    elif told and not process:
        _forget(data, told)
    url = postgres.start(data) + servers.NAME
    file = directory / HIDDEN / _URL
    if not file.is_file() or file.read_text(encoding="utf-8") != url:
        part = file.with_name(f"{_URL}.part")
        part.write_text(url, encoding="utf-8")
        part.replace(file)
    return url


def refuse(directory: Path) -> None:
    """ServerError with the reason, where no server can run in this directory."""
    if reason := postgres.why_not():
        raise ServerError(f"PostgreSQL cannot run here: {reason}")
    data = _data(directory)
    # The library hands the path to a shell without quotes.
    if odd := re.search(r"[^\w./:@+,=%-]", str(data)):
        raise ServerError(f"PostgreSQL cannot start in {directory}, for the {odd[0]!r} in its path")
    try:
        check_length(data / _SOCKET)
    except ValueError as error:
        try:  # the library's other place has a name of ten digits
            check_length(CACHE / "locks" / "python_PostgresServer" / f"{0:010}" / _SOCKET)
        except ValueError:
            raise ServerError(f"PostgreSQL cannot start there: {error}") from None
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    for folder in data.parents:
        if folder.exists() and folder.stat().st_mode & 0o055 != 0o055:
            raise ServerError(
                "PostgreSQL refuses to run as root. Its own user pgserver needs every folder above to "
                f"be open, and {folder} is not: choose another directory, or work as another user"
            )


def fill(directory: Path) -> None:
    """Start it, and make the learner's database as it was at the start. Raises ServerError."""
    make(start(directory), directory / HIDDEN / START)


def stop(directory: Path) -> bool:
    """Stop it; False where none runs. Raises ServerError."""
    data = _data(directory)
    process = _running(data)
    if process:
        _end(data, process, "SIGINT")
    return process is not None


def abandon(directory: Path) -> None:
    """Stop it at once, because its databases go. Raises ServerError."""
    data = _data(directory)
    if process := _running(data):
        _end(data, process, "SIGQUIT")


def _data(directory: Path) -> Path:
    return (directory / HIDDEN / "postgres").resolve()


def _told(data: Path) -> list[str]:
    """The lines of `postmaster.pid`: the second has the folder, the fifth that of the socket."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _running(data: Path) -> psutil.Process | None:
    """The server that works in this folder. The file alone does not tell: it stays after a crash,
    lies in a copy too, and another process can have that number by now."""
    with contextlib.suppress(IndexError, ValueError, psutil.Error):
        process = psutil.Process(int(_told(data)[0]))
        if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == data:
            return process
    return None


def _end(data: Path, process: psutil.Process, how: str) -> None:
    told = _told(data)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(getattr(signal, how))
        end = time.monotonic() + 10
        # Where nobody reaps it, as in many a container, it stays as a zombie.
        while process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > end:
                raise ServerError(f"the PostgreSQL server of this exercise, {process.pid}, goes on")
            time.sleep(0.02)
    _forget(data, told)


def _forget(data: Path, told: list[str]) -> None:
    """Remove what a server that is gone has left: a new one takes it for that of another. `told`: its
    `postmaster.pid`."""
    if _told(data) not in (told, []):
        return  # somebody has started it meanwhile
    own = told[1:2] == [str(data)]  # and not of the directory that this one is a copy of
    for folder in [data, *map(Path, told[4:5] if own else ())]:
        for file in folder.glob(".s.PGSQL.*"):
            file.unlink(missing_ok=True)
    (data / "postmaster.pid").unlink(missing_ok=True)


def psql() -> str:
    """The line that opens the learner's database, typed in the directory of the exercise."""
    return f'{quote(str(postgres.programs() / "psql"))} "$(cat {HIDDEN}/{_URL})"'
