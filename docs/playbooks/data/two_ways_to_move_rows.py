# ---
# title: A data migration, written two ways
# answer: >-
#   Each of these works on the first day. Then the usual way fails when it is taken back, run again or
#   run elsewhere, and five of seven do so without a word. Write the way back, change only what is not
#   done yet, and use the connection that you are given.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %% [markdown]
# Each row is a data migration, written twice. The usual way works on the first day; in the last two
# rows that day has no books. Then comes what sooner or later comes, on a database with six books.
#
# - **works**: the commands succeed, every row is as meant, and
#   [the chain](../../guide/the-chain.md) is whole.
# - **wrong rows**: the commands succeed, and so many rows are not as meant.
#
# Which code it can call is on [its twin page](two-ways-to-read-models.md).

# %%
from playbook_kit import Sandbox, on, table

MIGRATE = "python manage.py migrate --verbosity 0"
BACK = "python manage.py migrate library 0007 --verbosity 0"
errors = {}


def outcome(wrong, place, *lines, second=None):
    """What comes of these commands; `wrong` counts the rows that are not as meant."""
    for line in lines:
        output = place.attempt(line)
        if output.code:
            said = [it for it in output.splitlines() if "Error: " in it][-1]
            error, _, says = said.partition(": ")
            errors[place.name] = says
            return f"**stops**: `{error.rpartition('.')[2]}`"
    count = sum(one.rows(wrong)[0][0] for one in (place, second) if one)
    if count:
        return f"**wrong rows**: {count}"
    return "works" if place.chain().whole else "**broken**"


# %% [markdown] tags=["setup"]
# A new column for the shelf, and ten times its id as the copies of each book, so that a change shows:

# %% tags=["setup"]
library = Sandbox("library")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
SHELF = "    shelf = models.IntegerField(null=True)\n"
library.replace("library/models.py", COPIES, COPIES + SHELF)
library.run(f"python manage.py makemigrations library --name shelf --verbosity 0 && {MIGRATE}")
library.rows("update library_book set copies = 10 * id")
HEAD = """from django.db import migrations
from django.db.models import F


def books(apps, schema_editor):
    alias = schema_editor.connection.alias
    return apps.get_model("library", "Book").objects.using(alias)


"""
TAIL = """

class Migration(migrations.Migration):
    dependencies = [("library", "0007_shelf")]
    operations = [migrations.RunPython(WAYS)]
"""
ADD = """def forwards(apps, schema_editor):
    books(apps, schema_editor).update(copies=F("copies") + 1)


def backwards(apps, schema_editor):
    books(apps, schema_editor).update(copies=F("copies") - 1)
"""
NOOP = "forwards, migrations.RunPython.noop"
SECOND = on(
    SQLite='BASE_DIR / "second.sqlite3"', PostgreSQL='DATABASES["default"]["NAME"] + "_second"'
)
SETTINGS = f"""DATABASES["second"] = dict(DATABASES["default"], NAME={SECOND})
DEFAULT_AUTO_FIELD"""


def written(name, functions, ways, old="", new=""):
    """A working copy with this data migration; `old` and `new` are what differs in it."""
    place = library.clone(name)
    file = (HEAD + functions + TAIL.replace("WAYS", ways)).replace(old, new)
    place.write(f"library/migrations/0008_{name}.py", file)
    return place


# %% [markdown] tags=["setup"]
# Every book gets one copy more:

# %% tags=["setup"]
one_more = written("one_more", ADD, "forwards, backwards")
SQL = 'RunSQL("update library_book set copies = copies + 1")'
no_way_back = library.clone("no_way_back")
text = "from django.db import migrations\n" + TAIL.replace("RunPython(WAYS)", SQL)
no_way_back.write("library/migrations/0008_no_way_back.py", text)
added_again = written("added_again", ADD.partition("\n\n\n")[0] + "\n", NOOP)
no_alias = written("no_alias", ADD, "forwards, backwards", ".using(alias)", "")

# %% [markdown] tags=["setup"]
# Every book gets a shelf:

# %% tags=["setup"]
FILL = """def forwards(apps, schema_editor):
    books(apps, schema_editor).filter(shelf=None).update(shelf=F("pk") * 100)
"""
fill_empty = written("fill_empty", FILL, NOOP)
fill_all = written("fill_all", FILL, NOOP, "filter(shelf=None).", "")

# %% [markdown] tags=["setup"]
# The same two changes, row by row and in batches of two, without one transaction around them:

# %% tags=["setup"]
ATOMIC = "    dependencies", "    atomic = False\n    dependencies"
ROWS = """def forwards(apps, schema_editor):
    for book in books(apps, schema_editor).order_by("pk"):
        if not book.isbn:
            raise ValueError(f"{book.title} has no ISBN")
        book.copies += 1
        book.save()
"""
BATCHES = """def forwards(apps, schema_editor):
    todo = books(apps, schema_editor).filter(shelf=None).order_by("pk")
    while batch := list(todo[:2]):
        for book in batch:
            if not book.isbn:
                raise ValueError(f"{book.title} has no ISBN")
            one = books(apps, schema_editor).filter(pk=book.pk, shelf=None)
            one.update(shelf=book.pk * 100)
"""
row_by_row = written("row_by_row", ROWS, NOOP, *ATOMIC)
in_batches = written("in_batches", BATCHES, NOOP, *ATOMIC)

# %% [markdown] tags=["setup"]
# A code of its own for every book, in one step, as `makemigrations` writes it:

# %% tags=["setup"]
UNIQUE = "    code = models.UUIDField(default=uuid.uuid4, unique=True)\n"
step_unique, step_plain = library.clone("step_unique"), library.clone("step_plain")
for place, field in ((step_unique, UNIQUE), (step_plain, UNIQUE.replace(", unique=True", ""))):
    place.replace("library/models.py", "from django.db", "import uuid\n\nfrom django.db")
    place.replace("library/models.py", SHELF, SHELF + field)
three_unique, three_plain = step_unique.clone("three_unique"), step_plain.clone("three_plain")
for place in (step_plain, step_unique):
    made = place.run("python manage.py makemigrations library --name code --noinput")

# %% [markdown] tags=["setup"]
# And by hand in three: the column, the codes, and then the column as the model has it.

# %% tags=["setup"]
CODES = """def forwards(apps, schema_editor):
    for book in books(apps, schema_editor).filter(code=None):
        book.code = uuid.uuid4()
        book.save(update_fields=["code"])
"""
FIELD = """import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "%s")]
    operations = [migrations.%s("book", "code", models.UUIDField(%s))]
"""
FILLED = (HEAD + CODES + TAIL).replace("0007_shelf", "0008_code").replace("WAYS", NOOP)
for place, options in ((three_unique, ", unique=True"), (three_plain, "")):
    third = FIELD % ("0009_fill_code", "AlterField", f"default=uuid.uuid4{options}")
    place.write("library/migrations/0008_code.py", FIELD % ("0007_shelf", "AddField", "null=True"))
    place.write("library/migrations/0009_fill_code.py", f"import uuid\n\n{FILLED}")
    place.write("library/migrations/0010_code_for_all.py", third)

# %%
NOT_ADDED = "select count(*) from library_book where copies <> 10 * id + 1"
NOT_AS_BEFORE = NOT_ADDED.removesuffix(" + 1")
NOT_FILLED = "select count(*) from library_book where coalesce(shelf, 0) <> 100 * id"
NOT_KEPT = NOT_FILLED.replace("100 * id", "case when id = 1 then 7 else 100 * id end")
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
SHARED = (
    "select count(*) from library_book b "
    "where exists (select 1 from library_book other where other.code = b.code and other.id <> b.id)"
)


def first_day(place, wrong):
    line = f"{NEW} && {MIGRATE}" if wrong is SHARED else MIGRATE
    return outcome(wrong, place.clone(f"{place.name}_first_day"), line)


def taken_back(place):
    return outcome(NOT_AS_BEFORE, place.clone(f"{place.name}_back"), MIGRATE, BACK)


def taken_back_and_run_again(place):
    return outcome(NOT_ADDED, place.clone(f"{place.name}_again"), MIGRATE, BACK, MIGRATE)


