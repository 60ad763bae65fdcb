# ---
# title: Remove or require a field while old code runs
# answer: >-
#   Removing a field takes three releases, and so does adding one that is required. In one release,
#   the old code fails; with a step left out, the new code cannot write, or `migrate` stops.
# databases: [SQLite, PostgreSQL]
# group: production
# ---

# %% [markdown]
# During a deploy the schema is new and some processes still run the old code. In each row `migrate`
# runs for the new code, then both codes write a book and read the one that the other wrote.
#
# What each release changes stands in the fold at the end of this page.
#
# ## Remove a field

# %%
from playbook_kit import Sandbox, table

MODELS, MIGRATIONS = "library/models.py", "library/migrations"
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
KEPT = ISBN.replace(")\n", ', db_default="")\n')
SHELF = "    shelf = models.IntegerField({})\n".format
MIGRATION = """from django.db import migrations, models


def fill(apps, schema_editor):
    books = apps.get_model("library", "Book").objects.using(schema_editor.connection.alias)
    books.filter(shelf=None).update(shelf=0)


class Migration(migrations.Migration):
    dependencies = [("library", "{0}")]
    operations = [{1}]
"""
FORGET = """
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("book", "isbn")],
        ),
    """
DROP = """
        migrations.RunSQL(
            "alter table library_book drop column isbn",
            "alter table library_book add column isbn varchar(13) default '' not null",
        ),
    """
FILL = "migrations.RunPython(fill, migrations.RunPython.noop)"
MAKE = "python manage.py makemigrations library --verbosity 0 --name"
ADMIN = "rm library/admin.py lending/admin.py"  # they name the field


def release(name, base):
    """Start a release on top of another one."""
    sqlite.run(f"git switch --quiet --create {name} {base}")


def commit(words):
    """The release is complete."""
    sqlite.run(f"git add . && git commit --quiet --message '{words}'")


# %% [markdown] tags=["setup"]
# `today` is the code that runs.

# %% tags=["setup"]
sqlite = Sandbox("sqlite")
release("today", "main")
sqlite.run(ADMIN)
commit("Today")

# %% [markdown] tags=["setup"]
# **Remove `isbn`, in one release.** And forget it, as it is: it leaves the models, and not the table.

# %% tags=["setup"]
release("remove-once", "today")
sqlite.replace(MODELS, ISBN, "")
sqlite.run(f"{MAKE} no_isbn")
commit("Remove isbn")
release("remove-forget", "today")
sqlite.replace(MODELS, ISBN, "")
sqlite.write(f"{MIGRATIONS}/0007_forget.py", MIGRATION.format("0006_find_books_by_title", FORGET))
commit("Forget isbn as it is")

# %% [markdown] tags=["setup"]
# **In three.** A default in the database, then forget it, then drop it. **What the column holds is
# lost with the third.**

# %% tags=["setup"]
release("remove-1", "today")
sqlite.replace(MODELS, ISBN, KEPT)
sqlite.run(f"{MAKE} isbn_default")
commit("A default in the database")
release("remove-2", "remove-1")
sqlite.replace(MODELS, KEPT, "")
sqlite.write(f"{MIGRATIONS}/0008_forget.py", MIGRATION.format("0007_isbn_default", FORGET))
commit("Forget isbn")
release("remove-3", "remove-2")
sqlite.write(f"{MIGRATIONS}/0009_drop_isbn.py", MIGRATION.format("0008_forget", DROP))
commit("Drop the column")

# %% [markdown] tags=["setup"]
# **Add a required `shelf`, in one release**, with a value for the rows that exist.

# %% tags=["setup"]
release("require-once", "today")
sqlite.replace(MODELS, ISBN, ISBN + SHELF(""))
sqlite.run(f"{MAKE} shelf", answers=["1", "0"])
commit("A required shelf")

# %% [markdown] tags=["setup"]
# **In three.** The field may be null, and the new code always fills it. Then the rows are filled.
# Then it is required. Without the second, `migrate` stops at a row that the old code wrote.

# %% tags=["setup"]
release("require-1", "today")
sqlite.replace(MODELS, ISBN, ISBN + SHELF("null=True"))
sqlite.run(f"{MAKE} shelf")
commit("A shelf that may be null")
release("require-2", "require-1")
sqlite.write(f"{MIGRATIONS}/0008_fill_shelf.py", MIGRATION.format("0007_shelf", FILL))
commit("Fill the shelf")
release("require-3", "require-2")
sqlite.replace(MODELS, SHELF("null=True"), SHELF(""))
sqlite.run(f"{MAKE} require_shelf", answers=["2"])
commit("Require the shelf")
release("require-unfilled", "require-1")
sqlite.replace(MODELS, SHELF("null=True"), SHELF(""))
sqlite.run(f"{MAKE} require_shelf", answers=["2"])
commit("Require the shelf at once")

