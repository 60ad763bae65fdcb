"""The truth rules of the project, held against every playbook there is."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from conftest import EVERY, PLAYBOOKS, Make
from playbook_kit import site_files
from playbook_kit.batch import absent, servers
from playbook_kit.cli import ROOT
from playbook_kit.commands import Forked
from playbook_kit.databases import DATABASES
from playbook_kit.execution import Failure, Job
from playbook_kit.results import Result
from playbook_kit.rules import broken_promises
from playbook_kit.scratch import run_directory
from playbook_kit.servers import SERVERS, provided, why_not
from playbook_kit.site_files import Site
from playbook_kit.source import Playbook
from playbook_kit.template import REPOSITORY
from playbook_kit.versions import versions

SITE = Site(REPOSITORY)
NAMES = [playbook.name for playbook in PLAYBOOKS]
TEXT_MODULES = {"functools", "json", "re", "textwrap"}
LEAVING_OUT = Path(__file__).with_name("leaving_out.py")


def result_of(name: str, outcomes: dict[str, Result | Failure]) -> Result:
    outcome = outcomes[name]
    assert isinstance(outcome, Result), str(outcome)
    return outcome


@pytest.mark.parametrize("playbook", EVERY, ids=lambda playbook: playbook.name)
def test_it_can_run_here(playbook: Playbook) -> None:
    reason = absent(playbook)
    if reason:
        pytest.skip(f"not run here: {reason}")


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_keeps_what_its_page_promises(
    name: str, outcomes: dict[str, Result | Failure]
) -> None:
    """Rules 1 to 3: it runs, its symptoms were printed, the chain is broken and then whole."""
    assert broken_promises(result_of(name, outcomes)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_failed_was_expected_to(
    name: str, outcomes: dict[str, Result | Failure]
) -> None:
    """Rule 1: no command fails unnoticed, also not by what it prints. In a comparison each
    end of an `attempt` is an answer, which stands in its table."""
    (path,) = (playbook.path for playbook in PLAYBOOKS if playbook.name == name)
    source = path.read_text()
    failed = [shown for shown in result_of(name, outcomes).shown("command") if shown["code"]]
    compares = result_of(name, outcomes).header.answer
    # `run` itself stops at a failure that `fails=` does not expect, also in a loop.
    assert ("attempt(" in source) == bool(compares)
    assert compares or "carry_out(" not in source
    assert compares or not failed or "fails=" in source


@pytest.fixture(scope="session")
def needless() -> dict[str, list[int]]:
    """By playbook, the lines of the `fix` cells without which it passes all the same."""
    with ExitStack() as stack:
        directory = stack.enter_context(run_directory())
        _, commands = stack.enter_context(servers(directory, None))
        addresses = {
            name: stack.enter_context(provided(name, directory, Forked(commands)))
            for name in SERVERS
            if not why_not(name)
        }
        ask = partial(ask_what_is_needless, Job(directory, "", commands, addresses))
        pool = stack.enter_context(ThreadPoolExecutor((os.cpu_count() or 1) + 1))
        return dict(zip(NAMES, pool.map(ask, PLAYBOOKS), strict=True))


def ask_what_is_needless(below: Job, playbook: Playbook) -> list[int]:
    lines = [cell.line for cell in playbook.cells() if cell.tag == "fix"]
    if set(SERVERS) & set(playbook.header().databases):
        found = [ask(below, playbook, str(line)) for line in lines]
        return [line for one in found for line in one]
    return ask(below, playbook) if lines else []


def ask(below: Job, playbook: Playbook, *line: str) -> list[int]:
    """What `leaving_out.py` says, in a folder of its own."""
    home = below.directory / "-".join((playbook.name, *line))
    home.mkdir()
    done = subprocess.run(
        [sys.executable, LEAVING_OUT, playbook.path, *line],
        cwd=below.directory,
        env=replace(below, directory=home).environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(home)
    assert done.returncode == 0, f"{playbook.path}: {done.stdout[-2000:]}{done.stderr}"
    lines: list[int] = json.loads(done.stdout.splitlines()[-1])
    return lines


@pytest.mark.parametrize("name", NAMES)
def test_a_fix_step_that_is_left_out_makes_its_playbook_fail(
    name: str, needless: dict[str, list[int]]
) -> None:
    """Rule 4, for every `fix` cell of every playbook."""
    assert needless[name] == [], "the playbook passes without the fix cells at these lines"


def test_the_test_of_fix_steps_knows_a_needless_one(
    make: Make, tmp_path: Path, fork_server: str
) -> None:
    fix = '# %% tags=["fix"]\n'
    playbook = make("needless", {fix: f"{fix}laptop.run('git status --short')\n\n{fix}"})
    (line,) = ask_what_is_needless(Job(tmp_path, commands=fork_server), playbook)
    assert playbook.path.read_text().splitlines()[line - 1].startswith("laptop.run('git status")


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_on_disk_are_those_of_a_fresh_run(
    name: str, outcomes: dict[str, Result | Failure]
) -> None:
    """Rule 5; under other versions than the recorded ones a difference is a notice."""
    result = result_of(name, outcomes)
    source = next(playbook for playbook in PLAYBOOKS if playbook.name == name).path.read_text()
    files = site_files.page_files(SITE, result, source)
    differing = [
        difference
        for path, text in files.items()
        if (difference := site_files.difference(path, text, REPOSITORY))
    ]
    reason = site_files.other_versions(SITE, result)
    if differing and reason:
        pytest.skip(f"its pages differ, with {reason}")
    assert differing == []


def test_the_lists_on_disk_are_those_of_the_headers(outcomes: dict[str, Result | Failure]) -> None:
    headers = [(playbook, playbook.header()) for playbook in EVERY]
    results = [outcome for outcome in outcomes.values() if isinstance(outcome, Result)]
    shared = site_files.shared_files(SITE, headers, results)
    for path, text in shared.items():
        assert path.read_text() == text, f"{path}: playbooks run"
    assert site_files.stray(SITE, headers, shared) == []


def test_there_is_a_floor_under_the_numbers(outcomes: dict[str, Result | Failure]) -> None:
    """Rule 8: a collector that finds nothing must not pass."""
    results = [outcome for outcome in outcomes.values() if isinstance(outcome, Result)]
    assert len(EVERY) == len(list(ROOT.glob("*/[!_]*.py"))) - kit_files() >= 112
    assert sum(1 for result in results for _ in result.shown("command")) >= 4500
    assert sum(len(result.header.symptoms) for result in results) >= 180
    assert sum(1 for result in results for _ in result.shown("chain")) >= 100


def kit_files() -> int:
    return len(list((ROOT / "playbook_kit").glob("[!_]*.py")))


def test_ran_on_names_only_what_has_a_recorded_run() -> None:
    """Rule 9: each page says the versions that the record has for it, and nothing else."""
    record = json.loads((SITE.pages / site_files.RECORD).read_text())
    assert sorted(record) == sorted(playbook.name for playbook in EVERY)
    for playbook in EVERY:
        page = (SITE.pages / f"{playbook.page}.md").read_text()
        made = record[playbook.name]
        names = playbook.header().every_database
        ran = ", ".join(f"{name} {made[DATABASES[name]]}" for name in names)
        facts = f"Django {made['django']}, {ran}, on {made['date']}"
        assert f"<dt>Ran on</dt><dd>{facts}</dd>" in page
        assert set(made) == {*versions(), "date"}


def test_a_playbook_is_short_enough_to_be_read() -> None:
    """A second situation is a second file. Blank lines, cell marks and the header do not count."""
    for playbook in EVERY:
        text = playbook.path.read_text().split("\n# ---\n", 1)[1]
        lines = [line for line in text.splitlines() if line.strip("# ") and line[:4] != "# %%"]
        most = 200 if len(playbook.header().every_database) > 1 else 180  # two words for each
        assert len(lines) <= most, f"{playbook.path} has {len(lines)} lines of code and text"


def test_playbooks_touch_no_process_and_no_django() -> None:
    """A playbook imports the kit, and what works on text: every command is its own process."""
    for playbook in EVERY:
        for node in ast.walk(ast.parse(playbook.path.read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= TEXT_MODULES, playbook.path
            elif isinstance(node, ast.ImportFrom):
                assert node.module in {"playbook_kit", *TEXT_MODULES}, playbook.path


def test_generated_files_name_no_path_of_this_machine() -> None:
    for path in SITE.pages.rglob("*.*"):
        assert str(Path.home()) not in path.read_text(), path
        assert str(REPOSITORY) not in path.read_text(), path
