# ---
# title: Rehearse the deploy on a copy of production
# answer: >-
#   With five rows all eight migrations say OK. On a copy with 200,000, three stop at rows that nobody
#   knew of. Of those that pass, it shows which lock each holds, whether it reads, changes or rewrites
#   the table, and that no row is lost.
# databases: [PostgreSQL]
# group: production
# ---

# %% [markdown]
# A release has eight migrations. On your laptop there are five loans. The copy has production's
# 200,000; it is made with `create database … template`, and stands for your restored backup. A small
# command, `rehearse`, applies each migration and says what it does: it is in the fold
# “How each row is made”. It runs each one in a transaction, so it is not for
# [`CONCURRENTLY`](index-concurrently.md).
#
# - **lock**: the strongest one on `lending_loan` at the end of the migration, by `pg_locks`. Until it
#   commits, `ACCESS EXCLUSIVE` lets nobody read, and `SHARE` nobody write: see
#   [the queue](lock-queue.md).
# - **reads; changes**: rows of `lending_loan` that this transaction read one after the other, and rows
#   that it changed, by `pg_stat_xact_user_tables`. A changed row is locked
#   [to its end](backfill-under-load.md).
# - **rewritten**: the table has a new file, by `pg_relation_filenode`. It was written whole.
#
# A copy shows what a migration does to your rows, not who is in its way. No duration is measured here.

# %%
import re

from playbook_kit import Sandbox, table

REHEARSE = '''"""Apply what is left, each migration in a transaction, and say what it has locked and touched."""

from django.core.management import BaseCommand, call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

LOOK = """select relname, pg_relation_filenode(relid), seq_tup_read, n_tup_ins + n_tup_upd + n_tup_del,
    array(select mode from pg_locks where relation = relid and pid = pg_backend_pid() order by 1)
    from pg_stat_xact_user_tables where relname <> 'django_migrations' order by relname"""


def look():
    with connection.cursor() as cursor:
        cursor.execute(LOOK)
        return {table: values for table, *values in cursor}


class Command(BaseCommand):
    def handle(self, **options):
        connection.cursor().execute("set max_parallel_maintenance_workers = 0")  # no hidden reads
        executor = MigrationExecutor(connection)
        for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes()):
            print(migration)
            with transaction.atomic():
                before = look()
                call_command("migrate", migration.app_label, migration.name, verbosity=0)
                for table, (file, read, changed, locks) in look().items():
                    old_file, old_read, old_changed, _ = before.get(table, (file, 0, 0, ""))
                    if locks and locks != ["AccessShareLock"]:
                        print(f"  {table}: reads {read - old_read}, changes {changed - old_changed}")
                        print("  rewritten" if file != old_file else "  same file", *locks)
'''
MIGRATION = """from django.contrib.postgres.functions import RandomUUID
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lending", "{}")]
    operations = [{}]
"""
MODELS, DUE = "lending/models.py", "    due_on = models.DateField()\n"
START = f"""{DUE}    days = models.IntegerField(null=True)
    note = models.CharField(max_length=50, null=True)
    slip = models.CharField(max_length=20, null=True)
"""
AFTER = f"""{DUE}    days = models.BigIntegerField(null=True)
    note = models.CharField(max_length=20)
    slip = models.CharField(max_length=20, null=True)
    renewals = models.IntegerField(default=0)
    token = models.UUIDField(db_default=RandomUUID())
"""
META = "    class Meta:\n        constraints = [\n"
UNIQUE = 'models.UniqueConstraint(fields=["slip"], name="lending_loan_slip")'
INDEX = 'models.Index(fields=["lent_on"], name="lending_loan_lent_on")'
NOTE = "models.CharField(max_length={})".format
ROWS = [
    ("`AddField`, a fixed default", "renewals", 'migrations.AddField("loan", "renewals", models.IntegerField(default=0))'),
    ("`AddField`, a default for each row", "token", 'migrations.AddField("loan", "token", models.UUIDField(db_default=RandomUUID()))'),
    ("`AlterField`, `int` to `bigint`", "bigger_days", 'migrations.AlterField("loan", "days", models.BigIntegerField(null=True))'),
    ("`RunSQL`, an update", "fill_days", 'migrations.RunSQL("update lending_loan set days = due_on - lent_on where days is null", "select 1")'),
    ("`AlterField`, `NOT NULL`", "note_required", f'migrations.AlterField("loan", "note", {NOTE(50)})'),
    ("`AlterField`, shorter", "note_shorter", f'migrations.AlterField("loan", "note", {NOTE(20)})'),
    ("`AddConstraint`, unique", "slip_once", f'migrations.AddConstraint("loan", {UNIQUE})'),
    ("`AddIndex`", "lent_on", f'migrations.AddIndex("loan", {INDEX})'),
]  # fmt: skip
REPAIRS = {
    "note_required": "update lending_loan set note = '' where note is null",
    "note_shorter": "update lending_loan set note = left(note, 20) where length(note) > 20",
    "slip_once": "update lending_loan set slip = slip || '-' || id where slip in (select slip from lending_loan group by slip having count(*) > 1)",
}

