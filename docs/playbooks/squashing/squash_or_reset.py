# ---
# title: Squash or reset, or neither?
# answer: >-
#   Squash where a database has to live on. Reset where none has to. If neither the number of files
#   nor the time of a new install hurts anyone, leave the files alone.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %% [markdown]
# Both make many migrations one. In each row that is done for a whole app, and then one command
# is typed on the database of that row: `migrate`.
#
# - **Squash**: `squashmigrations` writes one file for many, and the originals stay for now.
# - **Reset**: the files of both apps are deleted, and `makemigrations` writes them anew.
#
# A cell says **works** if the commands succeed and [the chain](../../guide/the-chain.md) is whole
# afterwards. The last two rows start without a database.

# %%
from playbook_kit import Sandbox, on, table

SQUASH = "python manage.py squashmigrations library 0001 0006 --noinput"
SQUASH_LENDING = "python manage.py squashmigrations lending 0001 0007 --noinput"
RESET_ONE = (
    'find library/migrations -name "0*.py" | xargs rm',
    "python manage.py makemigrations library",
)
RESET = (
    'find library/migrations -name "0*.py" | xargs rm',
    'find lending/migrations -name "0*.py" | xargs rm',
    "python manage.py makemigrations library lending",
)
MIGRATE = "python manage.py migrate"
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")


def outcome(place, *lines):
    """What comes of these commands and of `migrate`, in the words of the table."""
    for line in (*lines, MIGRATE):
        output = place.attempt(line)
        if output.code:
            error = output.strip().splitlines()[-1].partition(":")[0].rpartition(".")[2]
            return f"**stops**: `{error}`"
    chain = place.chain()
    if chain.whole:
        return "works"
    faults = len(chain.findings)
    return f"**broken in silence**: {faults} {'fault' if faults == 1 else 'faults'}"


# %% [markdown] tags=["setup"]
# A database that has applied everything, and one that is two migrations of `library` behind:

# %% tags=["setup"]
healthy = Sandbox("healthy")
behind = healthy.clone("behind")
behind.run("python manage.py migrate library 0004 --verbosity 0")

# %% [markdown] tags=["setup"]
# No database yet:

# %% tags=["setup"]
new = healthy.clone("new")
new.run(EMPTY)

# %% [markdown] tags=["setup"]
# A branch that is not merged yet, with a migration on top of the last one:

# %% tags=["setup"]
branch = healthy.clone("branch")
branch.run("git switch --quiet --create shelf")
branch.run("python manage.py makemigrations library --empty --name shelf --verbosity 0")
branch.run("git add . && git commit --quiet --message 'Shelf' && git switch --quiet main")

# %% [markdown] tags=["setup"]
# Two apps that refer to each other:

# %% tags=["setup"]
circle = healthy.clone("circle")
circle.replace(
    "library/models.py",
    "    copies = models.PositiveIntegerField(default=1)\n",
    "    copies = models.PositiveIntegerField(default=1)\n"
    '    kept_for = models.ForeignKey("lending.Reader", models.SET_NULL, null=True)\n',
)
circle.run("python manage.py makemigrations library --name kept_for --verbosity 0")
circle.run(EMPTY)

# %%
SQUASH_CIRCLE = "python manage.py squashmigrations library 0001 0007 --noinput"
SQUASH_AND_MERGE = (SQUASH, "git add . && git commit --quiet --message 'Squash'")
RESET_AND_MERGE = (*RESET, "git add . && git commit --quiet --message 'Reset'")
MERGE = "git merge --quiet shelf"
rows = [
    [
        "a database that has applied everything",
        outcome(healthy.clone("a-squash"), SQUASH),
        outcome(healthy.clone("a-reset"), *RESET),
        "[Squash in two releases](squash-in-two-releases.md)",
    ],
    [
        "a database that is behind",
        outcome(behind.clone("b-squash"), SQUASH),
        outcome(behind.clone("b-reset"), *RESET),
        "[Squash](squash-in-two-releases.md), and keep the originals until all have caught up",
    ],
    [
        "no database, or one that you can throw away",
        outcome(new.clone("c-squash"), SQUASH),
        outcome(new.clone("c-reset"), *RESET),
        "[Throw the database away](../reset/reset-throwaway-database.md)",
    ],
    [
        "one app of two",
        outcome(healthy.clone("d-squash"), SQUASH),
        outcome(healthy.clone("d-reset"), *RESET_ONE),
        "Squash, or [reset one app with care](../reset/reset-one-app.md)",
    ],
    [
        "a branch that is not merged yet",
        outcome(branch.clone("e-squash"), *SQUASH_AND_MERGE, MERGE),
        outcome(branch.clone("e-reset"), *RESET_AND_MERGE, MERGE),
        "Squash; before a [reset](../reset/reset-live-databases.md), merge every branch",
    ],
    [
        "a data migration in the range",
        outcome(new.clone("f-squash"), SQUASH_LENDING),
        outcome(dropped := new.clone("f-reset"), *RESET),
        "[Copy its function into the squash](squash-with-runpython.md); a reset drops it",
    ],
    [
        "two apps that refer to each other",
        outcome(circle.clone("g-squash"), SQUASH_CIRCLE),
        outcome(circle.clone("g-reset"), *RESET),
        "[Split the key out](squash-in-a-circle.md)",
    ],
]
table("Squash or reset", ["what you have", "squash", "reset", "go to"], rows)

# %% [markdown]
# A reset that is broken in silence can be finished by hand, on every database: in
# [development](../reset/reset-history-keep-data.md), or
# [where databases stay](../reset/reset-live-databases.md).
#
# ## When neither
#
# - **One migration is wrong.** Take [it](../reset/undo-unpushed.md) back if nobody else has it, or
#   [go forward](../reset/pulled-from-main.md).
# - **Files and history disagree.** A squash hides it and a reset makes it worse. Find
#   [the page that is yours](../mismatch/index.md) first.
# - **Little would be saved.** `squashmigrations` says how many operations it could fold into
#   others. In `library`, three of eight are left. In `lending`, seven of eight are left, because
#   [a data migration stands in the way](squash-by-hand.md).

# %%
folded = healthy.clone("folded").run(SQUASH)
stuck = healthy.clone("stuck").run(SQUASH_LENDING)

# %% tags=["check"]
squashed = [cells[1] for cells in rows]
reset = [cells[2] for cells in rows]
assert squashed[:5] == ["works"] * 5, "a squash works wherever the originals can still run"
assert squashed[5:] == ["**stops**: `SyntaxError`", "**stops**: `CircularDependencyError`"]
assert all(cell.startswith("**broken in silence**") for cell in reset[:2]), "no database lives on"
assert reset[2] == reset[5] == reset[6] == "works", "a reset works where there is no database"
assert reset[3:5] == ["**stops**: `NodeNotFoundError`"] * 2, "others name what is gone"
assert "from 8 operations to 3 operations" in folded, "library gets short"
assert "from 8 operations to 7 operations" in stuck, "lending does not"
made = dropped.run("find lending/migrations -name '0*.py' | xargs cat")
assert "migrations.CreateModel" in made, "the reset wrote the models"
assert "RunPython" not in made, "and not the data migration"
