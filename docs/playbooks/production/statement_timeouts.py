# ---
# title: A statement timeout cancels your migration
# symptoms:
#   - "django.db.utils.OperationalError: canceling statement due to statement timeout"
# cause: >-
#   Your settings, or the database, give every statement a time limit that is meant for pages. A
#   migration needs longer, and PostgreSQL cancels it. Nothing is lost: the transaction is taken back.
#   With `atomic = False`, a half of it may stay.
# broken: []
# data: "untouched: what the cancelled migration had done is taken back"
# undo: migrate back; take the file of settings away
# safe_in: "production: read first what the migration locks"
# applied: no matter where
# databases: [PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Background, Client, Sandbox, table, who_waits

production = Sandbox("production", "PostgreSQL")
MIGRATION = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("library", "{}")]
    operations = [
        migrations.RunSQL("{}", migrations.RunSQL.noop),
    ]
"""
FILL = "update library_book set language = 'English' where pg_sleep(0.5) is not null"
FILL_FILE, NEXT_FILE = (f"library/migrations/{it}.py" for it in ("0008_fill", "0009_trim"))
FILLED = "select count(language) as filled from library_book"
HELD = "select mode from pg_locks join pg_stat_activity using (pid) where granted and application_name = 'migrate' and datname = current_database() and relation = 'library_book'::regclass"
AT_WORK = "do $$ begin while not exists (select from pg_stat_activity where application_name = 'migrate' and datname = current_database() and wait_event = 'PgSleep') loop perform pg_sleep(0.01); perform pg_stat_clear_snapshot(); end loop; end $$"
TRY = """import os
from concurrent.futures import ThreadPoolExecutor as Pool
from itertools import product

import psycopg

DOES = {
    "works in one statement": ["select pg_sleep(2)"],
    "works in short statements": ["select pg_sleep(0.4)"] * 5,
    "waits for a lock": ["select from {}"],
    "does nothing": [],
}
LIMITS = "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"
TABLES = dict(zip(LIMITS, ("library_author", "library_genre", "library_book", "lending_reader")))
URL = os.environ["DATABASE_URL"]


def outcome(does, limit):
    with psycopg.connect(URL) as session, psycopg.connect(URL) as other, Pool() as beside:
        session.execute(f"set local {limit} = '1s'")
        other.execute(f"lock table {TABLES[limit]}" if "lock" in does else "select 1")
        two = beside.submit(other.execute, "select pg_sleep(2); commit")
        try:
            for sql in DOES[does]:
                session.execute(sql.format(TABLES[limit]))
            two.result()
            session.execute("select 1")
        except psycopg.Error:
            return "**session closed**" if session.closed else "**statement cancelled**"
        return "goes on"


with Pool(16) as pool:
    found = iter(list(pool.map(outcome, *zip(*product(DOES, LIMITS)))))
for does in DOES:
    print(does, *(next(found) for _ in LIMITS), sep=", ")
"""
PRODUCTION = """from config.settings import *  # noqa: F403

