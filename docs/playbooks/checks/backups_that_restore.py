# ---
# title: What each backup brings back
# answer: >-
#   SQLite's `vacuum into` and PostgreSQL's `pg_dump` bring everything back; so does a copy of SQLite's
#   file while nothing writes. `dumpdata` brings rows back: no history, no trigger, and what a manager
#   hides is missing without a word. Whichever you take, restore it once and compare.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is a backup of one database, put back in one way and compared with the original.
#
# - **restores**: every command succeeds.
# - **rows**: the same names, counts and checksums of all tables but `django_migrations`.
# - **history**: the rows of `django_migrations`, with the day on which each was applied.
# - **schema**: [the chain](../../guide/the-chain.md) is whole.
# - **trigger**: one that somebody made with SQL. No migration knows of it.

# %%
import re

from playbook_kit import Sandbox, on, table

EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
NEW = f"{EMPTY} && python manage.py migrate --verbosity 0"
DAY = "2024-01-02 09:00:00"


def differing(place, original):
    """The tables whose rows are not the same in the two databases."""
    here, there = (one.run("python rows.py").splitlines() for one in (place, original))
    return sorted({line.split()[0] for line in set(here) ^ set(there)})


def restored(place, original, *lines):
    """The cells of one row: what there is after these commands, compared with the original."""
    for line in lines:
        output = place.attempt(line)
        if output.code:
            *_, error = re.findall(r"^[.\w]*?(\w+Error)|: +(ERROR):", output, re.MULTILINE)
            return [f"**stops**: `{''.join(error)}`", "", "", "", ""]
    tables = differing(place, original)
    kept = place.rows(f"select count(*) from django_migrations where applied = '{DAY}'")
    trigger = place.rows(TRIGGERS)
    unequal = f"`{tables[0]}`" if len(tables) == 1 else f"{len(tables)} tables"
    return [
        "yes",
        f"**not equal**: {unequal}" if tables else "equal",
        "kept" if kept == history else "of the new database",
        "whole" if place.chain().whole else "**broken**",
        "kept" if trigger == [(1,)] else "**lost**",
    ]


# %% [markdown] tags=["setup"]
# A database with a history of one day, and a trigger. The script prints one line for each table:

# %% tags=["setup"]
production = Sandbox("production")
production.write("rows.py", '''"""One line for each table: its name, the number of its rows, their checksum."""

import hashlib
import os

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
with connection.cursor() as cursor:
    for table in sorted({*connection.introspection.table_names(cursor)} - {"django_migrations"}):
        described = connection.introspection.get_table_description(cursor, table)
        columns = ", ".join(sorted(connection.ops.quote_name(c.name) for c in described))
        cursor.execute(f"select {columns} from {connection.ops.quote_name(table)}")
        rows = "\\n".join(sorted(map(repr, cursor.fetchall())))
        print(table, len(rows.splitlines()), hashlib.sha256(rows.encode()).hexdigest()[:12])
''')  # fmt: skip
production.rows(f"update django_migrations set applied = '{DAY}'")
history = production.rows("select count(*) as migrations from django_migrations")
TRIGGER = on(
    SQLite="create trigger a_book_has_a_title before insert on library_book when new.title = '' begin select raise(abort, 'no title'); end",
    PostgreSQL="create function no_title() returns trigger language plpgsql as $$ begin raise exception 'no title'; end $$; create trigger a_book_has_a_title before insert on library_book for each row when (new.title = '') execute function no_title()",
)
TRIGGERS = on(
    SQLite="select count(*) from sqlite_master where type = 'trigger'",
    PostgreSQL="select count(*) from pg_trigger where not tgisinternal",
)
production.rows(TRIGGER)

# %% [markdown] tags=["setup"]
# The backups of it:

# %% tags=["setup"]
DUMPS = ["pg_dump --format custom library > ../custom.dump", "pg_dump library > ../plain.sql"]
for line in on(SQLite=["cp db.sqlite3 ../copy.sqlite3"], PostgreSQL=DUMPS):
    production.run(line)
for sql in on(SQLite=["vacuum into '../vacuum.sqlite3'"], PostgreSQL=[]):
    production.rows(sql)
production.run("python manage.py dumpdata --output ../dump.json")
NATURAL = "--natural-foreign --natural-primary --exclude contenttypes --exclude auth.permission"

# %% [markdown] tags=["setup"]
# On SQLite, a copy of the file while a process writes, in the mode in which new rows are kept in a
# second file; and one by SQLite itself at the same moment:

