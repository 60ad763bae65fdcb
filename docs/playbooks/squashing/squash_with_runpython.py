# ---
# title: The squash holds Python code and does not load
# symptoms:
#   - "SyntaxError: invalid decimal literal"
#   - >-
#     Your migrations contained functions that must be manually copied over,
#     as we could not safely copy their implementation.
# cause: >-
#   Django cannot copy the function of a `RunPython` into the squash. It writes the place where the
#   function is, and that is not valid Python. No database is touched, nothing is lost.
# broken: [files-history]
# data: untouched
# undo: delete the squash, prune its row
# safe_in: production
# applied: "elsewhere too: the originals; the squash runs nowhere"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
SQUASH = "lending/migrations/0001_squashed_0008.py"
SQUASHMIGRATIONS = (
    "python manage.py squashmigrations lending 0001 0008 --squashed-name squashed_0008 --noinput"
)

# %% [markdown]
# `lending` has a migration that fills a column, `0003_fill_due_on`. You add one that writes a row:
# the reader to whom books in repair are lent.

# %% tags=["setup"]
laptop.write(
    "lending/migrations/0008_house_reader.py",
    """from django.db import migrations

HOUSE = "house@example.org"


def house_reader(apps, schema_editor):
    readers = apps.get_model("lending", "Reader").objects.using(schema_editor.connection.alias)
    readers.get_or_create(email=HOUSE, defaults={"name": "The house"})


class Migration(migrations.Migration):
    dependencies = [("lending", "0007_unique_reader_email")]

    operations = [migrations.RunPython(house_reader, migrations.RunPython.noop)]
""",
)
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'The house' && git push --quiet")
production = laptop.clone("production")
production.rows("update lending_reader set name = 'Repairs' where email = 'house@example.org'")
readers = production.rows("select id, name, email from lending_reader order by id")
behind = production.clone("behind")

# %% [markdown]
# Then you squash the app.

# %% tags=["setup"]
laptop.run(SQUASHMIGRATIONS)
pushed = laptop.clone("pushed")

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# `squashmigrations` succeeds. After that, every command that reads the migrations stops with this
# message.

# %%
laptop.run("python manage.py migrate", fails="SyntaxError: invalid")

# %% [markdown]
# The squash names each function by its old place. A part of a Python name cannot start with `0003`.

# %%
laptop.run(f"cat {SQUASH} | grep 'lending.migrations'")

# %% [markdown]
# Open each of these originals, and ask: **what would a new install lack without the function?**
#
# - **Nothing**: the function repairs or fills rows that exist, and a new install has none. Write
#   `elidable=True`, “may be left out”, and the squash leaves it out.
# - **Rows**: the function writes rows that the project needs from the start. Copy it into the
#   squash, with all that it uses. Copy a function that does both, too.
#
# Are the originals applied elsewhere, or is the squash pushed? The fix is the same: a squash that
# does not load has run nowhere.
#
# **`Cannot serialize function: lambda`, or `has no Migration class`**: `squashmigrations` stopped
# and left an empty file. Delete it, give the function a name in the original, squash again.
#
# ## Fix it
#
# **Server down? Revert the commit that brought the squash and deploy; then squash again.**
# `fill_due_on` fills old rows only. The word `elidable` counts only when you squash.
# **Do not mark a function that writes rows a new install needs, even if it also fills old ones.**

# %% tags=["fix"]
laptop.replace("lending/migrations/0003_fill_due_on.py", ".noop)", ".noop, elidable=True)")

# %% [markdown]
# Delete the squash. As long as it is there, `squashmigrations` does not start either.

# %% tags=["fix"]
laptop.run(f"rm {SQUASH}")

# %% [markdown]
# Squash again. Now 3 operations, before 8: the optimizer cannot move anything past a function that
# stays.

# %% tags=["fix"]
laptop.run(SQUASHMIGRATIONS)

# %%
borrowed = laptop.clone("borrowed")
careless = laptop.clone("careless")

# %% [markdown]
# Copy `house_reader` to the place of the comment, and refer to the copy.
# **Copy what the function uses as well: constants, helpers, imports.** Here that is `HOUSE`.
# **`reverse_code=` names a function too: copy it as well.**

# %% tags=["fix"]
laptop.replace(
    SQUASH,
    """# Functions from the following migrations need manual copying.
# Move them and any dependencies into this file, then update the
# RunPython operations to refer to the local versions:
# lending.migrations.0008_house_reader
""",
    """HOUSE = "house@example.org"


def house_reader(apps, schema_editor):
    readers = apps.get_model("lending", "Reader").objects.using(schema_editor.connection.alias)
    readers.get_or_create(email=HOUSE, defaults={"name": "The house"})

""",
)
laptop.replace(SQUASH, "lending.migrations.0008_house_reader.house_reader", "house_reader")

# %% [markdown]
# **On an empty database, `python manage.py migrate` must succeed before you ship it.** No other
# database runs the copy.

# %%
install = laptop.clone("new-install")
install.run(f"{EMPTY} && python manage.py migrate lending --verbosity 0")
installed = install.rows("select name, email from lending_reader")

# %% [markdown]
# Ship it. **Keep the originals in this release.** For when they may go, read
# [squash a long history in two releases](squash-in-two-releases.md).

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Squash lending' && git push --quiet")

