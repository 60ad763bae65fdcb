# ---
# title: One branch renamed or removed what the other alters
# symptoms:
#   - "FieldDoesNotExist: Book has no field named 'isbn'"
#   - 'OperationalError: no such column: ""isbn""'
#   - column "isbn" of relation "library_book" does not exist
# cause: >-
#   A merge put two migrations side by side: one alters a field that the other renames or removes.
#   Databases that run the other one first stop. A rename loses nothing; a removal, only its column.
# broken: [models-files, history-schema]
# data: "untouched: unless one of the two removes the field"
# undo: migrate back to the parent of both; a removed column comes back empty, a rename keeps its rows
# safe_in: production
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: conflicts
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
colleague = Sandbox("colleague")
ALTER = """
        migrations.AlterField(
            model_name='book',
            name='isbn',
            field=models.CharField(blank=True, default='', max_length=17),
        ),
    """
MIGRATION = "library/migrations/0007_isbn_17.py"
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
COLUMN = "python manage.py inspectdb library_book | grep code"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
BOOKS = "select id, title, code, copies from library_book order by id"

# %% [markdown]
# Your colleague renames `isbn` to `code`, and pushes. Production migrates.

# %% tags=["setup"]
colleague.replace("library/models.py", "    isbn = ", "    code = ")
colleague.replace("library/admin.py", '"isbn"', '"code"')
colleague.run("python manage.py makemigrations library --name rename_isbn", answers=["y"])
colleague.run("python manage.py migrate --verbosity 0")
colleague.run("git add . && git commit --quiet --message 'Code' && git push --quiet")
production = colleague.clone("production")

# %% [markdown]
# You make `isbn` longer, because you have numbers with hyphens.

# %% tags=["setup"]
laptop.replace("library/models.py", "max_length=13", "max_length=17")
laptop.run("python manage.py makemigrations library --name isbn_17")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("update library_book set isbn = '978-0-14-143951-8' where title = 'Emma'")
laptop.run("git add . && git commit --quiet --message 'Longer numbers'")
staging = laptop.clone("staging")

# %% [markdown]
# You pull. Git reports a conflict in `models.py`, and you settle it: the new name, your length.

# %% tags=["setup"]
laptop.run("git pull --quiet --no-rebase", fails="CONFLICT (content)")
laptop.run("git checkout --quiet --theirs library/models.py")
laptop.replace("library/models.py", "max_length=13", "max_length=17")
laptop.run("git add . && git commit --quiet --no-edit")

# %% [markdown]
# `migrate` asks for a merge migration. You write it. On your laptop all goes well, and you push.

# %% tags=["setup"]
laptop.run("python manage.py makemigrations library --merge --name merge_isbn", answers=["y"])
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Merge' && git push --quiet")
books = laptop.rows(BOOKS)
careless = laptop.clone("careless")
fresh = laptop.clone("fresh")

# %% [markdown]
# In a second project the other branch removes the field that yours alters.

# %% tags=["setup"]
removed = Sandbox("removed")
removed.replace("library/admin.py", ', "isbn"', "")
removed.replace("library/models.py", ISBN, "")
removed.run("python manage.py makemigrations library --name no_isbn")
removed.run("python manage.py migrate --verbosity 0")
removed.run(f"cp ../laptop/{MIGRATION} library/migrations/")
removed.run("python manage.py makemigrations library --merge --noinput --verbosity 0")

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The deploy stops at the migration that alters the field. The rename has run before, or a line
# earlier in this deploy.

# %%
production.run(
    "git pull --quiet --no-rebase && python manage.py migrate",
    fails="Book has no field named 'isbn'",
)
faked = production.clone("faked")

# %% [markdown]
# And `makemigrations` wants to remove a field that is in none of your models.

# %%
production.run("python manage.py makemigrations --check --noinput", fails="Remove field isbn")

# %% [markdown]
# - **Not merged yet, and the one that alters is not pushed**: do not merge.
#   [Put it on top of the other](linear-history.md), with the new name in it.
# - **Not merged yet, both pushed**: edit the file as below, then
#   [merge](two-leaf-nodes.md), then go on.
# - **One removes the field, one alters it**: the fix is the same, and one step shorter. See
#   [It was removed](#it-was-removed).
# - **`KeyError`**: [both removed it](both-branches-removed-it.md).
# - **The column does not exist, and a migration says “Remove field”**: somebody committed what Django
#   offers. Where no database has recorded that file, delete it first.
# - **Both alter it, under one name**: [the same field in two ways](two-migrations-one-field.md).
#
# ## Fix it
#
# Take the operation out of the migration that alters, whoever wrote it. Keep the file: databases have
# recorded it. **Take out only the AlterField of this field; leave every other operation of the file.**

# %% tags=["fix"]
laptop.replace(MIGRATION, f"[{ALTER}]", "[]")

