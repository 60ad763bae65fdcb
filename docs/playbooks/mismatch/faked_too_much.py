# ---
# title: migrate --fake marked more than it should
# symptoms:
#   - "no such column: lending_loan.returned_on"
#   - column lending_loan.returned_on does not exist
# cause: >-
#   --fake without a name records every migration that is pending, in all apps, and runs none. One
#   of them was done already. The others now count as applied. No row is lost.
# broken: [history-schema]
# data: untouched
# undo: put back the copy of the database that you make first
# safe_in: "production: while nothing writes to the database"
# applied: "elsewhere too: there they ran, here they are only recorded"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

production = Sandbox("production")
LOOK = (
    'python manage.py shell --verbosity 0 -c "from lending.models import Loan; '
    'print(Loan.objects.first())"'
)
MISSING = on(
    SQLite="no such column: lending_loan.returned_on",
    PostgreSQL="column lending_loan.returned_on does not exist",
)
DUE = "select id, lent_on, due_on from lending_loan order by id"

# %% [markdown]
# Production is some releases behind. A colleague could not wait, and added one column by hand. The
# staff gave the reader of loan 4 some days more.

# %% tags=["setup"]
production.run("python manage.py migrate library 0003 --verbosity 0")
production.run("python manage.py migrate lending 0001 --verbosity 0")
production.rows("alter table lending_loan add column due_on date null")
production.rows("update lending_loan set due_on = '2024-04-05' where id = 4")
before = production.rows("select id, lent_on, book_id, reader_id from lending_loan order by id")
stopped = production.clone("stopped")

# %% [markdown]
# The next deploy stops. Somebody reads that `--fake` helps.

# %% tags=["setup"]
exists = on(
    SQLite="duplicate column name: due_on",
    PostgreSQL='column "due_on" of relation "lending_loan" already exists',
)
production.run("python manage.py migrate", fails=exists)
production.run("python manage.py migrate --fake")
patched = production.clone("patched")
broken = production.chain().findings

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# The deploy goes through, and the first page fails:

# %%
production.run("python manage.py migrate --check")
production.run(LOOK, fails=MISSING)

# %% [markdown]
# The output of `--fake` is gone? The history keeps the order, and the newest rows are those of that
# command. (Where they begin, the column `applied` tells on your database. Here the clock stands
# still.)

# %%
rows = production.rows("select id, app, name from django_migrations order by id desc limit 10")

# %% [markdown]
# Nine are from that command. Take them by app, oldest first, and look for the effect of each. The
# table of loans has `due_on` from `0002`. It has no `returned_on`, so `0005` never ran:

# %%
table = production.run("python manage.py inspectdb lending_loan | grep Date")

# %% [markdown]
# `0003` is a `RunPython` that fills `due_on` in. No picture of the schema shows whether it ran. The
# rows do: only the date that the staff typed is there.

# %%
dates = production.rows(DUE)

# %% [markdown]
# The tables of `library.0004_genre` are missing as well:

# %%
tables = production.run("python manage.py inspectdb | grep 'db_table.*library'")

# %% [markdown]
# So one of nine is true, and the last true ones are `lending.0002` and `library.0003`. Note them:
# they are your targets.
#
# - **One migration was faked, and newer ones ran after it,** or a true one stands above a missing
#   one: read [migrate has nothing to do, and a table is missing](recorded-but-never-ran.md).
# - **Somebody has added columns with SQL since:** read
#   [Somebody changed the schema by hand](schema-changed-by-hand.md) first.
# - **You typed `--fake-initial`:** read
#   [Your database had tables before it had migrations](fake-initial.md).
#
# No file changes, and there is nothing to push. If a deploy script types `--fake`, look at every
# database that it deploys to.
#
# ## Fix it
#
# Stop what writes to the database, and copy it.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Take the false rows out of the history: in each app, go back to the last true migration.
# **The next two lines need `--fake`. Without it, Django undoes what it can, with its data.**

# %% tags=["fix"]
production.run("python manage.py migrate lending 0002 --fake")

# %% [markdown]
# **Read each list: it must name nothing that really ran, nor in other apps.**

# %% tags=["fix"]
production.run("python manage.py migrate library 0003 --fake")

# %% [markdown]
# Now the plan must name what is missing, and nothing that is there.

# %%
plan = production.run("python manage.py migrate --plan")

# %% [markdown]
# **Look at `migrate --plan` first: it must name what is missing, and nothing that is there.** Then run
# it for real. `0003` fills in the missing dates.

