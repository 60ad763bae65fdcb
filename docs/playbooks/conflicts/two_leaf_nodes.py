# ---
# title: Two branches added a migration to the same app
# symptoms:
#   - >-
#     Conflicting migrations detected; multiple leaf nodes in the migration graph:
#     (0007_author_country, 0007_book_language in library).
#     To fix them run 'python manage.py makemigrations --merge'
# cause: >-
#   Two migrations name the same parent, so Django cannot tell which one comes last.
#   It stops before it changes anything: nothing is lost.
# broken: [files-history]
# data: untouched
# undo: migrate back to one parent, then delete the merge migration, as long as it is not pushed
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

# %% [markdown]
# Your colleague adds a field to `Author`, fills it in, and pushes.

# %% tags=["setup"]
colleague.replace(
    "library/models.py",
    "    name = models.CharField(max_length=100)\n",
    "    name = models.CharField(max_length=100)\n"
    '    country = models.CharField(max_length=50, blank=True, default="")\n',
)
colleague.run("python manage.py makemigrations library --name author_country")
colleague.run("python manage.py migrate --verbosity 0")
colleague.rows("update library_author set country = 'England' where name = 'Jane Austen'")
colleague.run(
    "git add . && git commit --quiet --message 'Country of an author' && git push --quiet"
)
second = colleague.clone("second-colleague")

# %% [markdown]
# On the same day you add a field to `Book`, and apply it on your machine.

# %% tags=["setup"]
laptop.replace(
    "library/models.py",
    "    copies = models.PositiveIntegerField(default=1)\n",
    "    copies = models.PositiveIntegerField(default=1)\n"
    '    language = models.CharField(max_length=20, blank=True, default="en")\n',
)
laptop.run("python manage.py makemigrations library --name book_language")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Language of a book'")

# %% [markdown]
# Then you pull. Git sees two new files with two names, and merges them without a word.

# %% tags=["setup"]
laptop.run("git pull --quiet --no-rebase")
careless = laptop.clone("careless")
books = laptop.rows("select id, title, copies, language from library_book order by id")

# %% tags=["before"]
laptop.chain("library")

# %% tags=["before"]
laptop.graph("library")

# %% [markdown]
# ## Is this your case?
#
# `migrate` and `makemigrations` both stop. They name the app and its leaf nodes, the migrations
# that no other migration builds on.

# %%
laptop.run("python manage.py migrate", fails="Conflicting migrations detected")
laptop.run("python manage.py makemigrations --check --noinput", fails="Conflicting migrations")

# %% [markdown]
# `check` sees nothing wrong, and `showmigrations` prints a flat list in which a fork does not show.

# %%
laptop.run("python manage.py check")
laptop.run("python manage.py showmigrations library")

# %% [markdown]
# Before you merge, read what the two do. This writes nothing:

# %%
laptop.run("python manage.py makemigrations library --merge --dry-run --noinput")

# %% [markdown]
# - **Different fields or models**: merge them, as below. It does not matter which database has
#   applied which of the two.
# - **`Raw Python operation` or `Raw SQL operation`**: open the file. Does it read or write what the
#   other migration changes? A merge sets no order. Not pushed: put yours on top, as in the last
#   line of this list. Pushed: change it so that it works in both orders, then merge.
# - **Both add or alter the same field**: read
#   [Both branches changed the same field](two-migrations-one-field.md).
# - **Both remove it**: read [Both branches removed the same field](both-branches-removed-it.md).
# - **One renames or removes what the other alters**: read
#   [One branch renamed or removed what the other alters](removed-here-altered-there.md).
# - **A branch has several migrations**: read
#   [Both branches added several migrations](merge-of-long-branches.md).
# - **You want one line and no merge migration**: read
#   [Put your migration on top of main's instead of merging](linear-history.md).

# %% [markdown]
# ## Fix it
#
# **Merge only if the two touch different fields or models, in `RunPython` and `RunSQL` too.** Write a
# migration that has both as its parents. It is empty: it only says that both come before whatever
# follows.

