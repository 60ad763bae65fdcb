# ---
# title: Squash a long history in two releases
# symptoms:
#   - >-
#     Migration lending.0001_initial depends on nonexistent node ('library', '0003_book_copies').
#     Django tried to replace migration library.0003_book_copies with any of
#     [library.0001_squashed_0006] but wasn't able to because some of the replaced migrations are
#     already applied.
#   - >-
#     Migration lending.0001_initial is applied before its dependency library.0001_squashed_0006
#     on database 'default'.
# cause: >-
#   A squash was shipped together with the deletion of its originals. A database that had applied
#   some of the originals can use neither. Django stops, or goes on in
#   silence.
# broken: [files-history]
# data: untouched
# undo: git revert, until you prune
# safe_in: production
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")

# %% [markdown]
# Production is a few weeks behind: of the six migrations of `library` it has applied three.

# %% tags=["setup"]
production.run("python manage.py migrate library 0003 --verbosity 0")
backup = production.clone("backup")

# %% [markdown]
# Your laptop has applied all six. You squash them, delete the originals, and ship both at once.

# %% tags=["setup"]
laptop.run(
    "python manage.py squashmigrations library 0001 0006 --squashed-name squashed_0006"
    " --noinput --verbosity 0"
)
laptop.run(
    "rm library/migrations/0001_initial.py library/migrations/000[2-6]_*.py"
    " && python manage.py migrate --verbosity 0"
    " && git add . && git commit --quiet --message 'Squash library'"
)
branch = laptop.clone("branch")
laptop.run("git push --quiet")
production.run("git pull --quiet --no-rebase")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# **You have not squashed yet?** Nothing is broken. Go to “Release 1”.
#
# After a squash, `migrate` stops, with `--plan` too, which applies nothing. `makemigrations` stops
# with another message.

# %%
production.run("python manage.py migrate --plan", fails="wasn't able to because some")
production.run("python manage.py makemigrations --check --noinput", fails="before its dependency")

# %% [markdown]
# A new install works, and so does a database that had applied all the originals. That is why
# neither your laptop nor CI noticed.

# %%
install_0 = laptop.clone("new-install")
install_0.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
install_0.run("python manage.py showmigrations library")

# %% [markdown]
# - **The commit is not pushed:** no other database has met it. Take it back, go to “Release 1”.
# - **Every database says `[X] … (6 squashed migrations)`, as above:** nothing is broken. Go to
#   “Release 2”.
# - **The release removed `replaces` as well:** `migrate --plan` prints the second message, or names
#   the squash. **Do not migrate.** Read
#   [migrate runs the squash on tables that exist](originals-deleted-too-early.md).
# - **`migrate` prints no error, and changes are missing:** read
#   [migrate asks for makemigrations, which finds nothing](squash-applied-in-part.md).
#
# ## Fix it
#
# ### Take the release back
#
# **Not squashed yet? Start at “squashmigrations”.** Revert the commit that deleted the originals;
# `git log --oneline -- library/migrations` tells which. With them, every database can go on.

# %% tags=["fix"]
laptop.run(
    "git revert --no-commit ':/Squash library'"
    " && git commit --quiet --message 'Take the squash back' && git push --quiet"
)

# %% [markdown]
# Production applies what it lacks. Do the same on every database that is behind.

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ### Release 1: add the squash, keep the originals
#
# The usual advice ends with this command: `squashmigrations app_name 0001 0010`. It is the first
# half. If a database has recorded your first try, use the same name again.

# %% tags=["fix"]
laptop.run(
    "python manage.py squashmigrations library 0001 0006 --squashed-name squashed_0006",
    answers=["y"],
)

# %% [markdown]
# Read the new file beside the originals: Django 5.2 drops `atomic = False` without a word. Then
# let Django compare the file with the models.

# %%
laptop.run("python manage.py makemigrations --check --noinput")

# %% [markdown]
# A new install takes the squash and none of the originals.

