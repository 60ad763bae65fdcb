# ---
# title: An integer primary key is to become a UUID
# symptoms:
#   - badly formed hexadecimal UUID string
#   - cannot cast type bigint to uuid
#   - "operator does not exist: bigint = uuid"
# cause: >-
#   An integer is no UUID. PostgreSQL refuses to turn one into the other, and changes nothing. SQLite
#   prints OK, leaves the integers in place, and no row can be read. Nothing is lost yet.
# broken: []
# data: "copied: into a new table, and the old one is dropped at the end"
# undo: migrate back; the code for the way back keeps the rows, new ones as well
# safe_in: "production: stop the code that writes first"
# applied: "nowhere yet: on SQLite, migrate back first"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
COMMIT = "git add . && git commit --quiet --message '{}' && git push --quiet".format
PULL = "git pull --quiet --no-rebase && python manage.py migrate"
KEY = "    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)\n"
BOOKS = 'python manage.py shell --verbosity 0 -c "from library.models import Book; print(*[(b.title, b.genres.count(), b.loan_set.count()) for b in Book.objects.all()])"'
ROWS = (
    "select b.title, a.name as author, copies, g.name as genre, lent_on, r.name as reader from library_book b join library_author a on a.id = b.author_id"
    " left join library_book_genres bg on bg.book_id = b.id left join library_genre g on g.id = bg.genre_id left join lending_loan l on l.book_id = b.id"
    " left join lending_reader r on r.id = l.reader_id order by b.title, g.name, lent_on"
)
ADD = "python manage.py shell --verbosity 0 -c \"from library.models import Book; from lending.models import Loan; book = Book.objects.create(title='{}', author_id=1{}); Loan.objects.create(book=book, reader_id=1, lent_on='2026-01-04', due_on='2026-01-18')\"".format
IDS = "select id, title from library_book order by id"
KINDS = "select t.id, model, p.id, codename from django_content_type t join auth_permission p on p.content_type_id = t.id where app_label = 'library' order by p.id"

# %% [markdown]
# The number of a book stands in its address, and should not be guessed. You give books another key.

# %% tags=["setup"]
cut, old = production.clone("cut"), production.clone("old")
laptop.replace("library/models.py", "    title =", f"{KEY}    title =")
laptop.replace("library/models.py", "from django", "import uuid\n\nfrom django")
laptop.run("python manage.py makemigrations library --name book_uuid")
laptop.run(COMMIT("Books have a UUID"))

# %% tags=["setup"]
production.run(PULL, fails=on(SQLite=None, PostgreSQL="cannot cast type bigint to uuid"))
since = production.clone("since")

# %% tags=["before"]
production.rows(IDS)
production.chain()

# %% [markdown]
# ## Is this your case?
#
# Pages that show a book fail, and so do pages that show what refers to one:

# %%
production.run(BOOKS, fails=on(SQLite="badly formed hexadecimal UUID string", PostgreSQL="operator does not exist: bigint = uuid"))  # fmt: skip

# %% [markdown]
# A new book? PostgreSQL refuses it. SQLite takes it, its key is a UUID already, and the way back then
# stops at `datatype mismatch`: put back the copy from before the migration, and add the book again.
#
# You want addresses that nobody can guess? A second, [unique column](../data/two-ways-to-move-rows.md)
# is enough, and the key stays.
#
# ## Fix it
#
# Take the migration back. On SQLite this brings the integers back. On PostgreSQL it never ran.

# %% tags=["fix"]
laptop.run("git rm --quiet library/migrations/0007_book_uuid.py")

# %% tags=["fix"]
production.run("python manage.py migrate library 0006 --verbosity 0")

# %% [markdown]
# Now build a second table beside the first. Everything that refers to a book gets a second reference,
# is filled, and then switches. Five files, because PostgreSQL wants rows and tables changed
# [in different migrations](../production/pending-trigger-events.md).
#
# First the table. `number` keeps the old key, for old addresses and for the way back.

# %% tags=["fix"]
laptop.replace("library/models.py", "    title =", "    number = models.BigIntegerField(null=True, unique=True, editable=False)\n    title =")  # fmt: skip
laptop.write("library/migrations/0007_new_book.py", """import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [
        migrations.CreateModel(
            "NewBook",
            [
                ("id", models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, serialize=False)),
                ("number", models.BigIntegerField(null=True, unique=True, editable=False)),
                ("title", models.CharField(max_length=200)),
                ("author", models.ForeignKey("library.author", models.CASCADE)),
                ("isbn", models.CharField(max_length=13, blank=True, default="")),
                ("copies", models.PositiveIntegerField(default=1)),
                ("genres", models.ManyToManyField("library.genre", blank=True)),
            ],
        )
    ]
""")  # fmt: skip

