# ---
# title: A migration stopped half-way
# symptoms:
#   - "UNIQUE constraint failed: library_book.isbn"
#   - "duplicate column name: language"
#   - table "new__library_book" already exists
#   - could not create unique index "library_book_isbn"
#   - column "language" of relation "library_book" already exists
# cause: >-
#   The migration failed on your data. With `atomic = False`, or on MariaDB, what it did
#   before that stays, and no row records it. Old data is lost only if that half removed or changed
#   it.
# broken: [history-schema]
# data: "may be lost: what the half removed, and what was written since into what it added"
# undo: put back the copy of the database that you make first
# safe_in: "production: once you know which half is there"
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = laptop.clone("production")
NOT_UNIQUE = on(
    SQLite="UNIQUE constraint failed: library_book.isbn",
    PostgreSQL='could not create unique index "library_book_isbn"',
)
EXISTS = on(
    SQLite="duplicate column name: language",
    PostgreSQL='column "language" of relation "library_book" already exists',
)
EMMA = (
    "insert into library_book (title, author_id, isbn, copies) "
    "values ('Emma, {}', 1, '9780141439587', 2)"
)
MIGRATION = "library/migrations/0007_language_and_isbn.py"
FIELD = """\
        migrations.AddField(
            model_name='book',
            name='language',
            field=models.CharField(max_length=20, null=True),
        ),
"""
CONSTRAINT = """\
        constraints = [
            models.UniqueConstraint(
                fields=["isbn"], condition=~models.Q(isbn=""), name="library_book_isbn"
            )
        ]
"""

# %% [markdown]
# A migration adds a column, then makes the ISBN unique. With `atomic = False` it is no transaction.

# %% tags=["setup"]
copies = "    copies = models.PositiveIntegerField(default=1)\n"
language = "    language = models.CharField(max_length=20, null=True)\n"
laptop.replace("library/models.py", copies, copies + language)
index = '        indexes = [models.Index(fields=["title"], name="library_book_title")]\n'
laptop.replace("library/models.py", index, index + CONSTRAINT)
laptop.run("python manage.py makemigrations library --name language_and_isbn --verbosity 0")
laptop.replace(MIGRATION, "    dep", "    atomic = False\n    dep")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Language, ISBN' && git push --quiet")

# %% [markdown]
# Your data allows it. In production somebody has entered *Emma* twice.

# %% tags=["setup"]
production.rows(EMMA.format("new copies"))
production.run("git pull --quiet --no-rebase")
books = production.rows("select id, title, isbn, copies from library_book order by id")
atomic = production.clone("atomic")
rebuilt = production.clone("rebuilt")

# %% tags=["setup"]
production.run("python manage.py migrate", fails=NOT_UNIQUE)
production.run("python manage.py migrate --verbosity 0", fails=EXISTS)
used = production.clone("used")
careless = production.clone("careless")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The first run stopped with some error: here an ISBN stands there twice. The second run stopped at
# what the first one did: the column exists. **Do not run it once more:** on SQLite a column with a
# default may not stop it, and [is reset](table-already-exists.md#what-not-to-do).
#
# - **The file has no `atomic = False`**, and you are on SQLite or PostgreSQL: the migration was one
#   transaction, and nothing of it is left. Repair the rows and run `migrate` again, as here:

# %% tags=["check"]
atomic.replace(MIGRATION, "    atomic = False\n", "")
atomic.run("python manage.py migrate --verbosity 0", fails=NOT_UNIQUE)
assert atomic.chain().whole, "with a transaction nothing stays"

# %%
atomic.rows("update library_book set isbn = '' where id = 7")
atomic.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# - **You are on MariaDB**: [a half stays](../production/no-transactional-ddl.md), no matter what the file says.
# - **The table is called `new__…`**: read [below](#what-not-to-do) what it is. SQLite alone has it.
# - **It was `AddIndexConcurrently`**: read [its own page](../production/index-concurrently.md).
# - **It did not fail before, and is new**: read
#   [Somebody changed the production schema with SQL](schema-changed-by-hand.md). If it ran here long
#   ago, read [migrate stops: the table already exists](table-already-exists.md).
# - **It was recorded with `--fake` after it failed**: take its row back as in
#   [migrate --fake marked more than it should](faked-too-much.md), then come back.
#
# Which half is there? Go through the statements of the migration, and look for each. (On PostgreSQL
# the statements in *one* text of `RunSQL` stay together, or none does.)

