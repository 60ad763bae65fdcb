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
from playbook_kit import Background, Client, Sandbox, clients, servers, who_waits
from playbook_kit.commands import Forked
from playbook_kit.errors import PlaybookError
from playbook_kit.scratch import PREFIX, memory_or_disk, run_directory
from playbook_kit.servers import provided

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
    """The address of a server with a prepared database."""
    runner = Forked(fork_server)
    with run_directory() as directory, provided("PostgreSQL", directory, runner) as address:
        yield address


@pytest.fixture
def laptop(socket: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv(servers.told("PostgreSQL"), socket)
    servers.address.cache_clear()
    yield Sandbox(f"laptop-{home.name}", "PostgreSQL")
    servers.address.cache_clear()


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


def test_the_chain_is_measured_with_types_and_their_lengths(laptop: Sandbox) -> None:
    assert laptop.chain().whole
    laptop.rows("alter table library_book alter title type varchar(99)")
    laptop.rows("drop index library_book_title")
    laptop.rows("create table shelf (id integer)")
    assert laptop.chain("library").findings[:2] == [
        "column library_book.title is varchar(99): the recorded migrations make it varchar(200)",
        "index on library_book (title) is missing: the recorded migrations make it",
    ]
    assert "table shelf exists" in laptop.chain()
    left = laptop.rows("select count(*) from pg_database where datname like '%scratch'")
    assert left == [(0,)], "the scratch database is gone"


def test_who_waits_for_whom_is_seen(laptop: Sandbox) -> None:
    report, web = Client(laptop, "report"), Client(laptop, "web")
    report.rows("begin")
    report.rows("select count(*) from library_book")
    migrating = Background(laptop, "python manage.py migrate library 0004")
    assert who_waits(laptop, 1) == [("migrate", "report")]
    page = web.start("select count(*) from library_book")
    assert who_waits(laptop, 2) == [("migrate", "report"), ("web", "migrate")]
    report.close()
    assert "Unapplying library.0005_longer_titles... OK" in migrating.end()
    assert page.result(10) == [(6,)]
    web.close()


def test_a_command_in_the_background_is_held_to_what_is_expected(laptop: Sandbox) -> None:
    with pytest.raises(PlaybookError, match="it succeeds"):
        Background(laptop, "python manage.py migrate library 0099").end()
    Background(laptop, "python manage.py migrate library 0099").end(fails="Cannot find")


def test_a_wait_that_does_not_come_is_an_error(
    laptop: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "DEADLINE", 0.1)
    with pytest.raises(PlaybookError, match="1 wait"):
        who_waits(laptop, 1)


def test_a_client_needs_a_server(home: Path) -> None:
    with pytest.raises(PlaybookError, match="a database of PostgreSQL"):
        Client(Sandbox(f"sqlite-{home.name}"), "web")


def test_the_version_is_that_of_the_server(laptop: Sandbox) -> None:
    assert laptop.rows("show server_version") == [(servers.version("PostgreSQL"),)]


def test_plain_python_starts_a_server_and_leaves_nothing(tmp_path: Path) -> None:
    """Also where the caller's environment names other servers."""
    (tmp_path / "playbook.py").write_text(PLAYBOOK)
    hostile = {"PGHOST": "nowhere.invalid", "PGPORT": "1", "DATABASE_URL": "postgres://x/y"}
    hostile |= {"LC_ALL": "tr_TR.UTF-8", "PGOPTIONS": "--nothing=1"}
    done = subprocess.run(
        [sys.executable, tmp_path / "playbook.py"],
        env={**os.environ, **hostile, "TMPDIR": str(tmp_path), servers.told("PostgreSQL"): ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[(6,)]"
    assert [path.name for path in tmp_path.iterdir()] == ["playbook.py"]
    assert servers_below(tmp_path) == []


def test_plain_python_that_is_killed_politely_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "playbook.py").write_text(f"{PLAYBOOK}import time\ntime.sleep(600)\n")
    running = subprocess.Popen(
        [sys.executable, "-u", tmp_path / "playbook.py"],
        env={**os.environ, "TMPDIR": str(tmp_path), servers.told("PostgreSQL"): ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout
    while running.stdout.readline().strip() != "[(6,)]":
        assert running.poll() is None
    assert servers_below(tmp_path)
    running.terminate()
    running.communicate(timeout=60)
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
