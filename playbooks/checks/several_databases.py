# ---
# title: What each command does with two databases
# answer: >-
#   Each database has a history and a schema of its own, and a command works on `default` unless you
#   name another. What a router refuses is still printed as `OK` and recorded. A `RunPython` that
#   does not name its database writes into `default`.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# The settings name two databases, `default` and `archive`, and both start empty. The project has 31
# migrations, which make 15 tables; the table of the history is one more.
#
# ## Where each command writes
#
# The first column says which apps a router lets into `archive`. The rows follow each other, and
# start again with an empty `archive` where the table says so.

# %%
from playbook_kit import Sandbox, on, table

both = Sandbox("both")
KEYS = 'DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"\n'
ROUTED = f'DATABASE_ROUTERS = ["config.routers.Router"]\n{KEYS}'
MIGRATE = "python manage.py migrate"
CHECK = "python manage.py migrate --check"
DUMP = "pg_dump --format custom library_archive > ../archive.dump"
RESTORE = "pg_restore --dbname library_archive ../archive.dump"
printed = []


def count(place):
    """What is in each of the two databases: rows of the history, tables, genres."""
    return [line.split(", ") for line in place.run("python count.py").splitlines()]


def typed(allowed, place, line, meaning):
    """A row of the first table: one command, and what the databases hold after it."""
    printed.append(place.attempt(line))
    cells = [f"{recorded}, {tables}" for recorded, tables, _ in count(place)]
    return [allowed, f"`{line[17:]}`", str(printed[-1].code), *cells, meaning]


def clone(place, name):
    """A second place, with a copy of both databases: on SQLite the archive is a file of the place."""
    other = place.clone(name)
    copies = {place: DUMP, other: f"createdb library_archive && {RESTORE}"}
    for here, line in on(SQLite={}, PostgreSQL=copies).items():
        assert here.carry_out(line).code == 0, line
    return other


# %% [markdown] tags=["setup"]
# A second database, and a script that counts:

# %% tags=["setup"]
FILE, SERVER = 'BASE_DIR / "archive.sqlite3"', 'DATABASES["default"]["NAME"] + "_archive"'
NAME = on(SQLite=FILE, PostgreSQL=SERVER)
second = f'DATABASES["archive"] = DATABASES["default"] | {{"NAME": {NAME}}}\n'
both.replace("config/settings.py", KEYS, second + KEYS)
SCRIPT = """\
import os

import django
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
for alias in ("default", "archive"):
    rows = {}
    with connections[alias].cursor() as cursor:
        for name in connections[alias].introspection.table_names(cursor):
            cursor.execute(f"select count(*) from {name}")
            rows[name] = cursor.fetchone()[0]
    recorded, genres = rows.get("django_migrations", 0), rows.get("library_genre", 0)
    print(f"{recorded} recorded, {len(rows)} table{'s' * (len(rows) != 1)}, {genres}")
"""
both.write("count.py", SCRIPT)
NEW = "dropdb library && createdb library && createdb library_archive"
both.run(on(SQLite="rm db.sqlite3", PostgreSQL=NEW))

# %%
rows = [
    typed("no router", both, MIGRATE, "`default` alone"),
    typed("no router", both, CHECK, "green: `archive` is not asked"),
    typed("no router", both, f"{CHECK} --database archive", "now it is, and stops"),
]

# %% [markdown] tags=["setup"]
# A router for each of two apps:

# %% tags=["setup"]
ROUTER = """\
class Router:
    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return db == "default" or app_label == "library"
"""
routed = clone(both, "routed")
routed.replace("config/settings.py", KEYS, ROUTED)
routed.write("config/routers.py", ROUTER)
linked = clone(routed, "linked")
pending = clone(routed, "pending")
linked.replace("config/routers.py", '"library"', '"lending"')

