# ---
# title: On MariaDB a failed migration leaves its first half
# symptoms:
#   - (1062, "Duplicate entry '9780141439587' for key 'library_book_isbn'")
#   - (1060, "Duplicate column name 'language'")
# cause: >-
#   MariaDB cannot take a schema change back. What the migration did before it failed stays, and no
#   row records it. Old data is lost only if that half removed or changed it.
# broken: [history-schema]
# data: "may be lost: what has been written since into what the half added"
# undo: load the dump that you make first
# safe_in: "production: once you know which half is there"
# applied: no matter where
# databases: [MariaDB]
# group: production
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop", "MariaDB")
production = laptop.clone("production")
MIGRATION = "library/migrations/0007_language_and_isbn.py"
CONSTRAINT = """\
        migrations.AddConstraint(
            model_name='book',
            constraint=models.UniqueConstraint(fields=('isbn',), name='library_book_isbn'),
        ),
"""
BOOKS = "select id, title, isbn, copies from library_book order by id"
EMMA = "insert into library_book (title, author_id, isbn, copies) values ('Emma, {}', 1, '9780141439587', 2)".format
REPAIR = "update library_book set isbn = '' where title = 'Emma, new copies'"

# %% [markdown]
# A migration adds a column, then makes the ISBN unique. On your laptop, with MariaDB too, it goes
# through.

# %% tags=["setup"]
LANGUAGE = "    language = models.CharField(max_length=20, null=True)\n"
laptop.replace("library/models.py", "    genres =", f"{LANGUAGE}    genres =")
UNIQUE = 'models.UniqueConstraint(fields=["isbn"], name="library_book_isbn")'
laptop.replace("library/models.py", 'title")]\n', f'title")]\n        constraints = [{UNIQUE}]\n')
laptop.run("python manage.py makemigrations library --name language_and_isbn")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Language, ISBN' && git push --quiet")

# %% [markdown]
# In production somebody has entered *Emma* twice.

# %% tags=["setup"]
staging = production.clone("staging")
production.rows(EMMA("new copies"))
books = production.rows(BOOKS)
production.run("mariadb-dump library django_migrations > ../history.sql")
production.run("git pull --quiet --no-rebase")
rehearsal = production.clone("rehearsal")

# %% tags=["setup"]
production.run("python manage.py migrate", fails="(1062,")
production.run("python manage.py migrate", fails="(1060,")
used = production.clone("used")
careless = production.clone("careless")
edited = production.clone("edited")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The first run stopped at your data: here `Duplicate entry`. Each further run stops earlier, at what
# the first one left: `Duplicate column name`. The chain names it: a column that no recorded migration
# adds.
#
# - **You are on PostgreSQL or SQLite**: there a half stays
#   [only with `atomic = False`](../mismatch/half-applied.md).
# - **It never failed here, and stops at what exists**: read
#   [migrate stops: the table already exists](../mismatch/table-already-exists.md).
# - **The file has a `RunPython`**: it is a transaction of its own. If it failed, its rows are as they
#   were. If a later operation failed, what it wrote stays.
# - **`Executing DDL statements while in a transaction …`**: a `RunPython` calls
#   `schema_editor.execute()`. What it wrote is taken back. Put that statement into a `RunSQL`.
#
# Which half is there? Go through the statements of the migration, and look for each.

# %%
production.run("python manage.py sqlmigrate library 0007")
table = production.rows("show create table library_book")[0][1]

# %% [markdown]
# The column is there, the constraint is not. Another database may have stopped elsewhere, or nowhere.
#
# ## Fix it
#
# Stop what writes to the database, and dump it.

# %% tags=["fix"]
production.run("mariadb-dump library > ../before.sql")

# %% [markdown]
# Find the rows that stopped the migration, and decide what they should say.

# %%
production.rows(
    "select id, title, isbn from library_book where isbn in "
    "(select isbn from library_book group by isbn having count(*) > 1) order by id"
)

# %% [markdown]
# **Put your own repair here, for the rows that stopped your migration.**

# %% tags=["fix"]
production.rows(REPAIR)

# %% [markdown]
# Take the half away, the last statement first.
# **First look in the schema which statements of `sqlmigrate library 0007` are done.**
# **Only if nothing has been written into the new column: what it holds is lost.**
# **Only if the half removed no column and changed no rows.** Else finish by hand, as below. What it
# removed is only in a backup.

# %% tags=["fix"]
production.rows("alter table library_book drop column language")

# %% [markdown]
# Now the whole migration can run, and it records itself.

# %% tags=["fix"]
production.run("python manage.py migrate")

# %% [markdown]
# **The half is in use?** Here somebody has filled in a language. Then keep it, run by hand what is
# missing, as `sqlmigrate` prints it, and record the migration. `--fake` is right only now that
# *every* statement is done.

# %%
used.rows("update library_book set language = 'en'")
used.rows(REPAIR)
used.rows("ALTER TABLE `library_book` ADD CONSTRAINT `library_book_isbn` UNIQUE (`isbn`)")
used.run("python manage.py migrate library 0007 --fake")

# %% [markdown]
# ## Make sure
#
# The schema is what the history says, and nothing is left to apply.

# %% tags=["after"]
production.chain()

# %%
now = production.rows(BOOKS)

# %% [markdown]
# ## Undo it
#
# Load the dump: you have the half again. What was written since is lost. A table that was made since
# stays.

# %%
undone = production.clone("undone")
undone.run("cat ../before.sql | mariadb library")
undone.run("python manage.py migrate", fails="(1060,")

# %% [markdown]
# ## What not to do
#
# **Do not load only the history from an older dump.** It has no row of this migration, as now. The
# half is in the schema:

