# ---
# title: A new unique field gives all rows one value
# symptoms:
#   - "UNIQUE constraint failed: new__library_book.code"
#   - could not create unique index "library_book_code_key"
#   - Callable default on unique field book.code will not generate unique values upon migrating.
# cause: >-
#   The default is a function, such as uuid.uuid4. A migration that adds the column calls it once, and
#   gives the value to all rows. The database refuses two alike, and rolls back. Nothing is lost.
# broken: []
# data: "untouched: each row gets a value in the new column"
# undo: "migrate back: the column goes, with its values"
# safe_in: production
# applied: "elsewhere too: there, migrate back first"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
CODE = "    code = models.CharField(max_length=9, default=next_code{})\n".format
FUNCTION = """def next_code():
    return f"B{Book.objects.count() + 1:03}"


"""
CODES = "select id, title, code from library_book order by id"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
SHARED = on(
    SQLite="UNIQUE constraint failed: new__library_book.code",
    PostgreSQL='could not create unique index "library_book_code_key"',
)
TWICE = on(
    SQLite="UNIQUE constraint failed: new__library_book.isbn",
    PostgreSQL='could not create unique index "library_book_isbn',
)

# %% [markdown]
# Each new book is to get a code of its own. The laptop has a new database, without books.

# %% tags=["setup"]
laptop.run(f"{NEW} && python manage.py migrate --verbosity 0")
laptop.replace("library/models.py", "class Author(", f"{FUNCTION}class Author(")
laptop.replace("library/models.py", COPIES, COPIES + CODE(", unique=True"))
asked = laptop.clone("asked")
laptop.run("python manage.py makemigrations library --name code --noinput")
laptop.run("python manage.py migrate")
laptop.run("git add . && git commit --quiet --message 'A code' && git push --quiet")

# %% [markdown]
# Production has six books.

# %% tags=["setup"]
books = production.rows("select id, title from library_book order by id")
loans = production.rows("select id, book_id, reader_id from lending_loan order by id")
careless, older = production.clone("careless"), production.clone("older")
production.run("git pull --quiet --no-rebase")

# %% tags=["before"]
production.run("python manage.py migrate", fails=SHARED)
production.chain()

# %% [markdown]
# ## Is this your case?
#
# `migrate` stops, and does so again. On SQLite, `new__` is the table that Django builds in place of
# yours: you have no such table. PostgreSQL names the value that all rows were to get:

# %%
production.run("python manage.py migrate library", fails=SHARED)
production.run("python manage.py showmigrations library | grep code")

# %% [markdown]
# In a terminal `makemigrations` warns you, and `2` quits. With `--noinput` it says nothing.

# %%
asked.run("python manage.py makemigrations library --name code", answers=["2"], fails="Quit")

# %% [markdown]
# - **The default is one value, such as `""`:** all rows [get that one](add-required-column.md#what-not-to-do).
#   The fix is the same.
# - **The field is new and has no default:** read
#   [A new required field, and makemigrations wants a value](add-required-column.md).
# - **The error says `NOT NULL`, or `contains null values`:** read
#   [A required field meets rows that are empty](make-column-required.md).
# - **The field is old, and `unique=True` is new:** the rows shared a value before. You alone know
#   which is right. The query finds them: here two books without an ISBN. Mend them, and run
#   `migrate` again.

# %%
older.rows("update library_book set isbn = '' where id in (2, 5)")
older.replace("library/models.py", 'default="")', 'default="", unique=True)')
older.run("python manage.py makemigrations library --name unique_isbn --verbosity 0")
older.run("python manage.py migrate library", fails=TWICE)
twice = older.rows(
    "select isbn, count(*) from library_book group by isbn having count(*) > 1 order by isbn"
)

# %% [markdown]
# An empty text is a value, and two rows may not share it. NULL they may share.
#
# ## Fix it
#
# Three migrations in place of one: add the column, fill it, then make it what the model says. The
# model stays as it is. Where the old file is applied, go back before you pull.
# **This drops the column where it is, with the codes of rows written since.**

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0006")
laptop.write(
    "library/migrations/0007_code.py",
    """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0006_find_books_by_title"),
    ]

    operations = [
        migrations.AddField("book", "code", models.CharField(max_length=9, null=True)),
    ]
""",
)

# %% [markdown]
# Fill it, row by row. Only what is empty: a second run, after a stop, goes on.

