# ---
# title: A data migration ran and left the new field empty
# symptoms:
#   - "AttributeError: 'Book' object has no attribute 'make_slug'"
#   - "AttributeError: 'Manager' object has no attribute 'without_slug'"
# cause: >-
#   The models in a migration have the fields, and nothing else that you wrote. Your own `save()` is
#   not called, and nobody says so. A method or a manager stops it. No value is lost, some are missing.
# broken: []
# data: untouched
# undo: put back the copy of the database that you make first, and revert the commit
# safe_in: production
# applied: "elsewhere too: an edit reaches no database on which it ran. Where it stopped, edit it"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = laptop.clone("production")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
FILE = "library/migrations/0008_slugs_of_old_books.py"
NEW = "library/migrations/0009_fill_slugs.py"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
SLUG = '    slug = models.SlugField(max_length=200, blank=True, default="")\n'
BOOKS = "select id, title, slug from library_book order by id"
WRONG = "select id, title from library_book where slug = '' order by id"

# %% [markdown]
# Books get a slug, and `save()` fills it in. A manager finds those that have none. A receiver tells
# of each book that is saved.

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, COPIES + SLUG)
laptop.replace(
    "library/models.py",
    "    class Meta:\n",
    """    objects = Books()

    def make_slug(self):
        return slugify(self.title)

    def save(self, **options):
        self.slug = self.slug or self.make_slug()
        super().save(**options)

    class Meta:
""",
)
laptop.replace(
    "library/models.py",
    "class Book(",
    """class Books(models.Manager):
    def without_slug(self):
        return self.filter(slug="")


class Book(""",
)
laptop.replace(
    "library/models.py",
    "        return self.title\n",
    """        return self.title


@receiver(models.signals.post_save, sender=Book)
def announce(instance, **options):
    print("Saved:", instance)
""",
)
laptop.replace(
    "library/models.py",
    "import models\n",
    "import models\nfrom django.dispatch import receiver\nfrom django.utils.text import slugify\n",
)
laptop.run("python manage.py makemigrations library --name book_slug --verbosity 0")

# %% [markdown]
# The books that are there are to get theirs as well. A migration saves each of them.

# %% tags=["setup"]
laptop.write(
    FILE,
    """from django.db import migrations


def slugs_of_old_books(apps, schema_editor):
    Book = apps.get_model("library", "Book")
    for book in Book.objects.filter(slug=""):
        book.save()


class Migration(migrations.Migration):
    dependencies = [("library", "0007_book_slug")]
    operations = [migrations.RunPython(slugs_of_old_books, migrations.RunPython.noop)]
""",
)
laptop.run("git add . && git commit --quiet --message 'Slugs' && git push --quiet")
calls = laptop.clone("calls")
laptop.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# It is shipped. Since then somebody wrote a slug by hand.

# %% tags=["setup"]
ran = production.run("git pull --quiet --no-rebase && python manage.py migrate")
production.rows("update library_book set slug = 'emma-1815' where id = 2")
edited = production.clone("edited")
staging = production.clone("staging")
before = production.rows(BOOKS)

# %% tags=["before"]
production.chain()

# %% tags=["before"]
wrong = production.rows(WRONG)

# %% [markdown]
# ## Is this your case?
#
# The migration is applied, and there was no error. These rows have not got what `save()` should have
# given them:

# %%
production.run("python manage.py migrate --check")
production.rows(WRONG)

# %% [markdown]
# The model in the migration is not your class. Ask it, in a migration on a copy:

# %%
look = calls.clone("look")
look.replace(
    FILE,
    """    for book in Book.objects.filter(slug=""):
        book.save()
""",
    """    for name in ("title", "slug", "make_slug"):
        print(name, hasattr(Book, name))
    print("save() of its own", "save" in vars(Book))
    print("manager", type(Book.objects).__name__)
""",
)
asked = look.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# **It stopped with an `AttributeError`?** Then it calls a method of the model, or of a manager:

# %%
calls.replace(FILE, "book.save()", "book.slug = book.make_slug()\n        book.save()")
calls.run("python manage.py migrate", fails="'Book' object has no attribute 'make_slug'")
managed = calls.clone("managed")
managed.replace(FILE, 'filter(slug="")', "without_slug()")
managed.run("python manage.py migrate", fails="'Manager' object has no attribute 'without_slug'")

