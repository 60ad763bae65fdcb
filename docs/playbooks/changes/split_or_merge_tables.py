# ---
# title: Split a table in two and keep the values
# symptoms:
#   - "AttributeError: 'Book' object has no attribute 'isbn'"
# cause: >-
#   makemigrations sees a new model and fields that are gone, not that they belong together. Its migration
#   copies nothing: the values are lost, with exit code 0. A copy added at its end comes too late, and stops.
# broken: []
# data: "copied: in a single generated migration they are lost"
# undo: migrate back; the values come back too
# safe_in: "production: while nothing writes to the table"
# applied: nowhere yet
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
staging = Sandbox("staging")
production = Sandbox("production")
FIELDS = """    isbn = models.CharField(max_length=13, blank=True, default="")
    copies = models.PositiveIntegerField(default=1)
"""
EDITION = f"""

class Edition(models.Model):
    book = models.OneToOneField(Book, on_delete=models.CASCADE)
{FIELDS}"""
MODELS, END = "library/models.py", "        return self.title\n"
GENRES = "    genres = models.ManyToManyField(Genre, blank=True)\n"
MAKE = "python manage.py makemigrations library --name"
PUSH = "git add . && git commit --quiet --message '{}' && git push --quiet".format
OLD = "select id, isbn, copies from library_book order by id"
NEW = "select book_id, isbn, copies from library_edition order by book_id"
COPY = """from django.db import migrations


def managers(apps, schema_editor):
    alias = schema_editor.connection.alias
    return [apps.get_model("library", name).objects.using(alias) for name in ("Book", "Edition")]


def to_edition(apps, schema_editor):
    books, editions = managers(apps, schema_editor)
    for book in books.filter(edition=None).iterator():
        editions.create(book_id=book.pk, isbn=book.isbn, copies=book.copies)


def to_book(apps, schema_editor):
    books, editions = managers(apps, schema_editor)
    for edition in editions.iterator():
        books.filter(pk=edition.book_id).update(isbn=edition.isbn, copies=edition.copies)


class Migration(migrations.Migration):
    dependencies = [("library", "%s")]
    operations = [migrations.RunPython(%s)]
"""
FUNCTIONS = COPY[COPY.index("def managers") : COPY.index("class Migration")]
END_OF_FILE = "        ),\n    ]\n"
AT_END = "        ),\n        migrations.RunPython(to_edition, to_book),\n    ]\n"

# %% [markdown]
# The ISBN and the copies are to leave `Book`, for a model `Edition` with one row for each book.

# %% tags=["setup"]
before = production.rows(OLD)
laptop.run("rm library/admin.py && rm -r library/management")  # they name the fields
laptop.run(PUSH("No admin"))

# %% [markdown]
# What most people do: move the lines, and let `makemigrations` write one migration. You try it on
# staging.

# %% tags=["setup"]
staging.run("git pull --quiet")
by_one = staging.clone("by-one")
staging.replace(MODELS, FIELDS, "")
staging.replace(MODELS, END, END + EDITION)
once = staging.run(f"{MAKE} edition")
staging.run("python manage.py migrate")

# %% tags=["before"]
staging.rows("select count(*) as editions from library_edition")
staging.chain()

# %% [markdown]
# ## Is this your case?
#
# Everything is green on staging, and the values are gone. `library_book` has no such columns any more.
# (If `migrate` stopped at your own copy, [it was in the wrong place](#what-not-to-do). Nothing is lost.)

# %%
lost = staging.rows(NEW)
staging.run("python manage.py makemigrations --check && python manage.py migrate --check")
left = staging.run("python manage.py inspectdb library_book | grep ' = models'")

# %% [markdown]
# - **It ran on production already**: only a [backup](../../guide/backups.md) has the values.
# - **Old code runs during your deploy**: the last migration here
#   [breaks it](../production/remove-or-require-a-field.md). That page tells in which releases a field
#   goes.
# - **You move a whole model to another app**: this is not your page. A cut and paste
#   [drops the table](what-each-change-does.md).
#
# ## Fix it
#
# First the schema: add the new model, and leave the old fields where they are.

# %% tags=["fix"]
laptop.replace(MODELS, END, END + EDITION)
laptop.run(f"{MAKE} edition")

# %% [markdown]
# Then the data, in a migration of its own, with a way back.

