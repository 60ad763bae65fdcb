# ---
# title: A library's migrations appear in your project
# symptoms:
#   - >-
#     NodeNotFoundError: Migration lending.0008_loan_message dependencies reference nonexistent parent
#     node ('postbox', '0002_loan_message')
#   - "~ Alter field id on message"
# cause: >-
#   A library does not say which type its primary keys have, and your settings name another type
#   than its migrations. makemigrations wrote a file into your copy of the library. No data is lost
#   yet.
# broken: [files-history]
# data: "untouched: if you edit your migration before you migrate back"
# undo: put back the copy of the database and the file that you moved away
# safe_in: production
# applied: "no matter where: where the library's extra migration was applied, it is taken back"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
LOANS = "select id, message_id from lending_loan order by id"
RETURNED = "    returned_on = models.DateField(null=True, blank=True)\n"
MESSAGE = "    message = models.ForeignKey('postbox.Message', models.SET_NULL, null=True)\n"
APPS = (
    "from django.apps import AppConfig\n\n\nclass PostboxConfig(AppConfig):\n    name = 'postbox'\n"
)
MODELS = """from django.db import models


class Message(models.Model):
    text = models.CharField(max_length=100)
"""
INITIAL = """from django.db import migrations, models

ID = models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
TEXT = models.CharField(max_length=100)


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.CreateModel("Message", [("id", ID), ("text", TEXT)])]
"""
RELEASE = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("postbox", "0001_initial")]
    operations = [migrations.AddField("message", "read", models.BooleanField(default=False))]
