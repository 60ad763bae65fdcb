# ---
# title: What linters of migrations catch, and what they miss
# answer: >-
#   On PostgreSQL, `squawk` stops ten of these fifteen dangerous migrations. `django-migration-linter`
#   stops seven, warns of three, and lets five pass. Three pass both: a helper that is imported, a
#   column that the models alone forget, rows and schema in one file.
# databases: [SQLite, PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is one migration. The page behind its link shows the harm.
#
# - **linter**: `lintmigrations` of `django-migration-linter`, on each of the two databases.
# - **squawk**: on the SQL that `sqlmigrate` prints on PostgreSQL, without
#   [five of its rules](#what-they-stop-without-need).
# - **stops**: exit code 1. **warns**: it prints that, and the exit code is 0.

# %%
import re

from playbook_kit import Sandbox, table

MIGRATION = """from django.contrib.postgres import operations as postgres
from django.db import migrations, models
{}

class Migration(migrations.Migration):
    atomic = {}
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [
        {},
    ]
"""
FUNCTION = "{}\n\ndef change(apps, schema_editor):\n    {}\n    {}\n".format
GENRES = 'Genre.objects.filter(name="Essay").update(name="Essays")'
ALONE = FUNCTION("", 'Genre = apps.get_model("library", "Genre")', GENRES)
MODEL = FUNCTION("from library.models import Genre\n", '"""Rename a genre."""', GENRES)
HELPER = FUNCTION("from library.helpers import rename\n", '"""Rename a genre."""', 'rename("Essay", "Essays")')  # fmt: skip
BOOK = FUNCTION("", 'Book = apps.get_model("library", "Book")', 'Book.objects.create(title="New", author_id=1)')  # fmt: skip
PYTHON = "migrations.RunPython(change, migrations.RunPython.noop)"
ADD, ALTER = (f'migrations.{it}Field("book", "{{}}", models.{{}})'.format for it in ("Add", "Alter"))  # fmt: skip
INDEX = '"book", models.Index(fields=["isbn"], name="library_book_isbn")'
CHECK = '"book", models.CheckConstraint(condition=models.Q(copies__gt=0), name="library_book_positive")'  # fmt: skip
REMOVE, NOTE = 'migrations.RemoveField("book", "isbn")', ADD("note", "TextField(null=True)")
LATER = f"postgres.AddConstraintNotValid({CHECK})"
CHANGES, STEPS = "../changes/what-each-change-does.md", "../production/remove-or-require-a-field.md"
READING = "[{} while rows are read](../production/constraints-without-long-locks.md)".format
FRESH = "[a fresh database stops](../data/two-ways-to-read-models.md)"
# By the name of its file: the migration, its harm, its operations, and the function before them.
DANGEROUS = {
    "add_required": ("`AddField`, `default`", f"[old code cannot write]({STEPS}#add-a-required-field)", ADD("pages", "IntegerField(default=0)")),
    "remove_field": ("`RemoveField`", f"[old code fails]({STEPS}#remove-a-field)", REMOVE),
    "rename_field": ("`RenameField`", "[old code fails](../production/rename-in-four-releases.md)", 'migrations.RenameField("book", "isbn", "code")'),
    "rename_model": ("`RenameModel`", f"[old code fails]({CHANGES})", 'migrations.RenameModel("Genre", "Topic")'),
    "unique": ("a `UniqueConstraint`", READING("all wait"), 'migrations.AddConstraint("book", models.UniqueConstraint(fields=["isbn"], name="library_book_isbn_key"))'),
    "index": ("`AddIndex`", READING("writes wait"), f"migrations.AddIndex({INDEX})"),
    "foreign_key": ("`AddField`, a `ForeignKey`", READING("all wait"), ADD("editor", 'ForeignKey("library.Author", models.SET_NULL, null=True, related_name="+")')),
    "check": ("a `CheckConstraint`", READING("all wait"), f"migrations.AddConstraint({CHECK})"),
    "check_at_once": ("the same, both steps in one file", READING("all wait"), f'{LATER},\n        postgres.ValidateConstraint("book", "library_book_positive")'),
    "larger_number": ("`AlterField`, a larger number", f"[the table is written again]({CHANGES})", ALTER("copies", "PositiveBigIntegerField(default=1)")),
    "no_way_back": ("`RunPython` without a way back", "[no way back](../reset/irreversible.md)", "migrations.RunPython(change)", ALONE),
    "imports_model": ("`RunPython`, imports a model", FRESH, PYTHON, MODEL),
    "imports_helper": ("`RunPython`, imports a helper", FRESH, PYTHON, HELPER),
    "state_only": ("`SeparateDatabaseAndState`, forgets a required column", f"[new code cannot write]({STEPS}#remove-a-field)", f"migrations.SeparateDatabaseAndState(state_operations=[{REMOVE}])"),
    "rows_and_schema": ("rows and schema in one file", "[`migrate` stops](../production/pending-trigger-events.md)", f"{PYTHON},\n        {NOTE}", BOOK),
}  # fmt: skip
HARMLESS = {
    "add_nullable": ("`AddField`, null", NOTE),
    "add_db_default": ("`AddField`, `db_default`", ADD("pages", "IntegerField(db_default=0)")),
    "new_table": ("`CreateModel`", 'migrations.CreateModel("Shelf", [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=9))])'),
    "longer_title": ("`AlterField`, a longer title", ALTER("title", "CharField(max_length=250)")),
    "help_text": ("`AlterField`, `help_text`", ALTER("title", 'CharField(max_length=200, help_text="As printed")')),
    "index_concurrently": ("`AddIndexConcurrently`", f"postgres.AddIndexConcurrently({INDEX})"),
    "check_not_valid": ("`AddConstraintNotValid`", LATER),
}  # fmt: skip
MEASURE = """from django.core.management import call_command
from django.db import connection

from library.models import Author, Book  # the old code: models.py stays as it is

FILE = "select pg_relation_filenode('library_book')"
before = connection.cursor().execute(FILE).fetchone()
call_command("migrate", verbosity=0)
after = connection.cursor().execute(FILE).fetchone()
list(Book.objects.all())
Book.objects.create(title="New", author=Author.objects.first())
print("old code runs on, table", "not written again" if before == after else "written again")
"""
NEW, LINT = "library/migrations/0007_new.py", "python manage.py lintmigrations --no-cache"
SINCE, ROOT = "--git-commit-id origin/main", "--project-root-path ."
RULES = "require-lock-timeout,require-statement-timeout,prefer-text-field,prefer-bigint-over-int,prefer-robust-stmts"  # fmt: skip
SQL, SQUAWK = "python manage.py sqlmigrate library 0007 > new.sql", "squawk --reporter gcc new.sql"
BRANCH = f"git switch --quiet --create isbn && cp cases/remove_field.py {NEW}"
COMMIT = f"git add {NEW} && git commit --quiet --message 'No ISBN'"

