# ---
# title: A renamed field came back empty
# symptoms:
#   - Was book.isbn renamed to book.code (a CharField)? [y/N]
# cause: >-
#   makemigrations took the rename for a removal and an addition: with --noinput, or after Enter at its
#   question. migrate dropped the old column with its values, and printed OK. Only a copy has them.
# broken: []
# data: "may be lost: the values come back from a copy of the database, if there is one"
# undo: put back the copy of the database that you make first
# safe_in: production
# applied: "elsewhere too: where it is not applied yet, mending the file is enough"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
import re

from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
staging = Sandbox("staging")
CODES = "select id, title, code from library_book order by id"
FILE = "library/migrations/0007_isbn_is_code.py"
DEPLOY = "git pull --quiet --no-rebase && python manage.py migrate --verbosity 0"
LOANS = "select id, book_id, reader_id from lending_loan order by id"

# %% [markdown]
# Before each deploy, production is copied.

# %% tags=["setup"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../backup.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../backup.dump",
    )
)
was = production.rows("select id, title, isbn from library_book order by id")

# %% [markdown]
# `isbn` gets a new name. A script makes the migration, and nobody reads the file.

# %% tags=["setup"]
laptop.replace("library/models.py", "    isbn = ", "    code = ")
laptop.replace("library/admin.py", '"isbn"', '"code"')
asked, entered = laptop.clone("asked"), laptop.clone("entered")
laptop.run("python manage.py makemigrations library --name isbn_is_code --noinput")
laptop.run("git add . && git commit --quiet --message 'isbn is code' && git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# Since then people work on. They lend a new book, and type the code of another one again.

# %% tags=["setup"]
production.rows(
    "insert into library_book (title, author_id, code, copies) values ('Persuasion', 1, '9780141439686', 1)"
)
production.rows(
    "insert into lending_loan (book_id, reader_id, lent_on, due_on) values (7, 3, '2024-04-02', '2024-04-16')"
)
production.rows("update library_book set code = '9780143106463' where id = 3")
wholesale, back = production.clone("wholesale"), production.clone("back")

# %% tags=["before"]
production.rows(CODES)
production.chain()

# %% [markdown]
# ## Is this your case?
#
# Nothing fails, and the chain is whole. The rows are what is wrong. Only what people typed since the
# deploy is there:

# %%
empty = production.rows(CODES)

# %% [markdown]
# The file tells why:

# %%
pair = laptop.run(f"cat {FILE} | grep migrations[.][RA]")

# %% [markdown]
# In a terminal Django asks first. `n`, or Enter, comes to the same pair:

# %%
asked.run("python manage.py makemigrations library --dry-run", answers=["n"])

# %% [markdown]
# The SQL shows it too, before anybody applies it:

# %%
laptop.run("python manage.py sqlmigrate library 0007 | grep 'DROP COLUMN'")

# %% [markdown]
# - **It is applied nowhere, or on your machine alone:** mending the file, the first two steps, is all.
# - **It is applied on some databases:** do both parts. Each database needs a copy of its own.
# - **You have no copy:** look for a database that has not applied it, such as staging. Django cannot
#   bring the values back: `migrate library 0006` adds an empty column (below).
# - **`migrate` or `makemigrations` stopped:** nothing is lost. A field without a default
#   [asks for one](add-required-column.md).
#
# ## Fix it
#
# Stop the spread. Write the rename into the same file, under the same name.
# **Edit an applied file only where both texts leave the same column, as here.**

# %% tags=["fix"]
laptop.write(
    FILE,
    """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0006_find_books_by_title"),
    ]

    operations = [
        migrations.RenameField(model_name="book", old_name="isbn", new_name="code"),
    ]
""",
)

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'A rename' && git push --quiet")

# %% [markdown]
# A database that has not applied the file now keeps its values. One that has needs the second part.
# Copy it as it is.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Take the old column, with the primary keys, out of the last copy that has it.
# **Do not put the copy back over production: what was written since would be lost.**

# %% tags=["fix"]
production.run(
    on(
        SQLite="python manage.py shell --verbosity 0 -c \"import json, sqlite3; print(json.dumps(sqlite3.connect('../backup.sqlite3').execute('select id, isbn from library_book order by id').fetchall()))\" > ../isbn.json",
        PostgreSQL='createdb library_backup && pg_restore --dbname library_backup ../backup.dump && psql library_backup --tuples-only --no-align --command "select json_agg(json_build_array(id, isbn) order by id) from library_book" > ../isbn.json',
    )
)

# %% [markdown]
# Fill what is empty, row by row, while people work on. Filter for what the lost values are now: here
# `''`, the default.
# **A code that somebody emptied on purpose since then comes back as well.**

# %% tags=["fix"]
filled = production.run(
    'python manage.py shell --verbosity 0 -c "import json; from library.models import Book; '
    "print(sum(Book.objects.filter(pk=pk, code='').update(code=isbn) "
    "for pk, isbn in json.load(open('../isbn.json'))), 'filled')\""
)

# %% [markdown]
# ## Make sure
#
# The old codes are back. The one that was typed again and the new book are as people wrote them.

# %% tags=["after"]
production.chain()

# %%
now = production.rows(CODES)

# %% [markdown]
# Production takes the new file, and has nothing to do. Staging had not applied it, and keeps all.

# %%
production.run("git pull --quiet --no-rebase && python manage.py migrate --check")
staging.run("git pull --quiet --no-rebase && python manage.py migrate library")
kept = staging.rows(CODES)

# %% [markdown]
# ## Undo it
#
# Put the second copy back, while nothing uses the database. What was written since is lost.

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
# **Do not put the whole backup back.** The old codes return. The new book, its loan and the code
# that was typed again are gone:

# %%
wholesale.run(
    on(
        SQLite="cp ../backup.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../backup.dump",
    )
)
wholesale.run(DEPLOY)
lost = wholesale.rows(f"{CODES} desc limit 2")

# %% [markdown]
# **Do not migrate back.** The way back adds `isbn`, empty, and drops `code` with what people typed:

# %%
back.run("python manage.py migrate library 0006")
gone = back.rows("select id, isbn from library_book where isbn <> '' order by id")

# %% [markdown]
# **Do not rename and change a field in one step.** Django then asks nothing, not even in a terminal:

# %%
laptop.replace("library/models.py", "copies = models.Positive", "volumes = models.PositiveBig")
laptop.replace("library/admin.py", '"copies"', '"volumes"')
both = laptop.run("python manage.py makemigrations library --dry-run")

# %% [markdown]
# Rename first, and answer `y`. Change the type in the next migration:

# %%
laptop.replace("library/models.py", "PositiveBigInteger", "PositiveInteger")
laptop.run("python manage.py makemigrations library --name copies_are_volumes", answers=["y"])
laptop.replace("library/models.py", "PositiveInteger", "PositiveBigInteger")
laptop.run("python manage.py makemigrations library --name more_volumes")

# %% [markdown]
# ## Why it happens
#
# `models.py` does not say that a field had another name. `makemigrations` sees one field gone and one
# new. If all else about them is alike, it asks; `--noinput` answers no, and so does Enter. On
# [the chain](../../guide/the-chain.md) every link holds, before and after: the schema is what the
# files say. No link knows about rows.
#
# Editing an applied migration is wrong as a rule. Here both texts end in the same column, so old and
# new databases stay alike.
#
# ## Keep it from happening
#
# Make migrations by hand, in a terminal, and read the file. In the pull request that mends this one,
# CI stops at the edited file: [name it there](../checks/edited-migrations.md#when-the-edit-is-right).
# While old code runs, a rename takes [four releases](../production/rename-in-four-releases.md).
#
# **In review, ask:** is this `RemoveField` beside an `AddField` a rename?
#
# **In CI:** [`python ci/check_migrations.py`](../checks/ci-checks.md) stops at such a pair.
#
# ## Run it yourself
#
# Leave out `--noinput` in the setup, and give `answers=["y"]` in its place. The file holds a
# `RenameField`, and the playbook stops where the SQL should say `DROP COLUMN`.

# %% tags=["check"]
assert ("RemoveField" in pair, "AddField" in pair) == (True, True), "the rename is a pair"
assert [row[2] for row in empty] == ["", "", "9780143106463", "", "", "", "9780141439686"]
assert filled == "5 filled\n", "five codes were missing"
assert now == [*was[:2], (*was[2][:2], "9780143106463"), *was[3:], empty[6]], "old and new codes"
assert kept == was, "where it was not applied, nothing is lost"
assert len(production.rows(LOANS)) == 6, "the loan made since is there"
assert undone.rows(CODES) == empty, "the copy is as before"
assert lost == [*was[:3:-1]], "with the whole backup, book 7 is gone"
assert len(wholesale.rows(LOANS)) == 5, "and its loan"
assert wholesale.rows(CODES) == was, "and the code that was typed again"
assert gone == [], "the way back brings no value, and loses the new ones"
assert re.findall("(Remove|Add|Rename) field", both) == ["Remove", "Add"], "nobody was asked"

# %% tags=["check"]
# Two migrations keep the rows; and what Enter means.
copies = laptop.rows("select id, copies from library_book order by id")
laptop.run("python manage.py migrate --verbosity 0")
assert laptop.rows("select id, volumes from library_book order by id") == copies
said = entered.run("python manage.py makemigrations library --dry-run", answers=[""])
assert "Remove field isbn" in said, "Enter means no"
answered = entered.run("python manage.py makemigrations library --dry-run", answers=["y"])
assert "Rename field isbn on book to code" in answered, "only y keeps the values"
