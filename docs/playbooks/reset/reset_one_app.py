# ---
# title: Reset one app while others depend on it
# symptoms:
#   - >-
#     NodeNotFoundError: Migration lending.0001_initial dependencies reference nonexistent
#     parent node ('library', '0003_book_copies')
#   - "ValueError: Dependency on app with no migrations: library"
#   - >-
#     InconsistentMigrationHistory: Migration lending.0001_initial is applied before its dependency
#     library.0001_initial on database 'default'.
# cause: >-
#   The migration files of one app are gone, and a migration of another app names one of them as its
#   parent. Tables and rows are whole.
# broken: [files-history]
# data: untouched
# undo: put back the files from Git and the copy of the database
# safe_in: "development only: each database is pruned by hand"
# applied: "elsewhere too: in full, in every database, before you start"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: reset
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
colleague = Sandbox("colleague")
BOOKS = "select id, title, isbn, copies from library_book order by id"
LOANS = "select id, book_id, due_on, returned_on from lending_loan order by id"
COUNT = (
    "select (select count(*) from library_book) as books, "
    "(select count(*) from lending_loan) as loans"
)

# %% [markdown]
# You want one new first migration for `library`, and delete its six files. `lending` is to stay as
# it is.

# %% tags=["setup"]
books, loans = laptop.rows(BOOKS), laptop.rows(LOANS)
laptop.run("rm library/migrations/0*.py")
restored = laptop.clone("restored")

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# Every command that loads migrations stops, the one that should write the new file too:

# %%
laptop.run("python manage.py makemigrations library", fails="NodeNotFoundError")

# %% [markdown]
# Who names a migration of `library`? This prints each such line. (The dots stand for the quotes.)

# %%
laptop.run("git grep '(.library., ' -- '*/migrations/*.py'")

# %% [markdown]
# **Was it only to tidy up?** Take the files back, and stop here. If you go on, take them back too:
# before they go, both checks must pass in every database of the project.

# %%
restored.run("git restore library/migrations")
restored.run("python manage.py migrate --check && python manage.py makemigrations --check")
careless = restored.clone("careless")

# %% [markdown]
# - **You ran `migrate library zero`**: the rows of both apps are gone, as
#   [below](#what-not-to-do). Only a backup has them.
# - **Production, or a database that you cannot reach**:
#   [squash](../squashing/squash-in-two-releases.md).
# - **The other app is to start again too**: [reset both](reset-history-keep-data.md).
# - **Nothing in the database matters**: [build it again](reset-throwaway-database.md).
# - **The two apps refer to each other**: one new file cannot come before and after the other app.
#   [Reset both](reset-history-keep-data.md).
#
# ## Fix it
#
# **With the old files, `migrate --check` must have passed in every database.** Copy yours.

# %% tags=["fix"]
laptop.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Repoint each line of the list. `__first__` stands for the first migration of an app, whatever its
# name. The new one has no file yet, so a name would not be found.

# %% tags=["fix"]
laptop.replace("lending/migrations/0001_initial.py", '"0003_book_copies"', '"__first__"')

# %% [markdown]
# From here until the file is written, `migrate` has another complaint:

# %%
laptop.run("python manage.py migrate", fails="Dependency on app with no migrations")

# %% [markdown]
# Write the new file. **The new file must have the name of the old first migration.** That one is
# recorded, so Django takes the new one as applied. With another name, the next command stops with
# `InconsistentMigrationHistory`. If yours was not `0001_initial`, give the name with `--name`.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library")

# %%
hasty = laptop.clone("hasty")

# %% [markdown]
# What was written by hand in the old files, a `RunPython` or SQL, is not in it:
# [find it](reset-history-keep-data.md), and copy what a new database needs.
#
# Delete the rows whose files are gone. The first stays. **Then do the same on every other database.**

# %% tags=["fix"]
laptop.run("python manage.py migrate library --prune")

# %% [markdown]
# Commit both files together. Every other database goes through the same:

# %%
undone = laptop.clone("undone")
laptop.run("git add . && git commit --quiet --message 'One first migration' && git push --quiet")
colleague.run("python manage.py migrate --check")
colleague.run("git pull --quiet && python manage.py migrate library --prune --verbosity 0")

