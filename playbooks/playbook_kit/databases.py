"""The databases that playbooks are run on, and on which of them this run is."""

from __future__ import annotations

import os
from typing import TypeVar

from .errors import PlaybookError

# Each name as pages write it, and its key in the record of versions.
DATABASES = {
    "SQLite": "sqlite",
    "PostgreSQL": "postgresql",
    "MariaDB": "mariadb",
    "PgBouncer": "pgbouncer",
}
# Names for a playbook's process the database of each `Sandbox` that does not name its own.
DATABASE = "PLAYBOOKS_DATABASE"

T = TypeVar("T")


def default() -> str:
    """The database of a sandbox for which the playbook names none."""
    return os.environ.get(DATABASE) or "SQLite"


def on(**choices: T) -> T:
    """What holds on the database of this run: `fails=on(SQLite="no such table", PostgreSQL="does
    not exist")`. For a playbook whose header says `again_on`. PlaybookError where it is not named.
    """
    here = default()
    if here not in choices:
        raise PlaybookError(f"on({', '.join(choices)})", f"a word for {here}", "none")
    return choices[here]
