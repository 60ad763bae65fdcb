# ---
# title: Somebody changed the production schema with SQL
# symptoms:
#   - "duplicate column name: phone"
#   - column "phone" of relation "lending_reader" already exists
# cause: >-
#   A column or an index was made by hand, in one database and in no migration file. A migration
#   that makes the same stops there. Nothing is lost.
# broken: [history-schema]
# data: "untouched: but what was made by hand may be lost if a migration runs over it"
# undo: put back the copy of the database that you make first
# safe_in: "production: once the two schemas are compared"
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = laptop.clone("production")
EXISTS = on(
    SQLite="duplicate column name: phone",
    PostgreSQL='column "phone" of relation "lending_reader" already exists',
)
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
READERS = "select id, name, email, phone from lending_reader order by id"
PHONE = "lending/migrations/0008_reader_phone.py"
ADD_INDEX = """\
        migrations.AddIndex(
            model_name='loan',
            index=models.Index(fields=['returned_on'], name='loan_returned'),
        ),
"""
ADD_INDEX_IF_MISSING = """\
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'CREATE INDEX IF NOT EXISTS "loan_returned" ON "lending_loan" ("returned_on")',
                    'DROP INDEX IF EXISTS "loan_returned"',
                ),
            ],
            state_operations=[
                migrations.AddIndex('loan', models.Index(fields=['returned_on'], name='loan_returned')),
            ],
        ),
"""
LIST = "cat ../schema.py | python manage.py shell --verbosity 0"

# %% [markdown]
# Somebody needed a place for phone numbers at once, and made a slow page fast. No check fails.

# %% tags=["setup"]
production.rows("alter table lending_reader add column phone varchar(20)")
production.rows("update lending_reader set phone = '555-0101' where name = 'Ada'")
production.rows("create index loan_returned on lending_loan (returned_on)")
production.run("python manage.py migrate --check && python manage.py makemigrations --check")
readers = production.rows(READERS)

# %% [markdown]
# Later you write the migration for the phone number. It works everywhere else. You ship it, and the
# deploy stops.

# %% tags=["setup"]
email = "    email = models.EmailField(unique=True)\n"
phone = "    phone = models.CharField(max_length=20, null=True)\n"
laptop.replace("lending/models.py", email, email + phone)
laptop.run("python manage.py makemigrations lending --name reader_phone --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Phone' && git push --quiet")
production.run("git pull --quiet --no-rebase")
production.run("python manage.py migrate --verbosity 0", fails=EXISTS)
careless = production.clone("careless")
silent = production.clone("silent")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# `migrate` stopped at a **new** migration, which ran on every other database. **Do not run it again:**
# on SQLite, with a default in the field, it
# [does not stop, and resets the column](#what-not-to-do).
#
# - **It stopped at a migration that ran here long ago**: read
#   [migrate stops: the table already exists](table-already-exists.md).
# - **It failed here before, with another message**: read
#   [A migration stopped half-way](half-applied.md).
# - **Nothing stops, and you want to know**: measure, as follows.
#
# Where one thing was made by hand, there may be more, and other things on staging. This script lists
# a schema, with the indexes that `inspectdb` leaves out.

# %%
production.write(
    "../schema.py",
    """from django.db import connection

look = connection.introspection
with connection.cursor() as cursor:
    for table in sorted(look.table_names(cursor)):
        for about in sorted(look.get_table_description(cursor, table)):
            print(table, *about[:7])
        for name, about in sorted(look.get_constraints(cursor, table).items()):
            print(table, name, about["columns"], "unique" * about["unique"])
""",
)

# %% [markdown]
# Run it on production, and on a new database that all migrations have built. Make that one in
# another working copy. **It needs a database of its own: the first line deletes it.** Then compare.

# %%
new = production.clone("new")
new.run(EMPTY)
new.run(f"python manage.py migrate --verbosity 0 && {LIST} > ../new.txt")
production.run(f"{LIST} > ../production.txt")
difference = production.run(
    "git diff --no-index --unified=0 ../new.txt ../production.txt | grep '^[-+]'"
)

# %% [markdown]
# `phone` is in both lists, with the same type and the same `null`: what the new migration makes is
# there, whole. `loan_returned` is in production alone: no migration makes it.
#
# - **The column is in both, but differs**: do not fake. Alter it by hand until it is the same.
# - **Nobody needs what is in production alone**: copy, drop it there, and you are done.
# - **Something is in the new database alone**: its migration is pending here, or it was dropped by
#   hand. Then make it again there, with the statement that `sqlmigrate` prints for its migration.
#
# ## Fix it
#
# Copy the database.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Record the migration, on this database alone. Everywhere else it runs.
# **Fake only what the comparison shows to be the same.**
# **Look at `migrate --plan`: `--fake` also records every earlier one that is pending.**
#
# Apply earlier ones first. **Is one of them for the same table? On SQLite it may drop your column.**
# Then record nothing: keep the values (`create table kept as select id, phone from lending_reader`),
# drop the column, `migrate`, and fill it from `kept`.

# %% tags=["fix"]
production.run("python manage.py migrate lending 0008 --fake")

# %% [markdown]
# The index is to stay. On your laptop, write it into the model with the name that it has.

# %% tags=["fix"]
laptop.replace(
    "lending/models.py",
    "    class Meta:\n",
    '    class Meta:\n        indexes = [models.Index(fields=["returned_on"], name="loan_returned")]\n',
)
laptop.run("python manage.py makemigrations lending --name find_loans_out")

