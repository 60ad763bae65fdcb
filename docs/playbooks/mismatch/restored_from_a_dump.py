# ---
# title: The database came from a backup of another day
# symptoms:
#   - "NOT NULL constraint failed: library_book.language"
#   - null value in column "language" of relation "library_book" violates not-null constraint
#   - "no such column: library_book.language"
#   - column library_book.language does not exist
#   - "Book has no field named 'language'"
# cause: >-
#   A backup brings the schema and the history of its day, and your code is of another day. What was
#   written after the backup is not in it. Nothing else is lost, unless a wrong repair loses it.
# broken: [files-history, history-schema]
# data: "may be lost: what was written after the backup was made"
# undo: restore the same backup again
# safe_in: production
# applied: "elsewhere too: on the database of which the backup was made"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

production = Sandbox("production")
laptop = Sandbox("laptop")
colleague = Sandbox("colleague")
LOOK = (
    'python manage.py shell --verbosity 0 -c "from django.db import connection; '
    "from django.db.migrations.loader import MigrationLoader; load = MigrationLoader(connection); "
    'print(sorted(set(load.applied_migrations) - set(load.disk_migrations)))"'
)
INSERT = (
    'python manage.py shell --verbosity 0 -c "from library.models import Author, Book; '
    "Book.objects.create(title='Persuasion', author=Author.objects.get(name='Jane Austen'))\""
)
FIRST = (
    'python manage.py shell --verbosity 0 -c "from library.models import Book; '
    'print(Book.objects.first())"'
)
REFUSED = on(
    SQLite="NOT NULL constraint failed: library_book.language",
    PostgreSQL='null value in column "language" of relation "library_book" violates not-null constraint',
)
NO_COLUMN = on(
    SQLite="no such column: library_book.language",
    PostgreSQL="column library_book.language does not exist",
)
COPY = on(
    SQLite="cp db.sqlite3 ../{}.sqlite3", PostgreSQL="pg_dump --format custom library > ../{}.dump"
).format
RESTORE = on(
    SQLite="cp ../{}.sqlite3 db.sqlite3",
    PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../{}.dump",
).format
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
DUE = "select id, due_on from lending_loan where id > 3 order by id"
LANGUAGE = "select title, language from library_book where id > 4 order by id"

# %% [markdown]
# On Monday production has two migrations of `lending`, and two loans without a date. That night a
# backup is made. On Tuesday it gets the other migrations, and the staff date loan 5 by hand.

# %% tags=["setup"]
production.run("python manage.py migrate lending 0002 --verbosity 0")
production.rows("update lending_loan set due_on = null where id > 3")
production.run(COPY("monday"))
production.run("python manage.py migrate --verbosity 0")
production.rows("update lending_loan set due_on = '2024-04-20' where id = 5")

# %% [markdown]
# On Friday a release adds a column. The staff fill it in, and there is a second backup.

