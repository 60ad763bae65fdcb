# ---
# title: Django refuses to squash a squash
# symptoms:
#   - "CommandError: You cannot squash squashed migrations!"
#   - >-
#     NodeNotFoundError: Unable to find replacement node ('library', '0001_squashed_0006'). It was
#     either never added to the migration graph, or has been removed.
# cause: >-
#   The first squash still has `replaces`, and Django 5.2 does not squash such a migration again. It
#   stops before it writes a file: nothing is changed, nothing is lost.
# broken: []
# data: untouched
# undo: delete the second squash, prune its row
# safe_in: production
# applied: "elsewhere too: the first squash, and the migrations after it"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
behind = Sandbox("behind")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
FIRST = "library/migrations/0001_squashed_0006.py"
SECOND = "library/migrations/0001_squashed_0008.py"
SQUASHMIGRATIONS = (
    "python manage.py squashmigrations library 0008 --squashed-name squashed_0008 --noinput"
)
NAMES = ["0001_initial", "0002_book_isbn", "0003_book_copies"]
NAMES += ["0004_genre", "0005_longer_titles", "0006_find_books_by_title"]
ORIGINALS = ", ".join(f"('library', '{name}')" for name in NAMES)

# %% [markdown]
# You have squashed `library` and kept the originals. Since then the app got two more migrations. The
# new ones build on the squash. Production has applied all.

# %% tags=["setup"]
laptop.run(
    "python manage.py squashmigrations library 0001 0006 --squashed-name squashed_0006"
    " --noinput --verbosity 0"
)
laptop.run("git add . && git commit --quiet --message 'First squash' && git push --quiet")
laptop.replace(
    "library/models.py",
    "    copies = ",
    '    language = models.TextField(default="en")\n    copies = ',
)
laptop.run("python manage.py makemigrations library --name book_language --verbosity 0")
laptop.replace("library/models.py", '"en")\n', '"en", blank=True)\n')
laptop.run("python manage.py makemigrations library --name language_may_be_blank --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Language of a book' && git push --quiet")
production = laptop.clone("production")
trick = laptop.clone("trick")
production.rows("update library_book set language = 'fr' where title = 'Emma'")
books = production.rows("select id, title, language from library_book order by id")

# %% tags=["before"]
laptop.chain("library")

# %% tags=["before"]
laptop.graph("library")

# %% [markdown]
# ## Is this your case?
#
# You want one squash of all, and Django refuses. `0001` fits two files, the first original and the
# squash. Without a start, the squash is in the list:

# %%
laptop.run(
    "python manage.py squashmigrations library 0001 0008", fails="More than one migration matches"
)
laptop.run(SQUASHMIGRATIONS, fails="You cannot squash squashed migrations!")

# %% [markdown]
# - **Django 6.0 or later**: squashing a squash
#   [is allowed](https://docs.djangoproject.com/en/6.0/releases/6.0/#migrations). Not run on this
#   page: it runs Django 5.2.
# - **A second squash beside the first is enough**: squash what came after it.

# %%
beside = laptop.clone("beside")
beside.run(
    "python manage.py squashmigrations library 0007 0008 --squashed-name squashed_0008"
    " --noinput --verbosity 0"
)
beside.run("python manage.py migrate --verbosity 0 && python manage.py showmigrations library")

# %% [markdown]
# - **Some database has not recorded the first squash**: finish that first, as in
#   [a squash in two releases](squash-in-two-releases.md).
# - **You do not want the first squash any more**, and the originals are there: delete it, let its
#   children name `0006_find_books_by_title`, and squash the originals again.

# %%
again = laptop.clone("again")
again.run(f"rm {FIRST}")
again.replace(
    "library/migrations/0007_book_language.py", "0001_squashed_0006", "0006_find_books_by_title"
)
again.run(f"{SQUASHMIGRATIONS} --verbosity 0")
again.run("python manage.py migrate --verbosity 0 && python manage.py migrate library --prune")

# %% [markdown]
# ## Fix it
#
# Make the first squash a migration like any other. **First, this line must succeed on every
# database.** One where it fails [stops](#what-not-to-do) at the new release.

# %% tags=["fix"]
gate = production.run(r"python manage.py showmigrations library | grep '\[X\] 0001_squashed_0006'")

# %% [markdown]
# Delete the originals. Let the
# [migrations of other apps](squash-and-other-apps.md) name the squash. Remove `replaces`.

# %% tags=["fix"]
laptop.run("rm library/migrations/0001_initial.py library/migrations/000[2-6]_*.py")

# %% tags=["fix"]
laptop.replace("lending/migrations/0001_initial.py", "0003_book_copies", "0001_squashed_0006")