# %%
install_1 = laptop.clone("new-install-1")
install_1.run(EMPTY)
install_1.run("python manage.py migrate library | grep Applying")

# %% [markdown]
# Ship it. On production, `[-]` says that all the originals are applied. `migrate` changes no
# table there. It records the squash.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Release 1: squash' && git push --quiet")

# %% tags=["fix"]
release_1 = production.run(
    "git pull --quiet --no-rebase && python manage.py showmigrations library"
    " && python manage.py migrate"
)

# %% [markdown]
# `0001` now fits two files: write whole names.
#
# ### Release 2: delete the originals
#
# **This line must succeed on every database before you delete the originals**: production, staging,
# each laptop. One that is left out stops, or goes wrong without a message.

# %% tags=["fix"]
gate = production.run(r"python manage.py showmigrations library | grep '\[X\] 0001_squashed_0006'")

# %% [markdown]
# **Tag release 1: backups from before it must pass through it.**

# %% tags=["fix"]
laptop.run("git tag squash-recorded && git push --quiet origin squash-recorded")

# %%
undone = production.clone("undone")

# %% [markdown]
# Migrations that name an original, in other apps and on open branches, must name the squash.

# %% tags=["fix"]
laptop.replace("lending/migrations/0001_initial.py", "0003_book_copies", "0001_squashed_0006")

# %% [markdown]
# Delete the originals. Their rows stay.

# %% tags=["fix"]
laptop.run("rm library/migrations/0001_initial.py library/migrations/000[2-6]_*.py")

# %% [markdown]
# Remove `replaces`. The squash is a migration like any other now.

# %% tags=["fix"]
names = ["0001_initial", "0002_book_isbn", "0003_book_copies"]
names += ["0004_genre", "0005_longer_titles", "0006_find_books_by_title"]
replaces = ", ".join(f"('library', '{name}')" for name in names)
laptop.replace("library/migrations/0001_squashed_0006.py", f"    replaces = [{replaces}]\n\n", "")

# %% [markdown]
# Ship it. Production must have nothing to apply: then `--check` ends with exit code 0. It prints
# nothing in either case.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Release 2: clean' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate --check")

# %% [markdown]
# **The next command closes the way back: wait some days, then run it on each database.** It deletes
# the rows of the originals. With them, a new migration of one of these names
# [never runs](../mismatch/name-reused.md).

# %%
undone_2 = production.clone("undone-2")

# %% tags=["fix"]
production.run("python manage.py migrate library --prune")

# %% [markdown]
# ## Make sure
#
# Look at production. An install that has never seen the originals gets the same schema.

# %% tags=["after"]
production.chain()

# %%
install_2 = laptop.clone("new-install-2")
install_2.run(f"{EMPTY} && python manage.py migrate --verbosity 0")

# %% [markdown]
# A backup from before release 1 passes through the tag, then goes on to `main`.

# %%
backup.run(
    "git fetch --quiet --tags && git switch --quiet --detach squash-recorded"
    " && python manage.py migrate --verbosity 0"
)
backup.run(
    "git switch --quiet main && git pull --quiet --no-rebase"
    " && python manage.py migrate library --prune --verbosity 0"
)

# %% [markdown]
# ## Undo it
#
# **Before release 2:** revert the commit of the squash, and prune its row.

# %%
undone.run("git revert --no-commit HEAD && python manage.py migrate library --prune -v 0")

# %% [markdown]
# **After release 2, before you prune:** revert release 2. The rows of the originals are there.

# %%
undone_2.run("git revert --no-commit HEAD && python manage.py migrate --verbosity 0")

# %% [markdown]
# **After you prune**, no command of Django goes back: with `replaces` in the file and its rows
# gone, the squash counts as not applied. Stay on release 2 and go forward.

# %%
pruned = production.clone("undone-3")
pruned.run("git revert --no-commit HEAD && python manage.py showmigrations library")
pruned.run("python manage.py migrate", fails="declared with a lazy reference")

