"""The record of what differs between versions of Django: complete, on its page, and still true."""

from __future__ import annotations

import json
import re

import pytest
import record_versions
from playbook_kit.execution import Failure
from playbook_kit.results import Result
from playbook_kit.versions import versions
from record_versions import MISSING, NAME, PAGE, PYTHONS, RECORD

Outcomes = dict[str, Result | Failure]
WRITTEN = json.loads(RECORD.read_text())
ROWS: dict[str, dict[str, str]] = dict(WRITTEN["rows"])
AGAIN = "run .venv/bin/python tests/record_versions.py"


def test_every_row_has_a_value_for_each_version() -> None:
    assert list(WRITTEN["versions"]) == list(PYTHONS)
    for version, made in WRITTEN["versions"].items():
        assert made["django"].startswith(f"{version}."), made
    for what, by in ROWS.items():
        assert list(by) == list(PYTHONS), what
        assert MISSING not in by.values(), f"{what}: {AGAIN}"


def test_the_rows_differ_and_some_stay_the_same() -> None:
    """A playbook that took its rows from somewhere else than its run would show no difference."""
    differ = [what for what, by in ROWS.items() if len(set(by.values())) > 1]
    assert len(ROWS) == len(WRITTEN["rows"])
    assert len(differ) >= 8
    assert len(ROWS) - len(differ) >= 2
    for older, newer in (("5.2", "6.0"), ("6.0", "6.1")):
        assert any(by[older] != by[newer] for by in ROWS.values()), f"{older} is {newer}"


def test_the_page_shows_the_record() -> None:
    page = PAGE.read_text()
    assert len(record_versions.MARKED.findall(page)) == 1
    assert record_versions.filled(page, WRITTEN) == page, AGAIN
    # A link of the playbook's page that is not one folder up would break on this one.
    links = [link for what in ROWS for link in re.findall(r"\]\(([^)]+)\)", what)]
    assert links
    for link in links:
        assert (PAGE.parents[1] / "playbooks" / "checks" / link.partition("#")[0]).is_file(), link
        assert f"](../playbooks/{link.removeprefix('../')})" in page


def test_the_installed_django_gives_its_column(outcomes: Outcomes) -> None:
    result = outcomes[NAME]
    assert isinstance(result, Result), str(result)
    installed = ".".join(versions()["django"].split(".")[:2])
    if installed not in PYTHONS:
        pytest.skip(f"Django {installed} is none of the recorded versions")
    recorded = {what: by[installed] for what, by in ROWS.items()}
    assert record_versions.came(result.shown()) == recorded, AGAIN
