# ---
# title: "migrate stops: the table already exists"
# symptoms:
#   - table "library_genre" already exists
#   - "duplicate column name: returned_on"
#   - relation "library_genre" already exists
#   - column "returned_on" of relation "lending_loan" already exists
# cause: >-
#   The schema is ahead of the history: Django runs again what it ran long ago, because the row in
#   django_migrations is gone. If it stops at the first migration, nothing is lost.
# broken: [history-schema]
# data: "may be lost: if an old migration printed OK above the error; else untouched"
# undo: put back the copy of the database that you make first
# safe_in: "production: once each migration is compared with the schema"
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
EXISTS = on(
    SQLite='table "library_genre" already exists', PostgreSQL='relation "library_genre" already'
)
COLUMN = on(SQLite="duplicate column name: {}", PostgreSQL='column "{}" of relation').format
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

# %% [markdown]
# The deploy runs `migrate`. It stops at a migration that ran long ago:

# %% tags=["setup"]
laptop.run("python manage.py migrate", fails=EXISTS)

# %% [markdown]
# When the first migration without a row adds a nullable column, the message names the column:

# %% tags=["setup"]
other = Sandbox("other")
other.rows("delete from django_migrations where app = 'lending' and name >= '0005'")
other.run("python manage.py migrate", fails=COLUMN("returned_on"))

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# `migrate` stopped at a migration that ran on this database long ago.
# **Do not run it again.** Read what it printed above the error:
#
# - **`OK` after an old migration**: stop. It ran a second time. On SQLite that one
#   [dropped every column added later](recorded-but-never-ran.md#what-not-to-do) to the tables that it
#   built again. Do not fake. Restore the backup from before the deploy, then come back.
# - **No `OK`, or after new ones only**: on SQLite and PostgreSQL the one that stopped changed nothing,
#   because a migration is one transaction. With `atomic = False`, or
#   [on MariaDB](../production/no-transactional-ddl.md), the half that ran stays:
#   [A migration stopped half-way](half-applied.md).
# - **The migration that stopped is new here**: did it fail here before? Then it
#   [stopped half-way](half-applied.md). Did it run here under another number? Then it
#   [was renumbered](../conflicts/applied-then-rebased.md). Did a branch that you left make the same?
#   Then [the database kept it](ghost-migration.md). Else
#   [somebody changed the schema with SQL](schema-changed-by-hand.md).
# - **The tables are older than the app's migrations**: read
#   [Your database had tables before it had migrations](fake-initial.md).
# - **The database was restored from a dump**: [it is that of another day](restored-from-a-dump.md).
# - **Somebody typed `--fake`**: [it marked more than it should](faked-too-much.md), or it went
#   backwards, as [below](#what-not-to-do).
# - **The error names a squash**: read
#   [migrate runs the squash on tables that exist](../squashing/originals-deleted-too-early.md).
# - **You deleted the files and made new ones**: read
#   [Migration files were deleted or are a mess](../reset/reset-history-keep-data.md).
#
# This mends one database. No file changes and there is nothing to push; look at each of the others
# by itself, because each has its own history.
#
# ## Fix it
#
# **An old migration said `OK` above the error? Stop here and restore the backup.**
#
# Stop what writes to the database and copy it:

# %% tags=["fix"]
laptop.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# The plan names what has no row, and changes nothing:

# %% tags=["fix"]
planned = laptop.run("python manage.py migrate --plan")

# %% [markdown]
# Take them one by one, oldest first: is its *whole* effect in the database? `0004` makes two
# tables and their indexes, and all are there:

# %%
wanted = laptop.run("python manage.py sqlmigrate library 0004")
there = laptop.rows(
    on(
        SQLite="select sql from sqlite_master where tbl_name in ('library_genre', 'library_book_genres') order by rowid",
        PostgreSQL="select indexname from pg_indexes where tablename in ('library_genre', 'library_book_genres') order by 1",
    )
)

# %% [markdown]
# For a column, `sqlmigrate` on SQLite may print a whole new table: look only at the column. `0005`
# makes `title` 200 characters long. It is. `0006` adds an index. There is none:

# %%
COLUMNS = on(
    SQLite="select type from pragma_table_info('library_book') where name = '{}'",
    PostgreSQL="select character_maximum_length from information_schema.columns where table_name = 'library_book' and column_name = '{}'",
).format
title = laptop.rows(COLUMNS("title"))
index = laptop.rows(
    on(
        SQLite="select name from sqlite_master where name = 'library_book_title'",
        PostgreSQL="select indexname from pg_indexes where indexname = 'library_book_title'",
    )
)

# %% [markdown]
# **Only a part is there? Do not fake it: the rest never comes.**
# [Complete it, or take the part away](half-applied.md).
#
# A `RunPython` is in no schema; look for what it did to the rows. If you cannot see it: is a later
# migration that depends on it in the schema? Then it ran. Else ask the deploy log or a backup.
# **Unsure whether a `RunPython` ran? Never run it a second time.**
#
# **Fake only what you have compared and found whole.** Record the first, without running it.
# **`--fake` records every earlier one without a row too, and goes backwards to a recorded one.**
# So name them one at a time, oldest first, and look at what is left after each.

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0004 --fake")

# %%
left = laptop.run("python manage.py migrate --plan")

# %% [markdown]
# Record the next one. You have seen its effect too.

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0005 --fake")

