# ---
# title: Filling a new column stops the application
# symptoms:
#   - canceling statement due to statement timeout
#   - while updating tuple (0,1) in relation "lending_loan"
# cause: >-
#   A migration fills every row in one transaction. Each row that it has filled is locked to its end,
#   and whoever writes that row waits. Nothing is lost. With a `statement_timeout`, your application
#   fails with the error above.
# broken: []
# data: "untouched: the run that you cancel is taken back whole"
# undo: migrate back one migration; what is filled in stays
# safe_in: "production: a write waits for one batch at most"
# applied: no matter where
# databases: [PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Background, Client, Sandbox, who_waits

production = Sandbox("production", "PostgreSQL")
FILE, ADDED = "lending/migrations/0009_fill_remind_on.py", "lending/migrations/0008_remind_on.py"
MIGRATION = """from datetime import timedelta

from django.db import migrations, transaction
from django.db.models import F


def fill(apps, schema_editor):
    db = schema_editor.connection.alias
    loans = apps.get_model("lending", "Loan").objects.using(db).order_by("pk").filter(remind_on=None)
{}

class Migration(migrations.Migration):
    atomic = {}
    dependencies = [("lending", "0008_remind_on")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
""".format
LOAN = "select id from lending_loan where id = 100000 for no key update"
RETURN = "update lending_loan set returned_on = '2024-05-02' where id = {}".format
FREE = "select count(*) as can_be_changed\nfrom (select from lending_loan for no key update skip locked)"
FILLED = "select count(remind_on) as filled, count(*) as loans from lending_loan"
SIZE = "select pg_size_pretty(pg_relation_size('lending_loan')) as size_of_table"
LOCKS = "select locktype, mode from pg_locks join pg_stat_activity using (pid)\nwhere datname = current_database() and application_name = 'migrate'\n  and relation = 'lending_loan'::regclass order by locktype, mode"
PLAN = "explain (analyze, costs off, timing off, summary off, buffers off)\nselect id from lending_loan where remind_on is null{} order by id limit 5000{}".format


# %% [markdown]
# Your library has 200,000 loans. Autovacuum is off for them: two runs of this page show the same sizes.

# %% tags=["setup"]
production.rows("alter table lending_loan set (autovacuum_enabled = off);\ninsert into lending_loan (book_id, reader_id, lent_on, due_on)\nselect 1 + n % 6, 1 + n % 3, date '2024-04-01' + n % 300, date '2024-04-15' + n % 300\nfrom generate_series(6, 200000) n")  # fmt: skip

# %% [markdown]
# A release adds the day of the reminder. A second migration fills it.

# %% tags=["setup"]
due = "    due_on = models.DateField()\n"
production.replace("lending/models.py", due, f"{due}    remind_on = models.DateField(null=True)\n")
production.run("python manage.py makemigrations lending --name remind_on --verbosity 0")
together = production.clone("together")
production.run("python manage.py migrate --verbosity 0")
production.rows("vacuum analyze lending_loan")
sizes = [production.rows(SIZE)]
ONCE = '    loans.update(remind_on=F("due_on") - timedelta(days=3))\n'
production.write(FILE, MIGRATION(ONCE, True))
flag, skipping = production.clone("flag"), production.clone("skipping")

# %% [markdown]
# So that the migration stands still half-way, somebody at the desk has loan 100000 open.

# %% tags=["setup"]
desk = Client(production, "desk")
desk.rows(f"begin; {LOAN}")
migrating = Background(production, "python manage.py migrate")
standing = who_waits(production, 1)

# %% tags=["before"]
production.chain("lending")

# %% [markdown]
# ## Is this your case?
#
# A reader brings loan 1 back, and the page gives up. The numbers in brackets are the place of the row:

# %%
production.run("python manage.py shell --verbosity 0 -c \"from lending.models import Loan; from django.db import connection; connection.cursor().execute('set statement_timeout = 500'); Loan.objects.filter(pk=1).update(returned_on='2024-05-02')\"", fails="canceling statement due to statement timeout")  # fmt: skip

# %% [markdown]
# Without that timeout it waits. Reading goes on:

# %%
web = Client(production, "web")
web.rows("select returned_on from lending_loan where id = 1")
returning = web.start(RETURN(1))
queue = who_waits(production, 2)

# %% [markdown]
# Which rows are locked? `pg_locks` shows a weak lock of `migrate` on the table, and a `tuple`: the row
# that it waits for. PostgreSQL notes a lock on a row in the row. So count those that are free:

# %%
locks = production.rows(LOCKS)
free = production.rows(FREE)