# %%
production.run("python manage.py sqlmigrate library 0007")
column = production.run("python manage.py inspectdb library_book | grep language")
index = production.rows(
    on(
        SQLite="select name from sqlite_master where name = 'library_book_isbn'",
        PostgreSQL="select indexname from pg_indexes where indexname = 'library_book_isbn'",
    )
)

# %% [markdown]
# The column is there, the index is not. Another database on which it failed may have another half.
# Where it went through, nothing is to be done; so do not
# [edit the file now](edited-after-applying.md).
#
# ## Fix it
#
# Stop what writes to the database, and copy it.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Find the rows that stopped the migration, and decide what they should say.

# %%
production.rows(
    "select id, title, isbn from library_book where isbn != '' "
    "and isbn in (select isbn from library_book group by isbn having count(*) > 1) order by id"
)

# %% [markdown]
# **Put your own repair here, for the rows that stopped your migration.**

# %% tags=["fix"]
production.rows("update library_book set isbn = '' where id = 7")

# %% [markdown]
# Take the half away, the last statement first.
# **First look in the schema which statements of `sqlmigrate library 0007` are done.**
# **Only if the half that ran changed no rows and removed no column: it would run again.** Else finish
# by hand, as below. What it removed is only in a backup.
# **Only if nothing has been written into the new column: what it holds is lost.**

# %% tags=["fix"]
production.rows("alter table library_book drop column language")

# %% [markdown]
# Now the whole migration can run, from its first operation, and it records itself.

# %% tags=["fix"]
production.run("python manage.py migrate")

# %% [markdown]
# **The half is in use, or changed rows?** Here somebody has filled in a language. Then keep it, run
# by hand what is missing, as `sqlmigrate` prints it, and record the migration. `--fake` is right only
# now that *every* statement is done.

# %%
used.rows("update library_book set language = 'en', isbn = '' where id = 7")
used.rows(
    'CREATE UNIQUE INDEX "library_book_isbn" ON "library_book" ("isbn") WHERE NOT ("isbn" = \'\')'
)
used.run("python manage.py migrate library 0007 --fake")

# %% [markdown]
# `sqlmigrate` prints no SQL for `RunPython`: if only the missing half has one, take the first way.
#
# ## Make sure
#
# The schema is what the history says, and nothing is left to apply.

# %% tags=["after"]
production.chain("library")

# %%
now = production.rows("select id, title, isbn, copies from library_book order by id")

# %% [markdown]
# ## Undo it
#
# Put the copy back: you have the half again. What was written since the copy is lost.

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
# **Do not fake the rest.** The error is gone, `migrate --check` finds nothing to do, and the index
# never comes. A third *Emma* is accepted:

# %%
careless.run("python manage.py migrate --fake --verbosity 0 && python manage.py migrate --check")
careless.rows(EMMA.format("again"))

# %% [markdown]
# **Do not comment out the operation that is done**, to run the rest and put the lines back later.
# Django then does not know of the column. PostgreSQL makes the constraint, and leaves the table as it
# is. For a constraint without a condition SQLite builds the table again:

# %%
rebuilt.replace(MIGRATION, "condition=models.Q(('isbn', ''), _negated=True), ", "")

# %% tags=["check"]
rebuilt.replace("library/models.py", ', condition=~models.Q(isbn="")', "")
rebuilt.run("python manage.py migrate --verbosity 0", fails=NOT_UNIQUE.split(":")[0])
assert "column library_book.language exists" in rebuilt.chain(), "here too the half is there"

# %% [markdown]
# Here too the first run stopped at the ISBN. On SQLite it was building: an unfinished
# `new__library_book` is left, one more part of the half to take away.
# **Drop it only if `library_book` exists too.** Else it holds your only copy.

