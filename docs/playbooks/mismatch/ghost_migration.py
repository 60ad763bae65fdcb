# ---
# title: You switched branch and the database kept a column
# symptoms:
#   - "NOT NULL constraint failed: library_book.shelf"
#   - null value in column "shelf" of relation "library_book" violates not-null constraint
# cause: >-
#   You applied a migration on another branch and left without taking it back. Its column and its
#   row in the history stayed behind. No data is lost yet; the fix drops what that column holds.
# broken: [files-history, history-schema]
# data: "may be lost: what the other branch's column holds"
# undo: migrate forward on the other branch; the column comes back, its values do not
# safe_in: development only
# applied: here only
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

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
NOT_NULL = on(
    SQLite="NOT NULL constraint failed: library_book.shelf",
    PostgreSQL='null value in column "shelf" of relation "library_book" violates not-null constraint',
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
books = laptop.rows("select title, copies from library_book order by id")
careless = laptop.clone("careless")
further = laptop.clone("further")
gone = laptop.clone("gone")
newer = laptop.clone("newer")

# %% [markdown]
# In one copy, `main` gets a migration of its own.

# %% tags=["setup"]
note = "    note = models.CharField(max_length=20, null=True)\n"
newer.replace("library/models.py", COPIES, COPIES + note)
newer.run("python manage.py makemigrations library --name book_note --verbosity 0")
newer.run("python manage.py migrate --verbosity 0 && git add . && git commit --quiet -m 'Note'")
newer.rows("update library_book set note = 'signed' where id = 1")
onto_branch = newer.clone("onto-branch")

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# Three checks find nothing. (Is something pending? **Do not apply it yet**: on SQLite it may
# [drop the column](#what-not-to-do).)

# %%
laptop.run("python manage.py check")
laptop.run("python manage.py makemigrations --check --noinput")
laptop.run("python manage.py migrate --check")

# %% [markdown]
# And every insert into the table fails, over a column that is in none of your models:

# %%
laptop.run(INSERT, fails=NOT_NULL)

# %% [markdown]
# `showmigrations` hides rows whose file is gone, the ghosts. This prints them, those of apps that
# you have removed too:

# %%
ghosts = laptop.run(LOOK)

# %% [markdown]
# - **The list is empty, the column is there**: if a branch has a migration that makes it, the row was
#   deleted. There, record it again with `python manage.py migrate library 0007 --fake`, then go on as
#   below. If no branch has one, [somebody changed the schema with SQL](schema-changed-by-hand.md).
# - **A ghost without a column**, after a [squash](../squashing/squash-in-two-releases.md), a
#   [reset](../reset/reset-history-keep-data.md) or [a rebuilt table](#what-not-to-do): first check out
#   the commit that this database runs. If no ghost of the app has a column or table left, then, and
#   only then, `python manage.py migrate library --prune` is right.
# - **`migrate` stops, because a column exists**: if the ghost's file came back under another
#   number, read [The migration you renumbered had been applied](../conflicts/applied-then-rebased.md).
#   If `main` makes the same column by itself, go on as below, then `migrate`.
# - **`main` had the migration, or this is staging or production**: after a release that went back,
#   read [Rolling back undid the merge](../reset/back-through-a-merge.md); after a revert,
#   [A migration must leave main](../reset/pulled-from-main.md); after a restore,
#   [The database came from a backup](restored-from-a-dump.md).
#
# No file changes, so it makes no difference whether the branch is pushed. Any other database on
# which the branch was migrated has a ghost of its own, and needs the same steps.
#
# ## Fix it
#
# **What the column holds is lost.** Copy the database first.

# %% tags=["fix"]
laptop.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# **Has a newer migration of `main` run here since? Go to “Main has moved on” instead.**
# (`showmigrations` on `main` has an `[X]` that the branch does not have.)
#
# Go to the branch that has the file, because only the file says how to take the migration back.
# There, migrate back to the last migration that both branches have.
# **The plan must say Undo for the ghost alone. If it does not, you are on the wrong commit.**

# %% tags=["fix"]
plan = laptop.run("git switch shelf && python manage.py migrate library 0006 --plan")

# %% tags=["fix"]
unapplied = laptop.run("python manage.py migrate library 0006")

# %% [markdown]
# Repeat it for each app in the list, with its own migration. Then return to your work.

# %% tags=["fix"]
laptop.run("git switch main")

# %% [markdown]
# **The branch is deleted?** Git keeps its commits for some weeks. This names those that have the
# file. Switch to the newest; the rest is as above.

# %%
FIND = "git log --all --reflog --format='%h %s' -- library/migrations/0007_book_shelf.py"
gone.run("git branch --quiet -D shelf")
commit = gone.run(FIND).split()[0]
gone.run(f"git switch --quiet --detach {commit} && ls library/migrations/0007*")
gone.run("python manage.py migrate library 0006")
gone.run("git switch --quiet main")

# %% [markdown]
# ### Main has moved on
#
# Here `main` has got `0007_book_note`, and its values are to stay. The branch does not know that
# column, and on SQLite may drop it. So stay on `main`, fetch the file of the ghost, and make the last
# migration of `main` its parent. **Copy the database first, as above. Do not commit this edit.**

# %%
newer.run("git checkout --quiet shelf -- library/migrations/0007_book_shelf.py")
newer.replace("library/migrations/0007_book_shelf.py", "0006_find_books_by_title", "0007_book_note")
newer.run("python manage.py migrate library 0007_book_note")
newer.run("git rm --quiet --force library/migrations/0007_book_shelf.py")
newer.rows("select title, note from library_book where id = 1")

# %% [markdown]
# ## Make sure
#
# The ghost and its column are gone, and the insert works.

# %% tags=["after"]
laptop.chain("library")

# %%
no_ghosts = laptop.run(LOOK)
laptop.run(INSERT)
now = laptop.rows("select title, copies from library_book order by id")

# %% [markdown]
# ## Undo it
#
# Put the copy back. Or go forward again on the branch: then the column comes back with its default
# in every row, without `A3`.

# %%
undone = laptop.clone("undone")
again = laptop.clone("again")
again.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
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

# %% [markdown]
# Back on the branch, Django takes the migration for a new one. SQLite builds the table again, prints
# `OK` and resets the column. PostgreSQL refuses a column that exists, and keeps `A3`.

# %%
kept = careless.rows("select title, shelf from library_book where author_id = 1 order by id")
careless.run(
    "git switch --quiet shelf && python manage.py migrate library",
    fails=on(SQLite=None, PostgreSQL='column "shelf" of relation "library_book" already exists'),
)
lost = careless.rows("select title, shelf from library_book where author_id = 1 order by id")

# %% [markdown]
# **Do not leave the ghost where it is.** A migration of `main` that gets the same name
# [never runs](name-reused.md). Under another name it runs: SQLite builds the table again without the
# column that `main` does not know. It prints `OK`; `A3` is gone, and the ghost is still there.
# PostgreSQL adds the new column, and keeps ghost and `shelf`: inserts still fail.

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
assert now == [*books, ("Persuasion", 1)], "the fix changes no row, and one can be added"
assert "Unapplying library.0007_book_shelf" in unapplied, "the branch has the file"
assert "0007_book_shelf" in ghosts, "the look tells the ghost"
assert no_ghosts.strip() == "[]", "and tells when it is gone"
assert laptop.chain().whole, "all apps are whole, not this one alone"
assert gone.chain().whole, "it works without the branch"
assert {shelf for _, shelf in copied} == {"A3"}, "the copy brings the values back"
assert {shelf for _, shelf in back} == {"hall"}, "going forward brings no values back"
assert {shelf for _, shelf in kept} == {"A3"}, "pruning leaves the values where they are"
pruned.run(INSERT, fails=NOT_NULL)  # and helps no insert
after = {shelf for _, shelf in lost}
assert after == on(SQLite={"hall"}, PostgreSQL={"A3"}), "migrating after it resets them on SQLite"
left = further.chain("library")
dropped = "column library_book.shelf exists" not in left
assert dropped == on(SQLite=True, PostgreSQL=False), "SQLite alone drops the column"
assert "files-history" in left.broken, "the ghost stays"
if not dropped:
    further.run(INSERT, fails=NOT_NULL)

# %% tags=["check"]
# The remedies for the two cases beside this one.
pruned.run("git switch --quiet shelf && python manage.py migrate library 0007 --fake --verbosity 0")
pruned.run("python manage.py migrate library 0006 --verbosity 0 && git switch --quiet main")
assert pruned.chain().whole, "a deleted row can be recorded again"
# On the branch, a way back for which SQLite builds the table again.
onto_branch.run("git switch --quiet shelf && python manage.py migrate library 0004 -v 0")
signed = "signed" in onto_branch.rows("select * from library_book where id = 1")[0]
assert signed == on(SQLite=False, PostgreSQL=True), "the branch drops what it does not know"
further.run("python manage.py migrate library --prune --verbosity 0")
assert further.chain().whole == dropped, "a ghost without a column can be pruned, no other"
