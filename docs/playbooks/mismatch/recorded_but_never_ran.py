# ---
# title: migrate has nothing to do, and a table is missing
# symptoms:
#   - "no such table: library_genre"
#   - "no such column: library_book.isbn"
#   - relation "library_genre" does not exist
#   - column library_book.isbn does not exist
# cause: >-
#   The history says that a migration is applied, and it never ran on this database: someone faked
#   it. Nothing is lost by that. On SQLite the usual repair can lose what newer migrations hold.
# broken: [history-schema]
# data: untouched
# undo: put back the copy of the database that you make first
# safe_in: "production: while no deploy and no other migrate runs"
# applied: "elsewhere too: there it ran, here it is only recorded"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

production = Sandbox("production")
column = Sandbox("column-missing")
GENRES = (
    'python manage.py shell --verbosity 0 -c "from library.models import Genre; '
    'print(Genre.objects.count())"'
)
FIRST = (
    'python manage.py shell --verbosity 0 -c "from library.models import Book; '
    'print(Book.objects.first())"'
)
TABLE = on(SQLite="no such table: {}", PostgreSQL='relation "{}" does not exist').format
COLUMN = on(SQLite="no such column: {}", PostgreSQL="column {} does not exist").format
# The columns of library_book.
COLUMNS = on(
    SQLite="select name from pragma_table_info('library_book') order by name",
    PostgreSQL="select column_name as name from information_schema.columns where table_name = 'library_book' order by 1",
)

# %% [markdown]
# A deploy stopped at `0004` some weeks ago. Somebody typed `--fake` to get past it. The migrations
# after it ran.

# %% tags=["setup"]
production.run("python manage.py migrate library 0003 --verbosity 0")
production.run("python manage.py migrate library 0004 --fake")
production.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# The next release adds a column, and the staff fill it in.

# %% tags=["setup"]
production.replace(
    "library/models.py",
    "    copies = models.PositiveIntegerField(default=1)\n",
    "    copies = models.PositiveIntegerField(default=1)\n"
    '    shelf = models.CharField(max_length=20, default="hall")\n',
)
production.run("python manage.py makemigrations library --name book_shelf --verbosity 0")
production.run("python manage.py migrate --verbosity 0")
production.rows("update library_book set shelf = 'A3' where author_id = 1")
production.run("git add . && git commit --quiet --message 'Shelf of a book'")
books = production.rows("select id, title, isbn, copies, shelf from library_book order by id")
hasty = production.clone("hasty")
really = production.clone("really")
deleted = production.clone("deleted")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# Your code asks for a table, or for a column, that is not there:

# %%
production.run(GENRES, fails=TABLE("library_genre"))

# %% [markdown]
# And no command of Django sees anything left to do:

# %%
production.run("python manage.py makemigrations --check --noinput")
production.run("python manage.py migrate")

# %% [markdown]
# If something is pending and a *table* is missing, copy the database, apply it, and look again. If a
# *column* is missing, do not migrate: SQLite may [lose more](#what-not-to-do). Compare this database
# with a new one that really ran every migration. Make it in a second working copy of the same commit.
# **That copy needs a database of its own: the first line deletes it.**

# %%
fresh = production.clone("fresh")
fresh.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
fresh.run("python manage.py migrate --verbosity 0")
fresh.run("python manage.py inspectdb > ../wanted.py")

# %%
production.run("python manage.py inspectdb > ../there.py")
production.run("git diff --no-index ../wanted.py ../there.py | grep '^[-+].*db_table'")

# %% tags=["check"]
diff = production.run("git diff --no-index --unified=0 ../wanted.py ../there.py", fails="db_table")
assert [diff.count(it) for it in ("-class", "\n@@", "\n+")] == [2, 1, 1], "two tables, no more"

# %% [markdown]
# Two tables are missing. (Read the lines that `grep` leaves out, too: here they are all of these two.
# `inspectdb` shows no indexes; a column that only stands in another place is no difference.)
# `sqlmigrate` tells which migration makes them:

