# ---
# title: migrate runs the squash on tables that exist
# symptoms:
#   - "table \"lending_reader\" already exists"
#   - "relation \"lending_reader\" already exists"
#   - >-
#     Migration lending.0001_initial is applied before its dependency library.0001_squashed_0006
#     on database 'default'.
# cause: >-
#   The originals and `replaces` were deleted before this database recorded the squash. Django takes
#   the squash for a new migration and runs it. Where it stops, nothing is lost.
# broken: [files-history, history-schema]
# data: "untouched: as long as `migrate` stops; where SQLite prints `OK`, columns may be reset"
# undo: put the copy of the database back
# safe_in: production
# applied: "elsewhere too: the originals; this database has not recorded the squash"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
EXISTS = on(
    SQLite='table "lending_reader" already exists',
    PostgreSQL='relation "lending_reader" already exists',
)
LIBRARY = ["0001_initial", "0002_book_isbn", "0003_book_copies"]
LIBRARY += ["0004_genre", "0005_longer_titles", "0006_find_books_by_title"]
LENDING = ["0001_initial", "0002_loan_due_on", "0003_fill_due_on", "0004_due_on_required"]
LENDING += ["0005_returned_on", "0006_due_after_lent", "0007_unique_reader_email"]


def replaces(app, names):
    listed = ", ".join(f"('{app}', '{name}')" for name in names)
    return f"    replaces = [{listed}]\n\n"


# %% [markdown]
# Release 1 has the squash and its originals. You tag it.

# %% tags=["setup"]
middle = laptop.clone("middle")
other = laptop.clone("other")
laptop.replace("lending/migrations/0003_fill_due_on.py", ".noop)", ".noop, elidable=True)")
laptop.run(
    "python manage.py squashmigrations lending 0001 0007 --squashed-name squashed_0007"
    " --noinput --verbosity 0"
)
laptop.run("git add . && git commit --quiet --message 'Release 1' && git tag release-1")
laptop.run("git push --quiet origin main release-1")

# %% [markdown]
# Release 2 follows at once: the originals and `replaces` are gone.

# %% tags=["setup"]
laptop.run("rm lending/migrations/0001_initial.py lending/migrations/000[2-7]_*.py")
laptop.replace("lending/migrations/0001_squashed_0007.py", replaces("lending", LENDING), "")
laptop.run("git commit --quiet --all --message 'Release 2'")
branch = laptop.clone("branch")
laptop.run("git push --quiet")

# %% [markdown]
# Production was up to date before release 1, and gets release 2 next. Its deploy runs `migrate`.

# %% tags=["setup"]
loans = production.rows("select id, lent_on, due_on, returned_on from lending_loan order by id")
behind = production.clone("behind")
behind.run("python manage.py migrate lending 0004 --verbosity 0")
production.run("git pull --quiet --no-rebase --tags")
production.run("python manage.py migrate", fails=EXISTS)

# %% tags=["before"]
production.chain("lending")

# %% [markdown]
# ## Is this your case?
#
# **Do not run `migrate` again to look**: on SQLite, a squash that creates no table
# [does not stop](#what-not-to-do). `showmigrations` lists this squash as not applied, and as any other
# migration: one that has `replaces` would say `(7 squashed migrations)`. The history has the originals.

# %%
production.run("python manage.py showmigrations lending")
production.rows("select name from django_migrations where app = 'lending' order by id")

# %% [markdown]
# - **`is applied before its dependency`**: another app needs the squash. The fix is the same.
# - **`showmigrations` does not list the squash at all**: `replaces` is still there. Read
#   [migrate asks for makemigrations, which finds nothing](squash-applied-in-part.md).
# - **The history has no row of the app**: read
#   [migrate stops: the table already exists](../mismatch/table-already-exists.md).
# - **`migrate` printed `OK`**, and the squash creates no table: on SQLite, columns may have been
#   [reset](#what-not-to-do). Put your backup back, then do as below.
#
# ## Fix it
#
# Copy the database.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Go to a commit that has the squash, `replaces` and the originals. There Django knows what the rows
# mean: `migrate` runs the originals that are missing, if any, and records the squash.
# **`release-1` is the last commit that has the squash, `replaces` and the originals.**

# %% tags=["fix"]
plan = production.run("git switch --quiet --detach release-1 && python manage.py migrate --plan")

# %% [markdown]
# **Go on only if this plan does not name the squash.** It may name originals.

# %% tags=["fix"]
production.run("python manage.py migrate lending")

# %% tags=["fix"]
recorded = production.run("python manage.py showmigrations lending")

# %% [markdown]
# Return to the release that was to be deployed.
# **Go on only if `[X]` stands before the squash, and `(7 squashed migrations)` after it.**

# %% tags=["fix"]
production.run("git switch --quiet main && python manage.py migrate")

# %% [markdown]
# The rows of the originals have no file any more. A new migration with one of these names would
# count as applied. **Some days later: `--prune` deletes the rows of the originals. After it, release 1
# cannot run again.**

# %% tags=["fix"]
production.run("python manage.py migrate lending --prune")

# %% [markdown]
# **No commit has the squash and the originals?** Copy the database, then migrate on a commit that has
# the originals. Only when the history has all of them, and
# `python manage.py migrate lending 0001_squashed_0007 --plan` lists the squash alone, record the squash
# on `main` with the same command and `--fake` in place of `--plan`. Where Django says `is applied
# before its dependency`, it refuses this too: bring the originals back for all databases, as in
# [squash a long history in two releases](squash-in-two-releases.md).
#
# ## Make sure
#
# The squash is recorded, and no loan has changed.

