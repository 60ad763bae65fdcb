"""How a process is run: one small interface, a plain subprocess, and the fork server.

Nothing else in the kit, apart from the kernels, touches `subprocess`, signals or `fork`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

LAUNCH = Path(__file__).with_name("launch.py")
FORK_SERVER = "PLAYBOOKS_FORK_SERVER"


class Runner(Protocol):
    """Runs one Python script in a process of its own.

    Returns the exit code and what the process printed, standard output and error together in
    the order in which they were written; with `stdout`, standard output goes to that file
    instead. Raises TimeoutError after killing a process that takes longer than `seconds`.
    """

    def python(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: dict[str, str],
        answers: str,
        seconds: float,
        stdout: IO[bytes] | None = None,
    ) -> tuple[int, bytes]: ...


def background(
    argv: Sequence[str], cwd: Path, env: dict[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program that goes on, in a group of its own, which no Ctrl-C reaches."""
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        process_group=None if sys.platform == "win32" else 0,
    )


def execute(
    argv: Sequence[str],
    cwd: Path,
    env: dict[str, str],
    answers: str,
    seconds: float,
    stdout: IO[bytes] | None = None,
) -> tuple[int, bytes]:
    """Run any program as a subprocess; what it returns and raises is what `Runner` says."""
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE if stdout else subprocess.STDOUT,
        # A group of its own can be killed whole, and stays in the session that the kit reaps.
        process_group=None if sys.platform == "win32" else 0,
    )
    try:
        out, err = process.communicate(answers.encode(), timeout=seconds)
    except subprocess.TimeoutExpired as expired:
        raise TimeoutError(f"still running after {seconds:g} s") from expired
    finally:
        if process.poll() is None:
            if sys.platform != "win32":
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.communicate()
    return process.returncode, (err if stdout else out) or b""


def installed(program: str, package: str) -> str:
    """The path of a server's program; an ordinary user's PATH lacks the folder of servers. Raises
    LookupError, which names Debian's package, where it is not there."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(program, path=path)
    if found is None:
        raise LookupError(f"there is no {program} (Debian and Ubuntu: apt-get install {package})")
    return found


class Subprocess:
    """The reference: every script is started afresh, as a reader would start it."""

    def python(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: dict[str, str],
        answers: str,
        seconds: float,
        stdout: IO[bytes] | None = None,
    ) -> tuple[int, bytes]:
        return execute([sys.executable, str(LAUNCH), *argv], cwd, env, answers, seconds, stdout)


class Forked:
    """Every script is a forked child of a process that has imported Django already."""

    def __init__(self, socket: str) -> None:
        self.socket = socket

    def python(
        self,
        argv: Sequence[str],
        cwd: Path,
        env: dict[str, str],
        answers: str,
        seconds: float,
        stdout: IO[bytes] | None = None,
    ) -> tuple[int, bytes]:
        from . import forkclient  # here: it needs modules that Windows has not

        return forkclient.run(self.socket, argv, cwd, env, answers, seconds, stdout)


def runner() -> Runner:
    """The fork server that `playbooks run` has started for this process, else a subprocess."""
    socket = os.environ.get(FORK_SERVER)
    return Forked(socket) if socket else Subprocess()