# %% [markdown]
# Now the rename is the only one that says anything about the field. Let Django compare the models
# with it, and write the change again: after the merge, under the new name.
# **The new file must hold that one AlterField, and neither add nor remove a field.**

# %% tags=["fix"]
written = laptop.run("python manage.py makemigrations library --name code_17")

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# Ship it. Every database goes on with `migrate` alone, whichever of the two it has run.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Alter after rename' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ### It was removed
#
# Where the removal has run, the values are gone. Take the operation out of the migration that alters
# the field, as above. There is nothing to write again.

# %%
removed.run("python manage.py migrate", fails="Book has no field named 'isbn'")
removed.run(f"cp ../laptop/{MIGRATION} library/migrations/")
removed.run("python manage.py migrate")
removed.run("python manage.py makemigrations --check --noinput")

# %% [markdown]
# ## Make sure
#
# All links hold, nothing is pending, and the number with hyphens is there.

# %% tags=["after"]
laptop.chain("library")

# %%
now = laptop.rows(BOOKS)

# %% [markdown]
# A new database, which stopped before, can be set up.

# %%
fresh.run(NEW)
fresh.run("python manage.py migrate --verbosity 0", fails="no field named 'isbn'")
fresh.run(NEW)
fresh.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Undo it
#
# The edit stays. You can take back what both branches did. SQLite keeps a number that is too long for
# the old column. PostgreSQL stops, and changes nothing.

# %%
undone = laptop.clone("undone")
undone.run(
    "python manage.py migrate library 0006",
    fails=on(SQLite=None, PostgreSQL="value too long for type character varying(13)"),
)
column = on(SQLite="isbn", PostgreSQL="code")
back = undone.rows(f"select title, {column} from library_book where title = 'Emma'")

# %% [markdown]
# **On PostgreSQL, first shorten what is too long. What you cut off is only in a backup.** Here that
# is the hyphens.

# %%
shorter = laptop.clone("shorter")
shorter.rows("update library_book set code = replace(code, '-', '') where length(code) > 13")
shorter.run("python manage.py migrate library 0006 --verbosity 0")

# %% [markdown]
# ## What not to do
#
# **Do not run the migration that Django offers.** It removes a column that is not there.

# %%
careless.run("python manage.py makemigrations --noinput")
careless.run(
    "python manage.py migrate",
    fails=on(
        SQLite='no such column: ""isbn""',
        PostgreSQL='column "isbn" of relation "library_book" does not exist',
    ),
)

# %% [markdown]
# **Do not fake the one that stops.** On production the exit code is 0. But the column keeps its 13
# characters, the models say 17, and a new database stops as before.

# %%
faked.run("python manage.py migrate --fake")
skipped = faked.run(COLUMN)

# %% [markdown]
# ## Why it happens
#
# A merge migration gives no order to its parents. Your laptop altered `isbn` and then renamed it.
# Production renamed it, and then found nothing to alter. A new database begins with the parent whose
# name sorts last: here, the rename. In memory Django notices nothing: altering a field that is gone
# puts it back into the models that the files amount to. So `makemigrations` wants to remove it. On
# [the chain](../../guide/the-chain.md) the files agree neither with the models nor with the schema.
#
# ## Keep it from happening
#
# When Git reports a conflict in `models.py`, read both new migrations before you merge. In CI, on
# the merged state of a pull request, this line fails on two leaf nodes, and after the merge on the
# field that comes back. If the file names sort the other way, it is green after the merge.
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Call your migration `wider_isbn` in place of `isbn_17`, everywhere in the file. It then sorts after
# the rename: your laptop is whole and `makemigrations --check` green, but production still stops.

# %% tags=["check"]
assert "Alter field code on book" in written, "it alters the field under its new name"
assert "Remove" not in written, "and removes nothing"
assert now == books, "the number with hyphens is there, and so is every other row"
kept = production.rows("select title, code from library_book where title = 'Emma'")
assert kept == [("Emma", "9780141439587")], "production kept its numbers"
columns = [place.run(COLUMN) for place in (fresh, production, laptop)]
assert columns == columns[:1] * 3, "a new database has the column of the others"
assert "length=17" in columns[0], "and that is the long one"
assert back == [("Emma", "978-0-14-143951-8")], "going back loses nothing, being refused neither"
short = shorter.rows("select title, isbn from library_book where title = 'Emma'")
assert short == [("Emma", "9780141439518")], "a value that fits comes along"

# %% tags=["check"]
# A database that ran yours alone, and one on which the migration that stops was faked.
for place in (staging, faked):
    place.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
assert "length=13" in skipped, "the fake left the column as it was"
assert "length=17" in faked.run(COLUMN), "the fix mends it there too"
for chain in (place.chain() for place in (laptop, production, fresh, staging, faked, removed)):
    assert chain.whole, f"{chain.place} is whole in all apps"
    assert not chain.pending, f"{chain.place} has run everything"
