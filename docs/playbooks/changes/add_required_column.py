# ---
# title: makemigrations wants a value for a new required field
# symptoms:
#   - It is impossible to add a non-nullable field 'book_title' to loan without specifying a default.
#   - "Field 'book_title' on model 'loan' not migrated: it is impossible to add a non-nullable field without specifying a default."
#   - "it is impossible to add a field with 'auto_now_add=True' without specifying a default."
# cause: >-
#   The new field has no default and may not be NULL, so rows that exist would have nothing in it.
#   makemigrations asks; with --noinput it stops, with exit code 3. Nothing is written, nothing is lost.
# broken: [models-files]
# data: "untouched: each row gets a value in the new column"
# undo: "migrate back: the column goes, with its values"
# safe_in: production
# applied: nowhere yet
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
LENT = "    lent_on = models.DateField()\n"
TITLE = "    book_title = models.CharField(max_length=200{})\n".format
MAKE = "python manage.py makemigrations lending --name book_title"
TITLES = "select id, book_id, book_title from lending_loan order by id"
ASKED = "It is impossible to add a non-nullable field 'book_title' to loan"
REFUSED = "Field 'book_title' on model 'loan' not migrated"
NULL = on(
    SQLite="NOT NULL constraint failed: new__lending_loan.book_title",
    PostgreSQL='column "book_title" of relation "lending_loan" contains null values',
)

# %% [markdown]
# A loan is to keep the title of its book, as it was on the day. Every loan has one, so the field is
# required.

# %% tags=["setup"]
loans = production.rows("select id, book_id, reader_id from lending_loan order by id")
same, dated, stamp, unique = (laptop.clone(name) for name in ("same", "dated", "stamp", "unique"))
laptop.replace("lending/models.py", LENT, LENT + TITLE(""))
nobody, empty, none = (laptop.clone(name) for name in ("nobody", "empty", "none"))

# %% [markdown]
# Colleagues answer `1`, to be past the question: one with an empty text, one with `None`. The third
# adds a date, and answers with a function.

# %% tags=["setup"]
empty.run(MAKE, answers=["1", "''"])
none.run(f"{MAKE} --verbosity 0", answers=["1", "None"])
dated.replace("lending/models.py", LENT, f"{LENT}    seen_on = models.DateField()\n")
dated.run(
    "python manage.py makemigrations lending --name seen_on -v 0", answers=["1", "timezone.now"]
)

# %% tags=["before"]
laptop.run(f"{MAKE} --noinput", fails=REFUSED)
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# In a terminal `makemigrations` asks. `2` quits, with exit code 3.

# %%
laptop.run(MAKE, answers=["2"], fails=ASKED)

# %% [markdown]
# With `--noinput`, as in a script, it stops with the same exit code. So does the check in CI:

# %%
laptop.run(f"{MAKE} --noinput", fails=REFUSED)
laptop.run("python manage.py makemigrations --check --noinput", fails=REFUSED)

# %% [markdown]
# A script without `--noinput` has nobody to ask, and ends in `EOFError: EOF when reading a line`. What
# do you want in the rows that exist?
#
# - **One value is true of every row that exists:** write it as the `default` of the field, and nobody
#   is asked. With `db_default`, [old code can go on
#   writing](what-each-change-does.md).
# - **For some rows nothing is true:** write `null=True`, and stay there.
# - **Each row has a value of its own, which you know or can work out:** go on below.
# - **The field is not new, only required:** read
#   [A required field meets rows that are empty](make-column-required.md).
# - **The field is unique:** read
#   [A new unique field gives all rows one value](add-unique-column.md).

# %% [markdown]
# The first of these, with one value for all:

# %%
same.replace("lending/models.py", LENT, LENT + TITLE(', db_default="unknown"'))
same.run(f"{MAKE} --noinput")

# %% [markdown]
# `auto_now_add=True` asks too. Enter takes `timezone.now`: every old row will say that it is of the day
# of the migration.

# %%
stamp.replace("lending/models.py", LENT, LENT + "    made = models.DateField(auto_now_add=True)\n")
stamp.run("python manage.py makemigrations lending --noinput", fails="with 'auto_now_add=True'")

# %% [markdown]
# ## Fix it
#
# Three migrations. First a column that may be NULL: write `null=True` for the time being.

# %% tags=["fix"]
laptop.replace("lending/models.py", TITLE(""), TITLE(", null=True"))
laptop.run(MAKE)

# %% [markdown]
# Then the values, in a migration of their own. **Each row must get one, or the third step stops.**

# %% tags=["fix"]
laptop.write(
    "lending/migrations/0009_fill_book_title.py",
    """from django.db import migrations


def fill(apps, schema_editor):
    loans = apps.get_model("lending", "Loan").objects.using(schema_editor.connection.alias)
    for loan in loans.filter(book_title=None).select_related("book"):
        loans.filter(pk=loan.pk, book_title=None).update(book_title=loan.book.title)


class Migration(migrations.Migration):
    dependencies = [
        ("lending", "0008_book_title"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
""",
)

