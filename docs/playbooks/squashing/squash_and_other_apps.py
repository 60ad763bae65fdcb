# ---
# title: Another app still names a squashed migration
# symptoms:
#   - >-
#     NodeNotFoundError: Migration lending.0001_initial dependencies
#     reference nonexistent parent node ('library', '0003_book_copies')
#   - >-
#     NodeNotFoundError: Migration lending.0008_favourite_book
#     dependencies reference nonexistent parent node ('library', '0006_find_books_by_title')
# cause: >-
#   A squash replaced this migration, and its file and the `replaces` of the squash are gone. A
#   migration of another app, or of a branch, still names it. No database is touched, nothing is lost.
# broken: [files-history]
# data: untouched
# undo: put `replaces` back, until you prune
# safe_in: production
# applied: "elsewhere too: the originals, the squash, and the migrations that name an original"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
production = Sandbox("production")
colleague = Sandbox("colleague")
behind = Sandbox("behind")
SQUASH = "library/migrations/0001_squashed_0006.py"

# %% [markdown]
# A colleague starts a branch: a reader has a favourite book. The new migration of `lending` names
# the leaf node of `library`.

# %% tags=["setup"]
colleague.run("git switch --quiet --create favourite")
colleague.replace(
    "lending/models.py",
    "    email = models.Em",
    "    favourite = models.ForeignKey(\n"
    '        "library.Book", models.SET_NULL, null=True, blank=True\n    )\n'
    "    email = models.Em",
)
colleague.run("python manage.py makemigrations lending --name favourite_book")
colleague.run("python manage.py migrate --verbosity 0")
colleague.rows("update lending_reader set favourite_id = 1 where name = 'Ada'")
colleague.run("git add . && git commit --quiet --message 'Favourite'")
colleague.run("git push --quiet origin favourite")

# %% [markdown]
# Release 1: you squash `library` and keep the originals. Every database records the squash.

# %% tags=["setup"]
laptop.run(
    "python manage.py squashmigrations library 0001 0006 --squashed-name squashed_0006"
    " --noinput --verbosity 0"
)
laptop.run("git add . && git commit --quiet --message 'Release 1' && git push --quiet")
early = laptop.clone("early")
laptop.run("python manage.py migrate --verbosity 0")
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
colleague.run("git pull --quiet --no-rebase origin main && python manage.py migrate --verbosity 0")
loans = production.rows("select id, book_id, reader_id, due_on from lending_loan order by id")

# %% [markdown]
# Release 2: you delete the originals, and `migrate` has no complaint. Then you remove `replaces`,
# and ship.

# %% tags=["setup"]
laptop.run("rm library/migrations/0001_initial.py library/migrations/000[2-6]_*.py")
laptop.run("python manage.py migrate --verbosity 0")
half = laptop.clone("half")
names = ["0001_initial", "0002_book_isbn", "0003_book_copies"]
names += ["0004_genre", "0005_longer_titles", "0006_find_books_by_title"]
replaces = ", ".join(f"('library', '{name}')" for name in names)
laptop.replace(SQUASH, f"    replaces = [{replaces}]\n\n", "")
laptop.run("git commit --quiet --all --message 'Release 2' && git push --quiet")
careless = laptop.clone("careless")
restored = laptop.clone("restored")
production.run("git pull --quiet --no-rebase")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# Every command that reads the migrations stops.

# %%
production.run("python manage.py migrate", fails="nonexistent parent node")

# %% [markdown]
# Before you remove `replaces`, almost no command shows it: Django reads the old name as the squash. Only
# `sqlmigrate` does not use squashes, and stops, whatever you ask it for:

# %%
half.run("python manage.py migrate --check && python manage.py makemigrations --check --noinput")
half.run("python manage.py sqlmigrate contenttypes 0001_initial", fails="nonexistent parent node")

# %% [markdown]
# - **No squash has replaced the missing migration**: read
#   [a migration names a parent that is gone](../conflicts/missing-parent.md).
# - **`wasn't able to because some of the replaced migrations are already applied`**: read
#   [squash a long history in two releases](squash-in-two-releases.md).
# - **Release 2 is not pushed**: the fix is the same, and only your machine has stopped.
# - **Production must go on now, or the name stands in a package that you cannot edit**: put
#   `replaces` back, from the commit before the one that removed it. **Run `migrate` only if `--plan`
#   does not name the squash.** Where the rows of the originals are pruned, the squash would run again.

# %%
rescue = production.clone("rescue")
rescue.run(f"git restore --source HEAD~1 {SQUASH} && python manage.py migrate --plan")

# %% [markdown]
# ## Fix it
#
# Find every dependency on an original: on `main`, and on each branch that is not merged.

# %% tags=["fix"]
found = laptop.run('git grep --line-number "library., .000[1-6]_" -- "*/migrations/*"')

# %% tags=["fix"]
branches = laptop.run("git fetch --quiet && git branch --remotes --no-merged origin/main")

# %% tags=["fix"]
found += laptop.run('git grep --line-number "library., .000[1-6]_" origin/favourite -- lending/')

# %% [markdown]
# Write the name of the squash in place of the old one. The migration may be applied: Django
# records its name, and not its dependencies.

# %% tags=["fix"]
laptop.replace("lending/migrations/0001_initial.py", "0003_book_copies", "0001_squashed_0006")

# %% [markdown]
# **On an empty database, `python manage.py migrate` must succeed before you ship it.** The other app
# now waits for the whole squash, and a circle can close: read
# [after a squash, two apps depend on each other in a circle](squash-in-a-circle.md).

