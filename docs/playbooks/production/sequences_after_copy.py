# ---
# title: After a copy of rows, a new row gets a key that is taken
# symptoms:
#   - duplicate key value violates unique constraint "library_book_pkey"
#   - duplicate key value violates unique constraint "django_migrations_pkey"
# cause: >-
#   Rows came with ids of their own, and the sequence that numbers new rows did not move. No row is
#   lost. In the history the same stops `migrate`, and what it did may stay unrecorded.
# broken: [history-schema]
# data: untouched
# undo: set each sequence back to the number that you noted
# safe_in: "production: while nothing writes to these tables"
# applied: no matter where
# databases: [PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Sandbox

production = Sandbox("production", "PostgreSQL")
ADD = "python manage.py shell --verbosity 0 -c \"from library.models import Book; print(Book.objects.create(title='Ivanhoe', author_id=1).pk)\""
SEQUENCE = (
    "select last_value, is_called, (select max(id) from {0}) as highest_id from {0}_id_seq".format
)
HISTORY = "select app, name from django_migrations order by id"
MADE = (
    "select attname, (select count(*) from pg_index where indrelid = attrelid and indkey[0] = attnum)"
    " as indexes, (select count(*) from pg_constraint where conrelid = attrelid and contype = 'f' "
    "and conkey[1] = attnum) as foreign_keys from pg_attribute "
    "where attrelid = 'library_book'::regclass and attname like 'sequel%'"
)

# %% [markdown]
# Three books come from another library, and keep their ids.

# %% tags=["setup"]
production.rows(
    "insert into library_book (id, title, author_id, isbn, copies) values "
    "(7, 'Persuasion', 1, '', 1), (8, 'Carmilla', 3, '', 1), (10, 'Typee', 4, '', 1)"
)

# %% [markdown]
# The history was copied too, row by row, into a table that was made new.

# %% tags=["setup"]
recorded = production.rows(HISTORY)
production.rows(
    "create temporary table old as table django_migrations; "
    "truncate django_migrations restart identity; insert into django_migrations select * from old"
)

# %% [markdown]
# A book is added, and its id is taken.

# %% tags=["setup"]
careless = production.clone("careless")
production.run(ADD, fails="Key (id)=(7) already exists")

# %% [markdown]
# The next release has a migration with a foreign key. The history takes no row of it.

# %% tags=["setup"]
production.replace(
    "library/models.py",
    "    copies = models.PositiveIntegerField(default=1)\n",
    "    copies = models.PositiveIntegerField(default=1)\n"
    '    sequel_to = models.ForeignKey("self", models.SET_NULL, null=True, blank=True)\n',
)
production.run("python manage.py makemigrations library --name sequels --verbosity 0")
plain = production.clone("plain")
loaded = careless.clone("loaded")
production.run("python manage.py migrate library", fails="Key (id)=(1) already exists")
again = production.clone("again")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# Two numbers tell: the last value of the sequence, and the highest id in the table. If the first is
# the lower one, ids that are taken come next. Note it, with its `is_called`.

# %%
books = production.rows(SEQUENCE("library_book"))
history = production.rows(SEQUENCE("django_migrations"))

# %% [markdown]
# - **The constraint is not a `…_pkey`**: your data has the same value twice. Not this page.
# - **`migrate` stopped at `django_migrations_pkey`**: look what it left. Here everything, unrecorded:
#   the column, its index and its foreign key.

# %%
left = production.rows(MADE)

# %% [markdown]
# - **It left nothing**: then migrate again after the fix, and fake nothing. So it is with a column that
#   has no index:

# %%
plain.replace(
    "library/migrations/0007_sequels.py",
    "models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='library.book')",
    "models.TextField(null=True)",
)
plain.run("python manage.py migrate library", fails="django_migrations_pkey")
nothing = plain.rows(MADE)

# %% [markdown]
# - **It left a part**, with `atomic = False`: read
#   [A migration stopped half-way](../mismatch/half-applied.md).
#
# ## Fix it
#
# **Stop what writes to these tables.** An id taken after the look at the highest one would be given
# again. Django prints the SQL for all tables of an app.
# **It also sets back a sequence that is ahead: ids of rows deleted at the end are given again.** If
# that matters, take the lines of the tables that you loaded. Run what it prints:

# %% tags=["fix"]
printed = production.run("python manage.py sqlsequencereset library")
production.rows(printed.strip().removesuffix(";"))

