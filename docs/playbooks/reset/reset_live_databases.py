# ---
# title: Reset the migration files and keep production's data
# symptoms:
#   - "no such column: lending_loan.returned_on"
#   - column lending_loan.returned_on does not exist
# cause: >-
#   New first migrations were pushed under the names of old ones. Every database counts them as
#   applied, and one that was behind never gets what it lacked. No data is lost, and no command of
#   Django says that anything is wrong.
# broken: [files-history, history-schema]
# data: untouched
# undo: git revert and `migrate --fake` for each app, until a newer migration is applied; or the copy
# safe_in: "production: if you can reach every database"
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: reset
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
staging = Sandbox("staging")
production = Sandbox("production")
COPY = on(
    SQLite="cp db.sqlite3 ../{}.sqlite3", PostgreSQL="pg_dump --format custom library > ../{}.dump"
).format
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
NO_COLUMN = on(SQLite="no such column", PostgreSQL="returned_on does not exist")
PENDING = 'python manage.py showmigrations --plan | grep "\\[ \\]"'
PRUNE = (
    "python manage.py migrate library --prune -v 0 && python manage.py migrate lending --prune -v 0"
)

# %% [markdown]
# Production is up to date. Staging is three migrations of `lending` behind.

# %% tags=["setup"]
staging.run("python manage.py migrate lending 0004 --verbosity 0")

# %% [markdown]
# On your laptop you delete the old files, write new ones, and push. No command has an objection.

# %% tags=["setup"]
laptop.run("rm library/migrations/0*.py lending/migrations/0*.py")
laptop.run("python manage.py makemigrations library lending -v 0 && python manage.py migrate -v 0")
laptop.run("git add . && git commit --quiet --message 'Start migrations anew'")
branch = laptop.clone("branch")
laptop.run("git push --quiet")
for place in (staging, production):
    place.run("git pull --quiet --no-rebase")
forgotten = staging.clone("forgotten")
careless = staging.clone("careless")
pruned = production.clone("pruned")

# %% tags=["before"]
staging.chain("lending")

# %% [markdown]
# ## Is this your case?
#
# Staging never gets the three migrations. Their files are gone, and `0001_initial`, the old one, is
# recorded. Both checks pass, and reading fails:

# %%
staging.run("python manage.py migrate --check && python manage.py makemigrations --check --noinput")
staging.run("python manage.py dumpdata lending > ../loans.json", fails=NO_COLUMN)

# %% [markdown]
# Production works, with a row left for each file that is gone.
#
# - **You have not pushed a reset yet**: nothing is broken. Start at “Fix it”, without the revert.
# - **You can squash**: [squash in two releases](../squashing/squash-in-two-releases.md) instead.
#   [Which of the two?](../squashing/squash-or-reset.md)
# - **You cannot reach every database**, such as those of your users: only a squash is possible.
# - **All databases are for development**: read
#   [Migration files were deleted or are a mess](reset-history-keep-data.md), or
#   [throw the database away](reset-throwaway-database.md).
# - **Apps outside the reset depend on these**: reset them too, in the same commands, or squash.
#
# ## Fix it
#
# ### Take the files back
#
# With the old files, a database that has only fetched the reset can go on. **Not pushed a reset yet?
# Then leave the revert out.** The tag is for backups, and for databases that you forget: they pass
# through it later.

# %% tags=["fix"]
laptop.run(
    "git revert --no-commit ':/Start migrations anew'"
    " && git commit --quiet --message 'The old migrations are back'"
)

# %% tags=["fix"]
laptop.run("git tag old-migrations && git push --quiet origin main old-migrations")

# %% [markdown]
# ### Bring every database to the same point
#
# The new files stand for the last of the old ones, so each database must get there first. Make a list:
# production, staging, each laptop. Copy each, and look before you migrate.

# %% tags=["fix"]
for place in (staging, production):
    place.run(COPY(f"{place.name}-old"))
    place.run("git pull --quiet --no-rebase && python manage.py migrate --plan")

