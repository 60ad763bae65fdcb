"""Notebooks are executed in kernels: forked or plain, one or several at once."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from forking import GUARD, execute, files_of_kernels, notebook, runs, shown
from nbclient import NotebookClient
from playbook_kit.forkclient import ForkServer
from playbook_kit.kernels import PlaybookKernelManager
from traitlets.config import Config

pytest_plugins = ["forking_fixtures"]


@pytest.mark.parametrize("forked", [True, False])
def test_cells_are_executed_in_the_directory_with_the_environment(
    forked: bool, place: Path, env: dict[str, str], kernels: ForkServer
) -> None:
    book = notebook(
        "import os; os.getcwd()",
        "print(os.environ['LC_ALL'], os.environ['GIVEN'], 'USER' in os.environ)",
        "print('a', flush=True); print('b')",
        "'last ' + 'value'",
        "import sys; '' in sys.path, str(__import__('playbook_kit').__name__)",
        "os.getsid(0) == os.getpid(), hash('text')",
    )
    server = kernels.path if forked else None
    output = asyncio.run(execute(book, place, server=server, env=env | {"GIVEN": "1"}))
    assert output[:5] == [
        repr(str(place)),
        "C.UTF-8 1 False\n",
        "a\nb\n",
        "'last value'",
        "(True, 'playbook_kit')",
    ]
    assert output[5].startswith("(True, ")
    assert files_of_kernels(place) == []


def test_without_an_environment_the_kernel_gets_the_frozen_one(
    place: Path, kernels: ForkServer
) -> None:
    book = notebook("import os; os.environ['HOME']")
    assert asyncio.run(execute(book, place, server=str(kernels.path))) == [repr(str(place))]


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
@pytest.mark.parametrize("forked", [True, False])
def test_nbclient_executes_a_notebook_with_the_manager(
    forked: bool,
    transport: str,
    place: Path,
    env: dict[str, str],
    kernels: ForkServer,
    tmp_path: Path,
) -> None:
    with tempfile.TemporaryDirectory(dir=place, prefix="nb-") as directory:
        options = {
            "directory": directory,
            "server": str(kernels.path) if forked else "",
            "environment": env,
            "transport": transport,
        }
        client = NotebookClient(
            notebook("6 * 7"),
            config=Config(PlaybookKernelManager=options),
            kernel_manager_class=PlaybookKernelManager,
            resources={"metadata": {"path": str(tmp_path)}},
            timeout=GUARD,
        )
        book = asyncio.run(client.async_execute())
        assert shown(book.cells[0]) == "42"
        left = {path.name for path in Path(directory).iterdir()}
        assert left == {"ipython", "kernels.log"}


def test_a_kernel_reads_no_history_and_no_configuration_of_the_user(
    place: Path, env: dict[str, str], kernels: ForkServer, tmp_path: Path
) -> None:
    startup = tmp_path / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "always.py").write_text("smuggled = 1")
    book = notebook("'smuggled' in globals(), get_ipython().history_manager.enabled")
    home = env | {"HOME": str(tmp_path)}
    assert asyncio.run(execute(book, place, server=kernels.path, env=home)) == ["(False, False)"]


def test_four_at_once_do_not_meet(place: Path, env: dict[str, str], kernels: ForkServer) -> None:
    async def all_of_them() -> list[list[str]]:
        books = [notebook(f"x = {n}", "import os; print(os.getpid())", "x") for n in range(4)]
        for book in books:
            del book.cells[0].outputs[:]
            book.cells[0].source += "; x"
        return await asyncio.gather(
            *(execute(book, place, server=kernels.path, env=env) for book in books)
        )

    outputs = asyncio.run(all_of_them())
    assert [output[2] for output in outputs] == ["0", "1", "2", "3"]
    pids = {int(output[1]) for output in outputs}
    assert len(pids) == 4
    assert not any(map(runs, pids))
    assert files_of_kernels(place) == []


def test_a_kernel_that_cannot_start_says_why(
    place: Path, env: dict[str, str], kernels: ForkServer
) -> None:
    book = notebook("1")
    with pytest.raises(RuntimeError, match="did not start: PYTHONHASHSEED counts when"):
        asyncio.run(execute(book, place, server=kernels.path, env=env | {"PYTHONHASHSEED": "1"}))
    with pytest.raises(FileNotFoundError, match=r"no directory .*/nosuch"):
        asyncio.run(execute(book, place / "nosuch", server=kernels.path, env=env))
    assert files_of_kernels(place) == []