# %% [markdown]
# `django_migrations` belongs to no app. Set its sequence by hand.

# %% tags=["fix"]
production.rows(
    "select setval(pg_get_serial_sequence('django_migrations', 'id'), max(id)) from django_migrations"
)

# %% [markdown]
# Record the migration that was done.
# **Only if everything that `sqlmigrate library 0007` prints is there.** Else `--fake` hides what is
# missing.

# %% tags=["fix"]
production.run("python manage.py migrate library 0007 --fake")

# %% [markdown]
# ## Make sure
#
# A book can be added, and its id is the next one. All links hold.

# %%
production.run(ADD)

# %% tags=["after"]
production.chain()

# %%
now = [production.rows(SEQUENCE(table)) for table in ("library_book", "django_migrations")]

# %% [markdown]
# ## Undo it
#
# Set a sequence to what you noted: `last_value`, `is_called`. The error is back, and the rows stay.

# %%
undone = production.clone("undone")
undone.rows("select setval('library_book_id_seq', 7, true)")
undone.run(ADD, fails="Key (id)=(8) already exists")

# %% [markdown]
# ## What not to do
#
# **Do not try again until it works.** Each try takes a number, so it works at the first gap, and you
# think that it is over. It stops again at the next id that is taken:

# %%
careless.run(ADD, fails="Key (id)=(7) already exists")
careless.run(ADD, fails="Key (id)=(8) already exists")
careless.run(ADD)
careless.run(ADD, fails="Key (id)=(10) already exists")

# %% [markdown]
# With `migrate` the second try meets what the first one left:

# %%
again.run("python manage.py migrate library", fails='"sequel_to_id" of relation "library_book"')

# %% [markdown]
# ## Why it happens
#
# The database takes an id from the sequence only if the insert brings none. A row with its own id
# does not move it. In `migrate`, Django 5.2 writes the row of a migration in its transaction, unless
# the schema editor has kept SQL for the end: here the index of the foreign key. Then the
# row follows after the commit. If it fails there, the schema stays. On
# [the chain](../../guide/the-chain.md) it is one step ahead of the history.
#
# ## Keep it from happening
#
# Copy no row of `django_migrations`: run `migrate` on the new database, then copy the rows of your own
# tables. `loaddata` sets the sequences of what it loads. After any other copy, run what this line
# prints, with all your apps:
#
# ```bash
# python manage.py sqlsequencereset admin auth contenttypes library lending
# ```
#
# ## Run it yourself
#
# Leave out the cell with `setval`. `migrate --fake` then stops at the row that it wants to write.

# %% tags=["check"]
assert (books, history[0][0]) == ([(7, True, 10)], 1), "both sequences are behind"
assert (left, nothing) == ([("sequel_to_id", 1, 1)], []), "all or nothing"
assert [rows[0][0] == rows[0][2] for rows in now] == [True, True], "both are at the highest id"
assert now[0] == [(11, True, 11)], "the new book has the next id"
assert production.rows(HISTORY) == [*recorded, ("library", "0007_sequels")], "one row more"
titles = production.rows("select id, title from library_book where id > 6 order by id")
assert titles == [(7, "Persuasion"), (8, "Carmilla"), (10, "Typee"), (11, "Ivanhoe")]
assert "django_migrations" not in printed, "the history is not among what it prints"
line = "python manage.py sqlsequencereset admin auth contenttypes library lending"
sequences = production.rows("select count(*) from pg_sequences")[0][0]
assert production.run(line).count("setval(") == sequences - 1, "it prints all others"

# %% tags=["check"]
loaded.write("one.json", '[{"model": "library.genre", "pk": 50, "fields": {"name": "Essay"}}]')
loaded.run("python manage.py loaddata one.json")
assert loaded.rows(SEQUENCE("library_genre")) == [(50, True, 50)], "loaddata sets the sequence"
loaded.rows("delete from library_genre where id = 50")
loaded.rows(printed.strip().removesuffix(";"))
assert loaded.rows(SEQUENCE("library_genre")) == [(5, True, 5)], "and this sets it back"
plain.rows(
    "select setval(pg_get_serial_sequence('django_migrations', 'id'), max(id)) from django_migrations"
)
plain.run("python manage.py migrate library --verbosity 0")
assert plain.chain().pending == (), "after the fix it goes through"
