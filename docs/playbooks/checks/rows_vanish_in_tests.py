# ---
# title: Rows of a data migration are gone in some tests
# symptoms:
#   - Genre matching query does not exist.
# cause: >-
#   After each test of a TransactionTestCase, Django empties all tables, also of the rows that a
#   migration wrote. The test database's history stays, so no migration writes them again. No
#   database that you work with is touched.
# broken: []
# data: "untouched: only the test database is emptied"
# undo: put the old test file back
# safe_in: "development only: nothing else changes"
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
TESTS = "library/tests.py"
TEST = "python manage.py test --noinput"
GONE = "Genre matching query does not exist."
GENRES = "select id, name from library_genre order by id"

# %% [markdown]
# A migration adds two genres that your code needs.

# %% tags=["setup"]
laptop.write(
    "library/migrations/0007_first_genres.py",
    """\
from django.db import migrations


def add_genres(apps, schema_editor):
    genres = apps.get_model("library", "Genre").objects
    for name in ("Poetry", "Drama"):
        genres.using(schema_editor.connection.alias).get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(add_genres, migrations.RunPython.noop)]
""",
)
laptop.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# Three tests rely on them.

# %% tags=["setup"]
laptop.write(
    TESTS,
    """\
from django.test import TestCase, TransactionTestCase

from library.models import Genre


class GenreTest(TestCase):
    def test_poetry(self):
        Genre.objects.get(name="Poetry")


class ShelfTest(TransactionTestCase):
    def test_a_drama(self):
        Genre.objects.get(name="Drama")

    def test_b_poetry(self):
        Genre.objects.get(name="Poetry")
""",
)

# %% [markdown]
# (A test run prints how long it took. Here that is always 0, so that two runs print the same.)

# %% tags=["setup"]
laptop.replace("config/settings.py", "import os\n", "import os, time\n\ntime.perf_counter = int\n")
laptop.run("git add . && git commit --quiet --message 'Two genres'")
before = laptop.rows(GENRES)
plain = laptop.clone("plain")
flag = laptop.clone("flag")
signal = laptop.clone("signal")
hidden = laptop.clone("hidden")

# %% tags=["before"]
laptop.run(TEST, fails=GONE)

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# The test that fails passes alone:

# %%
alone = laptop.run(f"{TEST} --verbosity 0 library.tests.ShelfTest.test_b_poetry")

# %% [markdown]
# In the other order, the other one fails. Of all `TransactionTestCase` classes together, the test that
# runs first still has the rows.

# %%
turned = laptop.run(f"{TEST} --verbosity 0 --reverse", fails=GONE)

# %% [markdown]
# With `--keepdb`, the second run starts with what the first one left. On PostgreSQL all three fail
# now, also the `TestCase`. SQLite tests in memory here, and has nothing to keep.

# %%
laptop.run(f"{TEST} --keepdb --verbosity 0", fails=GONE)
kept = laptop.run(f"{TEST} --keepdb --verbosity 0", fails=GONE)

# %% [markdown]
# - **Every test fails, the first too**: your tests may run
#   [without migrations](fast-test-suites.md), or the migration wrote nothing.
# - **It is your own database, after `flush`**:
#   [it kept its history too](../reset/reset-throwaway-database.md#what-not-to-do).
# - **The test needs no real commit**: then make it a `TestCase`, which takes back only what the test
#   did. Once without `--keepdb`, and all pass:

# %%
plain.replace(TESTS, "ShelfTest(TransactionTestCase)", "ShelfTest(TestCase)")
plain.run(f"{TEST} --verbosity 0")

# %% [markdown]
# ## Fix it
#
# A test that needs a row makes it. This class does so before each test, whether the row is there or not.

# %% tags=["fix"]
laptop.write(
    "library/testing.py",
    """\
from library.models import Genre


class FirstGenres:
    def setUp(self):
        super().setUp()
        for name in ("Poetry", "Drama"):
            Genre.objects.get_or_create(name=name)
""",
)

# %% [markdown]
# Each class that needs the rows names it first, also a `TestCase`: with `--keepdb` it may find none.

# %% tags=["fix"]
laptop.replace(TESTS, "import Genre\n", "import Genre\nfrom library.testing import FirstGenres\n")
laptop.replace(TESTS, "GenreTest(", "GenreTest(FirstGenres, ")
laptop.replace(TESTS, "ShelfTest(", "ShelfTest(FirstGenres, ")

# %% [markdown]
# ### The switch that Django has for this
#
# `serialized_rollback = True` puts the rows back before each test of its class. Each class needs it.

