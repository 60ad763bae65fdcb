"""The chain is whole on a healthy sandbox, and names each of the faults that it is there for."""

from __future__ import annotations

import pytest
from playbook_kit import Sandbox
from playbook_kit.chain import Chain, Link

pytestmark = pytest.mark.usefixtures("home")

SHELF = '    shelf = models.CharField(max_length=20, blank=True, default="")\n'
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
DELETE = "delete from django_migrations where app = 'library' and name >= '{}'"


@pytest.fixture
def laptop() -> Sandbox:
    return Sandbox("laptop")


def add_shelf(laptop: Sandbox) -> None:
    laptop.replace("library/models.py", COPIES, COPIES + SHELF)


def test_it_is_whole_on_a_healthy_sandbox_and_for_each_app(laptop: Sandbox) -> None:
    for app in ("", "library", "lending", "auth"):
        chain = laptop.chain(app)
        assert chain.whole, str(chain)
        assert not chain.pending


def test_it_names_a_model_change_without_a_migration(laptop: Sandbox) -> None:
    add_shelf(laptop)
    chain = laptop.chain()
    assert chain.broken == ["models-files"]
    assert chain.findings == ["library: makemigrations would still write “Add field shelf to book”"]


def test_it_names_two_leaf_nodes(laptop: Sandbox) -> None:
    laptop.run("python manage.py makemigrations library --empty --name one")
    text = (laptop.path / "library/migrations/0007_one.py").read_text()
    laptop.write("library/migrations/0007_other.py", text)
    chain = laptop.chain()
    assert chain.findings == ["library has 2 leaf nodes: 0007_one, 0007_other"]
    assert chain.pending == ("library.0007_one", "library.0007_other")


def test_it_names_a_row_whose_file_is_gone_and_what_the_row_left_in_the_schema(
    laptop: Sandbox,
) -> None:
    add_shelf(laptop)
    laptop.run("python manage.py makemigrations library --name book_shelf")
    laptop.run("python manage.py migrate")
    laptop.run("rm library/migrations/0007_book_shelf.py && git restore .")
    chain = laptop.chain("library")
    assert chain.findings == [
        "library.0007_book_shelf is recorded, and its file is gone",
        "column library_book.shelf exists: no recorded migration adds it",
    ]


def test_it_names_a_row_that_is_recorded_twice(laptop: Sandbox) -> None:
    laptop.rows(
        "insert into django_migrations (app, name, applied) "
        "select app, name, applied from django_migrations where name = '0003_book_copies'"
    )
    assert laptop.chain().findings == ["library.0003_book_copies is recorded 2 times"]


def test_it_names_a_migration_recorded_before_its_parent(laptop: Sandbox) -> None:
    laptop.rows("delete from django_migrations where name = '0003_book_copies'")
    chain = laptop.chain()
    assert "library.0004_genre is recorded before its parent library.0003_book_copies" in chain
    assert "lending.0001_initial is recorded before its parent library.0003_book_copies" in chain
    assert "column library_book.copies exists: no recorded migration adds it" in chain


def test_it_names_a_squash_applied_in_part_with_its_files_and_without(laptop: Sandbox) -> None:
    laptop.run("python manage.py migrate library 0004")
    laptop.run("python manage.py squashmigrations library 0001 0006 --noinput")
    names = "library.0005_longer_titles, library.0006_find_books_by_title"
    squash = "library.0001_initial_squashed_0006_find_books_by_title is recorded in part: it lacks"
    assert laptop.chain().findings == [f"{squash} {names}, which migrate runs first"]
    laptop.run("rm library/migrations/0005_longer_titles.py")
    laptop.run("rm library/migrations/0006_find_books_by_title.py")
    chain = laptop.chain()
    assert f"{squash} {names}, whose files are gone" in chain


def test_a_squash_that_is_recorded_in_whole_is_no_fault(laptop: Sandbox) -> None:
    laptop.run("python manage.py squashmigrations library 0001 0006 --noinput")
    chain = laptop.chain()
    assert chain.whole, str(chain)
    assert chain.pending == ("library.0001_initial_squashed_0006_find_books_by_title",)
    laptop.run("python manage.py migrate")
    chain = laptop.chain()
    assert chain.whole, str(chain)
    assert not chain.pending


def test_a_squash_whose_own_row_stands_alone_is_not_applied(laptop: Sandbox) -> None:
    laptop.run("python manage.py squashmigrations library 0001 0006 --noinput")
    laptop.run("python manage.py migrate")
    laptop.rows(
        "delete from django_migrations where app = 'library' and name not like '%squashed%'"
    )
    squash = "library.0001_initial_squashed_0006_find_books_by_title"
    chain = laptop.chain()
    assert f"{squash} is recorded, and nothing of what it replaces is" in chain
    assert squash in chain.pending


