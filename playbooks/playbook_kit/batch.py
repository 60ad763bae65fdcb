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
from .progress import Tell
from .results import Result
from .scratch import run_directory
from .servers import SERVERS, provided, why_not
from .source import Playbook

CAN_FORK = hasattr(os, "fork")


def absent(playbook: Playbook) -> str:
    """What this playbook needs and this machine does not have; empty where it can run."""
    reasons = {database: why_not(database) for database in playbook.needs()}
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)


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
        template.prepared(start)
        needed = {database for playbook in playbooks for database in playbook.needs()}
        addresses = {
            database: stack.enter_context(provided(database, directory, start))
            for database in SERVERS
            if database in needed
        }
        free = asyncio.Semaphore(jobs or (os.cpu_count() or 1) + 1)

        async def one(playbook: Playbook) -> Result | Failure:
            async with free:
                tell(playbook.name, "runs")
                home = directory / playbook.name
                home.mkdir()
                try:
                    outcome = await run(playbook, Job(home, kernels, commands, addresses))
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
