# ---
# title: Both branches removed the same field
# symptoms:
#   - "KeyError: 'isbn'"
#   - "KeyError: ('lending', 'loan')"
#   - 'OperationalError: no such column: ""isbn""'
#   - column "isbn" of relation "library_book" does not exist
# cause: >-
#   Two migrations remove one field, and somebody merged them. Whichever runs second finds nothing to
#   remove. Django stops there; the column went with the first, and no more is lost.
# broken: []
# data: "untouched: what the column held went with the first removal"
# undo: migrate back to the parent of both; the column comes back, its values do not
# safe_in: production
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: conflicts
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
REMOVAL = """
        migrations.RemoveField(
            model_name='book',
            name='isbn',
        ),
    """
BOOKS = "select id, title, copies from library_book order by id"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
MISSING = on(
    SQLite='no such column: ""isbn""',
    PostgreSQL='column "isbn" of relation "library_book" does not exist',
)

# %% [markdown]
# Nobody needs `isbn` any more. You delete it from the code.

# %% tags=["setup"]
laptop.replace("library/admin.py", ', "isbn"', "")
laptop.replace("library/models.py", ISBN, "")

# %% [markdown]
# Your colleague deletes the same lines on the same day. Each of you writes and applies a migration.

# %% tags=["setup"]
colleague = laptop.clone("colleague")
for place, name in ((colleague, "book_without_isbn"), (laptop, "remove_isbn")):
    place.run(f"python manage.py makemigrations library --name {name}")
    place.run("python manage.py migrate --verbosity 0")
    place.run("git add . && git commit --quiet --message 'Remove the ISBN'")

# %% [markdown]
# Your colleague pushes, and production migrates.

# %% tags=["setup"]
colleague.run("git push --quiet")
production = colleague.clone("production")
books = production.rows(BOOKS)

# %% [markdown]
# You pull. Both deleted the same lines, so Git has nothing to report. `migrate` asks for a merge
# migration. You write it, and push.

# %% tags=["setup"]
laptop.run("git pull --quiet --no-rebase")
unpushed = laptop.clone("unpushed")
laptop.run("python manage.py makemigrations library --merge --name merge_isbn", answers=["y"])
laptop.run("git add . && git commit --quiet --message 'Merge' && git push --quiet")
careless = laptop.clone("careless")
fresh = laptop.clone("fresh")

# %% tags=["before"]
laptop.chain("library")

# %% tags=["before"]
laptop.graph("library")

# %% [markdown]
# ## Is this your case?
#
# The last line is a `KeyError` that names the field. The next deploy stops with it, and so does
# `makemigrations`.

# %%
production.run("git pull --quiet --no-rebase && python manage.py migrate", fails="KeyError: 'isbn'")
production.run("python manage.py makemigrations --check --noinput", fails="KeyError: 'isbn'")

# %% [markdown]
# Two migrations of the app remove that field:

# %%
laptop.run("git grep --after-context=2 RemoveField -- library/migrations")

# %% [markdown]
# - **Two leaf nodes, yours is not pushed, and both do nothing else**: do not merge. Read
#   [Yours is not pushed](#yours-is-not-pushed).
# - **Two leaf nodes in any other case**: merge them with `makemigrations --merge`, then read on. The
#   merge alone does not help.
# - **The `KeyError` names an app and a model**: both removed a model. The fix is the same; where yours
#   has run, `migrate` then stops at a table that does not exist.
# - **`FieldDoesNotExist`**: read
#   [One branch renamed or removed what the other alters](removed-here-altered-there.md).
#
# ## Fix it
#
# Only one of the two may remove the field. Main's stays as it is. The other keeps its file: databases
# have recorded it, and the merge names it.
# **Take the `RemoveField` alone out of your migration, and leave its other operations.** What you take
# out too, `makemigrations` writes again, and it then runs a second time.
# **Take it out of one of the two, never both.** With none left, a new database keeps the column.

# %% tags=["fix"]
laptop.replace("library/migrations/0007_remove_isbn.py", f"[{REMOVAL}]", "[]")

# %% [markdown]
# Now migrate. Your laptop had run yours, so main's finds no column.
# **A database that has run yours must stop here, because the column is missing; any other is done.**

# %% tags=["fix"]
stopped = laptop.run("python manage.py migrate", fails=MISSING)

# %% [markdown]
# On a database that stopped there, record main's as applied: its work is done.
# **Go on only if `migrate` stopped there, and if main's does nothing but this removal.** Does it do
# more? Then `--fake` skips that. Add the column again with SQL (`alter table library_book add column
# isbn varchar(13)`), and `migrate` runs all of main's. On a database that did not stop, `--fake` would
# leave the column.

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0007_book_without_isbn --fake")

# %% [markdown]
# The merge is left to apply. Then ship the edit.

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Remove the ISBN once' && git push --quiet")

# %% [markdown]
# Production had run main's, and a new database has run neither. Both need `migrate` alone.

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ### Yours is not pushed
#
# Then no one needs your file, and there is nothing to merge. Delete it.
# **Here `--fake` also fakes what is pending before main's: look with `--plan`.** It must list main's
# alone. If it lists more, first migrate to the one before it.

# %%
unpushed.run("rm library/migrations/0007_remove_isbn.py")
unpushed.run("python manage.py migrate library 0007_book_without_isbn --plan")