# %%
made = production.run("python manage.py sqlmigrate library 0004 | grep '^-- '")

# %% [markdown]
# - **One `migrate --fake` recorded many migrations at once:** read
#   [`--fake` marked too much](faked-too-much.md).
# - **A part of what the migration makes is there:** read
#   [A migration stopped half-way](half-applied.md). After `--fake-initial`, read
#   [An old database meets its first migrations](fake-initial.md).
# - **The file is newer than the row:** its name may be [an old one, used again](name-reused.md),
#   or it was [edited after it was applied](edited-after-applying.md).
#
# No file changes, and there is nothing to push. Compare every other database by itself.
#
# ## Fix it
#
# **Stop deploys: on SQLite a plain migrate between these commands resets columns.** Copy the
# database.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# **Go on only if the missing migration makes new tables and nothing else.** If it adds or changes a
# column, an index or a constraint of a table that newer migrations changed, on SQLite the next
# commands drop what those added: write it with SQL, as below.
#
# Go back to the migration before the missing one, in the history alone. Keep the list: `0005` to
# `0007` are true. They lose their rows because they stand on `0004`.
# **This line needs `--fake`. Without it, the newer columns are dropped.**

# %% tags=["fix"]
taken = production.run("python manage.py migrate library 0003 --fake")

# %% [markdown]
# Run the missing one, and only that one, for real.

# %% tags=["fix"]
production.run("python manage.py migrate library 0004")

# %% [markdown]
# **Record again what the first command listed, and nothing else.** If it listed other apps, do the
# same for them.

# %% tags=["fix"]
production.run("python manage.py migrate library 0007 --fake")

# %% [markdown]
# **A column is missing**, and newer migrations changed its table: on SQLite, running the migration
# again [drops the newer columns](#what-not-to-do). Leave the history as it is, on PostgreSQL too.
# `sqlmigrate` shows how Django defines the column; add it with one statement.

# %%
column.run("python manage.py migrate library 0004 --verbosity 0")
column.rows("alter table library_book drop column isbn")
again = column.clone("again")
onward = column.clone("onward")
column.run(FIRST, fails=COLUMN("library_book.isbn"))

# %%
column.rows("alter table library_book add column isbn varchar(13) not null default ''")
column.run(FIRST)

# %% [markdown]
# ## Make sure
#
# The tables are there, the comparison is empty, and no book changed.

# %% tags=["after"]
production.chain("library")

# %%
production.run(GENRES)
production.run("python manage.py inspectdb > ../there.py")
production.run("git diff --no-index ../wanted.py ../there.py")
now = production.rows("select id, title, isbn, copies, shelf from library_book order by id")

# %% [markdown]
# ## Undo it
#
# Put the copy back, while nothing uses the database. What was written since is lost.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not unrecord and then migrate without a target.** All that stood on `0004` runs a second time.
# SQLite builds the table again, stops nowhere, and sets `shelf` to its default. `A3` is gone.
# PostgreSQL keeps `A3`. It stops at the index of `0006`, and `0006` and `0007` have no row now.

# %%
hasty.run("python manage.py migrate library 0003 --fake --verbosity 0")
hasty.run(
    "python manage.py migrate --verbosity 0",
    fails=on(SQLite=None, PostgreSQL='relation "library_book_title" already exists'),
)
reset = hasty.rows("select title, shelf from library_book where author_id = 1 order by id")

# %% [markdown]
# **Do not delete the row.** Newer migrations stand on it, and every `migrate` now refuses:

# %%
deleted.rows("delete from django_migrations where app = 'library' and name = '0004_genre'")
deleted.run("python manage.py migrate", fails="is applied before its dependency")

# %% [markdown]
# **Do not run an old `AddField` again on SQLite.** It builds the table as it was that day.
# `isbn` comes, and `copies` goes with all its numbers. PostgreSQL adds `isbn` and keeps `copies`:

# %%
again.run("python manage.py migrate library 0001 --fake --verbosity 0")
again.run("python manage.py migrate library 0002 --verbosity 0")
left = again.rows("select * from library_book where id = 3")

