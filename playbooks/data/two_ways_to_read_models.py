# ---
# title: A data migration reads models, two ways
# answer: >-
#   Of eight habits, six pass on one kind of database and fail on the other: try a data migration on
#   a full database and on an empty one. Take the models from `apps.get_model`, name in
#   `dependencies` what you read, and copy in the code that you call.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %% [markdown]
# Each row is a data migration, written twice: the usual way and the safe way. Seven of the eight
# turn all titles into capital letters; the last gives a group a permission.
#
# - **Author's database**: the one that was there when the migration was written, with six books.
# - **Fresh database**: an empty one, as in CI, that runs all migrations later. By then
#   somebody has added a field to `Book`, and deleted the module with the helper.
#
# A cell says **works** if `migrate` succeeds, the rows are as meant, and
# [the chain](../../guide/the-chain.md) is whole.

# %%
import re

from playbook_kit import Sandbox, on, table

MIGRATE = "python manage.py migrate --verbosity 0"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
TITLES = "select count(*) from library_book where title <> upper(title)"
NOT_GRANTED = (
    "select 1 - count(*) from auth_group_permissions gp join auth_group g on g.id = gp.group_id "
    "join auth_permission p on p.id = gp.permission_id "
    "where g.name = 'Librarians' and p.codename = 'change_book'"
)
NO_FIELD_YET = "    copies = models.PositiveIntegerField(default=1)\n"
FIELD = '    language = models.CharField(max_length=20, default="en")\n'
ERROR = re.compile(r"[\w.]+(Error|DoesNotExist): ")  # the last line of a traceback
errors = {}


def outcome(place, wrong):
    """What comes of `migrate` here: `wrong` counts the rows that are not as meant."""
    output = place.attempt(MIGRATE)
    if output.code:
        said = [line for line in output.splitlines() if ERROR.match(line)][-1]
        error, _, says = said.partition(": ")
        errors[place.name] = says
        return f"**stops**: `{error.rpartition('.')[2]}`"
    (count,) = place.rows(wrong)[0]
    if count:
        return f"**wrong rows**: {count}"
    return "works" if place.chain().whole else "**broken**"


def both(place, wrong):
    """The author's database today and later, and then a fresh one with all of the files."""
    today = outcome(place, wrong)
    later = place.clone(f"{place.name}-later")
    later.run("rm -f library/shout.py")
    later.replace("library/models.py", NO_FIELD_YET, NO_FIELD_YET + FIELD)
    later.attempt("python manage.py makemigrations library --name language --verbosity 0")
    fresh = later.clone(f"{place.name}-fresh")
    if today == "works" != (then := outcome(later, wrong)):
        today = f"works; later {then}"
    fresh.run(NEW)
    return today, outcome(fresh, wrong)


# %% [markdown] tags=["setup"]
# The model has a method, a `save()` of its own, a manager with a method, and a manager that hides
# books of which there are few. A helper stands in a module.

# %% tags=["setup"]
library = Sandbox("library")
library.replace("library/models.py", "class Book(", '''class Books(models.Manager):
    def with_title(self):
        return self.exclude(title="")


class Lendable(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(copies__gt=2)


class Book(''')  # fmt: skip
library.replace("library/models.py", "    class Meta:\n", '''    objects = Books()
    lendable = Lendable()

    def shout(self):
        return self.title.upper()

    def save(self, **options):
        self.title = self.shout()
        super().save(**options)

    class Meta:
''')  # fmt: skip
library.write("library/shout.py", "def shout(title):\n    return title.upper()\n")
GET = 'Book = apps.get_model("library", "Book")'
EACH = """for book in Book.objects.all():
        book.title = book.title.upper()
        book.save(update_fields=["title"])"""
SAFE = f"{GET}\n    {EACH}"


def written(name, body, imports="", needs="", app="library", on="0006_find_books_by_title"):
    """A working copy with this data migration."""
    place = library.clone(name)
    place.write(
        f"{app}/migrations/{int(on[:4]) + 1:04}_{name}.py",
        f"""from django.db import migrations
{imports}

def move(apps, schema_editor):
    {body}


class Migration(migrations.Migration):
    dependencies = [("{app}", "{on}"){needs}]
    operations = [migrations.RunPython(move, migrations.RunPython.noop)]
""",
    )
    return place


# %% tags=["setup"]
REAL = "\nfrom library.models import Book\n"
imported = written("imported", EACH, REAL)
hiding = written("hiding", EACH.replace("objects", "lendable"), REAL)
safe = written("capitals", SAFE)

# %% tags=["setup"]
own_save = written("own_save", f"{GET}\n    for book in Book.objects.all():\n        book.save()")
method = written("method", SAFE.replace("book.title.upper()", "book.shout()"))
manager = written("manager", SAFE.replace("all()", "with_title()"))
filtered = written("filtered", SAFE.replace("all()", 'exclude(title="")'))

# %% tags=["setup"]
HELPED = SAFE.replace("book.title.upper()", "shout(book.title)")
helper = written("helper", HELPED, "\nfrom library.shout import shout\n")
copied = written("copied", HELPED, "\n\ndef shout(title):\n    return title.upper()\n")

