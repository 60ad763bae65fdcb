"""The versions that a page was made with, and fingerprints of files under those versions."""

from __future__ import annotations

import hashlib
import platform
import sqlite3
from functools import cache
from importlib.metadata import version
from pathlib import Path

from . import servers
from .commands import execute
from .environment import frozen

# What playbooks switch on in the sandbox project, or call: the optional dependencies.
_USED = ("django-linear-migrations", "django-migration-linter", "squawk-cli")
_NOT_CONTENT = {"__pycache__", ".ipynb_checkpoints", "db.sqlite3"}


@cache
def own_versions() -> dict[str, str]:
    """What can change the prepared sandbox: cheap to ask, since every playbook's process asks."""
    here = Path.cwd()
    git = execute(["git", "--version"], here, frozen(here), "", 60)[1].decode()
    return {
        "python": platform.python_version(),
        "django": version("django"),
        "sqlite": sqlite3.sqlite_version,
        "git": git.split()[2],
    }


@cache
def versions() -> dict[str, str]:
    """What can change a page's text, by name: Python, Django, the databases, Git."""
    return {
        **own_versions(),
        **{name: version(name) for name in _USED},
        "postgresql": servers.version("PostgreSQL"),
        "mariadb": servers.version("MariaDB"),
        "pgbouncer": servers.version("PgBouncer"),
    }


def fingerprint(under: dict[str, str], *folders: Path) -> str:
    """A short name for the content of these folders under these versions."""
    digest = hashlib.sha256(repr(under).encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not _NOT_CONTENT & set(path.parts):
                digest.update(f"\0{path.relative_to(folder).as_posix()}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:20]
