# ---
# title: What a migration's name decides
# answer: >-
#   Two independent parents of a merge run on a new database in an order that their names decide.
#   Commands find a migration by the beginning of its name. Django's own names say which field
#   changes, and never why.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# ## What Django calls it
#
# Each row is a change in `library`, and the name that `makemigrations` gives to its migration.

# %%
from playbook_kit import Sandbox, on, table

laptop = Sandbox("laptop")
MAKE = "python manage.py makemigrations library"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
GENRES = "    genres = models.ManyToManyField(Genre, blank=True)\n"
META = "    class Meta:\n"
BOOK = "class Book(models.Model):\n"
TITLE = 'models.Index(fields=["title"], name="library_book_title")'
FIELD = (COPIES, f'{COPIES}    language = models.CharField(max_length=20, default="en")\n')
ALTER = ("max_length=13", "max_length=17")
MODEL = (BOOK, f"class Publisher(models.Model):\n    pass\n\n\n{BOOK}")
INDEX = (TITLE, f'{TITLE}, models.Index(fields=["isbn"], name="by_isbn")')
OPTIONS = (META, f'{META}        verbose_name_plural = "volumes"\n')
CHANGES = {
    "a field is added": ((FIELD,), "its type, its default"),
    "a field is altered": ((ALTER,), "what of it: here, the length"),
    "a field is renamed": (((GENRES, GENRES.replace("genres", "kinds", 1)),), "the reason"),
    "a field is removed": (((GENRES, ""),), "the reason"),
    "a model is added": ((MODEL,), "its fields"),
    "an index is added": ((INDEX,), "that it is an index"),
    "options of a model change": ((OPTIONS,), "which ones"),
    "three of these": ((MODEL, FIELD, ALTER), "what they are for"),
    "five of these": ((MODEL, FIELD, ALTER, INDEX, OPTIONS), "two of the five"),
}


def named(number, edits):
    """The name that Django gives to the migration of these edits, without writing it."""
    place = laptop.clone(f"change-{number}")
    for old, new in edits:
        place.replace("library/models.py", old, new)
    output = place.run(f"{MAKE} --dry-run", answers=["y"])
    return output.partition("library/migrations/")[2].partition(".py")[0]


# %%
names = [
    [change, f"`{named(number, edits)}`", omits]
    for number, (change, (edits, omits)) in enumerate(CHANGES.items())
]
AUTO = "0007_auto_????????_????"
empty = laptop.clone("empty")
empty.run(f"{MAKE} --empty --verbosity 0")
removed = empty.attempt(f"rm library/migrations/{AUTO}.py").code == 0
names.append(
    ["nothing: `--empty`", f"`{AUTO}`" if removed else "", "all: it is the date and the time"]
)
columns = ["what changes", "the name", "what the name leaves out"]
table("What Django calls it", columns, names)

# %% [markdown]
# Each `?` of the last row is a digit. A name that you give with `--name` can say what the change is
# for.
#
# ## How commands read it
#
# Where a row names files, these are the migrations after `0006`.

# %% [markdown] tags=["setup"]
# Two migrations, one on top of the other; the name of the first is the beginning of the second. And
# a file whose name begins with `_`:

# %% tags=["setup"]
begins = laptop.clone("begins")
begins.run(f"{MAKE} --empty --name book --verbosity 0")
only = begins.clone("only")
begins.run("cp library/migrations/0007_book.py library/migrations/0007_book_language.py")
begins.replace("library/migrations/0007_book_language.py", "0006_find_books_by_title", "0007_book")
hidden = only.clone("hidden")
hidden.run("mv library/migrations/0007_book.py library/migrations/_0007_book.py")


# %%
def read(files, place, line):
    """A row: a command, its exit code, and the line that says what came of it."""
    output = place.attempt(line)
    last = output.strip().splitlines()[-1].strip().removeprefix("CommandError: ")
    return [files, f"`{line[17:]}`", str(output.code), f"`{last}`"]


NEW = f"{MAKE} --empty --name"
written = laptop.clone("written")
BOTH = "`0007_book`, `0007_book_language`"
MIGRATE = "python manage.py migrate"
reads = [
    read("none", written, f"{NEW} add_language"),
    read("none", written, f"{NEW} 0008_add_language"),
    read("none", written, f"{NEW} add-language"),
    read("`0007_book`", only, f"{MIGRATE} library 7"),
    read("`0007_book`", only, f"{MIGRATE} library 0007"),
    read(BOTH, begins, f"{MIGRATE} library 0007"),
    read(BOTH, begins, f"{MIGRATE} library 0007_book"),
    read(BOTH, begins, f"{MIGRATE} library 0007_book_"),
    read("`_0007_book`", hidden, MIGRATE),
]
table("How commands read a name", ["files", "what you type", "exit code", "what it says"], reads)