# %%
flag.replace(
    TESTS, "TransactionTestCase):\n", "TransactionTestCase):\n    serialized_rollback = True\n\n"
)
flag.run(f"{TEST} --verbosity 0")

# %% [markdown]
# It puts back what was there when the run began. **With `--keepdb` on PostgreSQL, the second run begins
# empty:**

# %%
flag.run(f"{TEST} --keepdb --verbosity 0")
flag.run(f"{TEST} --keepdb --verbosity 0", fails=on(SQLite=None, PostgreSQL=GONE))

# %% [markdown]
# ## Make sure
#
# Turned round, with a kept database, and once more: all pass.

# %% tags=["after"]
laptop.run(f"{TEST} --keepdb --verbosity 0")
laptop.run(f"{TEST} --keepdb --verbosity 0 --reverse")
laptop.run(TEST)
laptop.chain()

# %% [markdown]
# Your own database has the genres that it had:

# %%
after = laptop.rows(GENRES)

# %% [markdown]
# ## Undo it
#
# Put the old test file back.

# %%
undone = laptop.clone("undone")
undone.run(f"git restore {TESTS} && rm library/testing.py")
undone.run(f"{TEST} --verbosity 0", fails=GONE)

# %% [markdown]
# ## What not to do
#
# **Do not let `post_migrate` write the rows.** Django sends it after it has emptied the tables, so
# the tests pass.

# %%
signal.write(
    "library/apps.py",
    """\
from django.apps import AppConfig
from django.db.models.signals import post_migrate


def add_genres(using, **kwargs):
    from library.models import Genre

    for name in ("Poetry", "Drama"):
        Genre.objects.using(using).get_or_create(name=name)


class LibraryConfig(AppConfig):
    name = "library"

    def ready(self):
        post_migrate.connect(add_genres, sender=self)
""",
)
signal.run(f"{TEST} --verbosity 0")

# %% [markdown]
# But it is sent by every `migrate` too. The staff rename a genre and delete another; the next deploy
# brings both back:

# %%
signal.rows("update library_genre set name = 'Verse' where name = 'Poetry'")
signal.rows("delete from library_genre where name = 'Drama'")
signal.run("python manage.py migrate --verbosity 0")
back = signal.rows(
    "select name from library_genre where name in ('Poetry', 'Drama', 'Verse') order by id"
)

# %% [markdown]
# ## Why it happens
#
# A `TestCase` runs in a transaction and rolls it back. A `TransactionTestCase` really commits, so
# Django cleans up with [`flush`](https://docs.djangoproject.com/en/5.2/ref/django-admin/#flush): all
# tables are emptied, and `django_migrations` is not. It runs the `TestCase` classes
# first, so the second test of the second kind is the first to miss a row.
# [The chain](../../guide/the-chain.md) stays whole: it is about the schema, and these are rows.
#
# ## Keep it from happening
#
# Test what the migration writes [in a test of its own](ways-to-test.md), and let no other test rely
# on it.
#
# **In review, ask:** does a test read a row that it did not make?
#
# **In CI:** run the suite in both orders. A row that only the first test reads is missed in the other:
#
# ```bash
# python manage.py test --noinput && python manage.py test --noinput --reverse
# ```
#
# ## Run it yourself
#
# In the fix, leave out `FirstGenres` in `GenreTest`. On SQLite all goes well. On PostgreSQL the next
# run with `--keepdb` fails: `GenreTest` comes first and finds no row.

# %% tags=["check"]
assert before == after, "the tests touched no row of the project's database"
assert "OK" in alone, "alone it has its rows"
assert "ERROR: test_a_drama" in turned, "in the other order the other test fails"
assert "ERROR: test_b_poetry" not in turned, "and this one does not"
assert kept.count("ERROR: ") == on(SQLite=1, PostgreSQL=3), "a kept database has lost its rows"
assert back == [("Verse",), ("Poetry",), ("Drama",)], "both came back"

# %% tags=["check"]
# Two orders see what one does not: the first test reads a row, the second one does not.
hidden.replace(
    TESTS,
    '_poetry(self):\n        Genre.objects.get(name="Poetry")\n\n\nclass',
    "_poetry(self):\n        pass\n\n\nclass",
)
hidden.replace(TESTS, 'Genre.objects.get(name="Poetry")', "Genre.objects.all()")
two = hidden.run(f"{TEST} && {TEST} --reverse", fails=GONE)
assert two.count("FAILED") == two.count("OK") == 1, "the usual order passes, the other one fails"