# %% [markdown]
# All loans up to 100000 are locked, and while the migration works there are more and more.
#
# - **Reads wait too**: read [what not to do](#what-not-to-do), or [who waits](lock-queue.md).
# - **One row alone is waited for**: look who has it. It need not be a migration.
#
# ## Fix it
#
# Stop the migration. PostgreSQL takes back what it did.
# **With `atomic = False` in its file, what it has committed stays.**

# %% tags=["fix"]
production.rows('select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database()\n  and query like \'UPDATE "lending_loan" SET "remind_on"%\'')  # fmt: skip

# %% [markdown]
# The loan is returned, nothing is filled. The table has grown: `vacuum` lets that room be used again.

# %%
migrating.end(fails="canceling statement due to user request")
returning.result(30)
filled = [production.rows(FILLED)]
sizes.append(production.rows(SIZE))
production.rows("vacuum (truncate off) lending_loan")

# %% [markdown]
# Fill in batches: by primary key, each in its own transaction, and only rows that are empty.
# **Where the migration is applied, nothing is to be done: the rows come out the same.**

# %% tags=["fix"]
LOOP = """    last = filled = 0
    while keys := loans.filter(pk__gt=last).values_list("pk", flat=True)[:5000]:
        with transaction.atomic(using=db):
            batch = loans.filter(pk__gt=last, pk__lte=max(keys))
            filled += batch.update(remind_on=F("due_on") - timedelta(days=3))
        last = max(keys)
    print(f" {filled} loans are filled:", end="")
"""
production.write(FILE, MIGRATION(LOOP, False))

# %% [markdown]
# Try it while the desk still has loan 100000. It stands still in the batch that ends there:

# %%
killed = Background(production, "python manage.py migrate")
who_waits(production, 1)
assert production.rows(FREE) == [(195000,)], "all but one batch can be changed"

# %% [markdown]
# All others can be changed. A return, a loan by old code and a reminder by new code go through:

# %%
web.rows(RETURN(2))
web.rows("insert into lending_loan (book_id, reader_id, lent_on, due_on)\nvalues (1, 1, '2024-05-02', '2024-05-16')")  # fmt: skip
web.rows("update lending_loan set remind_on = '2025-01-01' where id = 150000")

# %% [markdown]
# Loan 99999 is in the batch, and has to wait. Then the session of `migrate` is killed:

# %%
returning = web.start(RETURN(99999))
in_batch = who_waits(production, 2)
production.rows("select pg_terminate_backend(pid) from pg_stat_activity\nwhere datname = current_database() and application_name = 'migrate'")  # fmt: skip
killed.end(fails="terminating connection due to administrator command")
returning.result(30)
filled.append(production.rows(FILLED))

# %% [markdown]
# The 19 batches before are filled, and the one reminder of the new code. A batch that waits keeps
# others waiting, so give the session that migrates [a `lock_timeout`](lock-queue.md#fix-it):

# %% tags=["fix"]
production.write("config/migrate.py", 'from config.settings import *\n\nDATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c lock_timeout=1s"\n')  # fmt: skip

# %% [markdown]
# The desk still has its loan. `migrate` gives up, and the batch is free again. Then the desk is done:

# %%
production.run("python manage.py migrate --settings config.migrate", fails="canceling statement due to lock timeout")  # fmt: skip
given_up = production.rows(FREE)
desk.rows("commit")
production.rows("vacuum lending_loan")

# %% [markdown]
# **If it gives up behind a lock, run it again: it goes on with the rows that are empty.**

# %% tags=["fix"]
rest = production.run("python manage.py migrate --settings config.migrate")

# %% [markdown]
# ## Make sure
#
# Nothing is left to apply, and each loan has a reminder, the new one too:

# %% tags=["after"]
production.chain("lending")

# %%
filled.append(production.rows(FILLED))
values = production.rows("select id, returned_on, due_on - remind_on as days_before from lending_loan\nwhere id in (1, 2, 99999, 150000, 200001) order by id")  # fmt: skip
sizes.append(production.rows(SIZE))
_ = web.close(), desk.close()

# %% [markdown]
# ## Undo it
#
# Go back one migration. The reminders stay, and a second run finds nothing to fill.
# **One step more drops the column, with what your application wrote into it.**

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate lending 0008 --verbosity 0")
filled.append(undone.rows(FILLED))
again = undone.run("python manage.py migrate")
undone.run("python manage.py migrate lending 0007 --verbosity 0")

# %% [markdown]
# ## What not to do
#
# **Do not add `atomic = False` alone.** One `update` is one transaction all the same.

