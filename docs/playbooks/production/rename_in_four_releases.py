# ---
# title: Rename a field while old code runs
# answer: >-
#   In one release a rename breaks whatever still runs. In four, each release can run beside the one
#   before it, on SQLite and on PostgreSQL, and no row is lost.
# databases: [SQLite, PostgreSQL]
# group: production
# ---

# %% [markdown]
# During a deploy the schema is new and some processes still run the old code. After each release
# below, both codes read every book, write one, and have to see what the other one wrote.
#
# `isbn` becomes `code`. What each release changes stands in the fold at the end of this page.

# %%
from playbook_kit import Sandbox, table

MODELS, MIGRATIONS = "library/models.py", "library/migrations"
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
KEPT = '    isbn = models.CharField(max_length=13, blank=True, default="", db_default="")\n'
CODE = KEPT.replace("isbn", "code")
END = "        return self.title\n"
SAVE = """
    def save(self, *args, **kwargs):
        self.{1} = self.{0}
        super().save(*args, **kwargs)
"""
COPY = """

def copy(apps, schema_editor):
    books = apps.get_model("library", "Book").objects.using(schema_editor.connection.alias)
    books.exclude(code=F("isbn")).update(code=F("isbn"))
"""
MIGRATION = """from django.db import migrations
from django.db.models import F
{2}

class Migration(migrations.Migration):
    dependencies = [("library", "{0}")]
    operations = [{1}]
"""
FILL = "migrations.RunPython(copy, migrations.RunPython.noop)"
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
ISBNS = "select id, isbn from library_book where id < 7 order by id"
CODES = "select id, code from library_book where id < 7 order by id"

# %% [markdown] tags=["setup"]
# `release-0` is the code of today. In one release, the field gets its new name, and that is all.

# %% tags=["setup"]
sqlite = Sandbox("sqlite")
sqlite.run("git switch --quiet --create release-0")
sqlite.run("rm library/admin.py lending/admin.py")  # they name the field
sqlite.run("git add . && git commit --quiet --message 'Release 0'")
sqlite.run("git switch --quiet --create release-once")
sqlite.replace(MODELS, ISBN, ISBN.replace("isbn", "code"))
sqlite.run("python manage.py makemigrations library --name code", answers=["y"])
sqlite.run("git add . && git commit --quiet --message 'Rename isbn to code at once'")

# %% [markdown] tags=["setup"]
# **Release 1, add.** The new field is there, and every save fills it. Both fields have a default in
# the database, so that code that does not know one of them can still write.

# %% tags=["setup"]
sqlite.run("git switch --quiet --create release-1 release-0")
sqlite.replace(MODELS, ISBN, KEPT + CODE)
sqlite.replace(MODELS, END, END + SAVE.format("isbn", "code"))
sqlite.run("python manage.py makemigrations library --name add_code --verbosity 0")
sqlite.run("git add . && git commit --quiet --message 'Release 1'")

# %% [markdown] tags=["setup"]
# **Release 2, copy and switch.** No process of release 0 runs any more. Old rows are copied, and the
# code reads the new field. It still fills the old one, for release 1.

# %% tags=["setup"]
sqlite.run("git switch --quiet --create release-2")
sqlite.write(f"{MIGRATIONS}/0008_copy_isbn.py", MIGRATION.format("0007_add_code", FILL, COPY))
sqlite.replace(MODELS, SAVE.format("isbn", "code"), SAVE.format("code", "isbn"))
sqlite.run("git add . && git commit --quiet --message 'Release 2'")

# %% [markdown] tags=["setup"]
# **Release 3, forget.** The code does not name the old field any more. Its column stays.

# %% tags=["setup"]
sqlite.run("git switch --quiet --create release-3")
sqlite.replace(MODELS, KEPT, "")
sqlite.replace(MODELS, SAVE.format("code", "isbn"), "")
sqlite.write(f"{MIGRATIONS}/0009_forget_isbn.py", MIGRATION.format("0008_copy_isbn", FORGET, ""))
sqlite.run("git add . && git commit --quiet --message 'Release 3'")

# %% [markdown] tags=["setup"]
# **Release 4, drop.** Nothing that runs knows the column. **What it holds is lost.**

# %% tags=["setup"]
sqlite.run("git switch --quiet --create release-4")
sqlite.write(f"{MIGRATIONS}/0010_drop_isbn.py", MIGRATION.format("0009_forget_isbn", DROP, ""))
sqlite.run("python manage.py makemigrations --check")
sqlite.run("git add . && git commit --quiet --message 'Release 4'")

# %% [markdown] tags=["setup"]
# The same commits on PostgreSQL:

# %% tags=["setup"]
postgresql = Sandbox("postgresql", "PostgreSQL")
postgresql.run('git fetch --quiet ../sqlite "refs/heads/release-*:refs/heads/release-*"')