def run_again_after_an_edit(place):
    (edited := place.clone(f"{place.name}_edited")).run(MIGRATE)
    edited.rows("update library_book set shelf = 7 where id = 1")
    return outcome(NOT_KEPT, edited, BACK, MIGRATE)


def stopped_and_run_again(place):
    stopped = place.clone(f"{place.name}_stopped")
    stopped.rows("update library_book set isbn = '' where id = 5")
    stopped.run(MIGRATE, fails="Moby-Dick has no ISBN")
    stopped.rows("update library_book set isbn = '9780142437247' where id = 5")
    return outcome(NOT_FILLED if place is in_batches else NOT_ADDED, stopped, MIGRATE)


def run_on_a_second_database(place):
    two, second = place.clone(f"{place.name}_two"), place.clone(f"{place.name}_second")
    two.replace("config/settings.py", "DEFAULT_AUTO_FIELD", SETTINGS)
    copy, out, back = on(
        SQLite=("cp db.sqlite3 second.sqlite3", "cp second.sqlite3 ../second", "cp ../second db.sqlite3"),
        PostgreSQL=("createdb --template library library_second", "pg_dump --format custom library_second > ../second", f"{NEW} && pg_restore --dbname library ../second"),
    )  # fmt: skip
    two.run(f"{copy} && {MIGRATE} && {MIGRATE} --database second && {out}")
    second.run(back)
    return outcome(NOT_ADDED, two, second=second)


def run_where_there_are_books(place):
    return outcome(SHARED, place.clone(f"{place.name}_books"), MIGRATE)


HABITS = [
    ("[no code for the way back](../reset/irreversible.md)", no_way_back, NOT_ADDED, taken_back, one_more, "code for the way back"),
    ("`noop`, for a change that adds up", added_again, NOT_ADDED, taken_back_and_run_again, one_more, "code that takes it back"),
    ("fills all rows", fill_all, NOT_FILLED, run_again_after_an_edit, fill_empty, "`filter(…=None)`"),
    ("[`atomic = False`](../mismatch/half-applied.md), adds row by row", row_by_row, NOT_ADDED, stopped_and_run_again, in_batches, "batches of what is not done yet"),
    ("`.objects` without `using()`", no_alias, NOT_ADDED, run_on_a_second_database, one_more, "`using(schema_editor.connection.alias)`"),
    ("a unique column with a callable default", step_unique, SHARED, run_where_there_are_books, three_unique, "three steps: add, fill, alter"),
    ("the same, not unique", step_plain, SHARED, run_where_there_are_books, three_plain, "the same three steps"),
]  # fmt: skip
rows = [
    [habit, first_day(usual, wrong), then.__name__.replace("_", " "), then(usual), then(way), write]
    for habit, usual, wrong, then, way, write in HABITS
]
table(
    "Two ways to move rows",
    ["the habit", "first day", "what comes", "usual way", "safe way", "what to write"],
    rows,
)

# %% [markdown]
# - **A `noop`** fits where the old code can live with the new values, and where running again
#   changes nothing: the safe way to fill has one.
# - **The second database** stays as it was, and the books of the first are counted twice: six wrong
#   rows in each.
# - **A callable default** does not give each row a value of its own when a migration adds the column.
#   Without books nothing is wrong, and `makemigrations --noinput` does not warn.

# %% tags=["check"]
assert [row[1] for row in rows] == ["works"] * 7, "each works on the first day"
assert [row[4] for row in rows] == ["works"] * 7, "and the safe way on all that come"
late = [row[3] for row in rows]
assert sum("wrong rows" in cell for cell in late) == 5, "five of seven fail without a word"
assert errors["step_unique_books"] == on(
    SQLite="UNIQUE constraint failed: new__library_book.code",
    PostgreSQL='could not create unique index "library_book_code_key"',
), "all books got one code"
assert "unique" not in made, "makemigrations --noinput does not warn"
assert late[0] == "**stops**: `IrreversibleError`", "there is no code for the way back"
assert late[3:5] == ["**wrong rows**: 4", "**wrong rows**: 12"], "four before the fifth, six twice"
