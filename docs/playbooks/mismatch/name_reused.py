# ---
# title: A new migration took an old name and never ran
# symptoms:
#   - "no such column: library_book.isbn_10"
#   - column library_book.isbn_10 does not exist
#   - Migrations can be pruned only when an app is specified.
#   - >-
#     Cannot use --prune because the following squashed migrations have their 'replaces' attributes
#     and may not be recorded as applied:
# cause: >-
#   The history still has a row of a deleted migration with the same name, so Django takes the new
#   one as applied and skips it without a message. Nothing is lost.
# broken: [files-history, history-schema]
# data: untouched
# undo: put back the copy of the database that you make first
# safe_in: production
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = laptop.clone("production")
MISSING = on(
    SQLite="no such column: library_book.isbn_10",
    PostgreSQL="column library_book.isbn_10 does not exist",
)
EXISTS = on(
    SQLite="duplicate column name: isbn_10",
    PostgreSQL='column "isbn_10" of relation "library_book" already exists',
)
BOOKS = "select id, title, isbn from library_book order by id limit 3"
READ = (
    "python manage.py shell --verbosity 0 -c "
    '"from library.models import Book; print(Book.objects.first())"'
)
REUSED = (
    'git log --diff-filter=D --no-renames --name-only --format= -- "*/migrations/*.py"'
    " | xargs git ls-files none"
)

# %% [markdown]
# Some time ago you replaced the six migrations of `library` by a new `0001_initial`. Production had
# applied them all, so there was nothing to do, and their rows stayed.

