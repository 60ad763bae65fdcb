# ---
# title: A data migration wrote into the wrong database
# symptoms:
#   - "UNIQUE constraint failed: lending_reader.email"
#   - duplicate key value violates unique constraint "lending_reader_email_ebe5090f_uniq"
# cause: >-
#   In a migration, Book.objects means the default database, whichever one is migrated. Its rows were
#   changed once for each database, and those of the second never. Only a unique column stops it.
# broken: []
# data: "may be lost: a number typed since then, if it is the doubled one by chance"
# undo: put back the copies of both databases that you make first
# safe_in: "production: while nothing writes to the two databases"
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
KEYS = 'DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"\n'
NAME = on(
    SQLite='BASE_DIR / "{0}.sqlite3"', PostgreSQL='DATABASES["default"]["NAME"] + "_{0}"'
).format
COPY = on(
    SQLite="cp db.sqlite3 {0}.sqlite3", PostgreSQL="createdb --template library library_{0}"
).format
COPIES = "select id, title, copies from library_book order by id"
LOANS = "select id, book_id, reader_id from lending_loan order by id"
ARCHIVE = "python manage.py shell --verbosity 0 -c \"[print(book.pk, book, book.copies) for book in Book.objects.using('archive').order_by('pk')]\""
UNNAMED = "git grep -n '\\.objects' -- '*/migrations/*.py' | grep -v using"
FILE = "library/migrations/0007_one_copy_more.py"

# %% [markdown]
# Your project has two databases, `default` and `archive`, with the same books.

# %% tags=["setup"]
laptop.replace("config/settings.py", KEYS, f'DATABASES["archive"] = dict(DATABASES["default"], NAME={NAME("archive")})\n{KEYS}')  # fmt: skip
production.run(COPY("archive"))
before = production.rows(COPIES)
staging = production.clone("staging")

# %% [markdown]
# The library buys one more copy of each book. A migration counts them:

# %% tags=["setup"]
unique = laptop.clone("unique")
laptop.write(FILE, """from django.db import migrations
from django.db.models import F


def more(apps, schema_editor):
    Book = apps.get_model("library", "Book")
    Book.objects.update(copies=F("copies") + 1)


def less(apps, schema_editor):
    Book = apps.get_model("library", "Book")
    Book.objects.update(copies=F("copies") - 1)


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(more, less)]
""")  # fmt: skip
laptop.run("git add . && git commit --quiet --message 'One copy more' && git push --quiet")

# %% [markdown]
# The deploy makes a copy of the default database, and migrates both. Later the staff count `Emma`, and
# type 9. They also get a new book.

# %% tags=["setup"]
production.run(COPY("before"))
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
production.run("python manage.py migrate --verbosity 0 --database archive")
production.rows("update library_book set copies = 9 where title = 'Emma'")
production.rows("insert into library_book (title, author_id, isbn, copies) select 'Persuasion', id, '', 1 from library_author where name = 'Jane Austen'")  # fmt: skip
loans = production.rows(LOANS)

# %% tags=["before"]
doubled = production.rows(COPIES)
production.chain()

# %% [markdown]
# ## Is this your case?
#
# Every command was content. `Dracula` had 4 copies, and has 6. In `archive` it still has 4:

# %%
missed = production.run(ARCHIVE)

# %% [markdown]
# Look for migrations that name no database:

# %%
found = production.run(UNNAMED)

# %% [markdown]
# A migration that adds a row with a unique value stops on the second database, since the row is in
# `default` already:

# %%
unique.run(COPY("archive"))
DESK = "lending/migrations/0008_desk.py"
unique.write(DESK, """from django.db import migrations


def add(apps, schema_editor):
    Reader = apps.get_model("lending", "Reader")
    Reader.objects.create(name="Desk", email="desk@example.org")


class Migration(migrations.Migration):
    dependencies = [("lending", "0007_unique_reader_email")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
""")  # fmt: skip
unique.run("python manage.py migrate --verbosity 0")
unique.run("python manage.py migrate --verbosity 0 --database archive", fails=on(SQLite="UNIQUE constraint failed: lending_reader.email", PostgreSQL='duplicate key value violates unique constraint "lending_reader_email_ebe5090f_uniq"'))  # fmt: skip

# %% [markdown]
# Nothing is doubled then. Name the database, and migrate `archive` again:

# %%
unique.replace(DESK, "objects.", "objects.using(schema_editor.connection.alias).")
unique.run("python manage.py migrate --verbosity 0 --database archive")

# %% [markdown]
# - **`archive` has no table:** a router refused it. Read
#   [What each command does with two databases](../checks/several-databases.md).
# - **There is no copy from before:** look for a backup of that day. `default` alone does not tell a
#   number that somebody typed from a doubled one.
# - **The migration sets a value in place of adding one:** `default` is right. Skip the repair of
#   `default` below.
#
# ## Fix it
#
# Stop what writes, and copy both databases.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../wrong.sqlite3 && cp archive.sqlite3 ../archive.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../wrong.dump && pg_dump --format custom library_archive > ../archive.dump",
    )
)

# %% [markdown]
# Name the database in both functions, and push. A database that has not run it yet needs no more.

# %% tags=["fix"]
for sign in "+-":
    laptop.replace(FILE, f'objects.update(copies=F("copies") {sign} 1)', f'objects.using(schema_editor.connection.alias).update(copies=F("copies") {sign} 1)')  # fmt: skip

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Name the database' && git push --quiet")

# %% [markdown]
# Repair `default`. Only the copy of before tells which numbers are doubled: two more than then. The
# others somebody has typed since. The copy gets a name in settings of its own:

