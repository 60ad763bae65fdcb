# ---
# title: default, db_default, or both
# answer: >-
#   A `default` is in Django alone: SQL by hand, COPY and old code still fail with a null value. A
#   `db_default` is in the table, for each insert that does not name the field. It has no value before
#   the row is saved. Write both, with one value, if your code reads the field before it saves.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %% [markdown]
# A required field `pages` is added to a table with six books. Each row of the table is one way to write
# it. **An insert without the field** is SQL that does not name it, as that of old code, of a `COPY`, or
# of another program. What it gets is what the column itself has to give.
#
# ## Add a field

# %%
import re

from playbook_kit import Sandbox, on, table

COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
MAKE = "python manage.py makemigrations library --verbosity 0 --name"
MIGRATE = "python manage.py migrate --verbosity 0"
HAS = on(
    SQLite="select dflt_value from pragma_table_info('library_book') where name = 'pages'",
    PostgreSQL="select column_default from information_schema.columns "
    "where table_name = 'library_book' and column_name = 'pages'",
)
VALUES = (  # a random value differs in each run, so it is not shown
    "select count(*), count(distinct pages), min(case when pages > 0 and pages < 1 "
    "then 'a random value' else cast(pages as text) end) from library_book"
)
INSERT = "insert into library_book (title, author_id, isbn, copies) values ('By hand', 1, '', 1)"
BY_HAND = f"""import sqlite3

with sqlite3.connect("db.sqlite3") as connection:
    connection.execute("{INSERT}")
"""
SHELL = 'python manage.py shell --verbosity 0 -c "from library.models import Book; {}"'.format
RUNS = {
    "By hand": on(
        SQLite="python insert.py", PostgreSQL=f'psql --dbname library --command "{INSERT}"'
    ),
    "By Django": SHELL("Book.objects.create(title='By Django', author_id=1)"),
}
UNSAVED = SHELL("print(type(Book(title='Not saved').pages).__name__)")


def said(output):
    """The error that a command ended with, as it stands there."""
    error = re.search(r"(?:Error|ERROR): +(.+)", output)[1]
    return f"**fails**: `{error}`"


def runs(place, title):
    """What the field holds after a book was added in this way."""
    output = place.attempt(RUNS[title])
    return said(output) if output.code else shown(place, f"title = '{title}'")


def shown(place, where="copies > 0"):
    """The values of the field in these rows, in a few words."""
    ((count, distinct, value),) = place.rows(f"{VALUES} where {where}")
    if distinct > 1:
        return "each a value of its own"
    return f"one for all: {value or 'NULL'}" if count > 1 else value or "NULL"


# %% [markdown] tags=["setup"]
# The project that every row starts from. A function of the models gives random numbers. On SQLite, a
# small script adds a book without Django.

# %% tags=["setup"]
library = Sandbox("library")
if on(SQLite=True, PostgreSQL=False):
    library.write("insert.py", BY_HAND)
IMPORTS = (
    "import random\n\nfrom django.db import models\nfrom django.db.models.functions import Random\n"
)
GUESS = "\n\ndef guess():\n    return random.random()\n"
library.replace("library/models.py", "from django.db import models\n", IMPORTS + GUESS)

# %%
INTEGER, FLOAT = "IntegerField({})".format, "FloatField({})".format
# The field, and what is answered at the prompt; None is `--noinput`.
ADDED = {
    "neither": (INTEGER(""), None),
    "neither, and `0` at the prompt": (INTEGER(""), ["1", "0"]),
    "`default=5`": (INTEGER("default=5"), None),
    "`db_default=7`": (INTEGER("db_default=7"), None),
    "`default=5, db_default=7`": (INTEGER("default=5, db_default=7"), None),
    "`null=True`": (INTEGER("null=True"), None),
    "`default=guess`": (FLOAT("default=guess"), None),
    "`db_default=Random()`": (FLOAT("db_default=Random()"), None),
}


def write(place, name, old, new, answers):
    """Change the field and let Django write the migration; its exit code."""
    place.replace("library/models.py", old, new)
    line = f"{MAKE} {name}" if answers else f"{MAKE} {name} --noinput"
    return place.attempt(line, answers=answers or ()).code


def holds(place):
    """What the column itself has as its default."""
    ((value,),) = place.rows(HAS)
    return "none" if value is None else f"`{value}`"


def add(number, field, answers):
    """What is true after this field was added."""
    place = library.clone(f"add-{number}")
    code = write(place, "pages", COPIES, f"{COPIES}    pages = models.{field}\n", answers)
    if code:
        return [f"**`--noinput` stops**, exit code {code}", "", "", "", ""]
    place.run(MIGRATE)
    old = shown(place)
    kind = place.run(UNSAVED).strip()
    by_hand, by_django = runs(place, "By hand"), runs(place, "By Django")
    return [old, holds(place), by_hand, by_django, f"`{kind}`"]


added = {
    way: add(number, *field) for number, (way, field) in enumerate(ADDED.items(), 1)
}  # fmt: skip
COLUMNS = ["the field", "rows that exist", "default of the column", "an insert without it"]
COLUMNS += ["`create()` without it", "before it is saved, it is a"]
table("default or db_default", COLUMNS, [[way, *cells] for way, cells in added.items()])

