# ---
# title: A model no longer inherits, and its fields clash
# symptoms:
#   - foreign key mismatch - "lending_reader" referencing "library_topic"
#   - "FieldError: Local field 'id' in class 'Topic' clashes with field of the same name from base class 'Genre'."
# cause: >-
#   The model has a new parent class, or none. makemigrations writes the fields and not the bases: in the
#   migrations the model still inherits, and has each field twice. Nothing is lost.
# broken: []
# data: "copied: the inherited values, from the parent's table"
# undo: migrate back; what was written into the copied field since is lost
# safe_in: "production: while nothing uses the model"
# applied: "nowhere yet: it cannot be applied"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
BOOK = 'class Book(models.Model):\n    """Has'
CHILD = """class Topic(Genre):
    code = models.CharField(max_length=5)


"""
ALONE = """class Topic(models.Model):
    name = models.CharField(max_length=50)
    code = models.CharField(max_length=5)


"""
READER = "    email = models.EmailField(unique=True)\n"
KEY = '    topic = models.ForeignKey("library.Topic", models.PROTECT, null=True)\n'
AUTHOR = "class Author(models.Model):\n    name = models.CharField(max_length=100)\n"
ABSTRACT = """class Named(models.Model):
    name = models.CharField(max_length=100)

    class Meta:
        abstract = True


class Author(Named):
"""
PUSH = "git add . && git commit --quiet --message '{}' && git push --quiet".format
DEPLOY = "git pull --quiet && python manage.py migrate --verbosity 0"
SHELL = 'python manage.py shell --verbosity 0 -c "from library.models import *; {}"'.format
CLASH = "Local field 'id' in class 'Topic' clashes with field of the same name"
STOPS = on(
    SQLite='foreign key mismatch - "lending_reader" referencing "library_topic"', PostgreSQL=CLASH
)
OLD = "select t.genre_ptr_id, g.name, t.code from library_topic t join library_genre g on g.id = t.genre_ptr_id order by 1"
NEW = "select id, name, code from library_topic order by id"
READERS = "select name, topic_id from lending_reader order by name"
ANEW = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0007_topic"), ("lending", "0008_topic")]
    operations = [
        migrations.DeleteModel("Topic"),
        migrations.CreateModel(
            "Topic",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
                ("code", models.CharField(max_length=5)),
            ],
        ),
    ]
"""

# %% [markdown]
# A topic is a genre with a code: `Topic` inherits from `Genre`, which is no abstract model. So it has a
# table of its own, and its key is a key of `Genre`. Two readers have a topic.

# %% tags=["setup"]
laptop.replace("library/models.py", BOOK, CHILD + BOOK)
laptop.replace("lending/models.py", READER, READER + KEY)
laptop.run("python manage.py makemigrations library --name topic --verbosity 0")
laptop.run("python manage.py makemigrations lending --name topic --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run(PUSH("Topics"))
production.run(DEPLOY)
production.run(
    SHELL("[Topic.objects.create(name=name, code=name[0]) for name in ['Sea', 'Mountains']]")
)
production.rows("update lending_reader set topic_id = 6 where name = 'Ada'")
production.rows("update lending_reader set topic_id = 7 where name = 'Ben'")
anew = production.clone("anew")
before, readers = production.rows(OLD), production.rows(READERS)

# %% [markdown]
# Topics and genres grow apart. You let `Topic` stand alone, and move `name` down.

# %% tags=["setup"]
laptop.replace("library/models.py", CHILD, ALONE)
made = laptop.run("python manage.py makemigrations library --name topic_alone", answers=["1", "''"])

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# `migrate` stops, and rolls back. SQLite says so of a foreign key to the model; without one, it has the
# same error as PostgreSQL.

# %%
laptop.run("python manage.py migrate", fails=STOPS)

# %% [markdown]
# The migration adds `id` and `name`, and does not say that `Topic` has left `Genre`. No operation of
# Django does.
#
# - **The parent is abstract**, before and after: fields move without a migration.
# - **You add a parent that is not abstract**: `makemigrations` asks for one default for `…_ptr`. No
#   value is right for all rows. Make that parent abstract.
#
# ## Fix it
#
# Delete the generated migration.

# %% tags=["fix"]
laptop.run("rm library/migrations/0008_topic_alone.py")

# %% [markdown]
# Write an operation that changes the bases, in the state alone. The key stays: it is no longer a key to
# `Genre`, and gets the name `id`.

# %% tags=["fix"]
laptop.write(
    "library/migrations/0008_topic_leaves_genre.py",
    """from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class AlterBases(Operation):
    def __init__(self, name, bases):
        self.name, self.bases = name, bases

    def state_forwards(self, app_label, state):
        state.models[app_label, self.name.lower()].bases = self.bases
        state.reload_model(app_label, self.name.lower(), delay=True)

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        pass

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        pass


KEY = models.BigAutoField(
    auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
)
NAME = models.CharField(max_length=50, default="")


class Migration(migrations.Migration):
    dependencies = [("library", "0007_topic"), ("lending", "0008_topic")]
    operations = [
        AlterBases("Topic", (models.Model,)),
        migrations.AlterField("topic", "genre_ptr", KEY),
        migrations.RenameField("topic", "genre_ptr", "id"),
        migrations.AddField("topic", "name", NAME, preserve_default=False),
    ]
