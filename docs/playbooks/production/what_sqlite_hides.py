# ---
# title: What SQLite hides
# answer: >-
#   SQLite prints `OK` over values that do not fit, over keys that are no keys of that type, and over
#   columns and indexes that it drops. PostgreSQL and MariaDB stop, or keep them; but MariaDB does not
#   take back what it did before it stopped. Try a migration on the database that you deploy to.
# databases: [SQLite, PostgreSQL, MariaDB]
# group: production
# ---

# %% [markdown]
# The same migration on all three databases, over the same rows. Then one question is asked of the
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


def gone(start, place):
    """What a migration that stopped has taken away."""
    before, after = (int(one.run(COLUMNS).split()[-1]) for one in (start, place))
    return f", **{before - after} foreign key is gone**" if before > after else ""


COLUMNS = "python columns.py"
LIST = """import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from django.db import connection

with connection.cursor() as cursor:
    look = connection.introspection
    print(*(about.name for about in look.get_table_description(cursor, "library_book")))
    print(*sorted(look.get_constraints(cursor, "library_book")))
    tables = [look.get_constraints(cursor, name) for name in look.table_names(cursor)]
    keys = [about for table in tables for about in table.values() if about["foreign_key"]]
    print("foreign keys:", len(keys))
"""

# %% [markdown] tags=["setup"]
# The projects that every row starts from, the same on each database:

# %% tags=["setup"]
DATABASES = ["SQLite", "PostgreSQL", "MariaDB"]
starts = [Sandbox(f"on-{database.lower()}", database) for database in DATABASES]
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
    if output.code:
        return f"stops: {error(output)}{gone(start, place)}"
    return f"`OK`, {question(place)}"


rows = [
    [what, *(outcome(start, number, *case) for start in starts)]
    for number, (what, case) in enumerate(CASES.items(), 1)
]
table("What SQLite hides", ["the migration", *DATABASES], rows)

# %% [markdown]
# ## Why
#
# - **SQLite does not check a value against the type or the length of its column.** Django checks
#   forms, and not what a migration finds.
# - **On SQLite, Django builds the table again for an `AlterField`**, and copies the rows into it. What
#   it does not know of is not copied: a column, an index. Where a column is missing, its name is
#   copied. [Which operations do that](../checks/review-the-sql.md).
# - **PostgreSQL and MariaDB are told to change the one column.** They stop at a value or a type that
#   does not fit. Another column or index, which Django does not know of, stays.
#
# PostgreSQL has traps of its own, in the last two rows. Change rows and schema in two migrations.
# After rows that bring their own keys, set the sequence with `setval`.
#
# MariaDB has three others:
#
# - [What a migration did before it stopped stays](no-transactional-ddl.md). Here it had dropped a
#   foreign key.
# - It stops at a value only in strict mode, which is its default. With `sql_mode` empty, the first
#   migration prints `OK` and cuts the titles.
# - An `AlterField` writes the column anew. A default of it that was made by hand is gone; PostgreSQL
#   keeps it.

# %% tags=["check"]
told = {what: cells for what, *cells in rows}
assert all(cells[0].startswith("`OK`") for cells in told.values()), "SQLite never stops"
stops = [sum(cells[at].startswith("stops") for cells in told.values()) for at in (1, 2)]
assert stops == [5, 4], "PostgreSQL stops at five of the nine, MariaDB at four"
for what in (
    "a column made by hand, and an `AlterField`",
    "an index made by hand, and an `AlterField`",
):
    kept = ["`OK`, **dropped**", "`OK`, kept", "`OK`, kept"]
    assert told[what] == kept, "SQLite alone drops it without a word"
assert "6 values are gone" in told["add a field whose column is there"][0], "SQLite resets them"
cells = " ".join(cell for row in rows for cell in row)
assert cells.count("foreign key is gone") == 1, "one half stays"
assert "foreign key is gone" in told["integer key to UUID"][2], "on MariaDB"
ends = [cell.count("fails") for cell in told["rows with keys of their own"]]
assert ends == [0, 1, 0], "on PostgreSQL the sequence does not follow"
sequence = starts[1].clone("sequence")
sequence.rows("insert into library_genre (id, name) values (6, 'Essay')")
sequence.rows("select setval('library_genre_id_seq', 6)")
assert add_genre(sequence) == "works", "with its sequence set, the next key is free"

# %% tags=["check"]
# A default made by hand, on the column that an AlterField changes.
DEFAULT = "select column_default from information_schema.columns where table_name = 'library_book' and column_name = 'title' and column_default is not null and table_schema = {}".format
SCHEMAS = {"PostgreSQL": "current_schema", "MariaDB": "database()"}
for start, defaults in zip(starts[1:], (1, 0), strict=True):
    look = DEFAULT(SCHEMAS[start.database])
    place = start.clone(f"default-{start.name}")
    place.rows("alter table library_book alter column title set default 'Untitled'")
    assert len(place.rows(look)) == 1, "it has the default"
    place.write("library/migrations/0099_next.py", MIGRATION.format(TITLE(300)))
    place.run("python manage.py migrate --verbosity 0")
    assert len(place.rows(look)) == defaults, "PostgreSQL keeps it, MariaDB does not"

# %% tags=["check"]
# MariaDB in the mode that is not strict.
loose = starts[2].clone("loose")
mode = """migrations.RunSQL("set sql_mode = ''"),\n        """
loose.write("library/migrations/0099_next.py", MIGRATION.format(mode + TITLE(9)))
loose.run("python manage.py migrate --verbosity 0")
assert loose.rows("select max(length(title)) from library_book") == [(9,)], "they are cut"
strict = starts[2].rows("select @@global.sql_mode like '%STRICT_TRANS_TABLES%'")
assert strict == [(1,)], "strict is the default"
