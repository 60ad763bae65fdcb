# ---
# title: An old data migration stops on every new database
# symptoms:
#   - "no such column: library_book.binding"
#   - column library_book.binding does not exist
# cause: >-
#   The migration imports the model. That is the model of today, and it asks for a column that only a
#   later migration adds. Where the two ran on different days, all is well. Nothing is lost.
# broken: []
# data: untouched
# undo: put back the copy of the database that you make first, and revert the commit
# safe_in: production
# applied: "elsewhere too: the file may be edited all the same, because it does the same as before"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = laptop.clone("production")
MISSING = on(
    SQLite="no such column: library_book.binding",
    PostgreSQL="column library_book.binding does not exist",
)
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
FILE = "library/migrations/0007_enough_copies.py"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
BINDING = '    binding = models.CharField(max_length=20, default="paper")\n'
BOOKS = "select id, title, copies from library_book order by id"

# %% [markdown]
# In January you write a data migration: of a book that people borrow, the library owns three copies.
# It imports the models. It works on your laptop, in CI, and on the new database of a colleague.

# %% tags=["setup"]
laptop.write(
    FILE,
    """from django.db import migrations
from lending.models import Loan
from library.models import Book


def enough_copies(apps, schema_editor):
    for book in Book.objects.filter(copies__lt=3, pk__in=Loan.objects.values("book")):
        book.copies = 3
        book.save(update_fields=["copies"])


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(enough_copies, migrations.RunPython.noop)]
""",
)
laptop.run("python manage.py migrate --verbosity 0")
january = laptop.clone("january")
january.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Enough copies'")

# %% [markdown]
# In February somebody adds a field. Production gets both in one release.

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, COPIES + BINDING)
laptop.run("python manage.py makemigrations library --name binding --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Binding' && git push --quiet")
colleague = laptop.clone("colleague")
production.run("git pull --quiet --no-rebase")
before = production.rows(BOOKS)

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# The line `Applying …` names the migration that stops:

# %%
production.run("python manage.py migrate", fails=MISSING)

# %% [markdown]
# A new database stops at the same one, and [the one of your tests](../checks/ways-to-test.md) is new
# each time:

# %%
colleague.run(f"{EMPTY} && python manage.py migrate --verbosity 0", fails=MISSING)

# %% [markdown]
# The column comes from a newer migration, and the older one imports the model that has it:

# %%
late = colleague.run('git grep --name-only binding -- "*/migrations/*.py"')
imports = colleague.run('git grep "models import" -- "*/migrations/*.py"')

# %% [markdown]
# - **It says `no such table` or `relation … does not exist`**: the same, with a model of which the
#   table comes later.
# - **`migrate` passes, and your site says it**: read
#   [migrate has nothing to do, and a table is missing](../mismatch/recorded-but-never-ran.md).
# - **The file imports something that is no longer there**: read
#   [A helper was deleted and no migration command runs](helper-was-deleted.md).
#
# **Is it applied elsewhere?** Then edit it all the same. For a data migration this is right as long as
# it changes the same rows to the same values. Where it ran, it does not run again. Where it did
# not, it cannot run as it is.
#
# ## Fix it
#
# On the database that stopped, nothing has to be repaired: the failed migration was taken back whole.
# If it says `atomic = False`, read [half applied](../mismatch/half-applied.md) first. Make a copy.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Take the models from `apps`. They have the fields that exist at this point of the history.
# **Models from `apps` have no method, `save()` or manager of yours. Copy in what the function uses,
# and the filter of a manager that hides rows.** Without it, [values are missing](no-custom-methods.md)
# or [other rows are changed](two-ways-to-read-models.md).

# %% tags=["fix"]
laptop.replace(
    FILE,
    """from lending.models import Loan
from library.models import Book


def enough_copies(apps, schema_editor):
""",
    """

def enough_copies(apps, schema_editor):
    Book = apps.get_model("library", "Book")
    Loan = apps.get_model("lending", "Loan")
""",
)

# %% [markdown]
# [Name the other app](app-registry-dependency.md) of which it reads a model, and the last migration
# that you need. **Every database that has applied this file must have applied the one that you name, too.** Else it
# stops with [InconsistentMigrationHistory](../mismatch/history-out-of-order.md): name an older one.

