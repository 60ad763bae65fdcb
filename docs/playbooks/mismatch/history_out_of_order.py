# ---
# title: A migration is applied before its dependency
# symptoms:
#   - >-
#     Migration library.0007_author_country is applied before its dependency
#     library.0007_book_language on database 'default'.
#   - >-
#     Migration admin.0001_initial is applied before its dependency accounts.0001_initial on
#     database 'default'.
# cause: >-
#   The files changed their order after one of them had been applied: an applied migration now has
#   a parent that is not. Django stops before it changes anything. Nothing is lost.
# broken: [files-history]
# data: untouched
# undo: delete the merge migration, as long as you have not pushed it
# safe_in: production
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
colleague = Sandbox("colleague")

# %% [markdown]
# You add a field to `Author` and ship it. It is applied in production, and filled in.

# %% tags=["setup"]
laptop.replace(
    "library/models.py",
    "(max_length=100)\n",
    '(max_length=100)\n    country = models.CharField(max_length=50, default="")\n',
)
laptop.run("python manage.py makemigrations library --name author_country --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Country of an author' && git push --quiet")
laptop.run("python manage.py migrate --verbosity 0")
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
production.rows("update library_author set country = 'England' where name = 'Jane Austen'")

# %% [markdown]
# Your colleague has added a field to `Book`, and applied it. After a pull there are two leaf nodes.
# Your colleague puts them in a row: their own migration first, yours behind it. `migrate` is content.

# %% tags=["setup"]
colleague.replace(
    "library/models.py",
    "isbn =",
    'language = models.CharField(max_length=5, default="en")\n    isbn =',
)
colleague.run("python manage.py makemigrations library --name book_language --verbosity 0")
colleague.run("python manage.py migrate --verbosity 0")
colleague.run("git add . && git commit --quiet --message 'Language of a book'")
third = colleague.clone("third")
colleague.run("git pull --quiet --no-rebase")
colleague.replace(
    "library/migrations/0007_author_country.py", "0006_find_books_by_title", "0007_book_language"
)
colleague.run("python manage.py migrate --verbosity 0")
colleague.run("git add . && git commit --quiet --message 'Language first'")
branch = colleague.clone("branch")
colleague.run("git push --quiet")

# %% [markdown]
# You pull.

# %% tags=["setup"]
laptop.run("git pull --quiet --no-rebase")
careless = production.clone("careless")

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The first migration in the message is applied, the second, its dependency, is not. Each form of
# `migrate` stops, and so does `makemigrations`. What is often advised cannot start:

# %%
STOP = "library.0007_author_country is applied before its dependency library.0007_book_language"
laptop.run("python manage.py migrate", fails=STOP)
laptop.run("python manage.py migrate library 0007_book_language --fake", fails=STOP)
laptop.run("python manage.py migrate admin zero", fails=STOP)
laptop.run("python manage.py makemigrations", fails=STOP)

# %% [markdown]
# `showmigrations` still works:

# %%
laptop.run("python manage.py showmigrations library | grep 0007")

# %% [markdown]
# Is the second migration's effect in the schema?
#
# - **No, a file was edited or put in between**, as here: go on, no matter which database has applied
#   which of the two.
# - **No, but the first one does need it**: go to “The dependency is right”.
# - **Your user model is in it**: go to “The dependency is your user model”.
# - **Yes, only the row is missing**: compare as in
#   [The table already exists](table-already-exists.md). `--fake` is refused here; the `insert` below
#   records one row.
# - **It is a squash**: read
#   [the originals were deleted too early](../squashing/originals-deleted-too-early.md).
#
# ## Fix it
#
# **Did it come with a pull? Tell whoever pushed it: one of you repairs it.**
# **Never give an applied migration a parent that is not applied everywhere.** Put its file back to
# what was applied, here from the commit that brought it. **`:/Country` is the last commit whose message
# has this word.**

# %% tags=["fix"]
laptop.run("git restore --source ':/Country' library/migrations/0007_author_country.py")

# %% [markdown]
# Now both have the same parent. Some databases have applied only the one, some only the other; a
# merge fits all. **Merge only if the two touch different fields or models.** Otherwise read
# [Both branches changed the same field](../conflicts/two-migrations-one-field.md).

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --merge --name merge_both", answers=["y"])

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# Ship it. Production, which would have stopped too, goes on. (If nobody has applied the new migration,
# you can also [put it behind the applied one](../conflicts/linear-history.md).)

# %%
undone = laptop.clone("undone")

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Both, merged' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ### The dependency is right
#
# Somebody adds a parent that was missing to an old, applied migration. Where both are applied,
# nothing happens. This database is behind in `library`, and stops.

# %%
behind = Sandbox("behind")
behind.run("python manage.py migrate library 0003 --verbosity 0")
behind.replace(
    "lending/migrations/0002_loan_due_on.py",
    '        ("lending", "0001_initial"),\n',
    '        ("lending", "0001_initial"),\n        ("library", "0004_genre"),\n',
)
behind.run("git add . && git commit --quiet --message 'A missing dependency'")
behind.run("python manage.py migrate", fails="lending.0002_loan_due_on is applied before")

