"""What a forked child does between the fork and its end: become a fresh process, run, exit.

"Fresh" means: as if the interpreter had just been started with the environment of the request. What
the interpreter settles once, when it starts, cannot be changed here; `refusal` says so.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NoReturn, TextIO

_LOCALE = ("LANG", "LC_ALL", "LC_CTYPE")


def refusal(wanted: Mapping[str, str]) -> str:
    """Why no child of this process can have this environment; an empty string if one can.

    Hash seed, text encoding, warning filters, import path: the variables `PYTHON*` and the locale
    count when the interpreter starts, so they must be those that the server was started with.
    """
    settled = {key for key in [*wanted, *os.environ] if key.startswith("PYTHON") or key in _LOCALE}
    # Started in the C locale, the interpreter sets LC_CTYPE itself (PEP 538).
    if "LC_CTYPE" not in wanted:
        settled.discard("LC_CTYPE")
    for key in sorted(settled):
        if wanted.get(key) != os.environ.get(key):
            return (
                f"{key} counts when the interpreter starts: the fork server was started with "
                f"{os.environ.get(key)!r}, the command asks for {wanted.get(key)!r}. "
                "Run it in a process of its own."
            )
    return ""


def _stream(old: TextIO, name: str, fd: int) -> TextIO:
    """A standard stream as CPython makes it (`create_stdio` in pylifecycle.c), on this `fd`.

    The old one knows what the environment has settled: encoding, errors, PYTHONUNBUFFERED.
    """
    assert isinstance(old, io.TextIOWrapper)
    unbuffered = fd > 0 and old.write_through
    file: Any = open(fd, "wb" if fd else "rb", 0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    getattr(file, "raw", file).name = f"<{name}>"
    stream: Any = io.TextIOWrapper(
        file,
        encoding=old.encoding,
        errors=old.errors,
        newline="\n",
        line_buffering=not unbuffered and (fd == 2 or file.isatty()),
        write_through=unbuffered,
    )
    stream.mode = "w" if fd else "r"
    result: TextIO = stream
    return result


def become(env: Mapping[str, str], cwd: str, fds: list[int]) -> None:
    """Turn this child into a process of its own: session, signals, files, environment, streams."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for signum in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in range(3):
        os.dup2(fds[number], number)
    os.chdir(cwd)
    coerced = {key: os.environ[key] for key in ("LC_CTYPE",) if key in os.environ}
    os.environ.clear()
    os.environ.update({**env, **coerced})
    time.tzset()
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _stream(getattr(sys, name), name, fd)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    gc.enable()


def run_kernel(argv: list[str], connection: socket.socket) -> None:
    """The target `kernel`: what `python -m ipykernel_launcher` does, saying when it listens.

    A client that connects to a socket of ZeroMQ before it is there tries again only 100 ms later.
    """
    app: Any = import_module("ipykernel.kernelapp").IPKernelApp.instance()
    # The kernel's own watch, for a server that was killed and could not kill its children.
    app.initialize([*argv, f"--IPKernelApp.parent_handle={os.getppid()}"])
    connection.sendall(json.dumps({"ready": True}).encode() + b"\n")
    connection.close()
    app.start()
    # `close` stops the thread for output, then waits for one that may be sending to it (seen: one
    # time in five, with ipykernel 7.4). The end of this process closes the same.
    atexit.unregister(app.close)


def _outcome(run: Callable[[], None]) -> int:
    """Run it; print what the interpreter prints for what it raises; return the exit code."""
    try:
        run()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return (stop.code or 0) & 0xFF
        print(stop.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def finish(run: Callable[[], None]) -> NoReturn:
    """Run it and end this process in the order in which the interpreter ends.

    Not by returning to the interpreter: taking all the preloaded modules apart takes longer than
    most commands.
    """
    code = 1
    try:
        code = _outcome(run)
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None and not stream.closed:
                    stream.flush()
            except OSError:
                code = 120
        if code == -signal.SIGINT:
            # The interpreter, too, dies of the signal after a KeyboardInterrupt.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        os._exit(code)