# %%
careless.run("cat ../history.sql | mariadb library")
careless.run("python manage.py migrate --verbosity 0", fails="(1060,")

# %% [markdown]
# **Do not fake the rest.** Every check is green, and the other half never comes. A third *Emma* is
# accepted:

# %%
careless.run("python manage.py migrate --fake --verbosity 0")
careless.run("python manage.py migrate --check && python manage.py makemigrations --check")
careless.rows(EMMA("again"))

# %% [markdown]
# Only the chain shows it:

# %%
careless.chain("library")

# %% [markdown]
# **Do not take the done half out of the file**, here with `state_operations`. It does repair
# production:

# %%
edited.rows(REPAIR)
ONLY = "migrations.SeparateDatabaseAndState(state_operations=[migrations.AddField("
edited.replace(MIGRATION, "migrations.AddField(", ONLY)
edited.replace(MIGRATION, "null=True),\n        )", "null=True),\n        )])")
edited.run("git commit --quiet --all --message 'Only the rest' && git push --quiet")
edited.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# But the file is for everybody. Staging, where nothing had failed, says `OK` and lacks the column. So
# does each database that is made from now on.

# %%
staging.run("git pull --quiet --no-rebase && python manage.py migrate library")
USE = (
    'python manage.py shell -v 0 -c "from library.models import Book; print(Book.objects.first())"'
)
staging.run(USE, fails="Unknown column 'library_book.language'")

# %% [markdown]
# ## Why it happens
#
# On MariaDB a statement that changes the schema ends the transaction, and cannot be taken back. So
# Django opens none around a migration there, no matter what the file says. It writes the row in
# `django_migrations` after the last operation. The next run starts at the first operation, and meets
# its own work. On [the chain](../../guide/the-chain.md) the schema is a half step ahead of the history.
#
# ## Keep it from happening
#
# **One schema operation in each migration.** Then what went through is recorded. The exception is an
# operation of several statements, such as [a change of a key's type](mariadb-key-types.md). And run it
# on a copy of production first: CI has an empty database, in which no row is in the way. Here is the
# same change as two migrations, on a copy from before. It stops at the same row:

# %%
rehearsal.replace(MIGRATION, CONSTRAINT, "")
rehearsal.run("python manage.py makemigrations library --name isbn_once --verbosity 0")
rehearsal.run("python manage.py migrate", fails="(1062,")

# %% [markdown]
# `0007` is recorded. Repair the row, run it again, and nothing is to be taken away.

# %%
rehearsal.rows(REPAIR)
rehearsal.run("python manage.py migrate")

# %% [markdown]
# ## Run it yourself
#
# Take out the cell that drops the column. The next `migrate` stops with `Duplicate column name`
# again, although the rows are in order.

# %% tags=["check"]
assert ("`language`" in table, "book_isbn" in table) == (True, False), "one half is there"
assert now == [*books[:-1], (7, "Emma, new copies", "", 2)], "only the row you chose has changed"
undone.rows("create table since (id int)")
undone.run("cat ../before.sql | mariadb library")
found = "column library_book.language exists", "table since exists"
assert all(one in undone.chain() for one in found), "undone has the half, and what was made since"
assert used.chain().whole, "finishing by hand gives the same schema"
kept = used.rows("select count(*) from library_book where language = 'en'")
assert kept == [(7,)], "and keeps what was written"
assert "unique constraint on library_book (isbn) is missing" in careless.chain(), "faked, not made"
assert edited.chain().whole, "where the half was, the edited file works"
for app in ("lending", "library"):
    assert "column library_book.language is missing" in staging.chain(), "elsewhere it does not"
    staging.run(f"python manage.py migrate {app} zero --verbosity 0")
staging.run("python manage.py migrate --verbosity 0")
assert "column library_book.language is missing" in staging.chain(), "nor where all is made anew"
rehearsed = rehearsal.chain()
assert (rehearsed.whole, rehearsed.pending) == (True, ()), "one operation each: it goes on"
assert laptop.chain().whole, "where it went through, nothing is to be done"

# %% tags=["check"]
# What a RunPython leaves: nothing if it failed itself, all of it if a later operation failed.
CODE = """from django.db import migrations, models


def write(apps, schema_editor):
    apps.get_model("library", "Book").objects.update(copies=9)
    {}


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [
        migrations.AddField("book", "language", models.CharField(max_length=20, null=True)),
        migrations.RunPython(write), migrations.RunSQL("{}")]
""".format
place = Sandbox("python", "MariaDB")
DROP = "alter table library_book drop column {}".format
for line, sql, fails, nines in (
    ("raise ValueError('here')", "", "ValueError: here", 0),
    (f"schema_editor.execute('{DROP('isbn')}')", "", "Executing DDL statements while in", 0),
    ("pass", "no SQL", "(1064,", 6),
):
    place.write("library/migrations/0007_python.py", CODE(line, sql))
    place.run("python manage.py migrate", fails=fails)
    found = place.rows("select isbn from library_book where copies = 9")
    assert len(found) == nines, "a RunPython is a transaction of its own"
    place.rows(DROP("language"))  # fails if the column did not stay
place.write("library/migrations/0007_python.py", CODE("pass", DROP("isbn")))
place.run("python manage.py migrate --verbosity 0")
ADD = "insert into library_genre (name) values ('Essay')"
place.run(f'mariadb library -e "begin; {ADD}; create table shelf (id int); rollback"')
genre = place.rows("select name from library_genre where name = 'Essay'")
assert genre == [("Essay",)], "a change of the schema ends a transaction"
