# ---
# title: One new initial migration for databases that stay
# symptoms:
#   - "no such column: lending_loan.returned_on"
# cause: >-
#   New first migrations were pushed under the names of old ones. Every database counts them as
#   applied, and one that was behind never gets what it lacked. No data is lost, and no command of
#   Django says that anything is wrong.
# broken: [files-history, history-schema]
# data: untouched
# undo: git revert and `migrate --fake`, until a newer migration is applied; or the copy
# safe_in: "production: if you can reach every database"
# applied: elsewhere too
# databases: [SQLite]
# group: reset
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop")
staging = Sandbox("staging")
production = Sandbox("production")
PRUNE = (
    "python manage.py migrate library --prune -v 0 && python manage.py migrate lending --prune -v 0"
)

# %% [markdown]
# Production is up to date. Staging is three migrations of `lending` behind.

# %% tags=["setup"]
staging.run("python manage.py migrate lending 0004 --verbosity 0")

# %% [markdown]
# On your laptop you delete the old files, write new ones, and push. No command has an objection.

# %% tags=["setup"]
laptop.run("rm library/migrations/0*.py lending/migrations/0*.py")
laptop.run("python manage.py makemigrations library lending --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Start migrations anew'")
branch = laptop.clone("branch")
laptop.run("git push --quiet")
for place in (staging, production):
    place.run("git pull --quiet --no-rebase")
forgotten = staging.clone("forgotten")
careless = staging.clone("careless")

# %% tags=["before"]
staging.chain("lending")

# %% [markdown]
# ## Is this your case?
#
# Staging never gets the three migrations. Their files are gone, and `0001_initial`, the old one, is
# recorded. Both checks pass, and reading fails:

# %%
staging.run("python manage.py migrate --check && python manage.py makemigrations --check --noinput")
staging.run("python manage.py dumpdata lending > ../loans.json", fails="no such column")

# %% [markdown]
# Production works, with a row left for each file that is gone.
#
# - **You have not pushed a reset yet**: nothing is broken. Start at “Fix it”, without the revert.
# - **You can squash**: [squash in two releases](../squashing/squash-in-two-releases.md) instead. Then
#   no history is rewritten by hand. [Which of the two?](../squashing/squash-or-reset.md)
# - **You cannot reach every database**, such as those of your users: only a squash is possible.
# - **All databases are for development**: read
#   [The files are a mess](reset-history-keep-data.md), or
#   [throw the database away](reset-throwaway-database.md).
# - **Apps outside the reset depend on these**: read [Reset one app](reset-one-app.md) as well.
#
# ## Fix it
#
# ### Take the files back
#
# With the old files, each database can go on. **Not pushed a reset yet? Then leave the revert out.**
# The tag is for backups, and for databases that you forget: they pass through it later.

# %% tags=["fix"]
laptop.run(
    "git revert --no-commit ':/Start migrations anew'"
    " && git commit --quiet --message 'The old migrations are back'"
)

# %% tags=["fix"]
laptop.run("git tag old-migrations && git push --quiet origin main old-migrations")

# %% [markdown]
# ### Bring every database to the same point
#
# The new files stand for the last of the old ones, so each database must get there first. Make a list:
# production, staging, each laptop.

# %% tags=["fix"]
for place in (staging, production):
    place.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")

# %% [markdown]
# ### Write the new files
#
# Look for what was written by hand; it is not written again.
# [What of it to keep](reset-history-keep-data.md) is a question of its own.

# %%
laptop.run('cat library/migrations/0*.py lending/migrations/0*.py | grep "migrations.Run"')

# %% [markdown]
# All apps of the reset go in one command. **Give the new files a name that no database has recorded.**
# A database that you forget then stops, instead of counting them as applied.

# %% tags=["fix"]
laptop.run("rm library/migrations/0*.py lending/migrations/0*.py")

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library lending --name fresh_start")

# %% [markdown]
# Rehearse on a new database, and on your own, as below. Then push.

# %%
install = laptop.clone("new-install")
install.run("rm db.sqlite3 && python manage.py migrate --verbosity 0")

# %% tags=["fix"]
laptop.run(f"python manage.py migrate --fake-initial -v 0 && {PRUNE}")

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Fresh start' && git push --quiet")

# %% [markdown]
# ### Rewrite the history, once on each database
#
# **Deploy nothing else until every database on the list has gone through this.** Copy it first.

# %% tags=["fix"]
production.run("cp db.sqlite3 ../before.sqlite3")

