# ---
# title: A renamed app has lost its rows
# symptoms:
#   - Migration lending.0001_initial is applied before its dependency catalog.0003_book_copies
# cause: >-
#   To Django an app is its label. A new label is a new app: migrate makes empty tables for it. Every
#   row is still in the old tables, which no code reads.
# broken: [files-history, history-schema]
# data: "copied: what was written since, into the old tables"
# undo: put back the copy of the database that you make first
# safe_in: "production: while nothing writes to the database"
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
WORDS = r"""import pathlib
import re
import sys

old, new = sys.argv[1:]
for file in pathlib.Path().rglob("*.py"):
    file.write_text(re.sub(rf"\b{old}\b", new, file.read_text()))
"""
RENAME = r"""import os
import sys

import django
from django.db import connection, transaction

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
old, new = sys.argv[1:3]
TABLES = "reader", "loan", "reader_favourites"
steps = [f"alter table {old}_{table} rename to {new}_{table}" for table in TABLES]
steps.append(f"update django_migrations set app = '{new}' where app = '{old}'")
steps.append(f"update django_content_type set app_label = '{new}' where app_label = '{old}'")
with transaction.atomic(), connection.cursor() as cursor:
    for number, step in enumerate(steps, start=1):
        cursor.execute(step)
"""
EMAIL = "    email = models.EmailField(unique=True)\n"
SHIP = "git add . && git commit --quiet --message '{}' && git push --quiet"
PULL = "git pull --quiet --no-rebase"
ROWS = "select r.id, r.name, (select count(*) from lending_loan where reader_id = r.id) as loans, (select count(*) from lending_reader_favourites where reader_id = r.id) as favourites from lending_reader r order by r.id"
NEW_ROWS = ROWS.replace("lending_", "loans_")
GRANTS = "select app_label, codename, group_id from auth_permission p join django_content_type t on t.id = content_type_id left join auth_group_permissions g on g.permission_id = p.id where codename = 'add_loan' order by t.id"

# %% [markdown]
# The app `lending` holds readers, their favourite books (a many-to-many field) and loans. Loans point
# to books of another app. On production the librarians may add loans.

# %% tags=["setup"]
FAVOURITES = '    favourites = models.ManyToManyField("library.Book")\n'
laptop.replace("lending/models.py", EMAIL, EMAIL + FAVOURITES)
laptop.run("python manage.py makemigrations lending --name favourites --verbosity 0")
laptop.run(SHIP.format("Favourites"))
production.run(f"{PULL} && python manage.py migrate --verbosity 0")
production.rows(
    "insert into lending_reader_favourites (reader_id, book_id) select id, id from lending_reader"
)
before, granted = production.rows(ROWS), production.rows(GRANTS)
early = production.clone("early")

# %% [markdown]
# The app is to be called `loans`. You rename its folder, and let a program replace the word in each
# file, as your editor would. Nothing complains, here or at the deploy. Then a reader signs up.

# %% tags=["setup"]
laptop.write("../words.py", WORDS)
laptop.run("git mv lending loans && python ../words.py lending loans")
laptop.run("python manage.py makemigrations --check")
ci = laptop.clone("ci")
laptop.run(SHIP.format("lending is loans"))
production.run(f"{PULL} && python manage.py migrate")
broken = production.chain().findings
copied = production.clone("copied")
production.rows("insert into loans_reader (name, email) values ('Eve', 'eve@example.org')")

# %% tags=["before"]
production.rows(NEW_ROWS)
production.chain()

# %% [markdown]
# ## Is this your case?
#
# The pages show what is new and nothing that is old, and every check is green:

# %%
production.run("python manage.py check && python manage.py makemigrations --check")
production.run("python manage.py migrate --check")

# %% [markdown]
# The rows are where they were. The librarians have their permission for the old label only:

# %%
production.rows(ROWS)
production.rows(GRANTS)

# %% [markdown]
# An app that others depend on stops the deploy, and nothing has happened yet. Do not record what is
# missing: [that error](../mismatch/history-out-of-order.md) has other causes. Start at the second step.

