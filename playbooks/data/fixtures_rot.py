# ---
# title: loaddata in a migration stops on a new database
# symptoms:
#   - "Genre has no field named 'name'"
#   - "Invalid model identifier: library.genre"
#   - "You can't execute queries until the end of the 'atomic' block."
#   - column "title" of relation "library_genre" does not exist
# cause: >-
#   A migration calls loaddata, which reads the models of today. They have changed since the fixture
#   was written. Databases that applied it that day are well; a new one stops. Nothing is lost.
# broken: []
# data: untouched
# undo: take back the commit; no database is changed
# safe_in: production
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
FRESH = f"{NEW} && python manage.py migrate library 0006 --verbosity 0"
PULL = "git pull --quiet --no-rebase && python manage.py migrate --verbosity 0"
FIXTURE, LOADS = "library/fixtures/new_genres.json", "library/migrations/0007_new_genres.py"
NO_FIELD = "Genre has no field named 'name'"
LATER = on(
    SQLite="You can't execute queries until the end of the 'atomic' block.",
    PostgreSQL='column "title" of relation "library_genre" does not exist',
)
NO_COLUMN = on(SQLite="no such column: title", PostgreSQL=LATER)

# %% [markdown]
# You add two genres, with a fixture and a migration that loads it. A test uses the fixture too.
# It works on your machine and in production.

# %% tags=["setup"]
laptop.write(FIXTURE, """[
{"model": "library.genre", "pk": 6, "fields": {"name": "Poetry"}},
{"model": "library.genre", "pk": 7, "fields": {"name": "Travel"}}
]
""")  # fmt: skip
laptop.write(LOADS, """from django.core.management import call_command
from django.db import migrations


def load(apps, schema_editor):
    call_command("loaddata", "new_genres", verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
""")  # fmt: skip
laptop.write("library/tests.py", """from django.test import TestCase

from library.models import Genre


class NewGenres(TestCase):
    fixtures = ["new_genres"]

    def test_poetry(self):
        self.assertTrue(Genre.objects.filter(pk=6).exists())
""")  # fmt: skip
laptop.run("git add . && git commit --quiet --message 'New genres' && git push --quiet")
production.run(PULL)
laptop.run("python manage.py migrate --verbosity 0")
today = laptop.clone("today")

# %% [markdown]
# Months later you rename the field `name` to `title`, and push. Production has `0007` already: all
# goes well. CI starts with a new database.

# %% tags=["setup"]
laptop.replace("library/models.py", "class Genre(models.Model):\n    name =", "class Genre(models.Model):\n    title =")  # fmt: skip
laptop.replace("library/models.py", "return self.name\n\n\nclass Book", "return self.title\n\n\nclass Book")  # fmt: skip
laptop.replace("library/admin.py", 'GenreAdmin(admin.ModelAdmin):\n    list_display = ("name",)', 'GenreAdmin(admin.ModelAdmin):\n    list_display = ("title",)')  # fmt: skip
laptop.run(
    "python manage.py makemigrations library --name genre_title --verbosity 0", answers=["y"]
)
laptop.run("git add . && git commit --quiet --message 'Genre.title' && git push --quiet")
production.run(PULL)
GENRES = "select id, title from library_genre where id > 5 order by id"
rows = production.rows(GENRES)
ci = production.clone("ci")
ci.run(FRESH)

# %% tags=["before"]
ci.run("python manage.py migrate library", fails=NO_FIELD)
ci.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The error comes while a migration is applied, and names a fixture. Tests stop in the same way, since
# they build a new database. Which migrations load fixtures?

# %%
ci.run("python manage.py test --noinput", fails=NO_FIELD)
found = ci.run("git grep loaddata -- '*/migrations/*.py'")

# %% [markdown]
# The message depends on what has changed since. Here a field was added to `Genre`:

# %%
added = today.clone("added")
added.replace("library/models.py", "class Genre(models.Model):\n", "class Genre(models.Model):\n    title = models.CharField(max_length=50, default='')\n")  # fmt: skip
added.run("python manage.py makemigrations library --name genre_title --verbosity 0")
added.run(f"{FRESH} && python manage.py migrate library", fails=LATER)

# %% [markdown]
# On SQLite that line hides the cause, which stands higher up on your screen. `loaddata` alone
# prints it on both:

# %%
added.run("python manage.py loaddata new_genres", fails=NO_COLUMN)

# %% [markdown]
# And here the model got another name:

# %%
renamed = today.clone("renamed")
renamed.replace("library/models.py", "class Genre(", "class Kind(")
renamed.replace("library/models.py", "(Genre, blank", "(Kind, blank")
renamed.replace("library/admin.py", "Book, Genre\n", "Book, Kind as Genre\n")
renamed.run("python manage.py makemigrations library --name kind --verbosity 0", answers=["y"])
renamed.run(f"{FRESH} && python manage.py migrate library", fails="Invalid model identifier: library.genre")  # fmt: skip

