"""The fork server: imports the modules once, then forks one child for each request.

Start it through `playbook_kit.forkclient.ForkServer`, with the environment that the children are to
have; what it is asked and answers is in `forkprotocol`. When its stdin ends, because whoever
started it is gone, it kills all children and ends, too.

There is one thread and there must never be another: a fork copies only the thread that calls it,
and the locks that the others hold.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from .forkchild import become, finish, refusal, run_kernel
from .forkprotocol import Connection, Request
from .launch import main as run_script
from .preload import preload
from .sessions import kill_session


class Server:
    """The loop. `serve` returns when the server is to end, and then no child is left."""

    def __init__(self, listener: socket.socket) -> None:
        # PollSelector keeps nothing in the kernel that a child would share with the server.
        self.selector = selectors.PollSelector()
        self.listener = listener
        self.connections: set[Connection] = set()
        self.signals, self.wakeup = socket.socketpair()
        self.ending = False

    def serve(self) -> None:
        """Answer until stdin ends or a signal says so."""
        for end in (self.listener, self.signals, self.wakeup):
            end.setblocking(False)
        signal.set_wakeup_fd(self.wakeup.fileno())
        for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            # The number of the signal arrives through the socket; the handler has nothing to do.
            signal.signal(signum, lambda *_: None)
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self.end)
        self.selector.register(self.signals, selectors.EVENT_READ, self.on_signal)
        self.selector.register(self.listener, selectors.EVENT_READ, self.on_client)
        while not self.ending:
            for key, _ in self.selector.select():
                if isinstance(key.data, Connection):
                    self.on_request(key.data)
                else:
                    key.data()
        for connection in list(self.connections):
            self.kill(connection)

    def end(self) -> None:
        """Stop after this round."""
        self.ending = True

    def on_signal(self) -> None:
        """Report the children that have ended; end when told to."""
        if set(self.signals.recv(4096)) - {signal.SIGCHLD}:
            self.end()
        for connection in [each for each in self.connections if each.pid]:
            pid, status = os.waitpid(connection.pid, os.WNOHANG)
            if pid:
                # What a command leaves running would outlive the sandbox that it works in.
                kill_session(pid)
                connection.reply(code=os.waitstatus_to_exitcode(status))
                self.forget(connection)

    def on_client(self) -> None:
        """Accept a connection."""
        with suppress(OSError):
            connection = Connection(self.listener.accept()[0])
            connection.socket.setblocking(False)
            self.connections.add(connection)
            self.selector.register(connection.socket, selectors.EVENT_READ, connection)

    def forget(self, connection: Connection) -> None:
        """Close a connection for which nothing is left to do."""
        with suppress(KeyError, ValueError):
            self.selector.unregister(connection.socket)
        self.connections.discard(connection)
        connection.close()

    def on_request(self, connection: Connection) -> None:
        """Read from a client: a part of its request, or the end."""
        if connection not in self.connections:
            return  # closed earlier in this round
        try:
            data, fds, _, _ = socket.recv_fds(connection.socket, 1 << 16, 3)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []  # reset by the client: the same as its end
        connection.fds += fds
        connection.data += data
        if not data and connection.pid:
            self.selector.unregister(connection.socket)
            self.kill(connection)
        elif not data:
            self.forget(connection)
        elif data.endswith(b"\n") and not connection.pid:
            self.answer(connection)

    def kill(self, connection: Connection) -> None:
        """Kill what runs for a client; `on_signal` reports it when it has ended."""
        if connection.pid:
            # By its number too: it may not have come to its setsid yet.
            os.kill(connection.pid, signal.SIGKILL)
            kill_session(connection.pid)

    def answer(self, connection: Connection) -> None:
        """Fork a child for a request, or say why not."""
        try:
            request = Request(**json.loads(connection.data))
            error = refusal(request.env)
            if not error and len(connection.fds) != 3:
                error = f"3 file descriptors are needed, {len(connection.fds)} came"
            connection.pid = 0 if error else os.fork()
        except (ValueError, TypeError, OSError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        if error:
            connection.reply(error=error)
            self.forget(connection)
        elif connection.pid:
            connection.reply(pid=connection.pid)
            connection.close_fds()
        else:
            self.child(connection, request)

    def child(self, connection: Connection, request: Request) -> NoReturn:
        """In the child: let go of all that is the server's, then run the target."""

        def run() -> None:
            become(request.env, request.cwd, connection.fds)
            connection.close_fds()
            for mine in (self.listener, self.signals, self.wakeup):
                mine.close()
            for other in self.connections - {connection}:
                other.close()
            if request.target == "kernel":
                run_kernel([*request.argv], connection.socket)
            else:
                connection.close()
                run_script([*request.argv])

        finish(run)


def main() -> NoReturn:
    """Listen, say so on stdout, import, serve: clients can connect while it still imports."""
    parser = argparse.ArgumentParser(prog="python -m playbook_kit.forkserver")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--preload", choices=("django", "kernel"), required=True)
    options = parser.parse_args()
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder that the server was started in: not the children's business
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(options.socket))
    listener.listen()
    print("listening", flush=True)
    os.dup2(2, 1)
    # What is alive now stays alive: no child needs to look for garbage in it.
    gc.disable()
    preload(options.preload)
    gc.freeze()
    Server(listener).serve()
    options.socket.unlink(missing_ok=True)
    os._exit(0)


if __name__ == "__main__":
    main()