# %% tags=["fix"]
laptop.write(
    "library/migrations/0008_fill_code.py",
    """from django.db import migrations


def fill(apps, schema_editor):
    books = apps.get_model("library", "Book").objects.using(schema_editor.connection.alias)
    for book in books.filter(code=None):
        books.filter(pk=book.pk, code=None).update(code=f"B{book.pk:03}")


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0007_code"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
""",
)

# %% [markdown]
# `makemigrations` writes the third: it sees what the model has and the first file has not.

# %% tags=["fix"]
laptop.run("python manage.py makemigrations library --name code_for_all")

# %% tags=["fix"]
laptop.run(
    "python manage.py migrate && git add . && git commit --quiet --message 'A code in three steps'"
    " && git push --quiet"
)

# %% [markdown]
# **Old code that runs writes books without a code, and the third step stops at them.** If it cannot
# stop, these are [three releases](../production/remove-or-require-a-field.md#add-a-required-field).

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Each book has a code of its own, and the database refuses a second one.

# %% tags=["after"]
production.chain()

# %%
codes = production.rows(CODES)

# %% [markdown]
# ## Undo it
#
# Migrate back. The column goes, with its codes. All else stays.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0006")

# %% [markdown]
# ## What not to do
#
# **Do not drop `unique=True` to get past the error.** `migrate` prints `OK`, and all books share the
# code that was made for one:

# %%
careless.replace("library/models.py", "class Author(", f"{FUNCTION}class Author(")
careless.replace("library/models.py", COPIES, COPIES + CODE(""))
careless.run("python manage.py makemigrations library --name code --verbosity 0")
careless.run("python manage.py migrate library")
same = careless.rows(CODES)

# %% [markdown]
# With `uuid.uuid4` it is [the same](../data/two-ways-to-move-rows.md).
#
# ## Why it happens
#
# `AddField` is one change of the table, with one value for the rows that exist. Django calls the
# function once to get it. Without rows nothing clashes: the laptop and CI have an empty table, and
# are content. On [the chain](../../guide/the-chain.md) all links hold. The migration is
# pending, and nothing of it is in the schema.
#
# ## Keep it from happening
#
# Never add a unique column to a table with rows in one step. [The three files to
# copy](../../guide/data-migrations.md#give-each-row-its-own-value-in-three-steps).
#
# **In review, ask:** does this `AddField` have `unique=True`, or a function as its default?
#
# **In CI:** nothing sees this on a new database. [Rehearse on a copy of
# production](../production/rehearse-on-a-copy.md).
#
# ## Run it yourself
#
# In the fill, write `code="B001"` for all. The second step is content, and the third stops: the rows
# share a value again.

# %% tags=["check"]
assert [code for *_, code in codes] == ["B001", "B002", "B003", "B004", "B005", "B006"]
assert production.rows("select id, title from library_book order by id") == books, "all are there"
assert production.rows("select id, book_id, reader_id from lending_loan order by id") == loans
assert undone.chain("lending").whole, "the way back harms no other app"
assert undone.rows("select id, title from library_book order by id") == books, "nor any row"
assert {code for *_, code in same} == {"B007"}, "all books share one"
assert twice == [("", 2)], "two have no ISBN"
assert laptop.chain().whole, "the laptop is as the files say"

# %% tags=["check"]
# The third file is a function called per row from now on; one more with the same code is refused.
add = (
    'python manage.py shell --verbosity 0 -c "from library.models import Book; '
    "print(Book.objects.create(title='Persuasion', author_id=1{}).code)\""
)
assert production.run(add.format("")) == "B007\n", "a new book gets the next code"
production.run(add.format(", code='B001'"), fails=on(SQLite="UNIQUE", PostgreSQL="duplicate key"))
# NULL may repeat: first allow it, then write it in place of the empty text, then require unique.
older.run("rm library/migrations/0007_unique_isbn.py")
older.replace("library/models.py", 'default="", unique=True)', "null=True)")
older.run(
    "python manage.py makemigrations library --name isbn_null && python manage.py migrate -v 0"
)
older.rows("update library_book set isbn = null where isbn = ''")
older.replace("library/models.py", "null=True)\n    copies", "null=True, unique=True)\n    copies")
older.run("python manage.py makemigrations library --name isbn_unique && python manage.py migrate")
assert older.rows("select id from library_book where isbn is null order by id") == [(2,), (5,)]
