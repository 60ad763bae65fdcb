"""What several tests need: one run of all playbooks, one fork server, playbooks made to measure."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playbook_kit import Sandbox, sandbox
from playbook_kit.batch import absent, run_all, servers
from playbook_kit.cli import ROOT
from playbook_kit.commands import FORK_SERVER, Forked
from playbook_kit.environment import DIRECTORY
from playbook_kit.execution import Failure
from playbook_kit.results import Result
from playbook_kit.scratch import run_directory
from playbook_kit.servers import SERVERS, address, provided, told, why_not
from playbook_kit.source import Playbook, find

# A shell starts what it runs in the background with Ctrl-C ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

Make = Callable[..., Playbook]
EVERY = find(ROOT)
# Those for which this machine has the databases.
PLAYBOOKS = [playbook for playbook in EVERY if not absent(playbook)]


def run_them(
    playbooks: list[Playbook], jobs: int | None = None, runner: str | None = None
) -> list[Result | Failure]:
    """Run playbooks without the cache and without a word."""
    return asyncio.run(run_all(playbooks, jobs, runner, lambda _name, _what: None))


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Result | Failure]:
    """Every playbook of the project, run once, afresh."""
    return {outcome.name: outcome for outcome in run_them(PLAYBOOKS)}


@pytest.fixture(scope="session")
def fork_server() -> Iterator[str]:
    """The path of the socket of a fork server for commands."""
    with run_directory() as directory, servers(directory, None) as (_, commands):
        yield commands


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fork_server: str) -> Iterator[Path]:
    """The folder below which `Sandbox(…)` makes its copies in this test."""
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    monkeypatch.setenv(FORK_SERVER, fork_server)
    sandbox._home.cache_clear()
    yield tmp_path
    sandbox._home.cache_clear()


@pytest.fixture(scope="session")
def addresses(fork_server: str) -> Iterator[dict[str, str]]:
    """A server of each kind that this machine has, with its prepared database: their addresses."""
    runner = Forked(fork_server)
    with run_directory() as directory, ExitStack() as stack:
        yield {
            name: stack.enter_context(provided(name, directory, runner))
            for name in SERVERS
            if not why_not(name)
        }


@pytest.fixture
def sandbox_on(
    addresses: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Sandbox]]:
    """Make a sandbox on the database of this name."""
    for name, at in addresses.items():
        monkeypatch.setenv(told(name), at)
    address.cache_clear()
    yield lambda database: Sandbox(f"laptop-{home.name}", database)
    address.cache_clear()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a playbook like `fixtures/passes.py` with some texts replaced by others."""

    def make(name: str, replace: dict[str, str] | None = None) -> Playbook:
        text = Path(__file__).with_name("fixtures").joinpath("passes.py").read_text()
        for old, new in (replace or {}).items():
            assert text.count(old) == 1, f"{old!r} stands once in the playbook"
            text = text.replace(old, new)
        path = tmp_path / "playbooks" / "conflicts" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return Playbook(path)

    return make
