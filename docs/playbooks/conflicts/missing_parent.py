# ---
# title: A migration names a parent that is gone
# symptoms:
#   - >-
#     NodeNotFoundError: Migration library.0008_author_born dependencies reference nonexistent
#     parent node ('library', '0007_book_language')
#   - >-
#     NodeNotFoundError: Migration library.0007_name_the_site dependencies reference nonexistent
#     parent node ('sites', '0002_alter_domain_unique')
# cause: >-
#   The file of the parent was renamed, deleted or never committed, or its app is not in
#   INSTALLED_APPS. Django stops before it changes anything: nothing is lost.
# broken: [files-history, history-schema]
# data: untouched
# undo: git revert
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
production = Sandbox("production")
NAME = "class Author(models.Model):\n    name = models.CharField(max_length=100)\n"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
SAVE = "git add . && git commit --quiet --message"
LIBRARY = '    "library",\n'
GONE = "nonexistent parent node"

# %% [markdown]
# Your colleague adds a field to `Book`, and production applies it and fills it in.

# %% tags=["setup"]
language = '    language = models.CharField(max_length=20, default="en")\n'
colleague.replace("library/models.py", COPIES, COPIES + language)
colleague.run(
    "python manage.py makemigrations library --name book_language --verbosity 0"
    f" && {SAVE} 'Language of a book' && git push --quiet"
)
production.run("git pull --quiet && python manage.py migrate --verbosity 0")
production.rows("update library_book set language = 'de' where title = 'Emma'")

# %% [markdown]
# You build on it. Meanwhile your colleague finds a better name for the file, and pushes.

# %% tags=["setup"]
laptop.run("git pull --quiet")
born = "    born = models.PositiveIntegerField(null=True)\n"
laptop.replace("library/models.py", NAME, NAME + born)
laptop.run(
    "python manage.py makemigrations library --name author_born --verbosity 0"
    f" && {SAVE} 'Birth of an author'"
)
colleague.run(
    "git mv library/migrations/0007_book_language.py library/migrations/0007_language_of_a_book.py"
    f" && {SAVE} 'A better name' && git push --quiet"
)

# %% [markdown]
# You pull and push: Git reports no conflict. The deploy stops.

# %% tags=["setup"]
laptop.run("git pull --quiet --no-rebase && git push --quiet")
production.run("git pull --quiet")
careless = production.clone("careless")
orphan = production.clone("orphan")

# %% [markdown]
# **An app is removed.** A migration of `library` names one of `sites`; the settings no longer have it.

# %% tags=["setup"]
retired = Sandbox("retired")
retired.run("python manage.py makemigrations library --empty --name name_the_site --verbosity 0")
end = "    ]\n\n    operations"
sites = "        ('sites', '0002_alter_domain_unique'),\n"
retired.replace("library/migrations/0007_name_the_site.py", end, sites + end)

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# Every command that loads migrations stops. `check` loads none.

# %%
production.run("python manage.py migrate", fails=GONE)
production.run("python manage.py check")

# %% [markdown]
# The message names the child, then the app and the name of its parent. Ask Git what became of that
# file: `R` is renamed, `D` is deleted.

# %%
told = production.run(
    "git log --all --diff-filter=DR --name-status --format='%h %s' -- library/migrations"
)

# %% [markdown]
# Ask each database under which name it has run the file. `showmigrations` stops as well; SQL answers.

# %%
recorded = production.rows(
    "select name from django_migrations where app = 'library' and name like '0007%'"
)

# %% [markdown]
# - **Renamed or deleted**: put it back under its old name, as below. Renamed, and no database has run
#   it under the old name? Then name the new file in the child instead.
# - **Deleted because the change was taken back**: read
#   [A migration must be taken out of main](../reset/pulled-from-main.md).
# - **Deleted after a squash**: read
#   [Other apps name squashed migrations](../squashing/squash-and-other-apps.md).
# - **Git knows no such file, and the app is yours**: it was never committed. Whoever committed the
#   child has it, and commits it too.
# - **The app is not yours**: it is [not in INSTALLED_APPS](#the-app-is-not-in-installed_apps), or
#   only one machine has the file, among the installed packages. Do not migrate back first; read
#   [A library's migrations appear in your project](../mismatch/foreign-migrations.md).
#
# ## Fix it
#
# Give the file the name that the child asks for. The databases that have run it know it by that name.
# **Do not rename the file if a database has run it under the new name.** Then first read
# [The migration you renumbered had been applied](applied-then-rebased.md).

