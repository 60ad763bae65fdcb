# ---
# title: Two deploys ran migrate at the same time
# symptoms:
#   - column "language" of relation "library_book" already exists
# cause: >-
#   Both read the history before the other had written to it, and both ran the same migrations.
#   Nothing is lost. A migration that adds to rows has added twice, and printed `OK` both times.
# broken: [files-history]
# data: "untouched: what the second run added is taken out again"
# undo: add again what you took out
# safe_in: production
# applied: no matter where
# databases: [PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Background, Client, Sandbox, who_waits

production = Sandbox("production", "PostgreSQL")
COPIES = "select id, copies from library_book order by id"
TWICE = "select app, name, count(*) from django_migrations group by app, name having count(*) > 1"
ASKED = """do $$ begin
  while (select count(*) from pg_stat_activity where datname = current_database()
    and state = 'idle' and query like '%try_advisory_lock%') < 2
  loop perform pg_sleep(0.05), pg_stat_clear_snapshot(); end loop; end $$"""
CANCEL = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'advisory' and datname = current_database()"
EDIT = "begin; select id from library_book where id = 1 for update"

# %% [markdown]
# A release has two migrations. One buys a copy of each book, the other adds a column.

# %% tags=["setup"]
production.write(
    "library/migrations/0007_one_more_copy.py",
    """from django.db import migrations
from django.db.models import F


def buy(apps, schema_editor, number=1):
    apps.get_model("library", "Book").objects.update(copies=F("copies") + number)


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(buy, lambda *args: buy(*args, -1))]
""",
)
production.replace(
    "library/models.py",
    "    copies = models.PositiveIntegerField(default=1)\n",
    "    copies = models.PositiveIntegerField(default=1)\n"
    '    language = models.CharField(max_length=20, default="en")\n',
)
production.run("python manage.py makemigrations library --name book_language")
backup = production.clone("backup")
guarded = production.clone("guarded")
silent = production.clone("silent")

# %% [markdown]
# Two containers start. The site edits book 1, so the first `migrate` has to wait. An export locks the
# table, then the second `migrate` comes. It has read the same history.

# %% tags=["setup"]
web, export = Client(production, "web"), Client(production, "export")
web.rows(EDIT)
first = Background(production, "python manage.py migrate")
who_waits(production, 1)
locked = export.start("begin; lock table library_book in share mode")
who_waits(production, 2)
second = Background(production, "python manage.py migrate")
queue = who_waits(production, 3)

# %% [markdown]
# The edit ends, the export has the table. The first `migrate` is in 0008, the second still in 0007.

# %% tags=["setup"]
web.rows("commit")
locked.result(30)
both = who_waits(production, 2)

# %% [markdown]
# The export ends. Afterwards book 2 gets a language and loses a copy, and a book comes in.

# %% tags=["setup"]
export.rows("commit")
first.end()
second.end(fails='column "language" of relation "library_book" already exists')
web.rows("update library_book set copies = copies - 1, language = 'de' where id = 2")
web.rows("insert into library_book values (7, 'Persuasion', 1, '', 2, 'en')")
web.close()
export.close()
careless = production.clone("careless")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# One deploy went through, the other stopped. Its container starts again, and is green:

# %%
production.run("python manage.py migrate")

# %% [markdown]
# The error is not the harm. Before 0008 stopped, 0007 said `OK`. The history has a row for each such run:

# %%
twice = production.rows(TWICE)

# %% [markdown]
# - **No row**: nothing ran twice to its end. With `atomic = False`, a half may be left: read
#   [A migration stopped half-way](../mismatch/half-applied.md).
# - **A row, and no error anywhere**: the release had nothing that can stop the second. Same fix.
#
# Open each file that is listed. To set a value twice does no harm. To add twice does. Compare with a
# backup from right before the deploy, restored beside it:

# %%
before = dict(backup.rows(COPIES))
production.rows(COPIES)

# %% [markdown]
# Book 1 has two more, not one. Book 2 looks right, but one was lost since. Book 7 came later.
#
# ## Fix it
#
# Take out what one run added.
# **Only rows that both runs have touched: here ids 1 to 6, no book came between backup and deploy.**
# **Subtract. Do not set what the backup says plus one: what was written since would be lost.**

# %% tags=["fix"]
production.rows("update library_book set copies = copies - 1 where id <= 6")

# %% [markdown]
# **Then the second row of the history, and not earlier: it tells what ran twice.** The first one stays.

# %% tags=["fix"]
production.rows(
    "delete from django_migrations again using django_migrations once "
    "where (again.app, again.name) = (once.app, once.name) and again.id > once.id"
)

# %% [markdown]
# ## Make sure
#
# Each migration is recorded once. Each book has one more than in the backup, apart from 2 and 7.

# %% tags=["after"]
production.chain("library")

# %%
now = production.rows(COPIES)

# %% [markdown]
# ## Undo it
#
# Add again what you took out, for the same rows. The second row of the history need not come back.

# %%
undone = production.clone("undone")
undone.rows("update library_book set copies = copies + 1 where id <= 6")

