"""PostgreSQL for sandboxes: a database for each, private, and nothing of it is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playbook_kit import Sandbox, postgres
from playbook_kit.commands import Forked
from playbook_kit.errors import PlaybookError
from playbook_kit.postgres import POSTGRES, prepare, server
from playbook_kit.scratch import PREFIX, memory_or_disk, run_directory
from playbook_kit.template import prepared

PLAYBOOK = """
from playbook_kit import Sandbox
print(Sandbox("laptop", "PostgreSQL").rows("select count(*) from library_book"))
"""
HOLD = """
import sys, time
from playbook_kit.postgres import server
from playbook_kit.scratch import run_directory
with run_directory() as directory, server(directory):
    print(directory, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def socket(fork_server: str) -> Iterator[str]:
    """The folder of the socket of a server with a prepared database."""
    runner = Forked(fork_server)
    with run_directory() as directory, server(directory) as folder:
        prepare(folder, prepared(runner) / "project", directory, runner)
        yield folder


@pytest.fixture
def laptop(socket: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv(POSTGRES, socket)
    postgres.here.cache_clear()
    yield Sandbox(f"laptop-{home.name}", "PostgreSQL")
    postgres.here.cache_clear()


def servers_below(folder: Path) -> list[psutil.Process]:
    """The servers whose data lie in this folder."""
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if f"{folder}/" in " ".join(one.info["cmdline"] or ())]


def test_it_is_migrated_and_seeded(laptop: Sandbox) -> None:
    assert laptop.rows("select version()")[0][0].startswith("PostgreSQL 18")
    assert laptop.rows("select count(*) from library_book") == [(6,)]
    assert laptop.run("python manage.py migrate --check") == ""
    assert not (laptop.path / "db.sqlite3").exists()


def test_a_clone_has_a_database_of_its_own(laptop: Sandbox) -> None:
    other = laptop.clone(f"{laptop.name}-clone")
    other.run("python manage.py migrate library 0003 --verbosity 0")
    assert laptop.rows("select count(*) from library_genre") == [(5,)]
    with pytest.raises(PlaybookError, match="an answer"):
        other.rows("select count(*) from library_genre")


def test_the_chain_says_that_it_measures_sqlite(laptop: Sandbox) -> None:
    with pytest.raises(PlaybookError, match="a database of SQLite"):
        laptop.chain()


def test_the_version_is_that_of_the_server(laptop: Sandbox) -> None:
    assert laptop.rows("show server_version") == [(postgres.version(),)]


def test_plain_python_starts_a_server_and_leaves_nothing(tmp_path: Path) -> None:
    """Also where the caller's environment names other servers."""
    (tmp_path / "playbook.py").write_text(PLAYBOOK)
    hostile = {"PGHOST": "nowhere.invalid", "PGPORT": "1", "DATABASE_URL": "postgres://x/y"}
    hostile |= {"LC_ALL": "tr_TR.UTF-8", "PGOPTIONS": "--nothing=1"}
    done = subprocess.run(
        [sys.executable, tmp_path / "playbook.py"],
        env={**os.environ, **hostile, "TMPDIR": str(tmp_path), POSTGRES: ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[(6,)]"
    assert [path.name for path in tmp_path.iterdir()] == ["playbook.py"]
    assert servers_below(tmp_path) == []


def test_the_server_of_a_killed_run_ends_with_the_next_run() -> None:
    holding = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert holding.stdout
    directory = Path(holding.stdout.readline().strip())
    (started,) = [one for one in servers_below(directory) if one.parent() != holding]
    holding.kill()
    holding.communicate()
    assert started.is_running()
    with run_directory():
        pass
    assert not started.is_running()
    assert servers_below(directory) == []
    assert not directory.exists()
    assert directory.name.startswith(PREFIX)
    assert directory.parent == memory_or_disk()


def test_the_record_names_the_version() -> None:
    record = json.loads((Path(__file__).parents[1] / "docs/playbooks/recorded.json").read_text())
    assert {made["postgresql"] for made in record.values()} != {"none"}
