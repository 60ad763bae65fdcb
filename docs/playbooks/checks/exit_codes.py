# ---
# title: Exit codes of the migration commands
# answer: >-
#   0 is done, nothing to do, or refused by you. 1 is an error, or what a `--check` found. 2 is a line
#   that the command does not understand, and 3 a migration that lacks a value.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each cell is the exit code of one command on a fresh copy of a project. **Unknown app** is the same
# command with `nope` as the app label, **unknown option** with `--nope`. The second project has a
# field that no migration adds, and two migrations that are not applied.

# %%
from playbook_kit import Sandbox, table

COMMANDS = {
    "`makemigrations`": "makemigrations APP",
    "`makemigrations --check`": "makemigrations APP --check",
    "`migrate`": "migrate APP",
    "`migrate --check`": "migrate APP --check",
    "`migrate --plan`": "migrate APP --plan",
    "`showmigrations`": "showmigrations APP",
    "`sqlmigrate`": "sqlmigrate APP 0006",
    "`squashmigrations`": "squashmigrations APP 0006 --noinput",
    "`optimizemigration`": "optimizemigration APP 0006",
    "`optimizemigration --check`": "optimizemigration APP 0006 --check",
}
made = []


def code(start, line, app="library"):
    """The exit code of one command on a copy, bold where a pipeline stops."""
    place = start.clone(f"{start.name.replace(' ', '-')}-{len(made)}")
    made.append(place.attempt(f"python manage.py {line.replace('APP', app)}").code)
    return f"**{made[-1]}**" if made[-1] else "0"


# %% [markdown] tags=["setup"]
# A project with work left, and one with two leaf nodes:

# %% tags=["setup"]
healthy = Sandbox("all is done")
work = healthy.clone("work is left")
work.run("python manage.py migrate library 0004 --verbosity 0")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
work.replace("library/models.py", COPIES, COPIES + "    pages = models.IntegerField(null=True)\n")
fork = healthy.clone("two leaf nodes")
fork.run("python manage.py makemigrations library --empty --name notes --verbosity 0")
fork.run("cp library/migrations/0007_notes.py library/migrations/0007_shelf.py")

# %% [markdown] tags=["setup"]
# A new field that needs a value:

# %% tags=["setup"]
required = healthy.clone("a new required field")
required.replace("library/models.py", COPIES, COPIES + "    pages = models.IntegerField()\n")

# %%
rows = [
    [
        name,
        code(healthy, line),
        code(work, line),
        code(fork, line),
        code(healthy, line, "nope"),
        code(healthy, f"{line} --nope"),
    ]
    for name, line in COMMANDS.items()
]
SITUATIONS = ["all is done", "work is left", "two leaf nodes", "unknown app", "unknown option"]
table("Exit codes by command", ["command", *SITUATIONS], rows)

# %% [markdown]
# An unknown app is 2 in `makemigrations` and `showmigrations`, and 1 in the others. What each option
# does is in three tables each for [`makemigrations`](options-of-makemigrations.md) and
# [`migrate`](options-of-migrate.md), and in [one for each other command](options-of-other-commands.md).
#
# ## What a number says

# %%
MEANS = {
    0: "it did what you asked, or there was nothing to do, or you said no",
    1: "an error, a question that nobody answered, or a `--check` that found something",
    2: "an option or an app that the command does not know",
    3: "the new migration needs a value for the rows that exist, and has none",
}
EXAMPLES = [
    (healthy, "migrate", []),
    (healthy, "squashmigrations library 0006", ["n"]),
    (fork, "makemigrations --merge", ["n"]),
    (work, "migrate --check", []),
    (fork, "migrate", []),
    (required, "makemigrations", []),
    (healthy, "showmigrations nope", []),
    (healthy, "migrate --database nope", []),
    (required, "makemigrations", ["2"]),
    (required, "makemigrations --noinput", []),
]
seen = {}
for number, (start, line, answers) in enumerate(EXAMPLES):
    place = start.clone(f"example-{number}")
    output = place.attempt(f"python manage.py {line}", answers=answers)
    typed = f"`{line}`" + (f" answered `{answers[0]}`" if answers else f" ({start.name})")
    seen.setdefault(output.code, []).append(typed)
table(
    "Exit codes in general",
    ["exit code", "what it says", "for example"],
    [[str(number), MEANS[number], "; ".join(seen[number])] for number in sorted(seen)],
)

# %% tags=["check"]
by_name = {name: cells for name, *cells in rows}
assert {cells[0] for cells in by_name.values()} == {"0"}, "nothing to do is 0 everywhere"
stops = [name for name, cells in by_name.items() if cells[1] != "0"]
assert stops == ["`makemigrations --check`", "`migrate --check`"], "only these find what is left"
twos = [name for name, cells in by_name.items() if cells[3] == "**2**"]
assert twos == ["`makemigrations`", "`makemigrations --check`", "`showmigrations`"], "the others: 1"
assert {cells[4] for cells in by_name.values()} == {"**2**"}, "an unknown option is 2 everywhere"
assert sorted(seen) == [0, 1, 2, 3], "there are four"
assert [len(seen[number]) for number in sorted(seen)] == [3, 3, 2, 2], "each example has its number"