DATABASES["default"]["OPTIONS"] = {"options": "-c statement_timeout=2s"}  # noqa: F405
"""
SETTINGS = '''"""The settings of the deploy: python manage.py migrate --settings config.migrate"""

from config.production import *  # noqa: F403

DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c lock_timeout=3s -c statement_timeout=1h"  # noqa: F405
'''
CANCELLED = "canceling statement due to statement timeout"
SHELL = 'python manage.py shell -v 0 --settings config.{} -c "{}"'.format
PAGE = "from library.models import Book; print(Book.objects.count())"
SHOW = "from django.db import connection; cursor = connection.cursor(); cursor.execute('show statement_timeout'); print(cursor.fetchone())"
MIGRATE = "python manage.py migrate --settings config.production"
BRING = "do $$ begin execute format('alter database %I set statement_timeout = 2000', current_database()); end $$"
END = "select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'migrate'"
COPY = "cp ../production/config/migrate.py config/migrate.py"

# %% [markdown]
# On production, no statement of a page may take longer than 2 s. The settings there say so:

# %% tags=["setup"]
production.write("config/production.py", PRODUCTION)

# %% [markdown]
# One release has added a field. The next one fills it. `pg_sleep` makes each book take half a second,
# as in a large table the whole takes long.

# %% tags=["setup"]
language = "    language = models.CharField(max_length=20, null=True)\n"
production.replace("library/models.py", "    genres", f"{language}    genres")
production.run("python manage.py makemigrations library --name language")
together = production.clone("together")
production.run("python manage.py migrate --verbosity 0")
production.write(FILL_FILE, MIGRATION.format("0007_language", FILL))
production.run(MIGRATE, fails=CANCELLED)
half, server, local, at_once, apart = map(production.clone, ["half", "server", "local", "at-once", "apart"])  # fmt: skip

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# Ask what limit your settings bring.

# %%
told = production.run(SHELL("production", SHOW))

# %% [markdown]
# Nothing of the cancelled migration is left:

# %%
left = production.rows(FILLED)

# %% [markdown]
# - **Your settings say nothing of it**: somebody has set it with `alter database`, for one. The same
#   fix works, as [Make sure](#make-sure) shows.
# - **It says `due to lock timeout`**: read [migrate waits, and every page waits behind it](lock-queue.md).
# - **It was a concurrent index**: read [A concurrent index failed](index-concurrently.md).
# - **The migration has `atomic = False`**: a half of it may stay, as here. Read
#   [A migration stopped half-way](../mismatch/half-applied.md).

# %%
half.replace(FILL_FILE, "    dep", "    atomic = False\n    dep")
one = "\"update library_book set language = 'English' where id = 1\""
half.replace(FILL_FILE, f'"{FILL}"', f'[{one}, "{FILL}"]')
half.run(MIGRATE, fails=CANCELLED)
halves = half.rows(FILLED)

# %% [markdown]
# ## Fix it
#
# Give the deploy timeouts of its own. It may be at work for long, and wait for a lock only briefly.
# **If your settings have other `options`, add them here: this takes their place.**

# %% tags=["fix"]
production.write("config/migrate.py", SETTINGS)

# %% [markdown]
# **Look first what the migration locks: each lock stays until its transaction ends.**
# **Here, a write to a book that it has filled waits for that.** See [What not to do](#what-not-to-do).

# %% tags=["fix"]
production.run("python manage.py migrate --settings config.migrate")

# %% [markdown]
# Is it one migration alone? Then its file can lift the limit, with `set local`: until the end of the
# transaction. The next migration in this run has the limit again:

# %%
FREE = f"set local statement_timeout = 0; {FILL}"
NEXT = "update library_book set isbn = trim(isbn) where pg_sleep(0.5) is not null"
local.write(FILL_FILE, MIGRATION.format("0007_language", FREE))
local.write(NEXT_FILE, MIGRATION.format("0008_fill", NEXT))
limited = local.run(MIGRATE, fails=CANCELLED)

# %% [markdown]
# ## Make sure
#
# All books are filled, and nothing is left to apply. Pages still have their limit.

# %% tags=["after"]
production.chain()

# %%
done = production.rows(FILLED)
pages = production.run(SHELL("production", SHOW))

# %% [markdown]
# The file also comes before a limit that the database brings:

# %%
server.rows(BRING)
brought = server.run(SHELL("settings", SHOW))
server.run(COPY)
asked = server.run(SHELL("migrate", SHOW))

# %% [markdown]
# ## Undo it
#
# Go back by name, with the same settings. **What the new column holds is lost.**

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0006 --settings config.migrate")

# %% [markdown]
# ## What not to do
#
# **Do not write `set` without `local` into a migration.** It holds for the session, and reaches all
# migrations that follow in the same run. So this one works where both run together:

# %%
at_once.write(FILL_FILE, MIGRATION.format("0007_language", FREE.replace("local ", "")))
at_once.write(NEXT_FILE, MIGRATION.format("0008_fill", NEXT))
in_two = at_once.clone("in-two")
running = Background(at_once, MIGRATE)
in_two.run(MIGRATE.replace("migrate --", "migrate library 0008 --"))
leaked = running.end()

# %% [markdown]
# Where `0008` was applied by an earlier deploy, the same `0009` is cancelled:

# %%
in_two.run(MIGRATE, fails=CANCELLED)

# %% [markdown]
# **Do not lift the limit of a migration that changes the table and fills it**: split it, as above. Its
# lock stays until it ends, and `lock_timeout` counts only the wait for one. Here it takes a minute:

# %%
together.run(COPY)
slow = '        migrations.RunSQL("select pg_sleep(60)", migrations.RunSQL.noop),\n'
together.replace("library/migrations/0007_language.py", "        ),\n", f"        ),\n{slow}")
migrating = Background(together, "python manage.py migrate --settings config.migrate")
watch = Client(together, "watch")
watch.rows(AT_WORK)
strong = watch.rows(HELD)

# %% [markdown]
# Now a page reads the books. Its own limit cancels it, and your users see an error:

# %%
page = Background(together, SHELL("production", PAGE))
behind = who_waits(together, 1)
page.end(fails=CANCELLED)
watch.rows(END)
migrating.end(fails="canceling statement due to user request")

# %% [markdown]
# ## Why it happens
#
# `statement_timeout` counts one statement from its start to its end, waiting included. A page has
# many short ones. A migration changes a whole table in one. On PostgreSQL a migration is one
# transaction, so the error takes back all of it, and no row is recorded: on
# [the chain](../../guide/the-chain.md) nothing is broken. `set` holds for a session, `set local` for
# a transaction. `migrate` runs all its migrations in one session.
#
# ## Keep it from happening
#
# Know what each limit ends. Here each is 1 s long, in a transaction that takes 2 s:

# %%
undone.write("limits.py", TRY)
cells = [line.split(", ") for line in undone.run("python limits.py").splitlines()]
LIMITS = "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"  # fmt: skip
table("What each limit ends", ["the transaction", *(f"`{it}`" for it in LIMITS)], cells)

# %% [markdown]
# So `lock_timeout` stays short in a deploy, and the others leave a migration its time. Fill a large
# table [in batches](../../guide/data-migrations.md): no statement is long then.
#
# ## Run it yourself
#
# Put `4s` in place of `2s` into `PRODUCTION`. The first `migrate` succeeds, and the run stops there.

# %% tags=["check"]
assert told == pages == brought == "('2s',)\n", "pages have kept their limit"
assert asked == "('1h',)\n", "the file of settings comes before it"
assert (left, halves, done) == ([(0,)], [(1,)], [(6,)]), "nothing, a half, and all"
assert "0008_fill... OK" in limited, "set local lets its own migration end"
assert "0009_trim... OK" in leaked, "set reaches the next one"
assert undone.chain().whole, "and back"
assert (strong, behind) == ([("AccessExclusiveLock",)], [("shell", "migrate")]), "a page waits"
ends = [[not it.startswith("goes") for it in row[1:]] for row in cells]
assert ends == [[0, 1, 0, 1], [0, 0, 0, 1], [1, 1, 0, 1], [0, 0, 1, 1]], "as the text says"

# %% tags=["check"]
# A fill of its own: who reads goes on, who writes a filled row waits.
apart.run(COPY)
apart.replace(FILL_FILE, "pg_sleep(0.5) is not null", "id = 1; select pg_sleep(60)")
migrating = Background(apart, "python manage.py migrate --settings config.migrate")
watch = Client(apart, "watch")
watch.rows(AT_WORK)
assert watch.rows(HELD) == [("RowExclusiveLock",)], "a weak lock"
apart.run(SHELL("production", PAGE))
Client(apart, "web").start("update library_book set copies = 4 where id = 1")
assert who_waits(apart, 1) == [("web", "migrate")], "a write of the same row waits"
watch.rows(END)
migrating.end(fails="canceling statement due to user request")
