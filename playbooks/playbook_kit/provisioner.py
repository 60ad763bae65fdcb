"""Kernels forked from a warm process: a provisioner, the extension point of jupyter_client for it.

https://jupyter-client.readthedocs.io/en/stable/provisioning.html
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Unicode

from .forkprotocol import Request
from .sessions import reap


class ForkedKernelProvisioner(KernelProvisionerBase):
    """Has a fork server fork the kernel, and hears from it when the kernel is ready and ends.

    A kernel spec asks for it by its name, `playbook-forked`, with the path of the server's socket:
    `"metadata": {"kernel_provisioner": {"provisioner_name": ..., "config": {"server": ...}}}`. Its
    `argv` is that of a plain kernel; what stands before `-f` is not needed.
    """

    server = Unicode(help="Path of the socket of a fork server.").tag(config=True)

    # The process id, and, because the kernel calls setsid, the id of its session.
    pid: int | None = None
    _code: int | None = None
    _refused = ""
    _writer: asyncio.StreamWriter | None = None

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel that has not ended."""
        return self.pid is not None and self._code is None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file and complete the command, as the LocalProvisioner does."""
        manager: Any = self.parent
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        extra = kwargs.pop("extra_arguments", [])
        command = manager.format_kernel_cmd(extra_arguments=extra)
        return await super().pre_launch(cmd=command, **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel and return when it listens on its sockets.

        Of the arguments of Popen it knows `cwd`, `env`, `stdout` and `stderr`. Raises RuntimeError
        if the kernel ends before it listens, and what `Request.send` raises.
        """
        argv, cwd = cmd[cmd.index("-f") :], str(kwargs.get("cwd") or Path.cwd())
        with Path(os.devnull).open("r+b") as nothing:
            streams = (nothing, kwargs.get("stdout") or nothing, kwargs.get("stderr") or nothing)
            request = Request("kernel", argv, cwd, kwargs["env"])
            connection = request.send(self.server, [stream.fileno() for stream in streams])
        connection.setblocking(False)
        self.pid, self._code, self._refused = None, None, ""
        self._ready, self._ended = asyncio.Event(), asyncio.Event()
        reader, self._writer = await asyncio.open_unix_connection(sock=connection)
        self._listener = asyncio.create_task(self._listen(reader, self._writer))
        try:
            await self._ready.wait()
        except BaseException:
            self._writer.close()  # interrupted: the server kills what it may have forked by now
            raise
        if not self.has_process:
            reason = self._refused or f"it ended with code {self._code}"
            raise RuntimeError(f"the kernel did not start: {reason}")
        return self.connection_info

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        code = None
        with suppress(ConnectionError):
            while line := await reader.readline():
                message = json.loads(line)
                self.pid = message.get("pid", self.pid)
                self._refused = message.get("error", "")
                code = message.get("code")
                if "ready" in message:
                    self._ready.set()
        if code is None and self.pid:
            reap(self.pid)  # the server is gone, and could not kill it
            code = -signal.SIGKILL
        self._code = code
        writer.close()
        self._ready.set()
        self._ended.set()

    async def poll(self) -> int | None:
        """The exit code, None while the kernel runs."""
        return None if self.has_process else self._code or 0

    async def wait(self) -> int | None:
        """Wait until the kernel has ended, and all that it had started was killed."""
        if self.has_process:
            await self._ended.wait()
        return self._code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group."""
        if self.has_process and self.pid:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002
        """Have the server kill the kernel's whole session."""
        if self.has_process and self._writer:
            self._writer.write_eof()

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002
        """Ask the kernel to end."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: ARG002
        """Let go of the connection."""
        if self._writer:
            self._writer.close()