# %% tags=["setup"]
colleague.replace(
    "library/models.py",
    COPIES,
    COPIES + '    language = models.CharField(max_length=20, default="en")\n',
)
colleague.run("python manage.py makemigrations library --name book_language --verbosity 0")
colleague.run("git add . && git commit --quiet --message 'Language of a book' && git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
production.rows("update library_book set language = 'fr' where id = 6")
production.run(COPY("friday"))
production.run("git rev-parse HEAD > ../friday.commit")
production.run("python manage.py dumpdata library lending --output ../friday.json")

# %% [markdown]
# You put Friday's backup on your laptop, to look for a fault. Your code is some days older. Staging
# has the newest code, and somebody gives it Monday's backup.

# %% tags=["setup"]
json = laptop.clone("json")
laptop.run(RESTORE("friday"))
staging = production.clone("staging")
staging.run(RESTORE("monday"))
careless = staging.clone("careless")
rolled_back = laptop.clone("rolled-back")

# %% tags=["before"]
laptop.chain()

# %% tags=["before"]
staging.chain()

# %% [markdown]
# ## Is this your case?
#
# **The backup is newer than the code.** Reading works, inserts fail, and `migrate` is content:

# %%
laptop.run(INSERT, fails=REFUSED)
laptop.run("python manage.py migrate --check")

# %% [markdown]
# This look prints the rows of the history that have no file in your code:

# %%
newer = laptop.run(LOOK)

# %% [markdown]
# **The backup is older than the code.** Queries fail, the look prints `[]`, and migrations are
# pending:

# %%
staging.run(FIRST, fails=NO_COLUMN)
plan = staging.run("python manage.py migrate --plan")

# %% [markdown]
# - **Both at once**, or a row whose file Git does not find (below): the backup is from another
#   branch, and [the ghost](ghost-migration.md) is your case.
# - **The files were squashed or reset since:** the way leads through the commit that had both. Read
#   [Squash in two releases](../squashing/squash-in-two-releases.md) or
#   [Reset live databases](../reset/reset-live-databases.md).
# - **You restored some of the tables:** read [The table already exists](table-already-exists.md).
# - **PostgreSQL says `duplicate key value violates unique constraint`:** rows came with their ids, and
#   the sequence stayed behind. `pg_restore` of a whole dump sets it, as here. Read
#   [After a copy of rows, a new row gets a key that is taken](../production/sequences-after-copy.md).
#
# ## Fix it
#
# ### The backup is newer
#
# **Is the backup newer than your code? Bring the code forward, not the database back.** Git knows
# the commit that brought the file. If it prints nothing, the file is not pushed: ask whoever
# migrated that database.

# %%
found = laptop.run(
    "git fetch --quiet && git log --all --format=%s -- library/migrations/0007_book_language.py"
)

# %% [markdown]
# **Do not migrate with the old code: on SQLite it may drop the newer columns.**
# ([Seen here](ghost-migration.md#what-not-to-do).)

# %% tags=["fix"]
laptop.run("git pull --quiet --no-rebase")

# %% [markdown]
# You must stay on the old code, after a release was taken back? Then its migrations go back
# as well, with the code that has them, and what their columns hold is lost:

# %%
rolled_back.run("git fetch --quiet && git switch --quiet --detach origin/main")
rolled_back.run("python manage.py migrate library 0006")
rolled_back.run("git switch --quiet main")

# %% [markdown]
# ### The backup is older
#
# **Is the backup older than your code? Migrate.** The plan above is what production ran since
# Monday. **Read the plan first: each `RunPython` runs again, on the rows of that day.**

# %% tags=["fix"]
staging.run("python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# On both, every row of the history has a file, and nothing is pending.

# %% tags=["after"]
laptop.chain()

# %% tags=["after"]
staging.chain()

# %% [markdown]
# The laptop has all of Friday's data. Staging has Monday's, and what the migrations make of it: the
# 20th of April and `fr` are not there. If this were production, they would be lost.

# %%
laptop.run(INSERT)
friday = laptop.rows(LANGUAGE)
monday = staging.rows(DUE)
languages = staging.rows(LANGUAGE)

# %% [markdown]
# ## Undo it
#
# On the laptop the fix changed no row: go back to where your code was. On staging, restore the same backup
# again.

# %%
undone = laptop.clone("undone")
undone.run("git switch --quiet --detach 'HEAD@{1}'")
again = staging.clone("again")
again.run(RESTORE("monday"))

# %% [markdown]
# ## What not to do
#
# **Do not type `migrate --fake`** because production “has all of these”. The database of Monday has
# not: no column comes, and two loans have no date.

# %%
careless.run("python manage.py migrate --fake --verbosity 0")
careless.run("python manage.py migrate --check")
careless.run(FIRST, fails=NO_COLUMN)
undated = careless.rows(DUE)

# %% [markdown]
# How to get out of that: [`migrate --fake` marked more than it should](faked-too-much.md).
#
# **Do not take `dumpdata` for a backup.** Its file has no history, so nothing can tell how old it is.
# Older code refuses it. The option that helps leaves out what it does not know, without a word:

# %%
json.run("python manage.py loaddata ../friday.json", fails="Book has no field named 'language'")
json.run("python manage.py loaddata --ignorenonexistent ../friday.json")

# %% [markdown]
# Bring the code forward now, and the column is there, with its default in every row. `fr` is gone.

# %%
json.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
dropped = json.rows(LANGUAGE)

# %% [markdown]
# ## Why it happens
#
# History and schema live in the database, models and files in Git. A restored backup moves the first
# two to another day, together: between them nothing breaks. On
# [the chain](../../guide/the-chain.md) it is the link between files and history that no longer fits.
# If the files are ahead, they are pending, and Django says so. If the history is ahead, its rows
# have no file. Django ignores such rows.
#
# ## Keep it from happening
#
# Write the commit beside each backup (`git rev-parse HEAD > ../friday.commit`). Restore with that
# code, then pull and migrate. Rehearse it with the last backup. There, this line fails if the
# backup is older than the code. It does not see a newer one; [the look](#is-this-your-case) does.
#
# ```bash
# python manage.py migrate --check
# ```
#
# ## Run it yourself
#
# Give the laptop Monday's backup in place of Friday's. It is older than the laptop's code too: the
# playbook stops at the insert, because that works.

# %% tags=["check"]
assert newer.strip() == "[('library', '0007_book_language')]", "the newer one has a row too many"
assert careless.run(LOOK).strip() == "[]", "the older one has not"
assert "lending.0003_fill_due_on" in plan, "and the data migration is to run again"
assert found.strip() == "Language of a book", "Git knows where the file is"
assert friday[1] == ("The Time Machine", "fr"), "the laptop has all of Friday"
assert monday == [(4, "2024-04-01"), (5, "2024-04-03")], "the dates are filled in again"
assert ("The Time Machine", "en") in languages, "what came after Monday is not there"
assert undone.chain().broken == ["files-history", "history-schema"], "undone is as before"
assert again.chain().pending, "and so is staging"
assert rolled_back.chain().whole, "with the old code, the old schema is whole"
assert undated == [(4, None), (5, None)], "faking leaves the dates out"
assert dropped == [("Moby-Dick", "en"), ("The Time Machine", "en")], "the option dropped a value"

# %% tags=["check"]
# The commit beside the backup is the one that fits it.
noted = Sandbox("noted")
noted.run("git fetch --quiet && cat ../friday.commit | xargs git switch --quiet --detach")
noted.run(RESTORE("friday"))
assert noted.chain().whole, "backup and code of one day fit"
