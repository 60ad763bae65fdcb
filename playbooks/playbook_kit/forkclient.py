"""Start a fork server (`ForkServer`), or run commands through one whose path was given (`run`)."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from typing import IO

from .forkprotocol import Refused, Request, check_length
from .sessions import reap


class CommandTimeout(TimeoutError):
    """A command took too long. It was killed, with all that it had started.

    `output` is what it had written until then.
    """

    def __init__(self, argv: Sequence[str], timeout: float, output: bytes) -> None:
        super().__init__(f"`{' '.join(argv)}` did not end within {timeout:g} seconds")
        self.output = output


class _Exchange:
    """One command under way: what the server says, what the command writes, what it is to read."""

    def __init__(self, connection: socket.socket, output: FileIO, feed: FileIO, text: str) -> None:
        self.connection, self.output, self.feed = connection, output, feed
        self.lines, self.written, self.unread = b"", bytearray(), text.encode()
        self.pid = 0
        self.code: int | None = None
        self.selector = selectors.DefaultSelector()
        self.selector.register(connection, selectors.EVENT_READ, self._hear)
        self.selector.register(output, selectors.EVENT_READ, self._read)
        os.set_blocking(feed.fileno(), False)
        self.selector.register(feed, selectors.EVENT_WRITE, self._write)

    def until(self, deadline: float) -> bool:
        """Go on until the command has ended (True) or the deadline has passed (False)."""
        while self.code is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self.selector.select(None if left == float("inf") else left):
                key.data()
        # All that the command wrote is in the pipe now, for its writes came back before it ended.
        # What a process that has left its session may still write is not waited for.
        waiting = fcntl.ioctl(self.output, termios.FIONREAD, b"\0" * 4)
        self.written += self.output.read(struct.unpack("i", waiting)[0])
        return True

    def _hear(self) -> None:
        data = b""
        with suppress(ConnectionError):
            data = self.connection.recv(1 << 16)
        if not data:
            if self.pid:
                reap(self.pid)  # killed from outside, the server could not do it
            raise ConnectionError("the fork server ended while a command ran")
        *lines, self.lines = (self.lines + data).split(b"\n")
        for message in map(json.loads, lines):
            if "error" in message:
                raise Refused(message["error"])
            self.pid = message.get("pid", self.pid)
            self.code = message.get("code")

    def _read(self) -> None:
        data = self.output.read(1 << 16)
        self.written += data
        if not data:
            self.selector.unregister(self.output)

    def _write(self) -> None:
        try:
            # None: the pipe is full, although it was reported writable.
            self.unread = self.unread[self.feed.write(self.unread) or 0 :]
        except BrokenPipeError:
            self.unread = b""  # the command has closed its stdin: it does not want the rest
        if not self.unread:
            self.selector.unregister(self.feed)
            self.feed.close()


def run(
    path: Path | str,
    argv: Sequence[str],
    cwd: Path | str,
    env: Mapping[str, str],
    stdin_text: str | None = None,
    timeout: float | None = None,
    stdout: IO[bytes] | None = None,
) -> tuple[int, bytes]:
    """Run a script through the fork server at `path`: exit code, and stdout and stderr as one.

    `argv` starts with the script: `["manage.py", "migrate"]`. Without `stdin_text`, stdin is at its
    end. With `stdout`, standard output goes to that file instead. A negative code is the signal
    that ended the command. Raises CommandTimeout, Refused, FileNotFoundError for `cwd`, and
    ConnectionError or FileNotFoundError without a server. Whatever is raised, KeyboardInterrupt
    too: nothing of the command is left running.
    """
    with ExitStack() as stack:
        (its_stdin, feed), (output, its_output) = (
            (stack.enter_context(FileIO(read, "rb")), stack.enter_context(FileIO(write, "wb")))
            for read, write in (os.pipe(), os.pipe())
        )
        if stdin_text is None:
            its_stdin = stack.enter_context(FileIO(os.devnull, "rb"))
        fds = [each.fileno() for each in (its_stdin, stdout or its_output, its_output)]
        connection = stack.enter_context(Request("script", argv, str(cwd), env).send(path, fds))
        its_stdin.close()
        its_output.close()
        exchange = _Exchange(connection, output, feed, stdin_text or "")
        stack.callback(exchange.selector.close)
        if exchange.until(time.monotonic() + timeout if timeout else float("inf")):
            assert exchange.code is not None
            return exchange.code, bytes(exchange.written)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)  # the server kills it, and says when it is dead
        exchange.until(time.monotonic() + 10)
        raise CommandTimeout(argv, timeout or 0, bytes(exchange.written))


class ForkServer:
    """A fork server of one's own. It ends with `close`, with the `with` block, or with us."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path) -> None:
        self.process, self.path = process, path

    @classmethod
    def start(cls, directory: Path | str, preload: str, env: Mapping[str, str]) -> ForkServer:
        """Start a server with its socket and its log in `directory`; return when it listens.

        `preload` is `django` or `kernel`. It still imports then; a request waits as long as needed,
        so start all servers before the first request. `env` is the environment in which the
        variables `PYTHON*` and the locale count, for all children. Raises ValueError if the path of
        the socket would be too long for the operating system, RuntimeError if it does not start.
        """
        path = check_length(Path(directory).resolve() / f"{preload}.socket")
        command = [sys.executable, "-m", "playbook_kit.forkserver", "--socket", str(path)]
        log = path.with_suffix(".log")
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [*command, "--preload", preload],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=path.parent,
                env={**env},
                start_new_session=True,  # Ctrl-C is for us; it ends when we do
            )
        server = cls(process, path)
        assert process.stdout
        if process.stdout.readline() != b"listening\n":
            server.close()
            raise RuntimeError(f"the fork server did not start:\n{log.read_text()}")
        return server

    def run(
        self,
        argv: Sequence[str],
        cwd: Path | str,
        env: Mapping[str, str],
        stdin_text: str | None = None,
        timeout: float | None = None,
        stdout: IO[bytes] | None = None,
    ) -> tuple[int, bytes]:
        """Run a script: see the function `run`."""
        return run(self.path, argv, cwd, env, stdin_text, timeout, stdout)

    def close(self) -> None:
        """End the server, and with it all that still runs in its children."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
