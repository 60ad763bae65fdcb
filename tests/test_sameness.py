"""The same bytes: through both runners, in any order, at any parallelism, under each Python, and
whatever the environment of the caller says.

Each playbook is run in one of these ways, beside the run that all tests share; with the variable
`EVERY_WAY` set, each in all of them, which takes five times as long."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import PLAYBOOKS, run_them
from playbook_kit import site_files
from playbook_kit.execution import Failure
from playbook_kit.results import Result
from playbook_kit.site_files import Site
from playbook_kit.source import Playbook
from playbook_kit.template import CACHE, REPOSITORY

SITE = Site(REPOSITORY)
Outcomes = dict[str, Result | Failure]
SOURCES = {playbook.name: playbook.path.read_text() for playbook in PLAYBOOKS}
COPIED = ("docs", "playbooks", "sandbox_project", "mkdocs.yml", "pyproject.toml", "README.md")
HERE = sys.version_info[:2]
# In turn, one to a playbook; plain subprocesses, which take five times as long, come up less often.
WAYS = ("subprocess", *("reversed", "hostile", "3.11", "3.12", "3.13") * 2)


def share(way: str) -> list[Playbook]:
    """The playbooks that are run in this way, of every family some."""
    if os.environ.get("EVERY_WAY"):
        return PLAYBOOKS
    here = ".".join(map(str, HERE))
    turns = itertools.cycle([other for other in WAYS if other != here])
    return [playbook for playbook, turn in zip(PLAYBOOKS, turns, strict=False) if turn == way]


def expected_of(way: str, outcomes: Outcomes) -> dict[str, str]:
    """The generated files of this way's share, by path, as the shared run made them."""
    playbooks = share(way)
    pages = pages_of([outcomes[playbook.name] for playbook in playbooks])
    assert len(pages) == 3 * len(playbooks) > 0
    return pages


def pages_of(outcomes: list[Result | Failure]) -> dict[str, str]:
    """Every generated file by its path; the failure itself where there is one."""
    pages: dict[str, str] = {}
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            pages[outcome.name] = str(outcome)
        else:
            files = site_files.page_files(SITE, outcome, SOURCES[outcome.name])
            pages |= {str(path.relative_to(REPOSITORY)): text for path, text in files.items()}
    return pages


def assert_same(pages: dict[str, str], expected: dict[str, str]) -> None:
    assert sorted(pages) == sorted(expected)
    for path, text in pages.items():
        assert text == expected[path], path


def test_each_playbook_is_run_in_a_second_way() -> None:
    run = {playbook.name for way in set(WAYS) for playbook in share(way)}
    assert run == {playbook.name for playbook in PLAYBOOKS}


def test_a_plain_subprocess_gives_what_the_fork_server_gives(outcomes: Outcomes) -> None:
    pages = pages_of(run_them(share("subprocess"), runner="subprocess"))
    assert_same(pages, expected_of("subprocess", outcomes))


def test_one_at_a_time_and_in_reverse_gives_the_same(outcomes: Outcomes) -> None:
    pages = pages_of(run_them(share("reversed")[::-1], jobs=1))
    assert_same(pages, expected_of("reversed", outcomes))


def test_two_at_a_time_under_a_hostile_environment_gives_the_same(
    outcomes: Outcomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "precious.sqlite3"
    database.write_bytes(b"not to be touched")
    hostile = {
        "DJANGO_SETTINGS_MODULE": "nowhere.settings",
        "DATABASE_URL": f"sqlite:///{database}",
        "PGHOST": "nowhere.invalid",
        "PGPORT": "1",
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "django.py"),
        "GIT_DIR": str(tmp_path / "nowhere.git"),
        "GIT_AUTHOR_NAME": "Nobody",
        "LANG": "tr_TR.UTF-8",
        "TZ": "Asia/Tokyo",
        "COLUMNS": "30",
        "FORCE_COLOR": "1",
    }
    # First on a path, it would be imported in place of Django.
    (tmp_path / "django.py").write_text("raise SystemExit('the wrong Django')\n")
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    pages = pages_of(run_them(share("hostile"), jobs=2))
    assert_same(pages, expected_of("hostile", outcomes))
    assert database.read_bytes() == b"not to be touched"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_another_python_gives_the_same(version: str, outcomes: Outcomes) -> None:
    """With the pinned Django, in a copy of this repository and a virtual environment of its own."""
    if tuple(map(int, version.split("."))) == HERE:
        pytest.skip(f"Python {version} is the one that runs these tests")
    interpreter = find_python(version)
    if interpreter is None:
        pytest.skip(f"there is no Python {version} on this machine")
    home = CACHE / "pythons" / version
    python = environment(interpreter, home)
    for name in COPIED:
        source, target = REPOSITORY / name, home / "copy" / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, target)
    site = Site(home / "copy")
    record = (site.pages / site_files.RECORD).read_text()
    shutil.rmtree(site.pages)
    site.pages.mkdir()
    (site.pages / site_files.RECORD).write_text(record)  # the dates are those of the record
    command = [str(python), "-m", "pip", "install", "-q", "--no-deps", "-e", str(home / "copy")]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    names = [playbook.name for playbook in share(version)]
    done = subprocess.run(
        [python.with_name("playbooks"), "run", *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads((site.pages / site_files.RECORD).read_text())
    assert {made[name]["python"].rpartition(".")[0] for name in names} == {version}
    for path, text in expected_of(version, outcomes).items():
        assert (home / "copy" / path).read_text() == text, path


def find_python(version: str) -> str | None:
    """An interpreter of this version that starts: on PATH, or installed by pyenv."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [f"python{version}", *root.glob(f"versions/{version}.*/bin/python")]
    for candidate in candidates:
        try:
            subprocess.run([candidate, "-c", "import sqlite3"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return str(candidate)
    return None


def environment(interpreter: str, home: Path) -> Path:
    """A virtual environment with the kit's locked dependencies; kept until the lock changes."""
    lock = (REPOSITORY / "requirements.lock").read_text()
    state = hashlib.sha256((lock + interpreter).encode()).hexdigest()
    python, stamp = home / "venv" / "bin" / "python", home / "state"
    shutil.rmtree(home / "copy", ignore_errors=True)
    if not stamp.exists() or stamp.read_text() != state:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        pins = re.findall(r"^([\w.-]+==[^\\\n]+)", lock, re.MULTILINE)
        (home / "constraints.txt").write_text("\n".join(pins))
        subprocess.run([interpreter, "-m", "venv", str(home / "venv")], check=True)
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
        wanted = project["dependencies"] + project["optional-dependencies"]["sandbox"]
        command = [python, "-m", "pip", "install", "-q", "-c", str(home / "constraints.txt")]
        subprocess.run([*command, *wanted], check=True, stdin=subprocess.DEVNULL)
        stamp.write_text(state)
    (home / "copy").mkdir()
    return python
