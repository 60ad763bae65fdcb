# ---
# title: You switched branch and the database kept a column
# symptoms:
#   - "NOT NULL constraint failed: library_book.shelf"
# cause: >-
#   You applied a migration on another branch and left without taking it back. Its column and its
#   row in the history stayed behind. No data is lost yet; the fix drops what that column holds.
# broken: [files-history, history-schema]
# data: "may be lost: what the other branch's column holds"
# undo: migrate forward on the other branch; the column comes back, its values do not
# safe_in: development only
# applied: here only
# databases: [SQLite]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
INSERT = (
    'python manage.py shell --verbosity 0 -c "from library.models import Author, Book; '
    "Book.objects.create(title='Persuasion', author=Author.objects.get(name='Jane Austen'))\""
)
LOOK = (
    'python manage.py shell --verbosity 0 -c "from django.db import connection; '
    "from django.db.migrations.loader import MigrationLoader; load = MigrationLoader(connection); "
    'print(sorted(set(load.applied_migrations) - set(load.disk_migrations)))"'
)

# %% [markdown]
# On the branch `shelf` you add a field to `Book`, apply it and fill it in.

# %% tags=["setup"]
laptop.run("git switch --quiet --create shelf")
laptop.replace(
    "library/models.py",
    COPIES,
    COPIES + '    shelf = models.CharField(max_length=20, default="hall")\n',
)
laptop.run("python manage.py makemigrations library --name book_shelf")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("update library_book set shelf = 'A3' where author_id = 1")

# %% [markdown]
# Something else is urgent. You commit, and go back to `main`.

# %% tags=["setup"]
laptop.run("git add . && git commit --quiet --message 'Shelf of a book'")
laptop.run("git switch --quiet main")
books = laptop.rows("select id, title, copies from library_book order by id")
careless = laptop.clone("careless")
further = laptop.clone("further")
gone = laptop.clone("gone")

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# Four checks find nothing:

# %%
laptop.run("python manage.py check")
laptop.run("python manage.py makemigrations --check --noinput")
laptop.run("python manage.py migrate --check")
laptop.run("python manage.py migrate")

# %% [markdown]
# And every insert into the table fails, over a column that is in none of your models:

# %%
laptop.run(INSERT, fails="NOT NULL constraint failed: library_book.shelf")

# %% [markdown]
# `showmigrations` hides rows whose file is gone, the ghosts. This prints them, those of apps that
# you have removed too:

# %%
ghosts = laptop.run(LOOK)

# %% [markdown]
# - **The list is empty, the column is there**: the row was deleted. On the branch, record it again
#   with `python manage.py migrate library 0007 --fake`, then go on as below.
# - **A ghost without a column**, after a [squash](../squashing/squash-in-two-releases.md), a
#   [reset](../reset/reset-history-keep-data.md) or [a rebuilt table](#what-not-to-do): here, and
#   only here, `python manage.py migrate library --prune` is right.
# - **`migrate` stops with `duplicate column name`**: read
#   [The table already exists](table-already-exists.md).
#
# No file changes, so it makes no difference whether the branch is pushed. Any other database on
# which the branch was migrated has a ghost of its own, and needs the same steps.
#
# ## Fix it
#
# **What the column holds is lost.** Copy the database first.

# %% tags=["fix"]
laptop.run("cp db.sqlite3 ../before.sqlite3")

# %% [markdown]
# **Have you applied newer migrations of `main` since? Take those back first, on `main`**: the branch
# does not know their columns, and SQLite may build the table again without them.
#
# Go to the branch that has the file, because only the file says how to take the migration back.
# There, migrate back to the last migration that both branches have.
# **It must say `Unapplying` and the name of the ghost.** If it does not, you are on the wrong commit.

# %% tags=["fix"]
unapplied = laptop.run("git switch shelf && python manage.py migrate library 0006")

# %% [markdown]
# Return to your work.

# %% tags=["fix"]
laptop.run("git switch main")

# %% [markdown]
# **The branch is deleted?** Git keeps its commits for some weeks. `HEAD@{1}` is where you stood
# before the last switch. If that is longer ago, name the commit: `--format='%h %s'` prints it.

# %%
gone.run("git branch --quiet -D shelf")
gone.run("git log --all --reflog --format=%s -- library/migrations/0007_book_shelf.py")
gone.run("git switch --quiet --detach 'HEAD@{1}'")
gone.run("python manage.py migrate library 0006 --verbosity 0")
gone.run("git switch --quiet main")

# %% [markdown]
# ## Make sure
#
# The ghost and its column are gone, and the insert works.

# %% tags=["after"]
laptop.chain("library")

# %%
no_ghosts = laptop.run(LOOK)
laptop.run(INSERT)
now = laptop.rows("select id, title, copies from library_book order by id")

# %% [markdown]
# ## Undo it
#
# Put the copy back. Or go forward again on the branch: then the column comes back with its default
# in every row, without `A3`.