# %% [markdown]
# ## What not to do
#
# **Do not count on a message.** `library` stopped because `lending` names one of its migrations.
# No app names those of `lending`. Here is a database at `lending.0005`, and a squash of `0005` to
# `0007` without its originals. `migrate` ends with exit code 0, and what is missing never comes:

# %%
silent = backup.clone("silent")
silent.run("python manage.py migrate lending 0005 --verbosity 0")
silent.run("python manage.py squashmigrations lending 0005 0007 --noinput --verbosity 0")
silent.run("rm lending/migrations/0005_returned_on.py lending/migrations/000[67]_*.py")
silent.run("python manage.py migrate --verbosity 0")
silent.chain("lending")

# %% [markdown]
# The way out: [migrate asks for makemigrations, which finds nothing](squash-applied-in-part.md).
#
# ## Why it happens
#
# Django uses a squash when all of the migrations in its `replaces` are recorded, or none. With
# some recorded it goes on with the originals. If their files are gone, it has neither. Where
# another app names an original, Django misses it and stops. Where none does, the squash drops out
# of the plan. Without `replaces`, only its own row counts, and `migrate` writes that row once all
# the originals are applied: hence a release in between. On [the chain](../../guide/the-chain.md)
# this is a break between files and history.
#
# ## Keep it from happening
#
# Never delete a migration in the release that replaces it. In CI, this line fails on a branch that
# deletes one. It fails on release 2 as well: then ask every database first.
#
# ```bash
# git diff --exit-code --no-renames --diff-filter=D --name-only origin/main... -- "*/migrations/*"
# ```
#
# ## Run it yourself
#
# Leave out the cell in which production gets release 1. The line with `grep` stops the playbook
# before a file is deleted. Leave out that line as well, and read what production says to release 2.

# %% tags=["check"]
assert "[-] 0001_squashed_0006" in release_1, "production was up to date before it got the squash"
assert "(6 squashed migrations)" in gate, "production recorded the squash before the deletion"
books = "select id, title, copies from library_book order by id"
assert production.rows(books) == Sandbox("untouched").rows(books), "production kept every book"
recorded = production.rows("select name from django_migrations where app = 'library'")
assert recorded == [("0001_squashed_0006",)], "only the squash is left in the history"

# %% tags=["check"]
schema = on(
    SQLite="""
    select m.name, c.name, c.type, c."notnull" from sqlite_master m
    left join pragma_table_info(m.name) c where m.name like 'library%' order by m.name, c.name
""",
    PostgreSQL="""
    select table_name, column_name, data_type, character_maximum_length, is_nullable
    from information_schema.columns where table_name like 'library%' union
    select tablename, indexname, indexdef, 0, '' from pg_indexes where tablename like 'library%' order by 1, 2
""",
)
for place in (install_0, install_1, install_2, backup):
    assert place.rows(schema) == production.rows(schema), f"{place.name} has the same schema"
for chain in (place.chain() for place in (install_0, install_2, backup, undone, undone_2)):
    assert chain.whole, f"{chain.place} is whole"

# %% tags=["check"]
branch.run(
    'git diff --exit-code --no-renames --diff-filter=D --name-only origin/main... -- "*/migrations/*"',
    fails="library/migrations/0003_book_copies.py",
)
assert "0007_unique_reader_email, whose files are gone" in silent.chain(), "it never runs"

# %% tags=["check"]
odd = undone.clone("odd")
odd.replace("library/migrations/0005_longer_titles.py", "    dep", "    atomic = False\n    dep")
odd.run("python manage.py squashmigrations library 0001 0006 --noinput --verbosity 0")
assert "atomic" not in odd.run("cat library/migrations/0001_initial_squashed_*"), "dropped"
odd.run("python manage.py sqlmigrate library 0001_initial", fails="More than one migration matches")
