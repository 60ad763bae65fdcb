"""However a kernel ends: neither it nor anything that it has started is left."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from forking import FAMILY, GUARD, execute, files_of_kernels, notebook, runs, shown, until
from nbclient.exceptions import CellExecutionError, DeadKernelError
from playbook_kit.forkclient import ForkServer
from playbook_kit.kernels import executing, reap

pytest_plugins = ["forking_fixtures"]

WITH_FAMILY = f"import os; print(os.getpid())\n{FAMILY}"


@pytest.mark.parametrize("forked", [True, False])
def test_a_kernel_that_is_killed_is_an_error_and_leaves_nothing(
    forked: bool, place: Path, env: dict[str, str], kernels: ForkServer
) -> None:
    book = notebook(WITH_FAMILY, "import signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(DeadKernelError, match="Kernel died"):
        asyncio.run(execute(book, place, server=kernels.path if forked else None, env=env))
    assert not any(runs(int(pid)) for pid in shown(book.cells[0]).split())
    assert files_of_kernels(place) == []


@pytest.mark.parametrize("forked", [True, False])
def test_what_a_kernel_has_started_ends_with_it(
    forked: bool, place: Path, env: dict[str, str], kernels: ForkServer
) -> None:
    book = notebook(WITH_FAMILY)
    server = kernels.path if forked else None
    [pids] = asyncio.run(execute(book, place, server=server, env=env))
    assert len(pids.split()) == 3
    assert not any(runs(int(pid)) for pid in pids.split())


def test_a_cell_that_fails_is_an_error_and_the_kernel_ends(
    place: Path, env: dict[str, str], kernels: ForkServer
) -> None:
    book = notebook(WITH_FAMILY, "1 / 0")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        asyncio.run(execute(book, place, server=kernels.path, env=env))
    assert not any(runs(int(pid)) for pid in shown(book.cells[0]).split())


def test_a_run_that_is_cancelled_leaves_no_kernel(
    place: Path, env: dict[str, str], kernels: ForkServer
) -> None:
    book = notebook(WITH_FAMILY, "open('busy', 'w').close(); import time; time.sleep(600)")

    async def cancelled() -> None:
        task = asyncio.create_task(execute(book, place, server=kernels.path, env=env))
        while not (place / "busy").exists():
            assert not task.done()
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert not any(runs(int(pid)) for pid in shown(book.cells[0]).split())
    assert files_of_kernels(place) == []


def test_when_the_server_is_killed_its_kernels_end_and_say_so(
    place: Path, env: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory(dir=place, prefix="s-") as directory:
        with ForkServer.start(directory, "kernel", env) as server:
            kill = f"os.kill({server.process.pid}, 9); import time; time.sleep(600)"
            book = notebook(WITH_FAMILY, kill)
            with pytest.raises(DeadKernelError):
                asyncio.run(execute(book, place, server=server.path, env=env))
        assert not any(runs(int(pid)) for pid in shown(book.cells[0]).split())


def test_when_client_and_server_are_killed_the_kernel_ends_by_itself(
    place: Path, env: dict[str, str]
) -> None:
    async def orphaned(server: ForkServer) -> int:
        book = notebook("import os; os.getpid()")
        async with executing(book, place, GUARD, server=server.path, env=env) as client:
            await client.async_execute_cell(book.cells[0], 0)
            pid = int(shown(book.cells[0]))
            # As if this process were gone: nobody listens when the server dies.
            assert client.km is not None
            provisioner: Any = client.km.provisioner
            provisioner._listener.cancel()
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
            while runs(pid):
                await asyncio.sleep(0.01)
            provisioner._code = 0
        return pid

    with tempfile.TemporaryDirectory(dir=place, prefix="s-") as directory:
        with ForkServer.start(directory, "kernel", env) as server:
            pid = asyncio.run(asyncio.wait_for(orphaned(server), GUARD))
        until(lambda: not runs(pid))


def test_a_kernel_can_be_asked_to_end(
    place: Path, env: dict[str, str], kernels: ForkServer
) -> None:
    async def politely() -> tuple[int, Any]:
        book = notebook("import os; os.getpid()")
        async with executing(book, place, GUARD, server=kernels.path, env=env) as client:
            await client.async_execute_cell(book.cells[0], 0)
            manager: Any = client.km
            await manager.shutdown_kernel(now=False)
            return int(shown(book.cells[0])), await manager.provisioner.poll()

    pid, code = asyncio.run(politely())
    assert code == 0
    assert not runs(pid)


def test_reap_refuses_to_kill_the_session_of_its_caller() -> None:
    with pytest.raises(ValueError, match="is the caller's own"):
        reap(os.getsid(0))


def test_a_run_that_is_cancelled_while_its_kernel_starts_leaves_none(
    place: Path, env: dict[str, str], kernels: ForkServer
) -> None:
    async def cancelled(turns: int) -> None:
        book = notebook("import time; time.sleep(600)")
        task = asyncio.create_task(execute(book, place, server=kernels.path, env=env))
        for _ in range(turns):
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for turns in range(0, 40, 4):
        asyncio.run(cancelled(turns))
        assert files_of_kernels(place) == []
    server = psutil.Process(kernels.process.pid)
    until(lambda: server.children(recursive=True) == [])