""",
)

# %% [markdown]
# In a second migration, copy the names: each topic has the key that its genre has. And let PostgreSQL
# count on from the highest key; it would [begin at 1](../production/sequences-after-copy.md).

# %% tags=["fix"]
laptop.write(
    "library/migrations/0009_fill_topic_name.py",
    """from django.core.management.color import no_style
from django.db import migrations


def fill(apps, schema_editor):
    connection = schema_editor.connection
    Genre, Topic = (apps.get_model("library", name) for name in ("Genre", "Topic"))
    for topic in Topic.objects.using(connection.alias):
        topic.name = Genre.objects.using(connection.alias).get(pk=topic.pk).name
        topic.save(update_fields=["name"])
    for sql in connection.ops.sequence_reset_sql(no_style(), [Topic]):
        schema_editor.execute(sql)


class Migration(migrations.Migration):
    dependencies = [("library", "0008_topic_leaves_genre")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
""",
)

# %% tags=["fix"]
laptop.run("python manage.py makemigrations --check")
laptop.run(PUSH("Topics stand alone"))
production.run(DEPLOY)

# %% [markdown]
# ## Make sure
#
# Each topic has its key, its name and its readers, and a new one gets a new key. (`Sea` and `Mountains`
# are genres as well, as before. Delete those rows if they should not be.)

# %% tags=["after"]
production.chain()

# %%
after = production.rows(NEW)
still = production.rows(READERS)
key = production.run(SHELL("print(Topic.objects.create(name='Sky', code='K').pk)"))

# %% [markdown]
# ## Undo it
#
# Migrate back, with the code from before. The names are in `Genre` as they were. A topic that is newer
# has no genre there, and has to go first.

# %%
undone = production.clone("undone")
undone.rows("delete from library_topic where id = 8")
undone.run("python manage.py migrate library 0007")
undone.run("git checkout --quiet HEAD~1")
back = undone.rows(OLD)

# %% [markdown]
# ## What not to do
#
# **Do not delete the model and make it anew**, although that migration is a short one. SQLite stops at
# the readers. PostgreSQL prints `OK`: the topics are gone, the readers point to nothing, and the foreign
# key went with the table.

# %%
anew.replace("library/models.py", CHILD, ALONE)
anew.write("library/migrations/0008_topic_anew.py", ANEW)
anew.run("python manage.py migrate", fails=on(SQLite="foreign key mismatch", PostgreSQL=None))
lost = anew.rows("select count(*) as topics from library_topic")
dangling = anew.rows(READERS)
anew.chain("lending")

# %% [markdown]
# ## Why it happens
#
# The first migration of a model writes its bases into `CreateModel`. `makemigrations` compares the fields
# of two states, and not the bases. So in the state `Topic` inherits from `Genre` for ever, with
# an `id` and a `name`, and the new fields are there twice. On [the chain](../../guide/the-chain.md)
# nothing is wrong: the files cannot be run.
#
# ## Keep it from happening
#
# Inherit from abstract models. Where rows of two models have a table in common, use a
# `OneToOneField`: it is a field, and can be removed.
#
# **In review, ask:** does the parent class of a model change, and is one of the two not abstract?
#
# **In CI:** `python manage.py migrate` on a new database. It stops there as on yours.
#
# ## Run it yourself
#
# Leave out the line with `sequence_reset_sql` and the one after it. On PostgreSQL the next topic gets the
# key 1, and the playbook stops at its first check.

# %% tags=["check"]
assert key == "8\n", "a new topic gets a new key"
assert after == before == back, "each topic keeps its key, name and code, there and back"
assert still == readers == dangling, (
    "the readers keep their topics; the wrong fix leaves them dangling"
)
assert lost == on(SQLite=[(2,)], PostgreSQL=[(0,)]), "PostgreSQL drops the topics"
assert ("is missing" in anew.chain("lending")) == on(SQLite=False, PostgreSQL=True), "and the key"
assert undone.chain().whole, "undone is as before"
newer = production.clone("newer")
newer.run("python manage.py migrate library 0007", fails="foreign key")

# %% tags=["check"]
FRESH = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
production.run(f"{FRESH} && python manage.py migrate --verbosity 0")
assert production.chain().whole, "a new database can be built"
anew.run("git stash --quiet --include-untracked")
anew.replace("library/models.py", AUTHOR, ABSTRACT)
none = anew.run("python manage.py makemigrations --check --dry-run")
assert "No changes" in none, "an abstract parent takes no migration"
anew.replace("library/models.py", "        abstract = True\n", "        pass\n")
anew.run("python manage.py makemigrations --noinput", fails="named_ptr")

# %% tags=["check"]
# Without a foreign key to it, SQLite has the same error; also on a new database.
alone = Sandbox("alone")
alone.replace("library/models.py", BOOK, CHILD + BOOK)
alone.run("python manage.py makemigrations library --name topic --verbosity 0")
alone.replace("library/models.py", CHILD, ALONE)
alone.run("python manage.py makemigrations library --name alone", answers=["1", "''"])
stopped = alone.run(f"{FRESH} && python manage.py migrate", fails=CLASH)
assert "library.0007_topic... OK" in stopped, "the migration before it can be run"
