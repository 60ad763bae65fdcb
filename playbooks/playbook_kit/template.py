"""The prepared sandbox that every `Sandbox` is copied from: migrated, seeded, committed.

Made once for each state of the sandbox project and of the tools, because making it costs more
than many a playbook.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from . import commands
from .environment import frozen
from .versions import fingerprint, own_versions

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = REPOSITORY / "sandbox_project"
CACHE = REPOSITORY / ".cache"

# What makes a folder a repository with a remote beside it.
GIT_STEPS = (
    "git init --quiet --template=",
    "git add .",
    "git commit --quiet --message=Start",
    "git init --quiet --bare --template= ../origin.git",
    "git remote add origin ../origin.git",
    "git push --quiet --set-upstream origin main",
)
_STEPS = ("python manage.py migrate", "python manage.py seed", *GIT_STEPS)
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "db.sqlite3", "README.md")


def prepared(runner: commands.Runner | None = None) -> Path:
    """The folder that holds `project` and `origin.git`, made now if this state is a new one.

    Raises RuntimeError with the output of the command that failed.
    """
    folder = CACHE / f"sandbox-{fingerprint(own_versions(), PROJECT)}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=CACHE))
    try:
        project = making / "project"
        shutil.copytree(PROJECT, project, ignore=_LEFT_OUT)
        (project / ".gitignore").write_text("db.sqlite3\n__pycache__/\n")
        for step in _STEPS:
            _run(step.split(), project, runner or commands.runner())
        # Another run may have been quicker; its folder holds the same.
        with contextlib.suppress(OSError):
            making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder


def _run(argv: list[str], cwd: Path, runner: commands.Runner) -> None:
    env = frozen(cwd.parent)
    run = commands.execute
    if argv[0] == "python":
        argv, run = argv[1:], runner.python
    code, output = run(argv, cwd, env, "", 60, None)
    if code:
        raise RuntimeError(f"cannot prepare the sandbox: {' '.join(argv)}\n{output.decode()}")


def copy_to(home: Path, path: Path) -> None:
    """Copy the prepared project to `path`, and its bare repository beside it if none is there."""
    source = prepared()
    shutil.copytree(source / "project", path, symlinks=True)
    origin = home / "origin.git"
    if not origin.exists():
        shutil.copytree(source / "origin.git", origin, symlinks=True)
