# ---
# title: Both branches added several migrations
# symptoms:
#   - >-
#     Conflicting migrations detected; multiple leaf nodes in the migration graph:
#     (0008_author_born, 0009_language_required in library).
#     To fix them run 'python manage.py makemigrations --merge'
#   - >-
#     Migration library.0007_book_language is applied before its dependency
#     library.0008_author_born on database 'default'.
# cause: >-
#   Two chains of migrations start from one parent. The message names only the last of each. Django
#   stops before it changes anything: nothing is lost, as long as you delete no migration.
# broken: [files-history]
# data: untouched
# undo: migrate back to a parent of the merge and delete it, as long as you have not pushed it
# safe_in: production
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: conflicts
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
colleague = Sandbox("colleague")
NAME = "class Author(models.Model):\n    name = models.CharField(max_length=100)\n"
COUNTRY = '    country = models.CharField(max_length=50, default="")\n'
BORN = "    born = models.IntegerField(null=True)\n"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
LANGUAGE = "    language = models.CharField(max_length=5, null=True)\n"
FIRST = "library/migrations/0007_book_language.py"
BOOKS = "select title, language from library_book where author_id in (1, 4) order by id"

# %% [markdown]
# In a week your colleague adds two fields to `Author`, each with its migration, and pushes.

# %% tags=["setup"]
colleague.replace("library/models.py", NAME, NAME + COUNTRY)
colleague.run("python manage.py makemigrations library --name author_country --verbosity 0")
colleague.replace("library/models.py", COUNTRY, COUNTRY + BORN)
colleague.run("python manage.py makemigrations library --name author_born --verbosity 0")
colleague.run("python manage.py migrate --verbosity 0")
colleague.rows("update library_author set country = 'England' where name = 'Jane Austen'")
colleague.run("git add . && git commit --quiet --message 'Authors' && git push --quiet")
production = colleague.clone("production")

