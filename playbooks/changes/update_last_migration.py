# ---
# title: makemigrations --update renamed an applied migration
# symptoms:
#   - "duplicate column name: shelf"
#   - column "shelf" of relation "library_book" already exists
#   - Cannot update applied migration
#   - requires manual porting.
# cause: >-
#   --update writes a new file under a new name and deletes the old one. It asks only your own
#   database whether the old one is applied. Others have applied it, and now start it again under
#   the new name. No row is lost there.
# broken: [files-history, history-schema]
# data: untouched
# undo: migrate back, and the new column goes with what it holds
# safe_in: production
# applied: "elsewhere too: under its old name"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
MODELS, COPIES = "library/models.py", "    copies = models.PositiveIntegerField(default=1)\n"
SHELF = "    shelf = models.CharField(max_length=10, null=True)\n"
PAGES = "    pages = models.IntegerField(null=True)\n"
UPDATE = "python manage.py makemigrations library --update"
EXISTS = on(
    SQLite="duplicate column name: shelf",
    PostgreSQL='column "shelf" of relation "library_book" already exists',
)
SHELVES = "select id, title, shelf from library_book order by id limit 2"
LAST = "select name from django_migrations where app = 'library' order by id desc limit 1"
LOOK = (
    'python manage.py shell --verbosity 0 -c "from library.models import Book; '
    "print(*Book.objects.values_list('pages'))\""
)
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")

# %% [markdown]
# Each book gets a shelf. You push the migration; production applies it, and the staff fill it in.

