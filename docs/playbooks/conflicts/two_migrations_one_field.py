# ---
# title: Both branches changed the same field
# symptoms:
#   - "CONFLICT (content): Merge conflict in library/models.py"
#   - >-
#     Conflicting migrations detected; multiple leaf nodes in the migration graph:
#     (0007_book_title_300, 0007_title_250 in library).
#     To fix them run 'python manage.py makemigrations --merge'
# cause: >-
#   Two migrations alter one field in two ways, and nothing says which comes last. No row is lost,
#   but a merge migration can leave databases with different columns while every check is green.
# broken: [models-files, files-history]
# data: "untouched: if both alter the field"
# undo: migrate back to main's migration and delete yours, as long as you have not pushed it
# safe_in: "development only: yours is not pushed and has run on your database alone"
# applied: here only
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: conflicts
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
colleague = Sandbox("colleague")
COLUMN = "python manage.py inspectdb library_book | grep title"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
LONG = (
    "update library_book set title = title || replace('....................', '.', ', or The Whale')"
    " where title = 'Moby-Dick'"
)
SHORTEN = "update library_book set title = substr(title, 1, 200) where length(title) > 200"
REFUSED = on(SQLite=None, PostgreSQL="value too long for type character varying")
BOOKS = "select id, length(title) as length, copies from library_book order by id"

# %% [markdown]
# Your colleague makes room for titles of 250 characters, and pushes.

# %% tags=["setup"]
colleague.replace("library/models.py", "max_length=200", "max_length=250")
colleague.run("python manage.py makemigrations library --name title_250")
colleague.run("python manage.py migrate --verbosity 0")
colleague.run("git add . && git commit --quiet --message 'Titles of 250' && git push --quiet")

# %% [markdown]
# You make room for 300.

# %% tags=["setup"]
laptop.replace("library/models.py", "max_length=200", "max_length=300")
laptop.run("python manage.py makemigrations library --name book_title_300")
laptop.run("python manage.py migrate --verbosity 0")
books = laptop.rows(BOOKS)
laptop.run("git add . && git commit --quiet --message 'Titles of 300'")

# %% [markdown]
# You pull. Both changed one line of `models.py`, so here Git does report a conflict. You agree on
# 300 and keep your line. Nobody asks about the two migrations.

# %% tags=["setup"]
laptop.run("git pull --quiet --no-rebase", fails="CONFLICT (content)")
laptop.run("git checkout --ours library/models.py && git add . && git commit --quiet --no-edit")
staging = laptop.clone("staging")
careless = laptop.clone("careless")

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# `migrate` refuses every move, backwards too.

# %%
laptop.run("python manage.py migrate library 0006", fails="Conflicting migrations detected")

# %% [markdown]
# List what each branch does. It is your case if the same field stands on both.

# %%
laptop.run("python manage.py makemigrations library --merge --dry-run --noinput")

# %% [markdown]
# - **Different fields or models**: merge them, see
#   [Two branches added a migration to the same app](two-leaf-nodes.md).
# - **Both remove it**: see [Both branches removed the same field](both-branches-removed-it.md).
# - **One renames or removes it**: see
#   [One branch renamed or removed what the other alters](removed-here-altered-there.md).
# - **Both add it** (`+ Add field`): a merge resets the column or stops, and taking yours back drops
#   it. See [Both add it](#both-add-it).
# - **Both alter it, and yours is pushed, has run on another database or does more**: see
#   [Yours has run elsewhere](#yours-has-run-elsewhere). There, nothing is taken back.
# - **Both alter it, yours does no more, and only your database has run it**: read on.
#
# ## Fix it
#
# **Only if both alter the field, yours does no more, and no other database has run yours.** Agree on
# one value. Main's migration stays; yours is taken back and written again on top of it.
#
# Django does not move while there are two leaf nodes. Go to your last commit before the merge.
# `HEAD~1` is yours if you merged main into your branch; else find it with `git reflog`.
#
# Is the merge not committed yet? Then `git merge --abort` takes you there. Migrate back, pull again,
# resolve, commit, and go on where your migration is deleted.

# %% tags=["fix"]
laptop.run("git switch --quiet --detach HEAD~1")

# %% [markdown]
# Migrate back to the parent of both. At risk is what only your version of the column can hold. SQLite
# does not look at lengths and keeps a title of 289. PostgreSQL refuses to shrink the column, and
# changes nothing, until you [put that title aside](#long-values):