# %%
undone = laptop.clone("undone")
again = laptop.clone("again")
again.run("cp ../before.sqlite3 db.sqlite3")
copied = again.rows("select title, shelf from library_book where author_id = 1 order by id")
undone.run("git switch --quiet shelf && python manage.py migrate library --verbosity 0")
back = undone.rows("select title, shelf from library_book where author_id = 1 order by id")

# %% [markdown]
# ## What not to do
#
# **Do not delete the row**, with SQL or with `--prune`. The column stays, inserts still fail, and
# the last trace of the cause is gone.

# %%
careless.run("python manage.py migrate library --prune")
pruned = careless.clone("pruned")
careless.run(INSERT, fails="NOT NULL constraint failed: library_book.shelf")

# %% [markdown]
# Back on the branch, Django takes the migration for a new one. SQLite builds the table again, prints
# `OK` and resets the column.

# %%
kept = careless.rows("select title, shelf from library_book where author_id = 1 order by id")
careless.run("git switch --quiet shelf && python manage.py migrate library")
lost = careless.rows("select title, shelf from library_book where author_id = 1 order by id")

# %% [markdown]
# **Do not leave the ghost where it is.** A migration of `main` that gets the same name
# [never runs](name-reused.md). Under another name it runs: SQLite builds the table again without the
# column that `main` does not know. It prints `OK`; `A3` is gone, and the ghost is still there.

# %%
further.replace(
    "library/models.py",
    COPIES,
    COPIES + "    shelf_number = models.PositiveIntegerField(default=0)\n",
)
further.run("python manage.py makemigrations library --name shelf_number --verbosity 0")
further.run("python manage.py migrate library")
further.chain("library")

# %% [markdown]
# ## Why it happens
#
# `git switch` changes models and files, and leaves history and schema as they are: on
# [the chain](../../guide/the-chain.md) two links break. Django compares history and files by name,
# ignores a row without a file, and never looks at the schema. The insert fails because a `default`
# lives in Python and not in the column. Code that does not know the field sends no value, and the
# column takes no NULL.
#
# ## Keep it from happening
#
# Before you leave a branch, migrate back to what the other one has. CI starts from an empty database
# and cannot see a ghost. On a database that lives longer, such as that of staging, run the look
# [above](#is-this-your-case) after each deploy: it must print `[]`.
#
# ## Run it yourself
#
# Write `db_default="hall"` in place of `default="hall"`. The default now stays in the column: the
# playbook stops at the insert that should fail, because it works. The ghost is still there.

# %% tags=["check"]
assert now == [*books, (7, "Persuasion", 1)], "the fix changes no row, and one can be added"
assert "Unapplying library.0007_book_shelf" in unapplied, "the branch has the file"
assert "0007_book_shelf" in ghosts, "the look tells the ghost"
assert no_ghosts.strip() == "[]", "and tells when it is gone"
assert laptop.chain().whole, "all apps are whole, not this one alone"
assert gone.chain().whole, "it works without the branch"
assert {shelf for _, shelf in copied} == {"A3"}, "the copy brings the values back"
assert {shelf for _, shelf in back} == {"hall"}, "going forward brings no values back"
assert {shelf for _, shelf in kept} == {"A3"}, "pruning leaves the values where they are"
assert {shelf for _, shelf in lost} == {"hall"}, "and migrating after it resets them"
assert further.chain().broken == ["files-history"], "the column is dropped, the ghost stays"

# %% tags=["check"]
# The remedies for the two cases beside this one.
pruned.run("git switch --quiet shelf && python manage.py migrate library 0007 --fake --verbosity 0")
pruned.run("python manage.py migrate library 0006 --verbosity 0 && git switch --quiet main")
assert pruned.chain().whole, "a deleted row can be recorded again"
further.run("python manage.py migrate library --prune --verbosity 0")
assert further.chain().whole, "a ghost without a column can be pruned"

# %% tags=["check"]
# What a newer migration of main may lose: with an index on the field, SQLite builds the table again.
newer = Sandbox("newer")
newer.run("git switch --quiet --create shelf")
shelf = '    shelf = models.CharField(max_length=20, default="hall", db_index=True)\n'
newer.replace("library/models.py", COPIES, COPIES + shelf)
newer.run("python manage.py makemigrations library --name book_shelf --verbosity 0")
newer.run("python manage.py migrate --verbosity 0 && git add . && git commit --quiet -m 'Shelf'")
newer.run("git switch --quiet main")
note = "    note = models.CharField(max_length=20, null=True)\n"
newer.replace("library/models.py", COPIES, COPIES + note)
newer.run("python manage.py makemigrations library --name book_note --verbosity 0")
newer.run("python manage.py migrate --verbosity 0 && git add . && git commit --quiet -m 'Note'")
newer.run("git switch --quiet shelf && python manage.py migrate library 0006 --verbosity 0")
newer.run("git switch --quiet main && python manage.py migrate --check")
assert "column library_book.note is missing" in newer.chain(), "and no check of Django sees it"