# %%
install = laptop.clone("new-install")
install.run(f"{EMPTY} && python manage.py migrate --verbosity 0")

# %% tags=["fix"]
laptop.run("git commit --quiet --all --message 'Name the squash' && git push --quiet")

# %% tags=["fix"]
squash = production.run("git pull --quiet --no-rebase && python manage.py showmigrations library")

# %% [markdown]
# **Go on only if `[X]` stands before the squash; else `migrate` may run it again.** If it is `[ ]`, or
# Django says `is applied before its dependency`, this database has not recorded the squash. Read
# [migrate runs the squash on tables that exist](originals-deleted-too-early.md).

# %% tags=["fix"]
shipped = production.run("python manage.py migrate")

# %% [markdown]
# Your colleague merges `main`. Git reports no conflict, and the branch breaks in the same way.

# %% tags=["fix"]
colleague.run("git pull --quiet --no-rebase origin main")

# %%
colleague.run("python manage.py migrate", fails="nonexistent parent node")

# %% [markdown]
# **Here too, run `migrate` only if `showmigrations` prints `[X]` before the squash.**

# %% tags=["fix"]
colleague.replace(
    "lending/migrations/0008_favourite_book.py", "0006_find_books_by_title", "0001_squashed_0006"
)

# %%
colleague.run("python manage.py showmigrations library && python manage.py migrate --verbosity 0")

# %% [markdown]
# At the end, delete the rows of the originals, on each database.
# **Some days later: after `--prune` you cannot put `replaces` back.**

# %% tags=["fix"]
production.run("python manage.py migrate library --prune --verbosity 0")

# %% tags=["fix"]
colleague.run("python manage.py migrate library --prune --verbosity 0")

# %% [markdown]
# ## Make sure
#
# Both databases are whole. No loan has changed, and Ada still has her favourite.

# %% tags=["after"]
production.chain()

# %% tags=["after"]
colleague.chain()

# %%
favourites = colleague.rows("select name from lending_reader where favourite_id = 1")

# %% [markdown]
# ## Undo it
#
# Until you prune, put `replaces` back, as [above](#is-this-your-case). Then the old name and the new
# one both lead to the squash. After that there is
# [no way back](squash-in-two-releases.md#undo-it).

# %% [markdown]
# ## What not to do
#
# **Do not delete the dependency.** Your database has nothing to run, so all looks well. A new install
# builds the tables in the wrong order:

# %%
careless.replace(
    "lending/migrations/0001_initial.py", '        ("library", "0003_book_copies"),\n', ""
)
careless.run("python manage.py migrate --verbosity 0")
careless.run(EMPTY)
careless.run(
    "python manage.py migrate --verbosity 0",
    fails="Related model 'library.book' cannot be resolved",
)

# %% [markdown]
# **Do not bring the missing file back.** It needs its own parents, and with these `library` has two
# roots:

# %%
restored.run('git restore --source HEAD~1 "library/migrations/000[1-3]_[ib]*"')
restored.run("python manage.py migrate", fails="Conflicting migrations detected")
restored.run("python manage.py makemigrations --merge", fails="Could not find common ancestor")

# %% [markdown]
# **Do not repoint in release 1**, while the originals are there. A database that is behind could
# go on with them. Now it cannot move:

# %%
early.replace("lending/migrations/0001_initial.py", "0003_book_copies", "0001_squashed_0006")
early.run("git commit --quiet --all --message 'Repointed too early'")
behind.run("python manage.py migrate library 0003 --verbosity 0")
behind.run("git pull --quiet --no-rebase ../early main")
behind.run("python manage.py migrate", fails="is applied before its dependency")

# %% [markdown]
# ## Why it happens
#
# A dependency is a name. `replaces` tells Django which old names the squash answers to, so the
# dependencies of other apps hold without a change. When `replaces` goes, the old names lead
# nowhere. `squashmigrations` looks at one app, and at no other branch. One file with a name that
# leads nowhere is enough: Django builds one graph of all apps, or none. On
# [the chain](../../guide/the-chain.md) this is a break between files and history.
#
# ## Keep it from happening
#
# Search for the old names before you remove `replaces`, not only in the app that you squash. In CI,
# on the merged state of a pull request, this line fails while a migration names one that is
# deleted, with `replaces` or without. It cannot see a branch that has no pull request.
#
# ```bash
# python manage.py sqlmigrate contenttypes 0001_initial
# ```
#
# ## Run it yourself
#
# Do not remove `replaces` in the setup: delete the line `laptop.replace(SQUASH, …)`. The playbook
# stops where `migrate` on production should fail, because it works.

# %% tags=["check"]
now = production.rows("select id, book_id, reader_id, due_on from lending_loan order by id")
assert now == loans, "no loan was changed"
assert favourites == [("Ada",)], "the colleague's data is still there"
assert install.chain().whole, "a new install is whole"
assert "[X] 0001_squashed_0006" in squash, "production had recorded the squash"
assert "No migrations to apply" in shipped, "and ran nothing again"
assert "origin/favourite" in branches, "the branch is in the list"
assert "0003_book_copies" in found, "one original is named on main"
assert "0006_find_books_by_title" in found, "and one on the branch"
colleague.run("python manage.py sqlmigrate contenttypes 0001_initial")
rescue.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
assert rescue.chain().whole, "with `replaces` back, old and new name lead to the squash"
pruned = production.clone("pruned")
pruned.run(f"git restore --source HEAD~2 {SQUASH}")
assert "0001_squashed_0006" in pruned.run("python manage.py migrate --plan"), "it would run again"
