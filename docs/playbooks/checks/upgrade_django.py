# ---
# title: Old migration files after an upgrade of Django
# answer: >-
#   An old file that imports what is gone stops `migrate`, while `check` passes. Say the same in
#   today's words, in the old file: no database then has anything to do. A removed kind of field may
#   stay in old files. Only the model changes.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is an old migration that a database has applied. What comes out differently on another
# version [has a table of its own](../../reference/django-versions.md).
#
# ## Files that no longer load
#
# - **`migrate` stops with**: so does each command that reads the migration files. `check` passes.
# - **Write**: the edit of that file.
# - **Applied**: a database that has run it. After the edit, `migrate --check` and `makemigrations
#   --check` find nothing, and [the chain](../../guide/the-chain.md) is whole.
# - **New**: the same of an empty database, after `migrate`.

# %%
import re

from playbook_kit import Sandbox, on, table

MODELS, FILE = "library/models.py", "library/migrations/0007_old.py"
MIGRATE, CHECK = "python manage.py migrate", "python manage.py makemigrations --check --noinput"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
HEAD = """{}
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [migrations.{}]
"""
ADD = 'AddField("book", "it", {}, preserve_default=False)'.format
project = Sandbox("project")


def applied(name, operation, imports="", field=""):
    """A place whose database has applied this file; with a field, the models have it too."""
    place = project.clone(name)
    if field:
        place.replace(MODELS, COPIES, f"{COPIES}    it = {field}\n")
    place.write(FILE, HEAD.format(imports, operation))
    place.run(f"{MIGRATE} --verbosity 0")
    return place


def fine(place):
    """Whether nothing is left to do here."""
    code = place.attempt(f"{MIGRATE} --check && {CHECK}").code
    return "fine" if not code and place.chain().whole else "**not fine**"


# %% [markdown] tags=["setup"]
# No old Django is here. So these databases run the file in today's words. Then it gets its old words.

# %% tags=["setup"]
GENRE = 'models.ForeignKey("library.Genre", models.CASCADE, null=True, related_name="+")'
WHY = "models.TextField(null=True, help_text={})".format
DAY = "models.DateTimeField(default=datetime(2020, 1, 1, tzinfo=timezone.utc))"
LAZY = "from django.utils.translation import gettext_lazy as _"
translated = applied("translated", ADD(WHY('_("Why")')), LAZY, WHY('"Why"'))
ZONE = "from datetime import datetime, timezone"
dated = applied("dated", ADD(DAY), ZONE, "models.DateTimeField()")
linked = applied("linked", ADD(GENRE), "", GENRE)
strings = applied("strings", ADD(WHY('"Why"')), "", WHY('"Why"'))

# %% [markdown] tags=["setup"]
# This one runs in its old words, with a field of a library. Then the model gets the field of Django
# that it was built on, and the library goes.

# %% tags=["setup"]
coloured = project.clone("coloured")
COLOUR = "from django.db import models\n\n\nclass ColourField(models.CharField):\n    pass\n"
coloured.write("colours.py", COLOUR)
coloured.write(
    FILE, HEAD.format("import colours", ADD("colours.ColourField(max_length=7, null=True)"))
)
coloured.run(f"{MIGRATE} --verbosity 0 && rm colours.py")
coloured.replace(MODELS, COPIES, f"{COPIES}    it = models.CharField(max_length=7, null=True)\n")

# %%
FILES = [
    ("`ugettext_lazy`", translated, ("import gettext_lazy", "import ugettext_lazy"), "`gettext_lazy`"),
    ("`utc` of `django.utils.timezone`", dated, ("datetime, timezone", "datetime\n\nfrom django.utils import timezone"), "`from datetime import timezone`"),
    ("`ForeignKey` without `on_delete`", linked, ('"library.Genre", models.CASCADE', '"library.Genre"'), "`on_delete=models.CASCADE`"),
    ("`six`, imported and not used", strings, ("\nfrom django.db", "from django.utils import six\n\nfrom django.db"), "nothing: delete the line"),
    ("a field of a library that is gone", coloured, ("colours.Colour", "models.Char"), "the field that it was built on"),
]  # fmt: skip


