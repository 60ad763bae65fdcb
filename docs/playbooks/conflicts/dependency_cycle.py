# ---
# title: Two apps depend on each other in a circle
# symptoms:
#   - "CircularDependencyError: lending.0008_desk, library.0007_shelf"
# cause: >-
#   Each of two migrations names the other as its parent, so neither can run first. Django stops
#   before it changes anything: nothing is lost.
# broken: [files-history, history-schema]
# data: untouched
# undo: git revert, as long as no database has run the new migrations
# safe_in: production
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: conflicts
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
SAVE = "git add . && git commit --quiet --message"
SHELF = "class Shelf(models.Model):\n    name = models.CharField(max_length=20)\n"
DESK = "class Desk(models.Model):\n    name = models.CharField(max_length=20)\n"
CIRCLE = "CircularDependencyError"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
SHELVES, DESKS = "library/migrations/0007_shelf.py", "lending/migrations/0008_desk.py"
TO_DESK = "models.ForeignKey('lending.Desk', models.SET_NULL, null=True)"
TO_SHELF = "models.ForeignKey('library.Shelf', models.SET_NULL, null=True)"


def part(model, parent="", key=""):
    """The middle of a written migration, with or without a key and the parent that it needs."""
    return (
        f"{parent}    ]\n\n    operations = [\n        migrations.CreateModel(\n"
        f"            name='{model}',\n            fields=[\n"
        "                ('id', models.BigAutoField(auto_created=True, primary_key=True, "
        "serialize=False, verbose_name='ID')),\n"
        f"                ('name', models.CharField(max_length=20)),\n{key}"
    )


SHELF_WITH_KEY = part(
    "Shelf", "        ('lending', '0008_desk'),\n", f"                ('help_desk', {TO_DESK}),\n"
)
DESK_WITH_KEY = part(
    "Desk", "        ('library', '0007_shelf'),\n", f"                ('main_shelf', {TO_SHELF}),\n"
)
EXISTS = on(
    SQLite="duplicate column name: main_shelf_id",
    PostgreSQL='column "main_shelf_id" of relation "lending_desk" already exists',
)
LOOK = (
    'python manage.py shell --verbosity 0 -c "from library.models import Shelf; '
    'print(Shelf.objects.values())"'
)

# %% [markdown]
# Two apps get a model each. Production runs both migrations and fills the tables.

# %% tags=["setup"]
laptop.replace("library/models.py", "\n\nclass Book(", f"\n\n{SHELF}\n\nclass Book(")
laptop.replace("lending/models.py", "\n\nclass Loan(", f"\n\n{DESK}\n\nclass Loan(")
laptop.run("python manage.py makemigrations library --name shelf --verbosity 0")
laptop.run("python manage.py makemigrations lending --name desk --verbosity 0")
laptop.run(f"{SAVE} 'Shelves and desks' && git push --quiet")
production = laptop.clone("production")
production.run("python manage.py migrate --verbosity 0")
production.rows("insert into library_shelf (name) values ('A3')")
production.rows("insert into lending_desk (name) values ('hall')")

# %% [markdown]
# The migrations are new, so your colleague adds a key to `Desk` in the file that is there, and its
# parent. It works, and is pushed.

# %% tags=["setup"]
colleague = laptop.clone("colleague")
colleague.replace("lending/models.py", DESK, f"{DESK}    main_shelf = {TO_SHELF}\n")
colleague.replace(DESKS, part("Desk"), DESK_WITH_KEY)
colleague.run("python manage.py migrate --verbosity 0")
colleague.run(f"{SAVE} 'Shelf of a desk' && git push --quiet")

# %% [markdown]
# You do the same with `Shelf`. It works as well. Git merges the two without a conflict.

# %% tags=["setup"]
laptop.replace("library/models.py", SHELF, f"{SHELF}    help_desk = {TO_DESK}\n")
laptop.replace(SHELVES, part("Shelf"), SHELF_WITH_KEY)
laptop.run("python manage.py makemigrations --check --noinput")
laptop.run(f"{SAVE} 'Desk of a shelf' && git pull --quiet --no-rebase && git push --quiet")
production.run("git pull --quiet")
careless = production.clone("careless")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# Every command that loads migrations stops, also `migrate --fake`. `check` loads none.

# %%
production.run("python manage.py migrate", fails=CIRCLE)
production.run("python manage.py makemigrations --check --noinput", fails=CIRCLE)
production.run("python manage.py migrate --fake", fails=CIRCLE)
production.run("python manage.py check")

# %% [markdown]
# The message lists the migrations of the circle. In each of them, find the line that names another
# one of the list, and the operation that needs it. Most often that is a foreign key.

# %%
reasons = production.run(f"cat {SHELVES} | grep lending")
production.run(f"cat {DESKS} | grep library")

