"""The record of `make matrix`: whole, on the pages, and never more than what has run."""

from __future__ import annotations

import json
from pathlib import Path

import matrix as tool
import pytest
from conftest import EVERY
from playbook_kit import matrix
from playbook_kit.matrix import RECORD, digest, elsewhere
from playbook_kit.template import REPOSITORY

WRITTEN = json.loads(RECORD.read_text())


def test_nearly_all_playbooks_have_run_on_each_django_and_each_python() -> None:
    """An edited playbook may wait for the next `make matrix`: its page says nothing until then."""
    pairs = {f"{django}-{python}" for django, pythons in tool.PAIRS.items() for python in pythons}
    assert set(WRITTEN["runs"]) == pairs
    for pair, run in WRITTEN["runs"].items():
        made = [run["versions"][what].rpartition(".")[0] for what in ("django", "python")]
        assert "-".join(made) == pair
        assert len(run["passed"]) + len(run["failed"]) > 0.9 * len(EVERY)
        assert not set(run["passed"]) & set(run["failed"])


def test_a_page_says_where_else_it_has_passed() -> None:
    said = 0
    for playbook in EVERY:
        page = (REPOSITORY / "docs" / "playbooks" / f"{playbook.page}.md").read_text()
        facts = elsewhere(playbook.name, playbook.path.read_text())
        for name in ("Also on", "Differs on"):
            assert (f"<dt>{name}</dt>" in page) == (name in facts)
            assert f"<dt>{name}</dt><dd>{facts.get(name)}</dd>" in page or name not in facts
        said += bool(facts)
    assert said > 20


def test_an_edited_playbook_has_passed_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    run = {"versions": {"django": "6.1.3", "python": "3.13.1"}, "passed": ["one"], "failed": {}}
    older = run | {"versions": {"django": "5.2.19", "python": "3.12.10"}}
    record = {"sources": {"one": digest("text")}, "runs": {"6.1-3.13": run, "5.2-3.12": older}}
    monkeypatch.setattr(matrix, "_record", lambda: record)
    assert elsewhere("one", "text") == {"Also on": "Django 5.2.19, 6.1.3; Python 3.12, 3.13"}
    assert elsewhere("one", "another text") == elsewhere("two", "text") == {}
    older["passed"], older["failed"] = [], {"one": ["not true"]}
    differs = elsewhere("one", "text")["Differs on"]
    assert differs.endswith(">Django 5.2.19</a>, where the run of this page stops: not true")
    assert "| 6.1.3 | 3.13.1 | 1 | none |" in matrix.table()


def test_a_python_that_is_not_there_is_named_and_its_record_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "matrix.json"
    copy.write_text(RECORD.read_text())
    monkeypatch.setattr(tool, "RECORD", copy)
    tool.main([], lambda _: None)
    said = capsys.readouterr().out
    assert "6.1-3.13: not run here, there is no Python 3.13; its record is kept" in said
    assert json.loads(copy.read_text())["runs"].keys() == WRITTEN["runs"].keys()


def test_a_second_run_adds_to_the_first_unless_the_versions_are_others() -> None:
    old = {
        "versions": {"django": "6.1.3"},
        "passed": ["a", "b"],
        "failed": {"c": ["x"], "d": ["y"]},
    }
    new = {"versions": {"django": "6.1.3"}, "passed": ["c", "e"], "failed": {"a": ["z"]}}
    both = tool.joined(old, new)
    assert both["passed"] == ["b", "c", "e"]
    assert both["failed"] == {"a": ["z"], "d": ["y"]}
    assert tool.joined(old | {"versions": {"django": "6.1.4"}}, new) == new
    assert tool.joined({"passed": [], "failed": {}}, new) == new


def test_the_record_says_why_and_not_where() -> None:
    error = (
        "one\n  /home/of/one.py:7\n  laptop $ git status\n    expected: a\n    got: b\n  again: x"
    )
    assert tool.told(error) == ["laptop $ git status", "expected: a", "got: b"]
    assert tool.told("one\n  /one.py:7\n  not true: two\n  again: x") == ["not true: two"]


def test_each_page_that_comes_out_in_another_way_is_explained() -> None:
    text = (REPOSITORY / "docs" / "reference" / "django-versions.md").read_text()
    pages = {playbook.name: playbook.page for playbook in EVERY}
    differ = {name for run in WRITTEN["runs"].values() for name in run["failed"]}
    assert differ
    for name in differ:
        assert f"(../playbooks/{pages[name]}.md" in text, name
