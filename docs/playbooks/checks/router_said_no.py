# ---
# title: migrate said OK, and the second database has no table
# symptoms:
#   - "no such table: lending_reader"
#   - relation "lending_reader" does not exist
# cause: >-
#   A router said no when that database was migrated. Django printed OK, recorded each migration, and
#   made nothing. To let the app in later changes neither. Nothing is lost: nothing was ever written.
# broken: [history-schema]
# data: untouched
# undo: put back the copy of the second database that you make first
# safe_in: "production: while no deploy migrates that database"
# applied: "elsewhere too: there they ran, here they are only recorded"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %%
from playbook_kit import Sandbox, on

production = Sandbox("production")
archive = production.clone("archive")
KEYS = 'DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"\n'
FILE, SERVER = 'BASE_DIR / "archive.sqlite3"', 'DATABASES["default"]["NAME"] + "_archive"'
SECOND = f'DATABASES["archive"] = DATABASES["default"] | {{"NAME": {on(SQLite=FILE, PostgreSQL=SERVER)}}}\nDATABASE_ROUTERS = ["config.routers.Router"]\n'
DUMP = "pg_dump --format custom library_archive > ../{}.dump".format
RESTORE = "dropdb {0} && createdb {0} && pg_restore --dbname {0} ../{1}.dump".format
MISSING = on(
    SQLite="no such table: lending_{}", PostgreSQL='relation "lending_{}" does not exist'
).format
LOAD = "python manage.py loaddata ../loans.json --database archive"
BOOKS = "select id, title, copies from library_book order by id"
LOANS = "select id, book_id, reader_id, lent_on, due_on from lending_loan order by id"


def look(place=production):
    """The archive as it is now, copied into a second working copy as its only database."""
    if dump := on(SQLite="", PostgreSQL=DUMP("now")):
        place.run(dump)
    copy = f"cp ../{place.name}/archive.sqlite3 db.sqlite3"
    archive.run(on(SQLite=copy, PostgreSQL=RESTORE("library", "now")))
    return archive


def clone(name):
    """A second production, with a copy of both databases."""
    other = production.clone(name)
    if dump := on(SQLite="", PostgreSQL=DUMP("copy")):
        production.run(dump)
        other.run("createdb library_archive && pg_restore --dbname library_archive ../copy.dump")
    return other


# %% [markdown]
# Production has two databases, `default` and `archive`. A router lets one app into `archive`: `library`.

# %% tags=["setup"]
production.replace("config/settings.py", KEYS, SECOND + KEYS)
production.write("config/routers.py", """class Router:
    def allow_migrate(self, db, app_label, **hints):
        return db == "default" or app_label == "library"
""")  # fmt: skip
if create := on(SQLite="", PostgreSQL="createdb library_archive"):
    production.run(create)
said = production.run("python manage.py migrate --database archive | grep lending")
production.run("python manage.py dumpdata library --output ../books.json")
production.run("python manage.py loaddata ../books.json --database archive")
production.run("python manage.py dumpdata lending --output ../loans.json")
production.run(LOAD)

# %% [markdown]
# `OK` seven times, for an app that is not let in. (`loaddata` passes its rows over, too.) The staff
# then correct a number in the archive. Weeks later it is to hold loans, and the router lets `lending` in.

# %% tags=["setup"]
other = "python manage.py shell --verbosity 0 -c \"from library.models import Book; Book.objects.using('archive').filter(pk=3).update(copies=9)\""
production.run(other)
production.replace("config/routers.py", '== "library"', 'in ("library", "lending")')
books, loans = look().rows(BOOKS), production.rows(LOANS)
hasty, alone, synced = (clone(name) for name in ("hasty", "alone", "synced"))

# %% tags=["before"]
look().chain("lending")

# %% [markdown]
# ## Is this your case?
#
# The first row that is to go there stops:

# %%
production.run(LOAD, fails=MISSING("reader"))

# %% [markdown]
# The history of that database says `[X]`, and nothing is left to apply. (The
# pictures are of `archive`, copied into a second working copy as its only database.)

# %%
production.run("python manage.py showmigrations lending --database archive")
production.run("python manage.py migrate --database archive")

# %% [markdown]
# The tables of `library` are there, and none of `lending`:

# %%
there = production.run("python manage.py inspectdb --database archive | grep db_table")

# %% [markdown]
# Which tables does the router let in, and are missing? This script looks in each database:

# %%
production.write("missing_tables.py", """import os
import sys

import django
from django.apps import apps
from django.db import connections, router

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
missing = [
    f"{model._meta.db_table} is missing in {alias}"
    for alias in connections
    for model in apps.get_models(include_auto_created=True)
    if model._meta.can_migrate(connections[alias])
    and router.allow_migrate_model(alias, model)
    and model._meta.db_table not in connections[alias].introspection.table_names()
]
sys.exit("\\n".join(missing) or 0)
""")  # fmt: skip
production.run("python missing_tables.py", fails="lending_reader is missing in archive")

# %% [markdown]
# Only this database, and every table of the app. What does the router say now? With a `(no-op)` it
# still says no, and the next steps change nothing. Here it says yes:

# %%
sql = production.run("python manage.py sqlmigrate lending 0001 --database archive")

# %% [markdown]
# - **`showmigrations` shows `[ ]`:** it is only pending. Migrate it, with `--database`.
# - **Some tables of the app are there,** or only a column is missing: read
#   [migrate has nothing to do, and a table is missing](../mismatch/recorded-but-never-ran.md), and add
#   `--database` to each line.
# - **The rows are there, and in the wrong database:** read
#   [A data migration wrote into the wrong database](../data/other-database.md).
# - **You do not know what each command does there:** see
#   [the table of them](several-databases.md#where-each-command-writes).
#
# No file changes but the router. Look at each place that has this second database.
#
# ## Fix it
#
# Stop deploys, and copy the second database.

# %% tags=["fix"]
production.run(on(SQLite="cp archive.sqlite3 ../archive.sqlite3", PostgreSQL=DUMP("archive")))

# %% [markdown]
# Look at what goes back. It must name this app alone. Of another app that is named and has its tables,
# the rows are true: [record them again](../mismatch/recorded-but-never-ran.md#fix-it) at the end.

# %%
plan = production.run("python manage.py migrate lending zero --plan --database archive")

# %% [markdown]
# Take the rows of the app out of the history of that database. **Look with `--plan` first: it must
# name this app alone. Type `--fake` and `--database`: without both, this drops the tables of `default`.**

# %% tags=["fix"]
production.run("python manage.py migrate lending zero --fake --database archive")

# %% [markdown]
# Now it is pending, and runs for real:

# %% tags=["fix"]
production.run("python manage.py migrate lending --database archive")

# %% [markdown]
# ## Make sure
#
# Nothing is missing, and the loans can be copied. They point at books that were there all the time.

# %%
production.run("python missing_tables.py")
production.run(LOAD)

# %% [markdown]
# Copied into the second working copy, `archive` has a whole chain. It has the loans of `default`, and its
# own number of copies of `Frankenstein`:

# %%
archive = look()

# %% tags=["after"]
archive.chain("lending")

# %%
copied, kept = archive.rows(LOANS), archive.rows(BOOKS)

# %% tags=["check"]
undone = clone("undone")
assert "lending_loan" in undone.run("python manage.py inspectdb --database archive"), "mended"

# %% [markdown]
# ## Undo it
#
# Put the copy back, while nothing uses that database. What was written there since is lost.

# %%
undone.run(
    on(
        SQLite="cp ../archive.sqlite3 archive.sqlite3",
        PostgreSQL=RESTORE("library_archive", "archive"),
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not leave out `--database` and `--fake`.** The two lines look alike. They drop the loans of
# `default`, make an empty table, and leave the archive as it was:

# %%
hasty.run("python manage.py migrate lending zero --verbosity 0")
hasty.run("python manage.py migrate lending --verbosity 0")
lost = hasty.rows("select count(*) as loans from lending_loan")
hasty.run("python manage.py loaddata ../loans.json --database archive", fails=MISSING("reader"))

# %% [markdown]
# **Do not leave out `--fake` alone.** Django then undoes what was never done, and stops:

# %%
alone.run("python manage.py migrate lending zero --database archive", fails="lending")

# %% [markdown]
# **Do not hope for `--run-syncdb`.** It makes tables of apps without migrations only:

# %%
synced.run("python manage.py migrate --run-syncdb --database archive")
synced.run(LOAD, fails=MISSING("reader"))

# %% [markdown]
# ## Why it happens
#
# `migrate` walks through every migration on each database. It asks the router before each operation,
# and what is refused is left out. The migration itself counts as done: it is printed as `OK` and
# gets its row in the `django_migrations` of that database. What has a row is never looked at again,
# so a router that changes its mind changes nothing. On [the chain](../../guide/the-chain.md) of the
# second database the link between history and schema breaks. No check of Django measures it.
#
# ## Keep it from happening
#
# Write the router [before the first `migrate`](../../guide/several-databases.md) of a database. When it
# changes, do these steps in the same deploy. Run `missing_tables.py` there after each one.
#
# **In review, ask:** which apps does this change of a router let in, and where are they recorded?
# **In CI:** nothing sees this: the databases there are new, and the router of today makes their tables.
#
# ## Run it yourself
#
# In the first version of the router, write `in ("library", "lending")` in place of
# `== "library"`. `loaddata` copies the loans, and the playbook stops where the router is to change.

# %% tags=["check"]
assert said.count("... OK") == 7, "the router says no, Django prints OK"
assert [name in there for name in ("library_book", "lending")] == [True, False], "one app alone"
assert "(no-op)" not in sql, "the router says yes now"
assert ("library" in plan, "Undo Create model Loan" in plan) == (False, True), "no other app"
assert (copied, kept) == (loans, books), "the loans are there, and no book has changed"
assert production.rows(LOANS) == loans, "default is as it was"
assert lost == [(0,)], "and without the two options it is empty"
undone.run("python missing_tables.py", fails="lending_loan is missing in archive")
assert look(undone).rows(BOOKS) == books, "undone is as before"
