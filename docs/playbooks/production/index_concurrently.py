# ---
# title: A concurrent index failed and left an invalid index
# symptoms:
#   - canceling statement due to lock timeout
#   - relation "library_book_isbn" already exists
#   - The AddIndexConcurrently operation cannot be executed inside a transaction (set atomic = False on the migration).
# cause: >-
#   The build was stopped half-way. It is not one transaction: the index stays, marked invalid, and
#   no row records the migration. None of your rows are lost.
# broken: [history-schema]
# data: "untouched: only the index is made again"
# undo: migrate back one migration
# safe_in: "production: reads and writes go on"
# applied: no matter where
# databases: [PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Background, Client, Sandbox, who_waits

laptop = Sandbox("laptop", "PostgreSQL")
production = Sandbox("production", "PostgreSQL")
MIGRATION = "library/migrations/0007_index_isbn.py"
IMPORT = "from django.contrib.postgres.operations import AddIndexConcurrently\n"
CONCURRENT = "        AddIndexConcurrently(\n"
INVALID = "select indexrelid::regclass, indisready, indisvalid from pg_index where not indisvalid"
BUILDING = "select relid::regclass, phase from pg_stat_progress_create_index where datname = current_database()"
HELD = "select relation::regclass, mode from pg_locks join pg_stat_activity using (pid) where granted and application_name = 'migrate' and relation::regclass::text in ('library_book', 'library_author')"
PLAN = "explain (costs off) select title from library_book where isbn = '9780141439587'"
SELL = "update library_book set copies = copies - 1 where id = 1"

# %% [markdown]
# Your settings hold a `lock_timeout`, so that no migration stands in a queue for long.

# %% tags=["setup"]
options = 'DATABASES["default"]["OPTIONS"] = {"options": "-c lock_timeout=500ms"}'
laptop.replace("config/settings.py", "DEFAULT_AUTO", f"{options}\nDEFAULT_AUTO")

# %% [markdown]
# You want an index on the ISBN without stopping writes. So you replace the `AddIndex` that
# `makemigrations` writes. `django.contrib.postgres` need not be in `INSTALLED_APPS` for that.

# %% tags=["setup"]
title = '        indexes = [models.Index(fields=["title"], name="library_book_title")'
isbn = 'models.Index(fields=["isbn"], name="library_book_isbn")'
laptop.replace("library/models.py", title, f"{title},\n                   {isbn}")
laptop.run("python manage.py makemigrations library --name index_isbn")
laptop.replace(MIGRATION, "        migrations.AddIndex(\n", CONCURRENT)
laptop.replace(MIGRATION, "from django.db", f"{IMPORT}from django.db")

# %% [markdown]
# A migration is one transaction. Django refuses to build an index concurrently inside one:

# %% tags=["setup"]
laptop.run("python manage.py migrate", fails="cannot be executed inside a transaction")
untouched = laptop.rows("select indexname from pg_indexes where indexname = 'library_book_isbn'")
laptop.replace(MIGRATION, "    dep", "    atomic = False\n\n    dep")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Index the ISBN' && git push --quiet")

# %% [markdown]
# On production an import has written to the table, and its transaction is still open.

# %% tags=["setup"]
production.run("git pull --quiet --no-rebase")
importing = Client(production, "import")
importing.rows("begin")
importing.rows("update library_book set copies = 9 where id = 6")
production.run("python manage.py migrate", fails="canceling statement due to lock timeout")

# %% [markdown]
# The import ends. The second run stops all the same:

# %% tags=["setup"]
importing.rows("commit")
importing.close()
production.run("python manage.py migrate", fails='"library_book_isbn" already exists')
books = production.rows("select id, title, isbn, copies from library_book order by id")
names = "careless", "skipped", "rebuilt", "patient", "stopped"
careless, skipped, rebuilt, patient, stopped = map(production.clone, names)

# %% tags=["before"]
production.chain("library")

# %% [markdown]
# ## Is this your case?
#
# PostgreSQL lists the index as not valid:

# %%
invalid = production.rows(INVALID)

