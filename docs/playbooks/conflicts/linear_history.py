# ---
# title: Put your migration on top of main's instead of merging
# symptoms:
#   - >-
#     Conflicting migrations detected; multiple leaf nodes in the migration graph:
#     (0007_author_born, 0007_book_language in library).
#   - "CONFLICT (content): Merge conflict in library/migrations/max_migration.txt"
#   - >-
#     Detected 0009_fill_born as the rebased migration, but it is applied to the local
#     database. Undo the rebase, reverse the migration, and try again.
# cause: >-
#   Yours and main's migration have the same parent, and you want one line instead of a merge.
#   Nothing is lost yet; taking yours back empties the column that it added.
# broken: [files-history]
# data: "may be lost: what the column of your migration holds"
# undo: put the copy of the database back and reset the branch, as long as you have not pushed
# safe_in: "development only: no other database has run your migration"
# applied: here only
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
CONFLICT = "Merge conflict in library/migrations/max_migration.txt"
RENAME = "git mv library/migrations/0007_book_language.py library/migrations/0008_book_language.py"
PARENTS = ("0006_find_books_by_title", "0007_author_born")
SAVE = "git add . && git commit --quiet --message"
BACK = on(
    SQLite="cp ../before.sqlite3 db.sqlite3",
    PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
)

# %% [markdown]
# Your colleague adds a field to `Author`, and pushes.

# %% tags=["setup"]
colleague.replace(
    "library/models.py", AUTHOR, AUTHOR + "    born = models.PositiveIntegerField(null=True)\n"
)
colleague.run("python manage.py makemigrations library --name author_born --verbosity 0")
colleague.run(f"python manage.py migrate --verbosity 0 && {SAVE} 'Born' && git push --quiet")

# %% [markdown]
# You add a field to `Book`, apply it and fill it in. Then you pull, and Git puts your commit on top
# of your colleague's. Your migration still names the old parent.

# %% tags=["setup"]
language = '    language = models.CharField(max_length=20, default="en")\n'
laptop.replace("library/models.py", COPIES, COPIES + language)
laptop.run(
    "python manage.py makemigrations library --name book_language --verbosity 0"
    " && python manage.py migrate --verbosity 0"
)
laptop.rows("update library_book set language = 'de' where title = 'Emma'")
laptop.run(f"{SAVE} 'Language of a book' && git pull --quiet --rebase")
careless = laptop.clone("careless")

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# Django sees two leaf nodes and stops. It does not migrate back either.

# %%
laptop.run("python manage.py migrate library 0006", fails="Conflicting migrations detected")

# %% [markdown]
# You may move your migration if no database but yours has run it. Ask every other one, staging too:
# it must answer 0.

# %%
found = colleague.rows(
    "select count(*) as count from django_migrations where name = '0007_book_language'"
)

# %% [markdown]
# - **You need the values of your new column**: do it
#   [without taking yours back](merge-of-long-branches.md#put-your-chain-on-top). The file keeps its name.
# - **It answers 1**: leave your migration as it is and [merge the two](two-leaf-nodes.md), unless
#   both [change the same field](two-migrations-one-field.md).
# - **You have renumbered it, and a database that had run it complains**: read
#   [The one you renumbered had been applied](applied-then-rebased.md).
# - **You have several on your branch**: read [Merge of long branches](merge-of-long-branches.md).
# - **`applied before its dependency`**: you set the parent too early. Put the old one back, start
#   here.
# - **Git reports a conflict in `max_migration.txt`**: go to
#   [django-linear-migrations](#with-django-linear-migrations).
#
# ## Fix it
#
# ### By hand
#
# **Only if no other database has run yours. What your new column holds is lost.** Copy the database
# first.

# %% tags=["fix"]
laptop.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# `ORIG_HEAD` is your branch as it was before the last pull, merge or rebase. There, yours is the
# only leaf node, and Django can take it back. Not pulled yet? Then you stand there already.
# **It must say `Unapplying` and the name of your migration.** If it does not, find the commit with
# `git reflog`.

# %% tags=["fix"]
unapplied = laptop.run(
    "git switch --quiet --detach ORIG_HEAD && python manage.py migrate library 0006"
)

# %% [markdown]
# Return to the new code.

# %% tags=["fix"]
laptop.run("git switch --quiet main")

# %% [markdown]
# Give the file the next number. Django does not need it; people do.

# %% tags=["fix"]
laptop.run(RENAME)

# %% [markdown]
# Make main's migration its parent. This is what puts it on top. Leave the lines that name other
# apps as they are.

# %% tags=["fix"]
laptop.replace("library/migrations/0008_book_language.py", *PARENTS)

# %% [markdown]
# Apply both.

# %% tags=["fix"]
applied = laptop.run("python manage.py migrate")

# %% [markdown]
# Push. Your colleague gets one more migration, and no merge.

# %%
undone = laptop.clone("undone")
laptop.run(f"{SAVE} 'Language after birth' && git push --quiet")
colleague.run("git pull --quiet && python manage.py migrate --verbosity 0")

# %% [markdown]
# ### With django-linear-migrations
#
# This package keeps the name of the last migration in a file, `max_migration.txt`. Two branches that
# add a migration both change that line, so Git reports a conflict. Install it
# (`python -m pip install django-linear-migrations`), switch it on and commit the files.

# %%
laptop.replace(
    "config/settings.py", '    "library",\n', '    "library",\n    "django_linear_migrations",\n'
)
laptop.run("python manage.py create_max_migration_files")
laptop.run(f"{SAVE} 'One line of migrations' && git push --quiet")

