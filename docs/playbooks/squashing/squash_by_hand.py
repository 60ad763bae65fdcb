# ---
# title: The squash is hardly shorter than its originals
# symptoms:
#   - "No optimizations possible."
#   - CREATE INDEX CONCURRENTLY cannot run inside a transaction block
#   - "Migration will require manual porting but is already a squashed migration."
# cause: >-
#   `RunSQL`, `RunPython` and `SeparateDatabaseAndState` stop Django's optimizer. The squash also
#   loses `atomic = False` and `preserve_default=False`. Your databases keep all; new installs differ
#   or stop.
# broken: [models-files]
# data: untouched
# undo: delete the squash, prune its row
# safe_in: production
# applied: "elsewhere too: the originals; the squash runs on new installs alone"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: squashing
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
SQUASH = "library/migrations/0001_squashed_0010.py"
OPTIMIZE = "python manage.py optimizemigration library 0001_squashed_0010"
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
SQL = on(
    SQLite="pragma journal_mode = wal; create index library_book_copies on library_book (copies)",
    PostgreSQL="create index concurrently library_book_copies on library_book (copies)",
)
COPIES = "models.PositiveIntegerField(db_index=True, default=1)"
FASTER = f"""        migrations.RunSQL(
            sql='{SQL}',
            state_operations=[migrations.AlterField(
                model_name='book',
                name='copies',
                field={COPIES},
            )],
        ),
"""
LOOK = on(
    SQLite="pragma journal_mode",
    PostgreSQL="select indexname from pg_indexes where indexname = 'library_book_copies'",
)
FILES = {
    "0007_book_shelf": """    operations = [
        migrations.AddField("book", "shelf", models.TextField(default="A1"), preserve_default=False),
        migrations.RunSQL("update library_book set shelf = 'B2' where copies > 1", elidable=True),
    ]
""",
    "0008_faster_reads": f"""    atomic = False
    operations = [
        migrations.RunSQL(
            Path(__file__).with_name("faster.sql").read_text(),
            state_operations=[migrations.AlterField("book", "copies", {COPIES})],
        )
    ]
""",
    "0009_book_pages": """    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL("alter table library_book add pages integer null")],
            [migrations.AddField("book", "pages", models.IntegerField(null=True))],
        )
    ]
""",
}

# %% [markdown]
# `library` gets four more migrations: three that you write, and one from Django.

# %% tags=["setup"]
laptop.replace(
    "library/models.py",
    "    copies = models.PositiveIntegerField(default=1)\n",
    "    shelf = models.TextField()\n"
    "    pages = models.IntegerField(null=True)\n"
    "    language = models.TextField(null=True)\n"
    f"    copies = {COPIES}\n",
)
laptop.write("library/migrations/faster.sql", SQL)
HEAD = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n"
for name, parent in zip(FILES, ["0006_find_books_by_title", *FILES], strict=False):
    head = "from pathlib import Path\n\n" * ("Path" in FILES[name]) + HEAD
    start = f'    dependencies = [("library", "{parent}")]\n'
    laptop.write(f"library/migrations/{name}.py", head + start + FILES[name])
laptop.run(
    "python manage.py makemigrations library --name book_language --verbosity 0"
    " && python manage.py migrate --verbosity 0"
    " && git add . && git commit --quiet --message 'Four more' && git push --quiet"
)
production = laptop.clone("production")
production.rows("update library_book set pages = 418 where title = 'Dracula'")
books = production.rows("select id, shelf, pages from library_book order by id")

# %% [markdown]
# Then you squash the app.

# %% tags=["setup"]
laptop.run(
    "python manage.py squashmigrations library 0001 0010 --squashed-name squashed_0010 --noinput"
    " | grep Optimized"
)

# %% tags=["before"]
laptop.chain("library")

# %% [markdown]
# ## Is this your case?
#
# Three models need three operations. From the first `RunSQL` on, the optimizer cannot help:

# %%
laptop.run(f"cat {SQUASH} | grep '^        migrations' && {OPTIMIZE}")

# %% [markdown]
# The default `A1` was for old rows. In the squash it is part of the field:

# %%
laptop.run("python manage.py makemigrations --check --noinput", fails="Alter field shelf on book")

# %% [markdown]
# `0008` has `atomic = False`, and the squash has not. In a transaction SQLite leaves the journal mode
# as it is, without a message: production has `wal`. PostgreSQL makes no index there, and stops:

# %%
first = laptop.clone("new-install")
first.run(
    f"{EMPTY} && python manage.py migrate --verbosity 0",
    fails=on(SQLite=None, PostgreSQL="CREATE INDEX CONCURRENTLY cannot run inside"),
)
lost = first.rows(LOOK)

# %% [markdown]
# - **The file does not load**: first read
#   [the squash holds Python code](squash-with-runpython.md).
# - **The squash is pushed or recorded**: the fix is the same. Only a new install runs it; one that ran
#   the first version keeps what it got.
#
# ## Fix it
#
# What does a new install need of each operation that stops the optimizer?
#
# - **Nothing**, because it mends old rows: mark it `elidable` in the original, delete the squash, and
#   squash again. The update in `0007` is marked, so the squash has left it out.
# - **Something that Django can do**, as the column of `0009`: keep the operation for the state alone.
# - **All of it**, as the SQL of `0008`: keep it, behind all others.
#
# Take out what stands behind the SQL of `0008`:

