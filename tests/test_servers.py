"""Servers: a database for each sandbox, private, and nothing of it is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playbook_kit import Client, Sandbox, postgres, servers, who_waits
from playbook_kit.cli import ROOT, main
from playbook_kit.commands import Forked
from playbook_kit.errors import PlaybookError, ServerError
from playbook_kit.pgbouncer import past
from playbook_kit.scratch import PREFIX, memory_or_disk, run_directory
from playbook_kit.servers import SERVERS, lent, name_in, provided, told
from playbook_kit.template import PROJECT, REPOSITORY

Place = Callable[[str], Sandbox]
PLAYBOOK = """
import sys
from playbook_kit import Sandbox
print(Sandbox("laptop", sys.argv[1]).rows("select count(*) from library_book"))
"""
HOLD = """
import sys, time
from playbook_kit.scratch import run_directory
from playbook_kit.servers import SERVERS
with run_directory() as directory, SERVERS[sys.argv[1]].server(directory):
    print(directory, flush=True)
    time.sleep(600)
"""
HERE = [
    pytest.param(name, marks=pytest.mark.skipif(bool(reason), reason=reason))
    for name, reason in ((name, servers.why_not(name)) for name in SERVERS)
]
each_server = pytest.mark.parametrize("database", HERE)
each_that_can_be_lent = pytest.mark.parametrize("database", HERE[:2])


def servers_below(folder: Path) -> list[psutil.Process]:
    """The servers whose data lie in this folder."""
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if f"{folder}/" in " ".join(one.info["cmdline"] or ())]


def test_the_library_finds_the_programs_of_the_callers_path(tmp_path: Path) -> None:
    """As root it calls `useradd`, which stands in a folder that Python's default path lacks."""
    with postgres._environment(tmp_path):
        inside = os.environ["PATH"]
    assert inside.endswith(os.environ["PATH"])


def environment(**more: str) -> dict[str, str]:
    """The environment of a reader who lends no server."""
    ours = [name(database) for name in (told, lent) for database in SERVERS]
    return {k: v for k, v in os.environ.items() if k not in ours} | more


@each_server
def test_it_is_migrated_and_seeded(database: str, sandbox_on: Place) -> None:
    laptop = sandbox_on(database)
    assert laptop.rows("select count(*) from library_book") == [(6,)]
    assert laptop.run("python manage.py migrate --check") == ""
    assert not (laptop.path / "db.sqlite3").exists()


@each_server
def test_the_version_is_that_of_the_server(database: str, sandbox_on: Place) -> None:
    laptop = sandbox_on(database)
    if database == "PgBouncer":
        said = laptop.run('psql --port 6432 pgbouncer -c "show version"')
    else:
        (said,) = laptop.rows("select version()")[0]
    assert servers.version(database) in said


@each_server
def test_a_clone_has_a_database_of_its_own(database: str, sandbox_on: Place) -> None:
    laptop = sandbox_on(database)
    other = laptop.clone(f"{laptop.name}-clone")
    other.run("python manage.py migrate library 0003 --verbosity 0")
    assert laptop.rows("select count(*) from library_genre") == [(5,)]
    with pytest.raises(PlaybookError, match="an answer"):
        other.rows("select count(*) from library_genre")


@each_server
def test_the_chain_is_measured_with_types_and_their_lengths(
    database: str, sandbox_on: Place
) -> None:
    laptop = sandbox_on(database)
    assert laptop.chain().whole
    alter = "modify title" if database == "MariaDB" else "alter title type"
    laptop.rows(f"alter table library_book {alter} varchar(99)")
    laptop.rows("create table shelf (id integer)")
    assert laptop.chain("library").findings[:1] == [
        "column library_book.title is varchar(99): the recorded migrations make it varchar(200)",
    ]
    assert "table shelf exists" in laptop.chain()
    left = laptop.rows("select schema_name from information_schema.schemata")
    assert not [name for (name,) in left if "scratch" in name], "the scratch database is gone"


