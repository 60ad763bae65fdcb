# ---
# title: "migrate stops on the way back: not reversible"
# symptoms:
#   - >-
#     IrreversibleError: Operation <RunSQL 'update library_book set copies = copies + 1'> in
#     library.0008_reading_room_copy is not reversible
#   - "no such column: library_book.note"
#   - column library_book.note does not exist
#   - "NotImplementedError: You cannot reverse this operation"
# cause: >-
#   A RunPython or RunSQL has no code for the way back, so Django stops there. Whatever it had taken
#   back by then stays taken back: the values in those columns are lost.
# broken: []
# data: "may be lost: what the columns and tables of the release hold"
# undo: migrate forward again, or put back the copy of the database
# safe_in: "production: once you have tried the way back on a copy"
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: reset
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
NOTE = '    note = models.CharField(max_length=200, default="")\n'
BOOKS = "select title, isbn, copies from library_book order by id limit 2"
READ = "python manage.py shell -v 0 -c 'from library.models import Book; Book.objects.first()'"
ROOM = "library/migrations/0008_reading_room_copy.py"
HEAD = "from django.db import migrations\n\n\n"
NO_NOTE = on(
    SQLite="no such column: library_book.note",
    PostgreSQL="column library_book.note does not exist",
)
BACK = '"update library_book set copies = copies - 1"'

# %% [markdown]
# Before the release, a number has hyphens.

# %% tags=["setup"]
production.run("git tag release-1")
production.rows("update library_book set isbn = '0-14-143958-0' where title = 'Emma'")

# %% [markdown]
# The release has three migrations. Two of them change rows, and have no way back.

# %% tags=["setup"]
laptop.write(
    "library/migrations/0007_isbn_without_hyphens.py",
    HEAD
    + """\
def strip(apps, schema_editor):
    for book in apps.get_model("library", "Book").objects.all():
        book.isbn = book.isbn.replace("-", "")
        book.save()


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(strip)]
""",
)
laptop.write(
    ROOM,
    HEAD
    + """\
class Migration(migrations.Migration):
    dependencies = [("library", "0007_isbn_without_hyphens")]
    operations = [migrations.RunSQL("update library_book set copies = copies + 1")]
""",
)
laptop.replace("library/models.py", COPIES, COPIES + NOTE)
laptop.run("python manage.py makemigrations library --name book_note --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Release 2' && git push --quiet")

# %% [markdown]
# Production gets it, and somebody writes a note. But the release is bad. You want to go back to
# where the one before it was, and get halfway.

# %% tags=["setup"]
production.run("git pull --quiet && python manage.py migrate --verbosity 0")
production.rows("update library_book set note = 'Signed' where title = 'Emma'")
halfway = production.run("python manage.py migrate library 0006", fails="is not reversible")
forward = production.clone("forward")
careless = production.clone("careless")
ci = laptop.clone("ci")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# `migrate` names the operation that has no way back, in Python code as
# `<RunPython <function strip at 0x…>>` (not run here; the address differs each time). Look at the
# lines above the error: here they say `Unapplying library.0009_book_note... OK`. That column is
# gone, with the notes in it. The code of the release is still there, and asks for it:

# %%
production.run(READ, fails=NO_NOTE)

# %% [markdown]
# **Can you stay on the release?** Then this command is the whole fix. The column returns empty.

# %%
forward.run("python manage.py migrate")

# %% [markdown]
# If not, ask the plan what is in the way. It changes nothing.

# %%
plan = production.run("python manage.py migrate library 0006 --plan")

# %% [markdown]
# It does not look into `SeparateDatabaseAndState`. There the error comes without notice:

# %%
hidden = Sandbox("hidden")
hidden.write(
    "library/migrations/0007_reading_room_copy.py",
    HEAD
    + """\
class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    add = migrations.RunSQL("update library_book set copies = copies + 1")
    operations = [migrations.SeparateDatabaseAndState(database_operations=[add])]
""",
)
hidden.run("python manage.py migrate --verbosity 0")
silent = hidden.run("python manage.py migrate library 0006 --plan")
hidden.run("python manage.py migrate library 0006", fails="You cannot reverse this operation")

# %% [markdown]
# For each operation, ask what the old code needs:
#
# - **The old values can be computed**: write that, as for `copies` below.
# - **They cannot, and the old code works with the new ones**: the reverse is `noop`, as for `isbn`.
# - **They cannot, and the old code needs them**: there is no way back. Stay on the release, or put
#   back a backup from before it.
#
# Is it not pushed? Read [Take back a migration that you have not pushed](undo-unpushed.md). Is a
# merge on the way? Read [Rolling back undid the merge and nothing else](back-through-a-merge.md).
#
# ## Fix it
#
# **Can you stay on the release? Then `python manage.py migrate` is the whole fix.**
# **Going back loses what the new columns hold: stop all writes, then copy the database.**

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Write the way back into the migrations. Forwards it is not read, so an applied migration can take
# this edit. **Do not touch the forward code.** That
# [makes databases differ](../mismatch/edited-after-applying.md).