# %% [markdown]
# ## What not to do
#
# **Do not migrate back and forward again.** Going back takes away one of two runs, and both rows of
# the history:

# %%
careless.run("python manage.py migrate library 0006")
careless.run("python manage.py migrate --verbosity 0")
gone = careless.rows(TWICE)
wrong = careless.rows("select id, copies, language from library_book order by id")

# %% [markdown]
# The copies are still doubled, and nothing tells of it any more. The language of book 2 is lost.
#
# **Do not repeat `migrate` until it ends with 0.** Above it did, and the rows were doubled by then.
#
# **Do not let deploys wait in `pg_advisory_lock`.** The first holds it and builds an index with
# `concurrently`: then each waits for the other. PostgreSQL stops one with an error after
# [`deadlock_timeout`](https://www.postgresql.org/docs/18/runtime-config-locks.html), here put off:

# %%
with_index = backup.clone("with-index")
one, two = Client(with_index, "first"), Client(with_index, "second")
one.rows("set deadlock_timeout = '10min'; select pg_advisory_lock(7001)")
two.start("set deadlock_timeout = '10min'; select pg_advisory_lock(7001)")
who_waits(with_index, 1)
building = one.start("create index concurrently copies on library_book (copies)")
circle = who_waits(with_index, 2)
with_index.rows(CANCEL)
building.result(30)

# %% [markdown]
# The index waits for the transaction of a statement that waits. It got done when that was cancelled.
# So ask for the lock again and again, as [below](#keep-it-from-happening).
#
# ## Why it happens
#
# `migrate` reads the history at its start and makes its plan. Nothing keeps a second `migrate` from
# making the same plan. They wait for each other at single statements; then each does
# what it has planned. A column cannot be added twice, one more copy can. No constraint forbids a second
# row of a migration in `django_migrations`: on [the chain](../../guide/the-chain.md), the history is wrong.
#
# ## Keep it from happening
#
# Let one job migrate, and start the containers after it. If each container has to, use a command that
# asks for an advisory lock first, in a session of its own:

# %%
guarded.write(
    "library/management/commands/migrate_once.py",
    """import time
from contextlib import closing

from django.core.management import BaseCommand, call_command
from django.db import connections

KEY = 7001  # any number, the same in every deploy


class Command(BaseCommand):
    def handle(self, **options):
        with closing(connections.create_connection("default")) as session:
            if not has_lock(session):
                self.stdout.write("Another deploy migrates. Waiting.")
                while not has_lock(session):
                    time.sleep(1)
            call_command("migrate", interactive=False)


def has_lock(session):
    with session.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [KEY])
        return cursor.fetchone()[0]
""",
)

# %% [markdown]
# Two at once. When the `do` block ends, the second has asked in vain. It waits in no statement:

# %%
web = Client(guarded, "web")
web.rows(EDIT)
first = Background(guarded, "python manage.py migrate_once")
who_waits(guarded, 1)
second = Background(guarded, "python manage.py migrate_once")
web.rows(ASKED)
alone = who_waits(guarded, 1)
web.rows("commit")
first.end()
nothing = second.end()

# %% [markdown]
# The second has nothing to apply. A plain `migrate` asks for no lock: every deploy must use the command,
# here for the database `default`. Behind PgBouncer [the lock protects nothing](pgbouncer-between.md).
#
# ## Run it yourself
#
# In 0007, set `copies` to 9 in place of adding 1. It still runs twice, and the history has two rows.
# Nothing is doubled, so the fix takes away too much, and an assert fails.

# %% tags=["check"]
assert queue == [("migrate", "web"), ("export", "migrate"), ("migrate", "export")], "both planned"
assert both == [("migrate", "export"), ("migrate", "export"), ("migrate", "migrate")]
assert twice == [("library", "0007_one_more_copy", 2)], "the history tells what ran twice"
bought = {id: copies + 1 for id, copies in before.items()}
assert dict(now) == bought | {2: before[2], 7: 2}, "one more each, and later writes are kept"
doubled = {id: copies + (id <= 6) for id, copies in now}
assert dict(undone.rows(COPIES)) == doubled, "undone, it is as before"
assert [(id, copies, "en") for id, copies in doubled.items()] == wrong, "doubled, language lost"
assert sorted(circle) == [("first", "second"), ("second", "first")], "each waits for the other"
assert alone == [("migrate_once", "web")], "the second waits in no statement"
assert gone == [], "without a trace"
assert "Another deploy migrates" in nothing, "it has waited"
assert "No migrations to apply" in nothing, "and then read the history"
assert dict(guarded.rows(COPIES)) == bought, "each migration ran once"

# %% tags=["check"]
# Without the column nothing stops the second: both exit with 0. And `migrate` asks for no lock.
silent.run("rm library/migrations/0008_book_language.py")
web = Client(silent, "web")
web.rows("select pg_advisory_lock(7001)")
web.rows(EDIT)
first = Background(silent, "python manage.py migrate")
second = Background(silent, "python manage.py migrate")
who_waits(silent, 2)
web.rows("commit")
assert all("0007_one_more_copy... OK" in one.end() for one in (first, second)), "no error"
assert silent.rows(TWICE) == twice, "and it ran twice"
