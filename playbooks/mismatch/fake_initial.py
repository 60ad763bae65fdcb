# ---
# title: Your database had tables before it had migrations
# symptoms:
#   - table "branch" already exists
#   - "no such column: branch.phone"
# cause: >-
#   The first migration of an app meets a table that another program made. --fake-initial compares
#   names of tables and nothing more, and records it as applied. Nothing is lost.
# broken: [history-schema]
# data: untouched
# undo: migrate the app to zero with --fake, and put back the copy that you make first
# safe_in: "production: once table and migration are compared"
# applied: no matter where
# databases: [SQLite]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop")
production = Sandbox("production")
PHONE = '    phone = models.CharField(max_length=30, blank=True, default="")\n'
LOOK = (
    'python manage.py shell --verbosity 0 -c "from branches.models import Branch; '
    'print(Branch.objects.values_list())"'
)

# %% [markdown]
# The libraries of the county are kept by an older program, in a table on production.

# %% tags=["setup"]
production.rows(
    "create table branch (id integer not null primary key autoincrement, "
    "name varchar(100) not null, city varchar(100) not null)"
)
production.rows("insert into branch (name, city) values ('Old Town', 'Leeds'), ('Quay', 'Hull')")
branches = production.rows("select id, name, city from branch order by id")

# %% [markdown]
# You write an app for that table. Its model has one field more. On your laptop `migrate` makes the
# table, and all is well there.

# %% tags=["setup"]
laptop.run("python manage.py startapp branches")
laptop.write(
    "branches/models.py",
    "from django.db import models\n\n\n"
    "class Branch(models.Model):\n"
    "    name = models.CharField(max_length=100)\n"
    "    city = models.CharField(max_length=100)\n"
    f"{PHONE}\n"
    '    class Meta:\n        db_table = "branch"\n',
)
laptop.replace("config/settings.py", '    "lending",\n', '    "lending",\n    "branches",\n')
laptop.run("python manage.py makemigrations branches")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Branches' && git push --quiet")

# %% [markdown]
# You deploy.

# %% tags=["setup"]
production.run("git pull --quiet --no-rebase")
careless = production.clone("careless")
early = production.clone("early")
dropped = production.clone("dropped")

# %% tags=["before"]
production.chain("branches")

# %% [markdown]
# ## Is this your case?
#
# `migrate` stops at the *first* migration of an app, and the table is older than the file:

# %%
production.run("python manage.py migrate", fails='table "branch" already exists')

# %% [markdown]
# The usual advice is `--fake-initial`. It is right if the table is what the migration would make.
# Django does not look; you must. Describe the table on a database that ran the migration:

# %%
laptop.run("python manage.py inspectdb branch > ../wanted.py")

# %% [markdown]
# Describe the table that exists, and compare:

# %%
production.run("python manage.py inspectdb branch > ../there.py")
differs = production.run("git diff --no-index ../wanted.py ../there.py", fails="phone")

# %% [markdown]
# - **No difference:** leave out the command with `alter table` below. The rest is for you.
#   (`inspectdb` shows no indexes. [This script](schema-changed-by-hand.md#is-this-your-case) does.)
# - **You typed `--fake-initial` already, and get `no such column`:** the first two commands below
#   are your fix. The row in the history is there.
# - **A type or a length differs, or `0001` is applied nowhere yet:** go to
#   [Let the file follow the table](#let-the-file-follow-the-table). If `0001` is applied elsewhere,
#   alter the column with SQL until nothing differs.
# - **The migration is not the first one of its app**, or it ran here once:
#   read [The table already exists](table-already-exists.md). `--fake-initial` is for
#   [initial migrations](https://docs.djangoproject.com/en/5.2/ref/django-admin/#cmdoption-migrate-fake-initial)
#   only.
#
# ## Fix it
#
# Copy the database first.

# %% tags=["fix"]
production.run("cp db.sqlite3 ../before.sqlite3")

# %% [markdown]
# Add what the table lacks, so that it becomes what `0001` says. No file changes, so it makes no
# difference who else has applied `0001`. `sqlmigrate branches 0001` shows the type.

# %% tags=["fix"]
production.rows("alter table branch add column phone varchar(30) not null default ''")

# %% [markdown]
# **Compare once more before the next line: it records whatever it finds under that name.**

# %%
production.run("python manage.py inspectdb branch > ../there.py")
production.run("git diff --no-index ../wanted.py ../there.py")

# %% [markdown]
# Now it is true that the table exists. It must say `FAKED`.

# %% tags=["fix"]
faked = production.run("python manage.py migrate branches --fake-initial")