# %% tags=["fix"]
laptop.replace(FIRST, f"    replaces = [{ORIGINALS}]\n\n", "")

# %% [markdown]
# Now Django takes it. The second squash replaces the first and what came after it.

# %% tags=["fix"]
laptop.run(SQUASHMIGRATIONS)

# %% [markdown]
# Try it on an empty database, then ship it. **Keep the first squash and what came after it in this
# release**: they are the originals now.

# %%
install = laptop.clone("new-install")
install.run(EMPTY)
install.run("python manage.py migrate library")

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Second squash' && git push --quiet")

# %% tags=["fix"]
shipped = production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# The rows of the six originals have no file any more. Delete them, on each database.
# **The next command closes the way back to the originals.**

# %%
undone = production.clone("undone")

# %% tags=["fix"]
production.run("python manage.py migrate library --prune")

# %% [markdown]
# ## Make sure
#
# Production has recorded the second squash, and kept every language.

# %% tags=["after"]
production.chain()

# %% tags=["after"]
production.graph("library")

# %%
recorded = production.run("python manage.py showmigrations library")
now = production.rows("select id, title, language from library_book order by id")

# %% [markdown]
# ## Undo it
#
# Delete the second squash, and prune its row on each database that recorded it.

# %%
undone_2 = production.clone("undone-2")
undone_2.run(f"rm {SECOND} && python manage.py migrate library --prune")

# %% [markdown]
# Before the rows of the six are gone, you can take back the whole release:

# %%
undone.run("git revert --no-commit HEAD && python manage.py migrate library --prune")

# %% [markdown]
# ## What not to do
#
# **Do not take `replaces` out for a moment**, to put it back after the second squash. The command
# succeeds. From then on, chance decides:

# %%
trick.replace(FIRST, f"    replaces = [{ORIGINALS}]\n\n", "")
trick.run(f"{SQUASHMIGRATIONS} --verbosity 0")
trick.run(f"git restore {FIRST}")
trick.run("python manage.py migrate", fails="Unable to find replacement node")

# %% [markdown]
# The same files, with another hash seed of Python. Outside this page, each start of Python draws its
# own:

# %%
trick.run(
    "python manage.py shell --verbosity 0 -c \"import os, sys; os.environ['PYTHONHASHSEED'] = '6'; "
    "os.execv(sys.executable, ['python', 'manage.py', 'migrate'])\""
)

# %% [markdown]
# **Do not write the names of the originals into the second squash by hand**, beside the first. On
# your database all is green. A new install runs both squashes:

# %%
trick.replace(SECOND, "('library', '0001_squashed_0006')", ORIGINALS)
trick.run("python manage.py migrate && python manage.py makemigrations --check --noinput")
trick.run(
    f"{EMPTY} && python manage.py migrate library",
    fails=on(SQLite="table", PostgreSQL="relation") + ' "library_author" already exists',
)

# %% [markdown]
# **Do not go on while a database lacks the first squash.** Here is one that has applied three of its
# originals:

# %%
behind.run("python manage.py migrate library 0003 --verbosity 0")
behind.run("git pull --quiet --no-rebase")
behind.run("python manage.py migrate", fails="is applied before its dependency")

# %% [markdown]
# ## Why it happens
#
# Django 5.2 puts one squash after the other into the graph, in no fixed order, and takes out what it
# replaces. If the second squash comes first, it takes out the first one, which is missing when its own
# turn comes. So `squashmigrations` refuses to write such a file. Without `replaces`, the first squash
# is a migration like any other. On [the chain](../../guide/the-chain.md) nothing is broken as long as
# Django refuses.
#
# ## Keep it from happening
#
# Finish a squash, with both its releases, before you plan the next. In CI, on an empty database, this
# line fails on the second of the wrong fixes, and by chance on the first. It cannot see a database
# that is behind.
#
# ```bash
# python manage.py migrate
# ```
#
# ## Run it yourself
#
# Leave out the cell that deletes the originals. The second squash is written, and the new install
# stops: `library` has two leaf nodes.

# %% tags=["check"]
assert "(6 squashed migrations)" in gate, "production had recorded the first squash"
assert "No migrations to apply" in shipped, "production ran nothing again"
assert "[X] 0001_squashed_0008 (3 squashed migrations)" in recorded, "it recorded the second"
assert now == books, "no book was changed"
install.run("python manage.py migrate --verbosity 0")
assert all(place.chain().whole for place in (install, undone, undone_2, beside, again)), (
    "all are whole"
)

# %% tags=["check"]
# The other two ways, on an empty database.
for place in (beside, again):
    place.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
    assert place.chain().whole, "a new install is whole too"
