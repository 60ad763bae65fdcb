# ---
# title: What to check on a database that stays
# answer: >-
#   CI builds a new database, so it never sees what is wrong with an old one. Two lines do, run where
#   the database lives: migrate --check for what is pending, and a script that compares schemas.
# databases: [SQLite, PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is a database with one fault, and the code that runs on it. Both lines run there, and then
# once more on a new database, which the same code has built. **stops**: the exit code is not 0.

# %%
from playbook_kit import Sandbox, table

ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
PAGES = "    pages = models.IntegerField(null=True)\n"
GET = 'operations = [migrations.RunPython(lambda apps, _: apps.get_model("library.Genre").objects.get(name="Gothic"))'
SCRIPT = '''
    """Compares the schema of the default database with one that Django builds from the files.

    It makes and drops a test database on the same server, as `manage.py test` does. An old test
    database of that name is dropped, too. The default one is only read.
    """

    import os
    import sys

    import django
    from django.db import connection

    IGNORE = set()  # tables that other programs made
    sys.path.insert(0, os.getcwd())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()


    def facts(values):
        return ", ".join(f"{key}={value}" for key, value in values.items() if value)


    def schema():
        look, found = connection.introspection, set()
        with connection.cursor() as cursor:
            for table in set(look.table_names(cursor)) - IGNORE:
                found.add(f"table {table}")
                for column in look.get_table_description(cursor, table):
                    found.add(f"column of {table}: {facts(column._asdict())}")
                for name, constraint in look.get_constraints(cursor, table).items():
                    found.add(f"index or constraint {name} of {table}: {facts(constraint)}")
        return found


    here, name = schema(), connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        built = schema()
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)

    lines = [f"missing here: {line}" for line in sorted(built - here)]
    lines += [f"only here: {line}" for line in sorted(here - built)]
    if lines:
        lines.append("Write a migration for what is right here, and mend by hand what is wrong.")
        sys.exit("\\n".join(lines))
'''
GITHUB = """
    name: Living database
    on:
      workflow_dispatch:
      schedule:
        - cron: "17 4 * * *"
    jobs:
      compare:
        runs-on: ubuntu-latest
        env:
          DATABASE_URL: ${{ secrets.STAGING_DATABASE_URL }}
        steps:
          - uses: actions/checkout@v4 # the version that runs there
          - uses: actions/setup-python@v5
            with: {python-version: "3.13"}
          - run: python -m pip install -r requirements.txt
          - name: Nothing is pending
            run: python manage.py migrate --check
          - name: The schema is the one that the migrations build
            run: python ci/compare_schema.py
"""
GITLAB = """\
# In .gitlab-ci.yml: include: [{local: .gitlab/living-database.yml}]
# The schedule sets DATABASE_URL.
living-database:
  image: python:3.13
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule"
  before_script: [python -m pip install -r requirements.txt]
  script:
"""
WORKFLOW = ".github/workflows/living-database.yml"
healthy = Sandbox("healthy")
healthy.write("ci/compare_schema.py", SCRIPT.replace("\n    ", "\n").lstrip())
healthy.write(WORKFLOW, GITHUB.replace("\n    ", "\n").lstrip())
found = [line.partition("run: ")[2] for line in healthy.run(f"cat {WORKFLOW}").splitlines()]
CHECK, COMPARE = LINES = [line for line in found if line and "pip install" not in line]
healthy.write(".gitlab/living-database.yml", GITLAB + "".join(f"    - {line}\n" for line in LINES))


def seen(place):
    """What the two lines say here, and what they say of a new database."""
    new = place.clone(f"{place.name}-new")
    built = new.attempt("rm db.sqlite3 && python manage.py migrate --verbosity 0").code
    codes = [place.attempt(line).code for line in LINES]
    codes.append(built or any(new.attempt(line).code for line in LINES))
    return ["**stops**" if code else "passes" for code in codes]


# %% [markdown] tags=["setup"]
# A data migration is deployed, and nobody ran `migrate`:

# %% tags=["setup"]
pending = healthy.clone("pending")
pending.run("python manage.py makemigrations library --empty --name fill_isbn --verbosity 0")

# %% [markdown] tags=["setup"]
# A new field is deployed, and its migration was never written:

# %% tags=["setup"]
forgotten = healthy.clone("forgotten")
forgotten.replace("library/models.py", ISBN, ISBN + PAGES)

# %% [markdown] tags=["setup"]
# An index is dropped by hand, and a column is added by hand:

# %% tags=["setup"]
index, column = healthy.clone("index"), healthy.clone("column")
index.rows("drop index library_book_title")
column.rows("alter table library_book add column shelf varchar(9)")

# %% [markdown] tags=["setup"]
# A migration is recorded with `--fake`, and never ran:

# %% tags=["setup"]
faked = forgotten.clone("faked")
faked.run("python manage.py makemigrations library --name pages --verbosity 0")
ghost = faked.clone("ghost")
faked.run("python manage.py migrate --fake --verbosity 0")