def stops(place):
    """The error of `migrate --check`, without a path, and without what a newer Python guesses."""
    place.run("python manage.py check")
    said = place.carry_out(f"{MIGRATE} --check").output.splitlines()[-1]
    return f"`{said.partition(' (')[0].partition('. Did you mean')[0]}`"


loads = []
for what, place, (today, old), write in FILES:
    if place is coloured:
        error = stops(place)
        place.replace(FILE, "import colours\n", "")
        place.replace(FILE, today, old)
    else:
        place.replace(FILE, today, old)
        error = stops(place)
        place.replace(FILE, old, today)
    has_it = fine(place)
    empty = place.clone(f"new-{place.name}")
    empty.run(f"{NEW} && {MIGRATE} --verbosity 0")
    loads.append([what, error, write, has_it, fine(empty)])
table(
    "Files that no longer load",
    ["in the old file", "`migrate` stops with", "write", "applied", "new"],
    loads,
)

# %% [markdown]
# - **The edit says the same.** What the file does to the schema stays as it is: databases that have run
#   it [never see another edit](../mismatch/edited-after-applying.md).
# - **Do not take the operation out.** `makemigrations` misses the field, adds it again in a new file,
#   and `migrate` stops at a column that exists.
# - **Do not delete the file.** Its row stays, as [a ghost](../mismatch/ghost-migration.md).
# - **`on_delete`**: write what the model says. With another value, `makemigrations` finds a change.
#
# ## Removed fields that may stay
#
# Django keeps these names for old migrations. The system check refuses them in models. So the file
# stays, the model gets today's field, and `makemigrations` writes a new migration.
#
# - **In models**: the error of `check`.
# - **SQL**: how many statements `sqlmigrate` prints for the new migration.
# - **Then**: `migrate` runs it, every row is as before, and nothing is left to do.
# - **After a squash**: whether the old name is in the squash of all eight files.

# %%
CONTRIB = "django.contrib.postgres.fields"
LIST = "django.core.validators.validate_comma_separated_integer_list"
BOOKS = "select id, title, isbn, copies, {} from library_book order by id".format
INDEX = '        indexes = [models.Index(fields=["title"], name="library_book_title")'
KEPT = [
    ("NullBooleanField", "true", "models.NullBooleanField()", "models.BooleanField(null=True)", "models"),
    ("CommaSeparatedIntegerField", "'1,2'", "models.CommaSeparatedIntegerField(max_length=9, null=True)", f"models.CharField(max_length=9, null=True, validators=[{LIST}])", "django.core.validators"),
    ("JSONField", "'{\"from\": 1}'", f"{CONTRIB}.JSONField(null=True)", "models.JSONField(null=True)", CONTRIB),
]  # fmt: skip


def kept(place, column, old_name, anchor, old, new):
    """Whether an old file may keep this, and what comes of today's words in the models."""
    loaded = place.attempt(f"{MIGRATE} --check").code == 0
    place.replace(MODELS, anchor, old)
    refused = place.carry_out("python manage.py check").output
    place.replace(MODELS, old, new)
    place.run("python manage.py makemigrations library --name today --verbosity 0")
    written = place.run("cat library/migrations/0008_today.py | grep 'migrations\\..*\\('")
    sql = place.attempt("python manage.py sqlmigrate library 0008")
    count = len([line for line in sql.splitlines() if line.endswith(";")]) - 2
    rows = place.rows(BOOKS(column))
    place.run(f"{MIGRATE} --verbosity 0")
    end = fine(place) if place.rows(BOOKS(column)) == rows else "**wrong rows**"
    place.run("python manage.py squashmigrations library 0001 0008 --squashed-name all --noinput")
    squash = place.attempt(f"cat library/migrations/0001_all.py | grep '{old_name}'")
    return [
        "yes" if loaded else "**no**",
        f"`{re.search('fields.E[0-9]+|TypeError', refused)[0]}`",
        f"`{written.strip().removeprefix('migrations.').rstrip('(')}`",
        str(count) if count else "none",
        end,
        "gone" if squash.code else "still there",
    ]


