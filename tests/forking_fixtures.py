"""Fork servers, for the test modules that name this plugin."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playbook_kit.environment import frozen
from playbook_kit.forkclient import ForkServer


@pytest.fixture(scope="session")
def env() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="home-") as home:
        yield frozen(Path(home))


@pytest.fixture(scope="session")
def server(env: dict[str, str]) -> Iterator[ForkServer]:
    with (
        tempfile.TemporaryDirectory(prefix="pb-") as directory,
        ForkServer.start(directory, "django", env) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A directory with a short name: for the sockets, and to work in."""
    with tempfile.TemporaryDirectory(prefix="pb-", ignore_cleanup_errors=True) as directory:
        yield Path(directory).resolve()


@pytest.fixture(scope="session")
def kernels(place: Path, env: dict[str, str]) -> Iterator[ForkServer]:
    with ForkServer.start(place, "kernel", env) as server:
        yield server
