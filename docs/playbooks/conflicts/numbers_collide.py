# ---
# title: Two migrations have the same number
# symptoms:
#   - "More than one migration matches '0007' in app 'library'. Please be more specific."
#   - "More than one migration matches '0007_book' in app 'library'. Please be more specific."
# cause: >-
#   You gave a command a number, and two migrations begin with it. Nothing is broken, and nothing has
#   been changed. But the wrong one of the two may cost you a column.
# broken: []
# data: "may be lost: what the migrations had added that you take back"
# undo: put the copy back; migrating forward brings the columns back, not their values
# safe_in: "production: once you have read what --plan lists"
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: conflicts
# ---

# %%
from playbook_kit import Sandbox, on

colleague = Sandbox("colleague")
laptop = Sandbox("laptop")
production = Sandbox("production")
prefix = Sandbox("prefix")
NAME = "class Author(models.Model):\n    name = models.CharField(max_length=100)\n"
COUNTRY = '    country = models.CharField(max_length=50, default="")\n'
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
LANGUAGE = '    language = models.CharField(max_length=5, default="en")\n'
SHELF = '    shelf = models.CharField(max_length=5, default="A1")\n'
EMMA = (
    "select title, language, country from library_book"
    " join library_author on library_author.id = author_id where title = 'Emma'"
)
BACK = on(
    SQLite="cp ../before.sqlite3 db.sqlite3",
    PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
)
EXACT = (
    'python manage.py shell --verbosity 0 -c "from django.db import connection; '
    "from django.db.migrations.executor import MigrationExecutor; "
    "MigrationExecutor(connection).migrate([('library', '0007_book')])\""
)
UNIQUE = (
    'python manage.py shell --verbosity 0 -c "import glob, sys; '
    "n = [f[: f.rindex('/') + 5] for f in glob.glob('*/migrations/0*')]; "
    'sys.exit(sorted({one for one in n if n.count(one) > 1}) or None)"'
)

# %% [markdown]
# You and your colleague both write a migration `0007`. Yours is on main first.

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, COPIES + LANGUAGE)
laptop.run("python manage.py makemigrations library --name book_language")
laptop.run("git add . && git commit --quiet --message 'Language' && git push --quiet")
colleague.replace("library/models.py", NAME, NAME + COUNTRY)
colleague.run("python manage.py makemigrations library --name author_country")
colleague.run("git add . && git commit --quiet --message 'Country'")

# %% [markdown]
# Your colleague puts the other one on top of yours, and keeps its number.

# %% tags=["setup"]
colleague.run("git pull --quiet --rebase")
colleague.replace(
    "library/migrations/0007_author_country.py", "0006_find_books_by_title", "0007_book_language"
)
colleague.run("git commit --quiet --all --message 'New parent' && git push --quiet")

# %% [markdown]
# You add `0008`. Production runs all three, and people fill in the new columns.

# %% tags=["setup"]
laptop.run("git pull --quiet --no-rebase")
laptop.replace("library/models.py", LANGUAGE, LANGUAGE + SHELF)
laptop.run("python manage.py makemigrations library --name book_shelf")
laptop.run("git add . && git commit --quiet --message 'Shelf' && git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate")
production.rows("update library_author set country = 'England' where name = 'Jane Austen'")
production.rows("update library_book set language = 'fr', shelf = 'B2' where title = 'Emma'")
careless = production.clone("careless")

# %% [markdown]
# In another project, one name begins with the whole of the other.

# %% tags=["setup"]
prefix.run("git pull --quiet --no-rebase")
prefix.run("git mv library/migrations/0007_author_country.py library/migrations/0007_book.py")
prefix.replace("library/migrations/0008_book_shelf.py", "0007_author_country", "0007_book")
prefix.run("python manage.py migrate --verbosity 0")

# %% tags=["before"]
production.chain("library")

# %% tags=["before"]
production.graph("library")

# %% [markdown]
# ## Is this your case?
#
# The shelves were a mistake, and the release must go back. The runbook says `0007`.

# %%
production.run("python manage.py migrate library 0007", fails="More than one migration matches")

# %% [markdown]
# `sqlmigrate` stops in the same way. Commands that take no name do not complain: two equal
# numbers are no conflict.

# %%
production.run("python manage.py sqlmigrate library 0007", fails="More than one migration matches")
production.run("python manage.py makemigrations --check --noinput")

# %% [markdown]
# - **`Conflicting migrations detected`**: the parents collide, not the numbers. Read
#   [Two branches added a migration to the same app](two-leaf-nodes.md).
# - **A merge migration joins the two**: neither comes last. Read
#   [Roll back past a merge](../reset/back-through-a-merge.md).
# - **One of the two is a squash**: that is as it should be, see
#   [Squash a long history in two releases](../squashing/squash-in-two-releases.md).
# - **The whole name is refused too**: see [below](#the-whole-name-is-refused-too).
#
# ## Fix it
#
# Look up which of the two comes last. This list has the order in which they run, which need not be
# that of the alphabet.