# %%
depended = early.clone("depended")
depended.run("git mv library catalog && python ../words.py library catalog")
depended.run(
    "python manage.py migrate",
    fails="Migration lending.0001_initial is applied before its dependency catalog.0003_book_copies",
)

# %% [markdown]
# If one model moved, read [Move a model to another app](move-model-between-apps.md).
#
# ## Fix it
#
# The folder may have its new name. The label must stay. Stop what writes, and copy the database.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Take the commit back, and rename the folder alone.

# %% tags=["fix"]
laptop.run("git revert --no-commit HEAD && git mv lending loans")

# %% [markdown]
# Now name the app and its label. Only settings and imports use the name of the folder. Migrations,
# foreign keys, permissions and tables use the label.

# %% tags=["fix"]
laptop.write(
    "loans/apps.py",
    """from django.apps import AppConfig


class LoansConfig(AppConfig):
    name = "loans"
    label = "lending"
""",
)

# %% tags=["fix"]
laptop.replace("config/settings.py", '    "lending"', '    "loans"')
laptop.replace("library/management/commands/seed.py", "from lending", "from loans")
laptop.run(SHIP.format("The folder is loans, the label is lending"))

# %% [markdown]
# Before you deploy that, look into each new table, and take over what was written since the rename.
# Here that is one reader, without loans. She gets a new key, so what points to her would need that.

# %% tags=["fix"]
production.rows("insert into lending_reader (name, email) select name, email from loans_reader")

# %% [markdown]
# Let the wrong release drop its tables. **What you did not take over is lost here.**

# %% tags=["fix"]
production.run("python manage.py migrate loans zero --verbosity 0")
stopped = production.clone("stopped")

# %% tags=["fix"]
production.run(f"{PULL} && python manage.py migrate")

# %% [markdown]
# Two content types of `loans` are left, with eight permissions. **Answer `yes` only if the list names
# the new label alone, and nothing but permissions depends on it.**

# %% tags=["fix"]
production.run("python manage.py remove_stale_contenttypes --include-stale-apps", answers=["yes"])

# %% [markdown]
# ### Or rename it all, in place of that
#
# Only with a stop, and where the new code has not migrated yet. With the new code, before `migrate`,
# each table, the history and the content types get the new label. Write your tables into `TABLES`.
# All five statements are one transaction:

# %%
early.run(f"{PULL} && git checkout --quiet HEAD~1")
early.write("rename_label.py", RENAME)
killed = early.clone("killed")
early.run("python rename_label.py lending loans")
early.run("python manage.py migrate")

# %% [markdown]
# The way back is the same, with the two names exchanged. And a stop in the middle? On a copy, the
# process is killed after the third statement. No table has a new name, and the line can be typed again:

# %%
EXECUTE = "        cursor.execute(step)\n"
KILL = f"{EXECUTE}        if number == int(sys.argv[3]):\n            os._exit(137)\n"
killed.replace("rename_label.py", EXECUTE, KILL)
killed.run("python rename_label.py lending loans 3", fails="")
left = killed.rows(ROWS)

# %% [markdown]
# ## Make sure
#
# Every reader has the loans and the favourites, Eve is there, and the librarians have their permission.

# %% tags=["after"]
production.chain()

# %%
after, grants = production.rows(ROWS), production.rows(GRANTS)

# %% [markdown]
# A new database gets the tables under the same names:

# %%
fresh = production.clone("fresh")
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
fresh.run(f"{NEW} && python manage.py migrate --verbosity 0 && python manage.py seed")

# %% [markdown]
# ## Undo it
#
# Check the release before out, and put the copy back, while nothing uses the database.

# %%
undone = production.clone("undone")
undone.run("git checkout --quiet HEAD~1")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# You can also stop after `migrate loans zero`: with the wrong release, `migrate` makes the empty
# tables again. The old ones are as they were.

# %%
stopped.run("python manage.py migrate --verbosity 0")
stopped.rows(ROWS)