# %% tags=["fix"]
laptop.run(
    "python manage.py makemigrations library --merge --name merge_country_and_language",
    answers=["y"],
)

# %% [markdown]
# Apply it, and with it the migration that you did not have yet.

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# Commit the new file and push it soon. Until it is on `main`, everyone who pulls has the conflict.

# %%
laptop.run("git add . && git commit --quiet --message 'Merge two migrations' && git push --quiet")
colleague.run("git pull --quiet --no-rebase")
colleague.run("python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# One leaf node is left, nothing is pending, and the models need no further migration.

# %% tags=["after"]
laptop.chain("library")

# %% tags=["after"]
laptop.graph("library")

# %%
laptop.run("python manage.py makemigrations --check --noinput")

# %% [markdown]
# ## Undo it
#
# As long as the merge is not pushed: migrate back to one of its parents, which undoes the merge
# alone, and delete the file. Once others have it, leave it: an empty migration costs nothing.

# %%
undone = laptop.clone("undone")
undone.run("python manage.py migrate library 0007_author_country")
undone.run("rm library/migrations/0008_merge_country_and_language.py")
undone.run("python manage.py migrate", fails="Conflicting migrations detected")

# %% [markdown]
# ## What not to do
#
# **Do not delete your colleague's migration** and let Django write it anew. On your machine all
# goes well:

# %%
careless.run("rm library/migrations/0007_author_country.py")
careless.run("python manage.py makemigrations library --name country_again")
careless.run("python manage.py migrate")
careless.run("git add . && git commit --quiet --message 'Conflict solved'")

# %% [markdown]
# A database that has the column already, with data in it, meets the new migration. On SQLite the
# second `AddField` builds the table again, prints `OK` and sets every row to the default. PostgreSQL
# refuses it, and every deploy stops there; the data stays.

# %%
second.rows("select name, country from library_author order by id limit 1")
second.run("git pull --quiet --no-rebase ../careless main")
second.run(
    "python manage.py migrate library",
    fails=on(
        SQLite=None, PostgreSQL='column "country" of relation "library_author" already exists'
    ),
)
lost = second.rows("select name, country from library_author order by id limit 1")

# %% [markdown]
# **Do not rename the file.** The order is in `dependencies`, not in the number, so the conflict stays.
# And an applied migration that has a new name [runs again](linear-history.md#what-not-to-do): SQLite
# resets its column, PostgreSQL stops.

# %%
renamed = undone.clone("renamed")
renamed.run("git mv library/migrations/0007_book_language.py library/migrations/0008_language.py")
renamed.run("python manage.py migrate", fails="Conflicting migrations detected")

# %% [markdown]
# ## Why it happens
#
# The migration files of an app form a graph: each names its parents in `dependencies`. Two
# branches that start from the same commit build on the same parent. To Git these are two new
# files, so there is no conflict to report. To Django the app now has two ends, and it would have
# to guess which state of the models the next migration starts from. It refuses instead. On
# [the chain](../../guide/the-chain.md) this is a break between files and history.
#
# ## Keep it from happening
#
# Pull before you run `makemigrations`, and merge branches that add migrations soon. In CI, on the
# merged state of a pull request, this line fails on two leaf nodes and on a forgotten migration:
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Change the second `replace` so that you, too, add a field `country` to `Author`. Git now reports a
# conflict in `models.py`. Resolve it, and see what `--merge` makes of the two migrations.

# %% tags=["check"]
now = laptop.rows("select id, title, copies, language from library_book order by id")
assert now == books, "merging changes no row"
filled = colleague.rows("select country from library_author where name = 'Jane Austen'")
assert filled == [("England",)], "the colleague's data is still there"
country = on(SQLite="", PostgreSQL="England")
assert lost == [("Jane Austen", country)], "the wrong fix reset it, on SQLite alone"
assert laptop.graph("library").leaves == ["0008_merge_country_and_language"], "one leaf is left"
assert laptop.chain().whole, "all apps are whole, not this one alone"