# %% [markdown] tags=["setup"]
# A migration is applied on a branch, and the branch is left:

# %% tags=["setup"]
ghost.run("python manage.py migrate --verbosity 0 && rm library/migrations/0007_pages.py")
ghost.replace("library/models.py", PAGES, "")

# %% [markdown] tags=["setup"]
# A migration that is applied here is edited:

# %% tags=["setup"]
edited = healthy.clone("edited")
edited.replace("library/models.py", "max_length=200", "max_length=250")
edited.replace("library/migrations/0005_longer_titles.py", "max_length=200", "max_length=250")

# %% [markdown] tags=["setup"]
# A new app with a model, and without the package `migrations`:

# %% tags=["setup"]
no_package = healthy.clone("no-package")
no_package.run("python manage.py startapp events && rm -r events/migrations")
no_package.replace("config/settings.py", '    "library",\n', '    "library",\n    "events",\n')
no_package.replace(
    "events/models.py", "# Create your models here.", "class Event(models.Model): ..."
)

# %% [markdown] tags=["setup"]
# A data migration needs a row that this database has:

# %% tags=["setup"]
needs_row = healthy.clone("needs-row")
needs_row.run("python manage.py makemigrations library --empty --name gothic --verbosity 0")
needs_row.replace("library/migrations/0007_gothic.py", "operations = [", GET)
needs_row.run("python manage.py migrate --verbosity 0")

# %%
STATES = {
    "nothing: a healthy database": healthy,
    "A data migration was not run": pending,
    "[An index was dropped by hand](../mismatch/schema-changed-by-hand.md)": index,
    "[A column was added by hand](../mismatch/schema-changed-by-hand.md)": column,
    "[Recorded, never run](../mismatch/recorded-but-never-ran.md)": faked,
    "[A row without a file](../mismatch/ghost-migration.md), and its column": ghost,
    "[An applied migration was edited](../mismatch/edited-after-applying.md)": edited,
    "[An app without its package](../mismatch/no-changes-detected.md)": no_package,
    "A migration that needs rows of an old database": needs_row,
    "A forgotten migration": forgotten,
}
COLUMNS = ["what is wrong", "`migrate` `--check`", "`compare_schema.py`", "both, on a new database"]
rows = [[state, *seen(place)] for state, place in STATES.items()]
table("What each check sees on a database that stays", COLUMNS, rows)

# %% [markdown]
# ## When to run them
#
# The files are in [Checks on a database that stays](../../guide/living-databases.md#the-files).
#
# - **Every night**, against staging or a restored copy of production, with the code that runs there.
# - **Before a deploy**, with the old code: what fails now was there before you came.
# - **After `migrate`**, with the new code. In between, `migrate --check` stops on what is to come.
#
# ## Where they are wrong
#
# - A forgotten migration is in no schema: [CI](ci-checks.md) has to see it.
# - A row without a file that made no column is in no schema either:
#   [a query](../mismatch/ghost-migration.md#is-this-your-case) shows it.
# - `compare_schema.py` stops on a table that another program made. Put its name into `IGNORE`.
# - It builds the database with all data migrations, and stops where one of them fails.
# - It compares names. An index made by hand under another name is a difference.

# %% tags=["check"]
by_state = {state: cells for state, *cells in rows}
assert by_state.pop("nothing: a healthy database") == ["passes"] * 3, "no false alarm"
assert by_state.pop("A forgotten migration") == ["passes"] * 3, "the schema is that of the files"
assert by_state.pop("A data migration was not run")[:2] == ["**stops**", "passes"], "a row lacks"
assert all(cells[:2] == ["passes", "**stops**"] for cells in by_state.values()), "the schema is off"
seen_in_ci = [state for state, cells in by_state.items() if cells[2] == "**stops**"]
assert seen_in_ci == list(by_state)[-2:], "a new database shows what is wrong in the files only"

# The comparison leaves the database file as it was, and can be told to ignore a table.
healthy.run("cp db.sqlite3 ../before.sqlite3")
healthy.run(f"{COMPARE} && git diff --no-index --quiet ../before.sqlite3 db.sqlite3")
healthy.rows("create table report (id integer primary key)")
healthy.run(COMPARE, fails="only here: table report")
healthy.replace("ci/compare_schema.py", "IGNORE = set()", 'IGNORE = {"report"}')
healthy.run(COMPARE)
index.rows("create index titles on library_book (title)")
index.run(COMPARE, fails="index or constraint titles")
healthy.rows("insert into django_migrations (app, name, applied) values ('library', '0007_x', 0)")
healthy.run(f"{CHECK} && {COMPARE}")
server = Sandbox("postgresql", "PostgreSQL")
server.write("ci/compare_schema.py", SCRIPT.replace("\n    ", "\n").lstrip())
assert server.run(COMPARE) == "", "on PostgreSQL, too, it passes over a healthy database"
server.rows("drop index library_book_title")
server.run(COMPARE, fails="missing here")