# %% tags=["setup"]
laptop.replace(MODELS, COPIES, COPIES + SHELF)
laptop.run("python manage.py makemigrations library --name book_shelf --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Shelf of a book' && git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
for place in (laptop, production):
    place.rows("update library_book set shelf = 'A4' where title = 'Emma'")
before = production.rows("select id, title, shelf, copies from library_book order by id")

# %% [markdown]
# Then you add the pages, and want them in the same file. Django refuses. You go back on your own
# database, and then it does what you ask.

# %% tags=["setup"]
laptop.replace(MODELS, SHELF, SHELF + PAGES)
laptop.run(UPDATE, fails="Cannot update applied migration 'library.0007_book_shelf'")
applied = laptop.clone("applied")
alone = laptop.clone("alone")
laptop.run("python manage.py migrate library 0006 --verbosity 0")
ported = laptop.clone("ported")
laptop.run(UPDATE)
laptop.run("git add . && git commit --quiet --message 'Pages of a book' && git push --quiet")

# %% [markdown]
# A colleague has a new database, and everything runs there. Then production is deployed.

# %% tags=["setup"]
colleague = laptop.clone("colleague")
colleague.run(f"{NEW} && python manage.py migrate --verbosity 0")
production.run("git pull --quiet --no-rebase")
faked = production.clone("faked")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The deploy stops at a column that exists:

# %%
production.run("python manage.py migrate", fails=EXISTS)

# %% [markdown]
# The newest row of the history has a name that no file has:

# %%
recorded = production.rows(LAST)

# %% [markdown]
# Git shows what `--update` did: one file deleted, another added at the same place.

# %%
moved = production.run("git show --no-renames --name-status --format=%s -- '*/migrations/*.py'")

# %% [markdown]
# - **You are refused, and others have applied the file**: leave it. Run the `makemigrations` line below
#   and commit.
# - **Nobody else has the file**: read [the right order](#keep-it-from-happening).
# - **The file was deleted, or came with another branch**: read
#   [take back a migration](../reset/undo-unpushed.md) or
#   [ghost migration](../mismatch/ghost-migration.md).
# - **`migrate` succeeded on SQLite, and a column was reset**: it
#   [was added again with a default](../reset/undo-unpushed.md#what-not-to-do).
# - **“requires manual porting”**: the old file holds a Python function. Both files are there, and the
#   new one does not load. Delete the new one, and go on with `makemigrations` below. It looks like
#   this:

# %%
FILE = "library/migrations/0007_book_shelf.py"
ported.replace(FILE, "class", "def fill(apps, schema_editor):\n    pass\n\n\nclass")
ported.replace(
    FILE, "[\n        migrations", "[\n        migrations.RunPython(fill),\n        migrations"
)
both = ported.run(f"{UPDATE} --name shelf_and_pages")
ported.run("python manage.py migrate", fails="SyntaxError: invalid decimal literal")

# %% [markdown]
# ## Fix it
#
# Give the applied migration its old file back, and the change a file of its own. The old file is in the
# commit before the one that Git showed, here `HEAD~1`:

# %% tags=["fix"]
laptop.run(f"git restore --source HEAD~1 {FILE}")

# %% [markdown]
# Take the new file away, and let Django write what is left.

# %% tags=["fix"]
laptop.run("rm library/migrations/0007_book_shelf_book_pages.py")

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name book_pages")

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Two files' && git push --quiet")

# %% [markdown]
# Each database that has the old row pulls and migrates. **Not one that ran the updated file: it needs
# two other lines.** They stand [below](#a-database-that-ran-the-updated-file).

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ### A database that ran the updated file
#
# It has both columns, and one row under the new name. Read the plan: **it must name those two migrations
# and no other.**

# %%
colleague.run("git pull --quiet --no-rebase && python manage.py migrate library --plan")

# %% [markdown]
# Record them, then delete the row without a file. `--prune` deletes
# [every such row of the app](../mismatch/name-reused.md#fix-it).

# %%
colleague.run("python manage.py migrate library --fake")
colleague.run("python manage.py migrate library --prune")

# %% [markdown]
# ## Make sure
#
# The chain is whole, and Emma is on her shelf:

# %% tags=["after"]
production.chain("library")

# %%
production.run("python manage.py makemigrations --check --noinput")
production.rows(SHELVES)

# %% [markdown]
# ## Undo it
#
# Migrate back. **The pages go, with what they hold.** The shelf stays.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0007")
kept = undone.rows(SHELVES)

# %% [markdown]
# ## What not to do
#
# **Do not fake the updated migration.** Each check is green, and the pages never come:

# %%
faked.run("python manage.py migrate library --fake --verbosity 0")
faked.run("python manage.py migrate --check && python manage.py makemigrations --check")
faked.run(
    LOOK,
    fails=on(
        SQLite="no such column: library_book.pages",
        PostgreSQL="column library_book.pages does not exist",
    ),
)

# %% [markdown]
# **Do not get past the refusal with `--fake`.** Then your own database is in the same trouble:

# %%
applied.run("python manage.py migrate library 0006 --fake --verbosity 0")
applied.run(f"{UPDATE} --verbosity 0")
applied.run("python manage.py migrate", fails=EXISTS)

# %% [markdown]
# ## Why it happens
#
# Django decides by app and name whether a migration is applied. `--update` always changes the name,
# so the file is a new migration for every database. Before, it looks for the old name in your
# own database only. Others have its row, and no longer its file. On [the chain](../../guide/the-chain.md) that breaks files and history. With the file
# gone, no recorded migration adds the column, so history and schema break too.
#
# ## Keep it from happening
#
# Use `--update` on a file that you have not pushed. **Copy what the column holds: going back drops
# it.** Go back first, update second, and say a name:

# %%
alone.run("python manage.py migrate library 0006 --verbosity 0")
alone.run(f"{UPDATE} --name shelf_and_pages")
alone.run("python manage.py migrate --verbosity 0")
emptied = alone.rows(SHELVES)

# %% [markdown]
# **In review, ask:** does this pull request delete or rename a migration that `main` has?
#
# **In CI:** this prints each one and fails. [Its own page](../checks/edited-migrations.md) has the rest.
#
# ```bash
# git diff --cached --merge-base --no-renames --name-status --exit-code --diff-filter=MD origin/main -- "*/migrations/*.py"
# ```
#
# ## Run it yourself
#
# In “Keep it from happening”, write `--name book_shelf`. You cannot keep the name: the new file is
# `0007_book_shelf_updated.py`.

# %% tags=["check"]
after = production.rows("select id, title, shelf, copies from library_book order by id")
assert after == before, "no row of production has changed"
assert recorded == [("0007_book_shelf",)], "the row has the old name"
assert ("D\t" + FILE in moved, moved.count("A\t")) == (True, 1), "one file goes, another comes"
assert "was kept and must be deleted" in both, "both files are there"
assert kept == [(1, "Pride and Prejudice", None), (2, "Emma", "A4")], "the shelf stays"
assert emptied[1] == (2, "Emma", None), "going back drops what the column holds"
assert faked.chain().broken == ["files-history", "history-schema"], "faking mends nothing"
laptop.run("python manage.py migrate --verbosity 0")
for place in (production, laptop, colleague, alone):
    place.run(LOOK)
    assert place.chain().whole, f"{place} is whole, all apps"

# %% tags=["check"]
# The line for CI, on a branch that updates; and a name that is the old one.
same = production.clone("same")
same.run(f"{NEW} && git switch --quiet --create more")
same.replace(MODELS, PAGES, PAGES + PAGES.replace("pages", "weight"))
named = same.run(f"{UPDATE} --name book_pages")
assert "0008_book_pages_updated.py" in named, "the name always changes"
CI = 'git diff --cached --merge-base --no-renames --name-status --exit-code --diff-filter=MD origin/main -- "*/migrations/*.py"'
production.run(CI)
same.run("git add .")
same.run(CI, fails="D\tlibrary/migrations/0008_book_pages.py")

# %% tags=["check"]
# After manual porting is asked for: delete the new file, and makemigrations writes the change alone.
ported.run("rm library/migrations/0007_shelf_and_pages.py")
ported.run("python manage.py makemigrations library --name book_pages --verbosity 0")
ported.run("python manage.py migrate --verbosity 0")
assert ported.chain().whole, "two files again"