# %% [markdown]
# - **One of them is a squash**: read [A squash makes a circle](../squashing/squash-in-a-circle.md).
# - **You have made the migrations of one app anew**: take the old files back from Git, or read
#   [reset both](../reset/reset-history-keep-data.md).
# - **A database has run one of the files without its key** (production, here): take the key out of
#   that file, and out of the other one if the same holds for it.
# - **A database has run one of them with its key, and none without**: leave that file. Take the key
#   out of the other.
# - **No database has run either of them**: take one key out, no matter which. The other may stay.
#
# ## Fix it
#
# A model does not need its key when it is created. Take the key out of `CreateModel`, and its app
# out of `dependencies`. The model in `models.py` keeps it.

# %% tags=["fix"]
laptop.replace(SHELVES, SHELF_WITH_KEY, part("Shelf"))

# %% [markdown]
# The circle is open. Production has run the other file without its key too, so that one goes out as
# well.

# %%
one_key = laptop.clone("one-key")

# %% tags=["fix"]
laptop.replace(DESKS, DESK_WITH_KEY, part("Desk"))

# %% [markdown]
# Let Django write each key as a migration of its own. It knows which comes after which.

# %% tags=["fix"]
written = laptop.run("python manage.py makemigrations library lending --name shelf_and_desk")

# %%
laptop.run("cat library/migrations/0008_shelf_and_desk.py")

# %% [markdown]
# Push it.

# %% tags=["fix"]
laptop.run(f"{SAVE} 'Keys in their own migrations' && git push --quiet")
undone = laptop.clone("undone")

# %% [markdown]
# Deploy again.

# %% tags=["fix"]
production.run("git pull --quiet && python manage.py migrate")

# %% [markdown]
# ### A database has run the file with the key
#
# Your colleague's has: there the column exists, and the new migration stops. Record that one without
# running it. **It must say `FAKED` once**, and name that migration.

# %%
colleague.run("git pull --quiet && python manage.py migrate", fails=EXISTS)
faked = colleague.run("python manage.py migrate lending 0009_shelf_and_desk --fake")
colleague.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Make sure
#
# Both keys are in the tables, and production has its rows. A new database gets the same.

# %% tags=["after"]
production.chain()

# %%
shelf = production.run(LOOK)
fresh = laptop.clone("fresh")
fresh.run(NEW)
fresh.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Undo it
#
# Before any database has run the two new migrations: revert the commit, and the circle is back.

# %%
undone.run("git revert --no-commit HEAD && python manage.py migrate", fails=CIRCLE)

# %% [markdown]
# ## What not to do
#
# **Do not delete one of the two lines in `dependencies`.** The error is gone, and every check is green:

# %%
careless.replace(SHELVES, "        ('lending', '0008_desk'),\n", "")
careless.run("python manage.py migrate && python manage.py makemigrations --check --noinput")

# %% [markdown]
# But production has run both files without their keys, and has no column for them:

# %%
careless.run(
    LOOK,
    fails=on(
        SQLite="no such column: library_shelf.help_desk_id",
        PostgreSQL="column library_shelf.help_desk_id does not exist",
    ),
)

# %% [markdown]
# And in a new database, one of the tables is created before the one that its key points at:

# %%
careless.run(NEW)
careless.run("python manage.py migrate --verbosity 0", fails="'lending.desk' cannot be resolved")

# %% [markdown]
# ## Why it happens
#
# A key needs the other table, so the migration that adds it depends on the one that creates that
# table. Two apps may point at each other; two migrations may not. `makemigrations` knows this and
# puts the second key into a migration of its own. A key written into an old file by hand goes around
# that. Each branch has one half of the circle and works; Git merges the halves, which are lines in
# two files. On [the chain](../../guide/the-chain.md) the files no longer form a graph, so nothing can
# be compared with them.
#
# ## Keep it from happening
#
# Change models, and let `makemigrations` write a new file; leave the old ones as they are. In CI, use
# the merged state of a pull request and an empty database. There, the first half of this line fails
# on a circle, and the second half on a deleted dependency. Neither sees what production has run.
#
# ```bash
# python manage.py makemigrations --check --noinput && python manage.py migrate
# ```
#
# ## Run it yourself
#
# Leave out the line with `DESKS` in “Fix it”. The circle is open all the same, and production
# migrates, but gets no column for `main_shelf`. The playbook stops at your colleague's `migrate`, which
# then succeeds.

# %% tags=["check"]
assert "('lending', '0008_desk')" in reasons, "your file names the colleague's"
assert faked.count("FAKED") == 1, "one migration was recorded without running"
assert "'name': 'A3'" in shelf, "production kept its shelf"
assert production.rows("select name, main_shelf_id from lending_desk") == [("hall", None)]
assert "lending/migrations/0009_shelf_and_desk.py" in written, "each app got a migration"
one_key.run("python manage.py makemigrations --name shelf_desk")
one_key.run(NEW)
one_key.run("python manage.py migrate --verbosity 0")
for place in (production, colleague, fresh, one_key):
    assert place.chain().whole, f"{place.name} is whole"
