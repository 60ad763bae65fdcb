# ---
# title: migrate asks for makemigrations, which finds nothing
# symptoms:
#   - "no such column: lending_loan.returned_on"
#   - column lending_loan.returned_on does not exist
#   - >-
#     Your models in app(s): 'lending' have changes that are not yet reflected in a migration,
#     and so won't be applied.
#   - "NodeNotFoundError: Node ('lending', '0007_unique_reader_email') not a valid node"
# cause: >-
#   This database has applied some of the squashed migrations, and the files of the rest were
#   deleted. Django leaves the squash out, so the rest never runs. No data is lost.
# broken: [files-history, history-schema]
# data: untouched
# undo: put the copy of the database back
# safe_in: production
# applied: "elsewhere too: on this database some of the originals, not all"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
READ = (
    'python manage.py shell --verbosity 0 -c "from lending.models import Loan; '
    'print(Loan.objects.count(), Loan.objects.first())"'
)
NO_COLUMN = on(
    SQLite="no such column: lending_loan.returned_on",
    PostgreSQL="column lending_loan.returned_on does not exist",
)
TWICE = on(SQLite="UNIQUE constraint failed", PostgreSQL="could not create unique index")
SAME_ADDRESS = "insert into lending_reader (name, email) values ('Eve', 'ada@example.org')"

# %% [markdown]
# Production is behind: of the seven migrations of `lending` it has applied four.

# %% tags=["setup"]
production.run("python manage.py migrate lending 0004 --verbosity 0")
loans = production.rows("select id, lent_on, due_on from lending_loan order by id")

# %% [markdown]
# You squash `0004` to `0007`, keep the originals, and tag the release. So far all is well.

# %% tags=["setup"]
laptop.run(
    "python manage.py squashmigrations lending 0004 0007 --squashed-name squashed_0007"
    " --noinput --verbosity 0"
)
laptop.run("git add . && git commit --quiet --message 'Squash' && git tag release-1")
laptop.run("git push --quiet origin main release-1")
waiting = production.clone("waiting")
waiting.run("git pull --quiet --no-rebase")

# %% [markdown]
# Production skips that release. The next one deletes the originals.

# %% tags=["setup"]
laptop.run("rm lending/migrations/0004_due_on_required.py lending/migrations/0005_returned_on.py")
laptop.run("rm lending/migrations/0006_due_after_lent.py")
laptop.run("rm lending/migrations/0007_unique_reader_email.py")
laptop.run("git commit --quiet --all --message 'Delete the originals' && git push --quiet")
production.run("git pull --quiet --no-rebase --tags")
careless = production.clone("careless")
newer = production.clone("newer")
before = production.clone("before-the-squash")

# %% tags=["before"]
production.chain("lending")

# %% [markdown]
# ## Is this your case?
#
# Every check is green. The `migrate` of the deploy printed a note, and what it asks for finds nothing:

# %%
production.run("python manage.py check")
production.run("python manage.py migrate --check")
production.run("python manage.py migrate")
production.run("python manage.py makemigrations --check --noinput")

# %% [markdown]
# The code needs a column that is not there:

# %%
production.run(READ, fails=NO_COLUMN)

# %% [markdown]
# `showmigrations` leaves the squash out, and no command can reach it. The history has one of the
# four migrations that it replaces:

# %%
production.run("python manage.py showmigrations lending")
production.run("python manage.py migrate lending 0004_squashed_0007", fails="not a valid node")
production.rows("select name from django_migrations where app = 'lending' order by id")
production.run("cat lending/migrations/0004_squashed_0007.py | grep replaces")

# %% [markdown]
# - **The originals are still on disk:** nothing is broken. `showmigrations` lists them with `[ ]`
#   and hides the squash. `migrate` runs them, then records the squash:

# %%
waiting.run("python manage.py showmigrations lending && python manage.py migrate lending")
finished = waiting.run("python manage.py showmigrations lending")

# %% [markdown]
# - **`migrate` stops with `wasn't able to because some of the replaced migrations are already
#   applied`:** another app names an original. Read
#   [squash a long history in two releases](squash-in-two-releases.md).
# - **`migrate` stops with two leaf nodes, and `makemigrations --merge` says that there are none:**
#   a migration after the squash lost its parent. Do not merge. The fix is the same.
# - **`… already exists`, or `is applied before its dependency`:** `replaces` is gone too.
#   Read [migrate runs the squash on tables that exist](originals-deleted-too-early.md).
# - **You do not know which databases are behind:** bring the originals back on `main`, as
#   [squash a long history in two releases](squash-in-two-releases.md) does. Then each database goes
#   on by itself.
#
# ## Fix it
#
# Copy the database.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Find the commit that deleted the originals. The commit before it still has them. Whether it has
# the squash as well makes no difference.

# %%
production.run("git log --diff-filter=D --format=%s -- lending/migrations/0005_returned_on.py")