# %%
FIELD = {"release-once": "code", "release-0": "isbn", "release-1": "isbn"}
SAVE_EMMA = "python manage.py shell -c \"from library.models import Book; emma = Book.objects.get(title='Emma'); emma.isbn = '{}'; emma.save()\""
SHELL = 'python manage.py shell --verbosity 0 -c "from library.models import Book; {}"'.format
UPDATE = SHELL("Book.objects.filter(title='Emma').update(isbn='4')")


def writes(place, release):
    """Whether the code of this release can write a book."""
    place.run(f"git switch --quiet {release}")
    values = f"title='by {release}', author_id=1, {FIELD.get(release, 'code')}='{release}'"
    return place.attempt(SHELL(f"Book.objects.create({values})")).code == 0


def reads(place, release, other):
    """Whether it sees what the code of the other release wrote."""
    place.run(f"git switch --quiet {release}")
    book = f"Book.objects.filter(title='by {other}').last()"
    output = place.attempt(SHELL(f"print({book}.{FIELD.get(release, 'code')})"))
    return output.strip() == other


def beside(place, old, new):
    """Migrate for `new` while `old` runs; what works then, for each of the two."""
    place.run(f"git switch --quiet {new}")
    place.run("python manage.py migrate --verbosity 0")
    written = {release: writes(place, release) for release in (old, new)}
    cells = []
    for release, other in ((old, new), (new, old)):
        wrong = [] if written[release] else ["cannot write"]
        wrong += [] if reads(place, release, other) else ["cannot read what the other wrote"]
        cells.append(f"**{', '.join(wrong)}**" if wrong else "works")
    return cells


STEPS = {
    "in one release": ("release-0", "release-once"),
    "1, add": ("release-0", "release-1"),
    "2, copy and switch": ("release-1", "release-2"),
    "3, forget": ("release-2", "release-3"),
    "4, drop": ("release-3", "release-4"),
}
found, kept, unseen = {}, {}, {}
for start in (sqlite, postgresql):
    once, four = start.clone(f"once-{start.name}"), start.clone(f"four-{start.name}")
    found[start.name] = {"in one release": beside(once, *STEPS["in one release"])}
    found[start.name]["1, add"] = beside(four, *STEPS["1, add"])
    # A process of release 0 that goes on changes a book that release 1 has saved.
    four.run(f"git switch --quiet release-1 && {SAVE_EMMA.format(2)}")
    four.run(f"git switch --quiet release-0 && {SAVE_EMMA.format(3)}")
    isbns = four.rows(ISBNS)
    found[start.name]["2, copy and switch"] = beside(four, *STEPS["2, copy and switch"])
    # Release 1 still runs, and passes save() by.
    passing = four.clone(f"passing-{start.name}")
    passing.run(f"git switch --quiet release-1 && {UPDATE}")
    unseen[start.name] = passing.rows("select isbn, code from library_book where title = 'Emma'")
    found[start.name] |= {step: beside(four, *STEPS[step]) for step in list(STEPS)[3:]}
    kept[start.name] = four.rows(CODES) == isbns
rows = [[step, *found["sqlite"][step], *found["postgresql"][step]] for step in STEPS]
columns = ["release", "SQLite: old code", "new code", "PostgreSQL: old code", "new code"]
table("A rename, release by release", columns, rows)

# %% [markdown]
# **Wait between releases** until no process of the release before the last one runs. Each row above
# holds for two neighbours, and for no others.
#
# - **1, add**: an `AddField`, a `db_default` on both fields, and `save()` fills the new one from the old.
# - **2, copy and switch**: a `RunPython` copies. The code reads the new field, and still fills the old.
# - **3, forget**: a `RemoveField` in `state_operations` alone.
# - **4, drop**: a `RunSQL` drops the column.
#
# ## Why it takes four
#
# - **The old code names the old column** in every query. So the column stays until no code names it.
# - **The default in the database** lets code write that does not know the column. Django's own
#   `default` is not in the database:
#   [what each change does](../changes/what-each-change-does.md).
# - **Release 3 removes the field from the models alone**, with `SeparateDatabaseAndState`. Release 2
#   still writes the column.
# - **The copy takes every row in which the two differ**, and not the empty ones alone. A process of
#   release 0 may change a row that release 1 has saved: here it does, and its value is kept.
#
# - **On SQLite, put no other migration of this table between 3 and 4.** Django builds a table again for
#   most changes of a field, and [leaves out what it does not know](what-sqlite-hides.md).
#
# **Search the code for writes that pass `save()` by**: `update()`, `bulk_create()`. Here release 1 sets
# `isbn` with `update()` after the copy, and release 2 does not see it.
#
# To remove a field, or to add a required one, takes three releases: [the same, run for both](remove-or-require-a-field.md).

# %% tags=["check"]
for name, steps in found.items():
    assert [cells == ["works", "works"] for cells in steps.values()] == [False] + [True] * 4, (
        f"on {name} the four releases work, and the one does not"
    )
    assert kept[name], f"on {name} every book has its number"
    assert unseen[name] == [("4", "3")], f"on {name} update() passes save() by"
