# ---
# title: What inspectdb leaves out of a legacy database
# answer: >-
#   `inspectdb` describes columns, and no more. Defaults, indexes, checks and what a delete does are not
#   in its models; a key of 32 bits becomes one of 64. Production works, since its table is there: a new
#   database is another one. Write what is missing before `makemigrations`, then record `0001` as applied.
# databases: [SQLite, PostgreSQL]
# group: changes
# ---

# %% [markdown]
# You take over a database that Django did not make:
#
# 1. `python manage.py inspectdb TABLE … > legacy/models.py`
# 2. Write what the table below says is missing, and take `managed = False` away. If the tables are not
#    yours to change, let it stay, and stop here: later it takes
#    [a migration by hand](unmanaged-to-managed.md).
# 3. `python manage.py makemigrations legacy`
# 4. `python manage.py migrate --fake-initial`. It
#    [compares names and nothing more](../mismatch/fake-initial.md), so build a new database, and compare
#    the two.
#
# Each row is one old table, taken through these steps, once with the models as `inspectdb` wrote them.
# **The same**: the new database does what the old one did.

# %%
from playbook_kit import Sandbox, table

NEW = {"SQLite": "rm db.sqlite3", "PostgreSQL": "dropdb library && createdb library"}
KEYS = {
    "SQLite": ["integer not null primary key autoincrement"] * 2 + ["datetime"],
    "PostgreSQL": ["serial primary key", "bigserial primary key", "timestamp"],
}
OLD = """create table old_key (id {0}, floor integer not null)
create table old_default (id {1}, floor integer not null default 0)
create table old_cascade (id {1}, book_id bigint not null references library_book (id) on delete cascade)
create table old_pair (id {1}, bay integer not null, floor integer not null, unique (bay, floor))
create table old_index (id {1}, added date not null)
create index old_index_added on old_index (added)
create table old_check (id {1}, floor integer not null, constraint floor_ok check (floor < 9))
create table old_no_key (code integer not null unique)
create table old_stamp (id {1}, seen {2} not null)
create table old_plain (id {1}, code integer not null unique, name varchar(30) null)
create view old_view as select floor from old_key"""
NAMES = (
    "old_key old_default old_cascade old_pair old_index old_check old_no_key old_stamp old_plain"
)
# What to type into a database; a new one takes or refuses it as the old one does, or not.
PROBES = {
    "old_default": ["insert into old_default (id) values (7)"],
    "old_cascade": [
        "insert into old_cascade (id, book_id) values (7, 1)",
        "delete from library_book_genres where book_id = 1",
        "delete from library_book where id = 1",
    ],
    "old_pair": ["insert into old_pair (id, bay, floor) values (7, 1, 1), (8, 1, 1)"],
    "old_check": ["insert into old_check (id, floor) values (7, 10)"],
}
META = "    class Meta:\n"
MORE = META + "        {}\n"
WRITE = {
    "old_key": ("    floor", "    id = models.AutoField(primary_key=True)\n    floor"),
    "old_default": ("IntegerField()", "IntegerField(db_default=0)"),
    "old_cascade": ("DO_NOTHING", "CASCADE, db_index=False"),
    "old_pair": (META, MORE.format('unique_together = [("bay", "floor")]')),
    "old_index": (META, MORE.format('indexes = [models.Index(fields=["added"], name="old_index_added")]')),
    "old_check": (META, MORE.format('constraints = [models.CheckConstraint(condition=models.Q(floor__lt=9), name="floor_ok")]')),
    "old_no_key": ("unique=True", "primary_key=True"),
}  # fmt: skip
DJANGO = 'python manage.py shell --verbosity 0 -c "{}"'.format
READ = DJANGO("from legacy.models import OldNoKey; print(list(OldNoKey.objects.all()))")


def sql(place, lines):
    """Whether the database takes these statements."""
    run = f"import django.db as d; [d.connection.cursor().execute(line) for line in {lines}]"
    return place.attempt(DJANGO(run)).code == 0


# %% [markdown] tags=["setup"]
# The old tables, the same on both databases.

# %% tags=["setup"]
starts = {database: Sandbox(database.lower(), database) for database in NEW}
for database, start in starts.items():
    for line in OLD.format(*KEYS[database]).splitlines():
        start.rows(line)
    start.run("python manage.py startapp legacy")
    start.replace("config/settings.py", '    "lending",\n', '    "lending",\n    "legacy",\n')

# %% [markdown] tags=["setup"]
# What `inspectdb` says of them, without `managed = False`.

# %% tags=["setup"]
texts = {}
for database, start in starts.items():
    text = start.run(f"python manage.py inspectdb {NAMES} | grep -v managed")
    texts[database] = text.replace("'LibraryBook'", '"library.Book"')


# %%
def corrected(text):
    """The models with what the table of this page says."""
    for name, (old, new) in WRITE.items():
        head, mark, tail = text.rpartition(f"db_table = '{name}'")
        at = head.rindex("\nclass ")
        text = head[:at] + head[at:].replace(old, new) + mark + tail
    return text