# %% [markdown]
# It was taken back whole. Write out in this file what the method does, and migrate again. A new
# database, without books, calls no method and has it applied already. That does no harm.

# %%
stopped = calls.clone("stopped")
stopped.replace(FILE, "book.make_slug()", "slugify(book.title)")
stopped.replace(
    FILE, "import migrations\n", "import migrations\nfrom django.utils.text import slugify\n"
)
stopped.run("python manage.py migrate --verbosity 0")
stopped.rows(WRONG)

# %% [markdown]
# - **It imports the model, and new databases stop**: read
#   [An old data migration stops on every new database](historical-models.md).
#
# ## Fix it
#
# Make a copy.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Write a new migration that does what `save()` does. It runs on each database, once.
# **It stopped with an `AttributeError`? Then edit the file that stopped, and write no new one. Keep
# `filter(slug="")`: without it, you overwrite what people typed since.** If you cannot tell a
# row that is wrong from one that is empty on purpose, list them first and ask.

# %% tags=["fix"]
laptop.write(
    NEW,
    """from django.db import migrations
from django.utils.text import slugify


def make_slug(book):
    return slugify(book.title)


def fill_slugs(apps, schema_editor):
    Book = apps.get_model("library", "Book")
    for book in Book.objects.using(schema_editor.connection.alias).filter(slug=""):
        book.slug = make_slug(book)
        book.save(update_fields=["slug"])


class Migration(migrations.Migration):
    dependencies = [("library", "0008_slugs_of_old_books")]
    operations = [migrations.RunPython(fill_slugs, migrations.RunPython.noop)]
""",
)

# %% [markdown]
# Try it on your database, which has books, and look at the rows:

# %%
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows(WRONG)

# %% [markdown]
# Ship it.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Fill slugs' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Every book has a slug, and Emma has the one that was typed.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(BOOKS)

# %% [markdown]
# ## Undo it
#
# Put the copy back, while nothing uses the database. What was written since is lost.

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
# **Do not mend the old file.** It has run, so it does not run again:

# %%
edited.replace(FILE, "book.save()", "book.slug = book.title.lower()\n        book.save()")
said = edited.run("python manage.py migrate")
still = edited.rows(WRONG)

# %% [markdown]
# **Do not mend one database in its shell.** There your `save()` is called, and your receivers, too:
# here they print, yours may send mail. And staging stays as it is:

# %%
SAVE = "from library.models import Book; [book.save() for book in Book.objects.without_slug()]"
shell = undone.clone("shell")
saved = shell.run(f'python manage.py shell --verbosity 0 -c "{SAVE}"')
left = staging.rows(WRONG)

# %% [markdown]
# ## Why it happens
#
# Django makes the class anew from the migration files, and those hold fields and options.
# Methods and `save()` are code of today: they are in no file. So `book.save()` is Django's own, and
# writes back what it read. A receiver waits for your class, and never meets this one.
# [The chain](../../guide/the-chain.md) compares schemas and is whole. A new database has no rows,
# so nothing is missing there.
#
# ## Keep it from happening
#
# Copy into the migration what it needs. A
# [test with rows](../checks/ways-to-test.md#what-follows) finds what an empty database hides.
#
# **In review, ask:** which line of this file gives the field its value?
#
# **In CI:** nothing sees this without a test of the migration, because its database has no rows.
#
# ## Run it yourself
#
# In the last migration, leave out `filter(slug="")`, and write `all()`. The playbook stops at its
# checks: Emma's slug is gone.

# %% tags=["check"]
FILLED = "pride-and-prejudice emma-1815 frankenstein dracula moby-dick the-time-machine"
assert " ".join(row[2] for row in after) == FILLED, "what was typed is kept, the rest is filled"
assert [row[:2] for row in after] == [row[:2] for row in before], "of the same books"
assert len(wrong) == len(left) == len(still) == 5, "five had none"
assert "No migrations to apply" in said, "the edit does not run"
assert "make_slug False" in asked, "the method is not there"
assert "save() of its own False" in asked, "nor is save()"
assert (undone.rows(BOOKS), shell.rows(WRONG)) == (before, []), "undone is as before"
assert (stopped.rows(WRONG), stopped.chain().whole) == ([], True), "mended where it stopped"
calls.run(f"{EMPTY} && python manage.py migrate --verbosity 0")  # no book, no call
assert (ran.count("Saved"), saved.count("Saved")) == (0, 5), "a receiver hears the shell only"