# %% tags=["setup"]
busy = production.clone("busy")
BUSY = """import os
import shutil

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
with connection.cursor() as cursor:
    cursor.execute("pragma journal_mode = wal")
    cursor.execute("update library_book set copies = copies + 1")
    shutil.copy("db.sqlite3", "../busy-copy.sqlite3")
    cursor.execute("vacuum into '../busy-vacuum.sqlite3'")
connection.close()
"""
for file, script in on(SQLite={"busy.py": BUSY}, PostgreSQL={}).items():
    busy.write(file, script)
    busy.run(f"python {file}")

# %% [markdown] tags=["setup"]
# The same rows where the content types have other ids, because the apps came one after the other:

# %% tags=["setup"]
older = production.clone("older")
older.run(f"{NEW} contenttypes && python manage.py migrate library --verbosity 0")
older.run("python manage.py migrate --verbosity 0 && python manage.py seed --verbosity 0")
older.rows(f"update django_migrations set applied = '{DAY}'")
older.rows(TRIGGER)
older.run("python manage.py dumpdata --output ../older.json")
older.run(f"python manage.py dumpdata {NATURAL} --output ../older-natural.json")

# %% [markdown] tags=["setup"]
# A model that is ahead of its database, and a dump that somebody starts nevertheless:

# %% tags=["setup"]
ahead = production.clone("ahead")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
ahead.replace("library/models.py", COPIES, f"{COPIES}    shelf = models.IntegerField(null=True)\n")
ahead.run("python manage.py dumpdata > ../half.json", fails="Unable to serialize database")

# %% [markdown] tags=["setup"]
# A manager that hides the one book of which there are six. Nobody has borrowed it:

# %% tags=["setup"]
hiding = production.clone("hiding")
hiding.replace("library/models.py", "class Book(", '''class Few(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(copies__lt=6)


class Book(''')  # fmt: skip
hiding.replace("library/models.py", "    class Meta:", "    objects = Few()\n\n    class Meta:")
for options, name in (("", "hiding"), ("--all ", "all"), (f"--all {NATURAL} ", "both")):
    hiding.run(f"python manage.py dumpdata {options}--output ../{name}.json")

# %% [markdown] tags=["setup"]
# Code in which a field is gone since the dump, and a database that has gone on:

# %% tags=["setup"]
newer = production.clone("newer")
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
newer.replace("library/models.py", ISBN, "")
newer.replace("library/admin.py", '"isbn", ', "")
newer.run("python manage.py makemigrations library --name no_isbn --verbosity 0")
living = production.clone("living")
living.rows("insert into library_author (name) values ('Anne Brontë')")
living.rows("update library_book set copies = 9 where title = 'Emma'")

# %%
LOAD = "python manage.py loaddata ../"
RESTORE = "pg_restore --dbname library ../custom.dump"
PSQL = "psql --quiet --file ../plain.sql library"
OWN = on(SQLite=[
    ("a copy of the file", production, production, ["cp ../copy.sqlite3 db.sqlite3"]),
    ("a copy of the file while a process writes", busy, busy, ["cp ../busy-copy.sqlite3 db.sqlite3"]),
    ("`vacuum into`", production, production, ["cp ../vacuum.sqlite3 db.sqlite3"]),
    ("`vacuum into` while a process writes", busy, busy, ["cp ../busy-vacuum.sqlite3 db.sqlite3"]),
], PostgreSQL=[
    ("`pg_dump --format custom`, `pg_restore` into a new one", production, production, [f"{EMPTY} && {RESTORE}"]),
    ("… into one that has gone on", living, production, [RESTORE]),
    ("`pg_dump`, `psql` into a new one", production, production, [f"{EMPTY} && {PSQL}"]),
    ("… into one that has gone on", living, production, [PSQL]),
])  # fmt: skip
DUMPED = [
    ("`dumpdata`, loaded into a new migrated one", production, production, [NEW, f"{LOAD}dump.json"]),
    ("… where ids of content types differ", older, older, [NEW, f"{LOAD}older.json"]),
    ("… and with natural keys", older, older, [NEW, f"{LOAD}older-natural.json"]),
    ("… where a manager hides a book", hiding, hiding, [NEW, f"{LOAD}hiding.json"]),
    ("… and with `--all`", hiding, hiding, [NEW, f"{LOAD}all.json"]),
    ("… and with `--all` and natural keys", hiding, hiding, [NEW, f"{LOAD}both.json"]),
    ("… where the models were ahead", ahead, production, [NEW, f"{LOAD}half.json"]),
    ("… where a field is gone since", newer, production, [NEW, f"{LOAD}dump.json"]),
    ("… and with `--ignorenonexistent`", newer, production, [NEW, f"{LOAD}dump.json --ignorenonexistent"]),
    ("`dumpdata`, loaded into one that has gone on", living, production, [f"{LOAD}dump.json"]),
]  # fmt: skip
places = [place.clone(f"row-{number}") for number, (_, place, *_) in enumerate([*OWN, *DUMPED], 1)]
rows = [
    [backup, *restored(place, original, *lines)]
    for place, (backup, _, original, lines) in zip(places, [*OWN, *DUMPED], strict=True)
]
COLUMNS = ["the backup", "restores", "rows", "history", "schema", "trigger"]
table("What each backup brings back", COLUMNS, rows)

