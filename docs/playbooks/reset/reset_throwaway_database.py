# ---
# title: Throw a development database away and build it again
# symptoms:
#   - >-
#     InconsistentMigrationHistory: Migration lending.0001_initial is applied before its dependency
#     library.0003_book_copies on database 'default'.
# cause: >-
#   Somebody emptied a part of the history by hand, and Django refuses every step. The tables are
#   whole. If no row in them matters, throw the database away and build it again from the files.
# broken: [files-history]
# data: "may be lost: everything in this database, on purpose"
# undo: put the old database back
# safe_in: development only
# applied: here only
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: reset
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
colleague = Sandbox("colleague")
WHICH = (
    'python manage.py shell --verbosity 0 -c "from django.db import connection as c; {}"'.format(
        on(
            SQLite="print(c.vendor, c.settings_dict['HOST'], c.settings_dict['NAME'])",
            PostgreSQL="i = c.cursor().connection.info; "
            "print(c.vendor, i.dbname, 'on', i.host.partition('/')[0] or 'this machine')",
        )
    )
)
GENRES = "python manage.py shell -v 0 -c 'from library.models import Genre; Genre.objects.first()'"
ROWS = (
    "select (select count(*) from library_book) as books, "
    "(select count(*) from lending_loan) as loans"
)
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
NO_GENRES = on(
    SQLite="no such table: library_genre", PostgreSQL='relation "library_genre" does not exist'
)
EXISTS = on(SQLite='table "{}" already exists', PostgreSQL='relation "{}" already exists').format

# %% [markdown]
# A colleague has not migrated for some time: the table of the genres is still to come there.

# %% tags=["setup"]
colleague.run("python manage.py migrate library 0003 --verbosity 0")

# %% [markdown]
# You want to start again with one app, and delete its rows from the history.

# %% tags=["setup"]
laptop.rows("delete from django_migrations where app = 'library'")
flushed = laptop.clone("flushed")
careless = laptop.clone("careless")

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# `migrate` stops, and so do the commands that one tries next.

# %%
laptop.run("python manage.py migrate", fails="InconsistentMigrationHistory")
laptop.run("python manage.py migrate library --fake", fails="InconsistentMigrationHistory")
laptop.run("python manage.py migrate library zero", fails="InconsistentMigrationHistory")

# %% [markdown]
# Your message may be another. A new database ends every trouble that lies in the old one, and none
# that lies in the files. You need to say yes three times.
#
# **Is it the database that you mean?** A variable in your shell may point to another. Ask Django:

# %%
which = laptop.run(WHICH)

# %% [markdown]
# **Does nothing in it matter, to anybody?** If one row does, keep the database: read
# [history out of order](../mismatch/history-out-of-order.md) for this message, or find yours in
# [the list](../../error-texts.md). Is it the one that others work with? Then it is not
# yours to throw away.
#
# **Are the files in order?** This lists what is not as in Git. It may name a migration that you
# have made, and no deleted one:

# %%
laptop.run("git status --short")

# %% [markdown]
# Files are missing? [Take them from Git](reset-history-keep-data.md) first. A migration of yours is
# wrong, and not pushed? [Take it back](undo-unpushed.md).
#
# ## Fix it
#
# **Everything in this database goes. Ask Django first which one it is, as above.** Stop the
# development server. What you move away, or dump, is the way back. **`dropdb` reads no settings of
# Django: give it the host and the user of that database.**

# %% tags=["fix"]
laptop.run(
    on(
        SQLite="mv db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump && " + NEW,
    )
)

# %% [markdown]
# **Keep the migration files.** They build the tables. If `migrate` stops now, on an empty database,
# the trouble lies in them: [put the old database back](#undo-it), and mend the files.

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# Fill it. This project has a command for that. If yours has none, `createsuperuser` is the least.

# %% tags=["fix"]
laptop.run("python manage.py seed")

# %% [markdown]
# ## Make sure
#
# All three links hold, and no file has changed.

# %% tags=["after"]
laptop.chain()

# %%
laptop.run("python manage.py migrate --check && python manage.py makemigrations --check --noinput")
files = laptop.run("git status --short")
now = laptop.rows(ROWS)

# %% [markdown]
# ## Undo it
#
# Put the old database back, with its rows and its trouble.

# %%
undone = laptop.clone("undone")
undone.run(
    on(
        SQLite="mv ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
undone.run("python manage.py migrate", fails="InconsistentMigrationHistory")

# %% [markdown]
# ## What not to do
#
# **`flush` does not help.** It empties the tables, and leaves the history as it is:

# %%
flushed.run("python manage.py flush --noinput")
flushed.run("python manage.py migrate", fails="InconsistentMigrationHistory")
emptied = flushed.rows(ROWS)

# %% [markdown]
# **Do not delete the migration files too.** On your machine all goes well, and you push:

# %%
careless.run(NEW)
careless.run("rm library/migrations/0*.py lending/migrations/0*.py")
careless.run("python manage.py makemigrations library lending --verbosity 0")
careless.run("python manage.py migrate --verbosity 0")
careless.run("git add . && git commit --quiet --message 'Fresh migrations' && git push --quiet")

# %% [markdown]
# The new `0001_initial` makes the table of the genres too. Your colleague has never had it. But a
# migration of that name is recorded there, so Django takes the new one as applied:

# %%
colleague.run("git pull --quiet && python manage.py migrate")
colleague.run("python manage.py migrate --check && python manage.py makemigrations --check")
colleague.run(GENRES, fails=NO_GENRES)

# %% [markdown]
# ## Why it happens
#
# The files are the recipe, and the database is what one run of it made. History and schema lie in
# the database: two of the four places of [the chain](../../guide/the-chain.md). Throw it away, and
# both are gone together and are built together again. Delete rows of the history, and it no
# longer fits the schema; `flush` deletes data and changes neither. Delete the files, and you take the recipe from every
# database that is not yours.
#
# ## Keep it from happening
#
# Have a command that fills an empty database, and start anew often: then nothing in it ever
# matters. In CI, on an empty database, this line proves that the files alone build what the models
# need. It does not see the state of any database that exists.
#
# ```bash
# python manage.py migrate && python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# In the setup, delete the rows of `lending` instead. The playbook stops at the first command: it
# fails with another message, that `lending_reader` already exists. The same fix would mend it.

# %% tags=["check"]
fresh = Sandbox("fresh")
assert now == fresh.rows(ROWS), "the rows are those of a new project"
assert files == "", "no file of the project has changed"
assert on(SQLite="sqlite", PostgreSQL="postgresql library on") in which, "Django tells which it is"
assert not undone.chain().whole, "the old database is back, with its trouble"
assert undone.rows(ROWS) == now, "and with its rows"
assert emptied == [(0, 0)], "flush has emptied the tables"
assert "table library_genre is missing" in colleague.chain(), "the colleague's database is broken"

# %% tags=["check"]
# The line for CI, with a file that was never committed.
CI = "python manage.py migrate && python manage.py makemigrations --check --noinput"
fresh.run(NEW + " && " + CI)
fresh.run(NEW + " && rm library/migrations/0006_find_books_by_title.py")
found = fresh.run(CI, fails="Create index library_book_title")
assert "0006" in found, "CI sees the file that is missing"
# The other message that the page names, and the same fix.
other = Sandbox("other")
other.rows("delete from django_migrations where app = 'lending'")
other.run("python manage.py migrate", fails=EXISTS("lending_reader"))
other.run(NEW + " && python manage.py migrate && python manage.py seed")
assert other.chain().whole, "a new database ends that trouble too"