# %% [markdown]
# Then you both start a data migration. Your colleague pushes first.

# %%
colleague.run(
    "git pull --quiet && python manage.py makemigrations library --empty --name fill_genres"
    f" --verbosity 0 && {SAVE} 'Fill genres' && git push --quiet"
)
laptop.run(
    "python manage.py makemigrations library --empty --name fill_born --verbosity 0"
    f" && python manage.py migrate -v 0 && {SAVE} 'Fill born'"
)
laptop.run("git pull --quiet --rebase", fails=CONFLICT)

# %% [markdown]
# One command renames the file, sets the parent and mends `max_migration.txt`. It refuses as long as
# your migration is applied: the order of work is the same as by hand.

# %%
laptop.run("python manage.py rebase_migration library", fails="Undo the rebase")
laptop.run("git rebase --abort && python manage.py migrate library 0008")
laptop.run("git pull --quiet --rebase", fails=CONFLICT)
again = laptop.clone("again")
laptop.run("python manage.py rebase_migration library")
laptop.run("git add . && git rebase --continue && python manage.py migrate && git push --quiet")

# %% [markdown]
# ## Make sure
#
# The migrations stand in one line and all are applied. `Emma` has the default again: its `de` was in
# the column that was taken back.

# %% tags=["after"]
laptop.chain("library")

# %%
now = laptop.rows("select title, copies, language from library_book where title = 'Emma'")

# %% [markdown]
# ## Undo it
#
# **Not after you have pushed. `reset --hard` throws away what you have not committed.** Reset the
# branch and put the copy back; `de` is there again.

# %%
undone.run("git reset --quiet --hard ORIG_HEAD")
undone.run(BACK)
back = undone.rows("select title, copies, language from library_book where title = 'Emma'")

# %% [markdown]
# ## What not to do
#
# **Do not set the parent while yours is applied.** Django stops, and nothing is lost:

# %%
careless.replace("library/migrations/0007_book_language.py", *PARENTS)
careless.run("python manage.py migrate", fails="is applied before its dependency")

# %% [markdown]
# **Do not renumber while yours is applied.** A new name is a new migration to Django. SQLite adds the
# column a second time, prints `OK`, and every row is back at the default. PostgreSQL refuses the
# column and keeps the data.

# %%
careless.run(
    f"{RENAME} && python manage.py migrate",
    fails=on(SQLite=None, PostgreSQL='column "language" of relation "library_book" already exists'),
)
lost = careless.rows("select title, copies, language from library_book where title = 'Emma'")

# %% [markdown]
# **Do not use `rerere` with `max_migration.txt`.** With this setting Git remembers how you resolved a
# conflict. If you start over, it writes the old answer, and `rebase_migration` has nothing to read.

# %%
again.run("git config rerere.enabled true && git rerere")
again.run("python manage.py rebase_migration library && git add . && git rebase --continue")
again.run(
    "git reset --quiet --hard ORIG_HEAD && git merge --quiet origin/main",
    fails="using previous resolution",
)
again.run("python manage.py rebase_migration library", fails="does not seem to contain")

# %% [markdown]
# This brings the conflict back, and the command works:

# %%
again.run(
    "git checkout --merge library/migrations/max_migration.txt"
    " && python manage.py rebase_migration library"
)

# %% [markdown]
# ## Why it happens
#
# A migration's place is the parent that it names in `dependencies`; Git moves commits and never
# looks there. Renumbering moves the file to another place and gives it another name. The history
# knows it by the old name only, so on [the chain](../../guide/the-chain.md) files and history come
# apart on every database that has run it. That is why it is first taken back, and why this is for
# migrations that only you have run.
#
# ## Keep it from happening
#
# Pull before you run `makemigrations`. With `django_linear_migrations` switched on, this line fails
# in CI on two leaf nodes, and where `max_migration.txt` does not name the last migration. It cannot
# see that a renumbered migration had been applied somewhere.
#
# ```bash
# python manage.py check
# ```
#
# ## Run it yourself
#
# Write `null=True` in place of `default="en"`. Now renumbering what is applied fails on SQLite too,
# with `duplicate column name: language`, and the playbook stops there.

# %% tags=["check"]
assert found == [(0,)], "no other database had run it"
assert "Unapplying library.0007_book_language" in unapplied, "the commit was the right one"
assert "Applying library.0008_book_language" in applied, "and it ran again, on top"
assert now == [("Emma", 5, "en")], "the new column starts again with its default"
assert back == [("Emma", 5, "de")], "the copy brings the value back"
language = on(SQLite="en", PostgreSQL="de")
assert lost == [("Emma", 5, language)], "renumbering what is applied reset it, on SQLite alone"
assert undone.chain().whole, "undoing it leaves the branch as it was"
colleague.run("git pull --quiet && python manage.py migrate --verbosity 0")
assert all(place.chain().whole for place in (laptop, colleague)), "all apps are whole"
books = "select id, title, author_id, isbn, copies from library_book order by id"
assert laptop.rows(books) == colleague.rows(books), "and no book has changed"

# %% tags=["check"]
# What CI would say to a file that lags behind, and to two leaf nodes.
colleague.write("library/migrations/max_migration.txt", "0009_fill_genres\n")
lags = colleague.run("python manage.py check", fails="")
colleague.run("cp library/migrations/0010_fill_born.py library/migrations/0010_again.py")
forks = colleague.run("python manage.py check", fails="")
assert "Conflicting migrations detected" in forks, "check counts the leaf nodes"
assert "but the latest migration is '0010_fill_born'" in lags, "and reads max_migration.txt"
