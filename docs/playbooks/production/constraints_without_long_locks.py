# ---
# title: Add a constraint without a long lock
# answer: >-
#   A constraint that Django adds in one migration reads the rows while writes wait, and mostly reads
#   wait too. In steps, what makes others wait reads no row, and what reads the rows lets others read
#   and write.
# databases: [PostgreSQL]
# group: production
# ---

# %% [markdown]
# Each row is one migration, held open at its end, or `CONCURRENTLY` in its course. Meanwhile
# another session looks at its locks, and tries to read and to write with a `lock_timeout`.
#
# - **strongest lock**: on `library_book`, by `pg_locks`, until the migration ends.
# - **old rows**: **checked** where one that breaks the rule stops it. Else **read** or **not read**,
#   as PostgreSQL reports at `client_min_messages = debug1`.
#
# The tables here are small: how long a step takes on yours is not measured.

# %%
import re

from playbook_kit import Background, Client, Sandbox, table

STEP = """import re
from contextlib import nullcontext

from django.core.management import call_command
from django.db import connection, transaction


def report(notice):
    if re.search("verifying|validating|building|sufficient", notice.message_primary):
        print(notice.message_primary)


def migrate(name, hold):
    with connection.cursor() as cursor:
        connection.connection.add_notice_handler(report)
        cursor.execute("set client_min_messages = debug1")
        with transaction.atomic() if hold else nullcontext():
            call_command("migrate", "library", name, verbosity=0)
            if hold:
                cursor.execute("select pg_advisory_xact_lock(1)")
"""
MIGRATION = """from django.contrib.postgres import operations as postgres
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = {}
    dependencies = [("library", "{}")]
    operations = [{}]
"""
MODELS, META = "library/models.py", "\n    class Meta:\n        indexes = ["
PERSON = (
    'models.ForeignKey("library.Author", models.SET_NULL, null=True, related_name="+"{})'.format
)
SHELF = "    shelf = models.CharField(max_length=9{})\n".format
BEFORE = f"{SHELF(', null=True')}    editor = {PERSON(', db_constraint=False')}\n{META}"
CHECK = 'models.CheckConstraint(condition=models.Q({}), name="library_book_{}")'.format
POSITIVE, FILLED = CHECK("copies__gt=0", "positive"), CHECK("shelf__isnull=False", "filled")
UNIQUE = 'models.UniqueConstraint(fields=["isbn"], name="library_book_isbn_key")'
INDEX = 'models.Index(fields=["copies"], name="library_book_copies")'
ADD, LATER = (f'{it}("book", {{}})'.format for it in ("migrations.AddConstraint", "postgres.AddConstraintNotValid"))  # fmt: skip
VALIDATE = 'postgres.ValidateConstraint("book", "library_book_{}")'.format
REQUIRED = 'migrations.AlterField("book", "shelf", models.CharField(max_length=9))'
EXISTS = f'migrations.AlterField("book", "editor", {PERSON("")})'
KEY = "editor_id_03910eb0_fk_library_author_id"  # as Django names it: see `sqlmigrate`
ALTER, UNDO = "alter table library_book", "alter table library_book drop constraint library_book_"


def sql(forwards, backwards, state=""):  # `state`: what Django is to know of it
    return f'migrations.SeparateDatabaseAndState([migrations.RunSQL("{forwards}", "{backwards}")], [{state}])'


# %% [markdown] tags=["setup"]
# The start: a `shelf` that may be empty, and an `editor` without a foreign key.

# %% tags=["setup"]
start = Sandbox("start", "PostgreSQL")
start.write("step.py", STEP)
start.replace(MODELS, META, BEFORE)
start.run("python manage.py makemigrations --verbosity 0 --name start && python manage.py migrate --verbosity 0")  # fmt: skip
start.rows("update library_book set shelf = 'A1'")

# %% [markdown] tags=["setup"]
# The models, the same for `django` and `steps`. In `others`, the `translator` is a new column.

# %% tags=["setup"]
django, others = start.clone("django"), start.clone("others")
RULES = META.replace("indexes", "constraints = [{}]\n        indexes").format
AFTER = f"{SHELF('')}    editor = {PERSON('')}\n{RULES(f'{POSITIVE}, {UNIQUE}')}{INDEX}, "
django.replace(MODELS, BEFORE, AFTER)
steps = django.clone("steps")
NEW = f"{SHELF('')}    translator = {PERSON('')}\n"
others.replace(MODELS, BEFORE, BEFORE.replace(SHELF(", null=True"), NEW).replace(META, RULES(POSITIVE)))  # fmt: skip

# %% [markdown] tags=["setup"]
# The migrations, in the order of the table:

# %% tags=["setup"]
ROWS = [
    ("`NOT NULL`", "`AlterField`", django, "shelf_required", REQUIRED),
    ("", "1 `AddConstraintNotValid`, a `CHECK`", steps, "shelf_filled", LATER(FILLED)),
    ("", "2 `ValidateConstraint`", steps, "validate_shelf", VALIDATE("filled")),
    ("", "3 `AlterField`, `RemoveConstraint`", steps, "shelf_required", f'{REQUIRED}, migrations.RemoveConstraint("book", "library_book_filled")'),
    ("`NOT NULL` on PostgreSQL 18", "1 `RunSQL`, `not valid`", others, "shelf_required", sql(f"{ALTER} add constraint library_book_shelf_not_null not null shelf not valid", f"{ALTER} alter shelf drop not null", REQUIRED)),
    ("", "2 `ValidateConstraint`", others, "validate_shelf", VALIDATE("shelf_not_null")),
    ("`CHECK`", "`AddConstraint`", django, "copies_positive", ADD(POSITIVE)),
    ("", "both steps in one migration", others, "copies_positive", f"{LATER(POSITIVE)}, {VALIDATE('positive')}"),
    ("", "1 `AddConstraintNotValid`", steps, "copies_positive", LATER(POSITIVE)),
    ("", "2 `ValidateConstraint`", steps, "validate_copies", VALIDATE("positive")),
    ("`FOREIGN KEY`", "`AlterField`", django, "editor_exists", EXISTS),
    ("", "`AddField`, a new column", others, "translator", f'migrations.AddField("book", "translator", {PERSON("")})'),
    ("", "1 `RunSQL`, `not valid`", steps, "editor_exists", sql(f"{ALTER} add constraint library_book_{KEY} foreign key (editor_id) references library_author (id) deferrable initially deferred not valid", UNDO + KEY, EXISTS)),
    ("", "2 `ValidateConstraint`", steps, "validate_editor", VALIDATE(KEY)),
    ("`UNIQUE`", "`AddConstraint`", django, "isbn_key", ADD(UNIQUE)),
    ("", "1 `RunSQL`, unique index `concurrently`", steps, "isbn_index", sql("create unique index concurrently library_book_isbn_key on library_book (isbn)", "drop index concurrently if exists library_book_isbn_key")),
    ("", "2 `RunSQL`, `using index`", steps, "isbn_key", sql(f"{ALTER} add constraint library_book_isbn_key unique using index library_book_isbn_key", f"{UNDO}isbn_key", ADD(UNIQUE))),
    ("an index", "`AddIndex`", django, "copies_index", f'migrations.AddIndex("book", {INDEX})'),
    ("", "`AddIndexConcurrently`", steps, "copies_index", f'postgres.AddIndexConcurrently("book", {INDEX})'),
]  # fmt: skip
last, names = dict.fromkeys((django, steps, others), "0007_start"), []
for _, _, place, name, operations in ROWS:
    names.append(f"{int(last[place][:4]) + 1:04}_{name}")
    place.write(f"library/migrations/{names[-1]}.py", MIGRATION.format("oncurrently" not in operations, last[place], operations))  # fmt: skip
    last[place] = names[-1]

# %%
MINE = "database = (select oid from pg_database where datname = current_database())"
WAITING = f"""select pid from pg_locks waiting where not granted and exists (select from pg_locks
    where pid = waiting.pid and relation = 'library_book'::regclass and {MINE})"""
WAIT = f"do $$ begin while not exists ({WAITING}) loop perform pg_sleep(0.01); end loop; end $$"
HELD = f"select mode from pg_locks where granted and pid in ({WAITING}) and {MINE} and relation ="
MODES = ["", "AccessShare", "RowShare", "RowExclusive", "ShareUpdateExclusive", "Share", "ShareRowExclusive", "Exclusive", "AccessExclusive"]  # fmt: skip
GATES = "lock library_book in row exclusive mode", "select pg_advisory_xact_lock(1)"
BREAK = {  # rows that break the rule, and their repair
    "shelf": ("shelf = null where title = 'Emma'", "shelf = 'A1' where shelf is null"),
    "copies": ("copies = 0 where title = 'Dracula'", "copies = 1 where copies = 0"),
    "editor": ("editor_id = 99 where title = 'Dracula'", "editor_id = null where editor_id = 99"),
    "isbn": ("isbn = '1' where id < 3", "isbn = '2' where id = 1"),
}
LEFT = "select 'a constraint, not valid' from pg_constraint where not convalidated union all select 'an index, not valid' from pg_index where not indisvalid"  # fmt: skip
UPDATE = "from library.models import Book, models; Book.objects.update(title=models.F('title'))"
SHELL = 'python manage.py shell --verbosity 0 -c "{}"'.format


def measured(place, name, hold):
    """The strongest locks, what waits in each table, and what PostgreSQL says of rows."""
    gate, look = Client(place, "gate"), Client(place, "look")
    gate.rows(f"begin; {GATES[hold]}")
    step = Background(place, SHELL(f"import step; step.migrate('{name}', {hold})"))
    look.start(f"set statement_timeout = '30s'; set lock_timeout = 100; {WAIT}").result(40)
    locks, tries = [], ([], [])
    for one in ("library_book", "library_author"):
        held = [mode.removesuffix("Lock") for (mode,) in look.rows(f"{HELD} '{one}'::regclass")]
        locks.append(re.sub("(?<=[a-z])([A-Z])", r" \1", max(["", *held], key=MODES.index)).upper())
        for found, tried in zip(tries, ("select * from {}", "update {} set id = id"), strict=True):
            found.append(look.start(tried.format(one)).exception(30))
    gate.close()
    look.close()
    return locks, tries, step.end()