# %%
long = laptop.clone("long")
long.rows(LONG)
long.run("python manage.py migrate library 0006", fails=REFUSED)

# %% [markdown]
# **Run the next command with `--plan` first: it must list your migration, with `Undo`, alone.**
# **It lists something else? Stop and delete nothing: you are on the wrong commit.**

# %% tags=["fix"]
unapplied = laptop.run("python manage.py migrate library 0006")

# %% [markdown]
# Return to the merged code.

# %% tags=["fix"]
laptop.run("git switch --quiet main")

# %% [markdown]
# Delete your migration. No database has it any more.

# %% tags=["fix"]
laptop.run("rm library/migrations/0007_book_title_300.py")

# %% [markdown]
# Write it anew. Its parent is now main's migration.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name title_300")

# %% [markdown]
# Apply both, in the one order there is.

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# Push. Everyone else pulls and migrates as always.

# %%
laptop.run("git add . && git commit --quiet --message 'Titles of 300' && git push --quiet")
colleague.run("git pull --quiet --no-rebase")
colleague.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# ### Yours has run elsewhere
#
# `staging` has run your migration, so that file must stay, and it has a title of 289.
#
# Merge, and write a migration after the merge that sets main's value first and the agreed one
# second. The agreed one alone is not enough: where the files say that the field has 300 already,
# Django leaves the column as it is.

# %%
staging.run("python manage.py makemigrations library --merge --noinput --verbosity 0")
staging.write(
    "library/migrations/0009_title_300.py",
    """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0008_merge_0007_book_title_300_0007_title_250")]

    operations = [
        migrations.AlterField("book", "title", models.CharField(max_length=250)),
        migrations.AlterField("book", "title", models.CharField(max_length=300)),
    ]
""",
)
staging.rows(LONG)

# %% [markdown]
# Main's value comes to a column that holds a longer title. SQLite lets that pass. PostgreSQL stops,
# and changes nothing.

# %%
staging.run("python manage.py migrate --verbosity 0", fails=REFUSED)

# %% [markdown]
# ### Long values
#
# Before PostgreSQL makes a column shorter, put aside what does not fit. Write it back when the column
# has the agreed length.

# %%
staging.rows("create table aside as select id, title from library_book where length(title) > 200")
staging.rows(SHORTEN)
staging.run("python manage.py migrate --verbosity 0")
staging.rows(
    "update library_book set title = aside.title from aside where aside.id = library_book.id"
)
staging.rows("drop table aside")
staged = staging.run(COLUMN)

# %% [markdown]
# ### Both add it
#
# Do not merge them as they are: main's `AddField` runs on the column that you have. On SQLite every
# row is back at the default; PostgreSQL stops. Take the `AddField` out of yours, keep the file and
# all else in it, and merge. Then go to each database that has run yours alone. If main's only adds
# the field, record it there, with `migrate library 0007_shelf --fake`. With `--plan` in place of
# `--fake`, that must list main's alone; if it lists more, first migrate to the one before it. Then
# `migrate`: the values stay. If the two differ, write a migration as for `staging`: the other value
# first, the agreed one second.
#
# ## Make sure
#
# The migrations stand in one line, nothing is pending, and the models need no other.

# %% tags=["after"]
laptop.chain("library")

# %%
laptop.run("python manage.py makemigrations --check --noinput")

# %% [markdown]
# The proof is a new database, made in a second copy: its column must be that of the old one.

# %%
fresh = laptop.clone("fresh")
fresh.run(f"{NEW} && python manage.py migrate --verbosity 0")
columns = [place.run(COLUMN) for place in (fresh, laptop)]

# %% [markdown]
# ## Undo it
#
# As long as it is not pushed, you can take main's value.

# %%
undone = laptop.clone("undone")
undone.run("python manage.py migrate library 0007_title_250 --verbosity 0")
undone.run("rm library/migrations/0008_title_300.py")
undone.replace("library/models.py", "max_length=300", "max_length=250")

# %% [markdown]
# ## What not to do
#
# **Do not merge.** The usual advice, and that of the error message, is accepted without a word,
# and all is green.

# %%
careless.run("python manage.py makemigrations --merge --noinput --verbosity 0")
careless.run("python manage.py migrate --verbosity 0")
careless.run("python manage.py makemigrations --check --noinput")

