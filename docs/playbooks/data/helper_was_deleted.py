# ---
# title: A helper was deleted and no migration command runs
# symptoms:
#   - "ModuleNotFoundError: No module named 'library.isbn'"
#   - "AttributeError: module 'lending.models' has no attribute 'main_desk'"
#   - "ImportError: cannot import name 'plain' from 'library.isbn'"
# cause: >-
#   A migration imports a function of your project, or names it as a default, and somebody deleted it.
#   Django imports all migrations first, applied or not. Nothing is lost: Git has the function.
# broken: [files-history]
# data: untouched
# undo: revert the commit; the rows that the migration changed come back from the copy
# safe_in: production
# applied: "no matter where: the edit gives the file back what it had"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = laptop.clone("production")
NO_MODULE = "ModuleNotFoundError: No module named 'library.isbn'"
NO_FUNCTION = "AttributeError: module 'lending.models' has no attribute 'main_desk'"
FILE = "library/migrations/0007_plain_isbn.py"
FIELD = "lending/migrations/0008_loan_desk.py"
DESK = "    desk = models.CharField(max_length=20, default={})\n".format
FUNCTION = 'def main_desk():\n    return "Main desk"\n\n\n'
BOOKS = "select id, isbn from library_book where id in (2, 3) order by id"
LOANS = "select id, desk from lending_loan order by id limit 2"

# %% [markdown]
# A data migration takes the hyphens out of ISBNs, with a helper of your project. A new field has a
# function as its default. Later the default is a plain text. You migrate as you go.

# %% tags=["setup"]
production.rows("update library_book set isbn = '0-14-143958-7' where id = 2")
laptop.write("library/isbn.py", 'def plain(isbn):\n    return isbn.replace("-", "")\n')
laptop.write(
    FILE,
    """from django.db import migrations
from library.isbn import plain


def plain_isbn(apps, schema_editor):
    for book in apps.get_model("library", "Book").objects.filter(isbn__contains="-"):
        book.isbn = plain(book.isbn)
        book.save(update_fields=["isbn"])


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(plain_isbn, migrations.RunPython.noop)]
""",
)
RETURNED = "    returned_on = models.DateField(null=True, blank=True)\n"
laptop.replace("lending/models.py", RETURNED, RETURNED + DESK("main_desk"))
laptop.replace("lending/models.py", "class Reader(", f"{FUNCTION}class Reader(")
laptop.run("python manage.py makemigrations lending --name loan_desk --no-header --verbosity 0")
laptop.replace("lending/models.py", DESK("main_desk"), DESK('"Main desk"'))
laptop.run("python manage.py makemigrations lending --name desk_is_text --no-header --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Plain ISBNs, and desks'")

# %% [markdown]
# A colleague cleans up: no code uses the two functions. No migration command is run, and it is pushed.

# %% tags=["setup"]
laptop.run("git rm --quiet library/isbn.py")
laptop.replace("lending/models.py", FUNCTION, "")
laptop.run("git commit --quiet --all --message 'Clean up' && git push --quiet")
production.run("git pull --quiet --no-rebase")
before = production.rows(BOOKS)
careless = production.clone("careless")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# Every command that reads the migrations stops, also those that change nothing:

# %%
production.run("python manage.py migrate", fails=NO_MODULE)
production.run("python manage.py showmigrations", fails=NO_MODULE)
laptop.run("python manage.py makemigrations --check", fails=NO_MODULE)

# %% [markdown]
# Your laptop stops too, though it has applied everything. `check` reads no migration, and is green:

# %%
production.run("python manage.py check")

# %% [markdown]
# Look for the name in the migrations. These have it:

# %%
named = production.run("git grep -E 'library.isbn|main_desk' -- '*/migrations/*.py'")

# %% [markdown]
# If the module is there and the function is not, it says so:

# %%
half = production.clone("half")
half.run("git show HEAD~1:library/isbn.py > library/isbn.py")
half.replace("library/isbn.py", "def plain(", "def without_hyphens(")
half.run("python manage.py migrate", fails="cannot import name 'plain' from 'library.isbn'")

# %% [markdown]
# - **It names a package that you install with pip**: install it again.
# - **It names another migration file**: read
#   [The squash holds Python code and does not load](../squashing/squash-with-runpython.md#what-not-to-do).
#
# ## Fix it
#
# **A deploy waits? `git revert` the clean-up, ship that, and do the rest tomorrow.**
#
# Find the function: Git has it in the commit before the one that deleted it, here `HEAD~1`.

