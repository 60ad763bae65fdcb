"""The command line says what it can do, what is wrong, and what comes next."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import EVERY
from playbook_kit import cli
from playbook_kit.execution import Failure
from playbook_kit.source import TAGS, find

run = CliRunner().invoke


def test_help_names_each_command_and_each_option() -> None:
    said = run(cli.main, ["--help"]).output
    for command in ("list", "run", "open", "new"):
        assert f"\n  {command} " in said
    said = run(cli.main, ["run", "-h"]).output
    for option in ("--check", "--jobs", "--fresh", "--runner [fork|subprocess]", "--report FILE"):
        assert option in said


def test_list_names_every_playbook_with_its_title() -> None:
    said = run(cli.main, ["list"]).output
    assert len(said.splitlines()) == len(EVERY)
    assert "two_leaf_nodes" in said
    assert "Two branches added a migration to the same app" in said


@pytest.mark.parametrize("command", ["run", "open"])
def test_an_unknown_name_is_answered_with_what_is_near_it(command: str) -> None:
    result = run(cli.main, [command, "two_leaves"])
    assert result.exit_code == 2
    assert "no playbook is called 'two_leaves' (is it two_leaf_nodes" in result.output
    assert "playbooks list shows all" in result.output


def test_a_playbook_is_found_by_name_by_path_and_by_the_end_of_its_url() -> None:
    for name in ("two_leaf_nodes", "playbooks/conflicts/two_leaf_nodes.py", "two-leaf-nodes"):
        (playbook,) = find(cli.ROOT, (name,))
        assert playbook.page == "conflicts/two-leaf-nodes"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere/story", "is not GROUP/NAME with one of conflicts"),
        ("story", "is not GROUP/NAME"),
        ("conflicts/Not-A-Name", "is not a snake_case name"),
        ("reset/two_leaf_nodes", "names are unique"),
    ],
)
def test_new_refuses_a_name_that_is_not_one(name: str, told: str) -> None:
    result = run(cli.main, ["new", name])
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


def test_new_writes_a_playbook_that_has_the_form_and_fails_until_it_is_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conftest import run_them

    monkeypatch.setattr(cli, "ROOT", tmp_path / "playbooks")
    monkeypatch.setattr(cli, "REPOSITORY", tmp_path)
    (tmp_path / "playbooks").mkdir()
    result = run(cli.main, ["new", "mismatch/a_story"])
    assert result.exit_code == 0, result.output
    assert (
        "Wrote playbooks/mismatch/a_story.py. Fill it in, then: .venv/bin/playbooks run"
        in result.output
    )
    (playbook,) = find(tmp_path / "playbooks")
    assert [cell.tag for cell in playbook.cells() if cell.tag] == list(TAGS)
    (failure,) = run_them([playbook])
    assert isinstance(failure, Failure)
    assert "no command printed the symptom" in failure.message
    assert "before the fix these links are broken: none" in failure.message