# %% [markdown]
# ### Let the file follow the table
#
# As long as **no database has applied `0001`**, there is a way without SQL: `0001` says what exists,
# and a second migration adds the rest. (If your laptop alone has applied it,
# [take it back there](../reset/undo-unpushed.md) first.) Take the field out of the model, and write
# `0001` anew.

# %%
early.replace("branches/models.py", PHONE, "")
early.run("rm branches/migrations/0001_initial.py && python manage.py makemigrations branches")

# %% [markdown]
# Put the field back. This migration is not an initial one, so it runs.

# %%
early.replace("branches/models.py", "\n\n    class", f"\n{PHONE}\n    class")
early.run("python manage.py makemigrations branches --name branch_phone --verbosity 0")
early.run("python manage.py migrate --fake-initial")

# %% [markdown]
# ## Make sure
#
# History and schema agree, and the old rows can be read.

# %% tags=["after"]
production.chain("branches")

# %%
production.run(LOOK)
now = production.rows("select id, name, city from branch order by id")

# %% [markdown]
# ## Undo it
#
# Take the row out of the history. **This line needs `--fake`: without it, Django drops the table
# and its rows.** Then put the copy back, if the added column must go as well.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate branches zero --fake")
unrecorded = undone.clone("unrecorded")
undone.run("cp ../before.sqlite3 db.sqlite3")

# %% [markdown]
# ## What not to do
#
# **Do not type `--fake-initial` unseen.** It finds a table of that name and is content:

# %%
careless.run("python manage.py migrate --fake-initial")
careless.run("python manage.py migrate --check")
careless.run(LOOK, fails="no such column: branch.phone")

# %%
careless.chain("branches")

# %% [markdown]
# **Do not migrate back to mend that.** Without `--fake`, `zero` deletes a table that Django did not
# make, with all its rows, and does not ask:

# %%
zero = careless.clone("zero")
zero.run("python manage.py migrate branches zero")
zero.run("python manage.py migrate --verbosity 0")
lost = zero.rows("select count(*) from branch")

# %% [markdown]
# **Do not drop the table** so that `migrate` can make it. It does, and the table is empty:

# %%
dropped.rows("drop table branch")
dropped.run("python manage.py migrate branches")
empty = dropped.rows("select count(*) from branch")

# %% [markdown]
# ## Why it happens
#
# The history of the app is empty, so Django wants to run `0001`. With `--fake-initial` it looks for
# the table of each `CreateModel`, and for the column of each `AddField`, by name. If all are there,
# it writes the row and runs nothing. It compares no columns of a table, no types, no indexes. On
# [the chain](../../guide/the-chain.md) the link between history and schema is then as good as your
# own comparison. If one table of several is missing, Django fakes nothing, and stops at the first
# that exists.
#
# ## Keep it from happening
#
# Write the models of an old database from production itself: with `inspectdb`, without the line
# `managed = False`. Rehearse on a copy of production. CI builds new databases and cannot see this;
# on the copy, this line fails when a column differs:
#
# ```bash
# git diff --no-index ../wanted.py ../there.py
# ```
#
# ## Run it yourself
#
# In the first cell of the setup, write `varchar(50)` for the name. The second comparison in the fix
# then stops the playbook: the table still is not what `0001` says.

# %% tags=["check"]
assert now == branches, "the fix changes no row"
assert "-    phone = " in differs, "the comparison names the column"
assert "branches.0001_initial... FAKED" in faked, "nothing ran"
assert production.chain().whole, "all apps are whole, not this one alone"
assert early.chain().whole, "it works with a second migration too"
assert not early.chain().pending, "which ran"
assert early.rows("select id, name, city from branch order by id") == branches, "on the same rows"
assert "table branch exists" in undone.chain("branches"), "undone is as before"
assert unrecorded.rows("select id, name, city from branch order by id") == branches, "rows stay"
assert lost == [(0,)], "migrating back to zero dropped the rows"
assert empty == [(0,)], "and so did dropping the table"

# %% tags=["check"]
# Faked already: the column is all that is missing.
careless.rows("alter table branch add column phone varchar(30) not null default ''")
assert careless.chain().whole, "the same statement mends it"
assert "FAKED" not in laptop.run("python manage.py migrate --fake-initial"), "nothing to fake here"

# %% tags=["check"]
# One table of several is missing: nothing is faked.
several = Sandbox("several")
several.rows("delete from django_migrations where app in ('library', 'lending')")
several.rows("drop table lending_loan")
out = several.run("python manage.py migrate lending 0001 --fake-initial", fails="already exists")
assert "lending.0001_initial... FAKED" not in out, "one of its two tables was there"