# %% [markdown]
# Then a second key in each model that has one to `Book`. The old key may be null, for the way back.

# %% tags=["fix"]
laptop.write("lending/migrations/0008_loan_newbook.py", """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lending", "0007_unique_reader_email"), ("library", "0007_new_book")]
    operations = [
        migrations.AddField("loan", "newbook", models.ForeignKey("library.newbook", models.PROTECT, null=True)),
        migrations.AlterField("loan", "book", models.ForeignKey("library.book", models.PROTECT, null=True)),
    ]
""")  # fmt: skip

# %% [markdown]
# Then the rows: books, their genres, loans, and the log of the admin, which keeps the key as text.
# **Search your code for keys without a foreign key: `GenericForeignKey`, ids in JSON, in other systems.**
# No database finds those for you.

# %% tags=["fix"]
laptop.write("lending/migrations/0009_copy_books.py", """from django.core.management.color import no_style
from django.db import migrations, models

FIELDS = ["title", "author_id", "isbn", "copies"]


def move(apps, source, target, key, value):
    Target = apps.get_model("library", target)
    loans, log = apps.get_model("lending", "Loan").objects, apps.get_model("admin", "LogEntry").objects
    log = log.filter(content_type__app_label="library", content_type__model="book")
    for old in apps.get_model("library", source).objects.all():
        fields = {field: getattr(old, field) for field in FIELDS}
        new, _ = Target.objects.update_or_create(fields, **{key: getattr(old, value)})
        new.genres.set(old.genres.all())
        loans.filter(**{source: old}).update(**{target: new})
        log.filter(object_id=str(old.pk)).update(object_id=str(new.pk))


def forwards(apps, schema_editor):
    move(apps, "book", "newbook", "number", "id")


def backwards(apps, schema_editor):
    books = apps.get_model("library", "NewBook").objects
    last = books.aggregate(last=models.Max("number"))["last"] or 0
    for number, book in enumerate(books.filter(number=None), last + 1):
        books.filter(pk=book.pk).update(number=number)
    move(apps, "newbook", "book", "id", "number")
    for sql in schema_editor.connection.ops.sequence_reset_sql(no_style(), [apps.get_model("library", "Book")]):
        schema_editor.execute(sql)


class Migration(migrations.Migration):
    dependencies = [("lending", "0008_loan_newbook"), ("admin", "0003_logentry_add_action_flag_choices")]
    operations = [migrations.RunPython(forwards, backwards)]
""")  # fmt: skip

# %% [markdown]
# Then the switch, first in `lending`, then in `library`.

# %% tags=["fix"]
laptop.write("lending/migrations/0010_loan_switches.py", """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lending", "0009_copy_books")]
    operations = [
        migrations.RemoveField("loan", "book"),
        migrations.RenameField("loan", "newbook", "book"),
        migrations.AlterField("loan", "book", models.ForeignKey("library.newbook", models.PROTECT)),
    ]
""")  # fmt: skip

# %% [markdown]
# On PostgreSQL the check of a positive number keeps the name of its first table: rename it.
# **The next file drops the old table, with what you forgot to copy.**

# %% tags=["fix"]
laptop.write("library/migrations/0008_book_switches.py", """from django.db import migrations, models


def rename_check(old, new):
    sql = f"alter table library_book rename constraint library_{old}_copies_check to library_{new}_copies_check"
    return lambda apps, editor: editor.connection.vendor != "postgresql" or editor.execute(sql)


class Migration(migrations.Migration):
    dependencies = [("library", "0007_new_book"), ("lending", "0010_loan_switches")]
    operations = [
        migrations.DeleteModel("Book"),
        migrations.RenameModel("NewBook", "Book"),
        migrations.RunPython(rename_check("newbook", "book"), rename_check("book", "newbook")),
        migrations.AddIndex("book", models.Index(fields=["title"], name="library_book_title")),
    ]
""")  # fmt: skip

# %% [markdown]
# The files must amount to the models.

# %%
laptop.run("python manage.py makemigrations --check")
steps = production.clone("steps")

# %% tags=["fix"]
laptop.run(COMMIT("Books have a UUID, in a new table"))

# %% [markdown]
# **Stop what writes to the database: a book that is added in between is left behind.** [Copy
# it](../../guide/backups.md), and migrate.

# %% tags=["fix"]
production.run(PULL)

# %% [markdown]
# ## Make sure
#
# Each book has its genres and its loans, the log finds its book. The fold at the end compares all rows.

# %% tags=["after"]
production.chain()

# %%
production.run(BOOKS)
production.run('python manage.py shell --verbosity 0 -c "from django.contrib.admin.models import LogEntry; print(LogEntry.objects.get().get_edited_object())"')  # fmt: skip

