# ---
# title: A migration must leave main, others have applied it
# symptoms:
#   - "NOT NULL constraint failed: library_book.pages"
#   - null value in column "pages" of relation "library_book" violates not-null constraint
# cause: >-
#   A commit with a migration was reverted after other databases had applied it. Git takes back the
#   file. It does not take back the column. No data is lost yet; the fix drops what the column holds.
# broken: [files-history, history-schema]
# data: "may be lost: what the column holds"
# undo: migrate back, and the column returns without its values; the copy has them
# safe_in: production
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: reset
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
colleague = Sandbox("colleague")
production = Sandbox("production")
INSERT = (
    'python manage.py shell --verbosity 0 -c "from library.models import Author, Book; '
    "Book.objects.create(title='Persuasion', author=Author.objects.get(name='Jane Austen'))\""
)
REFUSED = on(
    SQLite="NOT NULL constraint failed: library_book.pages",
    PostgreSQL='null value in column "pages" of relation "library_book" violates not-null constraint',
)
COPY = on(
    SQLite="cp db.sqlite3 ../{}.sqlite3", PostgreSQL="pg_dump --format custom library > ../{}.dump"
).format

# %% [markdown]
# You add a field to `Book` and push. Your colleague and production apply it, and fill it in.

# %% tags=["setup"]
laptop.replace(
    "library/models.py",
    "isbn =",
    "pages = models.PositiveIntegerField(default=0)\n    isbn =",
)
laptop.run("python manage.py makemigrations library --name book_pages --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Pages of a book' && git push --quiet")
for place in (colleague, production):
    place.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
    place.rows("update library_book set pages = 474 where title = 'Emma'")
forced = laptop.clone("forced")
second = colleague.clone("second")

# %% [markdown]
# It was a mistake. You migrate back on your machine, revert the commit, and push. Production is
# deployed, your colleague has not pulled yet. (`late`, which you meet below, pulls from a `main` that
# stays as it is now.)

# %% tags=["setup"]
laptop.run("python manage.py migrate library 0006 --verbosity 0")
laptop.run("git revert --no-commit HEAD && git commit --quiet --message 'No pages'")
branch = laptop.clone("branch")
laptop.run("git push --quiet")
production.run("git pull --quiet --no-rebase")
early = production.clone("early")
rebuilt = production.clone("rebuilt")
late = colleague.clone("late")
late.run("git remote set-url origin ../branch")
books = production.rows("select id, title, copies from library_book order by id")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# On your machine all is well, and a new database is right. In production the column is still there.
# `migrate` finds nothing to do, and each insert fails:

# %%
production.run("python manage.py migrate --check")
production.run(INSERT, fails=REFUSED)

# %% [markdown]
# **On SQLite, do not run `migrate` now: a pending migration of the same table drops the column.**
# On PostgreSQL the column stays.
#
# - **That has happened, the column is gone**: its values are in a backup only. On that database, run
#   `python manage.py migrate library --prune` before it gets the fix. It deletes the row, and every
#   other row of the app whose file is gone.
# - **Not reverted yet**: do not revert. Begin with the edit of `models.py` below.
# - **Not pushed**: read [Take back a migration that you have not pushed](undo-unpushed.md).
# - **Pushed, and nobody has applied it**: the revert is enough, once your own database has migrated
#   back. You see that here on your laptop.
# - **Only its branch was left, `main` never had it**: read
#   [You switched branch and the database kept a column](../mismatch/ghost-migration.md).
#
# ## Fix it
#
# Go forward: keep the migration, and take its effect back in a new one. That fits every database,
# whether it has applied the first one or not, and nobody has to do anything but `migrate`. First
# take back the revert, so that all databases and all files meet again. **Not reverted yet? Begin with
# the edit of `models.py`.** **Does the migration fail or do harm where it has not run? Then read “The
# file cannot stay”.**

# %% tags=["fix"]
laptop.run("git revert --no-commit ':/No pages' && git commit --quiet --message 'Pages are back'")

# %% [markdown]
# **Has `main` had migrations of this app since the revert? Then merge before you remove the field.**
# [Two branches added a migration to the same app](../conflicts/two-leaf-nodes.md) shows how. Then
# remove it, and let Django write the migration.

# %% tags=["fix"]
laptop.replace(
    "library/models.py",
    "pages = models.PositiveIntegerField(default=0)\n    isbn =",
    "isbn =",
)

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name remove_book_pages")

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Remove pages' && git push --quiet")

# %% [markdown]
# **This drops the column, with all it holds. Copy the database first.**

# %% tags=["fix"]
production.run(COPY("before"))

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# The others pull and migrate as on any day: your colleague, who has never seen the revert, and you,
# who had migrated back. Copy first where the values matter.

# %%
colleague.run("git pull --quiet --no-rebase && python manage.py migrate")
laptop.run("python manage.py migrate")

