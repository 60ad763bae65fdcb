# ---
# title: Each makemigrations writes the same migration again
# symptoms:
#   - >-
#     Your models in app(s): 'lending' have changes that are not yet reflected in a migration, and so
#     won't be applied.
#   - "~ Alter field card_expires on reader"
# cause: >-
#   A default or a list of choices is computed when Django starts, and comes out differently each
#   time or on each machine. No row is lost; new rows may get a wrong default.
# broken: [models-files]
# data: "untouched: rows keep the default that they were given"
# undo: git revert; migrate back if the new migration is not pushed
# safe_in: production
# applied: "no matter where: those that are pushed stay, those that are not are deleted"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop")
production = Sandbox("production")
DJANGO = "from django.db import models\n"
EMAIL = "    email = models.EmailField(unique=True)\n"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
CARD = "    card_expires = models.DateTimeField(default=datetime.now(UTC) + timedelta(days=365))\n"
PLACE = """    shelf = models.CharField(max_length=1, default="A", choices=settings.SHELVES)
    language = models.CharField(
        max_length=2, default="en", choices=[(code, code) for code in {"en", "fr", "de"}]
    )
"""
ONE_PROCESS = (
    'python manage.py shell --verbosity 0 -c "import time; from lending.models import Reader; '
    'ada = Reader(); time.sleep(0.1); eve = Reader(); print(ada.card_expires == eve.card_expires)"'
)
READERS = "select id, name, cast(card_expires as varchar(19)) as card_expires from lending_reader order by id"

# %% [markdown]
# A reader's card is good for a year. The default calls `now()`.

# %% tags=["setup"]
dates = "from datetime import UTC, datetime, timedelta\n\n"
laptop.replace("lending/models.py", DJANGO, f"{dates}{DJANGO}")
laptop.replace("lending/models.py", EMAIL, EMAIL + CARD)

# %% [markdown]
# The choices of two fields come from a set and from the settings. Those of production differ.

# %% tags=["setup"]
shelves = 'SHELVES = [("A", "Hall"), ("B", "Attic")]\n'
laptop.replace("config/settings.py", "STATIC_URL", f"{shelves}STATIC_URL")
there = shelves.replace('"B", "Attic"', '"C", "Cellar"')
laptop.write("config/production.py", f"from .settings import *\n\n{there}")
laptop.replace("library/models.py", DJANGO, f"from django.conf import settings\n{DJANGO}")
laptop.replace("library/models.py", COPIES, COPIES + PLACE)

# %% [markdown]
# You write the migrations, apply them and push. Production gets them too.

