# ---
# title: PostgreSQL stops over “pending trigger events”
# symptoms:
#   - cannot ALTER TABLE "library_book" because it has pending trigger events
# cause: >-
#   One migration changes rows and then their table, in one transaction. PostgreSQL still has foreign
#   keys of those rows to check. It takes the whole migration back: nothing is lost.
# broken: []
# data: "untouched: only your own migration changes rows"
# undo: migrate back; the constraint goes, and what became of the rows stays
# safe_in: production
# applied: no matter where
# databases: [SQLite, PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop")
production = Sandbox("production", "PostgreSQL")
staging = Sandbox("staging", "PostgreSQL")
FILE = "library/migrations/0007_one_entry_for_each_book.py"
TWICE = [
    "insert into library_author (name) values ('Jane Austen')",
    "insert into library_book (title, author_id, isbn, copies) "
    "select 'Persuasion', max(id), '', 2 from library_author",
]
BOOKS = "select b.id, title, author_id, name from library_book b join library_author a on a.id = author_id order by b.id"
HISTORY = "select name from django_migrations where app = 'library' and name >= '0007' order by id"
CONSTRAINT = """\
        migrations.AddConstraint(
            model_name='book',
            constraint=models.UniqueConstraint(fields=('author', 'title'), name='library_book_once'),
        ),
"""

# %% [markdown]
# Somebody has entered Jane Austen twice, on production and on your laptop, which has SQLite. Staging
# has PostgreSQL and no such rows.

# %% tags=["setup"]
for place in (laptop, production):
    for sql in TWICE:
        place.rows(sql)
books = production.rows(BOOKS)

# %% [markdown]
# One migration gives her books to her first entry, and then allows each title once for an author.

# %% tags=["setup"]
laptop.replace(
    "library/models.py",
    'name="library_book_title")]\n',
    'name="library_book_title")]\n'
    "        constraints = [\n"
    '            models.UniqueConstraint(fields=["author", "title"], name="library_book_once")\n'
    "        ]\n",
)
laptop.run("python manage.py makemigrations library --name one_entry_for_each_book --verbosity 0")
laptop.replace(
    FILE,
    "\n\nclass",
    """

def one_entry_for_each_author(apps, schema_editor):
    Author, Book = apps.get_model("library", "Author"), apps.get_model("library", "Book")
    for author in Author.objects.order_by("-id"):
        first = Author.objects.filter(name=author.name).order_by("id").first()
        if first != author:
            Book.objects.filter(author=author).update(author=first)
            author.delete()


class""",
)
laptop.replace(
    FILE,
    "    operations = [\n",
    "    operations = [\n"
    "        migrations.RunPython(one_entry_for_each_author, migrations.RunPython.noop),\n",
)

# %% [markdown]
# SQLite shows nothing. Neither does staging.

# %% tags=["setup"]
laptop.run("python manage.py migrate library")
laptop.run("git add . && git commit --quiet --message 'Each book once' && git push --quiet")
staging.run("git pull --quiet --no-rebase && python manage.py migrate library")
production.run("git pull --quiet --no-rebase")
careless = production.clone("careless")
quick = production.clone("quick")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# `migrate` stops at the table whose rows the migration has changed.

# %%
production.run("python manage.py migrate library", fails="because it has pending trigger events")

# %% [markdown]
# It has left nothing behind: no row in the history, and Jane Austen is there twice.

# %%
recorded = production.rows(HISTORY)
stopped = production.rows(BOOKS)

# %% [markdown]
# The file has a `RunPython` or a `RunSQL`, and after it an operation on a table that the first one
# wrote to. The keys that PostgreSQL checks late are these:

# %%
keys = production.rows(
    "select conrelid::regclass as at, conname, confrelid::regclass as points_to, "
    "condeferrable, condeferred "
    "from pg_constraint where contype = 'f' and 'library_book'::regclass in (conrelid, confrelid) "
    "order by conname"
)

# %% [markdown]
# - **The keys say `False`, or the message is another one**: not this page.
# - **The file has `atomic = False` already**: a half may be there. Read
#   [A migration stopped half-way](../mismatch/half-applied.md).
#
# ## Fix it
#
# Split it: one migration for the rows, the next one for the table.
# **Where the migration went through, take it back before you change its file.** The rows stay as they
# are, and the constraint goes.

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0006 --verbosity 0")
staging.run("python manage.py migrate library 0006 --verbosity 0")

# %% [markdown]
# Take the schema out of the file. The rows stay in it.

# %% tags=["fix"]
laptop.replace(FILE, CONSTRAINT, "")

# %% [markdown]
# Django finds that the models have something that no file has, and writes the second migration.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name each_title_once")

# %% [markdown]
# Ship both. Each is a transaction of its own.
# **What is written between the two can break the second one**: here another double entry. It then
# stops, and the first one stays recorded.

