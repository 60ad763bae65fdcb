# ---
# title: What each way to a faster test suite hides
# answer: >-
#   Use `--keepdb` on your machine and a new database in CI. The first runs new migrations only, and
#   misses one that was edited, which the second finds. A suite without migrations passes all three
#   faults below. It needs a job beside it that migrates a new database.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Most of what a small suite does before its first test is to migrate. So the measure here is how many
# migrations a run applies, of 32 that the project has. Then three columns plant a fault each:
#
# - **First, next run**: migrations that run. Before the next run, only a test changes.
# - **New one fails**: the newest migration stops.
# - **Old one fails**: one that has run before is edited, and stops now.
# - **None written**: a model has a new field, and no migration adds it.
# - **A test reads rows** that a migration wrote. That is no fault, so **stops** is a false alarm.

# %%
from playbook_kit import Sandbox, on, table

TEST = "python manage.py test --noinput --verbosity 2"
SETTINGS, TESTS = "config/settings.py", "library/tests.py"
DATA, FAILS = "library/migrations/0007_first_genres.py", 'migrations.RunSQL("no such statement")'
NEW = on(SQLite="rm -f db.sqlite3", PostgreSQL="dropdb library && createdb library")
JOB = f"{NEW} && python manage.py migrate && python manage.py makemigrations --check --noinput"

# %% [markdown] tags=["setup"]
# A migration that writes a row, and three tests:

# %% tags=["setup"]
healthy = Sandbox("healthy")
healthy.write(
    DATA,
    """\
from django.db import migrations


def add_genres(apps, schema_editor):
    genres = apps.get_model("library", "Genre").objects
    genres.using(schema_editor.connection.alias).create(name="Poetry")


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(add_genres, migrations.RunPython.noop)]
""",
)
healthy.write(
    TESTS,
    """\
from django.test import TestCase

from library.models import Author, Genre


class AuthorTest(TestCase):
    def test_one_is_saved(self):
        Author.objects.create(name="Jules Verne")

    def test_another_is_saved(self):
        Author.objects.create(name="Jules Verne")


class GenreTest(TestCase):
    def test_it_is_saved(self):
        Genre.objects.create(name="Satire")
""",
)

# %% [markdown] tags=["setup"]
# A test run prints how long it took. Here that is always 0, so that two runs print the same:

# %% tags=["setup"]
healthy.replace(SETTINGS, "import os\n", "import os, time\n\ntime.perf_counter = int\n")

# %% [markdown] tags=["setup"]
# SQLite tests in memory, and so has nothing to keep. With a name, it tests in a file:

# %% tags=["setup"]
kept = healthy.clone("kept")
NAME = 'DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}\n'
if on(SQLite=True, PostgreSQL=False):
    kept.replace(SETTINGS, "DEFAULT_AUTO", f"{NAME}DEFAULT_AUTO")

# %% [markdown] tags=["setup"]
# Two squashes, and three kinds of settings without migrations:

# %% tags=["setup"]
squashed = healthy.clone("squashed")
SQUASH = "python manage.py squashmigrations --noinput --verbosity 0"
squashed.run(f"{SQUASH} library 0001 0006")
squashed.run(f"{SQUASH} lending 0004 0007")
off, modules, one = (healthy.clone(name) for name in ("off", "modules", "one"))
OFF = 'DATABASES["default"]["TEST"] = {"MIGRATE": False}\n'
off.replace(SETTINGS, "DEFAULT_AUTO", f"{OFF}DEFAULT_AUTO")
NONE = 'MIGRATION_MODULES = {"library": None, "lending": None}\n'
modules.replace(SETTINGS, "DEFAULT_AUTO", f"{NONE}DEFAULT_AUTO")
ONE = 'MIGRATION_MODULES = {"library": None}\n'
one.replace(SETTINGS, "DEFAULT_AUTO", f"{ONE}DEFAULT_AUTO")


# %%
def reads(place):
    """A test reads the row of the migration."""
    place.replace(TESTS, 'create(name="Satire")', 'get(name="Poetry")')


