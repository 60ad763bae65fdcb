# ---
# title: After a squash, two apps depend on each other in a circle
# symptoms:
#   - >-
#     CircularDependencyError: lending.0003_fill_due_on,
#     lending.0004_due_on_required, lending.0005_returned_on, lending.0006_due_after_lent,
#     lending.0007_unique_reader_email, library.0001_squashed_0007, lending.0001_initial,
#     lending.0002_loan_due_on
# cause: >-
#   The squash joins a migration that the other app needs with one that needs the other app. No
#   order is left in which the two apps can run. No database is touched, nothing is lost.
# broken: [files-history]
# data: untouched
# undo: delete the squash, prune its row
# safe_in: production
# applied: "elsewhere too: the originals; the squash runs nowhere"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
SQUASH = "library/migrations/0001_squashed_0007.py"

# %% [markdown]
# A loan of `lending` has a book of `library`. You add the way back: a book can be reserved for a
# reader.

# %% tags=["setup"]
laptop.replace(
    "library/models.py",
    "    genres = models.Many",
    "    reserved_for = models.ForeignKey(\n"
    '        "lending.Reader", models.SET_NULL, null=True, blank=True\n    )\n'
    "    genres = models.Many",
)
laptop.run("python manage.py makemigrations library --name reserved_for")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Reserve a book' && git push --quiet")
production = laptop.clone("production")
behind = laptop.clone("behind")
production.rows("update library_book set reserved_for_id = 1 where title = 'Dracula'")
books = production.rows("select id, title, copies, reserved_for_id from library_book order by id")

# %% [markdown]
# Then you squash the app.

# %% tags=["setup"]
laptop.run(
    "python manage.py squashmigrations library 0001 0007 --squashed-name squashed_0007 --noinput"
)
careless = laptop.clone("careless")
by_hand = laptop.clone("by-hand")
pushed = laptop.clone("pushed")

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# `squashmigrations` succeeds. After that, every command that reads the migrations stops. The
# message names all the migrations of the circle, and a squash is among them.

# %%
laptop.run("python manage.py migrate", fails="CircularDependencyError")
laptop.run("python manage.py makemigrations --check --noinput", fails="CircularDependencyError")
laptop.run("python manage.py check")

# %% [markdown]
# Look for the two places where one app names the other: here `lending.0001` needs `library.0003`,
# and `library.0007` needs `lending.0007`. The squash holds both `0003` and `0007`.

# %%
laptop.run("git grep --line-number '(.lending., ' -- library/migrations")
laptop.run("git grep --line-number '(.library., ' -- lending/migrations")

# %% [markdown]
# - **No squash is in the message**: read
#   [two apps depend on each other in a circle](../conflicts/dependency-cycle.md).
# - **The squash is pushed**: the fix is the same. It has run nowhere. A database that had applied some
#   of the originals finished them and recorded it: prune that row there, as in [Undo it](#undo-it).
#
# ## Fix it
#
# **Server down? Revert the commit that brought the squash and deploy; then squash again.**
#
# Delete the squash. As long as it is there, `squashmigrations` does not start either.

# %% tags=["fix"]
laptop.run(f"rm {SQUASH}")

# %% [markdown]
# Squash again. **End the squash before the migration that needs the other app.** That one, `0007`,
# stays a migration of its own.

# %% tags=["fix"]
laptop.run(
    "python manage.py squashmigrations library 0001 0006 --squashed-name squashed_0006"
    " --noinput --verbosity 0"
)

# %% [markdown]
# If more migrations follow it, squash `0007` and these into a second piece, with the same command.
# **On an empty database, `python manage.py migrate` must succeed before you ship it.** The apps must
# run in turns:

# %%
install = laptop.clone("new-install")
install.run(EMPTY)
install.run("python manage.py migrate library")

# %% [markdown]
# Is there work in the first squash that you want to keep, such as functions that you copied into it?
# Then split the foreign key out by hand. Take three things out of the file: the foreign key, the
# dependency, and the name of its migration in `replaces`.

# %%
by_hand.replace(SQUASH, ", ('library', '0007_reserved_for')]", "]")
by_hand.replace(SQUASH, "        ('lending', '0007_unique_reader_email'),\n", "")
by_hand.replace(
    SQUASH,
    "                ('reserved_for', models.ForeignKey(blank=True, null=True, "
    "on_delete=django.db.models.deletion.SET_NULL, to='lending.reader')),\n",
    "",
)
by_hand.run("python manage.py migrate && python manage.py makemigrations --check --noinput")

# %% [markdown]
# Ship it. **Keep the originals in this release.** For when they may go, read
# [squash a long history in two releases](squash-in-two-releases.md).

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Squash library' && git push --quiet")