# %% [markdown]
# - **Give the word alone to `--name`.** Django puts the number before it.
# - **Let no name begin with the whole of another.** `0007_book` cannot be named any more:
#   [the whole name is refused too](../conflicts/numbers-collide.md#the-whole-name-is-refused-too).
# - **A file that begins with `_` is no migration**, and nothing says so.
# - **A name that was used before is skipped without a word**:
#   [a new migration took an old name](../mismatch/name-reused.md). One that is changed after it has
#   run [runs again](../conflicts/applied-then-rebased.md).
#
# ## Which parent of a merge runs first
#
# One migration adds the genre `Unsorted`, the other writes all genres in capitals. They have the
# same parent, and a merge joins them. From row to row only their names differ; in the last row, the
# second names the first as its parent, and there is no merge.

# %% [markdown] tags=["setup"]
# The two migrations, with the names of the first row:

# %% tags=["setup"]
fork = laptop.clone("fork")
MIGRATION = """\
from django.db import migrations


def change(apps, schema_editor):
    Genre = apps.get_model("library", "Genre")
    %s


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.RunPython(change)]
"""
CAPITALS = """\
for genre in Genre.objects.all():
        genre.name = genre.name.upper()
        genre.save()"""
fork.write("add.txt", MIGRATION % 'Genre.objects.create(name="Unsorted")')
fork.write("capitals.txt", MIGRATION % CAPITALS)
NEW = on(SQLite="rm -f db.sqlite3", PostgreSQL="dropdb library && createdb library")
fork.run(NEW)


# %%
def genres(place, *targets):
    """The genres of a new database that is migrated to each of these targets, and then to all."""
    place.run(f"{NEW} && python manage.py migrate library 0006 --verbosity 0")
    for target in targets:
        place.run(f"{MIGRATE} library {target} --verbosity 0")
    order = place.run(f"{MIGRATE} library")
    return ", ".join(name for (name,) in place.rows("select name from library_genre")), order


def merged(add, capitals, one_line=False):
    """A row of the third table."""
    place = fork.clone(f"{add}-{capitals}-{one_line}")
    place.run(f"cp add.txt library/migrations/{add}.py")
    place.run(f"cp capitals.txt library/migrations/{capitals}.py")
    if one_line:
        place.replace(f"library/migrations/{capitals}.py", "0006_find_books_by_title", add)
    else:
        place.run(f"{MAKE} --merge --noinput --name both --verbosity 0")
    genre, order = genres(place)
    first = min((add, capitals), key=lambda name: order.index(f"library.{name}"))
    later = [genres(place, name)[0] for name in (add, capitals)]
    line = "one line: " if one_line else ""
    return [f"{line}`{add}`, `{capitals}`", f"`{first}`", genre, *later]


orders = [
    merged("0007_add_unsorted", "0007_capitals"),
    merged("0007_unsorted_genre", "0007_capitals"),
    merged("0007_add_unsorted", "0008_capitals"),
    merged("0007_add_unsorted", "0007_capitals", one_line=True),
]
columns = ["names", "a new database runs first", "its genre", "`Unsorted` first", "capitals first"]
table("Which parent runs first", columns, orders)

# %% [markdown]
# On a new database the name that comes last in the alphabet runs first, so `0008` runs before `0007`.
# The last two columns are databases that applied the two one by one: there, that order counts. Only
# a migration that names the other as its parent comes after it everywhere:
# [put yours on top](../conflicts/linear-history.md).

# %% tags=["check"]
assert [cells[1] for cells in names] == [
    "`0007_book_language`",
    "`0007_alter_book_isbn`",
    "`0007_rename_genres_book_kinds`",
    "`0007_remove_book_genres`",
    "`0007_publisher`",
    "`0007_book_by_isbn`",
    "`0007_alter_book_options`",
    "`0007_publisher_book_language_alter_book_isbn`",
    "`0007_publisher_alter_book_options_book_language_and_more`",
    f"`{AUTO}`",
], "Django names what changes, and cuts a long name"
assert [cells[2] for cells in reads] == list("011101100"), "what is accepted, and what is not"
assert "0007_add_language" in reads[0][3], "the number is put before the word"
assert all("valid Python identifier" in cells[3] for cells in reads[1:3]), "a word, and no number"
assert "No migrations to apply" in reads[8][3], "a file with _ is passed over in silence"
SMALL, LARGE = "Unsorted", "UNSORTED"
assert [cells[1:] for cells in orders] == [
    ["`0007_capitals`", SMALL, LARGE, SMALL],
    ["`0007_unsorted_genre`", LARGE, LARGE, SMALL],
    ["`0008_capitals`", SMALL, LARGE, SMALL],
    ["`0007_add_unsorted`", LARGE, LARGE, LARGE],
], "names decide between two parents, and a parent decides everywhere"
hidden.run("python manage.py makemigrations --check --noinput")