# %% tags=["fix"]
COPY_FORWARD = COPY % ("0007_edition", "to_edition, to_book")
laptop.write("library/migrations/0008_copy_to_edition.py", COPY_FORWARD)

# %% [markdown]
# Then the schema again: take the old fields away, and change the code that reads them.
# **The migration of this step drops the old columns. It must come after the one that copies.**

# %% tags=["fix"]
laptop.replace(MODELS, FIELDS + GENRES, GENRES)
laptop.run(f"{MAKE} moved_to_edition")

# %% [markdown]
# Ship the three together, while nothing writes books.

# %% tags=["fix"]
laptop.run(PUSH("Editions"))
production.run("git pull --quiet && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Every book has its row, with its own values.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(NEW)
without = production.rows(
    "select count(*) as without from library_book b left join library_edition e on e.book_id = b.id "
    "where e.id is null"
)

# %% [markdown]
# ## Undo it
#
# Migrate back. The columns come back empty, then their values. Here somebody has bought six books of
# the first since:

# %%
undone = production.clone("undone")
undone.rows("update library_edition set copies = 9 where book_id = 1")
undone.run("python manage.py migrate library 0006")
back = undone.rows(OLD)

# %% [markdown]
# **To merge the two tables later**, go forward, with the same three steps: add the fields, copy, delete
# the model.

# %%
merged = production.clone("merged")
merged.replace(MODELS, GENRES, FIELDS + GENRES)
merged.run(f"{MAKE} book_again --verbosity 0")
COPY_BACK = COPY % ("0010_book_again", "to_book, to_edition")
merged.write("library/migrations/0011_copy_to_book.py", COPY_BACK)
merged.replace(MODELS, EDITION, "")
merged.run(f"{MAKE} no_edition --verbosity 0 && python manage.py migrate --verbosity 0")
rejoined = merged.rows(OLD)

# %% [markdown]
# ## What not to do
#
# **Do not add the copy to the end of the generated migration.** It removes the fields first, so there is
# nothing to copy. `migrate` stops, and rolls back:

# %%
by_one.replace(MODELS, FIELDS, "")
by_one.replace(MODELS, END, END + EDITION)
by_one.run(f"{MAKE} edition --verbosity 0")
by_one.replace(
    "library/migrations/0007_edition.py", "class Migration", f"{FUNCTIONS}class Migration"
)
by_one.replace("library/migrations/0007_edition.py", END_OF_FILE, AT_END)
by_one.run("python manage.py migrate", fails="'Book' object has no attribute 'isbn'")
kept = by_one.rows(OLD)

# %% [markdown]
# Schema and data together have [their own trouble on PostgreSQL](../production/pending-trigger-events.md).

# %% [markdown]
# ## Why it happens
#
# `makemigrations` compares two states of the models. It finds a model more and two fields less: a
# `CreateModel` and two `RemoveField`. A field that changes its model is nothing that it knows, so it
# does not ask, as it does for a renamed field. [The chain](../../guide/the-chain.md) is whole: it
# compares tables, and no rows.
#
# ## Keep it from happening
#
# Rehearse on a copy with rows, and compare the values, not the number of rows.
#
# **In review, ask:** does a migration remove a field whose values the same pull request needs elsewhere,
# and which migration copies them?
#
# **In CI:** nothing in CI sees this, as its database is empty. [The check for renames](../../guide/ci.md)
# compares fields of one model.
#
# ## Run it yourself
#
# In the function `to_edition`, leave `copies=book.copies` out. The chain is whole, each book has its
# edition, and the playbook stops at the check that compares values.

# %% tags=["check"]
assert after == before, "each value came over"
assert without == [(0,)], "each book has an edition"
assert lost == [], "in one generated migration nothing is copied"
assert "isbn" not in left, "and the old column is gone"
assert all(word in once for word in ("Create model Edition", "Remove field isbn")), "all at once"
assert back == [(1, "9780141439518", 9), *before[1:]], "the way back takes the newest values"
assert kept == before, "what stopped has lost nothing"
assert undone.rows("select count(*) from library_book") == [(6,)], "and loses no book"
assert merged.chain().whole, "merging works too"
assert rejoined == before, "with each value"
for place in (production, merged):
    FRESH = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
    place.run(f"{FRESH} && python manage.py migrate --verbosity 0")
    assert place.chain().whole, "a new database can be built"
