# ---
# title: What makemigrations does with each option
# answer: >-
#   `makemigrations --check` exits 1 when a migration is missing. Add `--noinput` in CI: a prompt then
#   becomes an answer, or exit code 3. `--dry-run` alone exits 0 over the same changes.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is one command, typed after `python manage.py` in a fresh copy of a project. Nobody answers
# a prompt unless the row says so. **Writes** is measured: the files of the project, and the whole
# database file, or a dump on PostgreSQL, are compared before and after.

# %%
import re
from textwrap import shorten

from playbook_kit import Sandbox, on, table

COLUMNS = ["you type", "the project", "exit code", "prints", "writes"]
codes, written = {}, {}


def database(place):
    """The bytes of the database file; on PostgreSQL a dump, without its random word."""
    if on(SQLite=True, PostgreSQL=False):
        file = place.path / "db.sqlite3"
        return file.read_bytes() if file.exists() else b""
    place.run("pg_dump library > dump.sql")
    return re.sub(r"(?m)^\\(un)?restrict .*", "", (place.path / "dump.sql").read_text())


def look(place):
    """All that a command can write."""
    files = {str(file): file.read_bytes() for file in place.path.rglob("*.py")}
    return {"files": files, "the database": database(place)}


def row(start, typed, line="", answers=()):
    """Run one command on a copy. `line` is a part of the printed line to quote: else the last."""
    place = start.clone(f"{start.name.replace(' ', '-')}-{len(codes)}")
    before = look(place)
    output = place.attempt(f"python manage.py {typed}", answers=answers)
    after = look(place)
    assert line in output, f"{typed} prints {line!r}"
    quoted = [said.strip() for said in output.splitlines() if line in said and said.strip()]
    state = start.name + (f"; you answer `{'`, `'.join(answers)}`" if answers else "")
    codes[typed, state] = output.code
    written[typed, state] = [what for what in before if before[what] != after[what]]
    code = f"**{output.code}**" if output.code else "0"
    says = f"`{shorten(quoted[-1], 72, placeholder=' …')}`" if quoted else "nothing"
    return [f"`{typed}`", state, code, says, ", ".join(written[typed, state]) or "nothing"]


# %% [markdown] tags=["setup"]
# Models that no migration describes yet:

# %% tags=["setup"]
same = Sandbox("nothing changed")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
field = same.clone("a new field")
field.replace("library/models.py", COPIES, COPIES + "    pages = models.IntegerField(null=True)\n")
required = same.clone("a new required field")
required.replace("library/models.py", COPIES, COPIES + "    pages = models.IntegerField()\n")
renamed = same.clone("a field renamed")
renamed.replace("library/models.py", COPIES, COPIES.replace("copies", "volumes"))
renamed.replace("library/admin.py", "copies", "volumes")
null = same.clone("null no longer allowed")
null.replace(
    "lending/models.py",
    "returned_on = models.DateField(null=True, blank=True)",
    "returned_on = models.DateField()",
)

# %% [markdown] tags=["setup"]
# A migration that is written and not applied, the same with a change on top, and two leaf nodes:

# %% tags=["setup"]
pending = field.clone("a migration is pending")
pending.run("python manage.py makemigrations --name pages --verbosity 0")
more = pending.clone("a pending migration, and a new field")
more.replace("library/models.py", COPIES, COPIES + "    shelf = models.IntegerField(null=True)\n")
fork = same.clone("two leaf nodes")
fork.run("python manage.py makemigrations library --empty --name shelf --verbosity 0")
fork.run("cp library/migrations/0007_shelf.py library/migrations/0007_notes.py")

# %% [markdown]
# ## Look, and write nothing
#
# `--check` never writes. It compares models with files and does not look for what is pending: the
# third row is a project with work to do, and `migrate --check` is
# [the command for that](options-of-migrate.md).

# %%
CHECK = "makemigrations --check"
CI = "makemigrations --check --noinput"
looking = [
    row(same, CI),
    row(field, CI),
    row(pending, CI),
    row(fork, CI, "Conflicting"),
    row(required, CI, "not migrated"),
    row(required, CHECK),
    row(renamed, CI, "Remove"),
    row(renamed, CHECK),
    row(field, "makemigrations lending --check"),
    row(field, "makemigrations --dry-run"),
    row(required, "makemigrations --dry-run"),
    row(renamed, "makemigrations --dry-run"),
    row(field, "makemigrations --dry-run --verbosity 3", "field="),
]
table("makemigrations, to look", COLUMNS, looking)