# %% [markdown]
# **Does a plan name a column or a table that exists? Do not migrate that database.** Rows of its
# history were deleted or pruned. On SQLite, `migrate` prints `OK`, and
# [sets the column to its default](reset-history-keep-data.md#what-not-to-do) in each row. PostgreSQL
# refuses, and keeps the values. Put back a copy from before. Without one, record the old names of
# each app, up to the last one whose work is there: `migrate library 0006 --fake`. Does a command say
# `InconsistentMigrationHistory`? [Insert the rows](../mismatch/history-out-of-order.md). Then look at
# the plan again.

# %% tags=["fix"]
for place in (staging, production):
    place.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# ### Write the new files
#
# What was written by hand, a `RunPython` or SQL, is not written again:
# [find it, and copy what a new database needs](reset-history-keep-data.md#fix-it).
#
# Your own database must be at this point too, and the models as well: the new files are written from
# them. The second line stops before it deletes anything if one is not.

# %% tags=["fix"]
laptop.run(COPY("laptop-old"))
laptop.run(
    "python manage.py migrate --check && python manage.py makemigrations --check --noinput"
    " && rm library/migrations/0*.py lending/migrations/0*.py"
)

# %% [markdown]
# All apps of the reset go in one command. **Give the new files a name that no database has recorded.**
# A database that you forget then stops, instead of counting them as applied.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library lending --name fresh_start --verbosity 0")

# %% [markdown]
# Rehearse on a new database, and on your own. Then push.

# %%
install = laptop.clone("new-install")
install.run(NEW)
install.run("python manage.py migrate --verbosity 0")

# %% tags=["fix"]
laptop.run(f"python manage.py migrate --fake-initial -v 0 && {PRUNE}")

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Fresh start' && git push --quiet")

# %% [markdown]
# ### Rewrite the history, once on each database
#
# **Deploy nothing else until every database on the list has gone through this.** Stop what writes.
# **These lines go to each database of your list, one after the other.**

# %% tags=["fix"]
production.run(COPY("before"))

# %% [markdown]
# The first half asks the old files whether anything is missing, and stops the line if so. You then
# stand on the old files: look at `migrate --plan` as above, migrate there, and repeat the line.

# %% tags=["fix"]
TURN = (
    "git switch --quiet --detach old-migrations && python manage.py migrate --check"
    " && git switch --quiet main && git pull --quiet --no-rebase"
)
production.run(f"{TURN} && {PENDING}")

# %% [markdown]
# **Only if the list names the new migrations and nothing else, go on.** Each must now say `FAKED`.
# Here `--fake-initial` looks at the names of tables only.

# %% tags=["fix"]
production.run("python manage.py migrate --fake-initial")

# %% [markdown]
# Remove the old rows: a later migration that takes one of these names would count as applied.

# %% tags=["fix"]
production.run(PRUNE)

# %% [markdown]
# ### A database that you forgot, or a backup
#
# Its next deploy stops at the first new file. Copy it, look at the plan of the old files, and bring
# it to their end. Then do as above.

# %%
forgotten.run(
    "git pull --quiet --no-rebase && python manage.py migrate",
    fails=on(
        SQLite='table "library_author" already exists',
        PostgreSQL='relation "library_author" already exists',
    ),
)
forgotten.run(COPY("old"))
forgotten.run("git switch --quiet --detach old-migrations")
forgotten.run("python manage.py migrate --plan | grep lending")
forgotten.run("python manage.py migrate -v 0")

# %% [markdown]
# ## Make sure
#
# Look at the last link: the new files amount to the schema that is there. In your project, compare the
# schemas of this database and of the new one with the database's own tool.
# [What may differ](reset-history-keep-data.md#make-sure).

# %% tags=["after"]
production.chain()

# %%
now = production.rows("select id, due_on, returned_on from lending_loan order by id")