"""

# %% [markdown]
# The library `postbox` is installed. On this page the folder `site-packages` stands for the one of
# your virtual environment: Git ignores it, and each machine has its own.

# %% tags=["setup"]
laptop.write("site-packages/postbox/apps.py", APPS)
laptop.write("site-packages/postbox/models.py", MODELS)
laptop.write("site-packages/postbox/migrations/__init__.py", "")
laptop.write("site-packages/postbox/migrations/0001_initial.py", INITIAL)
laptop.write("config/__init__.py", 'import sys\n\nsys.path.append("site-packages")\n')
laptop.replace(".gitignore", "db.sqlite3\n", "db.sqlite3\nsite-packages/\n")
laptop.replace("config/settings.py", '    "lending",\n', '    "lending",\n    "postbox",\n')
laptop.run("git add . && git commit --quiet --message 'Install postbox' && git push --quiet")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("insert into postbox_message (text) values ('Your book is due')")
production = laptop.clone("production")
ported = laptop.clone("ported")
fresh = laptop.clone("fresh")

# %% [markdown]
# You let a loan point to a message. You name your app to `makemigrations`, and commit all that Git
# shows you.

# %% tags=["setup"]
laptop.replace("lending/models.py", RETURNED, RETURNED + MESSAGE)
written = laptop.run("python manage.py makemigrations lending --name loan_message")
laptop.run("git status --short")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("update lending_loan set message_id = 1 where id <= 2")
loans = laptop.rows(LOANS)
laptop.run("git add . && git commit --quiet --message 'Message of a loan' && git push --quiet")
production.run("git pull --quiet --no-rebase")
careless = laptop.clone("careless")
rebuilt = laptop.clone("rebuilt")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# On every machine but yours, all commands stop. The parent that they miss belongs to a library:

# %%
production.run("python manage.py migrate", fails="NodeNotFoundError: Migration lending.0008")

# %% [markdown]
# Your machine finds nothing to write, because the file is there, beside those of the library:

# %%
laptop.run("python manage.py makemigrations --check --noinput")

# %% [markdown]
# The library's first migration and your settings name different types for a primary key:

# %%
laptop.run(
    "cat site-packages/postbox/migrations/0001_initial.py config/settings.py | grep AutoField"
)

# %% [markdown]
# - **No migration of yours names the file**: nothing stops yet. Leave out the edit in step 1.
# - **Nothing is written yet**, and `makemigrations --check` prints `Alter field id`: step 3 alone.
# - **It is not the `id` that changes**: the library was released without a migration. Tell its
#   authors; that is step 3. Do step 2 if the file only alters options; if it adds a field, keep the
#   file until the library releases one.
# - **The file is gone, its row is there**, because you made the virtual environment anew: after step
#   1 write it again, `python manage.py makemigrations postbox --name loan_message`.
# - **The parent is a file of your own app**: read
#   [A migration names a parent that is gone](../conflicts/missing-parent.md).
#
# ## Fix it
#
# You are at another machine, without the file? Do steps 1 and 3 there and ship them. No server without
# the file needs more. On the machine that has the file, copy the database first.

# %% tags=["fix"]
laptop.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# 1\. In your migration, name the last migration that the library itself has released: the last file
# in the library's folder on the server. **Edit your migration before you migrate back, or its column
# is dropped.**

# %% tags=["fix"]
laptop.replace("lending/migrations/0008_loan_message.py", "0002_loan_message", "0001_initial")

# %% [markdown]
# 2\. See what it takes to migrate the library back. **The plan must name `postbox` alone, and nothing
# of your own apps. Else stop.**

# %% tags=["fix"]
plan = laptop.run("python manage.py migrate postbox 0001_initial --plan")

# %% [markdown]
# Take back what Django wrote for the library, and move the file away.

# %% tags=["fix"]
laptop.run(
    "python manage.py migrate postbox 0001_initial --verbosity 0"
    " && mv site-packages/postbox/migrations/0002_loan_message.py ../0002_loan_message.py"
)

# %% [markdown]
# 3\. Tell Django which type the library's keys have, in a class of your own.

# %% tags=["fix"]
laptop.write(
    "config/apps.py",
    "from postbox.apps import PostboxConfig\n\n\nclass Postbox(PostboxConfig):\n"
    '    default_auto_field = "django.db.models.AutoField"\n',
)
laptop.replace("config/settings.py", '"postbox"', '"config.apps.Postbox"')

# %% [markdown]
# Ship it. Production can apply your migration now. **Every other machine that has the file: copy the
# database, pull first, then step 2.**

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Pin the key of postbox' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Production is whole, nothing more is to be written, and the loans still point to their messages.

# %% tags=["after"]
production.chain()

# %%
production.run("python manage.py makemigrations --check --noinput")
now = laptop.rows(LOANS)

# %% [markdown]
# PostgreSQL has made the loan's column an `integer` again. On SQLite its type is still called
# `bigint` on your machine: [both are integers there](https://www.sqlite.org/datatype3.html).
#
# ## Undo it
#
# Put the copy and the file back, and revert the commit. If you push that, production stops again.

# %%
undone = laptop.clone("undone")
BACK = on(
    SQLite="cp ../before.sqlite3 db.sqlite3",
    PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
)
undone.run(f"{BACK} && git revert --no-commit HEAD")
undone.run("cp ../0002_loan_message.py site-packages/postbox/migrations/0002_loan_message.py")

# %% [markdown]
# ## What not to do
#
# **Do not migrate back first.** Your own migration depends on that of the library, so Django takes
# yours back too, and its column is dropped:

# %%
careless.run(
    "python manage.py migrate postbox 0001_initial | grep Unapplying"
    " && python manage.py migrate --verbosity 0"
)
lost = careless.rows(LOANS)

# %% [markdown]
# **Do not point `MIGRATION_MODULES` at a folder of your own** to get the files into Git. It looks
# right, since `0001_initial` is recorded:

# %%
own = 'MIGRATION_MODULES = {"postbox": "config.postbox_migrations"}\n'
ported.replace("config/settings.py", "DEFAULT_AUTO", f"{own}DEFAULT_AUTO")
ported.run("python manage.py makemigrations postbox && python manage.py migrate --verbosity 0")

# %% [markdown]
# But from now on the library's own migrations never reach you. Its next release has a new column:

# %%
read = "read = models.BooleanField(default=False)\n    "
ported.replace("site-packages/postbox/models.py", "text =", f"{read}text =")
ported.write("site-packages/postbox/migrations/0002_message_read.py", RELEASE)
never = ported.run("python manage.py migrate | grep migrations")
ported.run(
    'python manage.py shell --verbosity 0 -c "from postbox.models import Message; Message.objects.get()"',
    fails=on(
        SQLite="no such column: postbox_message.read",
        PostgreSQL="column postbox_message.read does not exist",
    ),
)

# %% [markdown]
# ## Why it happens
#
# A model without a primary key gets one of the type in `default_auto_field` of its app, or else in
# [`DEFAULT_AUTO_FIELD`](https://docs.djangoproject.com/en/5.2/ref/settings/#default-auto-field) of
# your settings. The library was written with another. So its models and its files differ in your
# project, and `makemigrations` mends that where the app's migrations are. A label does not prevent
# it: your migration depends on the library's model, and Django writes what it depends on as well.
# Your commit lacks the file. On [the chain](../../guide/the-chain.md)
# files and history come apart on all other machines.
#
# ## Keep it from happening
#
# Read every path that `makemigrations` prints. Each belongs to your project. In CI, where libraries
# are installed afresh, this line fails on a library with another key and on a parent that is not
# there. It finds nothing where the file is:
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Leave out step 1. Step 2 then takes back your own migration as well, and production still stops.

# %% tags=["check"]
assert "site-packages/postbox/migrations/0002_loan_message.py" in written, "a label is no fence"
assert "postbox.0002_loan_message" in plan, "the plan tells what is taken back"
assert "lending" not in plan, "and your own migration stays applied"
assert now == loans, "every loan still points to its message"
word = "column lending_loan.message_id is bigint: the recorded migrations make it integer"
assert laptop.chain("lending").findings == on(SQLite=[word], PostgreSQL=[]), "one word, on SQLite"
assert {message for _, message in lost} == {None}, "the wrong order loses them"
assert "No migrations to apply" in never, "the release of the library does not arrive"
assert undone.rows(LOANS) == loans
assert undone.chain().whole, "the copy and the file belong together"
assert len(production.rows("select * from postbox_message")) == 1, "production kept its message"

# %% tags=["check"]
# The line for CI, before you write a migration; and the file that is lost.
fresh.run("python manage.py makemigrations --check --noinput", fails="~ Alter field id on message")
rebuilt.run("rm site-packages/postbox/migrations/0002_loan_message.py")
rebuilt.replace("lending/migrations/0008_loan_message.py", "0002_loan_message", "0001_initial")
rebuilt.run("python manage.py makemigrations postbox --name loan_message")
rebuilt.run("python manage.py migrate postbox 0001_initial")
assert rebuilt.rows(LOANS) == loans, "and go on with step 3"