# %% [markdown]
# `indisready` says whether writes go into it. Here they do not: the build stopped early. One that
# stopped later takes every write and serves no query.
#
# - **The message says `cannot be executed inside a transaction`**: nothing was sent. Add
#   `atomic = False`, as above. Nothing else is to be repaired.
# - **The list is empty**: your index is valid. Read
#   [Somebody changed the production schema with SQL](../mismatch/schema-changed-by-hand.md).
# - **Another error came first**: a `statement_timeout`, for one, leaves such an index too.
#
# Where the migration went through, as on the laptop, nothing is to be done.
#
# ## Fix it
#
# An index that is being built is listed as invalid too. **While this lists a build, wait.**

# %% tags=["fix"]
building = production.rows(BUILDING)

# %% [markdown]
# Take the unfinished index away. Others go on reading and writing. If this is stopped as well, type
# it again. **Drop only the index that your migration names.**
# **Drop and build wait for transactions of others. pg_stat_activity lists them: let long ones end.**

# %% tags=["fix"]
production.rows("drop index concurrently library_book_isbn")

# %% [markdown]
# Now the migration can start again, from its first operation.

# %% tags=["fix"]
production.run("python manage.py migrate")

# %% [markdown]
# Or let PostgreSQL build it again under its name. Only after that is `--fake` right: for a migration
# that does nothing else, and an index that is what your file says.

# %%
rebuilt.rows("reindex index concurrently library_book_isbn")
rebuilt.run("python manage.py migrate library 0007 --fake")

# %% [markdown]
# ## Make sure
#
# Nothing is invalid, and a query can use the index. The tables here are small, so this session
# avoids sequential scans.

# %% tags=["after"]
production.chain("library")

# %%
left = production.rows(INVALID)
reader = Client(production, "reader")
reader.rows("set enable_seqscan = off")
used = reader.rows(PLAN)

# %% [markdown]
# ## Undo it
#
# `AddIndexConcurrently` drops its index concurrently on the way back.

# %%
reader.close()
undone = production.clone("undone")
undone.run("python manage.py migrate library 0006")

# %% [markdown]
# ## What not to do
#
# **Do not record it with `--fake` as it is.** The error is gone, and `migrate --check` finds nothing to
# do. Even [the chain](../../guide/the-chain.md) is whole: Django does not ask whether an index is valid.

# %%
careless.run("python manage.py migrate --fake --verbosity 0 && python manage.py migrate --check")
faked = careless.chain("library")

# %% [markdown]
# No query uses it, not even in a session that avoids sequential scans:

# %%
slow = Client(careless, "reader")
slow.rows("set enable_seqscan = off")
unused = slow.rows(PLAN)

# %% [markdown]
# **Do not reach for `if not exists`.** It looks at the name, and leaves the index as it is:

# %%
skipped.rows("create index concurrently if not exists library_book_isbn on library_book (isbn)")
still = skipped.rows(INVALID)

# %% [markdown]
# **Do not go back to a plain `AddIndex` on a table in use.** This migration indexes the authors first,
# then waits for an import of books. (No `lock_timeout` here, so that you can look.)

# %%
plain = undone.clone("plain")
plain.replace("config/settings.py", "lock_timeout=500ms", "lock_timeout=0")
plain.replace(MIGRATION, "    atomic = False\n\n", "")
name = "migrations.AddIndex('author', models.Index(fields=['name'], name='library_author_name')),"
plain.replace(MIGRATION, CONCURRENT, f"        {name}\n        migrations.AddIndex(\n")
more = Client(plain, "import")
more.rows("begin")
more.rows("update library_book set copies = 9 where id = 5")
migrating = Background(plain, "python manage.py migrate")
first = who_waits(plain, 1)

# %% [markdown]
# The first index is built. The lock that it took stays until the transaction ends, and whoever writes
# an author waits:

# %%
share = plain.rows(HELD)
renamed = Client(plain, "web").start("update library_author set name = 'J. Austen' where id = 1")
queue = who_waits(plain, 2)
more.rows("commit")
migrating.end()
renamed.result(30)