@pytest.mark.parametrize(
    ("database", "copy", "back"),
    [
        pytest.param(
            "PostgreSQL",
            "pg_dump --format custom library > ../before.dump",
            "dropdb library && createdb library && pg_restore --dbname library ../before.dump",
        ),
        pytest.param(
            *HERE[1].values,
            "mariadb-dump library > ../before.sql",
            "cat ../before.sql | mariadb library",
            marks=HERE[1].marks,
        ),
        pytest.param(
            *HERE[2].values,
            "pg_dump --format custom library > ../before.dump",
            "dropdb --force library && createdb library"
            " && pg_restore --dbname library ../before.dump",
            marks=HERE[2].marks,
        ),
    ],
)
def test_programs_of_the_database_work_on_the_database_of_the_sandbox(
    database: str, copy: str, back: str, sandbox_on: Place
) -> None:
    laptop = sandbox_on(database)
    laptop.run(copy)
    laptop.rows("delete from lending_loan")
    laptop.run(back)
    assert laptop.rows("select count(*) from lending_loan") != [(0,)]
    assert laptop.chain().whole


def test_an_error_names_the_database_as_the_playbook_does(sandbox_on: Place) -> None:
    laptop = sandbox_on("PostgreSQL")
    laptop.run("dropdb library")
    said = laptop.run("python manage.py migrate", fails='database "library" does not exist')
    assert name_in(laptop.url) not in said
    laptop.run("dropdb library", fails='database "library" does not exist')


def test_a_program_that_the_kit_does_not_run_is_named(sandbox_on: Place) -> None:
    with pytest.raises(ValueError, match=r"programs of the sandbox's database, not 'vacuumdb'"):
        sandbox_on("PostgreSQL").run("vacuumdb library")


@each_server
def test_plain_python_starts_a_server_and_leaves_nothing(database: str, tmp_path: Path) -> None:
    """Also where the caller's environment names other servers."""
    (tmp_path / "playbook.py").write_text(PLAYBOOK)
    hostile = {"PGHOST": "nowhere.invalid", "PGPORT": "1", "DATABASE_URL": "postgres://x/y"}
    hostile |= {"LC_ALL": "tr_TR.UTF-8", "PGOPTIONS": "--nothing=1", "MYSQL_HOST": "nowhere"}
    done = subprocess.run(
        [sys.executable, tmp_path / "playbook.py", database],
        env=environment(TMPDIR=str(tmp_path), **hostile),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[(6,)]"
    assert [path.name for path in tmp_path.iterdir()] == ["playbook.py"]
    assert servers_below(tmp_path) == []


@each_server
def test_plain_python_that_is_killed_politely_leaves_nothing(database: str, tmp_path: Path) -> None:
    (tmp_path / "playbook.py").write_text(f"{PLAYBOOK}import time\ntime.sleep(600)\n")
    running = subprocess.Popen(
        [sys.executable, "-u", tmp_path / "playbook.py", database],
        env=environment(TMPDIR=str(tmp_path)),
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


@each_server
def test_the_server_of_a_killed_run_ends_with_the_next_run(database: str) -> None:
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLD, database], stdout=subprocess.PIPE, text=True
    )
    assert holding.stdout
    directory = Path(holding.stdout.readline().strip())
    started = [one for one in servers_below(directory) if one.pid != holding.pid]
    holding.kill()
    holding.communicate()
    assert started[0].is_running()
    with run_directory():
        pass
    assert not started[0].is_running()
    assert servers_below(directory) == []
    assert not directory.exists()
    assert directory.name.startswith(PREFIX)
    assert directory.parent == memory_or_disk()


