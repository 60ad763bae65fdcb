"""The PostgreSQL server of an exercise: in its hidden folder, from `practice` until `stop`, or until
that folder is gone.

The project's settings read the URL of its database from a file there: the socket of a server is
elsewhere where the path of the directory is too long for one, and after a move.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from . import commands, postgres, postmaster, servers
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
    if database == "SQLite":
        yield ""
        return
    with servers.provided(database, directory, commands.runner()) as address:
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
    told = postmaster.told(data)
    process = postmaster.running(data)
    if process and told[1:2] not in ([], [str(data)]):  # it was moved, and its socket with it
        postmaster.stop(data, "SIGINT")
    elif told and not process:
        postmaster.forget(data, told)
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
    return postmaster.stop(_data(directory), "SIGINT")


def abandon(directory: Path) -> None:
    """Stop it at once, because its databases go. Raises ServerError."""
    postmaster.stop(_data(directory), "SIGQUIT")


def _data(directory: Path) -> Path:
    return (directory / HIDDEN / "postgres").resolve()


def psql() -> str:
    """The line that opens the learner's database, typed in the directory of the exercise."""
    return f'{quote(str(postgres.programs() / "psql"))} "$(cat {HIDDEN}/{_URL})"'
