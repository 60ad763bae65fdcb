# ---
# title: What migrate does with each option
# answer: >-
#   `migrate --check` exits 1 when something is pending; `migrate --plan` prints it and exits 0.
#   `--fake` writes the history and nothing else. A target may go back, and drops tables without a
#   question.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is one command, typed after `python manage.py` in a fresh copy of a project. **Writes** is
# measured: the files, the rows of `django_migrations`, and the schema, before and after. Of the schema,
# SQLite counts the changes; PostgreSQL is asked for its columns and indexes.

# %%
import re
from functools import cache
from textwrap import shorten

from playbook_kit import Sandbox, on, table

TABLES = on(
    SQLite="select name from sqlite_master where type = 'table'",
    PostgreSQL="select tablename as name from pg_tables where schemaname = 'public'",
)
SCHEMA = on(
    SQLite="select schema_version from pragma_schema_version",
    PostgreSQL="select table_name, column_name, data_type, character_maximum_length, is_nullable from information_schema.columns where table_schema = 'public' union all select tablename, indexname, indexdef, 0, '' from pg_indexes where schemaname = 'public' order by 1, 2",
)
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
COLUMNS = ["you type", "the project", "exit code", "prints", "writes"]
MODULE = re.compile(r"^django\.[\w.]+\.(?=\w+Error: )")  # a traceback ends with it
codes, written = {}, {}


def bytes_of(place, pattern):
    return {file.relative_to(place.path): file.read_bytes() for file in place.path.glob(pattern)}


@cache
def database(place):
    """History, schema, and the number of rows that the two apps have."""
    there = on(SQLite=any(bytes_of(place, "db.sqlite3").values()), PostgreSQL=True)
    names = [name for (name,) in place.rows(TABLES)] if there else []
    if not names:
        return [], [], 0
    schema = place.rows(SCHEMA)
    history = place.rows("select id, app, name from django_migrations order by id")
    counts = [f"select count(*) as n from {name}" for name in names if name[:4] in ("libr", "lend")]
    union = " union all ".join(counts)
    return (
        history,
        schema,
        place.rows(f"select cast(sum(n) as integer) from ({union}) each")[0][0] if counts else 0,
    )


def writes(start, place):
    """What differs between a project as it was and a copy in which a command ran."""
    what = ["files"] if bytes_of(start, "*/**/*.py") != bytes_of(place, "*/**/*.py") else []
    if on(SQLite=bytes_of(start, "db.sqlite3") == bytes_of(place, "db.sqlite3"), PostgreSQL=False):
        return what
    (history, schema, rows), (recorded, made, left) = database(start), database(place)
    what += ["history"] if history != recorded else []
    what += ["schema"] if schema != made else []
    return [*what, f"**{rows - left} rows lost**"] if left < rows else what


def row(start, typed, line=""):
    """Run one command on a copy. `line` is a part of the printed line to quote: else the last."""
    place = start.clone(f"{start.name.replace(' ', '-').replace(',', '')}-{len(codes)}")
    output = place.attempt(f"python manage.py {typed}")
    assert line in output, f"{typed} prints {line!r}"
    quoted = [said.strip() for said in output.splitlines() if line in said and said.strip()]
    what = writes(start, place)
    codes[typed, start.name], written[typed, start.name] = output.code, what
    code = f"**{output.code}**" if output.code else "0"
    said = shorten(MODULE.sub("", quoted[-1]), 72, placeholder=" …") if quoted else ""
    says = f"`{said}`" if said else "nothing"
    return [f"`{typed}`", start.name, code, says, ", ".join(what) or "nothing"]


# %% [markdown] tags=["setup"]
# What is pending, and what the models say, differs:

# %% tags=["setup"]
done = Sandbox("all applied")
pending = done.clone("two pending")
pending.run("python manage.py migrate library 0004 --verbosity 0")
changed = done.clone("a model changed, no migration")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
changed.replace("library/models.py", COPIES, COPIES.replace("=1", "=2"))
new = done.clone("no database")
new.run(NEW)

# %% [markdown] tags=["setup"]
# Two leaf nodes; a row without a file, with two pending; and a step that has no way back:

# %% tags=["setup"]
notes = done.clone("notes")
notes.run("python manage.py makemigrations library --empty --name notes --verbosity 0")
fork = notes.clone("two leaf nodes")
fork.run("cp library/migrations/0007_notes.py library/migrations/0007_shelf.py")
ghost = notes.clone("a row without a file, two pending")
ghost.run("python manage.py migrate --verbosity 0")
ghost.run("rm library/migrations/0007_notes.py")
ghost.run("python manage.py migrate library 0004 --verbosity 0")
one_way = notes.clone("an irreversible one is applied")
one_way.replace(
    "library/migrations/0007_notes.py",
    "operations = [",
    'operations = [migrations.RunSQL("select 1"),',
)
one_way.run("python manage.py migrate --verbosity 0")

# %% [markdown] tags=["setup"]
# Tables that the history does not know, an app without migrations, and a squash without originals:

# %% tags=["setup"]
unknown = done.clone("lending not recorded")
unknown.run("python manage.py migrate lending zero --fake --verbosity 0")
bare = new.clone("no database, lending without migrations")
bare.run("rm -r lending/migrations")
squash = done.clone("a squash without its originals")
squash.run("python manage.py squashmigrations library 0005 0006 --noinput --verbosity 0")
squash.run("python manage.py migrate --verbosity 0")
squash.run("rm library/migrations/0005_longer_titles.py")
squash.run("rm library/migrations/0006_find_books_by_title.py")

# %% [markdown]
# ## Look, and write nothing
#
# `--check` is for a pipeline: it does not say what is pending. `--plan` is for a person, and pending
# work does not make it fail. Together they do both.

