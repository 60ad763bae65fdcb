"""Many playbooks at once, each in its own kernel and directory, over one pair of fork servers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import template
from .commands import Forked, Subprocess
from .environment import frozen
from .execution import Failure, Job, run
from .postgres import prepare, server
from .progress import Tell
from .results import Result
from .scratch import run_directory
from .source import Playbook

CAN_FORK = hasattr(os, "fork")


async def run_all(
    playbooks: list[Playbook], jobs: int | None, runner: str | None, tell: Tell
) -> list[Result | Failure]:
    """Run these, `jobs` at a time; outcomes in the order in which they were given.

    More than cores pays, because kernels wait: one more by default. Stopped by SIGINT or SIGTERM
    it leaves no process and no directory.
    """
    _stop_on_terminate()
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(run_directory())
        kernels, commands = stack.enter_context(servers(directory, runner))
        start = Forked(commands) if commands else Subprocess()
        project = template.prepared(start) / "project"
        postgres = ""
        if any("PostgreSQL" in playbook.needs() for playbook in playbooks):
            postgres = stack.enter_context(server(directory))
            prepare(postgres, project, directory, start)
        free = asyncio.Semaphore(jobs or (os.cpu_count() or 1) + 1)

        async def one(playbook: Playbook) -> Result | Failure:
            async with free:
                tell(playbook.name, "runs")
                home = directory / playbook.name
                home.mkdir()
                try:
                    outcome = await run(playbook, Job(home, kernels, commands, postgres))
                finally:
                    shutil.rmtree(home, ignore_errors=True)
                tell(playbook.name, "passed" if isinstance(outcome, Result) else "failed")
                return outcome

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(playbook)) for playbook in playbooks]
    return [task.result() for task in tasks]


@contextmanager
def servers(directory: Path, runner: str | None) -> Iterator[tuple[str, str]]:
    """Start what kernels and commands are forked from; yield the paths of the two sockets.

    A path is empty where the system cannot fork, and that for commands with
    `runner="subprocess"`: kernels are forked all the same.
    """
    kernels = commands = ""
    with contextlib.ExitStack() as stack:
        if CAN_FORK:
            from .forkclient import ForkServer

            def start(preload: str) -> str:
                server = ForkServer.start(directory, preload, frozen(directory))
                return str(stack.enter_context(server).path)

            kernels = start("kernel")
            commands = start("django") if runner != "subprocess" else ""
        yield kernels, commands


def _stop_on_terminate() -> None:
    task = asyncio.current_task()
    if task and CAN_FORK:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