# %% [markdown]
# ### The file cannot stay
#
# Sometimes the migration itself fails, or does harm, where it has not run yet. Then make a list of
# the databases that have it. **Each must migrate back by itself, before it gets the revert.** This one
# still has the file. **Read the plan first: migrations built on this one go too, with their data.**

# %%
late.run(COPY("before-late"))
late.run("python manage.py migrate library 0006 --plan")

# %%
late.run("python manage.py migrate library 0006")
late.run("git pull --quiet --no-rebase && python manage.py migrate --check")

# %% [markdown]
# This one has the revert already: check out the commit before the revert, migrate back, return.
# **Only if it has applied no newer migration of `main`; else take those back first**, as in
# [You switched branch and the database kept a column](../mismatch/ghost-migration.md).

# %%
early.run(COPY("before-early"))
early.run("git switch --quiet --detach 'HEAD^{/No pages}~1'")
early.run("python manage.py migrate library 0006 --plan")

# %%
early.run("python manage.py migrate library 0006")
early.run("git switch --quiet main")

# %% [markdown]
# Ask each database on the list: the answer must be empty. No command of Django shows a row without
# a file without deleting it. A branch that builds on the migration needs another parent:
# [A migration names a parent that is gone](../conflicts/missing-parent.md).

# %%
left = early.rows("select name from django_migrations where name = '0007_book_pages'")

# %% [markdown]
# ## Make sure
#
# Production has no ghost, the column is gone, and the insert works.

# %% tags=["after"]
production.chain("library")

# %%
now = production.rows("select id, title, copies from library_book order by id")
production.run(INSERT)

# %% [markdown]
# ## Undo it
#
# Migrate back while the file is there, then check out the commit before the removal: the column is
# there, with the default. Or put the copy back, with the same commit.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0007")
undone.run("git switch --quiet --detach 'HEAD^{/Remove pages}~1'")
default = undone.rows("select title, pages from library_book where title = 'Emma'")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
undone.run("python manage.py migrate --check")
copied = undone.rows("select title, pages from library_book where title = 'Emma'")

# %% [markdown]
# ## What not to do
#
# **Do not take the commit away with a forced push.** You had not reverted, and think that nobody
# will notice.

# %%
forced.run("git reset --quiet --hard HEAD~1 && git push --quiet --force origin main")

# %% [markdown]
# Somebody who has pulled before goes on working. `git pull` has nothing to say, and the next push
# brings the migration back.

# %%
second.write("library/notes.md", "Something else.\n")
second.run("git add . && git commit --quiet --message 'Notes'")
second.run("git pull --quiet --no-rebase && git push --quiet")
forced.run("git pull --quiet --no-rebase && ls library/migrations/0007*")

# %% [markdown]
# **Do not put a corrected migration into `main` under the old name** either: databases that have
# applied the first one skip the second:
# [A new migration took an old name and never ran](../mismatch/name-reused.md).
#
# ## Why it happens
#
# `git revert` writes a new commit without the file. A database is not in Git: who has applied the
# migration keeps its column and its row, and has lost the only text that says how to take them back.
# On [the chain](../../guide/the-chain.md), files and history no longer agree, nor do history and
# schema. Your own machine looks right, because you had migrated back. A migration in the other
# direction is the one message that reaches all databases: each applies what it lacks, in the same
# order.
#
# ## Keep it from happening
#
# Once a migration is on `main`, go forward only. In CI, this line fails on a branch that deletes a
# migration of `main`, a revert too. It does not see a forced push: forbid that for `main`.
#
# ```bash
# git diff --exit-code --no-renames --diff-filter=D --name-only origin/main... -- "*/migrations/*"
# ```
#
# ## Run it yourself
#
# Write `db_default=0` for `default=0`, in both places. Now the insert succeeds although the chain is
# as broken as before, and the run stops there.

# %% tags=["check"]
assert now == books, "no book has changed"
assert left == [], "the history has forgotten the migration"
assert default == [("Emma", 0)], "migrating back brings no values"
assert copied == [("Emma", 474)], "the copy does"
for chain in [place.chain() for place in (production, colleague, laptop, late, early, branch)]:
    assert chain.whole, f"{chain.place} is whole"
    assert not chain.pending, f"{chain.place} has nothing to apply"
rebuilt.replace("library/models.py", "isbn =", 'shelf = models.TextField(default="")\n    isbn =')
rebuilt.run("python manage.py makemigrations library --name book_shelf --verbosity 0")
rebuilt.run("python manage.py migrate --verbosity 0")
ONLY_HERE = on(SQLite=True, PostgreSQL=False)
dropped = "library_book.pages" not in rebuilt.chain("library")
assert dropped == ONLY_HERE, "another migration of the table has dropped the column, on SQLite"
rebuilt.run("python manage.py migrate library --prune --verbosity 0")
assert rebuilt.chain().whole == ONLY_HERE, "there, without the row, this database is whole"
branch.run(
    'git diff --exit-code --no-renames --diff-filter=D --name-only origin/main... -- "*/migrations/*"',
    fails="library/migrations/0007_book_pages.py",
)
