# ---
# title: What each way to test a migration finds
# answer: >-
#   Two ways together find all faults below but one: the test suite, and a copy of production on which
#   you go forward, back, and forward again. A test of the migration needs no copy, but knows only the
#   rows that its author thought of. One that imports a model passes all, until the model gets a field.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# One migration turns `Jane Austen` into `Austen, Jane`, and back. Each row plants one fault, each
# column is a way to test.
#
# - **Test suite**: `python manage.py test --noinput`, with one ordinary test, which saves an author.
#   (On PostgreSQL a run that could not build its database leaves it, and without `--noinput` the
#   next one asks whether to delete it.)
# - **New database**: `migrate` without a database, then the seed.
# - **Forward on a copy**: `migrate` on a copy of the production database. Then the names are
#   compared with those that somebody wrote down before.
# - **And back**: after that, back and forward again, and the names compared each time.
# - **A test of it**: a test that makes rows, migrates forward and back, and looks at the rows.
#
# **Stops** means that a command fails. **Wrong rows** means that all succeed, and that the names are
# not those written down. Production has two rows that neither the seed nor a test has: an author
# with one name, and a second Jane Austen.

# %%
from playbook_kit import Sandbox, on, table

PRINT = 'from library.models import Author; print(*Author.objects.order_by("id"), sep=";")'
NAMES = f"python manage.py shell --verbosity 0 --command '{PRINT}'"
OLD = "Jane Austen;Mary Shelley;Bram Stoker;Herman Melville;H. G. Wells;Homer;Jane Austen\n"
NEW = "Austen, Jane;Shelley, Mary;Stoker, Bram;Melville, Herman;Wells, H. G.;Homer;Austen, Jane\n"
FORWARD = "python manage.py migrate --verbosity 0"
BACK = "python manage.py migrate library 0006 --verbosity 0"
NEW_ONE = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
COPY = on(
    SQLite="cp db.sqlite3 {}.sqlite3", PostgreSQL="pg_dump --format custom library > {}.dump"
).format
PUT_BACK = on(
    SQLite="cp production.sqlite3 db.sqlite3",
    PostgreSQL=f"{NEW_ONE} && pg_restore --dbname library production.dump",
)


def fault(place, line, names=""):
    """What this command shows of a fault: nothing, if it succeeds and the names are these."""
    output = place.attempt(line)
    if output.code == 0 and names:
        output = place.attempt(NAMES)
    if output.code:
        return "**stops**"
    return "**wrong rows**" if names and output != names else ""


def found(place):
    """What each way to test finds at this place."""
    forward = fault(place, f"{PUT_BACK} && {FORWARD}", NEW)
    again = forward or fault(place, BACK, OLD) or fault(place, FORWARD, NEW)
    suite = fault(place, "python manage.py test --noinput library.tests")
    new = fault(place, f"{NEW_ONE} && {FORWARD} && python manage.py seed")
    test = fault(place, "python manage.py test --noinput library.test_migrations")
    return [way or "passes" for way in (suite, new, forward, again, test)]


# %% [markdown] tags=["setup"]
# Production, and a copy of its database:

# %% tags=["setup"]
production = Sandbox("production")
production.rows("insert into library_author (name) values ('Homer'), ('Jane Austen')")
laptop = Sandbox("laptop")
production.run(COPY("../laptop/production"))

# %% [markdown] tags=["setup"]
# The migration, without a fault:

# %% tags=["setup"]
MIGRATION = "library/migrations/0007_family_name_first.py"
laptop.write(
    MIGRATION,
    """\
from django.db import migrations


def family_name_first(apps, schema_editor):
    for author in apps.get_model("library", "Author").objects.all():
        first, space, family = author.name.rpartition(" ")
        author.name = f"{family}, {first}" if space else family
        author.save()


def family_name_last(apps, schema_editor):
    for author in apps.get_model("library", "Author").objects.all():
        family, comma, first = author.name.partition(", ")
        author.name = f"{first} {family}" if comma else family
        author.save()


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(family_name_first, family_name_last)]
""",
)

# %% [markdown] tags=["setup"]
# The test suite, with one test:

# %% tags=["setup"]
laptop.write(
    "library/tests.py",
    """\
from django.test import TestCase

from library.models import Author


class AuthorTest(TestCase):
    def test_it_goes_by_its_name(self):
        self.assertEqual(str(Author.objects.create(name="Verne, Jules")), "Verne, Jules")
""",
)

# %% [markdown] tags=["setup"]
# The test of the migration. Put your app, your migrations and your rows in their place:

# %% tags=["setup"]
laptop.write(
    "library/test_migrations.py",
    '''\
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import TransactionTestCase


class FamilyNameFirstTest(TransactionTestCase):
    before = [("library", "0006_find_books_by_title")]
    after = [("library", "0007_family_name_first")]

    def migrate(self, targets):
        """Migrate the test database, and return the historical models of that point."""
        executor = MigrationExecutor(connection)
        executor.migrate(targets)
        return executor.loader.project_state(targets).apps

    def names(self, apps):
        return [a.name for a in apps.get_model("library", "Author").objects.order_by("id")]

    def test_there_and_back(self):
        last = MigrationExecutor(connection).loader.graph.leaf_nodes()
        self.addCleanup(self.migrate, last)  # the other tests need the last migration

        Author = self.migrate(self.before).get_model("library", "Author")
        Author.objects.create(name="Jane Austen")
        Author.objects.create(name="H. G. Wells")

        apps = self.migrate(self.after)
        self.assertEqual(self.names(apps), ["Austen, Jane", "Wells, H. G."])

        apps = self.migrate(self.before)
        self.assertEqual(self.names(apps), ["Jane Austen", "H. G. Wells"])
''',
)