# %% [markdown]
# But a merge migration is empty and decides nothing. This database ran 300 first and 250 last, which
# no command of Django sees:

# %%
drifted = careless.run(COLUMN)

# %% [markdown]
# A new one runs them the other way round: of two parents, first the one whose name sorts last. See
# [One branch renamed or removed what the other alters](removed-here-altered-there.md).

# %%
new = careless.clone("new")
new.run(NEW)
new.run("python manage.py migrate library | grep 000[78]")
built = new.run(COLUMN)

# %% [markdown]
# **Merged already?** The file written for `staging` above mends such a database too.

# %%
careless.run("cp ../staging/library/migrations/0009_title_300.py library/migrations/")
careless.run("python manage.py migrate --verbosity 0")
mended = careless.run(COLUMN)

# %% [markdown]
# ## Why it happens
#
# Both migrations start from one parent and set the same thing, so the last to run wins. On an old
# database that is the one that arrived last; on a new one the file names decide.
# `makemigrations --check` compares the models with the files, in the order of the names, and never
# looks at a table. On [the chain](../../guide/the-chain.md) the files have two ends, and only one
# of them agrees with the models.
#
# ## Keep it from happening
#
# When Git reports a conflict in `models.py`, look for two new migrations before you resolve it. In
# CI, on the merged state of a pull request, this line fails as long as nobody has merged the two
# leaf nodes. After that it may be green, so let a person read every `…_merge_….py`.
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Delete the line with `max_length=250` from `0009_title_300.py`. `staging` still ends with 300, but
# `careless`, which had run the merge before, stays at 250: a check fails.

# %% tags=["check"]
assert "Unapplying library.0007_book_title_300" in unapplied, "the commit was the right one"
assert "=300" in columns[0] == columns[1], "a new database has the column of the old one"
assert colleague.run(COLUMN) == columns[0], "and so has the colleague's"
assert laptop.rows(BOOKS) == books, "no row changed"
assert 289 in [length for _, length, _ in staging.rows(BOOKS)], "the long title is whole"
assert staging.chain().whole, "and nothing is left of what was put aside"
assert laptop.graph("library").leaves == ["0008_title_300"], "one leaf is left"
assert laptop.chain().whole, "all apps are whole, not this one alone"
assert undone.chain().whole, "undoing it leaves main's state"

# %% tags=["check"]
assert "=250" in drifted, "the database that merged ended with 250"
assert "=300" in built, "and a new one with 300"
assert "=300" in staged, "both values in a row set the column"
assert "=300" in mended, "on a database that has drifted as well"
long.rows(SHORTEN)
long.run("python manage.py migrate library 0006 --verbosity 0")
assert "=200" in long.run(COLUMN), "and nothing stops the way back once the title fits"

# %% tags=["check"]
# Both add a field: what a merge does as it is, and what it does without your AddField.
both = Sandbox("both-add")
copies = "    copies = models.PositiveIntegerField(default=1)\n"
shelf = '    shelf = models.CharField(max_length=5, default="A1")\n'
both.replace("library/models.py", copies, copies + shelf)
both.run("python manage.py makemigrations library --name book_shelf --verbosity 0")
both.run("python manage.py migrate --verbosity 0")
both.rows("update library_book set shelf = 'B2' where title = 'Emma'")
both.run("cp library/migrations/0007_book_shelf.py library/migrations/0007_shelf.py")
both.run("python manage.py makemigrations library --merge --noinput --verbosity 0")
reset = both.clone("reset")
exists = on(SQLite=None, PostgreSQL='column "shelf" of relation "library_book" already exists')
reset.run("python manage.py migrate --verbosity 0", fails=exists)
both.replace("library/migrations/0007_book_shelf.py", "    operations = [", "    _ = [")
assert both.run("python manage.py migrate library 0007_shelf --fake").count("FAKED") == 1
both.run("python manage.py migrate --verbosity 0")
EMMA = "select shelf from library_book where title = 'Emma'"
old = on(SQLite="A1", PostgreSQL="B2")
assert reset.rows(EMMA) == [(old,)], "the merge as it is resets the column, on SQLite alone"
assert both.rows(EMMA) == [("B2",)], "recording main's keeps it"
assert both.chain().whole, "and all is whole"