# %% tags=["setup"]
laptop.run("python manage.py makemigrations lending --name card_expires --verbosity 0")
laptop.run("python manage.py makemigrations library --name shelf_and_language --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("update lending_reader set card_expires = '2027-01-05 09:00:00'")
readers = laptop.rows(READERS)
laptop.run("git add . && git commit --quiet --message 'Cards and shelves' && git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
careless = production.clone("careless")

# %% [markdown]
# `migrate` tells you to run `makemigrations`. You do, twice.

# %% tags=["setup"]
laptop.run("python manage.py makemigrations --verbosity 0")
laptop.run("python manage.py makemigrations")
laptop.run("python manage.py migrate --verbosity 0")

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# No model has changed, everything is applied, and there is always one more:

# %%
laptop.run("python manage.py migrate")
laptop.run("python manage.py makemigrations --check --noinput", fails="~ Alter field card_expires")

# %% [markdown]
# Compare two of the files that it wrote, or let `--dry-run --verbosity 3` print the next one. What
# differs names the cause. There are three.
#
# **It differs at each run**: the default is a value, computed when the module is imported. That is
# wrong for the data as well. All readers whom one server process creates get the same date:

# %%
same = laptop.run(ONE_PROCESS)

# %% [markdown]
# **It differs on another machine**: the value comes from the settings.

# %%
laptop.run(
    "python manage.py makemigrations library --check --noinput --settings config.production",
    fails="~ Alter field shelf on book",
)

# %% [markdown]
# **It differs at some runs**: the value comes from a set. Python orders a set of strings anew in
# each process, unless `PYTHONHASHSEED` is fixed, as it is for this page. `seed.py` runs `manage.py`
# with another seed, as your next process would have it:

# %%
laptop.write(
    "seed.py",
    "import os, subprocess, sys\n\n"
    'other = os.environ | {"PYTHONHASHSEED": "1"}\n'
    'sys.exit(subprocess.call([sys.executable, "manage.py", *sys.argv[1:]], env=other))\n',
)
laptop.run("python manage.py makemigrations library --check --noinput")
laptop.run(
    "python seed.py makemigrations library --check --noinput",
    fails="~ Alter field language on book",
)

# %% [markdown]
# **Is the app not yours?** Read [A library's migrations appear](foreign-migrations.md).
#
# ## Fix it
#
# **Delete only migrations that are not pushed and hold nothing but such an Alter field.** Those that
# others have stay: they do no harm, and the next one follows them. Migrate back over the others, then
# delete them.

# %% tags=["fix"]
laptop.run(
    "python manage.py migrate lending 0008 --verbosity 0"
    " && rm lending/migrations/0009_alter_reader_card_expires.py"
    " lending/migrations/0010_alter_reader_card_expires.py"
)

# %% [markdown]
# Give the default as a function, without calling it. Django calls it for each new row, and writes its
# name into the migration. A `lambda` has no name and is refused. **Keep the function for as long as a migration names it.**

# %% tags=["fix"]
in_a_year = "def in_a_year():\n    return datetime.now(UTC) + timedelta(days=365)\n"
laptop.replace("lending/models.py", "class Reader(", f"{in_a_year}\n\nclass Reader(")
laptop.replace("lending/models.py", "=datetime.now(UTC) + timedelta(days=365))", "=in_a_year)")

# %% [markdown]
# Choices from the settings become a function too (Django 5.0 and later). A set becomes a list.

# %% tags=["fix"]
shelves = "def shelves():\n    return settings.SHELVES\n"
laptop.replace("library/models.py", "class Book(", f"{shelves}\n\nclass Book(")
settled = PLACE.replace("settings.SHELVES", "shelves").replace(
    '{"en", "fr", "de"}', '["en", "fr", "de"]'
)
laptop.replace("library/models.py", PLACE, settled)

# %% [markdown]
# Write one last migration for each app, read it, and ship it.

# %% tags=["fix"]
laptop.run(
    "python manage.py makemigrations lending library --name settled"
    " && python manage.py migrate --verbosity 0"
)

# %%
laptop.run("cat lending/migrations/0009_settled.py | grep default")
undone = laptop.clone("undone")

# %% tags=["fix"]
laptop.run(
    "git add config lending library && git commit --quiet --message 'Settle the defaults' && git push --quiet"
)

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Nothing is left to write: here, with the settings of production, with another seed.

# %% tags=["after"]
laptop.chain()

# %%
production.run("python manage.py makemigrations --check --noinput --settings config.production")
laptop.run("python seed.py makemigrations --check --noinput")

# %% [markdown]
# A new reader gets a date of its own, and the rows are as they were.

# %%
own = laptop.run(ONE_PROCESS)
now = laptop.rows(READERS)

# %% [markdown]
# ## Undo it
#
# Before you push: migrate back, delete the two files, take the edits back. Once it is pushed, leave
# it: it changes no row.

# %%
undone.run(
    "python manage.py migrate lending 0008 -v 0 && python manage.py migrate library 0007 -v 0"
)
undone.run(
    "rm lending/migrations/0009_settled.py library/migrations/0008_settled.py"
    " && git restore config/settings.py lending/models.py library/models.py"
)

# %% [markdown]
# ## What not to do
#
# **Do not run `makemigrations` where you deploy.** There it writes files that are in no repository:

# %%
careless.run(
    "python manage.py makemigrations --noinput --settings config.production"
    " && python manage.py migrate --verbosity 0"
)

# %% [markdown]
# The next release brings a migration with the same parent, and the deploy stops:

# %%
careless.run("git pull --quiet --no-rebase && python manage.py migrate", fails="Conflicting")

# %% [markdown]
# In a container the files are gone with the next release. The deploy goes through and leaves
# [rows without a file](ghost-migration.md):

# %%
careless.run("git clean --quiet --force && python manage.py migrate --verbosity 0")
ghosts = careless.chain()

# %% [markdown]
# ## Why it happens
#
# A migration holds every option of a field, those that the database does not know too: defaults and
# choices. `makemigrations` compares them with the models as they are in this process. What is
# computed while the module is imported is a value by then: Django cannot see that `now()` made it.
# A function is not called. Django compares and writes its name, which is the same everywhere. On
# [the chain](../../guide/the-chain.md) the link between models and files breaks again as soon as it
# is mended.
#
# ## Keep it from happening
#
# In a field, write the name of a function and no call. This line in CI fails at each run for a
# clock. It finds a set at some runs only, because each process has its own seed, and finds the
# settings only if CI uses those of production:
#
# ```bash
# python manage.py makemigrations --check --noinput --settings config.production
# ```
#
# ## Run it yourself
#
# Leave out the cell that deletes the two migrations. The last one becomes `0011_settled`, and the
# playbook stops at `cat`. Change the name there, and see which assert still fails.

# %% tags=["check"]
assert (same, own) == ("True\n", "False\n"), "one process gave all the same date, now it does not"
assert now == readers, "no row changed"
assert laptop.graph("lending").leaves == ["0009_settled"], "the two others are gone"
assert production.chain().whole, "production is whole"
assert "0009_alter_reader_card_expires is recorded, and its file is gone" in ghosts, "a ghost"

# %% tags=["check"]
assert undone.rows(READERS) == readers
assert undone.chain().broken == ["models-files"], "and wants a migration again"
undone.replace("lending/models.py", "=datetime.now(UTC)", "=lambda: datetime.now(UTC)")
undone.run("python manage.py makemigrations", fails="ValueError: Cannot serialize function: lambda")
laptop.replace("lending/models.py", "def in_a_year", "def in_one_year")
laptop.replace("lending/models.py", "=in_a_year", "=in_one_year")
laptop.run("python manage.py migrate", fails="has no attribute 'in_a_year'")