stay = []
for name, value, old, new, module in KEPT:
    imports = "" if module == "models" else f"import {module}\n"
    place = applied(name, ADD(old).replace(", preserve_default=False", ""), f"import {CONTRIB}")
    place.rows(f"update library_book set it = {value} where title = 'Emma'")
    place.replace(MODELS, "from django.db", f"{imports}\nfrom django.db")
    row = kept(
        place,
        "it",
        old.partition("(")[0],
        COPIES,
        f"{COPIES}    it = {old}\n",
        f"{COPIES}    it = {new}\n",
    )
    stay.append([f"`{name}`{' of `contrib.postgres`' if module == CONTRIB else ''}", *row])
together = applied("together", 'AlterIndexTogether("book", {("isbn", "copies")})')
OLD = f'        index_together = [("isbn", "copies")]\n{INDEX}'
TODAY = f'{INDEX}, models.Index(fields=["isbn", "copies"], name="library_isbn_copies")'
stay.append(["`index_together`", *kept(together, "author_id", "index_together", INDEX, OLD, TODAY)])
COLUMNS = [
    "an old file has",
    "loads",
    "in models",
    "`makemigrations` writes",
    "SQL",
    "then",
    "after a squash",
]
table("Removed fields that may stay", COLUMNS, stay)

# %% [markdown]
# - **None** on PostgreSQL for the three fields. SQLite builds the table again, and the rows stay.
# - **A squash** rids you of old names where it folds both steps into one. It has to load the old files,
#   so [squash](../squashing/squash-in-two-releases.md) before the upgrade, on the old version.
#
# ## In CI
#
# Both lines on an empty database, with the new Django. The first reads and runs every file:
#
# ```bash
# python manage.py migrate --verbosity 0 && python manage.py makemigrations --check --noinput
# ```

# %%
taken_out = strings.clone("taken-out")
taken_out.replace(FILE, f"migrations.{ADD(WHY(chr(34) + 'Why' + chr(34)))}", "")
taken_out.run("python manage.py makemigrations library --name again --verbosity 0")
again = taken_out.attempt(f"{MIGRATE} --verbosity 0")

other = linked.clone("other")
other.replace(FILE, "models.CASCADE", "models.PROTECT")
change = other.attempt(CHECK)

# %% tags=["check"]
ERRORS = [row[1] for row in loads]
assert ERRORS == [
    "`ImportError: cannot import name 'ugettext_lazy' from 'django.utils.translation'`",
    "`AttributeError: module 'django.utils.timezone' has no attribute 'utc'`",
    "`TypeError: ForeignKey.__init__() missing 1 required positional argument: 'on_delete'`",
    "`ImportError: cannot import name 'six' from 'django.utils'`",
    "`ModuleNotFoundError: No module named 'colours'`",
], f"old files say {', '.join(ERRORS)}"
assert all(row[3:] == ["fine", "fine"] for row in loads), "with the edit there is nothing to do"
assert all(row[1] == "yes" and row[5] == "fine" for row in stay), "an old file may keep them"
assert [row[2] for row in stay] == [
    "`fields.E903`",
    "`fields.E901`",
    "`fields.E904`",
    "`TypeError`",
], f"old fields say {', '.join(row[2] for row in stay)}"
assert [row[3] for row in stay] == ["`AlterField`"] * 3 + ["`RenameIndex`"]
assert [row[4] for row in stay] == on(SQLite=["6"] * 3 + ["2"], PostgreSQL=["none"] * 3 + ["1"])
assert [row[6] for row in stay] == ["gone"] * 3 + ["still there"], "what a squash folds away"
assert "Alter field it on book" in change, "another on_delete is a change"
assert again.code, "a file without its operation"
assert on(SQLite="duplicate column name: it", PostgreSQL='column "it" of relation') in again
