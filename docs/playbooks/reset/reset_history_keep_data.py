# ---
# title: "Migration files deleted or in a mess: keep the data"
# symptoms:
#   - >-
#     NodeNotFoundError: Migration library.0004_genre dependencies reference nonexistent
#     parent node ('library', '0003_book_copies')
#   - >-
#     NodeNotFoundError: Migration lending.0001_initial dependencies reference nonexistent
#     parent node ('library', '0003_book_copies')
#   - "UNIQUE constraint failed: django_content_type.app_label, django_content_type.model"
#   - >-
#     duplicate key value violates unique constraint
#     "django_content_type_app_label_model_76bd3d3b_uniq"
# cause: >-
#   Migration files are gone that others build on, so Django cannot load any of them. Tables and
#   rows are whole. If Git has the files, take them back. Else start files and history anew, and
#   leave the data where it is.
# broken: [files-history, history-schema]
# data: untouched
# undo: put back the copy of the database, and the files from Git
# safe_in: "development only: every database of the project goes through it by hand"
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: reset
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
COPY = on(
    SQLite="cp db.sqlite3 ../{}.sqlite3", PostgreSQL="pg_dump --format custom library > ../{}.dump"
).format
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")

# %% [markdown]
# Somebody tidies up: two old migrations have been applied everywhere, so their files go.

# %% tags=["setup"]
laptop.run("rm library/migrations/0002_book_isbn.py library/migrations/0003_book_copies.py")
laptop.run("git add . && git commit --quiet --message 'Remove old migrations' && git push --quiet")
colleague = laptop.clone("colleague")
restored = laptop.clone("restored")
repointed = laptop.clone("repointed")

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# Every command that loads migrations stops at a parent that is gone.

# %%
laptop.run("python manage.py migrate", fails="NodeNotFoundError")

# %% [markdown]
# **Does Git have the files?** Then take them back, here from the commit before the deletion, and
# stop: this is the whole fix.

# %%
laptop.run("git log --format=%s --diff-filter=D --name-only -- library/migrations")
restored.run("git restore --source HEAD~1 library/migrations")
restored.run("python manage.py migrate --check")

# %% [markdown]
# **Is the newest file alone gone, and was it never pushed?** Then read
# [Take back a migration that you have not pushed](undo-unpushed.md), and not on.
#
# Read on if they were never committed, or if no commit has a set that fits your database.
#
# **Do the tables fit the models?** The new files are written from the models. This command reads
# every column that they name, and stops if one is missing. (It does not see constraints and
# indexes.)

# %%
laptop.run("python manage.py dumpdata > ../before.json")

# %% [markdown]
# **Which apps?** Those whose files go, and every app whose migrations depend on one of them. Here
# these are `library` and `lending`.
#
# **Does nothing in the database matter?** [Throw it away](reset-throwaway-database.md), and keep or
# fetch the files. If they are gone for good, every other database still needs this page.
#
# **Another page is yours** if the files load and only rows are left over
# ([ghost migration](../mismatch/ghost-migration.md)), if
# [a table already exists](../mismatch/table-already-exists.md), or if a database is shared or in
# production: get the files back, then [squash](../squashing/squash-in-two-releases.md) or
# [reset databases that stay](reset-live-databases.md).
#
# ## Fix it
#
# **Only if Git does not have the files.** No dump and no load: the rows stay where they are. Stop
# everything that writes, and copy the database. **Without this copy there is no way back.**

# %% tags=["fix"]
laptop.run(COPY("before-reset"))

# %% [markdown]
# Delete what the history says of these apps, and of these alone. No table changes.

# %% tags=["fix"]
laptop.rows("delete from django_migrations where app in ('library', 'lending')")

# %% [markdown]
# **What was written by hand is not written again.** Find it before it goes.

# %%
laptop.run('cat library/migrations/0*.py lending/migrations/0*.py | grep "migrations.Run"')

# %% [markdown]
# `fill_due_on` filled rows that are older than its column. They are filled, and a new database has
# no such rows: it can go. What every new database needs, such as first rows, an index or a trigger
# in SQL, you copy into a migration after the new first one.
#
# Now delete the files, but not `__init__.py`. **Files that Git does not have: copy them away first.**

