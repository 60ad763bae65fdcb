"""The environment of every process that the kit starts: frozen, and nothing of the caller's.

Frozen first, so that nothing needs scrubbing later: names, dates, language, colours, hash seed.
A caller's `DJANGO_SETTINGS_MODULE`, `DATABASE_URL`, `PGHOST`, `GIT_DIR` or `PYTHONPATH` stays out
because the environment is built from an empty one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Names for a playbook's process the folder in which its sandboxes live.
DIRECTORY = "PLAYBOOKS_DIRECTORY"

# Windows cannot start a process without these; elsewhere they do not exist.
_NEEDED_BY_WINDOWS = ("SYSTEMROOT", "COMSPEC", "PATHEXT")

_GIT_CONFIG = {
    "advice.detachedHead": "false",
    "commit.gpgsign": "false",
    "core.autocrlf": "false",
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "pull.rebase": "false",
    "push.default": "simple",
}

_FROZEN = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "NO_COLOR": "1",
    "DJANGO_COLORS": "nocolor",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "PYTHONUNBUFFERED": "1",
    # A .pyc is newer than its source for a second only: an edit within it would not be seen.
    "PYTHONDONTWRITEBYTECODE": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_AUTHOR_DATE": "2026-01-05T09:00:00+00:00",
    "GIT_COMMITTER_DATE": "2026-01-05T09:00:00+00:00",
}


def frozen(home: Path, person: str = "playbook") -> dict[str, str]:
    """The whole environment for a process that works below `home`, as the Git author `person`."""
    environment = dict(_FROZEN)
    environment["HOME"] = str(home)
    environment["TMPDIR"] = str(home)
    # The interpreter that runs the kit comes first, so that `python` means the same everywhere.
    environment["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    for name in ("AUTHOR", "COMMITTER"):
        environment[f"GIT_{name}_NAME"] = person
        environment[f"GIT_{name}_EMAIL"] = f"{person}@example.com"
    environment["GIT_CONFIG_COUNT"] = str(len(_GIT_CONFIG))
    for number, (key, value) in enumerate(_GIT_CONFIG.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    for name in _NEEDED_BY_WINDOWS:
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment
