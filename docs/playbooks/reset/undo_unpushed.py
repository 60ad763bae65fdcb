# ---
# title: Take back a migration that you have not pushed
# symptoms:
#   - "duplicate column name: language"
#   - column "language" of relation "library_book" already exists
# cause: >-
#   You deleted the file of a migration that your database has applied, and wrote another. The
#   column of the first is still there, and only its file can take it away. Nothing is lost yet;
#   the fix drops what the column holds.
# broken: [files-history, history-schema]
# data: "may be lost: what the column or table of that migration holds"
# undo: put back the copy of the database, the file and the field
# safe_in: development only
# applied: here only
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: reset
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
FIRST = '    language = models.CharField(max_length=20, default="en")\n'
EXISTS = on(
    SQLite="duplicate column name: language",
    PostgreSQL='column "language" of relation "library_book" already exists',
)
BETTER = "    language = models.CharField(max_length=20, null=True)\n"
LANGUAGES = "select id, title, language from library_book order by id limit 2"
PUSHED = (
    "git fetch --quiet && git log --oneline --remotes -- library/migrations/0007_book_language.py"
)
INSERT = (
    'python manage.py shell --verbosity 0 -c "from library.models import Author, Book; '
    "Book.objects.create(title='Persuasion', author=Author.objects.get(name='Jane Austen'))\""
)

# %% [markdown]
# You add a field to `Book`, apply it, and fill in a value. (The copy `committed` is for those who
# committed the migration before they deleted it.)

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, COPIES + FIRST)
laptop.run("python manage.py makemigrations library --name book_language")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("update library_book set language = 'fr' where title = 'Emma'")
committed = laptop.clone("committed")
committed.run("git add . && git commit --quiet --message 'Language of a book'")
committed.run("rm library/migrations/0007_book_language.py")

# %% [markdown]
# Then you see that the language may be unknown. You delete the file, change the field, and make
# the migration again.

# %% tags=["setup"]
laptop.run("rm library/migrations/0007_book_language.py")
hasty = laptop.clone("hasty")
laptop.replace("library/models.py", FIRST, BETTER)
laptop.run("python manage.py makemigrations library --name language_or_none")
careless = laptop.clone("careless")

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The new migration adds a column that exists:

# %%
laptop.run("python manage.py migrate", fails=EXISTS)

# %% [markdown]
# And going back does nothing. Django finds no file for what is to be taken back:

# %%
nothing = laptop.run("python manage.py migrate library 0006")

# %% [markdown]
# The history still has the name of the deleted file:

# %%
recorded = laptop.rows("select app, name from django_migrations order by id desc limit 1")

# %% [markdown]
# Is it pushed? This prints the commits on any branch of the server that have the file. It must
# print nothing:

# %%
pushed = laptop.run(PUSHED)

# %% [markdown]
# - **It is pushed, or another database has applied it**: read
#   [a migration must leave `main` after others applied it](pulled-from-main.md).
# - **It came with another branch**: read [ghost migration](../mismatch/ghost-migration.md).
# - **You need what the column holds**: get the file back as below, keep it, and change the field
#   with a second migration. No value is lost, as [here](#keep-the-values).
# - **Nothing is deleted yet**: copy the database, and start at “Migrate back”.
#
# ## Fix it
#
# **What the column holds is lost.** Copy the database first.

# %% tags=["fix"]
laptop.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# ### Get the file back
#
# **Is your file still there? Start at “Migrate back”.** Take the new migration away. It was
# never applied.

# %% tags=["fix"]
laptop.run("rm library/migrations/0007_language_or_none.py")

# %% [markdown]
# If you had committed the old file, `git restore` brings it back, and you are done with this part:

# %%
committed.run("git restore library/migrations/0007_book_language.py")

# %% [markdown]
# If not, let Django write it again. It must do all that the deleted file did; a `RunPython` is not
# written again. Put the field back as it was; the schema tells how.

# %%
laptop.rows(
    on(
        SQLite="select type, \"notnull\" from pragma_table_info('library_book') where name='language'",
        PostgreSQL="select data_type, character_maximum_length, is_nullable from information_schema.columns "
        "where table_name = 'library_book' and column_name = 'language'",
    )
)

# %% tags=["fix"]
laptop.replace("library/models.py", BETTER, FIRST)

# %% [markdown]
# **The name must be the one in the history.** Then Django takes the new file for the old one, which
# is applied.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name book_language")

# %% [markdown]
# ### Migrate back
#
# Look first. The plan must name your migration and no other, and must not say
# [IRREVERSIBLE](irreversible.md).

# %%
laptop.run("python manage.py migrate library 0006 --plan")
kept = laptop.clone("kept")

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0006")

# %% [markdown]
# Only now does the file go. Moved and not deleted, it is a part of the way back.

# %% tags=["fix"]
laptop.run("mv library/migrations/0007_book_language.py ../0007_old.py")

# %% [markdown]
# Change the model, and make the migration that you want. If you want none, take the field out and
# stop here.

# %% tags=["fix"]
laptop.replace("library/models.py", FIRST, BETTER)

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name book_language")
laptop.run("python manage.py migrate")

# %% [markdown]
# ### Keep the values
#
# With the file back, and before “Migrate back”, this is the other way: a second migration.

# %%
kept.replace("library/models.py", FIRST, BETTER)
kept.run("python manage.py makemigrations library --name language_or_none")
kept.run("python manage.py migrate --verbosity 0")
values = kept.rows(LANGUAGES)

# %% [markdown]
# ## Make sure
#
# One migration, one column, and a book without a language can be saved. If the old file was
# committed, add this to the same commit with `git commit --amend`.

# %% tags=["after"]
laptop.chain("library")

# %%
undone = laptop.clone("undone")
laptop.run("python manage.py makemigrations --check --noinput")
laptop.run(INSERT)
now = laptop.rows("select id, title, copies from library_book where id <= 6 order by id")

# %% [markdown]
# ## Undo it
#
# The copy, the file and the field belong together. Put back all three.

# %%
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
undone.run("mv ../0007_old.py library/migrations/0007_book_language.py")
undone.replace("library/models.py", BETTER, FIRST)
back = undone.rows(LANGUAGES)

# %% [markdown]
# ## What not to do
#
# **Do not fake the new migration.** Each check is green, and the column is still the old one:

# %%
careless.run("python manage.py migrate library --fake")
careless.run("python manage.py migrate --check && python manage.py makemigrations --check")
careless.run(
    INSERT,
    fails=on(
        SQLite="NOT NULL constraint failed: library_book.language",
        PostgreSQL='null value in column "language" of relation "library_book" violates not-null',
    ),
)

# %% [markdown]
# **No error does not mean no loss.** Here the first field is only made longer, and the new field has
# a default. SQLite builds the table again, prints `OK`, and resets every row. PostgreSQL refuses
# here too, and keeps the data. ([So does MariaDB](../production/what-sqlite-hides.md).)

# %%
hasty.replace("library/models.py", FIRST, FIRST.replace("20", "30"))
hasty.run("python manage.py makemigrations library --name longer_language --verbosity 0")
hasty.run("python manage.py migrate", fails=on(SQLite=None, PostgreSQL=EXISTS))
lost = hasty.rows(LANGUAGES)

# %% [markdown]
# ## Why it happens
#
# A migration file is read in both directions. Forwards it adds the column, backwards it removes
# it. When the file goes first, Django no longer knows that direction: the row and the column stay
# behind, and two links of [the chain](../../guide/the-chain.md) break. The next `makemigrations`
# compares the models with the files only. It finds a field that no file adds, and adds it again.
#
# ## Keep it from happening
#
# Before you delete a migration file, look at `showmigrations`: if it says `[X]`, migrate back
# first. CI starts from an empty database and cannot see this. It sees the opposite, a field whose
# migration you forgot to make again:
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Under “Get the file back”, write `--name book_lang`. The history does not know that name:
# “Migrate back” then finds nothing to take back, and the playbook stops at `mv`.

# %% tags=["check"]
books = Sandbox("untouched").rows("select id, title, copies from library_book order by id")
assert now == books, "no other column of a book has changed"
assert laptop.chain().whole, "all apps are whole, not this one alone"
assert "No migrations to apply" in nothing, "without the file there is no way back"
assert recorded == [("library", "0007_book_language")], "the history knows the name"
assert pushed == "", "no branch on the server has it"
committed.run("git push --quiet")
assert committed.run(PUSHED), "and the same command tells when one has it"
assert values == [(1, "Pride and Prejudice", "en"), (2, "Emma", "fr")], (
    "a second migration keeps it"
)
assert kept.chain().whole, "so is the one that kept the column"
assert committed.chain().whole, "and the one that Git brought back"
assert back == values, "the copy brings the values back"
assert undone.chain().whole, "with the file and the field"
assert lost[1] == (2, "Emma", on(SQLite="en", PostgreSQL="fr")), "SQLite alone reset the value"
assert careless.chain().broken == ["files-history", "history-schema"], "faking mends nothing"

# %% tags=["check"]
forgotten = kept.clone("forgotten")
forgotten.run("rm library/migrations/0008_language_or_none.py")
found = forgotten.run("python manage.py makemigrations --check --noinput", fails="Alter field")
assert "language" in found, "the line for CI sees a forgotten migration"
