"""The kernels in which playbooks are executed: one for each, forked or started, killed for sure.

Nothing here waits for a fixed time. Where jupyter_client does, its public methods are overridden:
`wait_for_ready` listens for 200 ms to a silent channel, `start_kernel` and `shutdown_kernel` sleep
10 ms for the sake of its tests, and look for the end of a process every 100 ms.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from traitlets import Dict, Unicode, default
from traitlets.config import Config

from .environment import frozen
from .forkprotocol import check_length
from .kernelclient import PlaybookKernelClient
from .provisioner import ForkedKernelProvisioner
from .sessions import reap

__all__ = [
    "ForkedKernelProvisioner",
    "PlaybookKernelClient",
    "PlaybookKernelManager",
    "executing",
    "reap",
]


# jupyter_client makes its methods asynchronous in a subclass, and annotates those of the base class:
# hence `ignore[override]`.
class PlaybookKernelManager(AsyncKernelManager):
    """Starts the IPython kernel, whatever kernel a notebook names; no kernel spec is installed.

    With `server`, the path of the socket of a fork server, the kernel is forked there; else it is a
    subprocess. Its files are in `directory`, its environment is `environment` and nothing else.
    """

    directory = Unicode(help="Holds connection file, sockets and log.").tag(config=True)
    server = Unicode(help="Path of the socket of a fork server, or empty.").tag(config=True)
    environment = Dict(help="The whole environment of the kernel.").tag(config=True)
    _session_id: int | None = None

    @default("transport")
    def _transport_default(self) -> str:
        # Ports are picked before they are used: kernels that start together can pick the same.
        return "ipc" if hasattr(os, "fork") else "tcp"

    @default("client_factory")
    def _client_factory_default(self) -> type[AsyncKernelClient]:
        return PlaybookKernelClient

    @default("connection_file")
    def _connection_file_default(self) -> str:
        name = Path(self.directory).resolve() / uuid.uuid4().hex[:8]
        if self.transport == "ipc":
            check_length(Path(f"{name}-ipc-5"))
        return f"{name}.json"

    @property
    def kernel_spec(self) -> KernelSpec:
        """The IPython kernel, without history file and without the user's configuration."""
        ipython = Path(self.directory).resolve() / "ipython"
        forked = {"provisioner_name": "playbook-forked", "config": {"server": self.server}}
        return KernelSpec(
            argv=[
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                *(f"--ipython-dir={ipython}", "--HistoryManager.enabled=False"),
            ],
            language="python",
            metadata={"kernel_provisioner": forked} if self.server else {},
        )

    async def start_kernel(self, **kw: Any) -> None:  # type: ignore[override]
        """Start a kernel; the arguments are those of jupyter_client, all of them optional."""
        kw.setdefault("env", {**self.environment})
        Path(self.directory, "ipython").mkdir(exist_ok=True)
        command, kw = await self.pre_start_kernel(**kw)
        with Path(self.directory, "kernels.log").open("ab") as log:
            await self._launch_kernel(command, **kw, stdout=log, stderr=log)
        self._session_id = getattr(self.provisioner, "pid", None)
        await self.post_start_kernel(**kw)
        if not self.ready.done():
            self.ready.set_result(None)

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:  # type: ignore[override]
        """End the kernel and all that it has started: at once, or when it does not end itself."""
        if self.has_kernel and self.provisioner:
            if not now:
                await self.request_shutdown(restart=restart)
                try:
                    await asyncio.wait_for(self.provisioner.wait(), self.shutdown_wait_time)
                except TimeoutError:
                    self.log.warning("the kernel does not end: it is killed")
            await self.provisioner.kill(restart=restart)
            await self.provisioner.wait()
        await self.cleanup_resources(restart=restart)

    async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
        """Remove the files of the kernel, and whatever of its session still runs."""
        if self._session_id:
            session_id, self._session_id = self._session_id, None
            reap(session_id)
        await super().cleanup_resources(restart=restart)

    def client(self, **kwargs: Any) -> AsyncKernelClient:  # type: ignore[override]
        """A client of this kernel; it shares the threads of ZeroMQ with the manager."""
        return super().client(**{"context": self.context, **kwargs})


class _Client(NotebookClient):
    async def async_execute_cell(self, *args: Any, **kw: Any) -> Any:
        """Execute a cell, as documented; but let a cancellation be one.

        nbclient takes it for the death of the kernel, which a caller may handle and go on.
        """
        try:
            return await super().async_execute_cell(*args, **kw)
        except DeadKernelError:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise asyncio.CancelledError from None
            raise


def _join_streams(cell: Any, **_: Any) -> None:
    """Make one output of each run of prints: where the kernel cuts them depends on time."""
    joined: list[Any] = []
    for output in cell.outputs:
        last: Any = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
        else:
            joined.append(output)
    cell.outputs = joined


def _client(
    notebook: Any, directory: Path, cell_seconds: int, options: dict[str, Any]
) -> NotebookClient:
    return _Client(
        notebook,
        config=Config(PlaybookKernelManager=options),
        kernel_manager_class=PlaybookKernelManager,
        kernel_name="python3",
        on_cell_executed=_join_streams,
        record_timing=False,
        resources={"metadata": {"path": str(directory)}},
        shutdown_kernel="immediate",
        timeout=cell_seconds,
    )


@asynccontextmanager
async def executing(
    notebook: Any,
    directory: Path,
    cell_seconds: int,
    *,
    server: Path | str | None = None,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[NotebookClient]:
    """A client with a running kernel, for `client.async_execute_cell(cell, number)`.

    The kernel works in `directory`, with `env`: by default the frozen environment. The fork server
    at `server` forks it; without one it is a subprocess. Afterwards, however the block ends, none
    of its processes and sockets is left. Raises RuntimeError if the kernel does not start.
    """
    async with AsyncExitStack() as stack:
        # A short path, for the sockets, and none of the playbook's files.
        sockets = tempfile.TemporaryDirectory(
            prefix="k", dir=Path(server).parent if server else None, ignore_cleanup_errors=True
        )
        options = {
            "directory": stack.enter_context(sockets),
            "server": str(server or ""),
            "environment": env or frozen(directory),
        }
        client = _client(notebook, directory, cell_seconds, options)
        # Not client.async_setup_kernel: its handlers for SIGINT and SIGTERM belong to the loop,
        # which several clients share, and would end one of the kernels instead of the run.
        manager: Any = client.create_kernel_manager()
        stack.push_async_callback(manager.shutdown_kernel, now=True)
        await client.async_start_new_kernel()
        connected = await client.async_start_new_kernel_client()
        stack.callback(connected.stop_channels)
        yield client
