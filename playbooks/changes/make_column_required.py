# ---
# title: A required field meets rows that are empty
# symptoms:
#   - "NOT NULL constraint failed: new__library_book.shelf"
#   - column "shelf" of relation "library_book" contains null values
#   - It is impossible to change a nullable field 'shelf' on book to non-nullable without providing a default.
#   - Field 'shelf' on model 'book' given a default of NOT PROVIDED and must be corrected.
# cause: >-
#   A field with null=True became required, and this database has rows where it is NULL. The migration
#   is rolled back whole: nothing is lost. Fill these rows in a migration before it, then require.
# broken: []
# data: "untouched: only empty rows get a value"
# undo: "migrate back: the column may be empty again, and the values stay"
# safe_in: "production: once all code that runs fills the field"
# applied: "elsewhere too: there, migrate back first"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
SHELF = "    shelf = models.CharField(max_length=1{})\n".format
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
SHIP = "git add . && git commit --quiet --message '{}' && git push --quiet".format
SHELVES = "select id, title, shelf from library_book order by id"
EMPTY = on(
    SQLite="NOT NULL constraint failed: new__library_book.shelf",
    PostgreSQL='column "shelf" of relation "library_book" contains null values',
)

# %% [markdown]
# Books have a shelf since the last release. On the laptop each one has a letter. On production the
# staff did four of six. *Frankenstein* stands where they want it.

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, COPIES + SHELF(", null=True"))
laptop.run("python manage.py makemigrations library --name shelf --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("update library_book set shelf = 'Z'")
laptop.run(SHIP("A shelf for books"))
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
production.rows("update library_book set shelf = 'A' where id in (1, 4, 6)")
production.rows("update library_book set shelf = 'X' where id = 3")

# %% [markdown]
# Now the field is required. `makemigrations` asks, and `2` is the answer: the rows are thought of
# later. On the laptop `migrate` has nothing to complain of.

# %% tags=["setup"]
laptop.replace("library/models.py", SHELF(", null=True"), SHELF(""))
asked, silent, letter = (laptop.clone(name) for name in ("asked", "silent", "letter"))
laptop.run("python manage.py makemigrations library --name shelf_required", answers=["2"])
laptop.run("python manage.py migrate")
laptop.run(SHIP("The shelf is required"))
late = laptop.clone("late")

# %% [markdown]
# A colleague would have answered `1`, and typed a letter:

# %% tags=["setup"]
letter.run("python manage.py makemigrations library --name shelf_required", answers=["1", "'?'"])
letter.run("git add . && git commit --quiet --message 'The shelf is required'")
marked = production.clone("marked")

# %% [markdown]
# Production deploys what is on `main`:

# %% tags=["setup"]
production.run("git pull --quiet --no-rebase")
production.run("python manage.py migrate", fails=EMPTY)
fresh = production.clone("fresh")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# `migrate` stops, also when you run it again. It did nothing: the migration is still pending.

# %%
production.run("python manage.py migrate library", fails=EMPTY)
production.run("python manage.py showmigrations library | grep shelf")

# %% [markdown]
# On SQLite, `new__` is the table that Django builds in place of yours. You have no such table.
#
# These rows are in the way:

# %%
production.rows("select id, title from library_book where shelf is null order by id")

# %% [markdown]
# You have not made the migration yet, and `makemigrations` asks? `3` quits, with exit code 3, and
# writes nothing.

# %%
asked.run(
    "python manage.py makemigrations library --name shelf_required", answers=["3"], fails="Quit"
)

# %% [markdown]
# `2` writes a migration that stops at the first NULL, as above. `1` fills all empty rows with one
# value ([below](#what-not-to-do)). With `--noinput` you get what `2` gives, and exit code 0:

# %%
silent.run("python manage.py makemigrations library --name shelf_required --noinput")
plain = silent.run("cat library/migrations/0008_shelf_required.py | grep field=")

# %% [markdown]
# - **The field is new, and not only newly required:** read
#   [A new required field, and makemigrations wants a value](add-required-column.md).
# - **The error says `UNIQUE`, or `could not create unique index`:** read
#   [A unique field meets rows that share a value](add-unique-column.md).
#
# ## Fix it
#
# Fill first, require second, in two migrations. A database that has applied the second one
# goes back before it pulls. The column may be empty again, and no row changes. (One that misses this
# needs `migrate library --prune` later.)

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0007 && rm library/migrations/0008_shelf_required.py")

# %% [markdown]
# Write the fill. **It must give each empty row a value, and leave the others alone.** Here it is the
# first letter of the author.

# %% tags=["fix"]
laptop.write(
    "library/migrations/0008_fill_shelf.py",
    """from django.db import migrations


def fill(apps, schema_editor):
    books = apps.get_model("library", "Book").objects.using(schema_editor.connection.alias)
    for book in books.filter(shelf=None).select_related("author"):
        books.filter(pk=book.pk, shelf=None).update(shelf=book.author.name[0])


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0007_shelf"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
""",
)

# %% [markdown]
# Make the other one again, on top of it. Now `2` is right: the rows are dealt with.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name shelf_required", answers=["2"])

# %% tags=["fix"]
laptop.run("python manage.py migrate && " + SHIP("Fill the shelf, then require it"))

# %% [markdown]
# **Code that runs and leaves the field empty writes a NULL after the fill, and the next step stops
# again.** Ship [code that fills it](../production/remove-or-require-a-field.md#add-a-required-field)
# in a release before.

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Books 2 and 5 have the letter of their author. The others are where the staff put them.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(SHELVES)

# %% [markdown]
# ## Undo it
#
# Migrate back. The column may be empty again. The letters stay: which rows were empty is no longer
# known.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0007")
kept = undone.rows(SHELVES)

# %% [markdown]
# ## What not to do
#
# **Do not answer `1` with a value that means nothing.** The file keeps it, and each database that
# still comes gets it:

# %%
file = letter.run("cat library/migrations/0008_shelf_required.py | grep =")
marked.run("git pull --quiet --no-rebase ../letter main && python manage.py migrate library")
question = marked.rows("select id, title, shelf from library_book where shelf = '?' order by id")

# %% [markdown]
# No query finds these rows if the value is one that a person may type. `1` is right for a value that
# is true of every empty row.
#
# ## Why it happens
#
# `makemigrations` compares models and files, and never looks at rows. So it cannot know whether there
# is a NULL, and asks you in every case. The database knows, and refuses. On
# [the chain](../../guide/the-chain.md) all links hold: the migration is not recorded and its effect is
# not there. `NOT PROVIDED` is Django's own word for “there is no default”. The file holds
# no default.
#
# ## Keep it from happening
#
# Count the empty rows of production before you require a field. Your own database is not a sample.
#
# **In review, ask:** which migration fills the rows that are NULL today, on every database?
#
# **In CI:** nothing sees this: a new database has no rows. [Rehearse on a copy of
# production](../production/rehearse-on-a-copy.md).
#
# ## Run it yourself
#
# In the fill, write `books.filter(shelf=None, id=2)`. Book 5 stays empty, and production stops with the
# same error after the fix.

# %% tags=["check"]
assert [shelf for *_, shelf in after] == ["A", "J", "X", "A", "H", "A"], "two are filled, four kept"
assert kept == after, "the way back changes no row"
assert laptop.chain().whole, "the laptop has no row of the file that is gone"
assert [row[0] for row in question] == [2, 5], "both got the same mark"
assert "default='?'" in file, "and the file holds it"
assert "preserve_default=False" in file, "while the model does not"
assert plain == "            field=models.CharField(max_length=1),\n", "--noinput gives no default"

# %% tags=["check"]
# A new database has no rows, so CI is green with the migration that stops production.
fresh.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
fresh.run("python manage.py migrate --verbosity 0 && python manage.py migrate --check")
# One that had applied the old file, and did not go back.
late.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
(stray,) = late.chain().findings
assert "0008_shelf_required" in str(stray), "it keeps a row without a file"
late.run("python manage.py migrate library --prune")
assert late.chain().whole, "and pruning mends it"
