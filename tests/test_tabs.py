"""What several databases showed: once where they agree, in tabs where they differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Make, run_them
from playbook_kit import databases, on, pages, results, rules
from playbook_kit.databases import DATABASE
from playbook_kit.errors import PlaybookError
from playbook_kit.execution import Failure
from playbook_kit.results import Result, load, save
from playbook_kit.source import Cell
from playbook_kit.tabs import blocks, pictures, tabbed

TWICE = {
    "# databases: [SQLite]\n": "# databases: [SQLite]\n# again_on: [PostgreSQL]\n",
    "from playbook_kit import Sandbox\n": "from playbook_kit import Sandbox, on\n",
}
SETUP = '# %% tags=["setup"]\n'


def text(words: str) -> dict[str, str]:
    return {"kind": "text", "text": words}


def test_what_is_the_same_stands_once() -> None:
    assert tabbed({"SQLite": "one", "PostgreSQL": "one"}) == "one"


def test_what_differs_stands_in_a_tab_for_each_database() -> None:
    text = tabbed({"SQLite": "one\n\ntwo", "PostgreSQL": ""})
    assert text == '===! "SQLite"\n\n    one\n\n    two\n\n=== "PostgreSQL"\n\n    Nothing.'


def test_only_the_blocks_of_a_cell_that_differ_are_in_tabs() -> None:
    cell = Cell("code", "", 1, "", [text("a"), text("b")], {"PostgreSQL": [text("a"), text("c")]})
    same, differing = blocks(cell, "SQLite")
    assert "===" not in same
    assert differing.count("===") == 2


def test_where_a_database_shows_more_all_of_the_cell_is_in_tabs() -> None:
    cell = Cell("code", "", 1, "", [text("a")], {"PostgreSQL": [text("a"), text("b")]})
    (all_of_it,) = blocks(cell, "SQLite")
    assert all_of_it.count("===") == 2


def test_drawings_that_differ_stand_one_below_the_other() -> None:
    assert pictures({"SQLite": "<p>1</p>", "PostgreSQL": "<p>1</p>"}) == "<p>1</p>"
    both = pictures({"SQLite": "<p>1</p>", "PostgreSQL": "<p>2</p>"})
    assert both.splitlines() == ["<p>1</p>", "<p>On PostgreSQL</p>", "<p>2</p>"]


def test_a_word_is_chosen_by_the_database_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert databases.default() == "SQLite"
    assert on(SQLite=1, PostgreSQL=2) == 1
    monkeypatch.setenv(DATABASE, "PostgreSQL")
    assert on(SQLite=1, PostgreSQL=2) == 2
    with pytest.raises(PlaybookError, match="a word for PostgreSQL"):
        on(SQLite=1)


@pytest.fixture(scope="module")
def twice(outcomes: dict[str, Result | Failure]) -> Result:
    outcome = outcomes["table_already_exists"]
    assert isinstance(outcome, Result), str(outcome)
    return outcome


def test_a_page_shows_the_error_texts_of_both_databases(twice: Result) -> None:
    text = pages.page(twice)
    symptoms = text.partition('<div class="symptoms"')[2].partition("</div>")[0]
    sqlite, _, postgresql = symptoms.partition('=== "PostgreSQL"')
    assert 'table "library_genre" already exists' in sqlite
    assert 'relation "library_genre" already exists' in postgresql
    assert "SQLite" in text.partition("<dt>Ran on</dt><dd>")[2].partition("</dd>")[0]
    assert "PostgreSQL" in text.partition("<dt>Ran on</dt><dd>")[2].partition("</dd>")[0]


def test_the_result_of_each_database_comes_back_from_the_cache(
    twice: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "CACHE", tmp_path)
    save("test-tabs", twice)
    again = load("test-tabs")
    assert again is not None
    assert pages.page(again) == pages.page(twice)


def test_the_rule_of_the_chain_holds_on_each_database(twice: Result) -> None:
    assert rules.broken_promises(twice) == []
    cells = [
        replace(cell, again={"PostgreSQL": cell.shown[:0]}) if cell.tag == "after" else cell
        for cell in twice.cells
    ]
    (problem,) = rules.broken_promises(replace(twice, cells=cells))
    assert problem == "on PostgreSQL: no `after` cell shows the chain"


def test_a_failure_on_the_second_database_says_where(make: Make) -> None:
    wrong = {SETUP: f"{SETUP}assert on(SQLite=True, PostgreSQL=False), 'it is so'\n"}
    (failure,) = run_them([make("twice", TWICE | wrong)])
    assert isinstance(failure, Failure)
    assert failure.message == "on PostgreSQL: not true: it is so"
    assert "twice.py:" in failure.where