# %% [markdown]
# Apply the dependency with the files of the commit before the edit. Then come back.

# %%
behind.run("git switch --quiet --detach HEAD~1 && python manage.py migrate library 0004 -v 0")
behind.run("git switch --quiet main && python manage.py migrate")

# %% [markdown]
# ### The dependency is your user model
#
# You set `AUTH_USER_MODEL` after the first `migrate`. If you can do without it, take it back. If no
# data matters, [throw the database away](../reset/reset-throwaway-database.md).

# %%
member = Sandbox("member")
member.run("python manage.py startapp accounts")
member.replace(
    "config/settings.py",
    '    "lending",\n]\n',
    '    "lending",\n    "accounts",\n]\nAUTH_USER_MODEL = "accounts.User"\n',
)
user = "from django.contrib.auth.models import AbstractUser\nfrom django.db import models\n\n\n"
user += "class User(AbstractUser):\n    id = models.AutoField(primary_key=True)\n\n"
user += '    class Meta:\n        db_table = "auth_user"\n'
member.write("accounts/models.py", user)
member.run("python manage.py makemigrations accounts --verbosity 0")
member.run("python manage.py migrate", fails="admin.0001_initial is applied before its dependency")

# %% [markdown]
# If the data stays, the first migration must describe the table that is there: the old name, the old
# type of key, no new field. Then its effect is in the schema, and you may write the record by hand.
# **Copy the database first. Write the record only if the schema has all of it.**

# %%
member.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)
member.rows(
    "insert into django_migrations (app, name, applied)"
    " values ('accounts', '0001_initial', current_timestamp)"
)
member.rows(
    "update django_content_type set app_label = 'accounts'"
    " where app_label = 'auth' and model = 'user'"
)
member.run("python manage.py migrate")

# %% [markdown]
# The second statement keeps the permissions with the model. Do both on every database that exists, before
# its `migrate`; a new one runs `accounts.0001` itself. Your own fields come in the next migration.
#
# ## Make sure

# %% tags=["after"]
production.chain()

# %%
kept = production.rows(
    "select name, country, title, language from library_author a"
    " join library_book b on b.author_id = a.id order by b.id limit 1"
)

# %% [markdown]
# ## Undo it
#
# As long as the merge is not pushed: migrate back, which undoes the merge alone, delete it, and put
# back the other file. The error does not return: where both are applied, each order fits.

# %%
undone.run("python manage.py migrate library 0007_author_country")
undone.run("rm library/migrations/0008_merge_both.py")
undone.run("git restore library/migrations && python manage.py migrate --check")

# %% [markdown]
# ## What not to do
#
# **Do not delete the row of the applied migration.** The error is gone, because Django now takes the
# migration for a new one. SQLite builds the table again, prints `OK` and resets the column. PostgreSQL
# refuses the column and keeps the data, and the history lacks a row.

# %%
careless.run("git pull --quiet --no-rebase")
careless.rows("delete from django_migrations where name = '0007_author_country'")
careless.run("python manage.py migrate", fails=on(SQLite=None, PostgreSQL='column "country" of'))
left = careless.rows("select name, country from library_author order by id limit 1")

# %% [markdown]
# ## Why it happens
#
# Before they do anything, `migrate` and `makemigrations` compare `django_migrations` with the files:
# a migration that has a row needs a row for each parent. An edit of `dependencies` does not change
# the history of databases. It works where both are applied and on a new database, so tests do not
# see it. `AUTH_USER_MODEL` does the same without an edit: `admin` depends on your user model. On
# [the chain](../../guide/the-chain.md) this is a break between files and history.
#
# ## Keep it from happening
#
# Put new migrations at the end, and set `AUTH_USER_MODEL` before the first `migrate`. In CI, this
# line fails on a branch that edits or deletes a migration of `main`. It does not see the setting.
#
# ```bash
# git diff --exit-code --no-renames --diff-filter=MD --name-only origin/main... -- "*/migrations/*"
# ```
#
# ## Run it yourself
#
# Leave out your own `migrate` in the first cell. You have then applied neither of the two, your
# colleague's order works, and the run stops at the first command that should have failed.

# %% tags=["check"]
assert kept == [("Jane Austen", "England", "Pride and Prejudice", "en")], "production kept its data"
country = on(SQLite="", PostgreSQL="England")
assert left == [("Jane Austen", country)], "the wrong fix reset the column on SQLite"
assert member.rows("select * from auth_user_groups"), "the user keeps the group"
# %% tags=["check"]
third.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
branch.run(
    'git diff --exit-code --no-renames --diff-filter=MD --name-only origin/main... -- "*/migrations/*"',
    fails="library/migrations/0007_author_country.py",
)
branch.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
branch.run("python manage.py migrate --verbosity 0")
places = (laptop, production, behind, member, undone, third, branch)
for chain in [place.chain() for place in places]:
    assert chain.whole, f"{chain.place} is whole"