# %% [markdown] tags=["setup"]
# The release: models, eight migrations, and the command for the rehearsal.

# %% tags=["setup"]
laptop = Sandbox("laptop", "PostgreSQL")
laptop.replace(MODELS, DUE, START)
laptop.run("python manage.py makemigrations lending --name start --verbosity 0 && python manage.py migrate --verbosity 0")  # fmt: skip
laptop.rows("alter table lending_loan set (autovacuum_enabled = off)")
laptop.rows("update lending_loan set note = 'ok', slip = id")
laptop.write("lending/management/commands/rehearse.py", REHEARSE)
laptop.replace(MODELS, START, AFTER)
laptop.replace(MODELS, "from django.db import models", "from django.contrib.postgres.functions import RandomUUID\nfrom django.db import models")  # fmt: skip
laptop.replace(MODELS, META, f"    class Meta:\n        indexes = [{INDEX}]\n        constraints = [\n            {UNIQUE},\n")  # fmt: skip
last = "0008_start"
for number, (_, name, operation) in enumerate(ROWS, 10):
    laptop.write(f"lending/migrations/00{number}_{name}.py", MIGRATION.format(last, operation))
    last = f"00{number}_{name}"

# %% [markdown] tags=["setup"]
# Production: the same code, 200,000 loans. Three have no note, two a long one, two the same slip.
# (Autovacuum is off for this table, so that two runs count alike.)

# %% tags=["setup"]
production = laptop.clone("production")
production.rows("insert into lending_loan (book_id, reader_id, lent_on, due_on, note, slip) select 1 + n % 6, 1 + n % 3, date '2024-04-01' + n % 300, date '2024-04-15' + n % 300, 'ok', n from generate_series(6, 200000) n")  # fmt: skip
production.rows("update lending_loan set note = null where id in (7, 1007, 100007)")
production.rows("update lending_loan set note = 'two pages are torn, cover is stained' where id in (8, 9)")  # fmt: skip
production.rows("update lending_loan set slip = '500' where id = 199000")
copy, again = production.clone("copy"), production.clone("second-copy")

# %%
MODES = ["AccessShare", "RowShare", "RowExclusive", "ShareUpdateExclusive", "Share", "ShareRowExclusive", "Exclusive", "AccessExclusive"]  # fmt: skip
RAN = re.compile(r"^lending\.00\d\d_(\w+)\n  lending_loan: reads (\d+), changes (\d+)\n  (rewritten|same file) (.+)$", re.MULTILINE)  # fmt: skip


def found(output):
    """By migration that ran: rows read, rows changed, whether the table is rewritten, its lock."""
    ran = {}
    for name, read, changed, file, locks in RAN.findall(output):
        lock = max((it.removesuffix("Lock") for it in locks.split()), key=MODES.index)
        spelled = re.sub("(?<=[a-z])([A-Z])", r" \1", lock).upper()
        ran[name] = (int(read), int(changed), file == "rewritten", spelled)
    return ran


small = found(laptop.run("python manage.py rehearse"))
stops = {}
while (output := copy.attempt("python manage.py rehearse")).code:
    name = re.findall(r"^lending\.00\d\d_(\w+)$", output, re.MULTILINE)[-1]
    assert name not in stops, "a repair is enough"
    stops[name] = re.findall(r"^django\.db\.utils\.(.+)$", output, re.MULTILINE)[-1]
    copy.rows(REPAIRS[name])

# %% [markdown]
# The first copy stops three times. The three repairs go into a migration before the others, and a
# second copy tells whether they are enough:

