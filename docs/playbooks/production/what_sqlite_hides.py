# ---
# title: What SQLite hides
# answer: >-
#   SQLite prints `OK` over values that do not fit, over keys that are no keys of that type, and over
#   columns and indexes that it drops. PostgreSQL stops, or keeps them. Try a migration on the
#   database that you deploy to.
# databases: [SQLite, PostgreSQL]
# group: production
# ---

# %% [markdown]
# The same migration on both databases, over the same rows. Then one question is asked of the
# database, and its answer stands in the table.

# %%
from playbook_kit import Sandbox, table

MIGRATION = """import uuid

from django.db import migrations, models


def lend_again(apps, schema_editor):
    loan = apps.get_model("lending", "Loan").objects.first()
    loan.pk = None
    loan.save()


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0006_find_books_by_title"),
        ("lending", "0007_unique_reader_email"),
    ]
    operations = [
        {}
    ]
"""
TITLE = 'migrations.AlterField("book", "title", models.CharField(max_length={}))'.format
FORGOTTEN = """migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("book", "isbn")],
        ),
        migrations.AddField("book", "isbn", models.CharField(max_length=13, default=""))"""
NUMBER = 'migrations.AlterField("book", "isbn", models.BigIntegerField())'
UUID = 'migrations.AlterField("genre", "id", models.UUIDField(primary_key=True))'
SAVED = """migrations.RunPython(lend_again),
        migrations.AlterField("loan", "due_on", models.DateField(null=True))"""
INSERT = "migrations.RunSQL(\"insert into library_genre (id, name) values (6, 'Essay')\")"
ADD_GENRE = "from library.models import Genre; Genre.objects.create(name='Essay')"


def count(sql, words):
    """A question whose answer is a number, said in these words."""
    return lambda place: words.format(place.rows(f"select count(*) from {sql}")[0][0])


def column(name):
    """Whether the books have this column, by the columns of a query."""
    return lambda place: "kept" if f" {name}" in f" {place.run(COLUMNS)}" else "**dropped**"


def invented(place):
    """What a missing column holds after the table was built again."""
    if "isbn" not in place.run(COLUMNS).split():
        return "still missing"
    return count("library_book where isbn = 'isbn'", "**{} books have the ISBN `isbn`**")(place)


def index(place):
    """Whether the index made by hand is there."""
    return "kept" if "by_hand" in place.run(COLUMNS) else "**dropped**"


def add_genre(place):
    """Whether a genre can be added."""
    output = place.attempt(f'python manage.py shell --verbosity 0 -c "{ADD_GENRE}"')
    return f"then adding a genre fails: {error(output)}" if output.code else "works"


def error(output):
    """The kind of error that a command ended with."""
    lines = [line for line in output.splitlines() if line.startswith("django.")]
    return f"`{lines[0].partition(':')[0].rpartition('.')[2]}`"


COLUMNS = "python columns.py"
LIST = """import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from django.db import connection

with connection.cursor() as cursor:
    look = connection.introspection
    print(*(about.name for about in look.get_table_description(cursor, "library_book")))
    print(*look.get_constraints(cursor, "library_book"))
"""

# %% [markdown] tags=["setup"]
# The two projects that every row starts from, the same on both databases:

# %% tags=["setup"]
starts = [Sandbox(database.lower(), database) for database in ("SQLite", "PostgreSQL")]
for start in starts:
    start.write("columns.py", LIST)

# %%
# The migration: its app, what was done by hand before it, its operations, and what is asked.
CASES = {
    "`max_length` below some titles": (
        "library", "", TITLE(9),
        count("library_book where length(title) > 9", "{} titles are longer"),
    ),
    "text to number, one text being no number": (
        "library", "update library_book set isbn = 'unknown' where title = 'Emma'", NUMBER,
        count("library_book where cast(isbn as text) = 'unknown'", "{} text among the numbers"),
    ),
    "integer key to UUID": (
        "library", "", UUID,
        count("library_genre where length(cast(id as text)) < 32", "{} keys are no UUIDs"),
    ),
    "add a field whose column is there": (
        "library", "", FORGOTTEN,
        count("library_book where isbn = ''", "**{} values are gone**"),
    ),
    "a column that is missing, and an `AlterField`": (
        "library", "alter table library_book drop column isbn", TITLE(300),
        invented,
    ),
    "a column made by hand, and an `AlterField`": (
        "library", "alter table library_book add column shelf varchar(9)", TITLE(300),
        column("shelf"),
    ),
    "an index made by hand, and an `AlterField`": (
        "library", "create index by_hand on library_book (copies)", TITLE(300), index,
    ),
    "rows and a column in one migration": ("lending", "", SAVED, count("lending_loan", "{} loans")),
    "rows with keys of their own": ("library", "", INSERT, add_genre),
}  # fmt: skip


def outcome(start, number, app, by_hand, operations, question):
    """What `migrate` says, and what is true afterwards."""
    place = start.clone(f"{number}-{start.name}")
    if by_hand:
        place.rows(by_hand)
    place.write(f"{app}/migrations/0099_next.py", MIGRATION.format(operations))
    output = place.attempt("python manage.py migrate --verbosity 0")
    return f"stops: {error(output)}" if output.code else f"`OK`, {question(place)}"


rows = [
    [what, *(outcome(start, number, *case) for start in starts)]
    for number, (what, case) in enumerate(CASES.items(), 1)
]
table("What SQLite hides", ["the migration", "SQLite", "PostgreSQL"], rows)

# %% [markdown]
# ## Why
#
# - **SQLite does not check a value against the type or the length of its column.** Django checks
#   forms, and not what a migration finds.
# - **On SQLite, Django builds the table again for an `AlterField`**, and copies the rows into it. What
#   it does not know of is not copied: a column, an index. Where a column is missing, its name is
#   copied. [Which operations do that](../checks/review-the-sql.md).
# - **PostgreSQL changes the table in place.** It reads every value, and stops at the first that does
#   not fit. What Django does not know of stays.
#
# PostgreSQL has traps of its own, in the last two rows. Change rows and schema in two migrations.
# After rows that bring their own keys, set the sequence with `setval`.

# %% tags=["check"]
told = {what: cells for what, *cells in rows}
assert all(cells[0].startswith("`OK`") for cells in told.values()), "SQLite never stops"
stopped = [what for what, cells in told.items() if cells[1].startswith("stops")]
assert len(stopped) == 5, "PostgreSQL stops at five of the nine"
for what in (
    "a column made by hand, and an `AlterField`",
    "an index made by hand, and an `AlterField`",
):
    assert told[what] == ["`OK`, **dropped**", "`OK`, kept"], "SQLite drops it without a word"
assert "6 values are gone" in told["add a field whose column is there"][0], "SQLite resets them"
assert "fails" in told["rows with keys of their own"][1], "the sequence does not follow"
sequence = starts[1].clone("sequence")
sequence.rows("insert into library_genre (id, name) values (6, 'Essay')")
sequence.rows("select setval('library_genre_id_seq', 6)")
assert add_genre(sequence) == "works", "with its sequence set, the next key is free"