# %% [markdown]
# Record main's: `FAKED`, once. Then delete the row of yours. `--prune` deletes all rows of the app
# whose files are gone.

# %%
unpushed.run("python manage.py migrate library 0007_book_without_isbn --fake")
unpushed.run("python manage.py migrate library --prune")

# %% [markdown]
# ## Make sure
#
# All links hold, nothing is pending, and every book is there.

# %% tags=["after"]
laptop.chain("library")

# %%
kept = laptop.rows(BOOKS)

# %% [markdown]
# A new database can be set up from these files.

# %%
install = laptop.clone("new-install")
install.run(f"{NEW} && python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Undo it
#
# The edit stays: without it no database can go on. What you can take back is the removal. The
# column comes back with its default in every row; the numbers are only in a backup.

# %%
undone = laptop.clone("undone")
undone.run("python manage.py migrate library 0006")
back = undone.rows("select title, isbn from library_book order by id limit 1")

# %% [markdown]
# ## What not to do
#
# **Do not fake everything.** All of it is recorded, and the exit code is 0. But the files still
# remove the field twice, so from now on every `migrate` stops before it starts.

# %%
careless.run("python manage.py migrate --fake")
careless.run("python manage.py migrate", fails="KeyError: 'isbn'")
careless.chain("library")

# %% [markdown]
# Nobody can set up a new database from these files, and the attempt stops half-way:

# %%
fresh.run(NEW)
fresh.run("python manage.py migrate --verbosity 0", fails="KeyError: 'isbn'")

# %% [markdown]
# That one has run yours alone, like your laptop. After the edit it needs the same two commands.
#
# ## Why it happens
#
# A merge migration has two parents and no content: it says that both come first, and both still
# remove the field. Before Django touches a table, it plays the operations on a model in memory. The
# second removal finds no field there, hence a `KeyError` and no database error. `--fake` skips that
# step once. The next command plays all applied migrations again, and meets it. On
# [the chain](../../guide/the-chain.md) the files no longer amount to any models.
#
# ## Keep it from happening
#
# Before you merge, read the operations of both branches: `makemigrations --merge --dry-run` lists
# them. In CI, on the merged state of a pull request, this line fails on two leaf nodes, and after
# the merge with the `KeyError`. It does not tell which databases need `--fake`.
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Empty main's migration, `0007_book_without_isbn.py`, in place of yours. The playbook stops at the
# next command, because `migrate` now works on your laptop. Production is then the one to fake.

# %% tags=["check"]
assert kept == books == production.rows(BOOKS), "every book kept its title and its copies"
for chain in (laptop.chain(), production.chain(), install.chain(), unpushed.chain()):
    assert chain.whole, f"{chain.place} is whole in all apps"
    assert not chain.pending, f"{chain.place} has run everything"
look = "python manage.py inspectdb library_book"
columns = [sorted(place.run(look).splitlines()) for place in (install, laptop, production)]
assert columns == [columns[0]] * 3, "one schema"
assert back == [("Pride and Prejudice", "")], "the column comes back empty"

# %% tags=["check"]
# A database that stopped half-way, and two branches that removed a model.
fresh.run("git pull --quiet --no-rebase")
fresh.run("python manage.py migrate", fails=MISSING)
fresh.run("python manage.py migrate library 0007_book_without_isbn --fake --verbosity 0")
fresh.run("python manage.py migrate --verbosity 0")
assert fresh.chain().whole, "the same two commands mend it"
model = Sandbox("model")
text = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("lending", "0007_unique_reader_email")]
    operations = [migrations.DeleteModel("Loan")]
"""
model.write("lending/migrations/0008_no_loan.py", text)
model.run("python manage.py migrate --verbosity 0")
model.write("lending/migrations/0008_without_loan.py", text)
model.run("python manage.py makemigrations lending --merge --noinput --verbosity 0")
model.run("python manage.py migrate", fails="KeyError: ('lending', 'loan')")
model.replace("lending/migrations/0008_no_loan.py", '[migrations.DeleteModel("Loan")]', "[]")
table = on(SQLite="no such table: lending_loan", PostgreSQL='table "lending_loan" does not exist')
model.run("python manage.py migrate", fails=table)

# %% tags=["check"]
# What the warnings warn of, and main's running on a column that was added again.
assert "library.0007_book_without_isbn" in stopped, "it is main's that stops"
again = careless.clone("again")
again.replace("library/migrations/0007_remove_isbn.py", f"[{REMOVAL}]", "[]")
again.rows(
    "delete from django_migrations where name in ('0007_book_without_isbn', '0008_merge_isbn')"
)
again.rows("alter table library_book add column isbn varchar(13)")
again.run("python manage.py migrate --verbosity 0")
assert again.chain().whole, "the column is gone again, and all of main's has run"
undone.run("python manage.py migrate library 0007_book_without_isbn --fake --verbosity 0")
assert "history-schema" in undone.chain("library").broken, "recorded too early, the column stays"
both = install.clone("both-empty")
both.replace("library/migrations/0007_book_without_isbn.py", f"[{REMOVAL}]", "[]")
both.run(f"{NEW} && python manage.py migrate --verbosity 0")
both.rows("select isbn from library_book")
both.run("python manage.py makemigrations --check --noinput", fails="Remove field isbn from book")
