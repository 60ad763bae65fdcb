"""“Find my trouble”: from a pasted error to the page that mends it."""

from __future__ import annotations

import gzip
import json

import pytest
from browser import open_browser
from click.testing import CliRunner
from conftest import EVERY
from pasted import DATA, DRESSES, Pasted, corpus, strangers
from playbook_kit import Sandbox, sandbox
from playbook_kit.cli import main
from playbook_kit.diagnosis import Diagnosis, diagnose, reason, relevant, to_type
from playbook_kit.execution import Failure
from playbook_kit.messages import PARTS, read
from playbook_kit.results import Result
from playbook_kit.template import REPOSITORY
from playbook_kit.troubles import SOURCE

Outcomes = dict[str, Result | Failure]
ROWS = read(REPOSITORY / SOURCE)
CONFLICT = """CommandError: Conflicting migrations detected; multiple leaf nodes in the migration \
graph: (0012_price, 0012_stock in shop).
To fix them run 'python manage.py makemigrations --merge'
"""


@pytest.fixture(scope="session")
def pasted(outcomes: Outcomes) -> list[Pasted]:
    return list(corpus(outcomes.values()))


def names(found: Diagnosis) -> list[str]:
    return [name for name, _ in found.pages]


def test_there_are_enough_texts_of_all_kinds(pasted: list[Pasted]) -> None:
    assert len(pasted) >= 150
    assert {one.about.rpartition(", ")[2] for one in pasted} == set(DRESSES)
    assert {one.about.split(", ")[1] for one in pasted} >= {"SQLite", "PostgreSQL"}


def test_a_text_leads_to_the_message_of_its_playbook(pasted: list[Pasted]) -> None:
    """Right is a message whose pages hold the playbook that printed the text; where several share a
    message, the others stand there with the question that decides."""
    wrong = [one.about for one in pasted if one.playbook not in names(diagnose(one.text, DATA))]
    assert len(wrong) <= len(pasted) * 0.05, wrong


def test_a_first_place_that_may_be_wrong_shows_the_others(pasted: list[Pasted]) -> None:
    for one in pasted:
        found = diagnose(one.text, DATA)
        if found.message and one.playbook not in names(found)[:1]:
            others = [ask for _, ask in found.pages[1:]]
            assert others or one.playbook not in names(found), one.about
            assert all(others), f"{one.about}: a question has to decide"


@pytest.mark.parametrize("text", list(strangers()), ids=lambda text: text.splitlines()[-1][:40])
def test_an_error_of_something_else_is_none_of_ours(text: str) -> None:
    found = diagnose(text, DATA)
    assert found.message is None
    assert found.raised


OTHER_COMMANDS = {
    "python manage.py nonsense": "Unknown command",
    "python manage.py shell -c 'from django.urls import reverse as r; r(\"no\")'": "NoReverseMatch",
    "python manage.py shell -c 'import django.apps as a; a.apps.no'": "AttributeError",
}


@pytest.mark.usefixtures("home")
def test_a_command_of_django_that_is_no_migration_is_none_of_ours() -> None:
    place = Sandbox("laptop")
    for line, fails in OTHER_COMMANDS.items():
        found = diagnose(str(place.run(line, fails=fails)), DATA)
        assert found.message is None, line