def stops(place):
    """Where `migrate` stops over rows that break a rule, with what, and what is left then."""
    copy, found = place.clone(f"{place.name}-broken"), {}
    copy.rows("; ".join(f"update library_book set {bad}" for bad, _ in BREAK.values()))
    while (output := copy.attempt("python manage.py migrate")).code:
        name = re.findall(r"Applying library\.(\w+)", output)[-1]
        error = re.findall(r"^django\.db\.utils\.(.+)$", output, re.MULTILINE)[-1]
        if name in found:
            found[name][-1] = f"stops: `{error}`"
            copy.rows("drop index concurrently library_book_isbn_key")
            continue
        left = copy.rows(LEFT)
        update = "**fails**" if left and copy.attempt(SHELL(UPDATE)).code else "works"
        found[name] = [f"`{error}`", left[0][0] if left else "", update, "goes on"]
        repair = next(good for column, (_, good) in BREAK.items() if column in name)
        copy.rows(f"update library_book set {repair}")
    return found


stopped = {place: stops(place) for place in (django, steps, others)}
rows, left, want = [], [], ""
for (rule, step, place, _, operations), name in zip(ROWS, names, strict=True):
    (book, author), tries, output = measured(place, name, "oncurrently" not in operations)
    assert all("lock timeout" in str(error) for error in (*tries[0], *tries[1]) if error), "a lock"
    more = {"": "", book: ", on both"}.get(author, f", and `{author}` on `library_author`")
    others_do = ["**wait**" + ", on both" * all(it) if any(it) else "go on" for it in tries]
    read = "not read: the `CHECK` proves it" if "sufficient" in output else "read"
    error, want = stopped[place].get(name), rule or want
    assert output or not error, "what checks the rows reads them"
    old = "checked" if error else read if output else "not read"
    rows.append([rule, step, f"`{book}`{more}", *others_do, old])
    left += [[f"{want}: {step}", *error]] if error and error[1] else []
table("Add a constraint", ["you want", "step", "strongest lock", "reads", "writes", "old rows"], rows)  # fmt: skip

# %% [markdown]
# - **on both**: on `library_author` too, to which the foreign key points.
# - **`AddField`** builds the index of its foreign key while reads wait.
# - **`CONCURRENTLY`** runs with `atomic = False`. It waits for a transaction that holds `ROW EXCLUSIVE`.
# - **The schema is the same in the end**, by name and definition, and each step has a way back. Step 3
#   takes the `CHECK` for `NOT NULL` away again, so that it never stands in `models.py`.
#
# ## Order and releases
#
# **Put each step into a migration of its own.** In one, the lock of the first is held while the
# second reads. One release can hold them all, if no row and no running code breaks the rule. Else
# there are [three](remove-or-require-a-field.md#add-a-required-field): code, repair, steps.
#
# ## If a row breaks the rule

# %%
table("A row breaks the rule", ["step", "stops with", "left behind", "an update of that row", "repaired, and again"], left)  # fmt: skip

# %% [markdown]
# - **The update changes another column**, and may fail all the same: repair rows before step 1.
# - **Where `migrate` stops**, repair the rows and run it again. Before that, drop an index that is not
#   valid with `drop index concurrently`. Django's own migrations leave nothing behind.

# %% tags=["check"]
SCHEMA = """select conname, convalidated, pg_get_constraintdef(oid) from pg_constraint where conrelid = 'library_book'::regclass
    union all select indexrelid::regclass::text, indisvalid, pg_get_indexdef(indexrelid) from pg_index where indrelid = 'library_book'::regclass order by 1, 3"""
schema = django.rows(SCHEMA)
assert steps.rows(SCHEMA) == schema, "the same constraints and indexes, by name and definition"
assert {row for row in schema if "shelf" in row[0]} < {*others.rows(SCHEMA)}, "on 18 too"
for _, step, _, reads, writes, old in rows:
    slow = "wait" in reads + writes and old in ("read", "checked")
    assert slow != (step[0] in "123" or "Concurrently" in step), "no step reads while others wait"
assert [row[3] for row in left] == ["**fails**"] * 3 + ["works"] * 2, "a CHECK stops updates"
assert not any(error[1] for error in stopped[django].values()), "rolled back whole"
for place in (django, steps, others):
    assert place.chain().whole, "to Django each schema is as it should be"
    place.run("python manage.py migrate library 0007 --verbosity 0")
    assert place.rows(SCHEMA) == start.rows(SCHEMA), "and there is a way back"