# %% [markdown] tags=["setup"]
# `python -m pip install django-migration-linter squawk-cli`: the linter is an app, `squawk` a program.

# %% tags=["setup"]
sqlite, postgresql = Sandbox("sqlite"), Sandbox("postgresql", "PostgreSQL")
sqlite.replace("config/settings.py", '"lending",', '"lending",\n    "django_migration_linter",')

# %% [markdown] tags=["setup"]
# The migrations. Each is tried alone, as `library/migrations/0007_new.py`; `models.py` stays as it is.

# %% tags=["setup"]
sqlite.write("library/helpers.py", "def rename(old, new): ...\n")
sqlite.write("measure.py", MEASURE)
for name, (_, operations, *more) in ({it: row[1:] for it, row in DANGEROUS.items()} | HARMLESS).items():  # fmt: skip
    sqlite.write(f"cases/{name}.py", MIGRATION.format("".join(more), "Concurrently" not in operations, operations))  # fmt: skip
sqlite.run("git add . && git commit --quiet --message Linter && git push --quiet")
postgresql.run("git pull --quiet")
review = postgresql.clone("review")

# %% [markdown] tags=["setup"]
# The two lines of CI, and one row whole: a branch removes a field.

# %% tags=["setup"]
ci = review.clone("ci")
ci.run(f"{BRANCH} && {COMMIT}")
ci.run(f"{LINT} {SINCE} {ROOT} --warnings-as-errors", fails="DROPPING columns")
ci.run(f"{SQL} && {SQUAWK} --exclude {RULES}", fails="ban-drop-column")