# %% tags=["fix"]
production.run("python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# The chain is whole, every loan has a date, and loan 4 has the one that the staff typed.

# %% tags=["after"]
production.chain()

# %%
production.run(LOOK)
filled = production.rows(DUE)

# %% [markdown]
# ## Undo it
#
# Put the copy back, while nothing uses the database. What was written since is lost.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not mend it error by error.** You add the column that the error names and fill in the dates.
# The page works. What no error names never comes: `0007` makes the e-mail address unique, and two
# readers share one.

# %%
patched.rows("alter table lending_loan add column returned_on date null")
later = on(SQLite="date(lent_on, '+14 days')", PostgreSQL="lent_on + 14")
patched.rows(f"update lending_loan set due_on = {later} where due_on is null")
patched.run(LOOK)
patched.rows("insert into lending_reader (name, email) values ('Eve', 'ada@example.org')")
twice = patched.rows("select name from lending_reader where email = 'ada@example.org' order by id")

# %% [markdown]
# **Do not go back without `--fake`.** On that database the staff note what comes back. The way
# back undoes migrations that were never done. On SQLite it drops the column in which the dates are.
# PostgreSQL stops before it, at a constraint that never came:

# %%
patched.rows("update lending_loan set returned_on = '2024-04-02' where id = 4")
really = patched.clone("really")
really.run(
    "python manage.py migrate lending 0002",
    fails=on(SQLite=None, PostgreSQL='constraint "lending_loan_due_after_lent" of relation'),
)
left = really.rows("select * from lending_loan where id = 4")

# %% [markdown]
# ## Why it happens
#
# `migrate` without a name means “everything that is pending”, and `--fake` does not change that. The
# error was about one migration; the command recorded nine. Django never compares the history with
# what exists, so `migrate --check` is content, and on [the chain](../../guide/the-chain.md) the link
# between history and schema breaks in two apps at once. Going back with `--fake` is the same
# command in the other direction: it deletes rows of `django_migrations` and touches nothing else.
#
# ## Keep it from happening
#
# Never type `--fake` without an app and a name, and read [what must be true
# first](table-already-exists.md). Here it was `migrate lending 0002 --fake`. CI builds a new
# database and cannot see this. On the real one, compare with a new one
# ([how](recorded-but-never-ran.md#is-this-your-case)); this fails on the missing column:
#
# ```bash
# git diff --no-index ../wanted.py ../there.py
# ```
#
# ## Run it yourself
#
# In the setup, write `migrate lending 0002 --fake` in place of `migrate --fake`. The playbook stops
# at `migrate --check`: the other eight are pending, and Django says so.

# %% tags=["check"]
now = production.rows("select id, lent_on, book_id, reader_id from lending_loan order by id")
assert now == before, "the fix changes no old value"
assert [row[0] for row in rows][-1] == rows[0][0] - 9, "nine rows are of that command"
assert [due for *_, due in dates] == [None, None, None, "2024-04-05", None], "0003 never ran"
assert "lending.0003_fill_due_on" in plan, "it is to run now"
assert "lending.0002" not in plan, "and the true one is not"
assert [due for *_, due in filled] == [
    "2024-03-15",
    "2024-03-26",
    "2024-03-18",
    "2024-04-05",
    "2024-04-03",
], "the date of the staff is kept, the others are filled in"
assert undone.chain().findings == broken, "undone is as before"
undone.run(LOOK, fails=MISSING)
assert twice == [("Ada",), ("Eve",)], "the constraint never came"
assert ("due_on" in table, "returned_on" in table) == (True, False), "one column is there"
assert ("library_book" in tables, "genre" in tables) == (True, False), "0004 never ran"
kept = "2024-04-02" in left[0]
assert kept == on(SQLite=False, PostgreSQL=True), "on SQLite the way back drops a column in use"

# %% tags=["check"]
# The right word in the first place; and the comparison, before and after the fix.
stopped.run("python manage.py migrate lending 0002 --fake --verbosity 0")
stopped.run("python manage.py migrate --verbosity 0")
assert stopped.chain().whole, "one name was enough"
fresh = production.clone("fresh")
fresh.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
fresh.run("python manage.py migrate -v 0 && python manage.py inspectdb > ../wanted.py")
undone.run("python manage.py inspectdb > ../there.py")
undone.run("git diff --no-index ../wanted.py ../there.py", fails="-    returned_on = ")
production.run("python manage.py inspectdb > ../there.py")
production.run("git diff --no-index ../wanted.py ../there.py")