# %% tags=["setup"]
laptop.replace("lending/migrations/0001_initial.py", "0003_book_copies", "__first__")
laptop.run("rm library/migrations/000*.py && python manage.py makemigrations library")
laptop.run("git add . && git commit --quiet --message 'One initial migration'")
laptop.run("git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# Today a colleague with a new database adds a field. The name of the migration is free, and all is
# well: it runs there, and CI is green.

# %% tags=["setup"]
colleague = laptop.clone("colleague")
colleague.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
colleague.run("python manage.py migrate --verbosity 0")
copies = "    copies = models.PositiveIntegerField(default=1)\n"
isbn_10 = "    isbn_10 = models.CharField(max_length=10, null=True)\n"
colleague.replace("library/models.py", copies, copies + isbn_10)
colleague.run("python manage.py makemigrations library --name book_isbn")
colleague.run("python manage.py migrate")
colleague.run("git add . && git commit --quiet --message 'ISBN of ten digits'")
colleague.run("git push --quiet")
production.run("git pull --quiet --no-rebase")
books = production.rows(BOOKS)
late = production.clone("late")
renamed = production.clone("renamed")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# There is nothing to apply, every check is content, and the column is not there:

# %%
production.run("python manage.py migrate")
production.run("python manage.py migrate --check && python manage.py makemigrations --check")
production.run("python manage.py showmigrations library")
production.run(READ, fails=MISSING)

# %% [markdown]
# Has there been a file of that name before? Git knows: it was added twice.

# %%
added = production.run(
    "git log --diff-filter=A --no-renames --format=%s -- library/migrations/0002_book_isbn.py"
)

# %% [markdown]
# - **It was added once**: the row came from [another branch](ghost-migration.md), whose column may
#   still be there, or [it was recorded and never ran](recorded-but-never-ran.md).
# - **It was added once and changed later**: it was
#   [edited after it was applied](edited-after-applying.md).
# - **The new migration has run in no database that you keep** (those of CI do not count): give the
#   file a name that was never used. It is a new migration then, for all:

# %%
renamed.run("git mv library/migrations/0002_book_isbn.py library/migrations/0002_isbn_10.py")
renamed.run("python manage.py migrate library")

# %% [markdown]
# Here it is pushed, and it ran on new databases under this name. So the name stays, and each database
# that skipped it needs the fix below.
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
# The row has to go. What would go with it? Ask first; `--plan` changes nothing.

# %%
planned = production.run("python manage.py migrate library 0001 --plan")

# %% [markdown]
# Go back to the migration before it, in the history alone.
# **Only the skipped migration may be in that plan.** What else it names did run and must not run
# again: then run the skipped one by its name, `migrate library 0002`, and record each of the others with
# `--fake`, if it makes only tables, or columns without a default. Else
# [add the column with SQL](recorded-but-never-ran.md#fix-it).

# %% tags=["fix"]
production.run("python manage.py migrate library 0001 --fake")

# %% [markdown]
# Now Django sees a migration that it has not applied, and runs it.

# %% tags=["fix"]
production.run("python manage.py migrate")

# %% [markdown]
# The other old names can do the same. Delete the rows that have no file.
# **First check out the commit that this database runs.** On an older one, the newest migrations have
# no file either, and lose their rows.

# %% tags=["fix"]
production.run("python manage.py migrate library --prune")

# %% [markdown]
# It wants one app at a time. And here `--plan` does not protect you: it deletes first, then prints.

# %%
renamed.run("python manage.py migrate --prune", fails="only when an app is specified")
renamed.run("python manage.py migrate library --prune --plan")
rehearsed = renamed.rows("select name from django_migrations where app = 'library' order by id")

# %% [markdown]
# **It refuses?** Then a squash still names the deleted files in `replaces`, and needs their rows.
# It changes nothing, and the exit code is 0:

# %%
squash = Sandbox("squash")
squash.run("python manage.py squashmigrations lending 0006 0007 --noinput --verbosity 0")
squash.run("rm lending/migrations/0006_due_after_lent.py lending/migrations/0007_uni*.py")
squash.run("python manage.py migrate --verbosity 0 && python manage.py migrate lending --prune")

# %% [markdown]
# When every database has recorded the squash ([how to tell](../squashing/squash-in-two-releases.md)),
# remove `replaces`. Then `--prune` works.

# %%
squash.replace(
    "lending/migrations/0006_due_after_lent_squashed_0007_unique_reader_email.py",
    "    replaces = [('lending', '0006_due_after_lent'), ('lending', '0007_unique_reader_email')]\n",
    "",
)
squash.run("python manage.py migrate lending --prune")

# %% [markdown]
# ## Make sure
#
# The column is there, no row is without a file, and the data is as it was.

# %% tags=["after"]
production.chain("library")

# %%
production.run(READ)
now = production.rows(BOOKS)

# %% [markdown]
# ## Undo it
#
# Put the copy back. What was written since is lost.

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
# **Do not expect `--prune` alone to mend it.** It deletes the rows that have no file. The one that
# does the harm has a file again:

# %%
late.run("python manage.py migrate library --prune")
late.run("python manage.py migrate")
late.run(READ, fails=MISSING)

# %% [markdown]
# **Do not rename what has run somewhere.** There it is a new migration too, for a column that exists:

# %%
renamed.run("git commit --quiet --message 'A name of its own'")
colleague.run("git pull --quiet --no-rebase ../renamed main")
colleague.run("python manage.py migrate", fails=EXISTS)

# %% [markdown]
# ## Why it happens
#
# Django decides by app and name whether a migration is applied. The row says nothing of the file. A
# squash or a reset deletes files and leaves rows, and starts to count again at `0002`. On
# [the chain](../../guide/the-chain.md) that is a break between files and history, which nobody feels.
# A new file with an old name turns it into a break between history and schema, and databases that
# never had the old row are whole: that of your colleague, of the tests, of CI.
#
# ## Keep it from happening
#
# Prune every database as the last step of a squash or a reset. CI has no old rows and cannot see this
# in its database. Git remembers: this line prints each migration whose name was used by a deleted
# one, and must print nothing. It does not know names from branches that were never merged.
#
# ```bash
# git log --diff-filter=D --no-renames --name-only --format= -- "*/migrations/*.py" | xargs git ls-files none
# ```
#
# ## Run it yourself
#
# Prune production at the end of the first setup. Then `migrate` runs the colleague's migration, and
# the playbook stops where reading should fail.

# %% tags=["check"]
assert now == books, "no row has changed"
undone.run(READ, fails=MISSING)  # undone is as before
assert added.splitlines() == ["ISBN of ten digits", "Start"], "the name was used twice"
assert planned.count("library.0") == planned.count("Undo ") == 1, "the plan names no other"
assert rehearsed == [("0001_initial",), ("0002_isbn_10",)], "the plan has deleted the rows"
assert production.chain().whole, "all apps are whole, not this one alone"
assert renamed.chain().whole, "where it never ran, a new name is enough"
assert late.chain("library").broken == ["history-schema"], "pruned too late, the column is missing"
assert squash.chain().whole, "without replaces, the rows could go"
assert production.run(REUSED).split() == ["library/migrations/0002_book_isbn.py"], "Git remembers"
assert laptop.run(REUSED) == "", "and is silent before"

# %% tags=["check"]
# On an older commit, --prune deletes the row of a migration that did run.
old = production.clone("old")
lost = old.run("git switch --quiet --detach HEAD~1 && python manage.py migrate library --prune")
assert "Pruning library.0002_book_isbn OK" in lost, "the newest row is gone"
old.run("git switch --quiet main")
old.run("python manage.py migrate", fails=EXISTS)

# %% tags=["check"]
# With a newer migration that did run: only the skipped one runs, the newer is recorded.
newer = late.clone("newer")
newer.replace("library/models.py", isbn_10, isbn_10 + isbn_10.replace("isbn_10", "note"))
newer.run("python manage.py makemigrations library --name book_note --verbosity 0")
newer.run("python manage.py migrate library 0003 --verbosity 0")
both = newer.run("python manage.py migrate library 0001 --plan")
assert both.count("library.0") == 2, "the plan names the newer one too"
newer.run("python manage.py migrate library 0001 --fake --verbosity 0")
newer.run("python manage.py migrate library 0002 --verbosity 0")
newer.run("python manage.py migrate library 0003 --fake --verbosity 0")
assert newer.chain().whole, "both are there"