# %% tags=["fix"]
laptop.run("rm library/migrations/0*.py lending/migrations/0*.py")

# %% [markdown]
# Write new ones, for all these apps in one command.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library lending")

# %% [markdown]
# Record them. **Each must say `FAKED`.** Here `--fake-initial` looks at the names of tables only;
# whether the rest fits is checked below.

# %% tags=["fix"]
laptop.run("python manage.py migrate --fake-initial")

# %% [markdown]
# Every other database of the project must go through the same: copy it, delete these rows of its
# history, fetch the new files, record them. One that was behind stays behind, and both checks of
# Django are green over it: compare it first, as above.

# %%
undone = laptop.clone("undone")
laptop.run("git add . && git commit --quiet --message 'Start migrations anew' && git push --quiet")
colleague.run(COPY("colleague-before-reset"))
colleague.rows("delete from django_migrations where app in ('library', 'lending')")
colleague.run("git pull --quiet --no-rebase")
colleague.run("python manage.py migrate --fake-initial")

# %% [markdown]
# ### The old files still load
#
# If you want a new start all the same, migrate everything first: `migrate --check` and
# `makemigrations --check` must pass. Then Django can take back the record itself, as long as the
# old files are there. **Do not forget `--fake`: without it, this drops the tables.** And it takes
# back every other app that depends on these, without a question.

# %%
tidy = restored.clone("tidy")
tidy.run(COPY("tidy-before-reset"))
tidy.run("python manage.py migrate lending zero --fake --verbosity 0")
tidy.run("python manage.py migrate library zero --fake --verbosity 0")
tidy.run("rm library/migrations/0*.py lending/migrations/0*.py")
tidy.run("python manage.py makemigrations library lending --verbosity 0")
tidy.run("python manage.py migrate --fake-initial")

# %% [markdown]
# ## Make sure
#
# The last link is the one to look at: the new files amount to the schema that is there. In your
# project, run `migrate` on an empty database and compare the two schemas with the database's tool.
# Columns may stand in another order. On PostgreSQL a unique constraint may have another name: Django
# finds it by its columns.

# %% tags=["after"]
laptop.chain()

# %%
laptop.run("python manage.py migrate --check && python manage.py makemigrations --check --noinput")

# %% [markdown]
# The rows are those of before: the two dumps do not differ.

# %%
laptop.run("python manage.py dumpdata > ../after.json")
laptop.run("git diff --no-index ../before.json ../after.json")

# %% [markdown]
# ## Undo it
#
# What was written into the database since the copy is lost. Before you commit: put back the copy,
# and the old files over the new.

# %%
undone.run(
    on(
        SQLite="cp ../before-reset.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before-reset.dump",
    )
)
undone.run("git restore library/migrations lending/migrations")

# %% [markdown]
# ## What not to do
#
# **Do not point the orphans at another parent.** Everything loads again. Then Django misses the
# two columns in the files and adds them once more. On SQLite that prints `OK` and sets each row
# to the default. PostgreSQL refuses, and keeps the values.

# %%
repointed.replace("library/migrations/0004_genre.py", "0003_book_copies", "0001_initial")
repointed.replace("lending/migrations/0001_initial.py", "0003_book_copies", "0001_initial")
repointed.run("python manage.py makemigrations library --name isbn_and_copies")
repointed.rows("select title, isbn, copies from library_book order by id limit 2")
repointed.run(
    "python manage.py migrate",
    fails=on(SQLite=None, PostgreSQL='column "copies" of relation "library_book" already exists'),
)
emptied = repointed.rows("select title, isbn, copies from library_book order by id limit 2")

# %% [markdown]
# **Do not follow the usual five steps**: dump, delete the files, `makemigrations`,
# `migrate --fake-initial`, load. On an app that others depend on, the third step fails, and the
# files are gone.

# %%
careless = restored.clone("careless")
careless.run("python manage.py dumpdata > data_backup.json")
careless.run('find library/migrations -name "*.py" | grep -v "__init__.py" | xargs rm')
careless.run("python manage.py makemigrations library", fails="NodeNotFoundError")

# %% [markdown]
# On an app that no other depends on, the fourth step does nothing: an `0001_initial` is recorded.

