# ---
# title: What else Django says about a migration file
# answer: >-
#   Each of these errors is about a line in a file, mostly one that was written or merged by hand.
#   The migration is not recorded, and no row is lost: mend the line, and run the command again.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is a working copy of its own, with the fault that its second column names, and the error
# that came. Errors with a page of their own are [in the tables of messages](../../find.md).

# %%
import re

from playbook_kit import Sandbox, table

MIGRATE = "python manage.py migrate --verbosity 0"
FILE = "library/migrations/0007_by_hand.py"
HEAD = """from django.db import migrations, models

{0}
class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [{1}]
"""
ERROR = re.compile(r"^(?:[\w.]+\.)?(\w+(?:Error|Missing|Plan): .*)$", re.MULTILINE)


def operation(text, before=""):
    """A migration with this operation, after these lines."""
    return (FILE, HEAD.format(before, f"migrations.{text}"))


# %% [markdown] tags=["setup"]
# The files that are written, and what is typed when it is not `migrate`:

# %% tags=["setup"]
CUSTOM = """

class Nothing(models.Field):
    def db_type(self, connection):
        return None

"""
UPPER = "models.GeneratedField(expression={}('title'), output_field=models.TextField(), db_persist=True)"
FUNCTIONS = "from django.db.models.functions import Lower, Upper\n"
GENERATED = f"AddField('book', 'said', {UPPER.format('Upper')}), migrations.AlterField('book', 'said', {UPPER.format('Lower')})"
NOTHING = "AddField('book', 'none', models.TextField(null=True)), migrations.AlterField('book', 'none', Nothing())"
KEY = "CreateModel('Shelf', [('id', models.BigAutoField(primary_key=True)), ('book', {})])".format
SQUASH = "from library.models import Book\n\n"
EXECUTOR = (
    'python manage.py shell -c "from django.db import connection; '
    "from django.db.migrations.executor import MigrationExecutor; "
    "MigrationExecutor(connection).migrate([('library', '0007_by_hand'), ('lending', '0001_initial')])\""
)
MODULES = 'MIGRATION_MODULES = {"lending": "nowhere.migrations"}\n\nDEFAULT_AUTO_FIELD'
FAULTS = [
    ("a module in `migrations` that is no migration", "move it, or begin its name with `_`",
     ("library/migrations/helpers.py", "TITLES = []\n"), MIGRATE),
    ("a `.pyc` file of another Python in `migrations`", "delete it",
     ("library/migrations/0007_old.pyc", "of another Python\n"), MIGRATE),
    ("`RemoveIndex` of an index that no migration made", "the name in the older file, not that in the database",
     operation("RemoveIndex('book', 'book_title')"), MIGRATE),
    ("`RemoveConstraint` of one that no migration made", "the name in the older file",
     operation("RemoveConstraint('book', 'book_title')"), MIGRATE),
    ("a field twice in a `CreateModel`", "one of the two",
     operation("CreateModel('Shelf', [('name', models.TextField()), ('name', models.TextField())])"), MIGRATE),
    ("a foreign key to a model that no migration makes", "its name, or a dependency",
     operation("AddField('book', 'shelf', models.ForeignKey('library.Shelf', models.CASCADE, null=True))"), MIGRATE),
    ("a foreign key to a class", "its name: `\"library.Book\"`",
     operation(KEY("models.ForeignKey(Book, models.CASCADE)"), SQUASH), MIGRATE),
    ("an index without a name", "a name",
     operation("AddIndex('book', models.Index(fields=['isbn']))"), MIGRATE),
    ("`RenameIndex` with neither of two arguments", "`old_name` or `old_fields`",
     operation("RenameIndex('book', new_name='by_isbn')"), MIGRATE),
    ("`RenameIndex` with both", "one of the two",
     operation("RenameIndex('book', new_name='by_isbn', old_name='a', old_fields=['isbn'])"), MIGRATE),
    ("`RunPython` with a name in quotes", "the function itself",
     operation("RunPython('fill')"), MIGRATE),
    ("`RunSQL` with three parts in a pair", "the statement and its parameters",
     operation("RunSQL([('select %s', [1], 'select 1')])"), MIGRATE),
    ("a function of `RunPython` without arguments", "`apps` and `schema_editor`",
     operation("RunPython(fill)", "\ndef fill():\n    pass\n\n"), MIGRATE),
    ("an operation of your own without its methods", "all three of them",
     operation("operations.base.Operation()"), MIGRATE),
    ("a field of your own that has no type in the database", "`db_type` that returns one",
     operation(NOTHING, CUSTOM), MIGRATE),
    ("another expression for a generated field", "`RemoveField`, then `AddField`",
     operation(GENERATED, FUNCTIONS), MIGRATE),
    ("code that asks the executor for a way forward and a way back", "two calls",
     operation("RunPython(migrations.RunPython.noop)"), EXECUTOR),
    ("`MIGRATION_MODULES` with a package that is not there", "its path",
     (), "python manage.py makemigrations lending"),
    ("`loaddata` of a fixture that no app has", "a folder `fixtures` in an app",
     (), "python manage.py loaddata branches"),
]  # fmt: skip


# %%
def said(number, files, line):
    """What Django says of this fault."""
    place = library.clone(f"fault-{number}")
    if files:
        place.write(*files)
    elif "makemigrations" in line:
        place.replace("config/settings.py", "DEFAULT_AUTO_FIELD", MODULES)
    output = place.attempt(line)
    assert output.code, f"{line} fails"
    recorded = place.rows("select count(*) from django_migrations where name = '0007_by_hand'")
    titles = place.rows("select title from library_book order by id")
    assert (recorded, titles) == ([(0,)], books), "it is not recorded, and no row is lost"
    return ERROR.findall(output)[-1].partition("plans.")[0]


library = Sandbox("library")
books = library.rows("select title from library_book order by id")
rows = [
    [f"`{said(number, files, line)}`", fault, mend]
    for number, (fault, mend, files, line) in enumerate(FAULTS, 1)
]
table("What else Django says", ["it says", "the fault", "what belongs there"], rows)

# %% tags=["check"]
assert len({row[0] for row in rows}) == len(FAULTS) == 19, "each fault has words of its own"
whole = library.chain()
assert whole.whole, "the project itself has none of these faults"