# %% [markdown]
# ## Undo it
#
# As long as no newer migration is applied, take the old files back, and record them app by app:
# without a name, `--fake` records what is pending in every app. Look at `migrate --plan` first: **it may
# name the old migrations of these apps and nothing else.** Or put the copy back.

# %%
undone = production.clone("undone")
copied = production.clone("copied")
undone.run("git revert --no-commit ':/Fresh start'")
undone.run("python manage.py migrate library --fake --verbosity 0")
undone.run(f"python manage.py migrate lending --fake --verbosity 0 && {PRUNE}")
copied.run("git revert --no-commit ':/Fresh start'")
copied.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not run `--fake-initial` where you have not asked the old files first.** All is green, and
# reading fails as before:

# %%
careless.run("git pull --quiet --no-rebase && python manage.py migrate --fake-initial -v 0")
careless.run("python manage.py migrate --check && python manage.py makemigrations --check -v 0")
careless.run("python manage.py dumpdata lending > ../loans.json", fails=NO_COLUMN)

# %% [markdown]
# The tables have the right names, and Django looks no further. Nothing will ever add the column and
# the constraints that are missing.
#
# ## Why it happens
#
# Django knows a migration by its app and its name, and nothing else. `0001_initial` is recorded, so a
# new file of that name counts as applied, whatever it holds. A new first migration says how the
# schema looks at the end, and nothing on how an older database gets there. On
# [the chain](../../guide/the-chain.md), files and history change together, for each database, and the
# schema stays.
#
# ## Keep it from happening
#
# Squash instead. In CI, this line fails on a branch that deletes a
# migration of `main`. It does not see what a database has applied.
#
# ```bash
# git diff --exit-code --no-renames --diff-filter=D --name-only origin/main... -- "*/migrations/*"
# ```
#
# ## Run it yourself
#
# Leave out `--name fresh_start`. The run stops at production: its list of what is not recorded is
# empty, because the new files count as applied.

# %% tags=["check"]
for place in (staging, forgotten):
    place.run(f"{TURN} && python manage.py migrate --fake-initial -v 0 && {PRUNE}")
before = copied.rows("select id, due_on, returned_on from lending_loan order by id")
assert now == before, "every loan is as it was"
names = "select app, name from django_migrations where app in ('library', 'lending') order by app"
one_each = [("lending", "0001_fresh_start"), ("library", "0001_fresh_start")]
for place in (laptop, staging, production, forgotten, install):
    assert place.chain().whole, f"{place.name} is whole"
    assert place.rows(names) == one_each, f"{place.name} has one row for each app"
for place in (undone, copied):
    assert place.chain().whole, f"{place.name} is whole with the old files"
    assert not place.chain().pending, f"{place.name} has nothing to apply"
assert not careless.chain().whole, "the wrong fix leaves staging as it was"
branch.run(
    'git diff --exit-code --no-renames --diff-filter=D --name-only origin/main... -- "*/migrations/*"',
    fails="library/migrations/0002_book_isbn.py",
)

# %% tags=["check"]
# A database whose old rows were pruned or deleted, with the old files again.
pruned.run(f"{PRUNE} && git fetch --quiet --tags && git switch --quiet --detach old-migrations")
pruned.run("python manage.py migrate --plan", fails="InconsistentMigrationHistory")
pruned.rows("delete from django_migrations where app = 'lending'")
lost = pruned.clone("lost")
lost.run(
    "python manage.py migrate library 0002",
    fails=on(SQLite=None, PostgreSQL='column "isbn" of relation "library_book" already exists'),
)
emptied = lost.rows("select distinct isbn from library_book") == [("",)]
assert emptied == on(SQLite=True, PostgreSQL=False), "a column is emptied, on SQLite"
pruned.run("python manage.py migrate library --fake && python manage.py migrate lending --fake")
assert pruned.chain().whole, "with the old names recorded nothing is lost"