# %%
def linter(place):
    """What the linter says of the new migration."""
    output = place.attempt(f"{LINT} library 0007")
    found = re.findall(r"^\t(?:'\w+': )?(.+?)(?: \(|\. | that was|, delaying|$)", output, re.M)
    return said(output.code, found or re.findall(r"^(\w+Error):", output, re.M))


def squawk(line):
    """The rules that squawk names for the SQL of the new migration."""
    output = postgresql.attempt(line)
    return said(output.code, re.findall(r"^new\.sql:\d+:\d+: \w+: (\S+)", output, re.M))


def said(code, found):
    """One cell: the exit code in a word, and what was printed, each once."""
    word = "stops: " if code else "warns: " if found else "passes"
    return word + "<br>".join(f"`{it}`" for it in dict.fromkeys(found))


def seen(name):
    """What each says of one migration; and squawk once more, as it comes."""
    for place in (sqlite, postgresql):
        place.run(f"cp cases/{name}.py {NEW}")
    postgresql.run(SQL)
    return [linter(sqlite), linter(postgresql), squawk(f"{SQUAWK} --exclude {RULES}"), squawk(SQUAWK)]  # fmt: skip


columns = [f"linter {sqlite.run(f'{LINT} --version').strip()}, SQLite", "linter, PostgreSQL", postgresql.run("squawk --version").strip()]  # fmt: skip
dangerous = {name: seen(name) for name in DANGEROUS}
rows = [[*DANGEROUS[it][:2], *(re.sub("^(passes|warns)", r"**\1**", cell) for cell in cells[:3])] for it, cells in dangerous.items()]  # fmt: skip
table("What each linter catches", ["the migration", "its harm", *columns], rows)

# %% [markdown]
# - **Three pass both.** Read [the file](review-the-sql.md), and [try it](ways-to-test.md).
# - **A warning is no failure.** `--warnings-as-errors`, at the end of the line, makes it one.
# - **Run the linter on PostgreSQL** if that is what you deploy to. On SQLite it says
#   `NOT NULL constraint on columns` of each table that is [built again](review-the-sql.md), for
#   whatever reason. `--sql-analyser postgresql` does not help: a longer title is `DROPPING table`.
#
# ## What they stop without need
#
# After each of these, on PostgreSQL, the old code reads and writes books, and their table is not
# written again. Locks: [what each change does](../changes/what-each-change-does.md).


# %%
def measured(name):
    """What the migration does to the old code and to the table of books, on PostgreSQL."""
    place = postgresql.clone(name.replace("_", "-"))
    place.run(f"cp cases/{name}.py {NEW}")
    return place.run("cat measure.py | python manage.py shell --verbosity 0").strip()


harmless, measures = {it: seen(it) for it in HARMLESS}, {measured(it) for it in HARMLESS}
rows = [[HARMLESS[it][0], *(cell.replace("stops", "**stops**") for cell in cells)] for it, cells in harmless.items()]  # fmt: skip
table("What they stop without need", ["the migration", *columns, "squawk, as it comes"], rows)

