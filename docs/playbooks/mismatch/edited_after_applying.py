# ---
# title: A migration was edited after it was applied
# symptoms:
#   - "no such column: library_book.edition"
#   - "duplicate column name: edition"
#   - column library_book.edition does not exist
#   - column "edition" of relation "library_book" already exists
# cause: >-
#   Django applies each migration once, by name. A database that has the old version never sees the
#   edit; a new database runs the edited version only. Nothing is lost yet.
# broken: [history-schema]
# data: "may be lost: on SQLite the column, where the edited version ran"
# undo: migrate back over the new migration and revert its commit
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
    SQLite="no such column: library_book.edition",
    PostgreSQL="column library_book.edition does not exist",
)
EXISTS = on(
    SQLite="duplicate column name: {}",
    PostgreSQL='column "{}" of relation "library_book" already exists',
).format
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
FILE = "library/migrations/0007_book_language.py"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
LANGUAGE = '    language = models.CharField(max_length=20, default="en")\n'
EDITION = "    edition = models.CharField(max_length=20, null=True)\n"
BOOKS = "select id, title, language from library_book order by id limit 3"
READ = (
    "python manage.py shell --verbosity 0 -c "
    '"from library.models import Book; print(Book.objects.first())"'
)

# %% [markdown]
# You add a field and push its migration. Production applies it, and people fill it in.

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, COPIES + LANGUAGE)
laptop.run("python manage.py makemigrations library --name book_language")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Language of a book' && git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
production.rows("update library_book set language = 'fr' where id = 2")

# %% [markdown]
# A second field belongs to it, you think. You go back, write the migration again under the same name,
# and apply it. On your laptop all is well. A colleague makes a new database.

# %% tags=["setup"]
laptop.run("python manage.py migrate library 0006 --verbosity 0")
laptop.replace("library/models.py", LANGUAGE, LANGUAGE + EDITION)
laptop.run(f"rm {FILE} && python manage.py makemigrations library --name book_language")
laptop.run("python manage.py migrate")
laptop.rows("update library_book set edition = '2nd' where id = 1")
laptop.run("git add . && git commit --quiet --message 'Edition, too'")
branch = laptop.clone("branch")
colleague = laptop.clone("colleague")
colleague.run(EMPTY)
colleague.run("python manage.py migrate --verbosity 0")
laptop.run("git push --quiet")
production.run("git pull --quiet --no-rebase")
books = production.rows(BOOKS)
careless = production.clone("careless")
twice = production.clone("twice")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The code asks for a column that is not there, and Django has nothing to apply:

# %%
production.run(READ, fails=MISSING)
production.run("python manage.py migrate")

# %% [markdown]
# On a new database the same code works. And Git knows more than one version of the migration:

# %%
colleague.run("python manage.py migrate --check")
production.run(f"git log --format=%s -- {FILE}")
production.run(f"git diff --unified=0 HEAD~1 -- {FILE}")

# %% [markdown]
# - **There is one version only**: read [Recorded, but it never ran](recorded-but-never-ran.md), or,
#   if an older migration had the same name, [A new migration took an old name](name-reused.md).
# - **No database but yours has applied it**: read
#   [Take back a migration that was never pushed](../reset/undo-unpushed.md), then edit it.
# - **The edit is not pushed yet**: the same fix, and only your database needs the fake.
# - **The edit changes nothing in the schema or in rows**, as a comment or a `help_text`: leave it.
#
# Each database has the version that it met first. The column tells which one. Ask all of them:
# here production has the old one, your laptop and the colleague the new one.

# %%
old = production.rows("select * from library_book where id = 1")
edited = laptop.rows("select * from library_book where id = 1")

# %% [markdown]
# ## Fix it
#
# Give the file back the text with which production applied it: that of the commit before the edit.
# `git log --oneline` prints the names.

# %% tags=["fix"]
laptop.run(f"git restore --source HEAD~1 {FILE}")

# %% [markdown]
# What the edit had added now needs a migration of its own. Django writes it.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name book_edition")

# %% [markdown]
# Your database has the column: it ran the edited file. Record the new migration without running it.
# **Fake it only where the column exists.**

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0008 --fake")

# %% [markdown]
# **Where the edited version ran, do not pull and migrate: read below first.** Tell the others. Ship it.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Edition of a book' && git push --quiet")

