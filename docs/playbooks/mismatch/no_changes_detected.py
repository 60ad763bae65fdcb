# ---
# title: makemigrations says “No changes detected”
# symptoms:
#   - "No changes detected"
#   - "No installed app with label 'reviews'."
#   - "CommandError: App 'lending' does not have migrations."
# cause: >-
#   Django does not see the app, its migrations folder or the model, and tells you nothing.
#   No data is lost, as long as you do not let it write the app's first migration again.
# broken: [models-files, files-history, history-schema]
# data: untouched
# undo: migrate back to where the app was, and delete the new files
# safe_in: production
# applied: "no matter where: the migrations that exist stay as they are"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
RETURNED = "    returned_on = models.DateField(null=True, blank=True)\n"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
LOOK = (
    'python manage.py shell --verbosity 0 -c "from django.apps import apps; '
    "from django.db.migrations.loader import MigrationLoader; "
    "bare = MigrationLoader(None, ignore_no_migrations=True).unmigrated_apps; "
    "[print(app.label, [model.__name__ for model in app.get_models()], "
    "'no package' if app.label in bare else '') for app in apps.get_app_configs()]\""
)
GATE = "python manage.py makemigrations --check --noinput library lending reviews"

# %% [markdown]
# Somebody tidies up and removes a file with nothing in it. You add a field to `Loan`.

# %% tags=["setup"]
laptop.run("git rm --quiet lending/migrations/__init__.py")
laptop.run("git commit --quiet --message 'Remove an empty file'")
laptop.replace(
    "lending/models.py",
    RETURNED,
    RETURNED + '    note = models.CharField(max_length=100, blank=True, default="")\n',
)

# %% [markdown]
# And you start a new app, with one file for each model.

# %% tags=["setup"]
laptop.write("reviews/__init__.py", "")
laptop.write("reviews/models/__init__.py", "# One file for each model.\n")
laptop.write(
    "reviews/models/review.py",
    "from django.db import models\n\n\nclass Review(models.Model):\n"
    '    book = models.ForeignKey("library.Book", on_delete=models.CASCADE)\n'
    "    stars = models.PositiveSmallIntegerField()\n",
)
loans = laptop.rows("select id, lent_on, due_on, returned_on from lending_loan order by id")
careless = laptop.clone("careless")

# %% tags=["before"]
laptop.chain("lending")

# %% [markdown]
# ## Is this your case?
#
# You changed the models, and no command complains:

# %%
laptop.run("python manage.py makemigrations")
laptop.run("python manage.py makemigrations --check --noinput")
laptop.run("python manage.py check")

# %% [markdown]
# With the name of the app they tell more. These change nothing:

# %%
laptop.run("python manage.py showmigrations lending")
laptop.run("python manage.py migrate lending --plan", fails="does not have migrations")
laptop.run(
    "python manage.py showmigrations reviews", fails="No installed app with label 'reviews'."
)

# %% [markdown]
# Ask Django what it sees: each app, its models, and whether it has a migrations package.

# %%
seen = laptop.run(LOOK)

# %% [markdown]
# | what it prints | cause | go to |
# |---|---|---|
# | no line for the app | it is not in `INSTALLED_APPS` | step 2 |
# | a line, without your model | nobody imports the model, or its `app_label` names another app | step 3 |
# | `no package`, and the folder has migrations | `migrations/__init__.py` is gone | step 1 |
# | `no package`, and the folder has none | the app never had a migration | step 4 |
# | app, model and package are there | the migration exists already, or what you wrote is no field | below |
#
# An app without models needs no package: `messages` and `staticfiles` are in order.
#
# **The migration exists, and the database lacks its column or table**: if `showmigrations` says `[X]`,
# read [migrate has nothing to do, and a table is missing](recorded-but-never-ran.md) or
# [A migration was edited after it was applied](edited-after-applying.md). If a squash is not listed,
# read [migrate asks for makemigrations, which finds nothing](../squashing/squash-applied-in-part.md).
#
# A comma at the end of the line makes a tuple of a field, and Django ignores it without a word:

# %%
comma = Sandbox("comma")
comma.replace(
    "library/models.py",
    COPIES,
    COPIES + "    shelf = models.CharField(max_length=20, null=True),\n",
)
comma.run("python manage.py makemigrations")

# %% [markdown]
# Nothing of all this? Ask which file Django reads: it may be a copy, in a container or in another
# virtual environment.

# %%
comma.run(
    'python manage.py shell --verbosity 0 -c "import library.models; print(library.models.__file__)"'
)

# %% [markdown]
#
# ## Fix it
#
# **1. Only if `__init__.py` is gone. Put it back before you name the app to `makemigrations`.** Any
# other app has one to copy.

# %% tags=["fix"]
laptop.run("cp library/migrations/__init__.py lending/migrations/__init__.py")

# %% [markdown]
# **2. Only if the app is not in `INSTALLED_APPS`.** Install it. Commands want its
# [label](https://docs.djangoproject.com/en/5.2/ref/applications/#django.apps.AppConfig.label): if
# you have not chosen another, the last part of its import path.

# %% tags=["fix"]
laptop.replace("config/settings.py", '    "lending",\n', '    "lending",\n    "reviews",\n')

# %% [markdown]
# The app is known now, and its model is not:

# %%
laptop.run("python manage.py makemigrations reviews")

# %% [markdown]
# **3. Only if nobody imports the model.** Import it where Django looks: in `models.py` or
# `models/__init__.py`.

