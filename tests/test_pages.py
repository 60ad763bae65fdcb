"""A page has the order that every page has, blocks that copy clean, and nothing from elsewhere."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from conftest import EVERY, PLAYBOOKS
from playbook_kit import blocks, pages, site_files
from playbook_kit.cli import ROOT
from playbook_kit.errors import HeaderError
from playbook_kit.execution import Failure
from playbook_kit.family import INDEX, landing_page, order
from playbook_kit.header import GROUPS, Header
from playbook_kit.notebook import notebook
from playbook_kit.results import Result
from playbook_kit.rules import SECTIONS
from playbook_kit.short import short_version
from playbook_kit.site_files import Site
from playbook_kit.source import Cell
from playbook_kit.template import REPOSITORY

COMPARISONS = [playbook.name for playbook in PLAYBOOKS if playbook.header().answer]
NAMES = [playbook.name for playbook in PLAYBOOKS if playbook.name not in COMPARISONS]
SITE = Site(REPOSITORY)


@pytest.fixture(scope="session", params=NAMES)
def result(request: pytest.FixtureRequest, outcomes: dict[str, Result | Failure]) -> Result:
    outcome = outcomes[request.param]
    assert isinstance(outcome, Result), str(outcome)
    return outcome


def test_its_parts_stand_in_the_fixed_order(result: Result) -> None:
    text = pages.page(result)
    marks = [
        f"# {result.header.title}\n",
        *(['<div class="symptoms"'] if result.header.symptoms else []),
        "**Cause:** ",
        "**The short version**",
        '<div class="before-after">',
        '<dl class="facts">',
        "<summary>How this page breaks the project first</summary>",
        *(f"## {section}\n" for section in SECTIONS),
        "<summary>Checked whenever this page is built</summary>",
    ]
    places = [text.find(mark) for mark in marks]
    assert -1 not in places, marks[places.index(-1)]
    assert places == sorted(places)


def without_tabs(text: str) -> str:
    """The page with what stands in tabs at the left margin."""
    return re.sub("^    ", "", text, flags=re.MULTILINE)


def test_every_symptom_stands_on_it_verbatim(result: Result) -> None:
    text = without_tabs(pages.page(result))
    for symptom in result.header.symptoms:
        assert f"\n{symptom}\n" in text


def test_the_short_version_is_the_commands_of_the_fix_and_no_output(result: Result) -> None:
    short = re.search(r"\*\*The short version\*\*(.*?)\n</div>", pages.page(result), re.DOTALL)
    assert short
    for shown in result.shown("command", "fix"):
        assert shown["line"] in short[1]
    assert ".output" not in short[1]
    assert "$ " not in short[1]


def test_the_short_version_shows_a_small_edit_and_names_a_large_one() -> None:
    edit = {"kind": "edit", "place": "laptop", "path": "a.py"}
    small = edit | {"diff": "@@ -1,2 +1,2 @@\n x = [\n-    1,\n+    2,\n"}
    large = edit | {"diff": "@@ -1 +1,5 @@\n" + "+    1,\n" * 5}
    cells = [Cell("markdown", "## Fix it", 1), Cell("code", "", 2, "fix", [small, large])]
    result = Result("x", "conflicts/x", Header("X", ("SQLite",), "conflicts"), cells, {}, 0.0)
    (block,) = short_version(result)
    assert block.lines == ["# edit a.py:", "#   - 1,", "#   + 2,", "# edit a.py (below)"]


def test_commands_and_outputs_are_separate_blocks(result: Result) -> None:
    blocks = re.findall(
        r"^(`{3,}) \{ (.*?) \}\n(.*?)\n\1$", without_tabs(pages.page(result)), re.M | re.S
    )
    commands = [text for _, options, text in blocks if ".command" in options]
    shown = (one for cell in result.cells if cell.tag != "check" for one in cell.shown)
    lines = {one["line"] for one in shown if one["kind"] == "command"}
    assert lines <= {line for text in commands for line in [*text.splitlines(), text]}


def test_the_same_picture_opens_and_closes_it(result: Result) -> None:
    text = pages.page(result)
    assert text.count('<figure class="chain">') >= 3, "before, after, and once more as the proof"


@pytest.fixture(params=COMPARISONS)
def comparison(request: pytest.FixtureRequest, outcomes: dict[str, Result | Failure]) -> Result:
    outcome = outcomes[request.param]
    assert isinstance(outcome, Result), str(outcome)
    return outcome


def test_a_comparison_starts_with_its_answer_and_shows_its_tables(comparison: Result) -> None:
    text = pages.page(comparison)
    assert text.index(f"**{comparison.header.answer}**") < without_tabs(text).index("\n| ")
    for shown in comparison.shown("table"):
        for row in (shown["columns"], *shown["rows"]):
            assert f"| {' | '.join(row)} |" in text


def test_the_commands_behind_a_table_are_in_the_notebook_alone(comparison: Result) -> None:
    text = pages.page(comparison)
    source = next(p for p in PLAYBOOKS if p.name == comparison.name).path.read_text()
    outputs = notebook(comparison, source)
    behind = [one for cell in comparison.cells if not cell.tag for one in cell.shown]
    commands = [one for one in behind if one["kind"] == "command"]
    assert len(commands) >= 10
    assert all(f'title="{one["place"]}" }}\n{one["line"]}\n```' not in text for one in commands)
    assert all(json.dumps(f"{one['place']} $ {one['line']}")[1:-1] in outputs for one in commands)


def test_each_family_names_each_of_its_playbooks_once() -> None:
    landing = [group for group in GROUPS if (ROOT / group / INDEX).exists()]
    assert len(landing) >= 4
    for group in landing:
        names = order((ROOT / group / INDEX).read_text())
        assert sorted(names) == sorted(p.name for p in EVERY if p.path.parent.name == group)


def test_a_landing_page_asks_what_is_seen_and_where_it_is_applied() -> None:
    header = next(p for p in PLAYBOOKS if p.name == "two_leaf_nodes").header()
    page = landing_page("# T\n\n<!-- playbooks: two_leaf_nodes -->\n", {"two_leaf_nodes": header})
    (row,) = [line for line in page.splitlines() if line.startswith("| <code>")]
    assert row.startswith("| <code>Conflicting migrations detected; multiple leaf nodes in")
    assert " …</code> |" in row
    assert row.endswith(f"| [{header.title}](two-leaf-nodes.md) | {header.applied} |")


def test_a_landing_page_refuses_a_playbook_that_is_not_there() -> None:
    with pytest.raises(HeaderError, match="no playbook is called 'gone'"):
        landing_page("<!-- playbooks: gone -->", {})


def test_what_is_alike_in_all_chains_of_a_page_is_drawn_once(result: Result) -> None:
    text = pages.page(result)
    chains = text.count('<figure class="chain">')
    for name, drawn in (("boxes", '<path class="box"'), ("names", ">models</text>")):
        assert text.count(drawn) == text.count(f'id="chain-{name}"') == 1
        assert text.count(f'<use href="#chain-{name}"/>') == chains - 1


def test_a_fence_is_longer_than_any_in_its_text() -> None:
    assert blocks.fence("```\nx\n```", "text") == "```` { .text }\n```\nx\n```\n````"


def test_its_notebook_is_valid_and_holds_the_output(result: Result) -> None:
    source = next(p for p in PLAYBOOKS if p.name == result.name).path.read_text()
    text = notebook(result, source)
    read = nbformat.reads(text, as_version=4)
    nbformat.validate(read)
    outputs = [output for cell in read.cells for output in cell.get("outputs", [])]
    assert len(outputs) == len(list(result.shown()))
    assert "seconds" not in text
    assert not re.search(r"\d+\.\d{6,}", text), "a time is never the same twice"


def test_marked_parts_are_filled_and_their_marks_stay() -> None:
    text = "a\n<!-- generated: x -->\nold\n<!-- end of generated -->\nb\n"
    filled = site_files.fill(text, "<!-- generated: x -->", "new")
    assert filled == text.replace("old", "new")
    assert site_files.fill(filled, "<!-- generated: x -->", "new") == filled
    with pytest.raises(ValueError, match="must stand there once"):
        site_files.fill(text, "<!-- generated: y -->", "new")


def test_a_landing_page_says_what_comparisons_come_to() -> None:
    header = next(p for p in PLAYBOOKS if p.name == "squash_or_reset").header()
    page = landing_page("<!-- playbooks: squash_or_reset -->\n", {"squash_or_reset": header})
    assert f"| [{header.title}](squash-or-reset.md) | {header.answer} |" in page


def test_each_silent_failure_links_the_playbook_that_shows_it() -> None:
    text = (REPOSITORY / "docs" / "guide" / "when-nothing-complains.md").read_text()
    items = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(items) >= 25
    pages = {f"../playbooks/{playbook.page}.md" for playbook in EVERY}
    for item in items:
        links = re.findall(r"\]\(([^)#]+)", item)
        assert links, item
        assert set(links) <= pages, item


def test_each_playbook_is_in_the_navigation_and_each_symptom_in_the_list_of_error_texts() -> None:
    nav = (REPOSITORY / "mkdocs.yml").read_text()
    texts = (REPOSITORY / "docs" / "error-texts.md").read_text()
    for playbook in EVERY:
        header = playbook.header()
        assert nav.count(f"playbooks/{playbook.page}.md") == 1
        assert f"{json.dumps(header.title)}: playbooks/" in nav
        assert texts.count(f"](playbooks/{playbook.page}.md)") >= len(header.symptoms)
