"""The PostgreSQL server of an exercise: in its hidden folder, from `practice` until `stop`.

The project's settings read the address of its database from a file there: the socket of a server
is elsewhere where the path of the directory is too long for one, and after a move.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import commands, postgres, servers
from .dumps import restore
from .environment import frozen
from .errors import ServerError
from .exercises import DUMP, HIDDEN

START = f"start{DUMP}"  # the learner's own database as it was
_URL = "url"
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
            if reason := postgres.why_not():
                raise ServerError(f"{database} cannot run here: {reason}")
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
    hidden = directory / HIDDEN
    _refuse_closed(hidden)
    url = postgres.lasting(hidden) + servers.NAME
    (hidden / _URL).write_text(url, encoding="utf-8")
    return url


def _refuse_closed(hidden: Path) -> None:
    """As root, the library would open every folder above to everybody."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    for folder in hidden.resolve().parents:
        if folder.stat().st_mode & 0o055 != 0o055:
            raise ServerError(
                f"PostgreSQL refuses to run as root, and its own user pgserver cannot enter {folder}: "
                "choose a directory that everybody may enter, or work as another user"
            )


def fill(directory: Path) -> None:
    """Start it, and make the learner's database as it was at the start. Raises ServerError."""
    restore(start(directory), directory / HIDDEN / START)


def stop(directory: Path) -> bool:
    """Stop it; False where none runs."""
    return postgres.stop(directory / HIDDEN)


def abandon(directory: Path) -> None:
    """Stop it at once, because its databases go."""
    postgres.stop_orphan(directory / HIDDEN)


def psql() -> str:
    """The line that opens the learner's database, typed in the directory of the exercise."""
    return f'{postgres.programs() / "psql"} "$(cat {HIDDEN}/{_URL})"'
