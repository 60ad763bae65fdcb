# ---
# title: What the other commands do with each option
# answer: >-
#   `showmigrations` and `sqlmigrate` write nothing, and exit 0 over two leaf nodes. `squashmigrations`
#   exits 0 even when `migrate` stops at the file that it wrote. `optimizemigration` rewrites a file
#   that is applied.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is one command, typed after `python manage.py` in a fresh copy of a project. Nobody answers
# a prompt unless the row says so, as in CI. **Writes** is measured: the files of the project, and what
# is in the database file, or in a dump on PostgreSQL, are compared before and after.

# %%
import re
from textwrap import shorten

from playbook_kit import Sandbox, on, table

COLUMNS = ["you type", "the project", "exit code", "prints", "writes"]
MODULE = re.compile(r"^django\.[\w.]+\.(?=\w+Error: )")  # a traceback ends with it
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
    said = shorten(MODULE.sub("", quoted[-1]), 72, placeholder=" …") if quoted else ""
    says = f"`{said}`" if said else "nothing"
    return [f"`{typed}`", state, code, says, ", ".join(written[typed, state]) or "nothing"]


# %% [markdown] tags=["setup"]
# What is applied, and what has a file, differs:

# %% tags=["setup"]
done = Sandbox("all applied")
pending = done.clone("two pending")
pending.run("python manage.py migrate library 0004 --verbosity 0")
new = done.clone("no database")
new.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
orphan = done.clone("a parent has no file")
orphan.run("rm library/migrations/0005_longer_titles.py")
empty = done.clone("0007 is empty")
empty.run("python manage.py makemigrations library --empty --name notes --verbosity 0")
fork = empty.clone("two leaf nodes")
fork.run("cp library/migrations/0007_notes.py library/migrations/0007_shelf.py")
ghost = empty.clone("a row without a file")
ghost.run("python manage.py migrate --verbosity 0")
ghost.run("rm library/migrations/0007_notes.py")

# %% [markdown] tags=["setup"]
# A step without a way back, one that says the same twice, and one with Python code besides:

# %% tags=["setup"]
NOTES, OPENING = "library/migrations/0007_notes.py", "operations = ["
SET = ' migrations.AlterModelOptions("book", {}),'
one_way = empty.clone("0007 is irreversible")
one_way.replace(NOTES, OPENING, OPENING + 'migrations.RunSQL("select 1"),')
twice = empty.clone("0007 sets one thing twice")
twice.replace(NOTES, OPENING, OPENING + SET + SET)
python = empty.clone("0007 does so and runs Python")
python.replace(NOTES, OPENING, OPENING + SET + SET + " migrations.RunPython(tell),")
python.replace(NOTES, "class ", "def tell(apps, schema_editor):\n    pass\n\n\nclass ")
applied = twice.clone("the same and applied")
applied.run("python manage.py migrate --verbosity 0")
squashed = done.clone("a squash is not recorded")
squashed.run("python manage.py squashmigrations library 0006 --noinput --verbosity 0")

# %% [markdown]
# ## showmigrations
#
# It exits 0 whatever is pending. A fork is a flat list, and a row without a file is left out. It
# stops when the files do not fit together.

# %%
showing = [
    row(done, "showmigrations library"),
    row(pending, "showmigrations library"),
    row(new, "showmigrations library"),
    row(fork, "showmigrations library"),
    row(ghost, "showmigrations library"),
    row(squashed, "showmigrations library", "[-]"),
    row(orphan, "showmigrations library"),
    row(pending, "showmigrations library --plan"),
    row(pending, "showmigrations --plan --list", "error"),
]
table("showmigrations", COLUMNS, showing)

# %% [markdown]
# ## sqlmigrate
#
# It prints the SQL of one migration, applied or not, and runs nothing. Python code has no SQL: a
# comment stands in its place, and the exit code is 0.