# %% [markdown]
# The first half asks the old files whether anything is missing, and stops the line if so. Only then
# the new files are recorded; `--fake-initial` looks at the names of tables only. **Each new migration
# must say `FAKED`.**

# %% tags=["fix"]
TURN = (
    "git switch --quiet --detach old-migrations && python manage.py migrate --check"
    " && git switch --quiet main && git pull --quiet --no-rebase"
    " && python manage.py migrate --fake-initial"
)
production.run(TURN)

# %% [markdown]
# Remove the old rows: a later migration that takes one of these names would count as applied.

# %% tags=["fix"]
production.run(PRUNE)

# %% [markdown]
# The next database on the list gets the same, its copy too.

# %%
staging.run(f"cp db.sqlite3 ../staging.sqlite3 && {TURN} -v 0 && {PRUNE}")

# %% [markdown]
# ### A database that you forgot, or a backup
#
# It stops before it changes anything. Bring it to the tag, then do the same as above.

# %%
forgotten.run("git pull --quiet --no-rebase")
forgotten.run("python manage.py migrate", fails='table "library_author" already exists')
forgotten.run("git switch --quiet --detach old-migrations && python manage.py migrate -v 0")
forgotten.run(f"git switch --quiet main && python manage.py migrate --fake-initial -v 0 && {PRUNE}")

# %% [markdown]
# ## Make sure
#
# Look at the last link: the new files amount to the schema that is there. In your project, compare the
# schemas of this database and of the new one with the database's own tool.

# %% tags=["after"]
production.chain()

# %%
now = production.rows("select id, due_on, returned_on from lending_loan order by id")

# %% [markdown]
# ## Undo it
#
# As long as no newer migration is applied, record the old files again, and remove the new rows. Or
# put the copy back.

# %%
undone = production.clone("undone")
copied = production.clone("copied")
undone.run("git revert --no-commit HEAD && python manage.py migrate --fake --verbosity 0")
undone.run(PRUNE)
copied.run("git revert --no-commit HEAD && cp ../before.sqlite3 db.sqlite3")

# %% [markdown]
# ## What not to do
#
# **Do not run `--fake-initial` where you have not asked the old files first.** This is staging as it
# was. All is green, and reading fails as before:

# %%
careless.run("git pull --quiet --no-rebase && python manage.py migrate --fake-initial")
careless.run("python manage.py migrate --check && python manage.py makemigrations --check")
careless.run("python manage.py dumpdata lending > ../loans.json", fails="no such column")

# %% [markdown]
# The tables have the right names, and Django looks no further. Nothing will ever add the column and
# the two constraints that are missing. A second reader gets Ada's address:

# %%
careless.rows("insert into lending_reader (name, email) values ('Eve', 'ada@example.org')")
twice = careless.rows("select name, email from lending_reader where email like 'ada%' order by id")

# %% [markdown]
# ## Why it happens
#
# Django knows a migration by its app and its name, and nothing else. `0001_initial` is recorded, so a
# new file of that name counts as applied, whatever it holds. A new first migration says how the
# schema looks at the end, and nothing on how an older database gets there. So the reset is right only
# for databases that are at the end, and no command asks whether they are. On
# [the chain](../../guide/the-chain.md), files and history change together, for each database, and the
# schema stays.
#
# ## Keep it from happening
#
# Squash while the list of migrations is short. In CI, this line fails on a branch that deletes a
# migration of `main`, also on a reset that you want: then ask every database first. It does not see
# what a database has applied.
#
# ```bash
# git diff --exit-code --no-renames --diff-filter=D --name-only origin/main... -- "*/migrations/*"
# ```
#
# ## Run it yourself
#
# Leave out `--name fresh_start`. All goes well until the database that you forgot: it no longer
# stops, and the run does.

# %% tags=["check"]
before = copied.rows("select id, due_on, returned_on from lending_loan order by id")
assert now == before, "every loan is as it was"
names = "select app, name from django_migrations where app in ('library', 'lending') order by app"
one_each = [("lending", "0001_fresh_start"), ("library", "0001_fresh_start")]
for place in (laptop, staging, production, forgotten, install):
    assert place.chain().whole, f"{place.name} is whole"
    assert place.rows(names) == one_each, f"{place.name} has one row for each app"
for place in (undone, copied):
    assert place.chain().whole, f"{place.name} is whole with the old files"
    assert not place.chain().pending, f"{place.name} has nothing to apply"
assert len(twice) == 2, "the wrong fix left out a constraint"
branch.run(
    'git diff --exit-code --no-renames --diff-filter=D --name-only origin/main... -- "*/migrations/*"',
    fails="library/migrations/0002_book_isbn.py",
)