# %% tags=["fix"]
laptop.replace(
    FILE,
    '("library", "0006_find_books_by_title")]',
    '("library", "0006_find_books_by_title"), ("lending", "0007_unique_reader_email")]',
)

# %% [markdown]
# Try it on a new database, each app alone. That finds an app that you did not name.

# %%
new = laptop.clone("new")
new.run(f"{EMPTY} && python manage.py migrate library --verbosity 0")
new.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# Ship it.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Historical models' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# A new database that stopped goes on from there, too:

# %%
colleague.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Make sure
#
# Nothing is pending, and Frankenstein and Moby-Dick have three copies.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(BOOKS)

# %% [markdown]
# ## Undo it
#
# The edit: `git revert`. The rows: put the copy back, while nothing uses the database. What was
# written since is lost.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="git revert --no-edit HEAD && cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="git revert --no-edit HEAD && dropdb library && createdb library"
        " && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not fake it.** On an empty database that does no harm. Where there are rows, they stay as they
# were, every check is green, and nobody will miss the migration:

# %%
faked = undone.clone("faked")
faked.run("python manage.py migrate library 0007 --fake && python manage.py migrate --verbosity 0")
faked.run("python manage.py migrate --check && python manage.py makemigrations --check")
short = faked.rows(BOOKS)

# %% [markdown]
# ## Why it happens
#
# An import gives you the class of today, and its queries name every column of today. Django
# builds the models of `apps.get_model` from the migration files, as far as they have run. Each
# link of [the chain](../../guide/the-chain.md) is whole: the file is at fault, and only where
# it still has to run. `update()` and `count()` name few columns, so an import can pass for years.
#
# ## Keep it from happening
#
# On the day you write it, no new database sees the fault. It comes with the next field.
#
# **In review, ask:** does a migration import a model, or a function that uses one?
#
# **In CI:** `git grep "models import" -- "*/migrations/*.py"` must print nothing.
#
# ## Run it yourself
#
# In the migration of the setup, replace the loop by `Book.objects.filter(copies__lt=3).update(copies=3)`.
# Production does not stop, and the playbook does.

# %% tags=["check"]
raised = [
    (id, title, 3 if title in ("Frankenstein", "Moby-Dick") else n) for id, title, n in before
]
assert (raised != before, after) == (True, raised), "it did its work, and no other"
assert undone.rows(BOOKS) == before, "the copy is as before"
undone.run("python manage.py migrate", fails=MISSING)
assert late == "library/migrations/0008_binding.py\n", "a newer migration adds the column"
assert imports.count(FILE) == imports.count("\n") == 2, "the file that stops imports two models"
assert short == before, "after a fake, nothing is done"
assert faked.chain().whole, "and no check tells"
for place in (january, new, colleague):
    assert place.chain().whole, f"{place.name} is whole"
laptop.run("python manage.py migrate --verbosity 0")
assert laptop.rows(BOOKS) == raised, "where it ran, it does not run again"

# %% tags=["check"]
# update() names one column, and passes; a model without its table stops.
LOOP = """    for book in Book.objects.filter(copies__lt=3, pk__in=Loan.objects.values("book")):
        book.copies = 3
        book.save(update_fields=["copies"])
"""
update = undone.clone("update")
update.replace(FILE, LOOP, "    Book.objects.filter(copies__lt=3).update(copies=3)\n")
update.run("python manage.py migrate --verbosity 0")
assert update.chain().whole, "with update() alone, it passes"
table = undone.clone("table")
table.replace(
    "library/models.py", "class Genre(", "class Shelf(models.Model): ...\n\n\nclass Genre("
)
table.run("python manage.py makemigrations library --name shelf --verbosity 0")
table.replace(FILE, LOOP, "    list(Shelf.objects.all())\n")
table.replace(FILE, "import Book", "import Book, Shelf")
gone = on(SQLite="no such table: library_shelf", PostgreSQL='relation "library_shelf" does not')
table.run("python manage.py migrate", fails=gone)
