# ---
# title: makemigrations cannot serialize a default or validator
# symptoms:
#   - "Cannot serialize function: lambda"
#   - "Could not find function"
#   - There are some values Django cannot serialize into migration files.
# cause: >-
#   A migration is a Python file, and has to write down how to get the value again. A lambda, a function
#   inside a function and an object that cannot say how it was made have no such way. Nothing is lost.
# broken: [models-files]
# data: untouched
# undo: migrate back, and delete the new migration
# safe_in: production
# applied: nowhere yet
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop")
MODELS = "library/models.py"
TITLE = "    title = models.CharField(max_length=200)\n"
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
LAMBDA = '    shelf = models.CharField(max_length=20, default=lambda: "hall")\n'
CHECKED = TITLE.replace("200", "200, validators=[Printable()]")
CLOSURE = ISBN.replace('""', '"", validators=[at_most(13)]')
NESTED = """def at_most(length):
    def check(value):
        if len(value) > length:
            raise ValidationError("This is too long.")

    return check


"""
OBJECT = """class Printable:
    def __call__(self, value):
        if not value.isprintable():
            raise ValidationError("This cannot be printed.")

    def __repr__(self):
        return "Printable()"


"""
MAKE = "python manage.py makemigrations library --name shelf"
ROWS = "select id, title, isbn from library_book order by id"
before = laptop.rows(ROWS)

# %% [markdown]
# You add a field whose default is a lambda. Two fields get validators: a function that another function
# returns, and an object. A field of the other app is changed too.

# %% tags=["setup"]
HEAD = "from django.core.exceptions import ValidationError\nfrom django.db import models\n"
laptop.replace(MODELS, "from django.db import models\n", HEAD)
laptop.replace(MODELS, "class Book(", f"{NESTED}{OBJECT}class Book(")
laptop.replace(MODELS, TITLE, CHECKED + LAMBDA)
laptop.replace(MODELS, ISBN, CLOSURE)
laptop.replace("lending/models.py", "unique=True", 'unique=True, help_text="Private"')
put_back = laptop.clone("put-back")
both = laptop.clone("both")

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# `makemigrations` stops at the first value that it cannot write:

# %%
laptop.run(MAKE, fails="Cannot serialize function: lambda")

# %% [markdown]
# `--check` writes nothing, and so it does not say why:

# %%
checked = laptop.run(
    "python manage.py makemigrations library --check", fails="Add field shelf to book"
)

# %% [markdown]
# **Without the name of an app, an app before it may have its file already.** Keep it or delete it: it is
# whole, and Git shows it.

# %%
both.run("python manage.py makemigrations --name shelf", fails="Cannot serialize function: lambda")
status = both.run("git status --short")

# %% [markdown]
# - **`squashmigrations` says it:** a `RunPython` has a lambda. Read
#   [A squash with RunPython](../squashing/squash-with-runpython.md).
# - **Each run writes another migration:** read
#   [its page](../mismatch/makemigrations-never-settles.md).
#
# ## Fix it
#
# Give the default a name, at the level of the module. A constant would do as well.
# **From now on this function has to stay where it is, under this name.**

# %% tags=["fix"]
laptop.replace(MODELS, 'default=lambda: "hall"', "default=hall")

# %% tags=["fix"]
laptop.replace(MODELS, "class Printable", 'def hall():\n    return "hall"\n\n\nclass Printable')

# %% [markdown]
# The next value is the function inside a function. It has a name, but nobody can import it:

# %%
laptop.run(MAKE, fails="Could not find function check in library.models.")

# %% [markdown]
# Take the inner function out, and give it its argument with `functools.partial`, which a migration can
# write.

# %% tags=["fix"]
laptop.replace(
    MODELS,
    NESTED,
    """def check_length(length, value):
    if len(value) > length:
        raise ValidationError("This is too long.")


""",
)

# %% tags=["fix"]
laptop.replace(MODELS, "[at_most(13)]", "[partial(check_length, 13)]")

# %% tags=["fix"]
laptop.replace(MODELS, HEAD, f"from functools import partial\n\n{HEAD}")

# %% [markdown]
# The last one is the object. Nothing tells Django with which arguments it was made:

# %%
laptop.run(MAKE, fails="There are some values Django cannot serialize into migration files.")

# %% [markdown]
# `@deconstructible` keeps them.

# %% tags=["fix"]
laptop.replace(MODELS, "class Printable", "@deconstructible\nclass Printable")

# %% tags=["fix"]
laptop.replace(
    MODELS,
    "import models\n",
    "import models\nfrom django.utils.deconstruct import deconstructible\n",
)

# %% tags=["fix"]
laptop.run("python manage.py makemigrations --name shelf && python manage.py migrate --verbosity 0")

# %% [markdown]
# ## Make sure
#
# The chain is whole, and a second run has nothing to write. The file imports all three from your models:

# %% tags=["after"]
laptop.chain()

# %%
laptop.run("python manage.py makemigrations --check")
names = laptop.run("cat library/migrations/0007_shelf.py | grep library.models")

# %% [markdown]
# ## Undo it
#
# As long as you have not pushed: go back, and delete the file. The models are as you left them.

# %%
undone = laptop.clone("undone")
undone.run("python manage.py migrate library 0006 --verbosity 0")
undone.run("rm library/migrations/0007_shelf.py")
undone.run("python manage.py makemigrations library --check", fails="Add field shelf to book")

# %% [markdown]
# ## What not to do
#
# **Do not delete or rename the function later**, not even with the field. The old migration goes on
# importing it, also on a database that applied it long ago:

# %%
later = laptop.clone("later")
later.replace(MODELS, LAMBDA.replace('lambda: "hall"', "hall"), "")
later.run("python manage.py makemigrations library --name no_shelf --noinput --verbosity 0")
works = later.run("python manage.py migrate --verbosity 0")
later.replace(MODELS, 'def hall():\n    return "hall"\n\n\n', "")
later.run(
    "python manage.py migrate",
    fails="AttributeError: module 'library.models' has no attribute 'hall'",
)

# %% [markdown]
# Put it back: [code that a migration imports](../data/two-ways-to-read-models.md) stays as long as the
# migration does.
#
# **Do not take the value out, make the migration, and put it back.** The value differs from what the
# migration says. The next `makemigrations`, which may be a colleague's, stops in the same way:

# %%
for old, new in (
    ('default=lambda: "hall"', 'default="hall"'),
    (", validators=[at_most(13)]", ""),
    (", validators=[Printable()]", ""),
):
    put_back.replace(MODELS, old, new)
put_back.run("python manage.py makemigrations --name shelf --verbosity 0")
put_back.replace(MODELS, 'default="hall"', 'default=lambda: "hall"')
put_back.run(
    "python manage.py makemigrations --name again", fails="Cannot serialize function: lambda"
)

# %% [markdown]
# ## Why it happens
#
# A migration keeps a field with all its arguments, also those that no database sees. For each value
# Django writes an expression: a number as it stands, a function or class as an import. So it needs a
# module and a name in it. A lambda has no name, an inner function exists only while the outer one
# runs, and of an object Django knows the class and not the arguments. The models are ahead of the
# files on [the chain](../../guide/the-chain.md) until it can write them.
#
# ## Keep it from happening
#
# Keep what migrations import in a module of its own, and say there that nothing may go.
#
# **In review, ask:** which functions and classes do the migrations import from now on, and who may delete them?
#
# **In CI:** `python manage.py makemigrations --check` fails in both cases: here the migration is missing, later the import.
#
# ## Run it yourself
#
# Leave out `@deconstructible`. `makemigrations` stops at `Printable()` again.

# %% tags=["check"]
assert "Cannot serialize" not in checked, "--check does not say why"
assert "?? lending/migrations/0008_shelf.py" in status, "the app before it has its file"
assert "?? library/" not in status, "this one has none"
assert all(f"library.models.{name}" in names for name in ("hall", "Printable", "check_length"))
assert laptop.rows(ROWS) == before, "no row changed"
shelves = laptop.rows("select distinct shelf from library_book order by shelf")
assert shelves == [("hall",)], "and each book got the default"
assert works == "", "with the function, it works"
later.run("python manage.py makemigrations --check", fails="has no attribute 'hall'")