# %%
ARCHIVE = f"{MIGRATE} --database archive"
GREEN = f"{CHECK} --database archive"
rows.append(typed("no router", both, ARCHIVE, "every app again, recorded again"))
sql = routed.run("python manage.py sqlmigrate lending 0001 --database archive")
plan = routed.run(f"{ARCHIVE} --plan | grep -v 'Raw Python'")
rows.append(typed("`library`, empty `archive`", routed, ARCHIVE, "`OK` 31 times, four tables"))
routed.replace("config/routers.py", '== "library"', 'in ("library", "lending")')
KEY = on(SQLite="a key to a table that is not there", PostgreSQL="stops: no table for its key")
FAKE = "python manage.py migrate lending zero --fake --database archive"
rows += [
    typed("`library`, `lending`", routed, ARCHIVE, "`No migrations to apply`"),
    typed("`library`, `lending`", routed, GREEN, "green over missing tables"),
    typed("`library`, `lending`", routed, FAKE, "the rows are taken back"),
    typed("`library`, `lending`", routed, FAKE.replace("zero --fake ", ""), "two more tables"),
    typed("`lending`, empty `archive`", linked, ARCHIVE, KEY),
]
columns = ["in `archive`", "what you type", "exit code", "`default`", "`archive`", "what it means"]
table("Where each command writes", columns, rows)

# %% [markdown]
# - **A router that changes its mind changes nothing.** What it refused is recorded as applied and
#   never runs: [recorded, never run](../mismatch/recorded-but-never-ran.md). **Before `--fake`, see
#   with `--plan` what else it takes back**: rows of apps that depend on this one.
# - **`sqlmigrate lending 0001 --database archive` tells you before**: each operation that the router
#   refuses is a `(no-op)`. `migrate --plan` lists it like any other.
# - **Django does not refuse a key across two databases**, as in the last row. On SQLite the first loan
#   stops with `no such table`, on PostgreSQL `migrate` with `relation "library_book" does not exist`.
#
# ## Which command looks at the second database
#
# The cells are exit codes.

# %% [markdown] tags=["setup"]
# An archive whose history is out of order:

# %% tags=["setup"]
UNRECORD = "from django.db import connections; from django.db.migrations.recorder import *; MigrationRecorder(connections['archive']).record_unapplied('library', '0005_longer_titles')"
disordered = clone(both, "disordered")
disordered.run(f'python manage.py shell --verbosity 0 -c "{UNRECORD}"')
guarded = clone(disordered, "guarded")
guarded.replace("config/settings.py", KEYS, ROUTED)
guarded.write("config/routers.py", ROUTER)
closed = clone(guarded, "closed")
closed.replace("config/routers.py", ' or app_label == "library"', "")

# %%
STATES = {
    "31 pending, a router lets an app in": pending,
    "out of order, no router": disordered,
    "out of order, a router lets an app in": guarded,
    "out of order, a router lets none in": closed,
}
AUTODETECT = "python manage.py makemigrations --check --noinput"


def said(place, line):
    """The exit code of a command at this place, and the error of a history out of order."""
    output = place.attempt(line)
    error = ": `InconsistentMigrationHistory`" if "InconsistentMigrationHistory" in output else ""
    return f"**{output.code}**{error}" if output.code else "0"


looked = [
    [f"`{line[17:]}`", *(said(place, line) for place in STATES.values())]
    for line in (AUTODETECT, CHECK, GREEN)
]
table("Which command looks at the second database", ["`archive` is", *STATES], looked)

# %% [markdown]
# With a router, `makemigrations` asks each database that takes an app whether its history is in
# order. It never asks what is pending.
#
# ## Where a `RunPython` writes
#
# Both databases have all tables and no genre; a migration adds one. The cells count the genres in
# `default` and in `archive`, first after `migrate --database archive`, then after `migrate`.

# %% [markdown] tags=["setup"]
# The variants:

# %% tags=["setup"]
POETRY = "library/migrations/0007_poetry.py"
MIGRATION = """\
from django.db import migrations


def add_poetry(apps, schema_editor):
    Genre = apps.get_model("library", "Genre")
    Genre.objects.create(name="Poetry")


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(add_poetry)]
"""
poetry = clone(both, "poetry")
poetry.write(POETRY, MIGRATION)
stops = clone(poetry, "stops")
stops.replace(POETRY, '(name="Poetry")\n', '(name="Poetry")\n    raise ValueError("no")\n')
named = clone(poetry, "named")
named.replace(POETRY, "objects.", "objects.using(schema_editor.connection.alias).")
by_app = clone(named, "by-app")
by_app.replace("config/settings.py", KEYS, ROUTED)
by_app.write("config/routers.py", ROUTER.replace("library", "lending"))
by_model = clone(by_app, "by-model")
by_model.replace("config/routers.py", 'app_label == "lending"', 'model_name == "genre"')
hinted = clone(by_model, "hinted")
hinted.replace(POETRY, "(add_poetry)", '(add_poetry, hints={"model_name": "genre"})')