@pytest.mark.usefixtures("home")
def test_the_last_exception_counts_in_a_whole_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chained exceptions with all their frames, and a migration that names its app."""
    monkeypatch.setattr(sandbox, "cut_tracebacks", str)
    place = Sandbox("laptop")
    place.rows("create table library_shelf (id integer)")
    shelf = "class Shelf(models.Model):\n    name = models.TextField()\n\n\nclass Genre("
    place.replace("library/models.py", "class Genre(", shelf)
    place.run("python manage.py makemigrations library --name shelf --verbosity 0")
    text = str(place.run("python manage.py migrate", fails="already exists"))
    assert text.count("Traceback") > 1
    assert "File " in text
    found = diagnose(text, DATA)
    assert names(found)[0] == "table_already_exists"
    assert found.names["migration"] == "0007_shelf"
    assert (found.names["app"], found.names["table"]) == ("library", "library_shelf")
    assert found.raised == 'django.db.utils.OperationalError: table "library_shelf" already exists'
    why = "Your last exception is OperationalError, raised while applying library.0007_shelf."
    assert reason(found, DATA) == why


def test_a_message_in_another_language_is_known_by_its_class() -> None:
    said = "psycopg.errors.DuplicateTable: FEHLER:  Relation »shop_item« existiert bereits\n\n"
    said += "django.db.utils.ProgrammingError: FEHLER:  Relation »shop_item« existiert bereits\n"
    assert names(diagnose(said, DATA))[0] == "table_already_exists"


def test_commands_name_what_the_text_names() -> None:
    found = diagnose(CONFLICT, DATA)
    assert found.names == {"app": "shop", "one": "0012_price", "other": "0012_stock"}
    lines = "\n".join(text for _, text in to_type("two_leaf_nodes", found, DATA))
    assert "shop" in lines
    assert "library" not in lines


LOG = "\n".join(f"2026-01-05 09:00:00,123 INFO GET /books/{n} 200" for n in range(20_000))
LONG = [f"{LOG}\n{CONFLICT}", f"{CONFLICT}\n{LOG}", "\n".join(["ValueError: no"] * 20_000)]


def test_of_a_text_of_20000_lines_a_few_are_read() -> None:
    for text in LONG:
        assert relevant(text).count("\n") < 1500
    for text in LONG[:2]:
        assert names(diagnose(text, DATA))[0] == "two_leaf_nodes"


IN_BROWSER = """([texts, data]) => texts.map((text) => {
  const found = findMyTrouble.diagnose(text, data);
  const [first] = found.pages;
  const lines = first ? findMyTrouble.toType(first[0], found, data) : [];
  const why = findMyTrouble.reason(found, data);
  return [found.line, found.raised, why, found.pages, found.names, found.django, lines];
})"""


def test_the_box_on_the_site_gives_the_same_answers(pasted: list[Pasted]) -> None:
    texts = [*(one.text for one in pasted), *strangers(), CONFLICT, *LONG]
    with open_browser() as browser:
        page = browser.new_page()
        page.add_script_tag(path=REPOSITORY / "docs" / "javascripts" / "find.js")
        answers = page.evaluate(IN_BROWSER, [texts, DATA])
    for text, answer in zip(texts, answers, strict=True):
        found = diagnose(text, DATA)
        lines = to_type(found.pages[0][0], found, DATA) if found.pages else []
        pages, typed = [list(page) for page in found.pages], [list(block) for block in lines]
        said = [found.line, found.raised, reason(found, DATA), pages, found.names, found.django]
        assert answer == [*said, typed], text


def test_the_command_reads_a_pipe_and_answers_with_an_exit_code() -> None:
    known = CliRunner().invoke(main, ["diagnose"], input=CONFLICT)
    assert known.exit_code == 0
    assert "Two branches added a migration to the same app" in known.output
    assert "docs/playbooks/conflicts/two-leaf-nodes.md" in known.output
    unknown = CliRunner().invoke(
        main, ["diagnose", "-"], input="ZeroDivisionError: division by zero"
    )
    assert unknown.exit_code == 1
    assert "this site cannot help" in unknown.output
    in_django = CliRunner().invoke(main, ["diagnose"], input="django: MyError: something new")
    assert "Read the traceback from its end" in in_django.output
    assert "docs/playbooks/mismatch/index.md" in in_django.output
    squash = CliRunner().invoke(main, ["diagnose"], input="$ python manage.py squashmigrations\nNo")
    assert "docs/playbooks/squashing/index.md" in squash.output


def test_each_word_in_braces_is_one_that_is_known_and_each_row_says_what_it_means() -> None:
    for row in ROWS:
        assert row.means.endswith("."), row.says
        assert all(page.ask or at == 0 for at, page in enumerate(row.pages)), row.says
    assert len(ROWS) >= 100
    assert {"app", "migration", "table", "column"} <= set(PARTS)


def test_each_playbook_with_an_error_is_found_by_a_text_of_its_own(
    pasted: list[Pasted], outcomes: Outcomes
) -> None:
    with_error = {
        name for name, it in outcomes.items() if isinstance(it, Result) and it.header.symptoms
    }
    found = {one.playbook for one in pasted if one.playbook in names(diagnose(one.text, DATA))}
    assert with_error - found == set()


def test_what_the_box_loads_is_small() -> None:
    data = (REPOSITORY / "docs" / "find.json").read_bytes()
    assert len(gzip.compress(data)) < 50_000
    assert "less than 50 KB" in (REPOSITORY / "docs" / "find.md").read_text()


RECORDED = json.loads((REPOSITORY / "tests" / "errors.json").read_text())


@pytest.mark.parametrize("how", DRESSES)
def test_a_recorded_text_is_answered_right_at_the_first_place(how: str) -> None:
    """Whole tracebacks of four Djangos on three databases, in six languages, each with the answer
    that follows from what was broken (`record_errors.py`); 95 of 100, and none that is wrong and
    alone."""
    wrong = []
    for one in RECORDED:
        found = diagnose(DRESSES[how](one["text"]), DATA)
        given = names(found)[:1]
        if not one["right"]:
            right = found.message is None
        else:
            right = bool(given) and given[0] in one["right"]
        if not right:
            wrong.append((one["scenario"], one["django"], one["database"], given))
            assert len(names(found)) != 1, wrong[-1]
    assert len(wrong) <= len(RECORDED) * 0.05, wrong


def test_the_record_has_texts_of_all_kinds() -> None:
    """At least 150 with an answer, each of them a page that there is; strangers beside them."""
    assert sum(bool(one["right"]) for one in RECORDED) >= 150
    assert sum(not one["right"] for one in RECORDED) >= 30
    assert {one["django"] for one in RECORDED} == {"4.2", "5.2", "6.0", "6.1"}
    assert {one["database"] for one in RECORDED} == {"SQLite", "PostgreSQL", "MariaDB"}
    assert {one["language"] for one in RECORDED} >= {"en", "de", "fr", "es", "ru", "ja"}
    known = {playbook.name for playbook in EVERY}
    assert {name for one in RECORDED for name in one["right"]} <= known