# %% [markdown]
# On production this would stop as well. SQL has a form that does nothing if the index exists: take the
# statement of `sqlmigrate lending 0009` and add `IF NOT EXISTS`. Put Django's operation beside it,
# into `state_operations`, so that Django knows of the index. **Edit it before you push it.**

# %% tags=["fix"]
laptop.replace("lending/migrations/0009_find_loans_out.py", ADD_INDEX, ADD_INDEX_IF_MISSING)

# %% [markdown]
# Apply it, let Django compare the files with the models, and ship it.

# %% tags=["fix"]
laptop.run("python manage.py migrate && python manage.py makemigrations --check --noinput")
laptop.run("git add . && git commit --quiet --message 'Index' && git push --quiet")

# %% [markdown]
# On production nothing needs a flag now. A database without the index gets it in the same way.

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# History and schema agree. Compare once more with the new database: no difference is left, and the
# line ends without an error.

# %% tags=["after"]
production.chain()

# %%
new.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
new.run(f"{LIST} > ../new.txt")
production.run(f"{LIST} > ../production.txt && git diff --no-index ../new.txt ../production.txt")
now = production.rows(READERS)

# %% [markdown]
# ## Undo it
#
# Put the copy back. What was written since is lost, and `migrate` stops again.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not make the migration change only Django's state** to save the fake. In production nothing
# stops:

# %%
silent.replace(
    PHONE, "migrations.AddField(", "migrations.SeparateDatabaseAndState([], [migrations.AddField("
)
silent.replace(PHONE, "null=True),\n        ),", "null=True),\n        )]),")
silent.run("python manage.py migrate --verbosity 0 && python manage.py migrate --check")

# %% tags=["check"]
built = silent.clone("built")
built.run(EMPTY)
built.run("python manage.py migrate --verbosity 0")
assert not built.chain().whole, "and no command of Django says so"

# %% [markdown]
# Every new database lacks the column: that of the next colleague, of the tests, of CI.

# %%
built.rows("select * from lending_reader")

# %% [markdown]
# **Do not give the field a default** to get rid of the message. On SQLite the migration then builds
# the table again, stops nowhere, and every phone number is gone. PostgreSQL stops as before:

# %%
careless.replace(PHONE, "max_length=20, null=True", "max_length=20, default=''")
careless.run("python manage.py migrate --verbosity 0", fails=on(SQLite=None, PostgreSQL=EXISTS))
lost = careless.rows(READERS)

# %% [markdown]
# ## Why it happens
#
# Django trusts the history, and never looks at the schema before it changes it. SQL by hand changes
# the schema and writes no history: on [the chain](../../guide/the-chain.md) that link breaks, in this
# database alone. It shows when a migration makes the same thing, or never.
#
# ## Keep it from happening
#
# Ship an urgent change as a migration. If SQL must come first, write the migration on the same day,
# with `IF NOT EXISTS` where the database knows it. CI does not know production and cannot see this.
# Let a nightly job make the two lists. This line fails when they differ, whoever is right:
#
# ```bash
# git diff --no-index ../new.txt ../production.txt
# ```
#
# ## Run it yourself
#
# Leave out the cell that edits `0009`. Production stops, because `loan_returned` already exists.

# %% tags=["check"]
assert now == readers, "no phone number is lost"
assert "+lending_loan loan_returned" in difference, "the index is in production alone"
assert "phone" not in difference, "the column is the same in both"
assert " 20 " in production.run("cat ../production.txt | grep reader.phone"), "in its length too"
undone.run("python manage.py migrate --verbosity 0", fails=EXISTS)  # undone is as before
assert new.chain().whole, "a new database is whole without a flag"
assert (lost != readers) == on(SQLite=True, PostgreSQL=False), "the default reset the numbers"
assert "555-0101" in on(SQLite=readers, PostgreSQL=lost)[0], "which PostgreSQL keeps"

# %% tags=["check"]
# What was dropped by hand comes back with the statement that sqlmigrate prints.
dropped = Sandbox("dropped")
dropped.rows("drop index library_book_title")
assert not dropped.chain().whole, "the chain sees it"
statement = dropped.run("python manage.py sqlmigrate library 0006").splitlines()[-2]
dropped.rows(statement)
assert dropped.chain().whole, "the index is back"

# %% tags=["check"]
# An earlier pending migration builds the table again: keep the values, drop, migrate, put back.
kept = Sandbox("kept")
kept.run("python manage.py migrate lending 0006 --verbosity 0")
kept.rows("alter table lending_reader add column phone varchar(20)")
kept.rows("update lending_reader set phone = '555-0101' where name = 'Ada'")
kept.run("git pull --quiet --no-rebase")
over = kept.clone("over")
over.run("python manage.py migrate --verbosity 0", fails=on(SQLite=None, PostgreSQL=EXISTS))
reset = over.rows(READERS) != readers
assert reset == on(SQLite=True, PostgreSQL=False), "on SQLite 0007 dropped the column"
kept.rows("create table kept as select id, phone from lending_reader")
kept.rows("alter table lending_reader drop column phone")
kept.run("python manage.py migrate --verbosity 0")
kept.rows(
    "update lending_reader set phone = (select phone from kept where kept.id = lending_reader.id)"
)
assert kept.rows(READERS) == readers, "the values are back"