# %% tags=["setup"]
GENRES = 'Genre = apps.get_model("library", "Genre")\n    ' + SAFE.replace(
    "all()", "filter(genres__in=Genre.objects.all()).distinct()"
)
LENDING = {"app": "lending", "on": "0007_unique_reader_email"}
stranger = written("stranger", GENRES, **LENDING)
named = written("named", GENRES, needs=', ("library", "0004_genre")', **LENDING)

# %% tags=["setup"]
GROUP = """Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    group, _ = Group.objects.get_or_create(name="Librarians")
    """
LEAVES = """, ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name")"""
ADD = 'group.permissions.add(Permission.objects.get(codename="change_book"))'
MAKE = """ContentType = apps.get_model("contenttypes", "ContentType")
    kind, _ = ContentType.objects.get_or_create(app_label="library", model="book")
    permission, _ = Permission.objects.get_or_create(
        content_type=kind, codename="change_book", defaults={"name": "Can change book"}
    )
    group.permissions.add(permission)"""
expected = written("expected", GROUP + ADD, needs=LEAVES)
made = written("made", GROUP + MAKE, needs=LEAVES)

# %%
TWO_WAYS = [
    ("imports the model from the app", imported, safe, "`apps.get_model`"),
    ("imports it, and its manager hides rows", hiding, safe, "`apps.get_model`: it hides none"),
    ("relies on the model's own `save()`", own_save, safe, "what `save()` does, in the migration"),
    ("calls a method of the model", method, copied, "the method, copied in as a function"),
    ("calls a method of its manager", manager, filtered, "the filter, written out"),
    ("imports a helper from the app", helper, copied, "the helper, copied in"),
    ("reads another app that it does not name", stranger, named, "a line in `dependencies`"),
    ("expects a permission to be there", expected, made, "`get_or_create`, for both of its tables"),
]
cells = {}
for _, usual, way, _ in TWO_WAYS:
    for place in (usual, way):
        if place.name not in cells:
            cells[place.name] = both(place, NOT_GRANTED if way is made else TITLES)
rows = [
    [habit, *cells[usual.name], " / ".join(dict.fromkeys(cells[way.name])), write]
    for habit, usual, way, write in TWO_WAYS
]
table(
    "Two ways to read models",
    ["the habit", "author's database", "fresh database", "safe way, on both", "what to write"],
    rows,
)

# %% [markdown]
# ## What each one says
#
# **Wrong rows** say nothing: the exit code is 0, and the number counts the rows that were missed.

# %%
says = {}
for habit, usual, *_ in TWO_WAYS:
    for name in (usual.name, f"{usual.name}-fresh"):
        if name in errors:
            says.setdefault(f"`{errors[name]}`", habit)
table("What each one says", ["the error", "the habit"], [list(row) for row in says.items()])

# %% [markdown]
# ## Why they are found late
#
# - **A historical model** has the fields of its day, and none of the methods and managers above. The
#   imported one has the fields of today, and queries them all.
# - **An empty database has no rows** in which a method could be missing, or a `save()`.
# - **Permissions and content types** are made at the end of a `migrate`, not on the way. Where an
#   earlier `migrate` has ended, the same file passes.
# - **A helper that is gone** stops every command that reads the files, on databases that have applied
#   the migration too.
#
# What happens to a data migration later, when it is run again or taken back, is on
# [A data migration, written two ways](two-ways-to-move-rows.md).

# %%
twice = expected.clone("twice")
twice.run(f"{NEW} && {MIGRATE}", fails="Permission matching query does not exist.")
twice.run(f"{NEW} && python manage.py migrate auth --verbosity 0")
twice.run(f"python manage.py migrate library 0006 --verbosity 0 && {MIGRATE}")

# %%
gone = helper.clone("gone")
gone.run(f"{MIGRATE} && rm library/shout.py")
gone.run("python manage.py showmigrations", fails="No module named 'library.shout'")

# %% tags=["check"]
NO_COLUMN = on(
    SQLite="no such column: library_book.language",
    PostgreSQL="column library_book.language does not exist",
)
usual = [tuple(row[1:3]) for row in rows]
one_sided = [cell for cell in usual if [one.startswith("works") for one in cell].count(True) == 1]
assert (len(rows), len(one_sided)) == (8, 6), "six of eight pass on one kind of database only"
assert all(row[3] == "works" for row in rows), "the safe way works on both"
assert usual[1][0] == "**wrong rows**: 2", "a manager hides two books"
assert usual[2] == ("**wrong rows**: 6", "works"), "no row was saved by the model's own save()"
assert usual[3] == ("**stops**: `AttributeError`", "works"), "an empty database calls no method"
assert usual[5][0] == "works; later **stops**: `ModuleNotFoundError`", "the author's stops as well"
assert errors["imported-fresh"] == NO_COLUMN, "a field of later"
assert errors["stranger-fresh"] == "App 'library' doesn't have a 'Genre' model.", "not there yet"
assert errors["manager"] == "'Manager' object has no attribute 'with_title'", "a plain manager"
assert twice.rows(NOT_GRANTED) == [(0,)], "in two steps the group has its permission"
duplicates = "select count(*) from auth_permission group by content_type_id, codename"
made.run(f"{NEW} && {MIGRATE}")
assert not made.rows(f"{duplicates} having count(*) > 1"), "nothing is made twice"