def test_it_names_a_faked_table_a_faked_column_and_a_faked_index(laptop: Sandbox) -> None:
    laptop.run("python manage.py migrate library zero --verbosity 0")
    laptop.run("python manage.py migrate library 0001 --verbosity 0")
    laptop.run("python manage.py migrate --fake --verbosity 0")
    chain = laptop.chain("library")
    assert chain.findings == [
        "column library_book.copies is missing: the recorded migrations add it",
        "column library_book.isbn is missing: the recorded migrations add it",
        "column library_book.title is varchar(100): the recorded migrations make it varchar(200)",
        "index on library_book (title) is missing: the recorded migrations make it",
        "table library_book_genres is missing: the recorded migrations create it",
        "table library_genre is missing: the recorded migrations create it",
    ]


def test_it_names_a_column_of_the_wrong_null(laptop: Sandbox) -> None:
    laptop.run("python manage.py migrate lending 0002 --verbosity 0")
    laptop.run("python manage.py migrate lending 0004 --fake --verbosity 0")
    assert laptop.chain("lending").findings == [
        "column lending_loan.due_on allows NULL: the recorded migrations forbid it"
    ]


def test_it_names_a_constraint_that_is_missing(laptop: Sandbox) -> None:
    laptop.run("python manage.py migrate lending 0005 --verbosity 0")
    laptop.run("python manage.py migrate lending --fake --verbosity 0")
    assert laptop.chain("lending").findings == [
        "check constraint lending_loan_due_after_lent on lending_loan is missing: "
        "the recorded migrations make it",
        "unique constraint on lending_reader (email) is missing: the recorded migrations make it",
    ]


def test_it_names_a_table_and_an_index_that_nobody_knows(laptop: Sandbox) -> None:
    laptop.rows("create table library_shelf (id integer primary key)")
    laptop.rows("create index by_isbn on library_book (isbn)")
    assert laptop.chain("library").findings == [
        "index on library_book (isbn) exists: no recorded migration makes it",
        "table library_shelf exists: no recorded migration creates it",
    ]
    assert laptop.chain("lending").whole, "another app's fault is not this one's"


def test_it_names_what_two_branches_did_in_another_order_than_a_new_database(
    laptop: Sandbox,
) -> None:
    text = (laptop.path / "library/migrations/0005_longer_titles.py").read_text()
    text = text.replace("0004_genre", "0006_find_books_by_title")
    laptop.write("library/migrations/0007_a.py", text.replace("200", "300"))
    laptop.replace("library/models.py", "max_length=200", "max_length=300")
    laptop.run("python manage.py migrate")
    laptop.write("library/migrations/0007_z.py", text.replace("200", "250"))
    laptop.run("python manage.py makemigrations --merge --noinput")
    laptop.run("python manage.py migrate")
    laptop.run("python manage.py makemigrations --check")
    assert laptop.chain().findings == [
        "column library_book.title is varchar(250): the recorded migrations make it varchar(300)"
    ]


def test_it_is_measured_where_django_refuses_to_build_a_graph(laptop: Sandbox) -> None:
    laptop.run("rm library/migrations/0003_book_copies.py")
    laptop.run("python manage.py showmigrations", fails="NodeNotFoundError")
    chain = laptop.chain()
    assert "lending.0001_initial names a parent without a file: library.0003_book_copies" in chain
    assert chain.links[0].state == "unknown"


def test_it_says_so_when_a_file_cannot_be_loaded(laptop: Sandbox) -> None:
    laptop.write("library/migrations/0007_half.py", "<<<<<<< HEAD\n")
    chain = laptop.chain()
    assert chain.broken == ["files-history"]
    assert "the migration files cannot be loaded: SyntaxError" in chain


def test_it_says_so_when_the_recorded_migrations_contradict_each_other(laptop: Sandbox) -> None:
    laptop.run("python manage.py makemigrations library --empty --name again")
    laptop.replace(
        "library/migrations/0007_again.py",
        "    operations = [\n",
        "    operations = [\n        migrations.RemoveField('book', 'nothing'),\n",
    )
    laptop.run("python manage.py migrate --fake")
    chain = laptop.chain()
    assert chain.links[2] == Link(
        "history-schema",
        "unknown",
        ("the recorded migrations do not amount to a schema: KeyError: 'nothing'",),
    )


def test_it_survives_a_database_without_any_table(laptop: Sandbox) -> None:
    laptop.run("rm db.sqlite3")
    chain = laptop.chain()
    assert chain.whole, str(chain)
    assert "library.0001_initial" in chain.pending


def test_measuring_changes_nothing(laptop: Sandbox) -> None:
    def content() -> dict[str, bytes]:
        files = (path for path in laptop.path.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files if ".git" not in path.parts}

    before = content()
    laptop.chain()
    laptop.graph("library")
    assert content() == before


def test_it_survives_the_way_through_json(laptop: Sandbox) -> None:
    add_shelf(laptop)
    chain = laptop.chain()
    assert Chain.from_dict(chain.to_dict()) == chain
    assert "not whole" in str(chain)