# %% [markdown]
# ## Why it happens
#
# `CREATE INDEX` takes a `SHARE` lock: nobody else can write until the transaction ends.
# `CREATE INDEX CONCURRENTLY` takes `SHARE UPDATE EXCLUSIVE`, which lets others read and write. It
# pays with [several transactions](https://www.postgresql.org/docs/18/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY),
# and with waiting: for those who have written to the table, later for every older snapshot in the
# database. The first of its transactions puts the index into the catalog as invalid, the last makes
# it valid. An error in between leaves it there. `lock_timeout` counts these waits. `migrate` writes
# its row after the last operation.
#
# ## Keep it from happening
#
# One concurrent index in a migration, and no `lock_timeout` for it: nobody who reads or writes waits
# behind it. Here is such a migration, with an import open again:

# %%
patient.rows("drop index concurrently library_book_isbn")
lifted = "        migrations.RunSQL('set lock_timeout = 0', migrations.RunSQL.noop),\n"
patient.replace(MIGRATION, CONCURRENT, f"{lifted}{CONCURRENT}")
end = "name='library_book_isbn'),\n        ),\n"
reset = "        migrations.RunSQL('reset lock_timeout', migrations.RunSQL.noop),\n"
patient.replace(MIGRATION, end, f"{end}{reset}")
long = Client(patient, "import")
long.rows("begin")
long.rows("update library_book set copies = 9 where id = 6")
waiting = Background(patient, "python manage.py migrate")
behind = who_waits(patient, 1)

# %% [markdown]
# It has its lock on the table, and waits for the end of a transaction. A writer goes through.
# (How long a build takes is not measured here.)

# %%
exclusive = patient.rows(HELD)
phase = patient.rows(BUILDING)
Client(patient, "web").rows(SELL)
long.rows("commit")
waiting.end()

# %% [markdown]
# After each deploy, this must list nothing:
#
# ```sql
# select indexrelid::regclass, indisready, indisvalid from pg_index where not indisvalid;
# ```
#
# ## Run it yourself
#
# Take out the cell that drops the index. The next `migrate` stops at `already exists` again.

# %% tags=["check"]
assert untouched == [], "refused before anything was sent"
assert (invalid, building, left) == ([("library_book_isbn", False, False)], [], [])
assert production.rows("select id, title, isbn, copies from library_book order by id") == books
assert "library_book_isbn" in str(used), "a query can use the valid index"
assert "library_book_isbn" not in str(unused), "and not the invalid one"
assert faked.whole, "nothing in Django tells that it was faked"
assert still == invalid, "if not exists leaves it"
assert (rebuilt.rows(INVALID), rebuilt.chain().whole) == ([], True), "built again in its place"
assert undone.chain().whole, "and dropped"
assert share == [("library_author", "ShareLock")], "a plain index"
assert queue == [*first, ("web", "migrate")], "makes a writer wait"
assert exclusive == [("library_book", "ShareUpdateExclusiveLock")], "a concurrent one"
assert behind == [("migrate", "import")], "waits itself"
assert phase == [("library_book", "waiting for writers before build")], "before it starts"
assert (patient.rows(INVALID), patient.chain().whole) == ([], True), "then it is built"
assert laptop.chain().whole, "where it went through, nothing is to be done"

# %% tags=["check"]
# A snapshot stops it later; a drop waits, others write; a drop that is stopped leaves the index.
report, dba = Client(stopped, "report"), Client(stopped, "dba")
dba.rows("drop index concurrently library_book_isbn")
report.rows("begin isolation level repeatable read")
report.rows("select count(*) from library_author")
stopped.replace("config/settings.py", "lock_timeout=500ms", "statement_timeout=2s")
stopped.run("python manage.py migrate", fails="canceling statement due to statement timeout")
assert stopped.rows(INVALID) == [("library_book_isbn", True, False)], "writes go into it"
report.rows("select count(*) from library_book")
dropping = dba.start("drop index concurrently library_book_isbn")
assert who_waits(stopped, 1) == [("dba", "report")], "a drop waits"
Client(stopped, "web").rows(SELL)
stopped.rows("select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'dba'")
assert "canceling" in str(dropping.exception(30)), "it is stopped"
assert len(stopped.rows(INVALID)) == 1, "the index is still there"
report.rows("commit")
dba.rows("drop index concurrently library_book_isbn")
stopped.run("python manage.py migrate --verbosity 0")