# %% [markdown] tags=["setup"]
# The same commits on PostgreSQL:

# %% tags=["setup"]
sqlite.run("git switch --quiet today")
postgresql = Sandbox("postgresql", "PostgreSQL")
postgresql.run('git fetch --quiet ../sqlite "refs/heads/r*:refs/heads/r*" "today:today"')

# %%
SHELL = 'python manage.py shell --verbosity 0 -c "from library.models import Book; {}"'.format


def writes(place, name):
    """Whether the code of this release can write a book. From the first on, it fills `shelf`."""
    place.run(f"git switch --quiet {name}")
    more = ", shelf=1" if name.startswith("require") else ""
    return place.attempt(SHELL(f"Book.objects.create(title='{name}', author_id=1{more})")).code == 0


def reads(place, name, other):
    """Whether it sees what the code of the other release wrote."""
    place.run(f"git switch --quiet {name}")
    return other in place.attempt(SHELL("print(*(book.title for book in Book.objects.all()))"))


def beside(place, old, new):
    """Migrate for `new` while `old` runs; what works then, for each of the two."""
    place.run(f"git switch --quiet {new}")
    if place.attempt("python manage.py migrate --verbosity 0").code:
        return ["", "**`migrate` stops**"]
    written = {name: writes(place, name) for name in (old, new)}
    cells = []
    for name, other in ((old, new), (new, old)):
        wrong = [] if written[name] else ["cannot write"]
        wrong += [] if not written[other] or reads(place, name, other) else ["cannot read"]
        cells.append(f"**{', '.join(wrong)}**" if wrong else "works")
    return cells


REMOVE = {
    "in one release": ("a", "today", "remove-once"),
    "forget it as it is": ("b", "today", "remove-forget"),
    "1, give it a `db_default`": ("c", "today", "remove-1"),
    "2, forget it": ("c", "remove-1", "remove-2"),
    "3, drop it": ("c", "remove-2", "remove-3"),
}
REQUIRE = {
    "in one release": ("d", "today", "require-once"),
    "1, add it, null allowed": ("e", "today", "require-1"),
    "require it, rows not filled": ("f", "require-1", "require-unfilled"),
    "2, fill the rows": ("e", "require-1", "require-2"),
    "3, require it": ("e", "require-2", "require-3"),
}
found = {}
for start in (sqlite, postgresql):
    places = {letter: start.clone(f"{letter}-{start.name}") for letter in "abcde"}
    for letter, *names in (*REMOVE.values(), *REQUIRE.values()):
        if letter == "f":
            places[letter] = places["e"].clone(f"f-{start.name}")
        found[start.name, names[1]] = beside(places[letter], *names)
COLUMNS = ["release", "SQLite: old code", "new code", "PostgreSQL: old code", "new code"]
tables = [
    [[step, *found["sqlite", new], *found["postgresql", new]] for step, (_, _, new) in it.items()]
    for it in (REMOVE, REQUIRE)
]
table("Remove a field", COLUMNS, tables[0])

# %% [markdown]
# - **A field that the models forget keeps its column.** New code does not name it, so the database has
#   to fill it: hence the first release. A field with `null=True` needs none.
# - **On SQLite, put no other migration of this table between 2 and 3.** Django builds a table again
#   for most changes of a field, and [leaves out what it does not know](what-sqlite-hides.md).
#
# ## Add a required field

# %%
table("Add a required field", COLUMNS, tables[1])

# %% [markdown]
# - **Wait until no process runs the release before the last.** One that does not fill the field writes
#   another empty row after the second release, and the third stops at it.
# - **To require a field that is there**, start with code that always fills it, and go on with 2.
# - The rest is as in [a rename](rename-in-four-releases.md).

# %% tags=["check"]
removing, requiring = ([row[1:] for row in rows] for rows in tables)
assert removing[0][::2] == ["**cannot write, cannot read**"] * 2, "the old code fails at once"
assert removing[1] == ["works", "**cannot write**"] * 2, (
    "without a default the new code cannot write"
)
assert requiring[0] == ["**cannot write**", "works"] * 2, "the old code does not know the new field"
assert requiring[2] == ["", "**`migrate` stops**"] * 2, "an empty row is in the way"
assert removing[2:] == [["works"] * 4] * 3, "a field is removed in three releases"
assert [requiring[n] for n in (1, 3, 4)] == [["works"] * 4] * 3, "and required in three"
