# ---
# title: Rolling back undid the merge and nothing else
# symptoms:
#   - "NOT NULL constraint failed: library_book.language"
#   - null value in column "language" of relation "library_book" violates not-null constraint
# cause: >-
#   You migrated back to one parent of a merge migration. What came in through the other parent does
#   not build on it, so it stays in the schema. Nothing is lost yet; going further back would lose
#   data on both sides.
# broken: [files-history, history-schema]
# data: "may be lost: what the dropped columns hold"
# undo: put back the copy; or migrate forward, and the column comes back without its values
# safe_in: "production: for the database of a release that goes back"
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: reset
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
INSERT = (
    'python manage.py shell --verbosity 0 -c "from library.models import Author, Book; '
    "Book.objects.create(title='Persuasion', author=Author.objects.get(name='Jane Austen'))\""
)
REFUSED = on(
    SQLite="NOT NULL constraint failed: library_book.language",
    PostgreSQL='null value in column "language" of relation "library_book" violates not-null constraint',
)

# %% [markdown]
# The branch `language` adds two fields to `Book`, in two migrations.

# %% tags=["setup"]
laptop.run("git switch --quiet --create language")
laptop.replace(
    "library/models.py",
    "isbn =",
    'language = models.CharField(max_length=5, default="en")\n    isbn =',
)
laptop.run("python manage.py makemigrations library --name book_language --verbosity 0")
laptop.replace(
    "library/models.py",
    "isbn =",
    'translator = models.CharField(max_length=50, default="")\n    isbn =',
)
laptop.run("python manage.py makemigrations library --name book_translator --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Language and translator'")

# %% [markdown]
# Meanwhile `main` gets a field on `Author`. That is release 1: production applies it, and fills it.

# %% tags=["setup"]
laptop.run("git switch --quiet main")
laptop.replace(
    "library/models.py",
    "(max_length=100)\n",
    '(max_length=100)\n    country = models.CharField(max_length=50, default="")\n',
)
laptop.run("python manage.py makemigrations library --name author_country --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Country of an author'")
laptop.run("git tag release-1 && git push --quiet origin main release-1")
production.run("git pull --quiet --no-rebase --tags && python manage.py migrate --verbosity 0")
production.rows("update library_author set country = 'England' where name = 'Jane Austen'")

# %% [markdown]
# Release 2 brings the branch, and a merge migration. Production applies both, and works with them.