# %% tags=["fix"]
laptop.replace(ROOM, 'copies + 1")]', 'copies + 1",\n        ' + BACK + ")]")

# %% [markdown]
# Where the hyphens stood is not known any more. The old code works without them. **Write `noop` only
# if the old code works with the new values.**

# %% tags=["fix"]
laptop.replace(
    "library/migrations/0007_isbn_without_hyphens.py",
    "migrations.RunPython(strip)",
    "migrations.RunPython(strip, migrations.RunPython.noop)",
)

# %% tags=["fix"]
laptop.run("git commit --all --quiet --message 'Write the way back' && git push --quiet")

# %% [markdown]
# Production needs these files for the way back, so they come first.

# %% tags=["fix"]
production.run("git pull --quiet")

# %%
lazy = production.clone("lazy")

# %% tags=["fix"]
clear = production.run("python manage.py migrate library 0006 --plan")

# %% [markdown]
# **Go on only if this plan says IRREVERSIBLE nowhere.** Go back with the code of the release: only
# it has the files. Try it on a copy of the database first: rows may have changed since.

# %% tags=["fix"]
production.run("python manage.py migrate library 0006")

# %% [markdown]
# Then, and not before, put the old code there.

# %% tags=["fix"]
production.run("git switch --quiet --detach release-1")

# %% [markdown]
# Each database that has applied the release needs the same. `main` still holds the release: before
# the next deploy, read
# [A migration must leave main, others have applied it](pulled-from-main.md).
#
# ## Make sure
#
# Old code, old schema, and the copies are counted as before. Lost are the note and the hyphens.

# %% tags=["after"]
production.chain("library")

# %%
production.run(READ)
now = production.rows(BOOKS)

# %% [markdown]
# ## Undo it
#
# Put back code and copy, and migrate forward. The notes do not return: the first try took them,
# before the copy was made.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
undone.run("git switch --quiet main && python manage.py migrate --verbosity 0")
again = undone.rows("select title, isbn, copies, note from library_book order by id limit 2")

# %% [markdown]
# ## What not to do
#
# **Do not go back with `--fake`.** Only the record goes back. Each book keeps its extra copy, and
# the next release counts it once more. There were 3 and 5 copies:

# %%
careless.run("python manage.py migrate library 0006 --fake")
careless.run("python manage.py migrate --verbosity 0")
faked = careless.rows(BOOKS)

# %% [markdown]
# **Do not write `noop` where something must be undone.** It ends the error, and does the same harm:

# %%
lazy.replace(ROOM, BACK, "migrations.RunSQL.noop")
lazy.run("python manage.py migrate library 0006 -v 0 && python manage.py migrate -v 0")
nothing_undone = lazy.rows(BOOKS)

# %% [markdown]
# ## Why it happens
#
# Django can reverse `AddField` by itself, because the operation says all that it did. SQL and
# Python it cannot read. On the way back each migration is a step of its own: what was taken back
# stays so when the next step stops. So all links of [the chain](../../guide/the-chain.md) hold
# wherever you stop. What does not fit any more is the running code, and the data.
#
# ## Keep it from happening
#
# Write the way back when you write the way forward. In CI, after `migrate`, this line fails on an
# operation of the app without a way back, also on a hidden one. It does not see a `noop` that
# should be more. **Never type it where a database has data: it drops the tables of the app, and those
# that depend on them.**
#
# ```bash
# python manage.py migrate library zero
# ```
#
# ## Run it yourself
#
# In the setup, where the note is written, set `copies = 0` too. The way back then stops at
# the `CHECK` constraint of `copies`. Think of rows that change after the release.

# %% tags=["check"]
assert "Unapplying library.0009_book_note... OK" in halfway, "the first try went halfway"
assert plan.count("IRREVERSIBLE") == 2, "the plan tells both"
assert "IRREVERSIBLE" not in silent, "and not the hidden one"
assert "IRREVERSIBLE" not in clear, "after the edit nothing is in the way"
assert now[1] == ("Emma", "0141439580", 5), "the book has lost its hyphens and nothing else"
assert again[1] == ("Emma", "0141439580", 6, ""), "forward again, without the note"
assert [copies for *_, copies in faked] == [5, 7], "after --fake the copy is counted twice"
assert faked == nothing_undone, "and after noop as well"
assert forward.chain().whole, "going forward mends it too"
assert production.chain().whole, "all apps are whole, not this one alone"
COUNTED = "select id, title, copies from library_book order by id"
assert production.rows(COUNTED) == Sandbox("untouched").rows(COUNTED), "no book has an extra copy"
# The line for CI, before the mend and after it, and on the hidden one.
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
ZERO = f"{NEW} && python manage.py migrate && python manage.py migrate library zero"
ci.run(ZERO, fails="is not reversible")
hidden.run(ZERO, fails="You cannot reverse this operation")
laptop.run(ZERO)