# %% tags=["fix"]
laptop.write("reviews/models/__init__.py", "from .review import Review\n")

# %% [markdown]
# An app without a package is still skipped:

# %%
laptop.run("python manage.py makemigrations --dry-run")

# %% [markdown]
# **4. Only if the app never had a migration: name it once.** Django makes the folder and the package.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations reviews")

# %% [markdown]
# The other app gets the migration it was waiting for.
# **Add `--dry-run` first. If it shows a file `0001_…` for an app that had migrations, stop.** See
# [What not to do](#what-not-to-do).

# %% tags=["fix"]
laptop.run("python manage.py makemigrations lending --name loan_note")

# %% [markdown]
# Apply both.

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# Commit the empty `__init__.py` files as well: Git keeps no folder without a file.
#
# ## Make sure
#
# Each model has its migration, each app answers to its name, and an install from nothing works.

# %% tags=["after"]
laptop.chain()

# %%
laptop.run(GATE)
install = laptop.clone("new-install")
install.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
now = laptop.rows("select id, lent_on, due_on, returned_on from lending_loan order by id")

# %% [markdown]
# ## Undo it
#
# Migrate back, then delete the two files. What the new table and the new column hold is lost. Once
# they are pushed, read [Take a migration out of main](../reset/pulled-from-main.md).

# %%
undone = laptop.clone("undone")
undone.run("python manage.py migrate reviews zero --verbosity 0")
undone.run("python manage.py migrate lending 0007 --verbosity 0")
undone.run("rm reviews/migrations/0001_initial.py lending/migrations/0008_loan_note.py")

# %% [markdown]
# ## What not to do
#
# **Do not name an app that has migrations while its `__init__.py` is gone.** “Name the app once” is
# the usual advice, and right for a new app. Here Django sees an empty folder. It writes over the
# first migration:

# %%
careless.run("python manage.py makemigrations lending")
careless.run("git status --short lending")

# %% [markdown]
# `0001_initial` is recorded, so nothing runs, and no loan can be read any more:

# %%
careless.run("python manage.py migrate")
careless.run(
    'python manage.py shell --verbosity 0 -c "from lending.models import Loan; Loan.objects.get(id=1)"',
    fails=on(
        SQLite="no such column: lending_loan.note",
        PostgreSQL="column lending_loan.note does not exist",
    ),
)

# %% [markdown]
# A new install stops half-way, because `0002` to `0007` are still there:

# %%
new = careless.clone("careless-install")
new.run(EMPTY)
new.run(
    "python manage.py migrate lending",
    fails=on(SQLite="duplicate column name: due_on", PostgreSQL='column "due_on" of relation'),
)

# %% [markdown]
# The way out: take the old file from Git, then go on at step 2. If the new one is pushed, revert
# that commit. A database that had the old `0001_initial` ran nothing, as you saw. One that stopped
# half-way as above has to be made again.

# %%
careless.run("git restore lending/migrations/0001_initial.py")

# %% [markdown]
# ## Why it happens
#
# `makemigrations` compares the models that Django has loaded with the files that it can load. A
# class that nobody imports does not exist. A folder without `__init__.py` is no package, so its
# files do not exist either. An app without a package counts as an app that wants no migrations,
# unless you name it. On [the chain](../../guide/the-chain.md) models, files and history come
# apart, and a command without the name of an app says nothing of it.
#
# ## Keep it from happening
#
# Read what `makemigrations` prints: it must name your model. In CI, `makemigrations --check` finds
# none of this, as seen above. **With the name of each of your apps** it fails if one is not installed
# or has no package. It still does not see a model that nobody imports, nor the comma:
#
# ```bash
# python manage.py makemigrations --check --noinput library lending reviews
# ```
#
# ## Run it yourself
#
# Leave out step 3. `makemigrations reviews` writes nothing, and the playbook stops where it wants to
# undo a migration of `reviews`.

# %% tags=["check"]
assert now == loans, "every loan is still there"
assert "lending ['Reader', 'Loan'] no package" in seen, "the look names the cause"
assert "reviews" not in seen, "an app that is not installed has no line"
assert laptop.rows("select count(*) from reviews_review") == [(0,)], "the new table is there"
assert install.chain().whole, "an install from nothing is whole"
assert undone.rows("select id, lent_on, due_on, returned_on from lending_loan") == loans
assert undone.chain().broken == ["models-files"], "undone: the models want their migrations again"

# %% tags=["check"]
# The wrong fix is taken back, and the CI line fails where it should.
assert careless.chain("lending").findings == [
    "lending: makemigrations would still write “Add field note to loan”"
], "the old file is back, and the note can have a migration"
gate = Sandbox("gate")
gate.run(GATE, fails="No installed app with label 'reviews'.")
gate.run("rm lending/migrations/__init__.py")
gate.run("python manage.py makemigrations --check --noinput")
gate.run("python manage.py makemigrations --check --noinput library lending", fails="Create model")

# %% tags=["check"]
# A model whose app_label names an app that is not installed belongs to none.
label = Sandbox("label")
label.replace(
    "lending/models.py",
    "class Loan(",
    'class Fine(models.Model):\n    class Meta:\n        app_label = "lendings"\n\n\nclass Loan(',
)
assert "No changes detected" in label.run("python manage.py makemigrations --check --noinput")
assert "Fine" not in label.run(LOOK), "the look does not show it"