# %%
SQL = [f'migrations.RunSQL("{sql}", "select 1")' for sql in REPAIRS.values()]
REPAIR = MIGRATION.format("0008_start", ",\n        ".join(["", *SQL])[1:] + "\n    ")
again.write("lending/migrations/0009_repair_loans.py", REPAIR)
again.replace(f"lending/migrations/0010_{ROWS[0][1]}.py", "0008_start", "0009_repair_loans")
large = found(again.run("python manage.py rehearse"))
rows = []
for what, name, _ in ROWS:
    read, changed, rewritten, lock = large[name]
    first = f"**stops**: `{stops[name]}`" if name in stops else "`OK`"
    cells = [f"`{lock}`", f"{read:,}; {changed:,}", "**rewritten**" if rewritten else "same file"]
    rows.append([what, "`OK`" if name in small else "", first, *cells])
table("What the copy shows", ["migration", "five loans", "200,000 loans", "lock", "reads; changes", "table"], rows)  # fmt: skip

# %% [markdown]
# - **200,000 loans**: the first copy. The cells after that are from the second one, with the repair.
# - **More reads than rows**: the table is read once, and once more for each of its three indexes. (In
#   one process: parallel workers are off, so that two runs count alike.)
# - **The update** has a weak lock on the table, and changes each row.
#
# ## The checklist
#
# Each line is run on the second copy. Production is not migrated yet: it has the rows to compare with.

# %%
BROKEN = "select id from lending_loan\nwhere note is null or length(note) > 20 or slip in (select slip from lending_loan group by slip having count(*) > 1) order by id"
broken = [row[0] for row in production.rows(BROKEN)]
ALL = "select count(*), sum(hashtext(concat_ws(' ', id, book_id, reader_id, lent_on, due_on, returned_on)))::text as checksum from lending_loan"
OTHERS = f"select count(*), sum(hashtext(concat_ws(' ', id, note, slip)))::text as checksum from lending_loan where id not in ({', '.join(map(str, broken))})"


def exits(line):
    return "yes" if again.attempt(line).code == 0 else "**no**"


def same(query):
    (before,), (now,) = production.rows(query), again.rows(query)
    return f"yes: {now[0]:,} rows" if before == now else "**no**"


checks = [
    ["each migration says `OK`", "`rehearse`", "yes" if len(large) == 1 + len(ROWS) else "**no**"],
    ["nothing is left to apply", "`migrate --check`", exits("python manage.py migrate --check")],
    ["no model has changes", "`makemigrations --check`", exits("python manage.py makemigrations --check")],
    ["the schema is what the history says", "[the chain](../../guide/the-chain.md)", "yes" if again.chain().whole else "**no**"],
    ["no row breaks a rule", "a query for such rows", "**no**" if again.rows(BROKEN) else "yes"],
    ["old columns are as before", "count and checksum", same(ALL)],
    ["so are the rows without a repair", "count and checksum", same(OTHERS)],
    ["there is a way back", "`migrate lending 0008`", exits("python manage.py migrate lending 0008 --verbosity 0")],
    ["which loses no loan", "count and checksum", same(ALL)],
    ["and forward again", "`migrate`", exits("python manage.py migrate --verbosity 0")],
]  # fmt: skip
table("The checklist", ["check", "how", "on the copy"], checks)

# %% [markdown]
# The way back does not take the repair back: a note that was cut has lost its end. Decide with those
# who know the rows. Whether old code can run beside the new schema, no rehearsal shows: read
# [the guide](../../guide/deploying.md).

# %% tags=["check"]
names = [name for _, name, _ in ROWS]
assert list(small) == names, "all eight say OK on the laptop"
assert list(stops) == list(REPAIRS), "three stop on the first copy"
assert list(large) == ["repair_loans", *names], "none on the second"
rewritten = [name for name in names if large[name][2]]
assert rewritten == ["token", "bigger_days", "note_shorter"], "three write the table again"
INDEXES = "select indexrelid::regclass from pg_index where indrelid = 'lending_loan'::regclass"
indexes = len(production.rows(INDEXES))
assert {large[name][0] for name in rewritten} == {200000 * (1 + indexes)}, "and its indexes"
assert {name: small[name][2:] for name in names} == {name: large[name][2:] for name in names}
assert [name for name in names if large[name][1]] == ["fill_days"], "one changes rows"
assert large["fill_days"][1:] == (200000, False, "ROW EXCLUSIVE"), "all of them, with a weak lock"
assert large["renewals"][:2] == (0, 0), "a fixed default touches no row"
strongest = {large[name][3] for name in names if name not in ("fill_days", "lent_on")}
assert strongest == {"ACCESS EXCLUSIVE"}, "readers wait"
assert large["lent_on"][3] == "SHARE", "an index keeps writers out"
assert broken == [7, 8, 9, 500, 1007, 100007, 199000], "seven rows are repaired"
assert all(answer.startswith("yes") for *_, answer in checks), "the whole list is answered"