# %%
flag.replace(FILE, "atomic = True", "atomic = False")
desk = Client(flag, "desk")
desk.rows(f"begin; {LOAN}")
migrating = Background(flag, "python manage.py migrate")
who_waits(flag, 1)
same = flag.rows(FREE)

# %% [markdown]
# The desk lets go. In the end the table has twice its size: no old row could make room for a new one.

# %%
desk.rows("commit")
migrating.end()
sizes.append(flag.rows(SIZE))

# %% [markdown]
# **Do not add and fill the column in one migration.** Its `ALTER TABLE` locks out reads to the end.
# Here it stands still when all is filled, because a session has locked the history.

# %%
fill = 'def fill(apps, _):\n    apps.get_model("lending", "Loan").objects.update(remind_on=models.F("due_on"))\n\n\nclass'
together.replace(ADDED, "class", fill)
together.replace(ADDED, "=True),\n        ),\n", "=True),\n        ),\n        migrations.RunPython(fill),\n")  # fmt: skip
desk, page = Client(together, "desk"), Client(together, "page")
desk.rows("begin; lock table django_migrations in share mode")
migrating = Background(together, "python manage.py migrate")
who_waits(together, 1)
page.start("select returned_on from lending_loan where id = 1")
reads = who_waits(together, 2)
exclusive = together.rows(LOCKS)

# %% [markdown]
# **Do not step through the empty rows with an offset.** It reads all rows before it: 155,000 for 5,000.
# (Without parallel workers, so that two runs count alike.) And each batch takes rows out of the list,
# so the next offset jumps over as many. It prints `OK`, and half of the loans stay empty:

# %%
dba = Client(skipping, "dba")
dba.rows("set max_parallel_workers_per_gather = 0")
plans = [dba.rows(PLAN(" and id > 150000", "")), dba.rows(PLAN("", " offset 150000"))]
OFFSET = """    for start in range(0, loans.count(), 5000):
        keys = list(loans.values_list("pk", flat=True)[start : start + 5000])
        loans.filter(pk__in=keys).update(remind_on=F("due_on") - timedelta(days=3))
"""
skipping.write(FILE, MIGRATION(OFFSET, False))
skipping.run("python manage.py migrate")
half = skipping.rows(FILLED)

# %% [markdown]
# ## Why it happens
#
# An `update` writes a new version of each row, and locks the old one until its transaction ends. Who
# wants to change that row waits for this end. The longer it takes, the more rows are locked, and no old
# version makes room. A batch gives back both. On [the chain](../../guide/the-chain.md) nothing is
# broken: the migration is recorded after its last batch, and until then `migrate` starts it again.
#
# ## Keep it from happening
#
# Add the column, fill it and [require it](remove-or-require-a-field.md) in three migrations. Before you
# fill it, deploy code that writes it: a row that comes later stays empty. Read what this lists:
#
# ```bash
# git grep --name-only "RunPython" -- "*/migrations/*.py"
# ```
#
# ## Run it yourself
#
# Put 50000 for `5000` into `LOOP`. The desk keeps ten times as many loans from being changed, and
# an assert fails. How long a batch takes is not measured here: try yours on a copy.

# %% tags=["check"]
assert queue == [*standing, ("web", "migrate")], "who returns a book waits for the migration"
assert free == same == [(100000,)], "half of the loans are locked, with atomic = False too"
assert locks == [("relation", "RowExclusiveLock"), ("tuple", "ExclusiveLock")], "pg_locks hides it"
assert (in_batch, given_up) == (queue, [(200000,)]), "one batch waits, and not after it gave up"
assert [rows[0] for rows in filled] == [(0, 200000), (95001, 200001), *[(200001, 200001)] * 2]
assert [" 105000 loans" in rest, " 0 loans" in again] == [True, True], "it goes on where it stopped"
assert [row[1:] for row in values] == [*[("2024-05-02", 3)] * 3, (None, -261), (None, 3)], "each write is kept"  # fmt: skip
assert [rows[0][0] for rows in sizes] == ["13 MB", "20 MB", "20 MB", "26 MB"], "batches reuse room"
assert (reads[1:], *exclusive[0]) == ([("page", "migrate")], "relation", "AccessExclusiveLock")
assert ["rows=155000.00" in str(plan) for plan in plans] == [False, True], "an offset reads all"
assert (half, skipping.chain().whole) == ([(100000, 200000)], True), "half is empty, nothing tells"
assert "fill" in production.run('git grep --name-only "RunPython" -- "*/migrations/*.py"')