# %%
leaf = restored.clone("leaf")
leaf.run('find lending/migrations -name "*.py" | grep -v "__init__.py" | xargs rm')
leaf.run("python manage.py makemigrations lending")
leaf.run("python manage.py migrate lending --fake-initial")

# %% [markdown]
# The hand-written `fill_due_on` is gone, and the rows of the deleted files stay as ghosts. A new
# migration that takes the name of one counts as applied: here a loan may lack a date, says the
# model, and the column still refuses it.

# %%
leaf.replace(
    "lending/models.py", "due_on = models.DateField()", "due_on = models.DateField(null=True)"
)
leaf.run("python manage.py makemigrations lending --name loan_due_on")
leaf.run("python manage.py migrate lending")
leaf.run("python manage.py makemigrations --check --noinput")
leaf.chain("lending")

# %% [markdown]
# The fifth step, on a new database, fails as well. The new files create the models in another
# order, so the content types have other numbers there.

# %%
new = laptop.clone("new")
new.run(NEW)
new.run("python manage.py migrate --verbosity 0")
new.run("cp ../careless/data_backup.json data_backup.json")
new.run(
    "python manage.py loaddata data_backup.json",
    fails=on(SQLite="UNIQUE constraint failed", PostgreSQL="violates unique constraint"),
)

# %% [markdown]
# ## Why it happens
#
# A migration file is not used up when it has been applied. Each names its parents, and Django
# loads all files before it does anything, to work out the models at each step. So no file can go
# while another names it, and none while its row is in `django_migrations`: on
# [the chain](../../guide/the-chain.md), files and history are two records of the same steps. A
# reset must replace both, in all apps that depend on each other, and must not touch the schema.
#
# ## Keep it from happening
#
# Never delete a migration file that has been applied anywhere; commit each with its model change.
# In CI, this line fails when a parent is missing:
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Leave `'lending'` out of the first `delete`. `makemigrations` then stops with
# `InconsistentMigrationHistory`, because a migration of `lending` is recorded before its parent.

# %% tags=["check"]
assert laptop.chain().whole, "files, history and schema agree, and no ghost is left"
SCHEMA = on(
    SQLite="select type, name, sql from sqlite_master order by type, name",
    PostgreSQL="select table_name, column_name, data_type, is_nullable from information_schema.columns "
    "where table_schema = 'public' union select tablename, indexname, indexdef, '' from pg_indexes "
    "where schemaname = 'public' order by 1, 2",
)
assert laptop.rows(SCHEMA) == undone.rows(SCHEMA), "the reset changed no table"
assert colleague.chain().whole, "the second database is whole"
assert tidy.chain().whole, "so is the one that went the way of --fake"
fresh = laptop.clone("fresh")
fresh.run(f"{NEW} && python manage.py migrate --verbosity 0")
assert fresh.chain().whole, "the new files build a new database"
COLUMNS = on(
    SQLite="select name from pragma_table_info('library_book')",
    PostgreSQL="select column_name from information_schema.columns where table_name = 'library_book' "
    "order by ordinal_position",
)
assert fresh.rows(COLUMNS) != laptop.rows(COLUMNS), "there the columns stand in another order"
UNIQUE = on(
    SQLite="select name from sqlite_master where tbl_name = 'lending_reader' order by 1",
    PostgreSQL="select indexname from pg_indexes where tablename = 'lending_reader' order by 1",
)
same = fresh.rows(UNIQUE) == laptop.rows(UNIQUE)
assert same == on(SQLite=True, PostgreSQL=False), "and a constraint has another name"
later = laptop.clone("later")
later.replace("lending/models.py", "EmailField(unique=True)", "EmailField()")
later.run("python manage.py makemigrations lending -v 0 && python manage.py migrate -v 0")
assert later.chain().whole, "Django finds it all the same"
assert restored.chain().whole, "with the files from Git nothing is broken"
assert not undone.chain().whole, "undoing it brings back the mess"

# %% tags=["check"]
assert emptied[1] == on(SQLite=("Emma", "", 1), PostgreSQL=("Emma", "9780141439587", 5)), (
    "two columns were reset, on SQLite alone"
)
assert "column lending_loan.due_on refuses NULL" in leaf.chain(), "a ghost swallowed a migration"
