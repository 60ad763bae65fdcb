# ---
# title: What each command can see
# answer: >-
#   None of these five commands looks at the schema. Of the eleven ways to be broken below, five pass
#   all of them without a word. Run one in CI and one on each database, and know what they miss.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %% [markdown]
# Each row is a project broken in one way, each column a command run on it.
#
# - **stops**: the exit code is not 0, so a pipeline that runs the command fails.
# - **prints**: the exit code is 0, and the output is not that of a healthy project. Someone who
#   reads it may notice; a pipeline does not.
# - **silent**: the exit code and the output are those of a healthy project.
#
# The last column is [the chain](../../guide/the-chain.md), which this project measures by itself:
# it builds the schema that the recorded migrations amount to, and compares.

# %%
from playbook_kit import Sandbox, table

COMMANDS = {
    "`check`": "python manage.py check",
    "`makemigrations` `--check` `--noinput`": "python manage.py makemigrations --check --noinput",
    "`migrate` `--check`": "python manage.py migrate --check",
    "`migrate` `--plan`": "python manage.py migrate --plan",
    "`showmigrations`": "python manage.py showmigrations",
}
healthy = Sandbox("healthy")
normal = {line: healthy.attempt(line) for line in COMMANDS.values()}


def seen(place):
    """What each command, and then the chain, says of the project at this place."""
    cells = []
    for line in COMMANDS.values():
        output = place.attempt(line)
        quiet = "silent" if output == normal[line] else "prints"
        cells.append("**stops**" if output.code else quiet)
    return [*cells, "whole" if place.chain().whole else "**broken**"]


# %% [markdown] tags=["setup"]
# A field in `models.py`, and no migration for it:

# %% tags=["setup"]
changed = healthy.clone("changed")
FIELD = "    copies = models.PositiveIntegerField(default=1)\n"
SHELF = '    shelf = models.CharField(max_length=9, default="")\n'
changed.replace("library/models.py", FIELD, FIELD + SHELF)

# %% [markdown] tags=["setup"]
# Two files that name the same parent:

# %% tags=["setup"]
leaves = healthy.clone("leaves")
leaves.run("python manage.py makemigrations library --empty --name shelf --verbosity 0")
leaves.run("cp library/migrations/0007_shelf.py library/migrations/0007_notes.py")

# %% [markdown] tags=["setup"]
# A file is deleted that another one names:

# %% tags=["setup"]
parent = healthy.clone("parent")
parent.run("rm library/migrations/0005_longer_titles.py")

# %% [markdown] tags=["setup"]
# The row of a migration is deleted, and what builds on it is recorded:

# %% tags=["setup"]
order = healthy.clone("order")
order.rows("delete from django_migrations where app = 'library' and name = '0005_longer_titles'")

# %% [markdown] tags=["setup"]
# A migration is applied on a branch, and the branch is left:

# %% tags=["setup"]
ghost = changed.clone("ghost")
ghost.run("python manage.py makemigrations library --name shelf --verbosity 0")
ghost.run("python manage.py migrate --verbosity 0")
ghost.run("git stash --quiet --include-untracked")

# %% [markdown] tags=["setup"]
# The originals of a squash are deleted, and this database had recorded two of the three:

# %% tags=["setup"]
squash = healthy.clone("squash")
squash.run("python manage.py migrate library 0005 --verbosity 0")
squash.run("python manage.py squashmigrations library 0004 0006 --noinput --verbosity 0")
squash.run(
    "rm library/migrations/0004_genre.py library/migrations/0005_longer_titles.py "
    "library/migrations/0006_find_books_by_title.py"
)

# %% [markdown] tags=["setup"]
# The index is there, and the row of the migration that makes it is not:

# %% tags=["setup"]
not_recorded = healthy.clone("not-recorded")
not_recorded.rows(
    "delete from django_migrations where app = 'library' and name = '0006_find_books_by_title'"
)

# %% [markdown] tags=["setup"]
# Migrations are recorded with `--fake`, and their column is not there:

# %% tags=["setup"]
never_ran = healthy.clone("never-ran")
never_ran.run("python manage.py migrate lending 0004 --verbosity 0")
never_ran.run("python manage.py migrate --fake --verbosity 0")

# %% [markdown] tags=["setup"]
# A column keeps its old length, because the migration that changes it was faked:

# %% tags=["setup"]
length = healthy.clone("length")
length.run("python manage.py migrate library 0004 --verbosity 0")
length.run("python manage.py migrate library 0005 --fake --verbosity 0")
length.run("python manage.py migrate --verbosity 0")

# %% [markdown] tags=["setup"]
# A table is made by hand:

# %% tags=["setup"]
by_hand = healthy.clone("by-hand")
by_hand.rows("create table library_shelf (id integer primary key)")

# %% [markdown] tags=["setup"]
# An index is dropped by hand:

# %% tags=["setup"]
index = healthy.clone("index")
index.rows("drop index library_book_title")

# %%
STATES = {
    "A model changed, no migration says so": changed,
    "[Two leaf nodes](../conflicts/two-leaf-nodes.md)": leaves,
    "[A parent has no file](../conflicts/missing-parent.md)": parent,
    "[A row before its parent](history-out-of-order.md)": order,
    "[A row without a file](ghost-migration.md)": ghost,
    "[A squash recorded in part](../squashing/squash-applied-in-part.md)": squash,
    "[Run, not recorded](table-already-exists.md)": not_recorded,
    "[Recorded, never run](recorded-but-never-ran.md)": never_ran,
    "[A column of another length](faked-too-much.md)": length,
    "[A table no migration knows](schema-changed-by-hand.md)": by_hand,
    "[An index is missing](schema-changed-by-hand.md)": index,
}
rows = [["nothing: a healthy project", *seen(healthy)]]
rows += [[state, *seen(place)] for state, place in STATES.items()]
table("What each command sees", ["what is wrong", *COMMANDS, "the chain"], rows)

# %% [markdown]
# ## What to run, and where
#
# - **In CI, on every pull request**: `makemigrations --check --noinput`, on the merged state.
# - **On a database, before and after a deploy**: `migrate --check`. It stops on what is pending and
#   on a history that is out of order.
# - `check` looks at models and settings. On migrations it says nothing at all.
# - `migrate --plan` and `showmigrations` are to be read by a person. Pending work does not make them
#   fail; files and a history that Django refuses do.
# - **For the five silent rows** there is no command. A row without a file shows in
#   [a query](ghost-migration.md#is-this-your-case); for the schema, compare it with one that the
#   migrations have built: [a script for it](schema-changed-by-hand.md#is-this-your-case).

# %% tags=["check"]
by_state = {state: cells for state, *cells in rows}
assert by_state["nothing: a healthy project"] == ["silent"] * 5 + ["whole"], "healthy is silent"
silent = [state for state, cells in by_state.items() if cells[:5] == ["silent"] * 5]
assert len(silent) - 1 == 5, "five of the eleven pass every command in silence"
assert [state for state, cells in by_state.items() if cells[5] == "whole"] == silent[:1], (
    "the chain sees each of them"
)