# %% [markdown]
# ## Undo it
#
# Migrate back. Here a book has been added since: it gets the next number, and keeps its loan.

# %%
undone = production.clone("undone")
undone.run(ADD("Persuasion", ""))
undone.run("python manage.py migrate library 0006 -v 0 && git switch --quiet --detach HEAD~2")
undone.rows(IDS)

# %% [markdown]
# The fold at the end goes back after each of the other four migrations as well.

# %% [markdown]
# ## What not to do
#
# **Do not drop the old key while something refers to it.** A column `uuid`, filled by `RunPython`, then
# `RemoveField("book", "id")`, then `primary_key=True`: it reads well (whole in the fold at the end).
# SQLite stops. PostgreSQL prints `OK` and drops the foreign keys with the column. No loan knows its book
# any more.

# %% tags=["check"]
since.run(ADD("Persuasion", ", id='11111111-2222-3333-4444-555555555555'"), fails=on(SQLite=None, PostgreSQL='column "id" is of type bigint but expression is of type uuid'))  # fmt: skip
since.run("python manage.py migrate library 0006", fails=on(SQLite="datatype mismatch", PostgreSQL=None))  # fmt: skip
cut.write("library/migrations/0007_uuid_is_the_key.py", """import uuid

from django.db import migrations, models


def fill(apps, schema_editor):
    for book in apps.get_model("library", "Book").objects.all():
        type(book).objects.filter(pk=book.pk).update(uuid=uuid.uuid4())


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [
        migrations.AddField("book", "uuid", models.UUIDField(null=True)),
        migrations.RunPython(fill),
        migrations.RemoveField("book", "id"),
        migrations.AlterField("book", "uuid", models.UUIDField(primary_key=True)),
    ]
""")  # fmt: skip
assert "uuid" not in cut.run("python manage.py inspectdb library_book"), "no book has one yet"

# %%
cut.run("python manage.py migrate", fails=on(SQLite="foreign key mismatch", PostgreSQL=None))
links = cut.rows("select book_id, lent_on from lending_loan order by id")
key = cut.run("python manage.py inspectdb library_book | grep primary_key")

# %% [markdown]
# ## Why it happens
#
# `makemigrations` writes one `AlterField`, whatever is in the table. PostgreSQL has no cast from a
# number to a UUID. SQLite has no type for UUIDs and checks none, so the old numbers move into the new
# column as they are. On [the chain](../../guide/the-chain.md) all links hold there: types agree, and
# nothing looks at the values.
#
# ## Keep it from happening
#
# Run migrations on [the database of production](../../guide/what-sqlite-hides.md), with rows in it.
#
# **In review, ask:** does an `AlterField` touch a primary key, and what refers to it?
#
# **In CI:** `python manage.py migrate` on PostgreSQL, over a database with rows. On an empty one
# nothing can be unreadable, and on SQLite it prints `OK`.
#
# ## Run it yourself
#
# In `copy_books`, leave out the line with `genres`. All prints `OK`, and the comparison of the rows fails.

# %% tags=["check"]
before, ids = old.rows(ROWS), old.rows(IDS)
assert production.rows(ROWS) == before, "every row is there, with all that belongs to it"
assert undone.rows(IDS) == [*ids, (7, "Persuasion")], "the old numbers are back, and the next one"
assert [row for row in undone.rows(ROWS) if row[0] != "Persuasion"] == before, "with their rows"
undone.run(ADD("Lodore", ""))
assert undone.rows(IDS)[7:] == [(8, "Lodore")], "the sequence goes on"
assert [place.chain().whole for place in (undone, production)] == [True] * 2
assert production.rows(KINDS) == old.rows(KINDS), "content types and permissions keep their numbers"
assert links[0] == (2, "2024-03-01"), "a loan keeps a number"
gone = "foreign key lending_loan (book_id) to library_book" in str(cut.chain()), "uuid" in key
assert gone == (on(SQLite=False, PostgreSQL=True),) * 2, "that no key leads to, and no book has"

# %% tags=["check"]
steps.run("git pull --quiet --no-rebase")
for step in ("library 0007", "lending 0008", "lending 0009", "lending 0010"):
    steps.run(f"python manage.py migrate {step} -v 0 && python manage.py migrate library 0006 -v 0")
    assert (steps.rows(IDS), steps.rows(ROWS)) == (ids, before), f"{step}: back without a change"
steps.run("python manage.py migrate --verbosity 0")
assert (steps.rows(ROWS), steps.chain().whole) == (before, True), "and forward once more"
steps.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
steps.run("python manage.py migrate --verbosity 0 && python manage.py seed")
assert steps.chain().whole, "a new database builds"