# %%
when = laptop.run("git log --diff-filter=D --format=%s -- library/isbn.py")
laptop.run("git show HEAD~1:library/isbn.py")
laptop.run("git log -S 'def main_desk' --format=%s -- lending/models.py")
laptop.run("git grep -A 1 'def main_desk' HEAD~1 -- lending/models.py")

# %% [markdown]
# Copy it into the migration, in place of the import. This edit is right wherever the file is applied:
# it does again what it did. **Copy what the function had on the day of the migration, and all that it
# calls.**

# %% tags=["fix"]
laptop.replace(
    FILE,
    "from library.isbn import plain\n",
    '\n\ndef plain(isbn):\n    return isbn.replace("-", "")\n',
)

# %% [markdown]
# Now the next one shows. A default gets its function in the same way, and without the `import`:

# %%
laptop.run("python manage.py migrate --check", fails=NO_FUNCTION)

# %% tags=["fix"]
IMPORTS = "import lending.models\nfrom django.db import migrations, models\n"
laptop.replace(
    FIELD, IMPORTS, f"from django.db import migrations, models\n\n\n{FUNCTION.rstrip()}\n"
)
laptop.replace(FIELD, "lending.models.main_desk", "main_desk")

# %% [markdown]
# Go on until a command that reads them all succeeds. It must find no changes, too.

# %%
laptop.run("python manage.py makemigrations --check")

# %% [markdown]
# Copy the database and ship it.

# %% tags=["fix"]
laptop.run("git commit --quiet --all --message 'Copy the helpers' && git push --quiet")

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Emma's ISBN has lost its hyphens, and each loan has a desk.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(BOOKS)
desks = production.rows(LOANS)

# %% [markdown]
# ## Undo it
#
# Revert the commit: the commands stop again. The rows come from the copy. What was written since is
# lost.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="git revert --no-edit HEAD && cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="git revert --no-edit HEAD && dropdb library && createdb library"
        " && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not delete the migration, nor its operation.** Every command runs again, every check is green
# here, and Emma keeps her hyphens. Your laptop now has a row without a file:

# %%
careless.run(f"git rm --quiet {FILE}")
careless.replace(FIELD, "import lending.models\n", "")
careless.replace(FIELD, "lending.models.main_desk", '"Main desk"')
careless.run("python manage.py migrate --verbosity 0 && python manage.py migrate --check")
kept = careless.rows(BOOKS)

# %% [markdown]
# ## Why it happens
#
# Django builds the graph of all migrations from the files, so it imports each one, also the one that
# was applied years ago. A function in an import or a default is only a name there. Files that do
# not load cannot be compared with the history: on [the chain](../../guide/the-chain.md) that
# link breaks.
#
# ## Keep it from happening
#
# Keep a function that a migration needs in its file. To get rid of an old one, squash past it: a
# function that only repaired old rows [may be left out](../squashing/squash-with-runpython.md#fix-it).
#
# **In review, ask:** does a migration name anything of this project that a clean-up may delete?
#
# **In CI:** `python manage.py makemigrations --check` stops when one is deleted.
#
# ## Run it yourself
#
# In the clean-up, leave out the line that takes `FUNCTION` out of the models. Then copying the first
# helper is enough, and the playbook stops where the second error should come.

# %% tags=["check"]
assert before[0] == (2, "0-14-143958-7"), "before, the hyphens are there"
assert after == [(2, "0141439587"), (3, "9780141439471")], "and then they are not"
assert desks == [(1, "Main desk"), (2, "Main desk")], "each old loan got the default"
assert (FILE in named, FIELD in named, named.count("\n")) == (True, True, 2), "both files"
assert when == "Clean up\n", "Git knows when"
assert undone.rows(BOOKS) == before, "the copy is as before"
undone.run("python manage.py migrate", fails=NO_MODULE)
assert (kept, careless.chain().whole) == (before, True), "no check tells that rows were left"
laptop.run(f"git rm --quiet {FILE}")
assert laptop.chain().broken == ["files-history"], "a row without a file"

# %% tags=["check"]
# To revert the clean-up is enough for tonight.
tonight = half.clone("tonight")
tonight.run("git checkout --quiet . && rm library/isbn.py && git revert --no-edit HEAD")
tonight.run("python manage.py migrate --verbosity 0")
assert (tonight.rows(BOOKS), tonight.chain().whole) == (after, True), "it went on"
