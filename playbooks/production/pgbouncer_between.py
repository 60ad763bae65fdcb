# ---
# title: PgBouncer stands between migrate and PostgreSQL
# symptoms:
#   - "FATAL:  unsupported startup parameter: options"
# cause: >-
#   With `pool_mode = transaction`, your session is not yours. A setting or a lock that `migrate`
#   makes for its session stays in the pool, and the next client has it. Nothing is lost.
# broken: []
# data: untouched
# undo: migrate back past the pooler too
# safe_in: production
# applied: no matter where
# databases: [PgBouncer, PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Client, Sandbox

production = Sandbox("production", "PgBouncer")
ADMIN = 'psql --port 6432 pgbouncer -c "{}"'.format
CONFIG = 'psql --port {} pgbouncer -At -c "show config" | grep -E "^(pool_mode|default_pool_size|ignore_startup)"'.format
SETTINGS = """from config.settings import *

DATABASES["default"]["OPTIONS"] = {"options": "-c lock_timeout=3s"}
"""
PORT = 'DATABASES["default"]["PORT"] = {}\n'.format
ONCE = """from django.core.management import BaseCommand, CommandError, call_command
from django.db import connection


class Command(BaseCommand):
    def handle(self, **options):
        with connection.cursor() as cursor:
            cursor.execute("select pg_try_advisory_lock(7001)")
            if cursor.fetchone() == (False,):
                raise CommandError("Another deploy migrates.")
        call_command("migrate", interactive=False)
"""
INDEX = """from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [
        AddIndexConcurrently("book", models.Index(fields=["isbn"], name="library_book_isbn")),
    ]
"""
COMMAND = "library/management/commands/migrate_once.py"
RELEASE = "library/migrations/0007_index_isbn.py"
MIGRATE = "python manage.py migrate_once --settings config.migrate"
SHOW = "from django.db import connection; cursor = connection.cursor(); cursor.execute('show lock_timeout'); print(cursor.fetchone())"
SHELL = 'python manage.py shell -v 0 --settings config.{} -c "{}"'.format
TRY = "select pg_try_advisory_lock(7001)"
LOCKS = "select count(*) from pg_locks join pg_database on oid = database where datname = current_database() and locktype = 'advisory'"

# %% [markdown]
# Production reaches PostgreSQL through PgBouncer: the `PORT` in its settings is 6432. PostgreSQL itself
# listens on 5432. A deploy takes a lock, so that [two do not meet](migrate-once.md):

# %% tags=["setup"]
production.write(COMMAND, ONCE)
production.run("python manage.py migrate_once")

# %% [markdown]
# The next release indexes the ISBN, with [`concurrently`](index-concurrently.md). Its deploy has settings
# of its own, for [its timeouts](statement-timeouts.md):

# %% tags=["setup"]
title = '        indexes = [models.Index(fields=["title"], name="library_book_title")'
isbn = 'models.Index(fields=["isbn"], name="library_book_isbn")'
production.replace("library/models.py", title, f"{title},\n                   {isbn}")
production.write(RELEASE, INDEX)
production.write("config/migrate.py", SETTINGS)
production.run(MIGRATE, fails="FATAL:  unsupported startup parameter: options")

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# Ask the pooler. The setting stands before its default:

# %%
strict = production.run(CONFIG(6432))

# %% [markdown]
# - **It says `session`**: that mode is not run here, nor are other versions of PgBouncer.
# - **It has more than one connection to your database**: which of them a client gets is its choice.
#   Here there is one, so that every run is the same.
# - **No error, and no timeout**: it [ignores `options`](#what-not-to-do). The same fix works.
#
# See what earlier deploys have left. No deploy is at work, and a lock is there:

# %%
left = production.rows(LOCKS)

# %% [markdown]
# ## Fix it
#
# Let the deploy go past the pooler: to PostgreSQL's port, and its host if that is another.

# %% tags=["fix"]
production.replace("config/migrate.py", "DATABASES", f"{PORT(5432)}DATABASES")

# %% [markdown]
# Let the pooler make its connections anew, and wait until it has. A transaction that is open goes on to
# its end. What was left in the sessions is gone.
# **Look first that no deploy is at work through the pooler: its lock goes too.**

# %% tags=["fix"]
production.run(ADMIN("reconnect library"))
production.run(ADMIN("wait_close library"))

# %% [markdown]
# Now the deploy goes through:

# %% tags=["fix"]
production.run(MIGRATE)

# %% [markdown]
# ## Make sure
#
# The timeout holds for the deploy, and not for pages. No lock is left.

# %% tags=["after"]
production.chain("library")