def newest(place):
    """The newest migration fails."""
    place.run(f"cp {DATA} library/migrations/0008_fails.py")
    place.replace(
        "library/migrations/0008_fails.py", "0006_find_books_by_title", "0007_first_genres"
    )
    place.replace("library/migrations/0008_fails.py", "operations = [", f"operations = [{FAILS}, ")


def edited(place):
    """An old migration is edited, and fails now."""
    place.replace(DATA, "operations = [", f"operations = [{FAILS}, ")


def forgotten(place):
    """A field has no migration."""
    name = "class Author(models.Model):\n"
    place.replace("library/models.py", name, f"{name}    born = models.IntegerField(null=True)\n")


def row(way, place, *lines):
    """What these lines come to: in a new place, and then with one change after the other."""
    place.run("git add . && git commit --quiet --message 'A test suite'")
    outputs = []
    for change in (None, reads, newest, edited, forgotten):
        if change:
            change(place)
        # Without a word: processes side by side print in any order.
        outputs.append([place.carry_out(line) for line in lines])
        place.run("git reset --quiet --hard && git clean --quiet --force library")
    counts = [str(sum(it.output.count("  Applying ") for it in of)) for of in outputs[:2]]
    ends = ["**stops**" if any(it.code for it in of) else "passes" for of in outputs]
    assert ends[0] == "passes", f"{way} passes without a fault"
    return [way, *counts, *ends[2:], ends[1]]


job = off.clone("job")
rows = [
    row("as it is", healthy.clone("as-it-is"), TEST),
    row("`--keepdb`", kept, f"{TEST} --keepdb"),
    row("`--parallel 2`", healthy.clone("parallel"), f"{TEST} --parallel 2"),
    row("[two squashes](../squashing/squash-in-two-releases.md)", squashed, TEST),
    row("`MIGRATION_MODULES`, `None` for own apps", modules, TEST),
    row('`"TEST": {"MIGRATE": False}`', off, TEST),
    row("the same, and a job that migrates", job, TEST, JOB),
]
COLUMNS = ["way", "first run", "next run", "new one fails", "old one fails", "none written", "a test reads rows"]  # fmt: skip
table("What each way hides", COLUMNS, rows)

# %% [markdown]
# ## What follows
#
# - **`--keepdb`** takes a migration that it has recorded as done. An edit of the file
#   [reaches no database that has run it](../mismatch/edited-after-applying.md), this one included.
#   Rows that a migration wrote [may be gone](rows-vanish-in-tests.md) at the next run.
# - **`--parallel`** hides nothing and saves no migration: they run once, and the database is copied.
# - **Squashes** hide nothing here. They save what they join.
# - **Without migrations**, the tables are made from the models. So the suite cannot know what a
#   migration does, nor that one is missing. The job beside it is these lines, on an empty database:
#
#   ```bash
#   python manage.py migrate && python manage.py makemigrations --check --noinput
#   ```
#
# - **`None` for one app alone** stops where another app's migrations depend on it, with a
#   `NodeNotFoundError`. Name all that do.
# - **SQLite in place of PostgreSQL** [hides more](../production/what-sqlite-hides.md) than any of these.

# %%
alone = one.attempt(TEST)

# %% tags=["check"]
counts = [row[1:3] for row in rows]
assert counts[:4] == [["32", "32"], ["32", "0"], ["32", "32"], ["24", "24"]]
assert counts[4:] == [["18", "18"], ["0", "0"], ["32", "32"]], "the job runs them all"
PASSES, STOPS = "passes", "**stops**"
seen = [row[3:6] for row in rows]
assert seen[1] == [STOPS, PASSES, STOPS], "a kept database does not see the edit"
assert seen[0] == seen[2] == seen[3] == seen[6] == [STOPS] * 3, "these see all three"
assert seen[4] == seen[5] == [PASSES] * 3, "without migrations all three pass"
assert [row[6] for row in rows] == [PASSES] * 4 + [STOPS] * 3, "and the rows are not there"
assert "NodeNotFoundError" in alone, "lending depends on library"