# %% [markdown]
# - **Five rules of `squawk`** are left out in all other columns. Two want timeouts in the SQL: set
#   `lock_timeout` [in the settings](../production/lock-queue.md#keep-it-from-happening). Two want other
#   types of columns. `prefer-robust-stmts` wants `IF NOT EXISTS`, and that
#   [leaves an invalid index](../production/index-concurrently.md#what-not-to-do) as it is.
# - **A longer title** stops all three. Excuse that one file by its name, as below.
# - **Do not pipe into `squawk`.** If `sqlmigrate` fails, `squawk` reads nothing and ends with 0.
#
# ## Start on an old project
#
# `main` has thirteen old migrations. A branch adds `0007_new`, which removes a field.


# %%
def started(when, *options):
    """How many migrations the linter reads, in how many it finds errors, and its exit code."""
    output = review.attempt(" ".join((LINT, *options)))
    count = {word: int(it) for word, it in re.findall(r"^(\w+) .*: (\d+)/", output, re.M)}
    read = int(output.rpartition("/")[2]) - count["Ignored"]
    code = str(output.code) if read else f"**{output.code}**"
    return [f"`{' '.join(options)}`" if options else "none", when, str(read), str(count["Erroneous"]), code]  # fmt: skip


review.run(BRANCH)
rows = [started(""), started("the file is not in Git", SINCE, ROOT)]
review.run(COMMIT)
rows += [started("committed", SINCE), started("committed", SINCE, ROOT)]
rows += [started("the same, and excused", SINCE, ROOT, "--ignore-name 0007_new"), started("before `migrate`", "--unapplied-migrations")]  # fmt: skip
review.run("python manage.py migrate --verbosity 0")
rows.append(started("after `migrate`", "--unapplied-migrations"))
table("Start on an old project", ["options", "when", "read", "with errors", "exit code"], rows)

# %% [markdown]
# - **Where nothing is read, the exit code is 0.** Look for your file in the summary.
# - **`--git-commit-id` needs `--project-root-path .`** Without it, the linter asks Git in the folder of
#   the settings: here in `config`, where no migration is.
# - **Keep `--no-cache`.** A warning from the cache stays a warning, also with `--warnings-as-errors`.
# - **A line of CI** for each of the two, with all that it prints, is in the fold below.

# %% tags=["check"]
words = {name: [it.partition(":")[0] for it in cells] for name, cells in dangerous.items()}
_, linted, sql, _ = zip(*words.values(), strict=True)
assert [linted.count("stops"), linted.count("warns"), sql.count("stops")] == [7, 3, 10], "of 15"
both = [name for name, cells in words.items() if cells[1:3] == ["passes", "passes"]]
assert both == ["imports_helper", "state_only", "rows_and_schema"], "three pass both"
assert measures == {"old code runs on, table not written again"}, "harmless"
assert measured("larger_number").endswith("table written again"), "and it can be told"

for name in (*DANGEROUS, *HARMLESS)[:-2]:
    built = "new__library" in sqlite.run(f"cp cases/{name}.py {NEW} && python manage.py sqlmigrate library 0007")  # fmt: skip
    assert built == ("NOT NULL" in (dangerous | harmless)[name][0]), "so it says of a new table"

sqlite.run(f"cp cases/longer_title.py {NEW} && {LINT} library 0007 --sql-analyser postgresql", fails="DROPPING table")  # fmt: skip
sqlite.run(f"cp cases/no_way_back.py {NEW}")
for options in ("", " --warnings-as-errors"):
    cached = sqlite.run(f"{LINT.removesuffix(' --no-cache')} library 0007{options}")
assert "WARNING (cached)" in cached, "from the cache it stays a warning"
sqlite.run(f"{LINT} library 0007 --warnings-as-errors", fails="not reversible")
piped = postgresql.run("python manage.py sqlmigrate library 9999 | squawk")
assert "CommandError" in piped, "sqlmigrate failed, and the exit code is 0"
assert "(in ~/review/config)" in review.run(f"{LINT} {SINCE} --verbosity 2"), "where it asks Git"
assert [row[2:] for row in rows][1:3] == [["0", "0", "**0**"]] * 2, "nothing read, and no error"
postgresql.run(f"cp cases/rows_and_schema.py {NEW} && python manage.py migrate", fails="pending trigger events")  # fmt: skip