# %% [markdown]
# - **A process that writes**, on SQLite, has its last rows in a second file, beside the one that is
#   copied, in the mode that SQLite calls WAL.
# - **`psql` goes on after an error**, with exit code 0. Into a database in use it restores no row, and
#   sets the counters of ids back: the next insert stops. `--set ON_ERROR_STOP=1` makes `psql` stop.
# - **With natural keys** content types and permissions are those of the new database. Their ids differ,
#   and what points at them points at the right ones.
# - **A dump that failed** leaves its half in the file, with `>` and with `--output`. Its exit code is
#   1: stop there.
# - **A manager that hides rows** hides them from `dumpdata` too, and what belongs to them, in silence.
# - **A field that is gone** stops `loaddata`. Load the dump with the code of its day, then migrate:
#   [a backup of another day](../mismatch/restored-from-a-dump.md).
# - **A database that has gone on** keeps its new rows, and loses what was changed in the old ones.
# - **The trigger** is in no migration, so the chain does not miss it either.

# %%
day = production.clone("day")
day.run(f"{NEW} && {LOAD}dump.json")
day.replace("library/admin.py", '"isbn", ', "")
day.run("cp ../newer/library/models.py library/models.py")
day.run("cp ../newer/library/migrations/0007_no_isbn.py library/migrations/0007_no_isbn.py")
day.run("python manage.py migrate")
ahead.run(
    "python manage.py dumpdata --output ../half-too.json",
    fails=on(SQLite="no such column", PostgreSQL="does not exist"),
)
halves = [ahead.run(f"cat ../{name}.json") for name in ("half", "half-too")]

# %% tags=["check"]
own = [cells[1:] for cells in rows[:4]]
by_row = {number: cells[1:] for number, cells in enumerate(rows[4:], 1)}
whole = ["yes", "equal", "kept", "whole", "kept"]
assert [own[0], own[2]] == [whole] * 2, "these bring all back"
assert own[3] == on(SQLite=whole, PostgreSQL=["yes", "**not equal**: 2 tables", *whole[2:]])
lacks = on(SQLite=["yes", "**not equal**: `library_book`"], PostgreSQL=["**stops**: `ERROR`", ""])
assert own[1][:2] == lacks, "the copy under way lacks what was written, pg_restore fails"
NO_MORE = ["yes", "equal", "of the new database", "whole", "**lost**"]
assert by_row[1] == by_row[5] == NO_MORE, "a dump can bring every row back, and nothing else"
assert by_row[2][0] == "**stops**: `IntegrityError`", "the ids are taken"
assert by_row[4][1] == "**not equal**: 2 tables", "the hidden book, and its genres"
assert by_row[7][0] == by_row[8][0] == "**stops**: `DeserializationError`", "half, or too old"
assert all(half.startswith("[{") and not half.endswith("]\n") for half in halves), "and leaves half"
assert len(differing(places[6], older)) == 3, "three tables have other ids"
MEANT = "select c.model, p.codename from django_admin_log l join django_content_type c on c.id = l.content_type_id, auth_group_permissions g join auth_permission p on p.id = g.permission_id"
assert places[6].rows(MEANT) == older.rows(MEANT), "and point at what they pointed at"
assert differing(living, production) == ["library_author", "library_book"], "before the load"
NEXT = "python manage.py shell -v 0 -c \"Author.objects.create(name='Anne')\""
for place in on(SQLite=[], PostgreSQL=[places[3]]):
    assert differing(place, living) == [], "psql restored no row"
    place.run(NEXT, fails="library_author_pkey")
    place.run(PSQL.replace("psql", "psql --set ON_ERROR_STOP=1"), fails="ERROR")
assert differing(places[13], production) == ["library_author"], "the load undoes the later edit"
assert differing(day, places[12]) == [], "migrating after the load comes to the same here"