# %%
looking = [
    row(done, "migrate --check"),
    row(pending, "migrate --check"),
    row(new, "migrate --check"),
    row(fork, "migrate --check", "Conflicting"),
    row(changed, "migrate --check"),
    row(done, "migrate library 0004 --check"),
    row(done, "migrate --plan"),
    row(pending, "migrate --plan", "Planned"),
    row(done, "migrate --plan --check"),
    row(pending, "migrate --plan --check", "Planned"),
    row(one_way, "migrate library 0006 --plan"),
]
table("migrate, to look", COLUMNS, looking)

# %% [markdown]
# A model that no migration describes is no concern of `migrate --check`:
# [`makemigrations --check`](options-of-makemigrations.md) is for that.
#
# ## Migrate
#
# **A target before the last applied migration goes back, and does not ask.** `zero` takes every app
# along that depends on this one. Type the same line with `--plan` first. **Rows lost** counts rows
# whose table went. What was in a dropped column is lost too, and is not in the number.

# %%
running = [
    row(done, "migrate"),
    row(changed, "migrate", "have changes"),
    row(pending, "migrate"),
    row(new, "migrate"),
    row(fork, "migrate", "Conflicting"),
    row(pending, "migrate library 0005"),
    row(done, "migrate library 0005"),
    row(done, "migrate library 0003"),
    row(done, "migrate lending zero"),
    row(done, "migrate library zero", "lending.0001"),
    row(one_way, "migrate library 0006", "IrreversibleError"),
    row(done, "migrate library 0009"),
    row(done, "migrate library 000"),
]
table("migrate, to run", COLUMNS, running)

# %% [markdown]
# ## Record, create or clean up
#
# **`--fake` goes back too**: with a target it deletes rows of the history, and the schema stays.
# Read [when it marks too much](../mismatch/faked-too-much.md) before you type it.

# %%
recording = [
    row(pending, "migrate --fake"),
    row(done, "migrate library 0003 --fake"),
    row(unknown, "migrate lending 0001"),
    row(unknown, "migrate lending 0001 --fake-initial"),
    row(new, "migrate lending 0001 --fake-initial"),
    row(bare, "migrate"),
    row(
        bare, "migrate --run-syncdb", on(SQLite="Creating table lending_loan", PostgreSQL="Error: ")
    ),
    row(done, "migrate library --run-syncdb"),
    row(done, "migrate --prune"),
    row(done, "migrate library --prune"),
    row(ghost, "migrate library --prune"),
    row(squash, "migrate library --prune", "Cannot use"),
]
table("migrate, to record or clean up", COLUMNS, recording)

# %% [markdown]
# - **`--fake-initial`** records a first migration whose tables exist, and runs it where they do not.
#   It [compares their names only](../mismatch/fake-initial.md).
# - **`--run-syncdb`** makes the tables of an app that has no migrations. Without it `migrate` leaves
#   them out, with exit code 0. It makes them first, so PostgreSQL stops where one points to a table
#   that a migration has not made yet. Migrate without the option before it.
# - **`--prune`** deletes [rows without a file](../mismatch/name-reused.md), and does not migrate: what
#   was pending still is. Refused because of a squash, it exits 0.

# %%
pruned = ghost.clone("pruned")
pruned.run("python manage.py migrate library --prune")
still = pruned.attempt("python manage.py migrate --check")
left_out = bare.clone("left-out")
left_out.run("python manage.py migrate --verbosity 0")
tables = [name for (name,) in left_out.rows(TABLES) if name.startswith("lending")]
sync = left_out.attempt("python manage.py migrate --run-syncdb --verbosity 0")
back = done.clone("back")
back.run("python manage.py migrate lending 0004 --verbosity 0")
back.run("python manage.py migrate --verbosity 0")
returned = back.rows("select count(returned_on) from lending_loan")
faked = done.clone("faked")
faked.run("python manage.py migrate library 0003 --fake --verbosity 0")
faked.run(
    "python manage.py migrate",
    fails=on(
        SQLite='table "library_genre" already exists',
        PostgreSQL='relation "library_genre" already exists',
    ),
)

# %% tags=["check"]
looked = [what for (typed, _), what in written.items() if "--check" in typed or "--plan" in typed]
assert not any(looked), "--check and --plan write nothing"
check = [code for (typed, _), code in codes.items() if typed == "migrate --check"]
assert check == [0, 1, 1, 1, 0], "it fails for what is pending, not for what models say"
plan = [code for (typed, _), code in codes.items() if typed.endswith("--plan")]
assert plan == [0, 0, 0], "--plan never fails for what is pending"
assert codes["migrate --plan --check", "two pending"] == 1, "together they print and fail"
both = {where for where, what in written.items() if what[:2] == ["history", "schema"]}
assert ("migrate library zero", "all applied") in both, "zero is done without a question"
lost = [len(what) for (typed, _), what in written.items() if typed.endswith(("zero", " 0003"))]
assert lost == [3, 3, 3], "each of the three loses rows"
fakes = [what for (typed, _), what in written.items() if typed.endswith("--fake")]
assert fakes == [["history"], ["history"]], "--fake writes the history, both ways"
assert still.code == 1, "after --prune the same is pending"
assert tables == [], "migrate leaves out an app without migrations"
assert sync.code == 0, "and then --run-syncdb makes its tables"
without = codes["migrate --run-syncdb", "no database, lending without migrations"]
assert without == on(SQLite=0, PostgreSQL=1), "PostgreSQL looks for the table that a key points to"
assert done.rows("select count(returned_on) from lending_loan") == [(2,)], "two came back"
assert returned == [(0,)], "a column that went and came again is empty"
assert codes["migrate library --prune", "a squash without its originals"] == 0
