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
laptop.run("git add . && git commit --quiet --message 'Shelf of a book'")

# %% [markdown]
# Something else is urgent, and you go back to `main`.

# %% tags=["setup"]
laptop.run("git switch --quiet main")
books = laptop.rows("select id, title, copies from library_book order by id")

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
careless = laptop.clone("careless")
swallowed = laptop.clone("swallowed")
gone = laptop.clone("gone")

# %% [markdown]
# `showmigrations` hides a row whose file is gone. This prints such rows, the ghosts:

# %%
ghosts = laptop.run(LOOK)

# %% [markdown]
# - **The list is empty and the column exists**: somebody pruned the ghost, or changed the schema by
#   hand. The fix below cannot help; restore the row first, or a copy of the database.
# - **A ghost that left nothing in the schema** is the rest of a
#   [squash](../squashing/squash-in-two-releases.md) or a
#   [reset](../reset/reset-history-keep-data.md). There, and only there, pruning is right.
# - **`migrate` stops with `duplicate column name`**: read
#   [The table already exists](table-already-exists.md).
#
# Whether the branch is pushed makes no difference: no file changes. Every other database that has
# seen the branch has its own ghost, and needs the same steps.

# %% [markdown]
# ## Fix it
#
# **What the column holds is dropped.** If you need it, copy the database file first.
#
# Go to the branch that has the migration's file. Only the file knows how to take it back.

# %% tags=["fix"]
laptop.run("git switch --quiet shelf")

# %% [markdown]
# Migrate back to the last migration that both branches have.

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0006")

# %% [markdown]
# Return to your work.

# %% tags=["fix"]
laptop.run("git switch --quiet main")

# %% [markdown]
# **The branch is deleted?** Git still has its commits for some weeks. Find the file, fetch it for a
# moment, migrate back, and remove it. This also works when you cannot switch.

# %%
gone.run("git branch --quiet -D shelf")
gone.run("git log --all --reflog --format=%s -- library/migrations/0007_book_shelf.py")
gone.run("git restore --source='HEAD@{1}' library/migrations/0007_book_shelf.py")
gone.run("python manage.py migrate library 0006 --verbosity 0")
gone.run("rm library/migrations/0007_book_shelf.py")

# %% [markdown]
# `HEAD@{1}` is where you stood before the last switch. From further back, take the commit itself:
# `--format='%h %s'` prints it.

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
# Go forward again on the branch. The column comes back with its default in every row; the values
# `A3` are gone.

# %%
undone = laptop.clone("undone")
undone.run("git switch --quiet shelf && python manage.py migrate library --verbosity 0")
back = undone.rows("select title, shelf from library_book where author_id = 1 order by id")

# %% [markdown]
# ## What not to do
#
# **Do not delete the row**, with SQL or with `--prune`. The column stays, inserts still fail, and
# nothing is left that says why. (`--prune --plan` is no dry run: it deletes as well.)

# %%
careless.run("python manage.py migrate library --prune")
careless.run(INSERT, fails="NOT NULL constraint failed: library_book.shelf")

# %% [markdown]
# On the branch, Django now takes the migration for a new one. SQLite builds the table again,
# prints `OK` and resets the column.

# %%
kept = careless.rows("select title, shelf from library_book where author_id = 1 order by id")
careless.run("git switch --quiet shelf && python manage.py migrate library")
lost = careless.rows("select title, shelf from library_book where author_id = 1 order by id")

# %% [markdown]
# **Do not leave the ghost where it is** either. On `main` you, or a colleague, number the shelves,
# and choose the same name for the migration:

# %%
swallowed.replace(
    "library/models.py",
    COPIES,
    COPIES + "    shelf_number = models.PositiveIntegerField(null=True)\n",
)
swallowed.run("python manage.py makemigrations library --name book_shelf")
skipped = swallowed.run("python manage.py migrate")
swallowed.run("python manage.py showmigrations library")

# %% [markdown]
# The ghost has swallowed it. Django finds a row with that name and takes the new migration as
# applied. It never runs, here or wherever the ghost is:

# %%
swallowed.run(
    "python manage.py shell --verbosity 0 -c "
    '"from library.models import Book; print(Book.objects.first())"',
    fails="no such column: library_book.shelf_number",
)
hole = swallowed.chain("library")

# %% [markdown]
# As long as the new file is not pushed, give it another name, and then take the ghost away.

# %% [markdown]
# ## Why it happens
#
# `git switch` changes models and files, and leaves history and schema as they are: on
# [the chain](../../guide/the-chain.md) two links break at once. Django compares the history with
# the files by name, and ignores a row without a file. It never compares the history with the
# schema. The insert fails because a `default` lives in Python: Django removes it from the column
# once the existing rows are filled. Code that does not know the field sends no value, and the
# column accepts no NULL.
#
# ## Keep it from happening
#
# Before you leave a branch, migrate back to what the other one has, then switch. CI cannot see a
# ghost: it starts from an empty database. On a database that lives longer, a laptop's or that of
# a test server, this look prints `[]` when there is none:
#
# ```bash
# python manage.py shell --verbosity 0 -c "from django.db import connection; from django.db.migrations.loader import MigrationLoader; load = MigrationLoader(connection); print(sorted(set(load.applied_migrations) - set(load.disk_migrations)))"
# ```
#
# ## Run it yourself
#
# Write `db_default="hall"` in place of `default="hall"`. The default now stays in the column: the
# playbook stops at the insert that should fail, because it works. The ghost is still there.

# %% tags=["check"]
assert now == [*books, (7, "Persuasion", 1)], "the fix changes no row, and one can be added"
assert "'0007_book_shelf'" in ghosts and no_ghosts.strip() == "[]", "the look tells the ghost"
assert laptop.chain().whole and not laptop.chain().pending, "all apps are whole on main"
assert gone.chain().whole, "it works without the branch"
assert [row[1] for row in back] == ["hall", "hall"], "going forward brings no values back"
assert [row[1] for row in kept] == ["A3", "A3"], "the values survived until then"
assert [row[1] for row in lost] == ["hall", "hall"], "pruning cost them"
assert "No migrations to apply" in skipped, "the ghost swallows the new migration"
assert "column library_book.shelf_number is missing" in hole, "its column was never made"