# %% [markdown]
# - **`EOFError` is a question that nobody answered.** The exit code is 1, as for a missing migration.
#   `--noinput` answers that nothing was renamed.
# - **With an app label**, `--check` sees that app and no other.
# - **`--dry-run` is for reading.** A pipeline that runs it is always green, except at a question.
#
# ## Write a migration
#
# Before you use `--noinput` here: it takes a renamed field for one that goes and one that comes. The
# migration drops the column, and what is in it is lost when it runs.

# %%
WRITE = "makemigrations"
writing = [
    row(same, WRITE),
    row(field, WRITE),
    row(field, "makemigrations --name pages", "0007"),
    row(field, "makemigrations --name add-pages"),
    row(same, "makemigrations library --empty --name notes", "0007"),
    row(same, "makemigrations --empty"),
    row(required, WRITE, "EOFError"),
    row(required, WRITE, "impossible", answers=["2"]),
    row(required, WRITE, answers=["1", "0"]),
    row(required, "makemigrations --noinput", "not migrated"),
    row(null, "makemigrations --noinput", "NOT PROVIDED"),
    row(renamed, WRITE, answers=["y"]),
    row(renamed, "makemigrations --noinput", "Remove"),
]
table("makemigrations, to write", COLUMNS, writing)

# %% [markdown]
# `NOT PROVIDED` is a warning with exit code 0. The file is written, and says `NOT NULL` of a column
# that may hold nulls.
#
# ## Change the last migration, or join two
#
# `--update` writes into the last migration and gives its file a new name. It refuses what this
# database has applied. Before a `--merge`, read
# [what the two leaf nodes do](../conflicts/two-leaf-nodes.md#is-this-your-case): `--noinput` answers
# yes.

# %%
joining = [
    row(field, "makemigrations --update"),
    row(more, "makemigrations --update", "Deleted"),
    row(more, "makemigrations --update --check"),
    row(same, "makemigrations --merge"),
    row(fork, "makemigrations --merge", answers=["n"]),
    row(fork, "makemigrations --merge", "Merging library", answers=["y"]),
    row(fork, "makemigrations --merge --noinput", "Merging"),
    row(fork, "makemigrations --merge --dry-run --noinput", "Merging"),
]
table("makemigrations, to update or merge", COLUMNS, joining)

# %%
drops = renamed.clone("drops")
drops.run("python manage.py makemigrations --noinput --verbosity 0")
drops.run("python manage.py migrate --verbosity 0")
left = drops.rows("select distinct volumes from library_book")
nulls = null.clone("nulls")
nulls.run("python manage.py makemigrations --noinput --verbosity 0")
nulls.run(
    "python manage.py migrate",
    fails=on(
        SQLite="NOT NULL constraint failed",
        PostgreSQL='column "returned_on" of relation "lending_loan" contains null',
    ),
)
updated = more.clone("updated")
updated.run("python manage.py makemigrations --update --verbosity 0")
files = updated.run('find library/migrations -name "0007*.py"')

# %% tags=["check"]
assert not any("the database" in parts for parts in written.values()), "no database is written"
assert not any(parts for (typed, _), parts in written.items() if "--check" in typed)
assert not any(parts for (typed, _), parts in written.items() if "--dry-run" in typed)
in_ci = [code for (typed, _), code in codes.items() if typed == CI]
assert in_ci == [0, 1, 0, 1, 3, 1], "--check --noinput exits 1, and 3 where it needs an answer"
assert codes[CHECK, "a field renamed"] == 1, "a question nobody answers is exit code 1 as well"
assert codes["makemigrations lending --check", "a new field"] == 0, "other apps are not looked at"
dry = [code for (typed, _), code in codes.items() if "--dry-run" in typed]
assert dry == [0, 0, 1, 0, 0], "--dry-run fails at a question and nowhere else"
assert left == [(1,)], "a rename answered no drops what was in the column"
assert written["makemigrations --noinput", "null no longer allowed"] == ["files"]
assert codes["makemigrations --noinput", "null no longer allowed"] == 0, "a warning, and no error"
assert len(files.split()) == 1, "--update leaves one file"
assert "0007_pages.py" not in files, "and gives it a new name"
assert written["makemigrations --merge --noinput", "two leaf nodes"] == ["files"], "it says yes"
