# ---
# title: What else the database says about a migration
# answer: >-
#   Most of these errors come from something that is in the database and in no migration, or from SQL
#   that one database takes and another refuses. The migration is not recorded. On MariaDB, what came
#   before the error stays.
# databases: [PostgreSQL, SQLite, MariaDB]
# group: production
# ---

# %% [markdown]
# Each row is a database of its own, with what its second column names, and the error that came.
# Errors with a page of their own are [in the tables of messages](../../find.md).

# %%
from playbook_kit import Background, Client, Sandbox, table, who_waits

FILE = "library/migrations/0007_change.py"
TEXT = """import sqlite3

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import CreateExtension
from django.db import connections, migrations, models
from django.db.models.functions import Upper

others = []


class Odd(models.TextField):
    def get_db_prep_save(self, value, connection):
        return [value]


def write(apps, schema_editor):
    path = schema_editor.connection.settings_dict["NAME"]
    sqlite3.connect(path, timeout=0).execute("update library_book set copies = 2")


def read(apps, schema_editor):
    others.append(connections.create_connection("default"))
    others[0].cursor().execute("set autocommit = 0")
    others[0].cursor().execute("select * from library_book")


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [{}]
""".format
VIEW = "create view isbns as select isbn from library_book"
LONGER = "migrations.AlterField('book', 'isbn', models.TextField(default=''))"
NOTE = "migrations.AddField('book', 'note', models.TextField(null=True))"
UPPER = "models.GeneratedField(expression=Upper('title'), output_field=models.TextField(), db_persist=True)"
FILLED = "update library_book set note = (select string_agg(md5(i::text), '') from generate_series(1, 3000) i)"
SQL = "migrations.RunSQL({!r})".format
DROP = "drop it before and make it after, with `RunSQL` in the migration"

# %% [markdown] tags=["setup"]
# By database: what is there or what the migration does, what helps, SQL that somebody has typed, the
# operations, and words of the error.

# %% tags=["setup"]
CASES = {
    "PostgreSQL": [
        ("a view reads the column that is to be altered", DROP, VIEW, LONGER, "used by a view or rule"),
        ("a generated column is computed from it", "remove the generated field, alter, add it again", "",
         f"migrations.AddField('book', 'said', {UPPER}), migrations.AlterField('book', 'title', models.TextField())",
         "used by a generated column"),
        ("SQL drops a key that foreign keys point at", "drop those first", "",
         SQL("alter table library_book drop constraint library_book_pkey"), "other objects depend on it"),
        ("the role that migrates does not own the table", "migrate as its owner", "",
         f"{SQL('set local role pg_monitor')}, {NOTE}", "must be owner of table"),
        ("`CreateExtension` of one that the server lacks", "install it on the server", "",
         "CreateExtension('no_such_extension')", "is not available"),
        ("an index needs an extension", "`TrigramExtension()` in a migration before it", "",
         "migrations.AddIndex('book', GinIndex(fields=['title'], name='by_title', opclasses=['gin_trgm_ops']))",
         "operator class"),
        ("an index on a column with long texts", "an index on a part or a hash of it", "",
         f"{NOTE}, {SQL(FILLED)}, migrations.AddIndex('book', models.Index(fields=['note'], name='by_note'))",
         "index row"),
        ("`RunSQL` with parameters and a percent sign", "`%%` for the sign", "",
         "migrations.RunSQL([(\"update library_book set isbn = %s where title like '50%'\", [''])])",
         "are allowed as placeholders"),
    ],
    "SQLite": [
        ("a view reads the table that is to be made again", DROP, VIEW, LONGER, "has an invalid foreign key"),
        ("`RunSQL` adds a required column", "`AddField`", "",
         SQL("alter table library_book add column code text not null"), "Cannot add a NOT NULL column"),
        ("`RunSQL` drops a column that an index names", "`RemoveIndex`, then `RemoveField`", "",
         SQL("alter table library_book drop column title"), "after drop column"),
        ("an index of that name is there", "another name, or [find out whose it is](../mismatch/table-already-exists.md)",
         "create index by_isbn on library_author (name)",
         "migrations.AddIndex('book', models.Index(fields=['isbn'], name='by_isbn'))", "already exists"),
        ("another connection writes", "stop what writes", "", f"{NOTE}, migrations.RunPython(write)", "database is locked"),
        ("a field of your own gives SQLite a list", "`get_db_prep_save` that returns a text or a number", "",
         "migrations.AddField('book', 'odd', Odd(default='x'))", "Cannot quote parameter value"),
    ],
    "MariaDB": [
        ("`RunSQL` drops an index that a foreign key uses", "make another index for it first", "",
         SQL("alter table library_book_genres drop index {}"), "needed in a foreign key constraint"),
        ("a field of 16,300 characters", "a `TextField`", "",
         "migrations.AddField('book', 'note', models.CharField(max_length=16300, default=''))", "Row size too large"),
        ("another transaction has read the table, and stays open", "end it, and run `migrate` again", "",
         f"migrations.RunPython(read), {SQL('set lock_wait_timeout = 1')}, {NOTE}", "Lock wait timeout exceeded"),
    ],
}  # fmt: skip
UNIQUE = (
    "select distinct index_name from information_schema.statistics where table_schema = database() "
    "and table_name = 'library_book_genres' and non_unique = 0 and index_name <> 'PRIMARY'"
)