# %%
reading = [
    row(done, "sqlmigrate library 0006", "INDEX"),
    row(done, "sqlmigrate library 0006 --backwards", "INDEX"),
    row(new, "sqlmigrate library 0006", "INDEX"),
    row(fork, "sqlmigrate library 0006", "INDEX"),
    row(done, "sqlmigrate lending 0003", "CANNOT"),
    row(empty, "sqlmigrate library 0007"),
    row(one_way, "sqlmigrate library 0007", "select"),
    row(one_way, "sqlmigrate library 0007 --backwards"),
    row(done, "sqlmigrate library zero"),
]
table("sqlmigrate", COLUMNS, reading)

# %% [markdown]
# ## squashmigrations
#
# It writes one file and leaves the others. It does not look for two leaf nodes. Where it says
# `Manual porting required`, [finish the file](../squashing/squash-with-runpython.md) at once: until
# then `migrate`, `makemigrations` and `showmigrations` stop, and `check` does not.

# %%
SQUASH = "squashmigrations library 0006"
squashing = [
    row(done, SQUASH, "commit", answers=["y"]),
    row(done, SQUASH, answers=["n"]),
    row(done, SQUASH),
    row(done, "squashmigrations library 0006 --noinput", "Optimized"),
    row(done, "squashmigrations library 0006 --noinput --no-optimize", "Skipping"),
    row(done, "squashmigrations lending 0007 --noinput", "Manual porting"),
    row(done, "squashmigrations library 0006 0001 --noinput", "cannot be found"),
    row(fork, "squashmigrations library 0006 --noinput", "Optimized"),
    row(squashed, "squashmigrations library 0006 --noinput"),
]
table("squashmigrations", COLUMNS, squashing)

# %% [markdown]
# ## optimizemigration
#
# It writes the same file again, with fewer operations, and does not ask whether a database has
# applied it. If the migration runs Python code of its own, a second file is written beside it.

# %%
optimizing = [
    row(done, "optimizemigration library 0006 --check"),
    row(twice, "optimizemigration library 0007 --check"),
    row(done, "optimizemigration library 0006"),
    row(twice, "optimizemigration library 0007", "Optimizing"),
    row(applied, "optimizemigration library 0007", "Optimizing"),
    row(python, "optimizemigration library 0007", "Manual porting"),
]
table("optimizemigration", COLUMNS, optimizing)

# %%
ported = done.clone("ported")
ported.run("python manage.py squashmigrations lending 0007 --noinput --verbosity 0")
ported.run("python manage.py check")
ported.run("python manage.py showmigrations", fails="SyntaxError")
ported.run("python manage.py migrate", fails="SyntaxError")
ported.run("python manage.py makemigrations --check --noinput", fails="SyntaxError")
beside = python.clone("beside")
beside.run("python manage.py optimizemigration library 0007 --verbosity 0")
files = beside.run('find library/migrations -name "0007*.py"')
shown = ghost.run("python manage.py showmigrations library")

# %% tags=["check"]
assert not any("the database" in parts for parts in written.values()), "no database is written"
for command in ("showmigrations", "sqlmigrate"):
    assert not any(parts for (typed, _), parts in written.items() if typed.startswith(command))
assert not any(parts for (typed, _), parts in written.items() if "--check" in typed)
shows = {state: code for (typed, state), code in codes.items() if typed == "showmigrations library"}
assert shows.pop("a parent has no file") == 1, "files that do not fit stop it"
assert set(shows.values()) == {0}, "whatever is pending, it exits 0"
assert "0007_notes" not in shown, "a row without a file is left out"
assert codes["sqlmigrate lending 0003", "all applied"] == 0, "Python code is no error"
squashes = [parts for (typed, _), parts in written.items() if typed.startswith("squashmigrations")]
assert squashes == [["files"], [], [], ["files"], ["files"], ["files"], [], ["files"], []]
assert codes["squashmigrations library 0006 --noinput", "two leaf nodes"] == 0, "no look at leaves"
assert codes["squashmigrations lending 0007 --noinput", "all applied"] == 0, "0 over a broken file"
assert written["optimizemigration library 0007", "the same and applied"] == ["files"]
assert len(files.split()) == 2, "a second file stands beside the first"