# %% tags=["setup"]
laptop.run("git merge --quiet --no-edit language")
laptop.run("python manage.py makemigrations library --merge --name merge_both --noinput -v 0")
laptop.run("git add . && git commit --quiet --message 'Release 2'")
branch = laptop.clone("branch")
laptop.run("git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
production.rows("update library_book set language = 'fr' where title = 'Emma'")
books = production.rows("select id, title, copies from library_book order by id")
careless = production.clone("careless")
in_time = production.clone("in-time")

# %% [markdown]
# Release 2 does not work, and you go back. The last migration of release 1 is `0007_author_country`.

# %% tags=["setup"]
production.run("python manage.py migrate library 0007_author_country --verbosity 0")
production.run("git switch --quiet --detach release-1")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# The code of release 1 is back, and `migrate` finds nothing to do. Each insert fails over a column
# that release 1 does not know.

# %%
production.run("python manage.py migrate --check")
production.run(INSERT, fails=REFUSED)

# %% [markdown]
# What went wrong, on a copy with the files of release 2. The first command takes back the merge,
# which is empty. Naming the other side as well takes back what builds on that name, and no more: the
# first migration of that side stays.

# %%
careless.run("python manage.py migrate library 0007_author_country")
careless.run("python manage.py migrate library 0007_book_language")
careless.run("python manage.py showmigrations library | grep 000[789]")

# %% [markdown]
# - **You have not gone back yet**: start at “Fix it”; the steps are the same.
# - **You left a branch, and there is no merge**: read
#   [You switched branch and the database kept a column](../mismatch/ghost-migration.md).
# - **Many databases have release 2**: go forward instead, see
#   [A migration must leave main, others have applied it](pulled-from-main.md).
# - **The plan says `IRREVERSIBLE`**: read
#   [migrate stops on the way back: not reversible](irreversible.md).
#
# ## Fix it
#
# **What the dropped columns hold is lost: stop all writes, then copy the database.**

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# ### Back to release 2
#
# Only the files of release 2 say how to take these migrations back.

# %% tags=["fix"]
production.run("git switch --quiet main")

# %% [markdown]
# Make the side to be removed a child of the side that stays: the first migration of the one gets
# the last migration of the other as its parent. Both are applied, so Django takes either order.
# **Do this only if the two sides change different fields or models. Do not commit this edit.**

# %% tags=["fix"]
production.replace(
    "library/migrations/0007_book_language.py", "0006_find_books_by_title", "0007_author_country"
)

# %% [markdown]
# Look first. This changes nothing.

# %% tags=["fix"]
plan = production.run("python manage.py migrate library 0007_author_country --plan")

# %% [markdown]
# **Go on only if this plan names all of the side to be removed, and nothing of the other.**

# %% tags=["fix"]
production.run("python manage.py migrate library 0007_author_country")

# %% [markdown]
# Drop the edit, and go to the code of release 1.

# %% tags=["fix"]
production.run("git restore library/migrations && git switch --quiet --detach release-1")

# %% [markdown]
# Each database that has applied release 2 needs the same. `main` still holds release 2: before the
# next deploy, see
# [A migration must leave main, others have applied it](pulled-from-main.md).
#
# ## Make sure
#
# No ghost is left, the insert works, and the data of release 1 is there.

# %% tags=["after"]
production.chain("library")

# %%
production.run(INSERT)
kept = production.rows("select name, country from library_author order by id limit 1")

# %% [markdown]
# ## Undo it
#
# Go to the code of release 2 and migrate: the columns come back with their defaults. Their values
# are in the copy.

# %%
undone = production.clone("undone")
undone.run("git switch --quiet main && python manage.py migrate --verbosity 0")
default = undone.rows("select title, language from library_book where title = 'Emma'")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
undone.run("python manage.py migrate --verbosity 0")
copied = undone.rows("select title, language from library_book where title = 'Emma'")

# %% [markdown]
# ## What not to do
#
# **Do not go back to the last migration that both sides have in common.** That takes back both
# sides. Coming forward again brings back the column of release 1, and nothing that it held.

# %%
careless.run("python manage.py migrate library 0006")
careless.run("python manage.py migrate library 0007_author_country")
lost = careless.rows("select name, country from library_author order by id limit 1")

# %% [markdown]
# ## Why it happens
#
# `migrate library 0007_author_country` means: unapply everything that builds on it. The merge does.
# The other side of the merge does not: it builds on `0006`, as `0007_author_country` itself does. In
# a line each name is a point in time. In a graph with two sides it is not, and no name stands for
# “release 1”. When the code of release 1 is back, the other side has lost its files, and its columns
# are still there: on [the chain](../../guide/the-chain.md) two links are broken, and no check of
# Django looks at them.
#
# ## Keep it from happening
#
# Write down for each release where it goes back to, and read it with `--plan` before you deploy. In a
# [linear history](../conflicts/linear-history.md) there is always such a name. In CI, this line fails
# on a branch that adds a merge migration. It goes by the name of the file.
#
# ```bash
# git diff --exit-code --diff-filter=A --name-only origin/main... -- "*/migrations/*_merge_*"
# ```
#
# ## Run it yourself
#
# Leave out the `replace` under “Back to release 2”. The plan is empty then, `migrate` takes back
# nothing, and the insert under “Make sure” fails as it did before.

# %% tags=["check"]
assert production.chain().whole, "all apps are whole"
assert kept == [("Jane Austen", "England")], "the data of release 1 is still there"
now = production.rows("select id, title, copies from library_book where id <= 6 order by id")
assert now == books, "no book has changed"
assert "author_country" not in plan, "the plan leaves the side of release 1 alone"
assert default == [("Emma", "en")], "going forward brings no values back"
assert copied == [("Emma", "fr")], "the copy does"
assert lost == [("Jane Austen", "")], "the wrong fix lost the data of release 1"

# %% tags=["check"]
# The same before the merge is taken back, and the line for CI on the branch of release 2.
in_time.replace(
    "library/migrations/0007_book_language.py", "0006_find_books_by_title", "0007_author_country"
)
in_time.run("python manage.py migrate library 0007_author_country --verbosity 0")
in_time.run("git restore library/migrations && git switch --quiet --detach release-1")
assert in_time.chain().whole, "it makes no difference whether the merge is applied"
branch.run(
    'git diff --exit-code --diff-filter=A --name-only origin/main... -- "*/migrations/*_merge_*"',
    fails="library/migrations/0009_merge_both.py",
)