# %% [markdown]
# **One that was behind stays behind, and no check tells**, as
# [here](reset-throwaway-database.md#what-not-to-do). A branch with a migration on top of an old
# file [misses its parent](../conflicts/missing-parent.md).
#
# ## Make sure
#
# The one new file amounts to the tables that are there, and an empty database can be built.

# %% tags=["after"]
laptop.chain()

# %%
laptop.run("python manage.py migrate --check && python manage.py makemigrations --check --noinput")
fresh = laptop.clone("fresh")
fresh.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
fresh.run("python manage.py migrate --verbosity 0")
now = laptop.rows(LOANS)

# %% [markdown]
# ## Undo it
#
# Before you commit: old files over the new, and the copy.

# %%
undone.run("git restore library/migrations lending/migrations")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not empty the app with `migrate library zero`.** To take a migration back, Django first takes
# back all that depends on it. The plan tells, here cut to the other app:

# %%
plan = careless.run("python manage.py migrate library zero --plan | grep lending")

# %% [markdown]
# The command itself does not ask. The loans are gone with the books:

# %%
faked = careless.clone("faked")
careless.rows(COUNT)
careless.run("python manage.py migrate library zero --verbosity 0")
careless.run("python manage.py migrate --verbosity 0")
lost = careless.rows(COUNT)

# %% [markdown]
# **With `--fake` the rows stay, and the record of `lending` goes.** `--fake-initial` brings back
# the first of its seven migrations. The second runs again:

# %%
faked.run("python manage.py migrate library zero --fake --verbosity 0")
faked.run("rm library/migrations/0*.py")
faked.replace("lending/migrations/0001_initial.py", '"0003_book_copies"', '"__first__"')
faked.run("python manage.py makemigrations library --verbosity 0")
faked.run(
    "python manage.py migrate --fake-initial",
    fails=on(
        SQLite="duplicate column name: due_on",
        PostgreSQL='column "due_on" of relation "lending_loan" already exists',
    ),
)

# %% [markdown]
# **Do not delete all rows of the app either.** Then `lending` is recorded before its parent, and
# `--fake` is refused as well. Put back the row:

# %%
hasty.rows("delete from django_migrations where app = 'library'")
hasty.run("python manage.py migrate library --fake", fails="InconsistentMigrationHistory")
hasty.rows(
    "insert into django_migrations (app, name, applied) "
    "values ('library', '0001_initial', current_timestamp)"
)
hasty.run("python manage.py migrate --check")

# %% [markdown]
# ## Why it happens
#
# An app is not alone in [the chain](../../guide/the-chain.md). A foreign key to its table becomes a
# line in `dependencies` of the other app, with the name of one file. Django reads the files of all
# apps before it does anything, so a name without a file stops it. The history has the same order:
# no row may be there before that of its parent.
#
# ## Keep it from happening
#
# Squash the migrations of an app, and delete no file that another one names. In CI,
# this line fails on a name without a file. It does not see which rows a database has.
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# In “Fix it”, write `"0001_initial"` in place of `"__first__"`. The playbook stops at the next
# command: `NodeNotFoundError` again, with another name.

# %% tags=["check"]
assert now == loans, "no loan has changed"
assert laptop.rows(BOOKS) == books, "and no book"
left = laptop.rows("select name from django_migrations where app = 'library'")
assert left == [("0001_initial",)], "the first migration is still recorded, and no other"
assert colleague.chain().whole, "the second database is whole"
assert fresh.chain().whole, "the new file builds a new database"
assert undone.chain().whole, "undoing it brings back all that was there"
assert hasty.chain().whole, "so does the row that is put back"
assert plan.count("lending.") == 7, "all of the other app would go"
assert lost == [(0, 0)], "and all rows went"
assert faked.rows(LOANS) == loans, "with --fake the rows stay"
assert "lending.0007_unique_reader_email" in str(faked.chain().pending), "and the record is gone"

# %% tags=["check"]
# The wrong name, the line for CI, and an app on which no other depends.
named = laptop.clone("named")
named.run("mv library/migrations/0001_initial.py library/migrations/0001_first.py")
named.run("python manage.py migrate library --prune", fails="InconsistentMigrationHistory")
ci = Sandbox("ci")
alone = ci.run("python manage.py migrate lending zero --plan")
assert "library." not in alone, "a leaf takes no other app with it"
ci.run("rm library/migrations/0*.py")
ci.run("python manage.py makemigrations --check --noinput", fails="NodeNotFoundError")
