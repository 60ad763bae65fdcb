# ---
# title: A data migration does not find the model of another app
# symptoms:
#   - "LookupError: App 'library' doesn't have a 'Policy' model."
#   - "LookupError: No installed app with label 'auth'."
# cause: >-
#   The migration reads a model of another app, and its `dependencies` do not say so. It ran where the
#   other app had been migrated before. Here it comes first. Nothing is lost.
# broken: []
# data: untouched
# undo: put back the copy of the database that you make first, and revert the commit
# safe_in: production
# applied: "elsewhere too: the file may be edited all the same, because it does the same as before"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = laptop.clone("production")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
NO_MODEL = "App 'library' doesn't have a 'Policy' model."
FILE = "lending/migrations/0008_longer_loans.py"
NEEDS = '("lending", "0007_unique_reader_email")'
OPEN = "select id, lent_on, due_on from lending_loan where returned_on is null order by id"

# %% [markdown]
# The library gets a table for its policy, and a first row in it. You migrate.

# %% tags=["setup"]
laptop.replace(
    "library/models.py",
    "class Genre(",
    "class Policy(models.Model):\n    days = models.IntegerField()\n\n\nclass Genre(",
)
laptop.run("python manage.py makemigrations library --name policy --verbosity 0")
laptop.write(
    "library/migrations/0008_first_policy.py",
    """from django.db import migrations


def first_policy(apps, schema_editor):
    apps.get_model("library", "Policy").objects.get_or_create(pk=1, defaults={"days": 28})


class Migration(migrations.Migration):
    dependencies = [("library", "0007_policy")]
    operations = [migrations.RunPython(first_policy, migrations.RunPython.noop)]
""",
)
laptop.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# Then every open loan gets the days of the policy. You migrate, and it works.

# %% tags=["setup"]
laptop.write(
    FILE,
    f"""from datetime import timedelta

from django.db import migrations


def longer_loans(apps, schema_editor):
    Policy = apps.get_model("library", "Policy")
    Loan = apps.get_model("lending", "Loan")
    for loan in Loan.objects.filter(returned_on=None):
        loan.due_on = loan.lent_on + timedelta(days=Policy.objects.get().days)
        loan.save(update_fields=["due_on"])


class Migration(migrations.Migration):
    dependencies = [{NEEDS}]
    operations = [migrations.RunPython(longer_loans, migrations.RunPython.noop)]
""",
)
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Policy' && git push --quiet")
production.run("git pull --quiet --no-rebase")
before = production.rows(OPEN)

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# The line `Applying …` names the migration that stops:

# %%
production.run("python manage.py migrate", fails=NO_MODEL)

# %% [markdown]
# The app and its model are in your code, and the plan has its migration. But it comes later:

# %%
plan = production.run("python manage.py migrate --plan | grep '^l'")

# %% [markdown]
# It says `No installed app with label`? Then nothing of that app comes first. That depends on the
# command, too. This file reads `auth`, and does not say so. All apps together pass, because `admin`
# and `auth` come before `lending` in the alphabet. One app alone stops:

# %%
label = laptop.clone("label")
label.replace(FILE, '"library", "Policy"', '"auth", "Group"')
label.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
label.run(
    f"{EMPTY} && python manage.py migrate lending --verbosity 0",
    fails="LookupError: No installed app with label 'auth'.",
)

# %% [markdown]
# - **You typed the label into a command, and no `LookupError` stands before it**: read
#   [makemigrations says “No changes detected”](../mismatch/no-changes-detected.md).
# - **You need this one database to go on, now**: migrate the other app first. The next database stops
#   again.

# %%
tonight = production.clone("tonight")
tonight.run("python manage.py migrate library --verbosity 0")
tonight.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# **Is it applied elsewhere?** Then edit it all the same: the function does not change, and where it
# ran it does not run again.
#
# ## Fix it
#
# On the database that stopped nothing has to be repaired. Make a copy.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Name the migration that you need. **That is the last one whose fields or rows the function reads, not
# the first that has the model. Every database that has applied this file must have applied it, too.**
# Else it stops with [InconsistentMigrationHistory](../mismatch/history-out-of-order.md).

# %% tags=["fix"]
laptop.replace(FILE, NEEDS, f'{NEEDS}, ("library", "0008_first_policy")')

# %% [markdown]
# Try it on a new database, with this app alone: no other order helps it there.

# %%
new = laptop.clone("new")
new.run(f"{EMPTY} && python manage.py migrate lending --verbosity 0")
new.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# `CircularDependencyError`? Then the other app needs this one: read
# [Two apps depend on each other in a circle](../conflicts/dependency-cycle.md). Ship it.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Needs library' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Every open loan has four weeks.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(OPEN)

# %% [markdown]
# ## Undo it
#
# The edit: `git revert`. The rows: put the copy back, while nothing uses the database. What was
# written since is lost.

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
# **Do not import the model instead.** The class is there, and its table is not. (That import
# [stops new databases](historical-models.md) later, too.)

# %%
imported = undone.clone("imported")
imported.replace(FILE, '    Policy = apps.get_model("library", "Policy")\n', "")
imported.replace(FILE, "\n\n\ndef", "\nfrom library.models import Policy\n\n\ndef")
NO_TABLE = on(
    SQLite="no such table: library_policy", PostgreSQL='relation "library_policy" does not exist'
)
imported.run("python manage.py migrate --verbosity 0", fails=NO_TABLE)

# %% [markdown]
# **Do not name the first migration that has the model**, if you read its rows. The error goes, and the
# row is not there yet:

# %%
first = undone.clone("first")
first.replace(FILE, NEEDS, f'{NEEDS}, ("library", "0007_policy")')
first.run("python manage.py migrate --verbosity 0", fails="Policy matching query does not exist.")

# %% [markdown]
# ## Why it happens
#
# `apps` in a migration holds what the history has at this point: the migrations that are applied, and
# those that this `migrate` has run. `dependencies` are all that Django knows of the order. Between
# apps that do not name each other, it takes the alphabet. On your laptop `library` was done the day
# before. [The chain](../../guide/the-chain.md) is whole: nothing compares what a function
# reads with what it names.
#
# ## Keep it from happening
#
# Write the line when you write `get_model`.
#
# **In review, ask:** is every app of a `get_model` in `dependencies`, with its latest migration?
#
# **In CI:** `python manage.py migrate lending`, on an empty database, for each app; without the name it can pass.
#
# ## Run it yourself
#
# In production's setup, run `python manage.py migrate library` after the pull. It is your laptop's
# order, so `migrate` does not stop, and the playbook does.

# %% tags=["check"]
assert [due for *_, due in after] == ["2024-04-09", "2024-04-15", "2024-04-17"], "four weeks"
assert [row[:2] for row in after] == [row[:2] for row in before], "of the same loans"
assert plan.index("lending.0008") < plan.index("library.0007"), "it comes too early"
assert undone.rows(OPEN) == before, "the copy is as before"
undone.run("python manage.py migrate --verbosity 0", fails=NO_MODEL)
for place in (tonight, new, laptop):
    place.run("python manage.py migrate --check")
    assert place.chain().whole, f"{place.name} is whole"
for place in (tonight, laptop):
    assert place.rows(OPEN) == after, f"{place.name} has the same dates"
