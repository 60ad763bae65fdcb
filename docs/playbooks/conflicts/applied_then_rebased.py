# ---
# title: The migration you renumbered had been applied
# symptoms:
#   - "duplicate column name: language"
#   - 'table "library_shelf" already exists'
#   - column "language" of relation "library_book" already exists
#   - relation "library_shelf" already exists
#   - >-
#     Migration library.0008_book_language is applied before its dependency
#     library.0007_author_born on database 'default'.
# cause: >-
#   The database has run the migration under its old name. It takes the new name for a new migration
#   and runs it again. Where it stops, nothing is lost; SQLite may also reset the column and go on.
# broken: [files-history, history-schema]
# data: "may be lost: SQLite resets a field that has a default, without an error"
# undo: put the copy of the database back
# safe_in: production
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: conflicts
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
colleague = Sandbox("colleague")
AUTHOR = "class Author(models.Model):\n    name = models.CharField(max_length=100)\n"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
SAVE = "git add . && git commit --quiet --message"
LOOK = (
    'python manage.py shell --verbosity 0 -c "from django.db import connection; '
    "from django.db.migrations.loader import MigrationLoader; load = MigrationLoader(connection); "
    'print(sorted(set(load.applied_migrations) - set(load.disk_migrations)))"'
)
EMMA = "select title, language from library_book where title = 'Emma'"
BACK = on(
    SQLite="cp ../before.sqlite3 db.sqlite3",
    PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
)
EXISTS = on(
    SQLite="duplicate column name: language",
    PostgreSQL='column "language" of relation "library_book" already exists',
)
MEND = (
    "update django_migrations set name = '0008_book_language'"
    " where app = 'library' and name = '0007_book_language'"
)

# %% [markdown]
# You add a field on a branch. The branch is deployed to `staging`, and testers fill the field in.

# %% tags=["setup"]
laptop.run("git switch --quiet --create language")
language = "    language = models.CharField(max_length=20, null=True)\n"
laptop.replace("library/models.py", COPIES, COPIES + language)
laptop.run("python manage.py makemigrations library --name book_language --verbosity 0")
laptop.run(f"{SAVE} 'Language of a book'")
staging = laptop.clone("staging")
staging.run("python manage.py migrate --verbosity 0")
staging.rows("update library_book set language = 'de' where title = 'Emma'")

# %% [markdown]
# Meanwhile `main` gets a migration.

# %% tags=["setup"]
born = "    born = models.PositiveIntegerField(null=True)\n"
colleague.replace("library/models.py", AUTHOR, AUTHOR + born)
colleague.run("python manage.py makemigrations library --name author_born --verbosity 0")
colleague.run(f"{SAVE} 'Birth of an author' && git push --quiet")

# %% [markdown]
# You put yours on top, give it the next number, and push. `staging` gets the new code.

# %% tags=["setup"]
laptop.run("git pull --quiet --rebase origin main")
laptop.run(
    "git mv library/migrations/0007_book_language.py library/migrations/0008_book_language.py"
)
laptop.replace(
    "library/migrations/0008_book_language.py", "0006_find_books_by_title", "0007_author_born"
)
laptop.run(f"{SAVE} 'On top of main' && git push --quiet origin language:main")
staging.run("git switch --quiet main && git pull --quiet")
demo = staging.clone("demo")
early = staging.clone("early")
careless = staging.clone("careless")

# %% [markdown]
# A second branch, another kind of migration: it creates a model, is applied, and is renumbered.

# %% tags=["setup"]
other = Sandbox("other-branch")
shelf = "\n\nclass Shelf(models.Model):\n    name = models.CharField(max_length=20)\n"
other.replace("library/models.py", "\n\nclass Book(", f"{shelf}\n\nclass Book(")
other.run("python manage.py makemigrations library --name shelf --verbosity 0")
other.run("python manage.py migrate --verbosity 0")
other.run("mv library/migrations/0007_shelf.py library/migrations/0008_shelf.py")

# %% tags=["before"]
staging.chain("library")

# %% [markdown]
# ## Is this your case?
#
# This is what the deploy prints: main's migration is applied, then yours stops. With a new model
# the message is another. Do not run it again to find out more.

# %%
staging.run("python manage.py migrate", fails=EXISTS)
other.run(
    "python manage.py migrate --verbosity 0",
    fails=on(SQLite="table", PostgreSQL="relation") + ' "library_shelf" already exists',
)

# %% [markdown]
# Ask the history for rows whose file is gone. The query changes nothing. It is your case if you know
# the file under another name.

# %%
ghosts = staging.run(LOOK)
no_shell = staging.clone("no-shell")
dropped = staging.clone("dropped")

# %% [markdown]
# - **It names your migration, and `migrate` stopped**: read on, on each database by itself, also on
#   your own. The values stay.
# - **It names yours, and `migrate` said `OK`**: SQLite has run it a second time, and
#   [the column is reset](linear-history.md#what-not-to-do). Want the values? Put the last copy back
#   and start at [Not migrated yet](#not-migrated-yet); do not prune. Else
#   `python manage.py migrate library --prune` removes the old row, and every other row named here.
# - **It prints `[]`**: read [The table already exists](../mismatch/table-already-exists.md).
# - **`applied before its dependency`, and no file was renamed**: read
#   [Put your migration on top of main's instead of merging](linear-history.md).
# - **You have not pushed the new name**: undo the renumbering and
#   [merge the two](two-leaf-nodes.md). No database needs mending then.
#
# Compare the two files. Only `dependencies` may differ. If `operations` differ as well, read
# [A migration was edited after it had been applied](../mismatch/edited-after-applying.md).

# %%
diff = staging.run(
    "git diff -M language main -- library/migrations/0007_book_language.py"
    " library/migrations/0008_book_language.py"
)

# %% [markdown]
# ## Fix it
#
# Copy the database. **Did `migrate` say `OK` for your migration? Then stop, and read "Is this your
# case?" first.**

# %% tags=["fix"]
staging.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# The schema is right and the history has the wrong name: give the row the new name.
# **Do this only if main's migrations are applied here; else go to "Not migrated yet".** On `staging`
# the failed `migrate` has applied them.

# %% tags=["fix"]
staging.rows(MEND)

# %% [markdown]
# Go on with the deploy.

# %% tags=["fix"]
applied = staging.run("python manage.py migrate")

# %% [markdown]
# No database shell there? The last two of these do the same, if the plan lists your migration alone
# and the query above names no other row of that app.

# %%
plan = no_shell.run("python manage.py migrate library 0008_book_language --plan")
no_shell.run("python manage.py migrate library 0008_book_language --fake")
no_shell.run("python manage.py migrate library --prune")

# %% [markdown]
# ### Not migrated yet
#
# Another database has run the old name and has yet to meet the new code. **On SQLite, do not do this
# if a pending migration of main alters the same table.** It builds the table again
# [without your column](../mismatch/ghost-migration.md#what-not-to-do), and the row then says that it
# is there. Give the file its old name and parent back and [merge](two-leaf-nodes.md) instead; where a
# database has recorded the new name, turn the `update` round.
#
# Else copy the database, and stop before yours:

# %%
demo.run("python manage.py migrate library 0007_author_born")
demo.rows(MEND)
demo.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# In the other order Django stops. Give the row its old name back, and start again.

# %%
early.rows(MEND)
early.run("python manage.py migrate", fails="is applied before its dependency")

# %% [markdown]
# ## Make sure
#
# No row without a file is left, and the testers' value is there.

# %% tags=["after"]
staging.chain("library")

# %%
left = staging.run(LOOK)
kept = staging.rows(EMMA)

# %% [markdown]
# ## Undo it
#
# Put the copy back. The error is back too.

# %%
undone = staging.clone("undone")
undone.run(BACK)
undone.run("python manage.py migrate --verbosity 0", fails=EXISTS)

# %% [markdown]
# ## What not to do
#
# **Do not fake before main's migrations are applied.** `--fake` records those as well, and they never
# run:

# %%
careless.run("python manage.py migrate --fake")
careless.run(
    "python manage.py shell --verbosity 0 -c "
    '"from library.models import Author; print(Author.objects.first())"',
    fails=on(
        SQLite="no such column: library_author.born",
        PostgreSQL="column library_author.born does not exist",
    ),
)

# %% [markdown]
# **Do not drop the column to make room.** The migration runs, and what the testers typed is gone:

# %%
dropped.rows("alter table library_book drop column language")
dropped.run("python manage.py migrate --verbosity 0")
lost = dropped.rows(EMMA)

# %% [markdown]
# ## Why it happens
#
# The history knows a migration by app and file name, and by nothing else. Renumbering changes the
# name, so on every database that has run it the row loses its file, and the file has no row. On
# [the chain](../../guide/the-chain.md) files and history disagree; the schema is right all along.
# Django compares no content: it runs what is not recorded, and the database refuses the second
# column.
#
# ## Keep it from happening
#
# A migration that has run anywhere but on your machine keeps its name: merge it instead. CI starts
# from an empty database and cannot see this. Run the query [above](#is-this-your-case) in each deploy,
# after the code is new and before `migrate`: it must print `[]`.
#
# ## Run it yourself
#
# Write `default='en'` in place of `null=True` in the language field. On SQLite nothing stops any more,
# so the playbook does: `migrate` succeeds, and `Emma` is back at `en`. On PostgreSQL `migrate` stops
# as before.

# %% tags=["check"]
assert "('library', '0007_book_language')" in ghosts, "the query tells the old name"
changed = [line for line in diff.splitlines() if line[:2] in ("- ", "+ ")]
assert changed[1:] == ["+        ('library', '0007_author_born'),"], "only the parent differs"
assert plan.count("library.0") == 1, "without a shell too, one migration is to be recorded"
assert "No migrations to apply" in applied, "the deploy had nothing left to run"
assert left.strip() == "[]", "and the query finds nothing more"
assert kept == [("Emma", "de")], "the value is there"
assert lost == [("Emma", None)], "dropping the column lost it"
for place in (staging, demo, no_shell):
    assert place.chain().whole, f"{place.name} is whole, in all apps"
    assert place.rows(EMMA) == kept, f"{place.name} kept its data"
early.rows(MEND.replace("0007", "old").replace("0008", "0007").replace("old", "0008"))
assert "0007_book_language" in early.run(LOOK), "the query tells it before migrate as well"
early.run("python manage.py migrate library 0007_author_born --verbosity 0")
early.rows(MEND)
assert early.chain().whole, "the row can get its old name back"