# %%
def said(place, typed, operations, words):
    """What the database says of this migration."""
    if typed:
        place.rows(typed)
    if "drop index {}" in operations:
        operations = operations.format(place.rows(UNIQUE)[0][0])
    place.write(FILE, TEXT(operations))
    output = place.attempt("python manage.py migrate --verbosity 0")
    assert output.code, f"it fails: {words}"
    (line,) = [it for it in output.splitlines()[::-1] if words in it][:1]
    recorded = place.rows("select count(*) from django_migrations where name = '0007_change'")
    assert recorded == [(0,)], "it is not recorded"
    return f"`{line.partition('Error: ')[2] or line}`"


starts = {database: Sandbox(database.lower(), database) for database in CASES}
rows = []
for database, cases in CASES.items():
    for number, (what, mend, typed, operations, words) in enumerate(cases, 1):
        place = starts[database].clone(f"{database.lower()}-{number}")
        rows.append([database, said(place, typed, operations, words), what, mend])

# %% [markdown]
# One takes two sessions: the application has written a loan, and the migration has locked the books.
# Then each wants what the other has.

# %%
both = starts["PostgreSQL"].clone("both")
patient = 'DATABASES["default"]["OPTIONS"] = {"options": "-c deadlock_timeout=60s"}'
both.replace("config/settings.py", "DEFAULT_AUTO", f"{patient}\nDEFAULT_AUTO")
loans = "migrations.RunSQL('lock table lending_loan')"
both.write(FILE, TEXT(f"{NOTE}, {loans}"))
web = Client(both, "web")
web.rows("begin")
web.rows("update lending_loan set returned_on = null where id = 1")
migrating = Background(both, "python manage.py migrate --verbosity 0")
who_waits(both, 1)
deadlock = str(web.start("update library_book set copies = 1 where id = 1").exception(30))
web.close()
migrating.end()
words = "both wait for what the other has locked; here the application is stopped"
mend = "one table in a migration, [a lock timeout](lock-queue.md), and run it again"
rows.append(["PostgreSQL", f"`{deadlock.splitlines()[0]}`", words, mend])
table("What else the database says", ["database", "it says", "what is there", "what helps"], rows)

# %% tags=["check"]
assert len(rows) == 18, "each case has its row"
assert "deadlock detected" in rows[-1][1], "the application is stopped"
assert all(start.chain().whole for start in starts.values()), "the databases themselves are whole"
