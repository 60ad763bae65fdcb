# ---
# title: The next release came before the fill had finished
# symptoms: []
# cause: >-
#   A command fills a new column after the deploy, because it takes long. The next release requires the
#   column, and rows are still empty. migrate stops, and changes nothing. No row is lost.
# broken: []
# data: "untouched: only empty rows are filled"
# undo: migrate back one migration; the values stay
# safe_in: "production: the fill goes on while people read and write"
# applied: "elsewhere too: where all rows are filled, it went through"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %%
from playbook_kit import Sandbox, on

laptop, production = Sandbox("laptop"), Sandbox("production")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
SHELF = "    shelf = models.CharField(max_length=1, null=True)\n"
COMMAND = """from django.core.management import BaseCommand

from library.models import Book


class Command(BaseCommand):
    help = "Fill the shelf of each book that has none. It may be stopped, and started again."

    def add_arguments(self, parser):
        parser.add_argument("--batches", type=int, help="stop after so many")

    def handle(self, batches, **options):
        todo, done = Book.objects.filter(shelf=None).order_by("pk"), 0
        while (batch := todo.select_related("author")[:2]) and done != batches:
            for book in batch:
                value = book.author.name[0]
                Book.objects.filter(pk=book.pk, shelf=None).update(shelf=value)
            done += 1
        self.stdout.write(f"{todo.count()} left")
"""
GUARD = """def none_is_left(apps, schema_editor):
    books = apps.get_model("library", "Book").objects.using(schema_editor.connection.alias)
    if left := books.filter(shelf=None).count():
        raise ValueError(f"{left} books have no shelf. Next: python manage.py fill_shelves")


class Migration"""
STOPS = on(
    SQLite="NOT NULL constraint failed: new__library_book.shelf",
    PostgreSQL='column "shelf" of relation "library_book" contains null values',
)
SHELVES = "select id, title, shelf from library_book order by id"
FILE = "library/migrations/0008_shelf_required.py"

# %% [markdown]
# The first release adds a column that may be empty, and a command that fills it. (Two books at a time
# here; take a thousand.) It skips what is filled, so it may be stopped at any time.

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, COPIES + SHELF)
laptop.run("python manage.py makemigrations library --name shelf --verbosity 0")
laptop.write("library/management/commands/fill_shelves.py", COMMAND)
laptop.run("git add . && git commit --quiet --message 'A shelf' && git push --quiet")
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")

# %% [markdown]
# On production somebody has typed one shelf, and the command has run for a while.

# %% tags=["setup"]
production.rows("update library_book set shelf = 'Z' where id = 1")
production.run("python manage.py fill_shelves --batches 1")

# %% [markdown]
# The second release requires the column. On the laptop all books have a shelf.

# %% tags=["setup"]
laptop.run("python manage.py migrate --verbosity 0 && python manage.py fill_shelves")
laptop.replace("library/models.py", SHELF, SHELF.replace(", null=True", ""))
laptop.run("python manage.py makemigrations library --name shelf_required", answers=["2"])
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Require the shelf' && git push --quiet")
production.run("git pull --quiet --no-rebase")
production.run("python manage.py migrate --verbosity 0", fails=STOPS)
guarded, given, inside = (production.clone(name) for name in ("guarded", "given", "inside"))

# %% tags=["before"]
before = production.rows(SHELVES)
production.chain()

# %% [markdown]
# ## Is this your case?
#
# The deploy stops, and `showmigrations` lists the new migration as not applied:

# %%
production.run("python manage.py migrate library", fails=STOPS)
production.run("python manage.py showmigrations library | grep required")

# %% [markdown]
# Rows are empty, and there is a command that fills them:

# %%
empty = production.rows("select count(*) from library_book where shelf is null")

# %% [markdown]
# - **There is no such command:** read
#   [A required field meets rows that are empty](../changes/make-column-required.md).
# - **Filling makes the application wait:** read
#   [Filling a new column stops the application](../production/backfill-under-load.md).
# - **The code that runs writes empty rows:** the fill never ends.
#   [Ship code that fills them](../production/remove-or-require-a-field.md#add-a-required-field) first.
#
# ## Fix it
#
# Let the command finish. It goes on where it stopped, and leaves what people typed.

# %% tags=["fix"]
production.run("python manage.py fill_shelves")

# %% [markdown]
# **Go on only if it says that none is left.** Then deploy again.

# %% tags=["fix"]
production.run("python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Nothing is pending. Book 1 has the shelf that was typed, the others have the letter of their author.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(SHELVES)

# %% [markdown]
# ## Undo it
#
# Migrate back. The column may be empty again, and the values stay.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0007 --verbosity 0")
kept = undone.rows(SHELVES)

# %% [markdown]
# ## What not to do
#
# **Do not give the rest a value to get past it.** No query tells afterwards which rows were filled:

# %%
given.rows("update library_book set shelf = 'A' where shelf is null")
given.run("python manage.py migrate --verbosity 0")
made_up = given.rows(SHELVES)

# %% [markdown]
# **Do not put the fill into the migration after all.** The deploy waits until it ends, and
# [all rows stay locked](batches.md#what-each-one-costs) as long.
#
# ## Why it happens
#
# A migration is recorded when it has run. That a command has finished is recorded nowhere: the rows
# alone tell. `makemigrations` does not look at rows, and your own database is filled in a second. On
# [the chain](../../guide/the-chain.md) all links hold, with one migration to apply.
#
# ## Keep it from happening
#
# Let the migration ask for the rows before it sends anything, and say what to type:

# %%
guarded.replace(FILE, "class Migration", GUARD)
operations = "    operations = [\n"
asked = "        migrations.RunPython(none_is_left, migrations.RunPython.noop),\n"
guarded.replace(FILE, operations, operations + asked)
guarded.run("python manage.py migrate --verbosity 0", fails="Next: python manage.py fill_shelves")
guarded.run("python manage.py fill_shelves && python manage.py migrate --verbosity 0")

# %% [markdown]
# Run the command between two releases, and look at its last line before the second.
#
# **In review, ask:** which rows does this migration rely on, and does it stop, with a sentence, where
# they are missing?
#
# **In CI:** nothing sees this: a new database has no rows. On a copy of production,
# [the rehearsal](../production/rehearse-on-a-copy.md) stops.
#
# ## Run it yourself
#
# In the setup, write `--batches 9`. The command finishes, production does not stop, and the playbook
# does.

# %% tags=["check"]
inside.run("python manage.py fill_shelves --batches 1")
assert inside.rows("select count(*) from library_book where shelf is null") != empty, "it goes on"
assert [row[2] for row in before].count(None) == empty[0][0] == 3, "three rows were empty"
assert [row[2] for row in after] == ["Z", "J", "M", "B", "H", "H"], "filled, and Z is kept"
assert [row[:2] for row in after] == [row[:2] for row in before], "nothing else has changed"
assert kept == after, "the way back changes no row"
assert [row[2] for row in made_up].count("A") == 3, "made up"
assert guarded.rows(SHELVES) == after, "the guard changes nothing"
assert guarded.chain().whole, "and the migration is applied"
assert not guarded.chain().pending, "when the command has finished"