# %% [markdown]
# **Do not migrate on while a column is missing.** The next migration that builds the table again
# copies `"isbn"`. SQLite finds no such column and takes the word for a text. PostgreSQL changes
# `title`, and no value of the other columns:

# %%
onward.run("python manage.py migrate library 0005 --verbosity 0")
words = onward.rows("select * from library_book order by id limit 2")

# %% [markdown]
# On SQLite every book now has the ISBN `isbn`, and the chain is whole: the column exists, and nothing
# measures what is in it. On PostgreSQL the column is still missing.
#
# ## Why it happens
#
# `migrate` does not ask the database what exists. It reads `django_migrations`, and runs what has no
# row there. `--fake` writes such rows and runs nothing. A migration that is recorded is not looked
# at again, whatever the schema says: on [the chain](../../guide/the-chain.md) the link between
# history and schema is broken, and no check of Django measures it. The error comes on the day on
# which someone opens the page that needs the table.
#
# ## Keep it from happening
#
# Never type `--fake` to get past an error. Before it, compare: the whole effect must be there. CI
# builds a new database and cannot see this. Run the comparison on the real one after each deploy;
# the last line fails on missing tables and columns, and does not see indexes or rows:
#
# ```bash
# git diff --no-index ../wanted.py ../there.py
# ```
#
# ## Run it yourself
#
# In the fix, write `0005` in place of `0007`. The playbook stops at its last checks: the index and
# the column of `0006` and `0007` are there, and no row says so.

# %% tags=["check"]
assert now == books, "the fix changes no row"
assert "Create model Genre" in made, "0004 makes the one"
assert "Add field genres to book" in made, "and the other"
assert [taken.count(f"000{n}") for n in (4, 5, 6, 7)] == [1, 1, 1, 1], "four rows were taken away"
assert "lending" not in taken, "of this app alone"
assert production.chain().whole, "all apps are whole, not this one alone"
assert not production.chain().pending, "and nothing is left to apply"
undone.run(GENRES, fails=TABLE("library_genre"))  # undone is as before
hall = on(SQLite={"hall"}, PostgreSQL={"A3"})
assert {shelf for _, shelf in reset} == hall, "SQLite alone resets the newer column"
assert hasty.chain().whole == on(SQLite=True, PostgreSQL=False), "and no check shows it"
assert "" in left[0], "running AddField again made the column"
assert len(left[0]) == on(SQLite=4, PostgreSQL=5), "and on SQLite dropped a newer one"
assert ["isbn" in row for row in words] == [on(SQLite=True, PostgreSQL=False)] * 2, "a text"
assert onward.chain().whole == on(SQLite=True, PostgreSQL=False), "and nothing shows it afterwards"

# %% tags=["check"]
# A missing column is mended by SQL alone, and the database goes on from there.
assert column.chain().whole, "the added column is the one that Django wants"
assert '"isbn" varchar(13)' in column.run("python manage.py sqlmigrate library 0002"), "shown"
column.run("python manage.py migrate --verbosity 0")
kept = column.rows("select id, title, copies from library_book order by id")
assert kept == [(n, title, copies) for n, title, _, copies, _ in books], "no number is lost"
assert column.chain().whole, "and it stays whole"

# %% tags=["check"]
# What the comparison sees and does not see; and what going back without --fake does.
fresh.rows("drop index library_book_title")
fresh.run(
    "python manage.py inspectdb > ../there.py && git diff --no-index ../wanted.py ../there.py"
)
fresh.rows("alter table library_book drop column isbn")
fresh.run("python manage.py inspectdb > ../there.py")
fresh.run("git diff --no-index ../wanted.py ../there.py", fails="-    isbn = ")
really.run(
    "python manage.py migrate library 0003",
    fails=on(SQLite=TABLE, PostgreSQL='table "{}" does not exist'.format)("library_book_genres"),
)
assert ("shelf",) not in really.rows(COLUMNS), "a real way back drops the newer column, and stops"