# %% tags=["fix"]
laptop.run("python manage.py migrate library --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Rows first' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate library")
staging.run("git pull --quiet --no-rebase && python manage.py migrate library")

# %% [markdown]
# **Both or neither?** Keep one migration, and let PostgreSQL check the keys now, at the end of the
# function. It is right if rows and table must change together: if one fails, both go back. The
# `if` lets SQLite, which does not have the statement, pass.

# %%
quick.replace(
    FILE,
    "            author.delete()\n",
    "            author.delete()\n"
    '    if schema_editor.connection.vendor == "postgresql":\n'
    '        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")\n',
)
together = quick.clone("together")
quick.run("python manage.py migrate library")

# %% [markdown]
# ## Make sure
#
# All links hold, and nothing is pending. Her book is there, and has her first entry.

# %% tags=["after"]
production.chain()

# %%
now = production.rows(BOOKS)

# %% [markdown]
# ## Undo it
#
# Migrate back. The constraint goes. Which entry a book had before is written nowhere: only a backup
# from before `0007` has it.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0006")

# %% [markdown]
# ## What not to do
#
# **Do not set `atomic = False`.** Then each statement is a transaction of its own, and the message
# goes away. But on this production somebody has entered *Emma* twice, too:

# %%
emma = "insert into library_book (title, author_id, isbn, copies) values ('Emma', {}, '', 1)"
careless.rows(emma.format(1))
careless.replace(FILE, "    dep", "    atomic = False\n    dep")
careless.run("python manage.py migrate library", fails="could not create unique index")

# %% [markdown]
# The constraint failed, and the first half stays. Her second entry is deleted, the history has no row
# of it, and nothing takes it back. Then you have [a half](../mismatch/half-applied.md):

# %%
half = careless.rows("select id, name from library_author where name = 'Jane Austen'")
unrecorded = careless.rows(HISTORY)

# %% [markdown]
# ## Why it happens
#
# Django makes foreign keys `DEFERRABLE INITIALLY DEFERRED`: PostgreSQL checks a changed row at the end
# of the transaction. Until then the check waits, as a trigger event of that table. PostgreSQL alters
# no table that has one. Where no row changes, nothing waits: so an empty database
# and staging pass. SQLite has no such rule. `SET CONSTRAINTS ALL IMMEDIATE` does the waiting
# checks at once. On [the chain](../../guide/the-chain.md) nothing is broken: the migration is pending.
#
# ## Keep it from happening
#
# Change rows and schema [in two migrations](../../guide/small-and-focused.md). CI has an empty
# database and sees nothing, on PostgreSQL too. This line lists the files that do both:
#
# ```bash
# git grep --all-match --name-only -E -e "Run(Python|SQL)\(" -e "(Add|Alter|Remove|Rename)[A-Z][A-Za-z]+\(" -- "*/migrations/*.py"
# ```
#
# ## Run it yourself
#
# Leave `production` out of the first loop. No row changes there, the migration goes through, and the
# playbook stops, because it expects the error.

# %% tags=["check"]
merged = [(*row[:2], 1, row[3]) if row[3] == "Jane Austen" else row for row in books]
assert (stopped, recorded) == (books, []), "PostgreSQL took everything back"
assert [key[3:] for key in keys] == [(True, True)] * 3, "all are checked late"
assert now == merged != books, "each book is there, hers under one entry"
assert len(production.rows(HISTORY)) == 2, "two migrations are recorded"
for place in (laptop, staging):
    assert place.chain().whole, "also where it had gone through"
assert (quick.rows(BOOKS), quick.chain().pending) == (merged, ()), "the quick way does both"
assert undone.rows(BOOKS) == merged, "the way back moves no row"
undone.rows(emma.format(1))
undone.run("python manage.py migrate library", fails="could not create unique index")
assert len(undone.rows(HISTORY)) == 1, "a double entry stops the second one alone"

# %% tags=["check"]
assert (half, unrecorded) == ([(1, "Jane Austen")], []), "half of it stays, unrecorded"
together.rows(emma.format(1))
together.run("python manage.py migrate library", fails="could not create unique index")
assert together.rows(BOOKS)[:7] == books, "with the quick way all goes back"
SET = "python manage.py shell --verbosity 0 -c \"from django.db import connection; connection.cursor().execute('SET CONSTRAINTS ALL IMMEDIATE')\""
laptop.run(SET, fails='near "SET": syntax error')
LIST = 'git grep --all-match --name-only -E -e "Run(Python|SQL)\\(" -e "(Add|Alter|Remove|Rename)[A-Z][A-Za-z]+\\(" -- "*/migrations/*.py"'
assert quick.run(LIST).split() == [FILE], "the line finds it"
laptop.run(LIST, fails="")