# %% [markdown] tags=["setup"]
# A test run prints how long it took. Here that is always 0, so that two runs print the same:

# %% tags=["setup"]
laptop.replace("config/settings.py", "import os\n", "import os, time\n\ntime.perf_counter = int\n")

# %% [markdown] tags=["setup"]
# It stops at a name of one word:


# %% tags=["setup"]
def planted(name, old, new):
    """A place at which the migration has `new` instead of `old`."""
    place = laptop.clone(name)
    place.replace(MIGRATION, old, new)
    return place


SPLIT = 'first, space, family = author.name.rpartition(" ")'
stops = planted("stops", SPLIT, 'space, (first, family) = " ", author.name.rsplit(" ", 1)')

# %% [markdown] tags=["setup"]
# It makes names unique, and production has one twice:

# %% tags=["setup"]
unique = laptop.clone("unique")
AUTHOR = "class Author(models.Model):\n    name = models.CharField(max_length=100)"
unique.replace("library/models.py", AUTHOR, AUTHOR.replace("100", "100, unique=True"))
unique.run("python manage.py makemigrations library --name unique_names --verbosity 0")

# %% [markdown] tags=["setup"]
# It loses middle names:

# %% tags=["setup"]
loses = planted("loses", '{first}" if space', '{first.split()[0]}" if space')

# %% [markdown] tags=["setup"]
# It makes `, Homer` of a name of one word:

# %% tags=["setup"]
comma = planted("comma", " if space else family", "")

# %% [markdown] tags=["setup"]
# A second operation has no way back:

# %% tags=["setup"]
TRIM = 'migrations.RunSQL("update library_author set name = trim(name)")'
one_way = planted("one-way", "family_name_last)]", f"family_name_last), {TRIM}]")

# %% [markdown] tags=["setup"]
# The way back does nothing, although something has to be undone:

# %% tags=["setup"]
noop = planted("noop", "first, family_name_last)", "first, migrations.RunPython.noop)")

# %% [markdown] tags=["setup"]
# It looks for a row that only production has:

# %% tags=["setup"]
HISTORICAL = 'apps.get_model("library", "Author").objects'
LOOP = f"    for author in {HISTORICAL}.all():\n        first"
asks = planted("asks", LOOP, f'    {HISTORICAL}.get(name="Homer")\n{LOOP}')

# %% [markdown] tags=["setup"]
# It imports the model:

# %% tags=["setup"]
IMPORT = "    from library.models import Author\n\n"
imports = planted("imports", LOOP, IMPORT + LOOP.replace(HISTORICAL, "Author.objects"))

# %% [markdown] tags=["setup"]
# The same migration later: production has run it, and the model gets a field.

# %% tags=["setup"]
later = imports.clone("later")
later.run(f"{PUT_BACK} && {FORWARD} && {COPY('production')}")
BORN = AUTHOR + "\n    born = models.IntegerField(null=True)"
later.replace("library/models.py", AUTHOR, BORN)
later.run("python manage.py makemigrations library --name author_born --verbosity 0")

# %% [markdown] tags=["setup"]
# A field, and no migration for it:

# %% tags=["setup"]
forgotten = laptop.clone("forgotten")
forgotten.replace("library/models.py", AUTHOR, BORN)

# %%
FAULTS = {
    "nothing": laptop,
    "It stops at a row that only production has": stops,
    "It makes unique what production has twice": unique,
    "It changes rows wrongly": loses,
    "It changes a row wrongly that only production has": comma,
    "[It has no way back](../reset/irreversible.md)": one_way,
    "[Its way back is `noop`](../reset/irreversible.md#what-not-to-do), and should not be": noop,
    "It looks for a row that only production has": asks,
    "It imports the model": imports,
    "It imports the model, which has got a field since": later,
    "[It was forgotten: the model has a field more](../mismatch/what-each-command-sees.md)": forgotten,
}
WAYS = ["test suite", "new database", "forward on a copy", "and back", "a test of it"]
rows = [[fault, *found(place)] for fault, place in FAULTS.items()]
table("What each way finds", ["what is wrong", *WAYS], rows)

# %% [markdown]
# ## What follows
#
# - **An `OK` is half of the answer.** Three faults change rows without an error. Write down before
#   what has to come out.
# - **A seed is no production data.** It comes after the migrations, on a new database, so it finds
#   what the test suite finds.
# - **A copy is no new database.** It has the row that the migration looks for. The next developer
#   and your CI do not.
# - **The import is found by reading.** This lists its usual form; look for others by eye:
#
#   ```bash
#   git grep --untracked "models import" -- "*/migrations/*.py"
#   ```

# %%
IMPORTS = 'git grep --untracked "models import" -- "*/migrations/*.py"'
listed, nothing = imports.run(IMPORTS), laptop.run(IMPORTS, fails="")

# %% tags=["check"]
passing = [fault for fault, *cells in rows if cells == ["passes"] * 5]
assert passing == ["nothing", "It imports the model"], "one fault passes all"
assert all(cells[1] == cells[2] for cells in rows), "the seed finds no more than the test suite"
both = [cells[0] for cells in rows if cells[1] == cells[4] == "passes"]
assert both == passing, "the test suite and the copy find the others"
assert sum("**wrong rows**" in cells for cells in rows) == 3, "three have no error"
stop, twice, wrong, asked = (cells[1:] for cells in rows if "production has" in cells[0])
assert [stop[4], twice[4], wrong[4]] == ["passes"] * 3, "a test does not know these rows"
assert asked == ["**stops**", "**stops**", "passes", "passes", "**stops**"], "the copy has the row"
assert "from library.models import Author" in listed, "a search finds the import"
assert nothing == "", "and prints nothing where there is none"
later.run(
    "python manage.py test library.tests", fails=on(SQLite="no such column", PostgreSQL="EOF")
)
