"""Rule 6: a page written by hand says nothing of Django that no run shows; and it reads well."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import mean

import pytest
from conftest import EVERY
from handwriting import DOCS, PAGES, by_hand, fences, items, links, name, sections, sentences
from playbook_kit.cheatsheet import named
from playbook_kit.downloads import offer, plain
from playbook_kit.errors import HeaderError
from playbook_kit.execution import Failure
from playbook_kit.inserts import insert, parts, relinked
from playbook_kit.results import Result
from playbook_kit.rules import BANNED
from playbook_kit.source import Playbook
from playbook_kit.template import REPOSITORY

Outcomes = dict[str, Result | Failure]
GUIDE = [path for path in PAGES if path.parent.name == "guide"]
TEXTS = [*PAGES, REPOSITORY / "README.md", *(REPOSITORY / "playbooks").glob("*/index.md")]
each_page = pytest.mark.parametrize("page", PAGES, ids=name)
each_guide_page = pytest.mark.parametrize("page", GUIDE, ids=name)
# Sections that say nothing about Django, each with its reason.
NOT_ABOUT_DJANGO = {
    "How to read the pictures": "it is about the drawings of this site",
}
FOUNDING = (
    "Make small, focused migrations",
    "Run migrations early and often",
    "Commit migrations with their corresponding model changes",
    "Coordinate with team members",
    "Pull and migrate before making model changes",
    "Use descriptive names for migrations",
    "Test migrations on a copy of production data",
    "Have a rollback plan",
    "Use Django's `--plan` flag",
    "python manage.py makemigrations --merge",
    "python manage.py migrate app_name 0001 --fake",
    "python manage.py dumpdata > data_backup.json",
    'find app_name/migrations -name "*.py"',
    "python manage.py migrate app_name --fake-initial",
    "python manage.py loaddata data_backup.json",
    "python manage.py squashmigrations app_name 0001 0010",
    "Keep a backup of your database",
    "Review migrations before applying",
    "Consider using migration names",
)


def results(outcomes: Outcomes) -> list[Result]:
    return [outcome for outcome in outcomes.values() if isinstance(outcome, Result)]


def commands(outcomes: Outcomes) -> set[str]:
    """Every line that some playbook ran."""
    return {shown["line"] for result in results(outcomes) for shown in result.shown("command")}


def test_there_are_pages_to_hold_to_this() -> None:
    assert len(GUIDE) >= 18
    assert len(PAGES) >= 30
    assert sum(len(list(parts(page.read_text()))) for page in PAGES) >= 40
    assert sum(len(items(page.read_text())) for page in GUIDE) >= 100


@each_page
def test_a_block_is_of_a_run_or_a_form_to_fill_in(page: Path, outcomes: Outcomes) -> None:
    """Commands without output are allowed where a playbook ran each line as it stands."""
    for info, text in fences(page.read_text()):
        assert info in ("bash", "{ .text .form }"), f"{info}: {text}"
        if info == "bash":
            assert set(text.splitlines()) <= commands(outcomes)


@each_guide_page
def test_a_section_of_the_guide_links_a_playbook_or_holds_part_of_a_run(page: Path) -> None:
    for heading, text in sections(page.read_text()):
        shown = "GENERATED" in text or any("playbooks/" in link for link in links(text))
        assert shown != (heading in NOT_ABOUT_DJANGO), heading


@each_guide_page
def test_an_item_of_the_guide_links_what_it_says(page: Path) -> None:
    """Lines of the founding document are quoted, and judged in the text around them."""
    text = "\n".join(line for line in page.read_text().splitlines() if line[:1] != ">")
    assert [item for item in items(text) if not links(item)] == []


@pytest.mark.parametrize("line", FOUNDING)
def test_a_line_of_the_founding_document_has_its_place(line: str) -> None:
    assert any(line in page.read_text() for page in GUIDE)


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_it_uses_no_word_that_belittles(page: Path) -> None:
    assert BANNED.findall(by_hand(page.read_text())) == []


@each_page
def test_its_sentences_are_short(page: Path) -> None:
    lengths = {sentence: len(sentence.split()) for sentence in sentences(page.read_text())}
    assert max(lengths.values()) <= 31, max(lengths, key=lengths.__getitem__)
    assert mean(lengths.values()) <= 18


@each_page
def test_each_page_has_a_title_and_says_what_it_is_about(page: Path) -> None:
    head = page.read_text().split("---\n")[1]
    assert re.search(r"^title: .{4,60}$", head, re.MULTILINE)
    assert re.search(r"^description: .{20,}$", head, re.MULTILINE)


@each_page
def test_no_part_of_it_is_left_empty(page: Path) -> None:
    assert not re.search(
        r"^<!-- (?:run|generated|fixes|table).* -->\n+<!-- end", page.read_text(), re.M
    )


def part(kind: str, what: str) -> str:
    return f"<!-- run: two_leaf_nodes {kind} {what} -->\n<!-- end of generated -->"


def test_a_part_shows_the_command_with_its_output(outcomes: Outcomes) -> None:
    text = part("command", "python manage.py check")
    known = {one.name: one for one in results(outcomes) if one.name == "two_leaf_nodes"}
    shown = insert(text, "guide/x.md", known, set(known))
    assert "python manage.py check\n```\n" in shown
    assert "System check identified no issues" in shown
    assert insert(shown, "guide/x.md", known, set(known)) == shown
    assert insert(shown, "guide/x.md", {}, set(known)) == shown, "not run now: it stays"


@pytest.mark.parametrize("known", [set(), {"two_leaf_nodes"}])
def test_a_part_that_no_run_shows_is_refused(known: set[str], outcomes: Outcomes) -> None:
    have = {one.name: one for one in results(outcomes) if one.name in known}
    with pytest.raises(HeaderError, match=r"docs/guide/x\.md: .*two_leaf_nodes"):
        insert(part("table", "Nothing"), "guide/x.md", have, known)


def test_links_of_a_table_hold_where_it_is_shown() -> None:
    table = "[a](../reset/x.md#y) [b](z.md) [c](../../guide/w.md) [d](#e) [f](https://g.org)"
    there = "[a](playbooks/reset/x.md#y) [b](playbooks/checks/z.md) [c](guide/w.md)"
    assert relinked(table, "checks/t", "index.md").startswith(there)
    shown = relinked(table, "checks/t", "guide/v.md")
    assert "[c](w.md) [d](../playbooks/checks/t.md#e) [f](https://g.org)" in shown


def test_what_is_offered_as_a_file_is_what_the_page_says() -> None:
    text = "<!-- file: f.md -->\n## A { #a }\n\n- [ ] [b](c.md) `d`\n<!-- end of file -->\n"
    page, files = offer(text, "onboarding/x.md")
    assert files == {"files/f.txt": "## A\n\n- [ ] b `d`\n"}
    assert '[Download f.md](../files/f.txt){ .copy download="f.md" }' in page
    assert offer(page, "onboarding/x.md") == (page, files)


def test_five_files_are_offered_and_have_no_links() -> None:
    files = sorted((DOCS / "files").iterdir())
    assert len(files) == 5
    for file in files:
        assert plain(file.read_text()) == file.read_text()
        assert "](" not in file.read_text()


def test_the_cheat_sheet_is_made_of_fixes() -> None:
    text = (DOCS / "onboarding" / "cheat-sheet.md").read_text()
    assert len(named(text)) >= 10
    assert set(named(text)) <= {playbook.name for playbook in EVERY}
    assert text.count('<div class="card"') == len(named(text)) + 1, "and the table of commands"


def test_what_the_chain_says_of_commands_is_what_was_measured(outcomes: Outcomes) -> None:
    """The table “What each command writes” against the runs of the options."""
    tables = [
        shown
        for result in results(outcomes)
        if result.name.startswith("options_of_")
        for shown in result.shown("table")
    ]
    measured = {(row[0], row[1]): row[4] for table in tables for row in table["rows"]}
    said = {
        "makemigrations": measured["`makemigrations`", "a new field"],
        "migrate": measured["`migrate`", "two pending"],
        "migrate --fake": measured["`migrate --fake`", "two pending"],
        "squashmigrations": measured["`squashmigrations library 0006 --noinput`", "all applied"],
    }
    lines = (DOCS / "guide" / "the-chain.md").read_text().splitlines()
    places = ("models", "files", "history", "schema")
    for command, writes in said.items():
        (line,) = [line for line in lines if line.startswith(f"| `{command}`")]
        cells = [cell.strip() for cell in line.strip("|").split("|")][1:]
        written = [place for place, cell in zip(places, cells, strict=True) if cell]
        assert ", ".join(written) == writes, command


CHANGING = [one for one in EVERY if one.path.parent.name in ("changes", "data")]


def test_home_and_guide_lead_to_each_change_and_each_migration_of_rows() -> None:
    linked = "\n".join(path.read_text() for path in [DOCS / "index.md", *GUIDE])
    missing = [one.name for one in CHANGING if f"playbooks/{one.page}.md" not in linked]
    assert missing == []
    assert len(CHANGING) >= 28


@pytest.mark.parametrize("playbook", CHANGING, ids=lambda one: one.name)
def test_such_a_page_ends_in_the_question_of_a_review(playbook: Playbook) -> None:
    """And in the check of CI that catches it, or why there is none."""
    if playbook.header().answer:
        pytest.skip("a comparison has its answer")
    section = playbook.path.read_text().partition("# ## Keep it from happening")[2]
    section = section.partition("# ## Run it yourself")[0]
    assert "**In review, ask:**" in section
    assert "**In CI:**" in section
