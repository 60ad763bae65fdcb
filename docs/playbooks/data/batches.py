# ---
# title: Change many rows in a migration, eight ways
# answer: >-
#   One SQL UPDATE is the cheapest, and holds all rows until it ends. Slices by primary key, each in
#   its own transaction, need little memory and go on after a kill, if they filter for what is not
#   done. `bulk_update` holds all rows in memory, with a `batch_size` too: slice them yourself.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %% [markdown]
# A library has 5,000 books. Seven migrations give each book a shelf, and one gives it one copy more. Each
# runs to its end on one database. On another it is killed half-way, and then run again.
#
# **Slices** are 200 rows by primary key, in a migration with `atomic = False`. The others leave Django's
# transaction around them.

# %%
import json

from playbook_kit import Sandbox, chart, on, table

BOOKS = 5000
MIGRATE = "python manage.py migrate --verbosity 0"
STEPS = (100, 400, 1600, 6400, 25_600)  # KB


def done(place):
    """The query that counts the rows that are as meant."""
    meant = "copies = 2" if place is adds else "shelf = 100 * id"
    return f"select count(*) from library_book where {meant}"


# %% [markdown] tags=["setup"]
# The books, and a column for the shelf. With `DEBUG = True` Django keeps every statement in memory:

# %% tags=["setup"]
library = Sandbox("library")
library.replace("config/settings.py", "DEBUG = True", "DEBUG = False")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
SHELF = "    shelf = models.IntegerField(null=True)\n"
library.replace("library/models.py", COPIES, COPIES + SHELF)
library.run(f"python manage.py makemigrations library --name shelf --verbosity 0 && {MIGRATE}")
NUMBERS = on(
    SQLite="(with recursive k(n) as (select 7 union all select n + 1 from k where n < 5000) select n from k)",
    PostgreSQL="generate_series(7, 5000) n",
)
library.rows(f"insert into library_book (id, title, isbn, copies, author_id) select n, 'Book', '', 1, 1 from {NUMBERS}")  # fmt: skip
library.rows("update library_book set copies = 1")

# %% [markdown] tags=["setup"]
# What counts the statements, and kills the process after as many `UPDATE`s as the file `kill` says. A
# statement outside `atomic` is a transaction. `tracemalloc` sees the memory of Python alone:

# %% tags=["setup"]
library.write("library/measure.py", '''import json
import os
import tracemalloc
from pathlib import Path


def measured(function):
    def run(apps, schema_editor):
        connection = schema_editor.connection
        kill_after = int(Path("kill").read_text()) if Path("kill").exists() else 0
        found = {"statements": 0, "updates": 0, "transactions": int(connection.in_atomic_block)}
        commit = connection.commit

        def count(execute, sql, params, many, context):
            result = execute(sql, params, many, context)
            found["statements"] += sql.startswith(("SELECT", "UPDATE"))
            if sql.startswith("UPDATE"):
                found["updates"] += 1
                found["transactions"] += not connection.in_atomic_block
                if found["updates"] == kill_after:
                    os._exit(137)
            return result

        def counted():
            found["transactions"] += 1
            commit()

        connection.commit = counted
        if not kill_after:
            tracemalloc.start()
        with connection.execute_wrapper(count):
            function(apps, schema_editor)
        del connection.commit
        if tracemalloc.is_tracing():
            found["peak"] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            Path("measured.json").write_text(json.dumps(found))

    return run
''')  # fmt: skip
HEAD = """from django.db import migrations
from django.db.models import F

from library.measure import measured


@measured
def forwards(apps, schema_editor):
    Book = apps.get_model("library", "Book")
    books = Book.objects.using(schema_editor.connection.alias).order_by("pk")
{}

class Migration(migrations.Migration):
    atomic = {}
    dependencies = [("library", "0007_shelf")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
""".format


def written(name, body, atomic=True):
    """A working copy with this data migration."""
    place = library.clone(name)
    place.write(f"library/migrations/0008_{name}.py", HEAD(body, atomic))
    return place


# %% [markdown] tags=["setup"]
# One `save()` for each book, and `bulk_update`:

# %% tags=["setup"]
EACH = """    for book in books.all():
        book.shelf = book.pk * 100
        book.save(update_fields=["shelf"])
"""
BULK = """    todo = list(books.filter(shelf=None))
    for book in todo:
        book.shelf = book.pk * 100
    books.bulk_update(todo, ["shelf"])
"""
each = written("each", EACH)
chunks = written("chunks", EACH.replace("all()", "iterator(chunk_size=200)"))
bulk = written("bulk", BULK)
bulk_size = written("bulk_size", BULK.replace('["shelf"]', '["shelf"], batch_size=200'))

# %% [markdown] tags=["setup"]
# Slices by primary key, without a transaction around them, and one `UPDATE`:

# %% tags=["setup"]
SLICED = """    todo = list(books.filter(shelf=None)[:200])
    while todo:
        for book in todo:
            book.shelf = book.pk * 100
        books.bulk_update(todo, ["shelf"])
        todo = list(books.filter(shelf=None, pk__gt=todo[-1].pk)[:200])
"""
KEYS = """    last = 0
    while keys := books.filter(shelf=None, pk__gt=last).values_list("pk", flat=True)[:200]:
        first, last = min(keys), max(keys)
        books.filter(shelf=None, pk__range=(first, last)).update(shelf=F("pk") * 100)
"""
ADDS = KEYS.replace("shelf=None, ", "").replace('shelf=F("pk") * 100', 'copies=F("copies") + 1')
ONE = '    books.filter(shelf=None).update(shelf=F("pk") * 100)\n'
sliced = written("sliced", SLICED, atomic=False)
by_key = written("by_key", KEYS, atomic=False)
adds = written("adds", ADDS, atomic=False)
one = written("one", ONE)

# %%
WAYS = {
    each: "`save()` each of `all()`",
    chunks: "`save()` each of `iterator(chunk_size=200)`",
    bulk: "`bulk_update` of all",
    bulk_size: "`bulk_update`, `batch_size=200`",
    sliced: "slices of 200, `bulk_update` of each",
    by_key: "slices of 200, one `UPDATE` each",
    adds: "the same, for a change that adds up",
    one: "one `UPDATE`",
}
copies = {place: place.clone(f"{place.name}_killed") for place in WAYS}
statements, updates, memory, cost = {}, {}, {}, []
for place, way in WAYS.items():
    place.run(MIGRATE, seconds=300)
    # Without a word: another Python needs some bytes more.
    found = json.loads(place.carry_out("cat measured.json").output)
    assert place.rows(done(place)) == [(BOOKS,)], f"{way}: every row is as meant"
    statements[place], updates[place] = found["statements"], found["updates"]
    memory[place] = next(step for step in STEPS if found["peak"] < step * 1000)
    transactions = found["transactions"]
    cost.append([way, f"{statements[place]:,}", f"{memory[place]:,} KB", str(transactions), f"{BOOKS // transactions:,}"])  # fmt: skip

# %% [markdown]
# ## What each one costs
#
# Memory is that of Python, at its highest, in steps of four times: “100 KB” is less than that. The last
# column tells how many rows stay locked until a transaction ends.

# %%
table(
    "What each one costs", ["the way", "statements", "memory", "transactions", "rows in one"], cost
)
chart("Memory at most, in steps of four times", "KB", {WAYS[it].replace("`", ""): memory[it] for it in WAYS})  # fmt: skip

# %% [markdown]
# - **`batch_size` cuts the statement, and not the list.** All books are in memory, and an expression for
#   each: more than a loop of `save()` needs. Without it, PostgreSQL gets one `UPDATE` for all, and SQLite
#   gets batches all the same.
# - **`iterator()` saves memory**, and sends as many statements as before.
# - **One `UPDATE`** needs no row in Python. It [makes writes wait](../production/backfill-under-load.md)
#   until it ends.
# - **If SQL cannot compute the value**, take slices with `bulk_update`.
#
# ## What a kill leaves
#
# The process ends at once when half of its updates are done. Then `migrate` is typed again. The two ways
# that are not here have the same transaction as the one above them.

# %%
restart = []
for place, way in WAYS.items():
    if place in (chunks, bulk_size):
        continue  # in a transaction too, like the one before
    killed = copies[place]
    killed.write("kill", str((updates[place] + 1) // 2))
    assert killed.attempt(MIGRATE, seconds=300).code, f"{way}: it is killed"
    ((kept,),) = killed.rows(done(place))
    killed.run("rm kill")
    killed.run(MIGRATE, seconds=300)
    ((right,),) = killed.rows(done(place))
    second = "changes the rest" if kept else "changes all"
    restart.append([way, f"{kept:,}", second if right == BOOKS else f"**wrong rows**: {BOOKS - right:,}"])  # fmt: skip
    assert killed.chain().whole
table("What a kill leaves", ["the way", "rows kept", "the second run"], restart)

# %% [markdown]
# - **In a transaction, nothing is kept**, and the second run begins again.
# - **With `atomic = False` each slice is kept.** The filter for what is empty makes the second run go on
#   there. So a slice that changes rows must take them out of the filter.
# - **A change that adds up has no such filter**, and counts the first half twice. Leave it
#   [in its transaction](../mismatch/half-applied.md#is-this-your-case).

# %% tags=["check"]
assert [statements[it] for it in (each, chunks, by_key, one)] == [5001, 5001, 51, 1]
assert memory[one] == memory[by_key] < memory[chunks] < memory[sliced] < memory[each]
assert memory[each] < memory[bulk_size] <= memory[bulk], "a batch_size still holds all"
assert [cells[3:] for cells in cost] == [["1", "5,000"]] * 4 + [["25", "200"]] * 3 + [
    ["1", "5,000"]
]
assert [cells[1:] for cells in restart] == [
    *[["0", "changes all"]] * 2,
    ["2,400", "changes the rest"],
    ["2,600", "changes the rest"],
    ["2,600", "**wrong rows**: 2,600"],
    ["0", "changes all"],
], "what is kept, and what a second run makes of it"