# %%
rebuilt.rows("update library_book set language = 'en', isbn = id")
rebuilt.replace(MIGRATION, FIELD, ("\n" + FIELD).replace("\n        ", "\n        # ")[1:])

# %%
if on(SQLite=True, PostgreSQL=False):
    rebuilt.run("python manage.py migrate -v 0", fails='"new__library_book" already exists')
    tables = rebuilt.rows("select name from sqlite_master where name like '%library_book'")
    assert tables == [("library_book",), ("new__library_book",)], "both tables are there"
    rebuilt.rows("drop table new__library_book")
rebuilt.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# On SQLite **the column `language` is gone**, with all that was in it. On PostgreSQL it is there:

# %%
lost = rebuilt.rows("select * from library_book where id = 1")

# %% [markdown]
# ## Why it happens
#
# Django writes the row in `django_migrations` after the last operation. SQLite and PostgreSQL can
# take schema changes back, so a failure there leaves nothing, as long as the migration is one
# transaction. With `atomic = False` each statement stays as soon as it is done. The next run starts
# again at the first operation and meets its own work. On [the chain](../../guide/the-chain.md) the
# schema is a half step ahead of the history.
#
# ## Keep it from happening
#
# One schema change in each migration that is not one transaction: then there is no half. CI has an
# empty database, in which no row is in the way. This line lists the migrations to read in review;
# try them on a copy of production before you ship.
#
# ```bash
# git grep --name-only "atomic = False" -- "*/migrations/*.py"
# ```
#
# ## Run it yourself
#
# Take out the cell that drops the column. The next `migrate` stops at the column again.

# %% tags=["check"]
assert now == [*books[:-1], (7, "Emma, new copies", "", 2)], "only the row you chose has changed"
assert [column.count("language ="), len(index)] == [1, 0], "one half is there, the other is not"
assert atomic.chain().whole, "and the next run is clean"
undone.run("python manage.py migrate --verbosity 0", fails=EXISTS)  # the half is there again
assert used.chain().whole, "finishing by hand gives the same schema"
assert used.rows("select language from library_book where id = 7") == [("en",)], "with its data"
assert "unique constraint on library_book (isbn) is missing" in careless.chain(), "faked, not made"
dropped = "en" not in lost[0]
assert dropped == on(SQLite=True, PostgreSQL=False), "on SQLite commenting out dropped the column"
rebuilt.run(f"git checkout --quiet -- {MIGRATION}")
missing = "column library_book.language is missing" in rebuilt.chain()
assert missing == dropped, "and Django believes in it"
assert laptop.chain().whole, "where it went through, nothing is to be done"
listed = laptop.run('git grep --name-only "atomic = False" -- "*/migrations/*.py"')
assert listed.split() == [MIGRATION], "the line for the review finds it"
assert "CANNOT BE WRITTEN AS SQL" in laptop.run("python manage.py sqlmigrate lending 0003")

# %% tags=["check"]
# A half that changed rows changes them again. On PostgreSQL there is no half of one text.
DOUBLE = "update library_book set copies = copies * 2"
COPIES = "select id, copies from library_book order by id"
again = Sandbox("again")
again.run("python manage.py makemigrations library --empty --name double")
file = "library/migrations/0007_double.py"
double = f"migrations.RunSQL(['{DOUBLE}', 'no SQL'])"
again.replace(file, "    operations = [", f"    atomic = False\n    operations = [{double}")
twice = again.rows(COPIES.replace("copies", "copies * 4", 1))
again.run("python manage.py migrate", fails="syntax error")
again.run("python manage.py migrate", fails="syntax error")
assert again.rows(COPIES) == twice, "the second run doubled again"
again.replace(file, double, f"migrations.RunSQL('{DOUBLE}; no SQL')")
again.run("python manage.py migrate", fails="syntax error")
whole = again.rows(COPIES) == twice
assert whole == on(SQLite=False, PostgreSQL=True), "there one text is one transaction"
