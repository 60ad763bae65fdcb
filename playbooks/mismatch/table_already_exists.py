# ---
# title: "migrate stops: the table already exists"
# symptoms:
#   - table "library_genre" already exists
#   - "duplicate column name: returned_on"
# cause: >-
#   The schema is ahead of the history: rows of django_migrations are gone, so Django runs again
#   what it ran long ago. If it stops at the first migration, nothing is lost.
# broken: [history-schema]
# data: untouched
# undo: put back the copy of the database that you make first
# safe_in: production
# databases: [SQLite]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop")
BOOKS = (
    "select title, isbn, copies, count(genre_id) as genres from library_book b "
    "left join library_book_genres g on g.book_id = b.id group by b.id order by b.id"
)

# %% [markdown]
# Your database has everything up to `0005`. The newest migration, `0006`, came with the last pull.

# %% tags=["setup"]
laptop.run("python manage.py migrate library 0005 --verbosity 0")
books = laptop.rows(BOOKS)

# %% [markdown]
# A colleague tidies the history by hand, and deletes two rows too many.

# %% tags=["setup"]
laptop.rows("delete from django_migrations where app = 'library' and name >= '0004'")
careless = laptop.clone("careless")
hasty = laptop.clone("hasty")

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# `migrate` stops at a migration that ran long ago.

# %%
laptop.run("python manage.py migrate", fails='table "library_genre" already exists')

# %% [markdown]
# PostgreSQL says `relation "library_genre" already exists` (seen there, not on this page). Where
# the first migration without a row adds a nullable column, the message names the column:

# %%
other = Sandbox("other")
other.rows("delete from django_migrations where app = 'lending' and name >= '0005'")
other.run("python manage.py migrate", fails="duplicate column name: returned_on")

# %% [markdown]
# **Read the lines above the error.** A line `Applying … OK` for an old migration means that it
# ran a second time, and may have reset a column: see [What not to do](#what-not-to-do).
#
# Do not run `migrate` again. The plan names what has no row:

# %%
plan = laptop.run("python manage.py migrate --plan")

# %% [markdown]
# For each of these, oldest first: is its *whole* effect in the database? `0004` should have made
# these two tables and three indexes:

# %%
wanted = laptop.run("python manage.py sqlmigrate library 0004")
there = laptop.rows(
    "select sql from sqlite_master where tbl_name in ('library_genre', 'library_book_genres') "
    "order by rowid"
)

# %% [markdown]
# All five are there. `0005` makes `title` 200 characters long, `0006` adds an index:

# %%
title = laptop.rows("select type from pragma_table_info('library_book') where name = 'title'")
index = laptop.rows("select name from sqlite_master where name = 'library_book_title'")

# %% [markdown]
# So `0004` and `0005` are done, and `0006` is not. On PostgreSQL, `\d library_book` shows the same.
#
# - **Part of one migration's effect is missing**: do not fake that one, it would never be
#   finished. Complete or undo it by hand first.
# - **The data of a `RunPython` counts as effect**: look for it too.
# - **The error names a squash**: read
#   [Squash in two releases](../squashing/squash-in-two-releases.md).
# - **You deleted the files and made new ones**: read
#   [Reset the history, keep the data](../reset/reset-history-keep-data.md).
#
# Each database has its own history. This page mends one; no file changes, nothing is pushed.

# %% [markdown]
# ## Fix it
#
# Stop what writes to the database, then copy it: on SQLite the file, elsewhere with the
# database's own tool.

# %% tags=["fix"]
laptop.run("cp db.sqlite3 before.sqlite3")

# %% [markdown]
# Record the first migration, without running it. **`--fake` also records every earlier one that
# has no row**, and with an older target than the last recorded one it goes backwards. So go one
# at a time, oldest first, and stop before the first that is not done.

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0004 --fake")

# %% [markdown]
# Record the next one, which you compared too.

# %% tags=["fix"]
second = laptop.run("python manage.py migrate library 0005 --fake")

# %% [markdown]
# Apply the rest for real: the index is missing, and only running `0006` makes it.

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# History and schema agree, and every row is as it was.

# %% tags=["after"]
laptop.chain("library")

# %%
now = laptop.rows(BOOKS)

# %% [markdown]
# ## Undo it
#
# Put the copy back, while nothing uses the database. What was written since is lost.

# %%
undone = laptop.clone("undone")
undone.run("cp before.sqlite3 db.sqlite3")
undone.run("python manage.py showmigrations library")

# %% [markdown]
# ## What not to do
#
# **The usual advice: “Find the most recent working migration, then apply remaining migrations
# normally.”** The first command goes backwards. It takes rows away that were right, and those of
# the other app with them:

# %%
careless.run("python manage.py migrate library 0001 --fake")

# %% [markdown]
# The second one adds two columns that exist. SQLite builds the table again for each, prints `OK`,
# and **resets `isbn` and `copies` to their defaults**. Then it stops where you began.

# %%
full = careless.rows("select title, isbn, copies from library_book order by id limit 3")
careless.run("python manage.py migrate library", fails='table "library_genre" already exists')
reset = careless.rows("select title, isbn, copies from library_book order by id limit 3")

# %% [markdown]
# PostgreSQL and MariaDB refuse the first of the two columns and keep the data (measured there,
# not on this page). The advice is right in one case: the schema stands exactly at `0001`, and no
# applied migration of another app builds on this app.
#
# **A bare `migrate --fake`** records `0006` as well. Every command is content, and the index is
# missing for good:

# %%
hasty.run("python manage.py migrate --fake")
hasty.run("python manage.py migrate --check")
faked = hasty.chain("library")

# %% [markdown]
# ## Why it happens
#
# Django never asks the database which tables exist. It runs what has a file and no row in
# `django_migrations`. Rows get lost when someone deletes them by hand, when that one table is
# restored from an older day, or when a dump brings tables without their history. On
# [the chain](../../guide/the-chain.md) the link between history and schema is broken. `--fake`
# moves the history and nothing else, so it mends the link only where the schema is already right.
#
# ## Keep it from happening
#
# Leave `django_migrations` alone, and restore a database whole, never table by table. CI builds a
# new database and cannot see this. Print the plan of the real one as the first step of a deploy,
# and stop when it names an old migration:
#
# ```bash
# python manage.py migrate --plan
# ```
#
# ## Run it yourself
#
# Take out the first line of the setup, so that the index exists too. The last command of the fix
# now stops with `index library_book_title already exists`: fake `0006` before it.

# %% tags=["check"]
assert now == books, "the fix changes no row"
assert [len(there), len(title), len(index)] == [5, 1, 0], "two are done, one is not"
assert all(sql in wanted for (sql,) in there), "0004 is there whole"
assert "0004" not in second, "each migration is faked by itself, after a look at it"
assert laptop.chain().whole, "all apps are whole, not this one alone"
assert "table library_genre exists" in undone.chain("library"), "undone is as before"
assert [row[1:] for row in reset] == [("", 1)] * 3 != full, "the usual advice reset two columns"
assert "table lending_loan exists" in careless.chain(), "and lost the history of the other app"
assert "index on library_book (title) is missing" in faked, "faking all hides a missing index"

# %% [markdown]
# The one case in which the usual advice is right:

# %% tags=["check"]
exact = Sandbox("exact")
exact.run("python manage.py migrate library 0001 --verbosity 0")
exact.rows("delete from django_migrations where app = 'library'")
exact.run("python manage.py migrate library 0001 --fake --verbosity 0")
exact.run("python manage.py migrate --verbosity 0")
assert exact.chain().whole, "the schema stood at 0001, and no other app was applied"