# %% tags=["fix"]
shipped = production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Every command works again, nothing is pending, and Dracula is still reserved.

# %% tags=["after"]
production.chain()

# %% tags=["after"]
production.graph("library")

# %%
now = production.rows("select id, title, copies, reserved_for_id from library_book order by id")

# %% [markdown]
# ## Undo it
#
# As long as the originals are there: delete the squash, commit, and ship. Then prune its row on each
# database that recorded it. `--prune` deletes every row of the app that has no file.

# %%
undone = production.clone("undone")
undone.run("git rm --quiet library/migrations/0001_squashed_0006.py")
undone.run("git commit --quiet --message 'No squash'")
undone.run("python manage.py migrate library --prune")

# %% [markdown]
# ## What not to do
#
# **Do not delete a dependency to open the circle.** In the squash it changes nothing. As long as
# `replaces` names `0007_reserved_for`, the squash inherits its parents.

# %%
careless.replace(SQUASH, "        ('lending', '0007_unique_reader_email'),\n", "")
careless.run("python manage.py migrate", fails="CircularDependencyError")

# %% [markdown]
# In the other app it seems to help. Your database has nothing to run, so every check is green. A new
# install starts with the wrong app:

# %%
careless.replace(
    "lending/migrations/0001_initial.py", '        ("library", "0003_book_copies"),\n', ""
)
careless.run("python manage.py migrate")
careless.run("python manage.py makemigrations --check --noinput")
careless.run(EMPTY)
careless.run(
    "python manage.py migrate library",
    fails="Related model 'library.book' cannot be resolved",
)

# %% [markdown]
# ## Why it happens
#
# Two apps may refer to each other, as long as their migrations can take turns: `library` up to
# `0003`, `lending`, then `library.0007`. A squash is one migration. It comes before all that needs
# one of its originals, and after all that one of them needs. Here `lending` is both.
# `squashmigrations` looks at one app and does not build the graph again after it has written the
# file. On [the chain](../../guide/the-chain.md), files that form no graph cannot be compared with
# the history: that link breaks.
#
# ## Keep it from happening
#
# Before you squash, look for the migrations that name another app, with `git grep` as
# [above](#is-this-your-case), and cut there. In CI, on an empty database, this line fails on a
# circle, and on a dependency that was deleted as above. On a database that is up to date it sees the
# circle alone.
#
# ```bash
# python manage.py migrate
# ```
#
# ## Run it yourself
#
# Squash `0004` to `0007` in the setup. Nothing in `lending` needs one of these four, so there is no
# circle: the playbook stops where `migrate` should fail.

# %% tags=["check"]
assert "No migrations to apply" in shipped, "production changed nothing"
assert now == books, "no book was changed, and Dracula is reserved"
recorded = production.rows("select name from django_migrations where app = 'library'")
assert ("0001_squashed_0006",) in recorded, "production recorded the squash"
assert undone.chain().whole, "the way back is whole"
assert by_hand.chain().whole, "so is the split by hand"
by_hand.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
install.run("python manage.py migrate --verbosity 0")
schema = on(
    SQLite="""
    select m.name, c.name, c.type, c."notnull" from sqlite_master m
    left join pragma_table_info(m.name) c where m.name like 'l%' order by m.name, c.name
""",
    PostgreSQL="""
    select table_name, column_name, data_type, character_maximum_length, is_nullable
    from information_schema.columns where table_name like 'l%' union
    select tablename, indexname, indexdef, 0, '' from pg_indexes where tablename like 'l%' order by 1, 2
""",
)
for place in (install, by_hand):
    assert place.rows(schema) == production.rows(schema), "a new install has the same schema"

# %% tags=["check"]
# The squash is pushed. A database that was behind records it, and then stops too.
behind.run("python manage.py migrate library 0006 --verbosity 0")
pushed.run("git add . && git commit --quiet --message 'A circle'")
behind.run("git pull --quiet --no-rebase ../pushed main && python manage.py migrate --verbosity 0")
behind.run("python manage.py migrate", fails="CircularDependencyError")
behind.run("git revert --no-edit HEAD && python manage.py migrate --check")
assert "0001_squashed_0007" in behind.run("python manage.py migrate library --prune")
assert behind.chain().whole, "nothing is left of it"

# %% tags=["check"]
# A migration after the foreign key: a second piece.
later = laptop.clone("later")
later.replace(
    "library/models.py", "    isbn = ", '    shelf = models.TextField(default="")\n    isbn = '
)
later.run("python manage.py makemigrations library --name book_shelf --verbosity 0")
later.run("python manage.py squashmigrations library 0007 0008 --noinput --verbosity 0")
later.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
assert later.chain().whole, "two pieces, no circle"