# %% tags=["fix"]
production.write("config/repair.py", f"""from config.settings import *

DATABASES["before"] = dict(DATABASES["default"], NAME={NAME("before")})
""")  # fmt: skip

# %% [markdown]
# A second run of this script finds nothing to change.

# %% tags=["fix"]
production.write("repair.py", """import os

import django
from django.db import transaction

os.environ["DJANGO_SETTINGS_MODULE"] = "config.repair"
django.setup()

from library.models import Book

before = dict(Book.objects.using("before").values_list("pk", "copies"))
with transaction.atomic():
    for book in Book.objects.select_for_update().order_by("pk"):
        if book.pk in before and book.copies == before[book.pk] + 2:
            book.copies -= 1
            book.save(update_fields=["copies"])
            print(f"{book}: {book.copies}")
        else:
            print(f"{book}: stays {book.copies}, was {before.get(book.pk, 'not there')}")
""")  # fmt: skip

# %% [markdown]
# **Read the lines with “stays”. Each must be one that somebody typed.**

# %% tags=["fix"]
repaired = production.run("python repair.py")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase")

# %% [markdown]
# In `archive` the migration is recorded and did nothing. Take its row back and run it. The plan must
# name it alone, since `--fake` [takes back all that it names](../mismatch/faked-too-much.md):

# %%
plan = production.run("python manage.py migrate library 0006 --plan --database archive")

# %% [markdown]
# **Go on only if `migrate library 0006 --plan --database archive` names this migration alone. Without
# `--fake`, it takes a copy from rows that got none. Without `--database`, it works on `default`.**

# %% tags=["fix"]
production.run("python manage.py migrate library 0006 --fake --verbosity 0 --database archive")

# %% tags=["fix"]
production.run("python manage.py migrate library --database archive")

# %% [markdown]
# ## Make sure
#
# Each database has one copy more of each old book. `Emma` keeps the 9, and `Persuasion` its 1:

# %% tags=["after"]
production.chain()

# %%
after = production.rows(COPIES)
archive = production.run(ARCHIVE)
production.run("python manage.py migrate --check && python manage.py migrate --check --database archive")  # fmt: skip
production.run(UNNAMED, fails="")

# %% [markdown]
# ## Undo it
#
# Put both copies back, while nothing uses the databases. What was written since is lost.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="cp ../wrong.sqlite3 db.sqlite3 && cp ../archive.sqlite3 archive.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../wrong.dump && dropdb --if-exists library_archive && createdb library_archive && pg_restore --dbname library_archive ../archive.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not take one from all.** The staff's 9 becomes 8, and the new book has no copy left:

# %%
careless = undone.clone("careless")
careless.rows("update library_book set copies = copies - 1")
taken = careless.rows(COPIES)

# %% [markdown]
# **Do not write a migration that repairs.** Staging has not run `0007` yet. It runs the mended file,
# then the repair, and has one too few of each:

# %%
staging.run("git pull --quiet --no-rebase")
staging.write("library/migrations/0008_one_copy_less.py", """from importlib import import_module

from django.db import migrations

counted = import_module("library.migrations.0007_one_copy_more")


class Migration(migrations.Migration):
    dependencies = [("library", "0007_one_copy_more")]
    operations = [migrations.RunPython(counted.less)]
""")  # fmt: skip
staging.run("python manage.py migrate --verbosity 0")
few = staging.rows(COPIES)

# %% [markdown]
# **Do not mend the file alone.** Both databases have recorded it, so no command runs it again:

# %%
careless.run("python manage.py migrate | grep 'No migrations'")

# %% [markdown]
# ## Why it happens
#
# `migrate --database archive` opens a connection and hands it to your function, inside
# `schema_editor`. A query that does not ask for it goes where each query of your project goes: to
# `default`, or where [the router](../../guide/several-databases.md) sends it. Each database has a
# history of its own, so both record the migration, and on
# [the chain](../../guide/the-chain.md) nothing is broken. Rows are not part of it.
#
# ## Keep it from happening
#
# Write `using(schema_editor.connection.alias)` in [each query of a migration](../../guide/several-databases.md),
# also while you have one database.
#
# **In review, ask:** on which database does each query of this migration run?
#
# **In CI:** `git grep -n '\.objects' -- '*/migrations/*.py' | grep -v using` prints nothing. It reads
# line by line, and misses a `save()`.
#
# ## Run it yourself
#
# Leave out the update that sets `Emma` to 9. The script repairs it like the others, to 6, and an assert
# fails that expects 9.

# %% tags=["check"]
number = {title: copies for _, title, copies in before}
right = {title: copies + 1 for title, copies in number.items()} | {"Emma": 9, "Persuasion": 1}
assert {title: copies for _, title, copies in after} == right, "one more, and what was typed stays"
assert {t: c for _, t, c in doubled if t not in ("Emma", "Persuasion")} == {
    t: c + 2 for t, c in number.items() if t != "Emma"
}, "each was counted twice"
lines = "".join(f"{pk} {title} {copies + 1}\n" for pk, title, copies in before)
assert archive == lines, "and the archive has one more of each"
assert missed == "".join("{} {} {}\n".format(*row) for row in before), "it had none"
assert production.rows(LOANS) == loans, "no loan is touched"
assert repaired.count("stays") == 2, "two were typed"
assert production.run("python repair.py").count("stays") == 7, "a second run changes nothing"
assert plan.count("library.") == 1, "it is the newest"
assert found.startswith(FILE), "git finds the queries"
assert [row[2] for row in taken if row[1] in ("Emma", "Persuasion")] == [8, 0], "taken from all"
assert few == before, "staging has what it had"
assert undone.rows(COPIES) == doubled, "undone is as before"
assert undone.run(ARCHIVE) == missed, "in both"