# %% [markdown]
# Then take `null=True` away again. Now another question comes. Answer `2`: the rows are dealt with.

# %% tags=["fix"]
laptop.replace("lending/models.py", TITLE(", null=True"), TITLE(""))
laptop.run("python manage.py makemigrations lending --name book_title_required", answers=["2"])

# %% tags=["fix"]
laptop.run(
    "python manage.py migrate --verbosity 0 && git add ."
    " && git commit --quiet --message 'Loans keep the title' && git push --quiet"
)

# %% [markdown]
# **Old code that runs writes loans without a title, and the third step stops at them.** If it cannot
# stop, these are [three releases](../production/remove-or-require-a-field.md#add-a-required-field).

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Each loan has the title of its book, and nothing is left to write.

# %% tags=["after"]
production.chain()

# %%
laptop.run("python manage.py makemigrations --check --noinput")
titles = production.rows(TITLES)

# %% [markdown]
# ## Undo it
#
# Migrate back. The column goes, with its values. The loans stay.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate lending 0007")

# %% [markdown]
# ## What not to do
#
# **Do not answer `1` with whatever gets you past the prompt.** After `''` an empty text is in every
# loan, and no query can tell it from one that a person left empty:

# %%
empty.run("python manage.py migrate lending")
blank = empty.rows(TITLES)

# %% [markdown]
# The model has no default. The file has, for old rows alone: this is what `preserve_default=False`
# means.

# %%
kept = empty.run("cat lending/migrations/0008_book_title.py | grep default")

# %% [markdown]
# `None` is taken at the prompt as well. It stops later, at the first database that has rows:

# %%
none.run("python manage.py migrate lending", fails=NULL)

# %% [markdown]
# A function, such as `timezone.now`, is kept as a function. Each database calls it once, on the day of
# its own migration, for all its rows:

# %%
called = dated.run("cat lending/migrations/0008_seen_on.py | grep default")

# %% [markdown]
# ## Why it happens
#
# A column that may not be NULL needs a value in each row from its first moment. For new rows your
# code gives it; for old ones only you know. `makemigrations` does not look whether there are rows, so
# it asks over an empty table as well. On [the chain](../../guide/the-chain.md) the first link is open
# until you answer: the models have the field, the files do not.
#
# ## Keep it from happening
#
# Make migrations by hand, in a terminal, never in a deploy script. Decide what old rows get before
# you write the field.
#
# **In review, ask:** what do the rows that exist have in this column after `migrate`, and is it true?
#
# **In CI:** `python manage.py makemigrations --check --noinput` stops at a field without a migration.
#
# ## Run it yourself
#
# In the fill, write `book__title="Emma"` into the first `filter`. The laptop stops at the third step:
# three loans have no title.

# %% tags=["check"]
of = ["Emma", "Dracula", "Frankenstein", "Moby-Dick", "Emma"]
assert [title for *_, title in titles] == of, "each loan has the title of its book"
assert production.rows("select id, book_id, reader_id from lending_loan order by id") == loans
assert undone.rows("select id, book_id, reader_id from lending_loan order by id") == loans
assert undone.chain("library").whole, "the way back harms no other app"
assert [title for *_, title in blank] == [""] * 5, "every loan got the empty text"
assert "default=''" in kept, "the file holds the answer"
assert "preserve_default=False" in kept, "for old rows alone"
assert "default=django.utils.timezone.now)" in called, "the function, and not a day"

# %% tags=["check"]
production.run(
    'python manage.py shell -v 0 -c "from lending.models import Loan; '
    'Loan.objects.update(book_title=None)"',
    fails=on(SQLite="NOT NULL constraint failed", PostgreSQL="violates not-null constraint"),
)
# Over an empty database it asks as well, and nobody answers.
nobody.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
nobody.run("python manage.py migrate --verbosity 0")
nobody.run(MAKE, fails="EOFError: EOF when reading a line")
same.run("python manage.py migrate --verbosity 0")
assert same.rows("select distinct book_title from lending_loan") == [("unknown",)]
stamp.run("python manage.py makemigrations lending -n made -v 0", answers=["1", ""])
stamp.run("python manage.py migrate --verbosity 0")
assert len(stamp.rows("select distinct made from lending_loan")) == 1, "one day for all"
# The empty text in a unique column.
unique.replace("lending/models.py", LENT, LENT + TITLE(", unique=True"))
unique.run(f"{MAKE} --verbosity 0", answers=["1", "''"])
unique.run(
    "python manage.py migrate",
    fails=on(SQLite="UNIQUE constraint failed: new__", PostgreSQL="could not create unique index"),
)