@each_server
def test_a_server_that_is_killed_during_a_playbook_is_told_and_leaves_nothing(
    database: str, fork_server: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Forked(fork_server)
    with run_directory() as directory:
        with provided(database, directory, runner) as at:
            monkeypatch.setenv(told(database), at)
            servers.address.cache_clear()
            laptop = Sandbox(f"laptop-{home.name}", database)
            for process in servers_below(directory):
                with contextlib.suppress(psutil.NoSuchProcess):  # it ended with another one
                    process.kill()
            psutil.wait_procs(servers_below(directory))
            with pytest.raises(PlaybookError, match=r"(?s)it succeeds.*OperationalError"):
                laptop.run("python manage.py migrate")
        servers.address.cache_clear()
        assert servers_below(directory) == []
    assert not directory.exists()


@each_server
def test_a_folder_that_cannot_be_written_is_told(database: str) -> None:
    """Read-only for root too."""
    with (
        pytest.raises(ServerError, match=f"{database} cannot"),
        SERVERS[database].server(Path("/proc/self/fdinfo")),
    ):
        pass


@each_server
def test_a_long_path_is_no_obstacle_or_told(database: str, fork_server: str) -> None:
    """A socket's path has at most some hundred characters."""
    with run_directory() as directory:
        deep = directory / ("long" * 30)
        deep.mkdir()
        told_so = pytest.raises(ServerError, match=f"{database} cannot|{database} does not start")
        fits = told_so if database == "MariaDB" else contextlib.nullcontext()
        with fits, provided(database, deep, Forked(fork_server)) as at:
            assert at
        assert servers_below(directory) == []


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that an ordinary user may write, with a copy of what a playbook needs."""
    if os.geteuid() != 0:
        pytest.skip("these tests run as an ordinary user already")
    folder = Path(tempfile.mkdtemp(prefix="s"))
    shutil.copytree(ROOT / "playbook_kit", folder / "playbooks" / "playbook_kit")
    shutil.copytree(PROJECT, folder / PROJECT.name)
    (folder / "playbook.py").write_text(PLAYBOOK)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, "nobody")
    yield folder
    shutil.rmtree(folder)


def python_of(user: str, folder: Path) -> Path:
    """A virtual environment's interpreter that this user may start, with what is installed here."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "venv" / "bin" / "python"
    packages = folder / "venv" / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    python.parent.mkdir()
    paths = f"{folder / 'playbooks'}\n{sysconfig.get_path('purelib')}\n"
    (packages / "installed.pth").write_text(paths)
    for base in (Path(sys.executable).resolve(), Path(f"/usr/bin/{version}")):
        (folder / "venv" / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
        python.unlink(missing_ok=True)
        python.symlink_to(base)
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            ask = [python, "-c", "import django, psycopg, pymysql"]
            subprocess.run(ask, user=user, check=True, capture_output=True)
            return python
    pytest.skip(f"no {version} that an ordinary user may start")


@each_server
def test_an_ordinary_user_can_run_it(database: str, nobody: Path) -> None:
    """Root is who runs all other tests where this one is not skipped."""
    scratch = nobody / "t"
    scratch.mkdir()
    shutil.chown(scratch, "nobody")
    done = subprocess.run(
        [python_of("nobody", nobody), nobody / "playbook.py", database],
        env=environment(TMPDIR=str(scratch), HOME=str(nobody)),
        user="nobody",
        group=pwd.getpwnam("nobody").pw_gid,
        cwd=nobody,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[(6,)]"
    assert list(scratch.iterdir()) == []


@each_server
def test_two_runs_at_once_do_not_meet(database: str, tmp_path: Path) -> None:
    (tmp_path / "playbook.py").write_text(
        f"{PLAYBOOK}Sandbox('second', sys.argv[1]).rows('delete from lending_loan')\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, tmp_path / "playbook.py", database],
            env=environment(TMPDIR=str(tmp_path)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for one in running:
        out, err = one.communicate(timeout=300)
        assert one.returncode == 0, err
        assert "[(6,)]" in out.splitlines()
    assert [path.name for path in tmp_path.iterdir()] == ["playbook.py"]
    assert servers_below(tmp_path) == []


@pytest.fixture
def lent_server(
    addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], str]:
    """Lend the server of this kind, with a database of this name; return its address."""

    def lend(database: str, name: str) -> str:
        monkeypatch.setenv(lent(database), addresses[database] + name)
        return addresses[database]

    return lend


@each_that_can_be_lent
def test_a_lent_server_is_used_and_is_as_before(
    database: str,
    lent_server: Callable[[str, str], str],
    fork_server: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = lent_server(database, "my_throw_away")
    assert servers.version(database) == SERVERS[database].version()
    with provided(database, home, Forked(fork_server)) as at:
        assert at.startswith(own)
        monkeypatch.setenv(told(database), at)
        servers.address.cache_clear()
        laptop = Sandbox(f"lent-{home.name}", database)
        assert laptop.rows("select count(*) from library_book") == [(6,)]
        begin = name_in(at)
        names = laptop.rows(
            "select datname from pg_database" if database == "PostgreSQL" else "show databases"
        )
        assert len([name for (name,) in names if name.startswith(begin)]) == 2
    assert list(home.glob("postgres*")) == list(home.glob(".mariadb*")) == [], "none was started"
    monkeypatch.delenv(lent(database))
    monkeypatch.setenv(told(database), own)
    servers.address.cache_clear()
    look = Sandbox(f"look-{home.name}", database)
    names = look.rows(
        "select datname from pg_database" if database == "PostgreSQL" else "show databases"
    )
    assert not [name for (name,) in names if name.startswith(begin)]
    servers.address.cache_clear()


@each_that_can_be_lent
def test_a_lent_server_is_refused_unless_its_database_may_be_lost(
    database: str,
    lent_server: Callable[[str, str], str],
    fork_server: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lent_server(database, "production")
    with (
        pytest.raises(ServerError, match="'production'"),
        provided(database, tmp_path, Forked(fork_server)),
    ):
        pass
    servers_version = servers.version
    with pytest.raises(SystemExit) as ended:
        versions_forgotten(lambda: main(["run", "two_leaf_nodes", "--check"]))
    assert ended.value.code == 1
    assert "they take one only if that name says so" in " ".join(capsys.readouterr().err.split())
    assert servers_version is servers.version


@pytest.mark.parametrize("database", HERE[2:])
def test_a_pooler_that_is_lent_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lent(database), "postgres://postgres@nowhere.invalid:6432/throwaway")
    with pytest.raises(ServerError, match="of their own"):
        servers.version(database)


@pytest.mark.parametrize("database", HERE[2:])
def test_clients_of_a_pooler_share_a_session_and_who_waits_is_seen(
    database: str, sandbox_on: Place
) -> None:
    laptop = sandbox_on(database)
    web, other = Client(laptop, "web"), Client(laptop, "other")
    web.rows("set lock_timeout = '10min'")
    assert other.rows("show lock_timeout") == [("10min",)]
    assert "10min" not in laptop.run('psql library -c "show lock_timeout"'), "past the pooler"
    pooled, laptop.url = laptop.url, past(laptop.url)
    report = Client(laptop, "report")
    report.rows("begin; lock table library_book")
    laptop.url = pooled
    page = web.start("select count(*) from library_book")
    assert who_waits(laptop, 1) == [("web", "report")]
    report.close()
    assert page.result(10) == [(6,)]
    web.close()
    other.close()


def versions_forgotten(act: Callable[[], object]) -> None:
    """Do it in a process that has not asked for the versions yet."""
    from playbook_kit import versions

    versions.versions.cache_clear()
    try:
        act()
    finally:
        versions.versions.cache_clear()


def test_the_record_names_the_versions() -> None:
    record = json.loads((REPOSITORY / "docs/playbooks/recorded.json").read_text())
    for key in ("postgresql", "mariadb", "pgbouncer"):
        assert {made[key] for made in record.values()} != {"none"}
