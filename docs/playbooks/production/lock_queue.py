# ---
# title: migrate waits, and every page waits behind it
# symptoms:
#   - canceling statement due to lock timeout
# cause: >-
#   A transaction that is still open has read the table. `migrate` waits for it, and each later read
#   and write of that table waits behind `migrate`. Nothing is lost. With a `lock_timeout`, `migrate`
#   gives up with the error above, and your pages go on.
# broken: []
# data: "untouched: the migration that waits is taken back whole"
# undo: nothing to undo, while the migration waits; after it, migrate back
# safe_in: production
# applied: no matter where
# databases: [PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Background, Client, Sandbox, who_waits

production = Sandbox("production", "PostgreSQL")
READ = "select title from library_book where id = 1"
COUNT = "select count(*) from library_book"
WRITE = "update library_book set copies = 4 where id = 1"
BEHIND = [("migrate", "report"), ("page", "migrate"), ("form", "migrate")]

# %% [markdown]
# A release adds a field to the books.

# %% tags=["setup"]
copies = "    copies = models.PositiveIntegerField(default=1)\n"
language = "    language = models.CharField(max_length=20, null=True)\n"
production.replace("library/models.py", copies, copies + language)
production.run("python manage.py makemigrations library --name book_language")
ended = production.clone("ended")
careless = production.clone("careless")
patient = production.clone("patient")

# %% [markdown]
# A report reads the books, and its transaction stays open. Pages read and write beside it. (The
# timeout is for this page alone: if its run breaks off, nothing is left to wait for ever.)

# %% tags=["setup"]
report = Client(production, "report")
report.rows("set idle_in_transaction_session_timeout = '90s'")
report.rows("begin")
report.rows(COUNT)
page, form = Client(production, "page"), Client(production, "form")
page.rows(READ)
form.rows(WRITE)

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# `migrate` does not come back. Then a page reads and a form writes, and they wait too:

# %%
migrating = Background(production, "python manage.py migrate")
who_waits(production, 1)
reading = page.start(READ)
who_waits(production, 2)

writing = form.start(WRITE)
queue = who_waits(production, 3)

# %% [markdown]
# Who is it? Ask in a second terminal, here as a superuser. (Add `pid`: it differs in each run.)

# %%
sessions = production.rows(
    "select application_name as who, state, left(query, 48) as query,\n  (select string_agg(application_name, ', ') from pg_stat_activity\n   where pid = any(pg_blocking_pids(waits.pid))) as is_behind\nfrom pg_stat_activity waits\nwhere datname = current_database() and pid <> pg_backend_pid() order by xact_start"
)

# %% [markdown]
# The first one is behind nobody: it is the one to wait for. `idle in transaction` means that it runs
# nothing now, and has not committed. The locks on the table say the same:

# %%
LOCKS = "select application_name as who, mode, granted from pg_locks join pg_stat_activity using (pid)\nwhere datname = current_database() and relation = 'library_book'::regclass\norder by waitstart nulls first"
locks = production.rows(LOCKS)

# %% [markdown]
# `migrate` has no lock on the table. It waits for one, and the page and the form are behind it alone.
#
# - **`migrate` stopped with `canceling statement due to lock timeout`**: it has a timeout already.
#   Without `atomic = False` nothing of it is left. Find the report as above, wait for it, run `migrate` again.
# - **Nobody waits**: the migration itself is at work. Read
#   [what each change does](../changes/what-each-change-does.md).
#
# ## Fix it
#
# First let your pages go on: end `migrate`, not the report. You lose what the waiting migration has
# done, which nobody has seen yet. The report goes on.
# **If the file of the migration has `atomic = False`, a half of it may stay.** Then read
# [A migration stopped half-way](../mismatch/half-applied.md) too.
# **Put the statement of your migration here: `pg_stat_activity` shows it.**

# %% tags=["fix"]
production.rows(
    "select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database()\n"
    '  and query like \'ALTER TABLE "library_book" ADD COLUMN "language"%\''
)

# %% [markdown]
# The page and the form have their answers, and the report has kept its lock. `migrate` says that it
# was stopped. (Ctrl-C, or a killed process, was not run here: look whether the session is gone.)

# %%
migrating.end(fails="canceling statement due to user request")
answers = [reading.result(30), writing.result(30)]
freed = production.rows(LOCKS)
stopped = production.chain("library")

# %% [markdown]
# Then let the session that migrates, and no other, give up after a time. Commit this file.
# **If your settings have `options` already, add to them: this takes their place.**

# %% tags=["fix"]
production.write(
    "config/migrate.py",
    '''"""The settings of the deploy: python manage.py migrate --settings config.migrate"""

from config.settings import *  # noqa: F403

DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c lock_timeout=3s"  # noqa: F405
''',
)

# %% [markdown]
# Try it while the report is still open. A page comes while `migrate` waits:

# %%
migrating = Background(production, "python manage.py migrate --settings config.migrate")
who_waits(production, 1)
reading = page.start(READ)
who_waits(production, 2)
refused = migrating.end(fails="canceling statement due to lock timeout")

# %% [markdown]
# `migrate` has given up. The page is answered, although the report is not over. Then the report ends:

# %%
answers.append(reading.result(30))
still = production.rows(LOCKS)
report.rows("commit")

# %% [markdown]
# Migrate again.
# **After 3 s behind a lock it gives up. Then find who is before it, and run it again.**

# %% tags=["fix"]
production.run("python manage.py migrate --settings config.migrate")

# %% [markdown]
# **The report does not end?** You can end it. What it has written since its `begin` is lost, and so is
# its session. Here it has noted a genre:

# %%
forgotten = Client(ended, "report")
forgotten.rows("begin")
forgotten.rows("insert into library_genre (name) values ('Noted by the report')")
forgotten.rows(COUNT)
migrating = Background(ended, "python manage.py migrate")
waiting = who_waits(ended, 1)

# %% [markdown]
# `pg_cancel_backend` ends a statement, and an idle transaction runs none. It says `True`, no more:

# %%
END = "select pg_{}_backend(pid) from pg_stat_activity\nwhere datname = current_database() and application_name = 'report'"
ended.rows(END.format("cancel"))
unmoved = who_waits(ended, 1)

# %% [markdown]
# `pg_terminate_backend` ends the session. With yours, name the `pid` of the one that is behind nobody.

# %%
ended.rows(END.format("terminate"))
migrating.end()
noted = ended.rows("select name from library_genre where name like 'Noted%'")

# %% [markdown]
# ## Make sure
#
# Nothing is left to apply, nobody has a lock or waits for one, and the form's write is there.

# %% tags=["after"]
production.chain()

# %%
free = production.rows(LOCKS)
kept = production.rows("select title, copies, language from library_book where id = 1")
_ = [client.close() for client in (report, page, form)]

# %% [markdown]
# ## Undo it
#
# While the migration waits there is nothing to undo. Later, go back by name, with the same timeout:
# this takes the same lock. **What the new column holds is lost.**

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0006 --settings config.migrate")

# %% [markdown]
# ## What not to do
#
# **Do not run `migrate` again in a second terminal.** A page now waits behind both:

# %%
blocking = Client(careless, "report")
blocking.rows(f"begin; {COUNT}")
migrating = Background(careless, "python manage.py migrate")
who_waits(careless, 1)
second = Background(careless, "python manage.py migrate")
who_waits(careless, 2)
reading = Client(careless, "page").start(READ)
longer = who_waits(careless, 3)

# %% [markdown]
# When the report ends, the first one does the work. The second fails at what the first has done:

# %%
blocking.rows("commit")
migrating.end()
answers.append(reading.result(30))
second.end(fails='column "language" of relation "library_book" already exists')

# %% [markdown]
# ## Why it happens
#
# A transaction keeps its locks on tables to its end, also the weak `ACCESS SHARE` of a `select`.
# `ALTER TABLE … ADD COLUMN` wants `ACCESS EXCLUSIVE`, which conflicts with each of them. So it waits.
# Who comes later stands in the queue: a request also waits for one before it that it conflicts with,
# though that one has nothing yet. That is why reads wait for a `migrate` that waits. On
# [the chain](../../guide/the-chain.md) nothing is broken: on PostgreSQL a migration is one
# transaction, unless it says `atomic = False`. History and schema change together, or not at all.
#
# ## Keep it from happening
#
# Deploy with the timeout, and try again by program. At each lock your pages may still wait for up to
# 3 s: choose what they can bear. How long `migrate` then *holds* a lock depends on the table.
# These are small, and no duration is measured here.
# **Not for a migration with `atomic = False`: [a half of it may stay](../mismatch/half-applied.md).**

# %%
patient.run("cp ../production/config/migrate.py config/migrate.py")
patient.write(
    "library/management/commands/migrate_or_wait.py",
    """import time

from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError


class Command(Migrate):
    def handle(self, *args, **options):
        for pause in (3, 10, 60, 0):  # in s: your pages go on; then no more tries
            try:
                return super().handle(*args, **options)
            except OperationalError as error:
                if not pause or getattr(error.__cause__, "sqlstate", "") != "55P03":
                    raise  # 55P03 is lock_not_available
                self.stdout.write(f" a lock is in the way: again in {pause} s")
                time.sleep(pause)
""",
)
long = Client(patient, "report")
long.rows(f"begin; {COUNT}")
deploy = Background(patient, "python manage.py migrate_or_wait --settings config.migrate")
who_waits(patient, 1)
reading = Client(patient, "page").start(READ)

# %% [markdown]
# The first try ends, and the page is answered. Then the report ends, before the next try:

# %%
answers.append(reading.result(30))
long.rows("commit")
tried = deploy.end()

# %% [markdown]
# ## Run it yourself
#
# Put `library_genre` into `COUNT` in place of `library_book`. The report then has no lock on the
# books, `migrate` does not wait, and the first `who_waits` stops the playbook.

# %% tags=["check"]
assert queue == BEHIND, "the page and the form wait for migrate, not for the report"
assert [row[3] for row in sessions] == [None, "report", "migrate", "migrate"], "the same queue"
assert [row[2] for row in locks] == [True, False, False, False], "the report alone has a lock"
assert freed == still == locks[:1], "each time the report kept its lock, and nobody waited"
assert [stopped.whole, len(stopped.pending)] == [True, 1], "nothing is left of the stopped one"
assert (free, kept) == ([], [("Pride and Prejudice", 4, None)]), "the write of the form is kept"
assert (waiting, unmoved, noted) == (BEHIND[:1], BEHIND[:1], []), "only terminating lost the genre"
gone = str(forgotten.start("select 1").exception(30))
assert gone.startswith("terminating connection due to administrator command"), "and the session"
assert longer[-2:] == [("page", "migrate")] * 2, "the page waits behind both"
assert careless.chain().whole, "the second migrate did nothing"
assert tried.count("a lock is in the way") == 1, "one try, then it went through"
assert [len(rows) for rows in answers] == [1, 0, 1, 1, 1], "the pages and the form are answered"