# %%
deploy = production.run(SHELL("migrate", SHOW))
pages = production.run(SHELL("settings", SHOW))
freed = production.rows(LOCKS)

# %% [markdown]
# ## Undo it
#
# Migrate back past the pooler too:

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0006 --settings config.migrate")
leaking, ignoring = undone.clone("leaking"), undone.clone("ignoring")

# %% [markdown]
# ## What not to do
#
# **Do not let the pooler ignore `options`.** The pooler on port 6433 has this line, and the deploy
# connects. It has no timeout, and nothing says so:

# %%
lenient = ignoring.run(CONFIG(6433))
ignoring.replace("config/migrate.py", PORT(5432), PORT(6433))
nothing = ignoring.run(SHELL("migrate", SHOW))

# %% [markdown]
# **Do not put `set` into a migration that goes through the pooler.** It runs, and the index is built:

# %%
leaking.replace(
    RELEASE,
    "= [\n",
    "= [\n        migrations.RunSQL(\"set lock_timeout = '3s'\", migrations.RunSQL.noop),\n",
)
leaking.run("python manage.py migrate")
valid = leaking.rows(
    "select indisvalid from pg_index where indexrelid = 'library_book_isbn'::regclass"
)

# %% [markdown]
# But now your pages have the timeout of the deploy:

# %%
leaked = leaking.run(SHELL("settings", SHOW))

# %% [markdown]
# `set local` ends with its transaction. Two clients of the pooler:

# %%
one, two = Client(undone, "one"), Client(undone, "two")
one.rows("begin")
one.rows("set local lock_timeout = '3s'")
inside = one.rows("show lock_timeout")
one.rows("commit")
outside = two.rows("show lock_timeout")

# %% [markdown]
# **Do not trust an advisory lock of a session here.** Both clients get it, and so does the deploy: to
# PostgreSQL they are one session.

# %%
both = [one.rows(TRY), two.rows(TRY)]
undone.run("python manage.py migrate_once")

# %% [markdown]
# And when all are gone, it is still there. The first deploy that goes past the pooler meets it:

# %%
one.close()
two.close()
stays = undone.rows(LOCKS)
undone.run(MIGRATE, fails="CommandError: Another deploy migrates.")

# %% [markdown]
# ## Why it happens
#
# With `pool_mode = transaction`, a connection to PostgreSQL is yours for a transaction. Then another
# client gets it, with what belongs to its session: settings, advisory locks. `options` would be settings
# of a session, and this PgBouncer refuses them. Without them `migrate` works, as above: what it does to
# the schema needs no session. On [the chain](../../guide/the-chain.md) no link is broken.
#
# ## Keep it from happening
#
# Let the deploy ask for its timeout first, on the connection that migrates:

# %%
ask = """            cursor.execute("show lock_timeout")
            if cursor.fetchone() == ("0",):
                raise CommandError("No lock_timeout. Is a pooler in between?")
"""
first = '            cursor.execute("select'
ignoring.replace(COMMAND, first, f"{ask}{first}")
ignoring.run(MIGRATE, fails="No lock_timeout. Is a pooler in between?")

# %% [markdown]
# Past the pooler, the same command goes through:

# %%
ignoring.replace("config/migrate.py", PORT(6433), PORT(5432))
ignoring.run(MIGRATE)

# %% [markdown]
# ## Run it yourself
#
# Take out the two commands to the pooler in the second `fix` cell. The deploy then meets the lock of
# the one before it, and the run stops with `Another deploy migrates.`

# %% tags=["check"]
assert "pool_mode|transaction|" in strict, "transaction pooling"
assert "ignore_startup_parameters|options|" in lenient, "the line that is said to help"
assert (left, freed, stays) == ([(1,)], [(0,)], [(1,)]), "a lock that outlives its client"
assert (deploy, pages, nothing, leaked) == ("('3s',)\n", "('0',)\n", "('0',)\n", "('3s',)\n")
assert valid == [(True,)], "the index can be used"
assert (inside, outside) == ([("3s",)], [("0",)]), "set local ends with its transaction"
assert both == [[(True,)], [(True,)]], "the lock excludes nobody"

# %% tags=["check"]
# The pooler waits for an open transaction. Then what was left in its session is gone.
web = Client(undone, "web")
web.rows("begin")
undone.run(ADMIN("reconnect library"))
assert web.rows("select count(*) from library_book") == [(6,)], "its transaction goes on"
web.rows("commit")
undone.run(ADMIN("wait_close library"))
assert undone.rows(LOCKS) == [(0,)], "and the lock is gone"
