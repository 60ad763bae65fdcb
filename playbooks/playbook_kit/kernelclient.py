"""A client of a Jupyter kernel that does not wait longer than it has to."""

from __future__ import annotations

import time
from queue import Empty

from jupyter_client.asynchronous.client import AsyncKernelClient


class PlaybookKernelClient(AsyncKernelClient):
    """A client that is ready as soon as the kernel is."""

    def start_channels(self, hb: bool = False, **channels: bool) -> None:  # type: ignore[override]
        """Start the channels, without the heartbeat: the manager knows when the kernel dies."""
        super().start_channels(hb=hb, **channels)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has welcomed this client on iopub and answered on shell.

        The welcome (Jupyter's enhancement proposal 65, ipykernel 7) says that no output can be
        missed. Raises RuntimeError when the kernel dies, or is not ready after `timeout` seconds.
        """
        deadline = time.monotonic() + (timeout or float("inf"))
        self.kernel_info()
        expected = [
            (self.iopub_channel, "iopub_welcome"),
            (self.shell_channel, "kernel_info_reply"),
        ]
        while expected:
            channel, kind = expected[0]
            try:
                message = await channel.get_msg(timeout=1)
            except Empty:
                if not await self.is_alive():
                    raise RuntimeError("the kernel died before it was ready") from None
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the kernel is not ready after {timeout} s") from None
            else:
                if message["msg_type"] == kind:
                    expected.pop(0)
