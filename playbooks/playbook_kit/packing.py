"""The archive of an exercise: the broken project as it is at the start, and what the judge has of it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from . import own_server
from .exercises import DUMP, HIDDEN, Exercise
from .judge import remember, suffix
from .readme import readme
from .stage import stage


def pack(exercise: Exercise, scratch: Path, file: Path, server: str, database: str) -> None:
    """Break the project in the folder `scratch`, on this database, and write the archive `file`.
    `server`: the socket of a fork server. Raises ExerciseError and ServerError."""
    home = scratch / "home"
    home.mkdir()
    with own_server.for_setup(database, scratch) as address:
        project = stage(exercise, home, server, address=address)
        kept = remember(exercise, home, address)
    (home / "kept.json").write_text(json.dumps(kept), encoding="utf-8")
    own = "" if address else kept["own"]["database"].partition("/")[2]
    (project / "README.md").write_text(readme(exercise, own), encoding="utf-8")
    _settle(project)
    if address:
        own_server.connect(project)
    part = file.with_name(f"{file.name}.part")
    with tarfile.open(part, "w") as tar:
        if address:
            tar.add(home / f"{exercise.place}{DUMP}", own_server.START)
        tar.add(project, "project", filter=_without_caches)
        tar.add(home / "origin.git", "origin.git")
        tar.add(home / "kept.json", "kept.json")
        for name, its in kept["colleagues"].items():
            tar.add(home / its["database"], name + suffix(address))
    part.replace(file)


def _settle(project: Path) -> None:
    """Git as a person has it: a name, and a remote whose place holds after a move."""
    git = project / ".git"
    config = git / "config"
    text = config.read_text().replace("../origin.git", f"{HIDDEN}/origin.git")
    config.write_text(f"{text}[user]\n\tname = you\n\temail = you@example.com\n")
    (git / "info").mkdir(exist_ok=True)
    (git / "info" / "exclude").write_text(f"/{HIDDEN}/\n/README.md\n__pycache__/\n")


def _without_caches(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if info.name.endswith(("__pycache__", ".pyc")) else info