# %% [markdown]
# - **Production stops too:** it is behind, and gets both migrations in one deploy, as `ci` does here.
#   The fix is the same.
# - **You typed `loaddata` yourself,** to restore a dump: read
#   [The database came from a backup of another day](../mismatch/restored-from-a-dump.md).
# - **A migration imports a model,** and no fixture is named: read
#   [A data migration reads models, two ways](two-ways-to-read-models.md).
#
# ## Fix it
#
# Write the rows into the migration. `apps.get_model` gives it the model of that day. The last two
# lines do what `loaddata` did as well: on PostgreSQL they set the counter of ids past yours.
# **Keep the ids if anything refers to them. Like `loaddata`, this overwrites a row that has such an
# id.** Databases that have applied `0007` never run it again.

# %% tags=["fix"]
laptop.write(LOADS, """from django.core.management.color import no_style
from django.db import migrations

GENRES = {6: "Poetry", 7: "Travel"}


def add(apps, schema_editor):
    Genre = apps.get_model("library", "Genre")
    connection = schema_editor.connection
    for pk, name in GENRES.items():
        Genre.objects.using(connection.alias).update_or_create(pk=pk, defaults={"name": name})
    for sql in connection.ops.sequence_reset_sql(no_style(), [Genre]):
        schema_editor.execute(sql)


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
""")  # fmt: skip

# %% [markdown]
# Do tests load the fixture? Then it has to follow the models. Migrate a database that holds its rows,
# and write it again from there. **Without `--pks`, the fixture gets every genre that you have.**

# %% tags=["fix"]
laptop.run(f"python manage.py migrate && python manage.py dumpdata library.genre --pks 6,7 --output {FIXTURE}")  # fmt: skip

# %% [markdown]
# Ship it, and build the new database again.

# %% tags=["fix"]
laptop.run(
    "git add . && git commit --quiet --message 'Genres in the migration' && git push --quiet"
)

# %% tags=["fix"]
ci.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Make sure
#
# The new database has the two genres of production, and the fixture of the tests loads.

# %% tags=["after"]
ci.chain()

# %%
new = ci.rows(GENRES)
counted = ci.clone("counted")
ci.run("python manage.py loaddata new_genres")
ci.run("git grep loaddata -- '*/migrations/*.py'", fails="")

# %% [markdown]
# Production has nothing to apply, and keeps its rows:

# %%
production.run("git pull --quiet --no-rebase && python manage.py migrate | grep 'No migrations'")
kept = production.rows(GENRES)

# %% [markdown]
# ## Undo it
#
# Revert the commit. No database changes by that, and a new one stops again.

# %%
undone = ci.clone("undone")
undone.run("git revert --no-commit HEAD")
undone.run(f"{FRESH} && python manage.py migrate library", fails=NO_FIELD)

# %% [markdown]
# ## What not to do
#
# **Do not bring the fixture up to date and keep `loaddata`.** Now it fits the models, and not the
# table, which has its old column until `0008`:

# %%
undone.run(f"cp ../laptop/{FIXTURE} {FIXTURE}")
undone.run("python manage.py migrate library", fails=LATER)

# %% [markdown]
# **Do not silence it with `--ignorenonexistent`.** It leaves out each value whose field it does not
# find, says nothing, and saves the rest over the row that is there. The old fixture in production:

# %%
careless = production.clone("careless")
careless.run(f"cp ../today/{FIXTURE} {FIXTURE}")
careless.run("python manage.py loaddata new_genres --ignorenonexistent")
lost = careless.rows(GENRES)

# %% [markdown]
# **Do not copy the old trick that replaces `_get_model` in the serializer.** On this Django it has
# no effect:

# %%
trick = undone.clone("trick")
trick.run(f"cp ../today/{FIXTURE} {FIXTURE}")
trick.replace(LOADS, "    call_command", "    from django.core.serializers import python\n\n    python._get_model = apps.get_model\n    call_command")  # fmt: skip
trick.run("python manage.py migrate library", fails=NO_FIELD)

# %% [markdown]
# ## Why it happens
#
# A migration works on the schema of its day. `loaddata` is an ordinary command: it takes models from
# your code, which are those of today. Fixture, models and table agree on one day only. On
# [the chain](../../guide/the-chain.md) nothing is broken: what is applied stays applied, and the
# new database stops before it records anything wrong. So nobody sees it until a database starts
# from nothing.
#
# ## Keep it from happening
#
# Rows that a release needs belong into its migration. Fixtures belong to tests, and change in the
# commit that changes the model.
#
# **In review, ask:** does this migration read a file or a model that a later commit may change?
#
# **In CI:** `git grep loaddata -- '*/migrations/*.py'` finds nothing; `python manage.py test --noinput`
# builds a new database, and stops.
#
# ## Run it yourself
#
# Leave out the two lines with `sequence_reset_sql`. On PostgreSQL the next genre gets the id 1 in place
# of 8, and an assert fails. SQLite counts on from the highest id.

# %% tags=["check"]
assert rows == new == kept == [(6, "Poetry"), (7, "Travel")], "the same rows everywhere"
assert found.startswith(f"{LOADS}:"), "git finds the migration"
assert lost == [(6, ""), (7, "")], "the values are gone, with exit code 0"
counted.run("python manage.py shell -v 0 -c \"from library.models import Genre; Genre.objects.create(title='Drama')\"")  # fmt: skip
assert counted.rows(GENRES)[2:] == [(8, "Drama")], "the counter of ids is past the two"