def differences(database, text, name):
    """Of each old table, whether a new database has another one. What no statement tells, the
    chain does: it compares the old table with what `0001` would make."""
    old = starts[database].clone(f"{name}-{database.lower()}")
    old.write("legacy/models.py", text)
    old.run("python manage.py makemigrations legacy --verbosity 0")
    old.run("python manage.py migrate --fake-initial --verbosity 0")
    found = old.chain("legacy").findings
    fresh = old.clone(f"fresh-{old.name}")
    fresh.run(f"{NEW[database]} && python manage.py migrate -v 0 && python manage.py seed -v 0")
    measured = {name: sql(old, lines) != sql(fresh, lines) for name, lines in PROBES.items()}
    for name in set(NAMES.split()) - set(PROBES):
        measured[name] = any(name in finding for finding in found)
    return {**measured, "reads": old.attempt(READ).code == 0}


as_written = {name: differences(name, text, "written") for name, text in texts.items()}
by_hand = {name: differences(name, corrected(text), "corrected") for name, text in texts.items()}
HAS = {
    "old_key": ("a key `id` of 32 bits", "**64 bits**", "`id = models.AutoField(primary_key=True)`"),
    "old_default": ("a default", "**an insert without a value fails**", "`db_default=0`"),
    "old_cascade": ("`on delete cascade`", "**the delete fails**", "`models.CASCADE`"),
    "old_pair": ("two columns, unique together", "**takes the pair twice**", "`unique_together`"),
    "old_index": ("an index", "**no index**", "`Meta.indexes`"),
    "old_check": ("a check", "**takes any value**", "`Meta.constraints`"),
    "old_no_key": ("no primary key", "**another key**", "`primary_key=True` on a unique column"),
    "old_stamp": ("times without a time zone", "**with a time zone**", "no field of Django does this"),
    "old_plain": ("a length, `null`, a unique column", "**another**", "nothing"),
}  # fmt: skip
rows = []
for name, (has, otherwise, write) in HAS.items():
    cells = [
        otherwise if it[name] else "the same" for it in (*as_written.values(), *by_hand.values())
    ]
    then = cells[2] if cells[2] == cells[3] else f"{cells[2]}; PostgreSQL: {cells[3]}"
    rows.append([has, *cells[:2], write, then])
COLUMNS = ["the old table has", "new database, SQLite", "PostgreSQL", "write", "then"]
table("What inspectdb leaves out", COLUMNS, rows)

# %% [markdown]
# - **For a key `id` of 32 bits, `inspectdb` writes no line.** Django then adds one as
#   `DEFAULT_AUTO_FIELD` says, here a `BigAutoField` of 64 bits.
# - **`models.CASCADE` is for deletes through Django.** One in SQL is refused on a new database, where
#   the key has no `on delete`. In the old one, the database deletes by itself.
# - **Without a primary key**, Django asks the old table for an `id`, and no query works. With
#   `primary_key=True` the queries work, and the old table still has no key: that takes SQL.
# - **A model of another app** is named as one of yours, `'LibraryBook'`. Put `"library.Book"` in its
#   place, or `check` fails.
# - **An old key without an index** gets one on a new database; `db_index=False` prevents that.
# - **Views** are not in the output, unless you ask with `--include-views`.
#
# ## Keep it from happening
#
# Build a new database before you deploy, and compare it with the old one.
# [This script](../mismatch/schema-changed-by-hand.md#is-this-your-case) compares the indexes too.
#
# **In review, ask:** which of the defaults, indexes and checks of the old tables are not in the models?
#
# **In CI:** nothing in CI sees this: it builds a new database, which agrees with the models. Compare on
# a copy of the old one.

# %% tags=["check"]
SQLITE, POSTGRESQL = as_written.values()
ALL = set(PROBES) | {"old_index", "old_no_key"}
assert {name for name in HAS if SQLITE[name]} == ALL, "what SQLite's inspectdb leaves out"
assert {name for name in HAS if POSTGRESQL[name]} == (ALL - {"old_pair"}) | {
    "old_key",
    "old_stamp",
}, "what PostgreSQL's leaves out"
for left in by_hand.values():
    assert {name for name in HAS if left[name]} <= {"old_cascade", "old_no_key", "old_stamp"}
assert not any(it["reads"] for it in as_written.values()), "without a key no query works"
assert all(it["reads"] for it in by_hand.values()), "with one they do"
assert not any("old_view" in text for text in texts.values()), "views are not asked for"
for start in starts.values():
    assert "OldView" not in start.run("python manage.py inspectdb | grep class")
    assert "OldView" in start.run("python manage.py inspectdb --include-views | grep class")
    start.run(f"python manage.py inspectdb {NAMES} > legacy/models.py")
    unnamed = start.attempt("python manage.py check")
    assert "model 'LibraryBook', which is either not installed" in unnamed
