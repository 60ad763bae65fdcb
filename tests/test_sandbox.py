"""A sandbox copies, runs, edits, clones and asks, and refuses what a playbook did not mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from playbook_kit import Sandbox
from playbook_kit.errors import PlaybookError

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def laptop() -> Sandbox:
    return Sandbox("laptop")


def test_it_is_migrated_seeded_committed_and_pushed(laptop: Sandbox) -> None:
    assert laptop.run("python manage.py migrate --check") == ""
    assert laptop.run("git status --short --branch") == "## main...origin/main\n"
    assert laptop.rows("select count(*) from library_book") == [(6,)]


def test_every_table_holds_a_row(laptop: Sandbox) -> None:
    tables = laptop.rows("select name from sqlite_master where type = 'table' order by name")
    names = [name for (name,) in tables]
    assert {"library_book", "library_book_genres", "lending_loan", "auth_user"} <= set(names)
    for name in names:
        assert laptop.rows(f"select count(*) from {name}") != [(0,)], name


def test_seeding_twice_changes_nothing(laptop: Sandbox) -> None:
    before = laptop.run("python manage.py dumpdata")
    laptop.run("python manage.py seed")
    assert laptop.run("python manage.py dumpdata") == before


def test_the_admin_opens(laptop: Sandbox) -> None:
    laptop.write(
        "look.py",
        "import os, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'\n"
        "django.setup()\n"
        "from django.test import Client\n"
        "client = Client(SERVER_NAME='localhost')\n"
        "assert client.login(username='admin', password='admin')\n"
        "for page in ('', 'library/book/', 'lending/loan/', 'library/book/1/change/'):\n"
        "    print(client.get(f'/admin/{page}').status_code)\n",
    )
    assert laptop.run("python look.py") == "200\n" * 4


def test_a_command_shows_its_line_its_output_and_its_exit_code(
    laptop: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    laptop.run("python manage.py migrate library 0099", fails="Cannot find a migration")
    assert capsys.readouterr().out == (
        "laptop $ python manage.py migrate library 0099\n"
        "CommandError: Cannot find a migration matching '0099' from app 'library'.\n"
        "(exit code 1)\n"
    )


def test_answers_are_typed_at_the_prompts(laptop: Sandbox) -> None:
    said = laptop.run("python manage.py squashmigrations library 0001 0002", answers=["n"])
    assert "Do you wish to proceed? [y/N]" in said
    assert "Created new" not in said


def test_a_text_to_replace_must_stand_there_exactly_once(laptop: Sandbox) -> None:
    with pytest.raises(PlaybookError, match="0 times"):
        laptop.replace("library/models.py", "no such text", "")
    with pytest.raises(PlaybookError, match="times"):
        laptop.replace("library/models.py", "models", "")


def test_a_clone_has_its_own_database_and_its_own_files(laptop: Sandbox) -> None:
    other = laptop.clone("other")
    other.rows("delete from lending_loan")
    other.run("rm library/admin.py")
    assert laptop.rows("select count(*) from lending_loan") == [(5,)]
    assert laptop.run("git status --short") == ""


def test_two_working_copies_share_origin(laptop: Sandbox) -> None:
    colleague = Sandbox("colleague")
    colleague.write("notes.txt", "hello\n")
    colleague.run("git add . && git commit --quiet --message Notes && git push --quiet")
    laptop.run("git pull --quiet --no-rebase")
    assert laptop.run("cat notes.txt") == "hello\n"
    assert laptop.run("git log -1 --format=%an") == "colleague\n"


def test_a_name_is_used_once(laptop: Sandbox) -> None:
    with pytest.raises(PlaybookError, match="it exists already"):
        Sandbox("laptop")
    with pytest.raises(PlaybookError, match="it exists already"):
        laptop.clone("laptop")


def test_a_program_that_is_not_among_the_few_is_refused(laptop: Sandbox) -> None:
    with pytest.raises(ValueError, match="not 'curl'"):
        laptop.run("curl localhost")


def test_a_query_shows_null_and_aligned_columns(
    laptop: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = laptop.rows("select id, returned_on from lending_loan where id in (1, 2) order by id")
    assert rows == [(1, "2024-03-12"), (2, None)]
    assert capsys.readouterr().out.endswith("id  returned_on\n1   2024-03-12\n2   NULL\n")


def test_the_clock_stands_still(laptop: Sandbox) -> None:
    laptop.run("python manage.py makemigrations library --empty --name nothing")
    text = (laptop.path / Path("library/migrations/0007_nothing.py")).read_text()
    assert "on 2026-01-05 09:00" in text