# %% tags=["fix"]
laptop.run(
    "git mv library/migrations/0007_language_of_a_book.py library/migrations/0007_book_language.py"
)

# %% [markdown]
# Commit and push.

# %% tags=["fix"]
laptop.run(f"{SAVE} 'The old name again' && git push --quiet")

# %% [markdown]
# Deploy again. Only the child is new there.

# %% tags=["fix"]
applied = production.run("git pull --quiet && python manage.py migrate")

# %% [markdown]
# ### It was deleted
#
# `git log` above names the commit that deleted it, here `HEAD`. Take the file from the commit before,
# which is that name with `~1`.

# %%
deleted = laptop.clone("deleted")
deleted.run(f"git rm --quiet library/migrations/0007_book_language.py && {SAVE} 'Tidy up'")
deleted.run(
    "git checkout HEAD~1 -- library/migrations/0007_book_language.py && python manage.py migrate -v 0"
)

# %% [markdown]
# ### The app is not in INSTALLED_APPS
#
# An app stays in `INSTALLED_APPS` as long as a migration file names one of its migrations. Here one
# names `sites`, and somebody has taken `sites` out. Put it back.

# %%
retired.run("python manage.py migrate", fails="('sites', '0002_alter_domain_unique')")
retired.replace("config/settings.py", LIBRARY, LIBRARY + '    "django.contrib.sites",\n')
retired.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Make sure
#
# Every parent has a file, and production has kept its data.

# %% tags=["after"]
production.chain("library")

# %%
kept = production.rows("select title, language from library_book where title = 'Emma'")

# %% [markdown]
# ## Undo it
#
# Revert the commit, and the error is back.

# %%
undone = laptop.clone("undone")
undone.run("git revert -n HEAD && python manage.py makemigrations --check --noinput", fails=GONE)

# %% [markdown]
# ## What not to do
#
# **Do not give the child the new name of a parent that a database has run.** The error is gone. To
# production the file under its new name is a new migration. SQLite adds the column again, prints `OK`,
# and every row is back at the default. PostgreSQL refuses the column and keeps the data.

# %%
careless.replace(
    "library/migrations/0008_author_born.py", "0007_book_language", "0007_language_of_a_book"
)
careless.run(
    "python manage.py migrate",
    fails=on(SQLite=None, PostgreSQL='column "language" of relation "library_book" already exists'),
)
lost = careless.rows("select title, language from library_book where title = 'Emma'")

# %% [markdown]
# **Do not delete the line from `dependencies`.** The child then has no parent: it is a first migration
# of its own, and Django sees two leaf nodes. Where the parent is of another app, it is worse:
# [all is green, and a new database fails](dependency-cycle.md#what-not-to-do).

# %%
orphan.replace(
    "library/migrations/0008_author_born.py", "        ('library', '0007_book_language'),\n", ""
)
orphan.run("python manage.py migrate", fails="Conflicting migrations detected")

# %% [markdown]
# ## Why it happens
#
# A migration names its parents by app and file name. Git does not read those names: one commit
# renames a file, another adds a line that names it, and they merge without a conflict. Django builds
# the graph of all files first, so one missing parent stops every app. On
# [the chain](../../guide/the-chain.md) the files no longer form a graph.
#
# ## Keep it from happening
#
# Never rename or delete a migration that is on `main`. In CI, with packages installed anew and on the
# merged state of a pull request, this line fails on a missing parent. It does not see a renamed file
# that no other names.
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Write `null=True` in place of `default="en"`. The wrong fix now stops on SQLite too, at
# `duplicate column name: language`, and so does the playbook.

# %% tags=["check"]
assert applied.count("Applying") == 1, "production ran the child, and not its parent again"
assert kept == [("Emma", "de")], "production kept its value"
language = on(SQLite="en", PostgreSQL="de")
assert lost == [("Emma", language)], "the new name of the parent reset it, on SQLite alone"
assert "R100" in told, "Git tells that the file was renamed"
assert recorded == [("0007_book_language",)], "production knows it by its old name"
careless.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
careless.run("python manage.py migrate --verbosity 0")
for place in (production, retired, deleted, careless):
    assert place.chain().whole, f"{place.name} is whole; careless with a new database"
