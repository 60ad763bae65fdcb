"""What a fork server and its clients say to each other, over a Unix socket.

A request is one line of JSON, with three file descriptors for stdin, stdout and stderr:

    {"target": "script" or "kernel", "argv": [...], "cwd": "...", "env": {...}}

Answers are lines of JSON: `{"pid": N}`, from a kernel `{"ready": true}`, in the end `{"code": N}`
(negative: the signal that killed it); or, instead of all these, `{"error": "why not"}`. When the
client closes its side of the connection, the child and all that it has started are killed.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

SOCKET_PATH_LIMIT = 103  # bytes: what macOS allows; Linux allows 107


class Refused(ValueError):
    """The server cannot give a child what was asked for. The message says what and why."""


@dataclass(frozen=True)
class Request:
    """What a client asks for. Of a script, `argv` starts with its path; of a kernel, with `-f`."""

    target: Literal["script", "kernel"]
    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]

    def send(self, path: Path | str, fds: Sequence[int]) -> socket.socket:
        """Send it to the server at `path`; return the connection on which that answers.

        `fds` are stdin, stdout and stderr of the child. Raises FileNotFoundError if there is no
        such directory or server, ConnectionError if the server does not listen any more.
        """
        if not Path(self.cwd).is_dir():
            raise FileNotFoundError(f"no directory to run `{' '.join(self.argv)}` in: {self.cwd}")
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            data = json.dumps(asdict(self)).encode() + b"\n"
            # An answer may have come, and the connection ended, as soon as all is sent.
            if rest := data[socket.send_fds(connection, [data], [*fds]) :]:
                connection.sendall(rest)
        except BaseException:
            connection.close()
            raise
        return connection


@dataclass(eq=False)
class Connection:
    """The server's side: what a client has sent so far, and the child that runs for it."""

    socket: socket.socket
    data: bytes = b""
    fds: list[int] = field(default_factory=list)
    pid: int = 0

    def reply(self, **message: Any) -> None:
        """Send a message; a client that is gone, or reads nothing, does not need it."""
        with suppress(OSError):
            self.socket.send(json.dumps(message).encode() + b"\n")

    def close_fds(self) -> None:
        """Close the files that came over this connection."""
        while self.fds:
            os.close(self.fds.pop())

    def close(self) -> None:
        """Close the connection and all that came over it."""
        self.close_fds()
        self.socket.close()


def check_length(path: Path) -> Path:
    """The path of a socket. Raises ValueError if it is too long for the operating system."""
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ValueError(f"{path} is too long for a socket: choose a shorter directory")
    return path