# %% [markdown]
# A database that has all the originals records the squash and runs neither function again. One that
# has only some of them first finishes the originals, `fill_due_on` too.

# %% tags=["fix"]
shipped = production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Nothing is pending, and production kept the name that it gave the house.

# %% tags=["after"]
production.chain()

# %%
now = production.rows("select id, name, email from lending_reader order by id")

# %% [markdown]
# ## Undo it
#
# As long as the originals are there: delete the squash, commit, and ship. Then prune its row on each
# database that recorded it. `--prune` deletes every row of the app that has no file. `elidable` may
# stay.

# %%
undone = production.clone("undone")
undone.run(f"git rm --quiet {SQUASH} && git commit --quiet --message 'No squash'")
undone.run("python manage.py migrate lending --prune")

# %% [markdown]
# ## What not to do
#
# **Do not make the error go away by leaving out every function**, with `elidable` or by deleting
# the `RunPython`. Every check is green, on a new install too, and the house is missing there.

# %%
careless.replace("lending/migrations/0008_house_reader.py", ".noop)", ".noop, elidable=True)")
careless.run(f"rm {SQUASH} && {SQUASHMIGRATIONS} --verbosity 0")
careless.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
careless.run("python manage.py makemigrations --check --noinput")
missing = careless.rows("select name, email from lending_reader")

# %% [markdown]
# **Do not import the function from the original.** It works until release 2 deletes the file.

# %%
borrowed.replace(
    SQUASH,
    "code=lending.migrations.0008_house_reader.house_reader",
    'code=import_module("lending.migrations.0008_house_reader").house_reader',
)
borrowed.replace(
    SQUASH,
    "from django.db import mig",
    "from importlib import import_module\nfrom django.db import mig",
)
borrowed.run("python manage.py migrate --verbosity 0")
borrowed.run("rm lending/migrations/0001_initial.py lending/migrations/000[2-8]_*.py")
borrowed.run(
    "python manage.py migrate", fails="No module named 'lending.migrations.0008_house_reader'"
)

# %% [markdown]
# **Do not copy the function alone.** Databases that are up to date never run it, so they say
# nothing. A new install does.

# %%
alone = laptop.clone("alone")
alone.replace(SQUASH, 'HOUSE = "house@example.org"\n\n\n', "")
alone.run("python manage.py migrate --verbosity 0")
alone.run(EMPTY)
alone.run("python manage.py migrate lending", fails="NameError: name 'HOUSE' is not defined")

# %% [markdown]
# ## Why it happens
#
# Django writes a field or an index anew from its values; a function it can only name. That name
# needs `import lending.migrations.0003_fill_due_on`, which Python does not allow. So Django writes
# the name, leaves the import out, and adds a comment. Files that do not load cannot be compared
# with the history: on [the chain](../../guide/the-chain.md) that link breaks.
#
# ## Keep it from happening
#
# Write `elidable=True` when you write the migration, if it only repairs rows that exist. In CI, on
# an empty database, this line fails on a squash that does not load, and on a copy that lacks a
# helper. It does not see that a row is missing: write a test for the rows that you need.
#
# ```bash
# python manage.py migrate
# ```
#
# ## Run it yourself
#
# Add `--no-optimize` to `SQUASHMIGRATIONS`. `elidable` counts for the optimizer only: the playbook
# stops where it copies `house_reader`, because the comment still names both functions.

# %% tags=["check"]
assert "No migrations to apply" in shipped, "production ran neither function again"
assert now == readers, "and kept every reader"
assert installed == [("The house", "house@example.org")], "a new install gets the house"
recorded = production.rows("select name from django_migrations where app = 'lending'")
assert ("0001_squashed_0008",) in recorded, "production recorded the squash"
assert install.chain().whole, "a new install is whole"
assert undone.chain().whole, "the way back is whole"
assert missing == [], "without its function, a new install lacks the house"
assert careless.chain().whole, "and no check tells"

# %% tags=["check"]
unnamed = undone.clone("unnamed")
place = "lending/migrations/0008_house_reader.py"
unnamed.replace(place, "Python(house_reader, ", "Python(lambda apps, schema_editor: None, ")
unnamed.run(SQUASHMIGRATIONS, fails="Cannot serialize function: lambda")
assert unnamed.run(f"cat {SQUASH}") == "", "the file is empty"
unnamed.run("python manage.py migrate", fails="has no Migration class")

# %% tags=["check"]
pushed.run("git add . && git commit --quiet --message 'A squash that does not load'")
pushed.run("git revert --no-edit HEAD && python manage.py migrate --check")
assert pushed.chain().whole, "without the squash, all goes on"
backwards = undone.clone("backwards")
backwards.replace(place, "migrations.RunPython.noop", "house_reader")
backwards.run(SQUASHMIGRATIONS)
backwards.replace(SQUASH, " code=lending.migrations.0008_house_reader", " code=lending")
backwards.run("python manage.py migrate", fails="SyntaxError: invalid decimal literal")

# %% tags=["check"]
behind.run("python manage.py migrate lending 0002 --verbosity 0")
behind.rows("update lending_loan set due_on = null")
behind.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
assert behind.rows("select id from lending_loan where due_on is null") == [], "the function ran"