# %% [markdown]
# Go there. In this story the commit has a tag.
# **`release-1` is the commit before the one that deleted the originals.**

# %% tags=["fix"]
production.run("git switch --quiet --detach release-1")

# %% [markdown]
# Look first. **Go on only if this plan holds each migration that is missing, and no other.** Is one of
# them in the schema already? Then read
# [migrate stops: the table already exists](../mismatch/table-already-exists.md).

# %% tags=["fix"]
plan = production.run("python manage.py migrate lending --plan")

# %% tags=["fix"]
applied = production.run("python manage.py migrate lending")

# %% [markdown]
# **Does it stop at `UNIQUE constraint failed`, or `could not create unique index`? Mend the rows, then
# run it again.** Such rows came in while the rule was missing. The migration that stopped has changed
# nothing, on SQLite and on PostgreSQL.

# %%
twice = careless.clone("twice")
twice.rows(SAME_ADDRESS)
twice.run("git switch --quiet --detach release-1")
twice.run("python manage.py migrate lending --verbosity 0", fails=TWICE)
twice.rows("update lending_reader set email = 'eve@example.org' where name = 'Eve'")
twice.run("python manage.py migrate lending")

# %% [markdown]
# Return to the release that was to be deployed.

# %% tags=["fix"]
production.run("git switch --quiet main && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# `[X]` stands before the squash, and the code can read.

# %% tags=["after"]
production.chain()

# %%
production.run("python manage.py showmigrations lending")
production.run(READ)
now = production.rows("select id, lent_on, due_on from lending_loan order by id")

# %% [markdown]
# ## Undo it
#
# Put the copy back. What was written since then is lost.

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
# **Do not record the squash with `--fake`** on the release that has the originals. The note goes
# away, the history says that all is applied, and the column is still missing. Where this has
# happened, read [the history is ahead of the schema](../mismatch/recorded-but-never-ran.md).

# %%
careless.run("git switch --quiet --detach release-1 && python manage.py migrate lending --fake")
careless.run("git switch --quiet main && python manage.py migrate lending")
careless.chain("lending")

# %% [markdown]
# ## Why it happens
#
# Django takes a squash into the graph when all the migrations that it replaces are recorded, or
# none. Recorded in part, it goes on with the originals, so that each runs once. If their files are
# gone, it has neither. `makemigrations` does not look at the history and takes the squash: to it,
# models and files agree. `migrate` does look, and sees models that are ahead of its graph. On
# [the chain](../../guide/the-chain.md) this is a break between files and history; you notice it in
# the schema, where the column is missing.
#
# ## Keep it from happening
#
# Keep the originals until every database has recorded the squash. This line, run on each database
# before you delete them, fails where one has not. It cannot ask a backup, or a database that you
# forgot.
#
# ```bash
# python manage.py showmigrations lending | grep '\[X\] 0004_squashed_0007'
# ```
#
# ## Run it yourself
#
# Migrate production back to `0003` in place of `0004`. Now it has none of the four, and Django takes
# the squash. The playbook stops at `migrate --check`, which finds that there is work to do.

# %% tags=["check"]
assert now == loans, "no loan was changed"
assert plan.count("lending.00") == 3, "the plan holds the three that are missing"
assert applied.count("Applying") == 3, "and all three ran"
assert "[X] 0004_squashed_0007" in finished, "a database that gets release 1 records the squash"
assert production.run("git branch --show-current") == "main\n", "production is on the new release"
assert all(place.chain().whole for place in (waiting, twice)), "the other ways are whole too"
assert careless.chain().broken == ["history-schema"], "the wrong fix hides the cause"
for place in (careless, undone):
    place.run(READ, fails=NO_COLUMN)
line = r"python manage.py showmigrations lending | grep '\[X\] 0004_squashed_0007'"
production.run(line)
undone.run(line, fails="")

# %% tags=["check"]
# A migration after the squash: the fix is the same.
laptop.replace(
    "lending/models.py", "    email = ", '    phone = models.TextField(default="")\n    email = '
)
laptop.run("python manage.py makemigrations lending --name reader_phone")
laptop.run("git add . && git commit --quiet --message 'Phone' && git push --quiet")
newer.run("git pull --quiet --no-rebase")
newer.run("python manage.py migrate", fails="Conflicting migrations detected; multiple leaf nodes")
newer.run("python manage.py makemigrations --merge --noinput")
newer.run("git switch --quiet --detach release-1 && python manage.py migrate --verbosity 0")
newer.run("git switch --quiet main && python manage.py migrate --verbosity 0")
assert newer.chain().whole, "the newer migration follows"

# %% tags=["check"]
# A commit that has the originals and no squash does as well.
before.run("git switch --quiet --detach release-1~1 && python manage.py migrate --verbosity 0")
before.run("git switch --quiet main && python manage.py migrate --verbosity 0")
assert before.chain().whole, "the squash is recorded on the way"
assert "0004_squashed_0007" in str(before.rows("select name from django_migrations")), "it is"