# %% [markdown]
# ## What not to do
#
# **Do not copy the rows over.** It looks right. Nobody has a permission for the new label, and on
# PostgreSQL the [sequences](../production/sequences-after-copy.md) still stand at the start:

# %%
for table in ("reader", "loan", "reader_favourites"):
    copied.rows(f"insert into loans_{table} select * from lending_{table}")
copied.run(
    'python manage.py shell -v 0 -c "from loans.models import Reader; '
    "Reader.objects.create(name='Eve', email='eve@example.org')\"",
    fails=on(SQLite=None, PostgreSQL='unique constraint "loans_reader_pkey"'),
)

# %% [markdown]
# ## Why it happens
#
# Tables, rows of the history, content types and permissions are found by the label. Without an
# `AppConfig` the label is the name of the folder. Under a new one, `migrate` finds no history and
# starts at `0001`. Old rows of the history have no file, and Django skips them, so on
# [the chain](../../guide/the-chain.md) two links break without a word.
#
# ## Keep it from happening
#
# CI starts with an empty database, where both labels work. What it can see is the moved files:

# %%
ci.run("git add .")
ci.run(
    "git diff --cached --merge-base --no-renames --name-status --exit-code --diff-filter=MD "
    'origin/main -- "*/migrations/*.py"',
    fails="lending/migrations/0001_initial.py",
)

# %% [markdown]
# **In review, ask:** does `dependencies` in an old migration name another app than before?
# **In CI:** the line above, which [the CI page](../../guide/ci.md) has too, stops at every moved file.
#
# ## Run it yourself
#
# Leave `label = "lending"` out of `loans/apps.py`. The deploy then stops: the migrations of the app
# depend on a `lending` that is nowhere.

# %% tags=["check"]
assert [*before, (4, "Eve", 0, 0)] == after, "no reader, loan or favourite is lost"
assert granted == grants == [("lending", "add_loan", 1)], "and no permission"
assert "loans" not in str(production.rows("select app_label from django_content_type order by id"))
assert (fresh.rows(ROWS)[0][:3], fresh.chain().whole) == (before[0][:3], True), "a new one is alike"
assert (undone.chain().findings, undone.rows(ROWS)) == (broken, before), "undone is as before"
assert (stopped.chain().findings, stopped.rows(ROWS)) == (broken, after), "and so is a stop"
assert copied.rows(NEW_ROWS)[:3] == before, "every row is copied"
assert copied.rows(GRANTS)[1] == ("loans", "add_loan", None), "and no permission"

# %% tags=["check"]
# All renamed: whole, with the same rows; and the way back.
assert early.chain().whole, "all renamed is whole"
assert early.rows(NEW_ROWS) == before, "with every row"
assert early.rows(GRANTS) == [("loans", "add_loan", 1)], "and the permission"
early.run("python rename_label.py loans lending")
early.run("git checkout --quiet HEAD~1 && python manage.py migrate --check")
assert (early.chain().whole, early.rows(ROWS)) == (True, before), "and back again"

# %% tags=["check"]
# Killed or failed after each of the five: all is as it was, and the next try goes through.
OTHERS = "union all select app, name, 0, 0 from django_migrations union all select app_label, model, 0, 0 from django_content_type order by 1, 2"
STATE = ROWS.replace("select r.id,", "select 'reader',", 1).replace("order by r.id", OTHERS)
failed = killed.clone("failed")
failed.replace("rename_label.py", "os._exit(137)", "cursor.execute('select no_such_column')")
as_it_was = killed.rows(STATE)
assert left == before, "the kill leaves every row, under the old names"
for place, words in {killed: "", failed: "no_such_column"}.items():
    for number in (1, 2, 3, 4, 5):
        place.run(f"python rename_label.py lending loans {number}", fails=words)
        assert place.rows(STATE) == as_it_was, f"{place.name} after statement {number}"
    place.run("python rename_label.py lending loans 0 && python manage.py migrate --check")
    assert (place.chain().whole, place.rows(NEW_ROWS)) == (True, before), "the next try"