# %% [markdown]
# Where the old version ran, the new migration runs like any other.

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# Where the edited version ran, `migrate` stops. Fake it there as well. (A column with a default does
# not stop it on SQLite, and [is reset](table-already-exists.md#what-not-to-do): tell the others
# before they pull.)

# %%
colleague.run("git pull --quiet --no-rebase")
colleague.run("python manage.py migrate", fails=EXISTS("edition"))
colleague.run("python manage.py migrate library 0008 --fake --verbosity 0")

# %% [markdown]
# ## Make sure
#
# Production has the column, and its data. A new database gets the same.

# %% tags=["after"]
production.chain("library")

# %%
now = production.rows(BOOKS)
new = production.clone("new")
new.run(EMPTY)
new.run("python manage.py migrate --verbosity 0")
new.run(READ.replace("first()", "count()"))

# %% [markdown]
# ## Undo it
#
# Migrate back over the new migration, which drops the column and its values, and revert the commit.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0007 --verbosity 0 && git revert --no-edit HEAD")
undone.run(READ, fails=MISSING)

# %% [markdown]
# ## What not to do
#
# **Do not apply the edited file once more.** This is what is often advised: forget the migration,
# then run it. On SQLite it does bring the column. It also builds the table again, and **sets every
# language to the default**. PostgreSQL refuses the column that is there, and brings none:

# %%
careless.run("python manage.py migrate library 0006 --fake --verbosity 0")
careless.run(
    "python manage.py migrate library", fails=on(SQLite=None, PostgreSQL=EXISTS("language"))
)
lost = careless.rows(BOOKS)

# %% [markdown]
# **Do not leave the edited file as it is**, with the new migration beside it. Production is content.
# Every new database meets the column twice:

# %%
twice.run(f"git pull --quiet --no-rebase && git restore --source HEAD~1 {FILE}")
twice.run("python manage.py migrate --verbosity 0")
twice.run(EMPTY)
twice.run("python manage.py migrate --verbosity 0", fails=EXISTS("edition"))

# %% [markdown]
# ## Why it happens
#
# A row in `django_migrations` holds an app, a name and a time, and nothing of what the file said.
# Django sees the row and does not run the file again. But it takes from the file, as it is now, what
# the models were, so `makemigrations` finds nothing to write. On
# [the chain](../../guide/the-chain.md) the link between history and schema is broken, and only in
# the databases that were first.
#
# ## Keep it from happening
#
# What is pushed is never edited: write the next migration. In CI, on a pull request, this line fails
# when a migration of `main` has changed. It also fails on the repair above, and on a harmless edit;
# it cannot see a database on which your branch was applied before the merge.
#
# ```bash
# git diff --exit-code --diff-filter=M --name-only origin/main... -- "*/migrations/*.py"
# ```
#
# ## Run it yourself
#
# In `EDITION`, write `default=str` in place of `null=True`. On SQLite the playbook stops where the
# colleague's `migrate` should fail: it prints `OK`, over a column that exists.

# %% tags=["check"]
assert now == books, "production kept every language"
assert (2, "Emma", "fr") in now, "the one that is not the default too"
assert (lost != books) == on(SQLite=True, PostgreSQL=False), "on SQLite the wrong fix reset it"
assert {row[2] for row in lost} == on(SQLite={"en"}, PostgreSQL={"en", "fr"}), "to the default"
assert [len(old[0]), len(edited[0])] == [6, 7], "the column tells which version ran"
for place in (laptop, production, colleague, new):
    assert place.chain().whole, f"{place.name} is whole"
    assert not place.chain().pending, f"and {place.name} has nothing left to apply"
kept = laptop.rows("select edition from library_book where id = 1")
assert kept == [("2nd",)], "faking keeps what the column held"
assert "edition is missing" in undone.chain(), "undone is as before"
line = 'git diff --exit-code --diff-filter=M --name-only origin/main... -- "*/migrations/*.py"'
branch.run(line, fails=FILE)
laptop.run(line.replace("origin/main", "HEAD~1"), fails=FILE)  # the repair
harmless = production.clone("harmless")
for path, old in ((FILE, "max_length=20)"), ("library/models.py", 'max_length=20, default="en")')):
    harmless.replace(path, old, old[:-1] + ', help_text="of the text")')
assert harmless.chain().whole, "an edit that changes nothing in the schema does no harm"