# %%
careless = laptop.clone("careless")
pages = "        migrations.AddField('book', 'pages', models.IntegerField(null=True)),\n"
language = "        migrations.AddField('book', 'language', models.TextField(null=True)),\n"

# %% tags=["fix"]
laptop.replace(
    SQUASH,
    """        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    sql='alter table library_book add pages integer null',
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name='book',
                    name='pages',
                    field=models.IntegerField(null=True),
                ),
            ],
        ),
        migrations.AddField(
            model_name='book',
            name='language',
            field=models.TextField(null=True),
        ),
""",
    "",
)

# %% [markdown]
# Write both columns before it, the one of `0009` as an `AddField`.
# **Do not move SQL past an operation that changes what the SQL reads or writes.**

# %% tags=["fix"]
laptop.replace(SQUASH, FASTER, pages + language + FASTER)

# %% [markdown]
# Let Django write the file again. **`optimizemigration` drops comments, functions and
# `atomic = False`: add them after it.**

# %%
order = laptop.clone("order")

# %% tags=["fix"]
laptop.run(OPTIMIZE)

# %% [markdown]
# It refuses a squash that has a function. Take it and its `RunPython` out until this is done.

# %%
order.replace(SQUASH, pages, pages + "        migrations.RunPython(fill),\n")
order.replace(SQUASH, "class M", "def fill(apps, schema_editor): ...\n\n\nclass M")
order.run(OPTIMIZE, fails="Migration will require manual porting")

# %% [markdown]
# Take the default out of the field, and put `atomic = False` back.

# %% tags=["fix"]
laptop.replace(SQUASH, "models.TextField(default='A1')", "models.TextField()")

# %% tags=["fix"]
laptop.replace(SQUASH, "    operations = [", "    atomic = False\n    operations = [")

# %% [markdown]
# Ship it. **Keep the originals in this release.** Read
# [when you may delete them](squash-in-two-releases.md).

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Squash library' && git push --quiet")

# %% tags=["fix"]
shipped = production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# A new install has all that production has.

# %% tags=["after"]
production.chain()

# %%
install = laptop.clone("new-install-2")
install.run(f"{EMPTY} && python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Undo it
#
# As long as the originals are there: delete the squash, and prune its row on each database that
# recorded it.

# %%
undone = production.clone("undone")
undone.run(f"rm {SQUASH} && python manage.py migrate library --prune --verbosity 0")

# %% [markdown]
# ## What not to do
#
# **Do not delete the SQL alone.** What is left tells Django of a column and builds none. Your own
# databases have it. A new install applies everything, and cannot read a book. (Without
# `atomic = False`, PostgreSQL would stop.)

# %%
careless.replace(SQUASH, "alter table library_book add pages integer null", "")
careless.replace(SQUASH, "    operations = [", "    atomic = False\n    operations = [")
careless.run(f"{EMPTY} && python manage.py migrate --verbosity 0")
careless.chain("library")

# %% [markdown]
# ## Why it happens
#
# The optimizer joins two operations if it can move one past all that stands between. It knows what an
# `AddField` touches. It cannot read SQL or Python, and does not look into a
# `SeparateDatabaseAndState`: nothing moves past these. `preserve_default=False`, “the default is not
# part of the field”, belongs to an `AddField`. Joined into a `CreateModel`, there is none. `atomic`
# belongs to a migration, and the squash is a new one. So the files no longer amount to the models: on
# [the chain](../../guide/the-chain.md) that link breaks.
#
# ## Keep it from happening
#
# Write `elidable=True` when you write SQL that only mends rows. In CI, this line fails on a default
# that stays in a field. It sees neither `atomic` nor a column that was never built: compare a new
# install with production.
#
# ```bash
# python manage.py makemigrations --check --noinput
# ```
#
# ## Run it yourself
#
# Move the cell with `atomic = False` up, before the one with `optimizemigration`. The line is dropped:
# on SQLite a check says what a new install lacks, on PostgreSQL `migrate` stops.

# %% tags=["check"]
assert "No migrations to apply" in shipped, "production ran nothing again"
now = production.rows("select id, shelf, pages from library_book order by id")
assert now == books, "no book was changed"
listed = production.run(f"cat {SQUASH} | grep '^        migrations'")
assert listed.count("migrations") == 4, "three models and one line of SQL are left"
assert lost == on(SQLite=[("delete",)], PostgreSQL=[]), "the first squash lost it"
wanted = on(SQLite=[("wal",)], PostgreSQL=[("library_book_copies",)])
assert production.rows(LOOK) == install.rows(LOOK) == wanted, "a new install has it"
assert all(place.chain().whole for place in (install, undone)), "both are whole"
assert "history-schema" in careless.chain().broken, "a new install lacks the column"
careless.run(
    'python manage.py shell --verbosity 0 -c "from library.models import Book; Book.objects.first()"',
    fails=on(SQLite="no such column: library_book.pages", PostgreSQL="book.pages does not exist"),
)

# %% tags=["check"]
order.replace(SQUASH, "        migrations.RunPython(fill),\n", "")
order.replace(SQUASH, "    operations = [", "    atomic = False\n    operations = [")
order.run(OPTIMIZE)
rewritten = order.run(f"cat {SQUASH}")
assert "atomic" not in rewritten, "`atomic = False` is dropped"
assert "fill" not in rewritten, "and so is the function"