# %%
NONE, APP, MODEL = "no router", "takes `lending`", "takes the model `genre`"
VARIANTS = {
    ("`Genre.objects`", NONE, "twice into `default`"): poetry,
    ("`Genre.objects`, then an error", NONE, "stays: `archive` alone rolls back"): stops,
    ("`Genre.objects.using(schema_editor.connection.alias)`", NONE, "one in each"): named,
    ("the same", APP, "recorded, not run"): by_app,
    ("the same", MODEL, "recorded, not run"): by_model,
    ('the same, `hints={"model_name": "genre"}`', MODEL, "one in each"): hinted,
}


def genres(place, line):
    """The genres in each database after this command, and whether it stopped."""
    stopped = place.attempt(line).code
    return " + ".join(found for *_, found in count(place)) + (", **stops**" if stopped else "")


written = [
    [code, router, genres(place, ARCHIVE), genres(place, MIGRATE), meaning]
    for (code, router, meaning), place in VARIANTS.items()
]
columns = ["the function", "router", f"`{ARCHIVE[17:]}`", "then `migrate`", "what it means"]
table("Where a RunPython writes", columns, written)

# %% [markdown]
# - **Name the database in every query** of the function.
# - **A router is told no model when it is asked about a `RunPython`**, unless `hints` names one. One
#   that decides by model refuses them all.

# %% tags=["check"]
held = [(0, 0)] * 3 + [(31, 16)] + [(31, 5)] * 3 + [(24, 5), (31, 7)]
held.append(on(SQLite=(31, 3), PostgreSQL=(20, 1)))
archive = [f"{recorded} recorded, {n} table{'s' * (n != 1)}" for recorded, n in held]
assert [cells[4] for cells in rows] == archive, "archive"
assert {cells[3] for cells in rows} == {"31 recorded, 16 tables"}, "default has it all, and stays"
codes = [*"001000000", on(SQLite="0", PostgreSQL="1")]
assert [cells[2] for cells in rows] == codes, "a check by name stops, and on PostgreSQL the key"
assert printed[4].count("... OK") == 31, "what the router refuses is printed as OK"
assert "No migrations to apply" in printed[5], "a router that changes its mind changes nothing"
assert sql.count("-- (no-op)") == 2, "sqlmigrate knows of the router"
assert "Create model Loan" in plan, "the plan does not"
back = both.run("python manage.py migrate library zero --plan --database archive")
assert "Undo Create model Loan" in back, "the plan tells which other apps are taken back"
STOPS = "**1**: `InconsistentMigrationHistory`"
(autodetect, check, green) = [cells[1:] for cells in looked]
assert autodetect == ["0", "0", STOPS, "0"], "it looks where a router lets an app in"
assert (check, green) == (["0"] * 4, ["**1**", STOPS, STOPS, STOPS]), "migrate looks at one"
HALF, NAMED = ["1 + 0, **stops**"] * 2, ["0 + 1", "1 + 1"]
GENRES = [["1 + 0", "2 + 0"], HALF, NAMED, ["0 + 0", "1 + 0"], ["0 + 0", "1 + 0"], NAMED]
assert [cells[2:4] for cells in written] == GENRES, "name the database, and hint at the model"
recorded = [count(place)[1][0] for place in (by_app, by_model)]
assert recorded == ["32 recorded"] * 2, "what the router refused is recorded in archive"
LEND = "from lending.models import *; Loan.objects.using('archive').create(reader_id=1, book_id=1, lent_on='2026-01-05', due_on='2026-01-19')"
GONE = on(SQLite="no such table: main.library_book", PostgreSQL='"lending_loan" does not exist')
MISSING = 'relation "library_book" does not exist'
assert (MISSING in printed[-1]) == on(SQLite=False, PostgreSQL=True), "PostgreSQL refuses the key"
linked.run(f'python manage.py shell -v 0 -c "{LEND}"', fails=GONE)