# %% [markdown]
# In the same week you add a field to `Book`, fill it with a data migration, and make it required.

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, COPIES + LANGUAGE)
laptop.run("python manage.py makemigrations library --name book_language --verbosity 0")
laptop.write(
    "library/migrations/0008_fill_language.py",
    """from django.db import migrations


def fill(apps, schema_editor):
    books = apps.get_model("library", "Book").objects
    books.filter(author__name="Herman Melville").update(language="en-US")
    books.filter(language=None).update(language="en-GB")


class Migration(migrations.Migration):
    dependencies = [("library", "0007_book_language")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
""",
)
laptop.replace("library/models.py", "max_length=5, null=True", 'max_length=5, default="en-GB"')
laptop.run("python manage.py makemigrations library --name language_required --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("update library_book set language = 'fr' where title = 'Emma'")
laptop.run("git add . && git commit --quiet --message 'Languages'")

# %% [markdown]
# You pull, with a rebase or without. Git finds no conflict.

# %% tags=["setup"]
rebased = laptop.clone("rebased")
rebased.run("git pull --quiet --rebase")
laptop.run("git pull --quiet --no-rebase")
careless = laptop.clone("careless")
hasty = laptop.clone("hasty")

# %% tags=["before"]
laptop.chain()

# %% tags=["before"]
laptop.graph("library")

# %% [markdown]
# ## Is this your case?
#
# `migrate` names two leaf nodes, the last migration of each branch. It does not say what comes
# before them.

# %%
laptop.run("python manage.py migrate", fails="Conflicting migrations detected")

# %% [markdown]
# This lists all that each branch does. Read the two lists against each other.

# %%
laptop.run("python manage.py makemigrations library --merge --dry-run --noinput")

# %% [markdown]
# - **Different fields or models**: merge, as below. That holds whoever has applied what.
# - **`Raw Python operation`**: the list does not say what it does. Open the file. If it reads or
#   writes what the other branch changes, do not merge.
# - **The same field on both**: do not merge. Both [alter it](two-migrations-one-field.md),
#   [remove it](both-branches-removed-it.md), or one
#   [renames or removes what the other alters](removed-here-altered-there.md).
# - **Yours are on your machine alone, and you want one line without a merge**: see
#   [Put your chain on top](#put-your-chain-on-top).
#
# ## Fix it
#
# However long the two chains are, one merge migration is enough.
# **Answer `y` only if the two lists touch different fields or models.**

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --merge --name merge_language", answers=["y"])

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# Push soon. Until then, everyone who pulls your branch has the conflict.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Merge two chains' && git push --quiet")

# %% [markdown]
# Production had the other chain. It runs yours, the data migration too.

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ### Put your chain on top
#
# **Put it on top only if yours have run on your database alone.** `git pull --rebase` does not do
# it: Git moves commits, but the parents stand in the files. After it, merge and migrate as above,
# which applies main's migrations and loses nothing. Then take the merge out.

# %%
rebased.run("python manage.py makemigrations library --merge --noinput --name step -v 0")
rebased.run("python manage.py migrate --verbosity 0 && rm library/migrations/0010_step.py")

# %% [markdown]
# Give the first of your migrations a new parent: the last of main's.
# The others follow, because each names the one before it. The numbers do not matter.

# %%
rebased.replace(FIRST, "0006_find_books_by_title", "0008_author_born")

# %% [markdown]
# Last, delete the row of the merge from the history.

# %%
rebased.run("python manage.py migrate library --prune")

# %% [markdown]
# ## Make sure
#
# All links hold and nothing is pending. `Emma` keeps what you typed in, and the others keep what
# the data migration wrote.

# %% tags=["after"]
laptop.chain()

# %%
kept = laptop.rows(BOOKS)

# %% [markdown]
# A new database runs one chain whole, then the other.

# %%
fresh = laptop.clone("fresh")
fresh.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
fresh.run("python manage.py migrate | grep 'library.00[01][0789]'")

# %% [markdown]
# ## Undo it
#
# As long as the merge is not pushed: migrate back to one of its parents, which undoes the merge
# alone, and delete it.

# %%
undone = laptop.clone("undone")
undone.run(
    "python manage.py migrate library 0008_author_born --verbosity 0"
    " && rm library/migrations/0010_merge_language.py"
)

# %% [markdown]
# ## What not to do
#
# **Do not delete your chain** and let Django write it anew as one migration. The schema comes out
# right. The data migration does not: no command writes it again.

# %%
careless.run("rm library/migrations/0007_book_language.py library/migrations/000[89]_*language*.py")
careless.run("python manage.py makemigrations library --name language_again")

# %% [markdown]
# Your database had the column. SQLite builds the table again and sets every book to the default: the
# exit code is 0, and `fr` and `en-US` are gone. PostgreSQL refuses the column and keeps the rows.

# %%
careless.run(
    "python manage.py migrate",
    fails=on(SQLite=None, PostgreSQL='column "language" of relation "library_book" already exists'),
)
lost = careless.rows(BOOKS)

# %% [markdown]
# **Do not give your chain a new parent before main's migrations have run.** Your database then has
# run migrations before their parents.

# %%
hasty.replace(FIRST, "0006_find_books_by_title", "0008_author_born")
hasty.run("python manage.py migrate", fails="is applied before its dependency")

# %% [markdown]
# ## Why it happens
#
# Each migration names its own parent, so a chain hangs on its first link: that is the only one the
# two branches share a parent with. A merge ties the two ends together, and a new parent for the
# first link moves the whole chain. Numbers and the order of commits say nothing to Django. On
# [the chain](../../guide/the-chain.md) this is a break between files and history.
#
# ## Keep it from happening
#
# Pull main into a long branch each time it gets a new migration. In CI, on the merged state of a
# pull request, this line fails on two leaf nodes. It does not see that a data migration was
# deleted: on `careless` it is green.
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Let both branches add a field to a model of `lending` too. `migrate` then names both apps in one
# message. `makemigrations --merge` without an app asks twice, and writes one file for each.

# %% tags=["check"]
books = [("Pride and Prejudice", "en-GB"), ("Emma", "fr"), ("Moby-Dick", "en-US")]
assert kept == books, "your laptop has what you typed in and what the data migration wrote"
assert "2 leaf nodes" in undone.chain("library"), "undoing the merge leaves both chains"
assert ("Moby-Dick", "en-US") in production.rows(BOOKS), "the data migration ran on production"
country = production.rows("select country from library_author where name = 'Jane Austen'")
assert country == [("England",)], "and your colleague's data is there"
for chain in (place.chain() for place in (laptop, production, rebased, fresh)):
    assert chain.whole, f"{chain.place} is whole"
    assert not chain.pending, f"{chain.place} has run everything"
assert rebased.rows(BOOKS) == books, "putting the chain on top loses nothing either"
reset = [(title, "en-GB") for title, _ in books]
assert lost == on(SQLite=reset, PostgreSQL=books), "the wrong fix reset every book, on SQLite alone"
careless.run("python manage.py makemigrations --check --noinput")