# %%
last = laptop.run("python manage.py migrate --plan")

# %% [markdown]
# Stop here: the index is not there. Apply the rest for real.
# **Run this only if `migrate --plan` names nothing that the database has.**

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# History and schema agree, and every row is as it was.

# %% tags=["after"]
laptop.chain("library")

# %%
laptop.run("python manage.py migrate --plan")
now = laptop.rows(BOOKS)

# %% [markdown]
# ## Undo it
#
# Put the copy back, while nothing uses the database. What was written since is lost.

# %%
undone = laptop.clone("undone")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
undone.run("python manage.py showmigrations library")

# %% [markdown]
# ## What not to do
#
# **The usual advice**: “Find the most recent working migration. Then apply remaining migrations
# normally.” The first command goes backwards. It takes away rows that were right, and all rows of
# the other app with them:

# %%
careless.run("python manage.py migrate library 0001 --fake")

# %% [markdown]
# The second adds two columns that exist. SQLite builds the table again, prints `OK`, and **resets
# `isbn` and `copies` to their defaults**. Then it stops where you began. PostgreSQL refuses the
# first of the two and keeps the data.

# %%
full = careless.rows("select title, isbn, copies from library_book order by id limit 3")
careless.run("python manage.py migrate library", fails=on(SQLite=EXISTS, PostgreSQL=COLUMN("isbn")))
reset = careless.rows("select title, isbn, copies from library_book order by id limit 3")

# %% [markdown]
# The advice is right in one case: the schema is exactly at `0001`, and no applied migration of
# another app depends on this one.
#
# **A bare `migrate --fake`** records everything that is left, in every app. `migrate --check` finds
# nothing to do, and the index never comes:

# %%
hasty.run("python manage.py migrate --fake")
hasty.run("python manage.py migrate --check")

# %%
hasty.chain("library")

# %% [markdown]
# ## Why it happens
#
# Django does not ask the database which tables exist. It runs what has a file and no row in
# `django_migrations`. Rows get lost when someone deletes them, or when that one table is restored
# from an older day. On [the chain](../../guide/the-chain.md) the link between history and schema
# is broken. `--fake` writes history and nothing else, so it mends the link only where the schema
# is right already.
#
# ## Keep it from happening
#
# Leave `django_migrations` alone, and restore a database whole, never table by table. CI builds a
# new database and cannot see this. Let the deploy print the plan on the real one first, and stop
# when it names an old migration:
#
# ```bash
# python manage.py migrate --plan
# ```
#
# ## Run it yourself
#
# Take out the first command of the setup, so that the index exists too. The last command of the
# fix then stops with `index library_book_title already exists`: now `0006` is one to fake as well.

# %% tags=["check"]
assert now == books, "the fix changes no row"
assert planned.count("library.000") == 3, "the plan names what has no row"
text = laptop.run("python manage.py sqlmigrate library 0005")
assert on(SQLite="new__library_book", PostgreSQL="varchar(200)") in text, "for a column"
assert title[0][0] == on(SQLite="varchar(200)", PostgreSQL=200), "the column is as 0005 makes it"
assert [len(there), index] == [5, []], "two are done, one is not"
assert all(row[-1] in wanted for row in there if "pkey" not in row[-1]), "0004 is there whole"
assert "0005" in left, "each migration is faked by itself"
assert "0004" not in left, "and the first one first"
assert "0005" not in last, "one is left to run, no more"
assert laptop.chain().whole, "all apps are whole, not this one alone"
assert not laptop.chain().pending, "and nothing is left to apply"
assert "table library_genre exists" in undone.chain("library"), "undone is as before"
assert ([row[1:] for row in reset] == [("", 1)] * 3) == (reset != full), "two columns were reset"
assert (reset != full) == on(SQLite=True, PostgreSQL=False), "on SQLite alone"
assert "table lending_loan exists" in careless.chain(), "and lost the history of the other app"
assert "index on library_book (title) is missing" in hasty.chain(), (
    "faking all hides a missing index"
)

# %% tags=["check"]
# The one case in which the usual advice is right.
exact = Sandbox("exact")
exact.run("python manage.py migrate library 0001 --verbosity 0")
exact.rows("delete from django_migrations where app = 'library'")
exact.run("python manage.py migrate library 0001 --fake --verbosity 0")
exact.run("python manage.py migrate --verbosity 0")
assert exact.chain().whole, "the schema stood at 0001, and no other app was applied"

# %% tags=["check"]
# OK above the error: what ran a second time has dropped the column that was added later.
ran = Sandbox("ran")
copies = "    copies = models.PositiveIntegerField(default=1)\n"
ran.replace("library/models.py", copies, copies + "    shelf = models.TextField(null=True)\n")
ran.run("python manage.py makemigrations library --name book_shelf --verbosity 0")
ran.run("python manage.py migrate --verbosity 0")
ran.rows("delete from django_migrations where app = 'library' and name >= '0002'")
ran.rows("delete from django_migrations where app = 'lending'")
printed = ran.run(
    "python manage.py migrate library", fails=on(SQLite=EXISTS, PostgreSQL=COLUMN("isbn"))
)
assert ("0002_book_isbn... OK" in printed) == on(SQLite=True, PostgreSQL=False), "it ran again"
assert len(ran.rows(COLUMNS("shelf"))) == on(SQLite=0, PostgreSQL=1), "and dropped the column"