# %%
production.run("python manage.py showmigrations library")

# %% [markdown]
# You want to stay behind both, so name the last: `0007_author_country`. Ask first what will happen.

# %%
plan = production.run("python manage.py migrate library 0007_author_country --plan")

# %% [markdown]
# What these migrations had added is lost. Copy the database.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# **With `--plan` at its end, the next command must list nothing that you want to keep.**

# %% tags=["fix"]
production.run("python manage.py migrate library 0007_author_country")

# %% [markdown]
# Take the commit back too, so that the next deploy does not apply it again. **Has another database
# applied it? Then do not revert, go forward.** Read
# [A migration must leave main](../reset/pulled-from-main.md).

# %% tags=["fix"]
laptop.run(
    "git revert --no-commit ':/Shelf'"
    " && git commit --quiet --message 'Take the shelf back' && git push --quiet"
)

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase")

# %% [markdown]
# ### The whole name is refused too
#
# `0007_book` is also the beginning of `0007_book_language`. `migrate` has no way to name it alone.
# Call the class that `migrate` uses, with the exact name:

# %%
prefix.run("python manage.py migrate library 0007_book", fails="More than one migration matches")
prefix.run(EXACT)
prefix.run("python manage.py showmigrations library | grep 000[78]")

# %% [markdown]
# ## Make sure
#
# All links hold and nothing is pending. Countries and languages are there.

# %% tags=["after"]
production.chain("library")

# %%
kept = production.rows(EMMA)

# %% [markdown]
# ## Undo it
#
# Put the copy and the commit back. What was written since is lost with it. Without the copy,
# `migrate` brings the column back with its default in every row.

# %%
undone = production.clone("undone")
undone.run(BACK)
undone.run("git revert --no-commit HEAD")
back = undone.rows("select title, shelf from library_book where title = 'Emma'")

# %% [markdown]
# ## What not to do
#
# **Do not guess.** Here `book_language` runs before `author_country`. The other name is accepted, and takes back one
# migration more:

# %%
careless.run("python manage.py migrate library 0007_book_language")

# %% [markdown]
# Going forward again brings the column back, and no country:

# %%
careless.run("python manage.py migrate --verbosity 0")
lost = careless.rows("select name, country from library_author where name = 'Jane Austen'")

# %% [markdown]
# **Do not renumber a migration that has been applied.** To Django it is then another one:
# [The one you renumbered had been applied](applied-then-rebased.md).
#
# ## Why it happens
#
# The number is the beginning of a name, for people to read. Django orders migrations by their
# parents, and two names that differ are two migrations. Only where you type less than the whole
# name does it compare beginnings, and it takes no guess between two. Here nothing is broken on
# [the chain](../../guide/the-chain.md), which is why no check reports it.
#
# ## Keep it from happening
#
# Write whole names into runbooks and scripts. When you put a migration on top of another, give it
# the next number, as long as no one [has applied it](applied-then-rebased.md). In CI, this line
# fails on two equal numbers in one app. It sees apps in the top folder alone, and it also fails on a
# squash beside its originals, where equal numbers are right.
#
# ```bash
# python manage.py shell --verbosity 0 -c "import glob, sys; n = [f[: f.rindex('/') + 5] for f in glob.glob('*/migrations/0*')]; sys.exit(sorted({one for one in n if n.count(one) > 1}) or None)"
# ```
#
# ## Run it yourself
#
# Write `0007_a` in the fix, in place of the whole name. The playbook still passes: the beginning
# of a name is enough, as long as it fits one.

# %% tags=["check"]
assert "library.0008_book_shelf" in plan, "the plan lists what is taken back"
assert "author_country" not in plan, "and nothing else"
assert kept == [("Emma", "fr", "England")], "what both of the two had added is still there"
assert production.chain().whole, "all apps are whole, not this one alone"
assert not production.chain().pending, "and nothing is pending"
assert back == [("Emma", "B2")], "the copy brings the shelf back"
assert undone.chain().whole, "and the chain is whole with it"
assert lost == [("Jane Austen", "")], "the wrong one of the two cost the countries"
assert prefix.chain().whole, "calling the executor leaves no trace"
production.run(UNIQUE, fails="library/migrations/0007")
untouched = Sandbox("untouched")
untouched.run(UNIQUE)
untouched.run("python manage.py squashmigrations library 0001 0006 --noinput --verbosity 0")
untouched.run(UNIQUE, fails="library/migrations/0001")