# %% tags=["after"]
production.chain()

# %%
now = production.rows("select id, lent_on, due_on, returned_on from lending_loan order by id")

# %% [markdown]
# ## Undo it
#
# Put the copy back. What was written since then is lost.

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
# **Do not record the squash with `--fake` or `--fake-initial` before you have read the history.**
# This database is at `0004`. It has all the tables, so `--fake-initial` takes the squash as applied:

# %%
careless = behind.clone("careless")
careless.run("git pull --quiet --no-rebase --tags")
careless.run("python manage.py migrate lending --fake-initial")
careless.run("python manage.py migrate && python manage.py makemigrations --check --noinput")
careless.chain("lending")

# %% [markdown]
# **Do not count on a message.** Here is a squash of `0004` to `0007`, without its originals and
# without `replaces`. It creates no table. On SQLite, `migrate` builds the table again, prints `OK`,
# and no book has ever been returned. PostgreSQL refuses the column and keeps the dates:

# %%
middle.run(
    "python manage.py squashmigrations lending 0004 0007 --squashed-name squashed_0007"
    " --noinput --verbosity 0"
)
middle.run("rm lending/migrations/0004_due_on_required.py lending/migrations/000[567]_*.py")
middle.replace("lending/migrations/0004_squashed_0007.py", replaces("lending", LENDING[3:]), "")
returned = middle.rows(
    "select count(*) as returned from lending_loan where returned_on is not null"
)
middle.run("python manage.py migrate", fails=on(SQLite=None, PostgreSQL='column "returned_on" of'))
left = middle.rows("select count(*) as returned from lending_loan where returned_on is not null")

# %% [markdown]
# ## Why it happens
#
# `replaces` is the only thing that tells Django what the squash stands for. With it, rows of all the
# originals count as the squash. Without it, only a row with the name of the squash counts. `migrate`
# writes that row in the release that has both, and not before. A database that skips this release
# has seven rows without a file, and a file without a row: on
# [the chain](../../guide/the-chain.md) that is a break between files and history.
#
# ## Keep it from happening
#
# Remove `replaces` only after you have seen `[X]` before the squash on every database. In CI, this
# line fails on a branch that takes `replaces` out of a file. It does so in a correct release 2 as
# well: then ask every database first. It cannot see a squash that comes to `main` without
# `replaces`.
#
# ```bash
# git diff --exit-code -G "replaces = " --diff-filter=M --name-only origin/main... -- "*/migrations/*"
# ```
#
# ## Run it yourself
#
# Let production pull and migrate before the cell that deletes the originals. It records the squash,
# and the playbook stops where `migrate` should fail, because it works.

# %% tags=["check"]
assert now == loans, "no loan was changed"
undone.run("python manage.py migrate", fails=EXISTS)
assert "squashed" not in plan, "release 1 does not run the squash"
assert "[X] 0001_squashed_0007 (7 squashed migrations)" in recorded, "release 1 records the squash"
assert production.run("git branch --show-current") == "main\n", "production is on the new release"
names = production.rows("select name from django_migrations where app = 'lending'")
assert names == [("0001_squashed_0007",)], "only the squash is left in the history"
assert careless.chain().broken == ["files-history", "history-schema"], "a column is missing"
assert returned == [(2,)], "books were returned"
assert left == on(SQLite=[(0,)], PostgreSQL=returned), "on SQLite every date of return was reset"
branch.run(
    'git diff --exit-code -G "replaces = " --diff-filter=M --name-only origin/main...'
    ' -- "*/migrations/*"',
    fails="lending/migrations/0001_squashed_0007.py",
)

# %% tags=["check"]
# A database that is behind: the same fix, and the way without a release that has both.
behind.run("git pull --quiet --no-rebase --tags")
without = behind.clone("without-release-1")
behind.run("git switch --quiet --detach release-1 && python manage.py migrate --verbosity 0")
behind.run("git switch --quiet main && python manage.py migrate --verbosity 0")
without.run("git switch --quiet --detach release-1~1 && python manage.py migrate --verbosity 0")
without.run("git switch --quiet main")
without.run("python manage.py migrate", fails="already exists")
plan = without.run("python manage.py migrate lending 0001_squashed_0007 --plan")
assert plan.count("\nl") == 1, "the plan has the squash alone"
without.run("python manage.py migrate lending 0001_squashed_0007 --fake")
for place in (behind, without):
    place.run("python manage.py migrate lending --prune --verbosity 0")
    assert place.chain().whole, "nothing is missing"

# %% tags=["check"]
# Another app needs the squash.
other.run(
    "python manage.py squashmigrations library 0001 0006 --squashed-name squashed_0006"
    " --noinput --verbosity 0"
)
other.run("git add . && git commit --quiet --message 'Release 1'")
other.run("rm library/migrations/0001_initial.py library/migrations/000[2-6]_*.py")
other.replace("library/migrations/0001_squashed_0006.py", replaces("library", LIBRARY), "")
other.replace("lending/migrations/0001_initial.py", "0003_book_copies", "0001_squashed_0006")
other.run("git commit --quiet --all --message 'Release 2'")
other.run("python manage.py migrate", fails="is applied before its dependency")
other.run("python manage.py migrate library --fake", fails="is applied before its dependency")
other.run("git switch --quiet --detach main~1 && python manage.py migrate --verbosity 0")
other.run("git switch --quiet main && python manage.py migrate library --prune --verbosity 0")
assert other.chain().whole, "the same fix"