# %% [markdown]
# - **`null value in column`**, or `NOT NULL constraint failed`, from SQL that does not name the field:
#   it has a `default` alone. Add a `db_default`: the second table.
# - **With both, the values may differ.** Existing rows and SQL take one, Django the other. Write the same.
# - **A function as `default` is called once for all rows that exist.** For a value of its own, give
#   each row [its value in three steps](../../guide/data-migrations.md#give-each-row-its-own-value-in-three-steps).
# - **`DatabaseDefault` is no number.** Code that compares it before `save()` fails with a `TypeError`.
# - **`Random()` needs Django on SQLite**, where it brings the function `RAND`. Other programs that add
#   a row fail.
# - What the old code does while you deploy is on
#   [the page of all changes](what-each-change-does.md).
#
# ## Change it later

# %%
# The field before and after.
CHANGED = {
    "`default=5` to `default=6`": ("default=5", "default=6"),
    "`db_default=5` to `db_default=6`": ("db_default=5", "db_default=6"),
    "`default=5`, and `db_default=5` is added": ("default=5", "default=5, db_default=5"),
    "both, and `db_default` is removed": ("default=5, db_default=5", "default=5"),
    "`db_default=5` is removed": ("db_default=5", ""),
    "`default=5` is removed": ("default=5", ""),
}


def statement(sql):
    """The statement that matters."""
    found = re.search(r"(?:SET|DROP) DEFAULT[^;]*|\(no-op\)|CREATE TABLE", sql)[0]
    return "builds the table again" if found == "CREATE TABLE" else f"`{found}`"


def change(number, old, new):
    """What is true after the default of the field was changed."""
    place = library.clone(f"change-{number}")
    write(place, "pages", COPIES, f"{COPIES}    pages = models.{INTEGER(old)}\n", None)
    place.run(MIGRATE)
    assert write(place, "other_default", INTEGER(old), INTEGER(new), None) == 0, "it is written"
    sql = statement(place.run("python manage.py sqlmigrate library 0008"))
    place.run(MIGRATE)
    old = shown(place)
    assert place.chain().whole, "the schema is that of the migrations"
    return [sql, old, runs(place, "By hand"), runs(place, "By Django")]


changed = {
    what: change(number, *ends) for number, (what, ends) in enumerate(CHANGED.items(), 1)
}  # fmt: skip
COLUMNS = ["the edit", "SQL", "rows that exist", "an insert without it", "`create()` without it"]
table("Change a default later", COLUMNS, [[what, *cells] for what, cells in changed.items()])

# %% [markdown]
# - **Each edit writes a migration, and `--noinput` asks nothing.** None changes a row that exists. To
#   change those, write [a data migration](../../guide/data-migrations.md).
# - **A new `default` sends nothing to PostgreSQL.** On SQLite each of these builds the table again.
#   Edits that send no SQL at all are on [their page](cosmetic-migrations.md).
# - **Before you remove a field**, give it a `db_default`: the
#   [three releases](../production/remove-or-require-a-field.md) begin with it.

# %% tags=["check"]
FAILS = on(
    SQLite="**fails**: `NOT NULL constraint failed: library_book.pages`",
    PostgreSQL='**fails**: `null value in column "pages" of relation "library_book" violates not-null constraint`',
)
assert "exit code 3" in added["neither"][0], "without a default --noinput stops"
prompted = added["neither, and `0` at the prompt"]
assert prompted[2:4] == [FAILS, FAILS], "the one-off value is for existing rows alone"
assert added["`default=5`"] == ["one for all: 5", "none", FAILS, "5", "`int`"]
assert added["`db_default=7`"] == ["one for all: 7", "`7`", "7", "7", "`DatabaseDefault`"]
both = added["`default=5, db_default=7`"]
assert both[2:] == ["7", "5", "`int`"], "SQL takes one, Django the other"
assert added["`default=guess`"][0] == "one for all: a random value", "called once"
assert "fails" not in added["`db_default=Random()`"][3], "the database fills it"
by_hand = on(SQLite="**fails**: `unknown function: RAND()`", PostgreSQL="a random value")
assert added["`db_default=Random()`"][2] == by_hand, "without Django, SQLite has no RAND"
plus, copied = library.clone("plus"), library.clone("copied")
write(plus, "pages", COPIES, f"{COPIES}    pages = models.IntegerField(db_default=7)\n", None)
plus.run(SHELL("Book().pages > 3"), fails="TypeError")
assert {cells[1] for cells in changed.values()} == {"one for all: 5"}, "no row changes"
assert changed["`default=5`, and `db_default=5` is added"][2] == "5", "the insert works now"

# %% tags=["check"]
# COPY is no other than INSERT.
if on(SQLite=False, PostgreSQL=True):
    copied.write("books.csv", "By COPY,1,0,1\n")
    COPY = "psql --dbname library --command 'copy library_book (title, author_id, isbn, copies) from stdin csv'"
    write(copied, "pages", COPIES, f"{COPIES}    pages = models.IntegerField(default=5)\n", None)
    copied.run(MIGRATE)
    copied.run(f"cat books.csv | {COPY}", fails='null value in column "pages"')
    write(copied, "filled", "default=5", "default=5, db_default=5", None)
    copied.run(MIGRATE)
    copied.run(f"cat books.csv | {COPY}")
    assert shown(copied, "title = 'By COPY'") == "5", "with a db_default it gets the value"
