# ---
# title: What each CI check catches, and what it misses
# answer: >-
#   Four lines in CI catch six of these seven faults, and each line catches one that the others let
#   through. The seventh is in a database that CI never meets: check it where it lives.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is a pull request with one fault. It is merged with `main`, and then each check runs as in
# CI, where the database is new. A cell says **stops** if the exit code is not 0.

# %%
from playbook_kit import Sandbox, on, table

NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
SAVE = "git add . && git commit --quiet --allow-empty --message Work"
MIGRATION = "python manage.py makemigrations --noinput --verbosity 0 --name"
EVENT = "class Event(models.Model): ..."
PAGES = "    pages = models.IntegerField(null=True)\n"
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
GET = 'operations = [migrations.RunPython(lambda apps, _: apps.get_model("library.Genre").objects.get(name="Gothic"))'
SCRIPT = '''
    """Fails on an app without its migrations package, and on what may be a rename in disguise."""

    import os
    import subprocess
    import sys
    from pathlib import Path

    import django
    from django.apps import apps
    from django.db.migrations import AddField, CreateModel, DeleteModel, RemoveField
    from django.db.migrations.loader import MigrationLoader

    MARK = "# not a rename"
    sys.path.insert(0, os.getcwd())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    loader = MigrationLoader(None)
    problems = []

    for app in apps.get_app_configs():
        own = "site-packages" not in app.path and app.label in loader.unmigrated_apps
        if own and any(model._meta.managed for model in app.get_models()):
            problems.append(
                f"{app.label} has models and no migrations package.\\n"
                f"  Run python manage.py makemigrations {app.label}"
            )

    diff = "git diff --cached --merge-base --no-renames --name-only --diff-filter=A --relative"
    added = subprocess.check_output([*diff.split(), "origin/main"], text=True).splitlines()
    new = [Path(name).resolve() for name in added]
    for migration in loader.disk_migrations.values():
        file = Path(sys.modules[migration.__module__].__file__).resolve()
        if file not in new or MARK in file.read_text():
            continue
        lost = {op.model_name_lower for op in migration.operations if isinstance(op, RemoveField)}
        made = {op.model_name_lower for op in migration.operations if isinstance(op, AddField)}
        if lost & made or {type(op) for op in migration.operations} >= {DeleteModel, CreateModel}:
            problems.append(
                f"{file.name} removes one field or model and adds another.\\n"
                "  If it is a rename, data is lost: write RenameField or RenameModel instead.\\n"
                f"  If it is not, write the comment {MARK} into the file."
            )

    sys.exit("\\n".join(problems) or 0)
'''
GITHUB = """
    name: Migrations
    on: [pull_request, merge_group]
    jobs:
      migrations:
        runs-on: ubuntu-latest
        steps:
          - uses: actions/checkout@v4
            with: {fetch-depth: 0}
          - uses: actions/setup-python@v5
            with: {python-version: "3.13"}
          - run: python -m pip install -r requirements.txt
          - run: git fetch --quiet origin +main:refs/remotes/origin/main
          - run: git -c user.name=CI -c user.email=ci@localhost merge --quiet --no-edit origin/main
          - name: One leaf node for each app, and no migration is forgotten
            run: python manage.py makemigrations --check --noinput
          - name: No migration that main has is edited, deleted or renamed
            run: git diff --cached --merge-base --no-renames --name-status --exit-code --diff-filter=MD origin/main -- "*/migrations/*.py"
          - name: Each app has migrations, and none of them hides a rename
            run: python ci/check_migrations.py
          - name: A new database can be built
            run: python manage.py migrate
"""
GITLAB = """\
migrations:
  image: python:3.13
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  variables: {GIT_DEPTH: "0"}
  before_script: [python -m pip install -r requirements.txt]
  script:
"""
HOOK = """\
      - id: {0}
        name: {0}
        language: system
        entry: {1}
        pass_filenames: false
        always_run: true
"""


def commands(path, mark):  # the command lines in a file, without the installation
    lines = [line.partition(mark)[2] for line in main.run(f"cat {path}").splitlines()]
    return [line for line in lines if line[:4] in ("git ", "pyth") and "pip install" not in line]


main = Sandbox("main")
main.write("ci/check_migrations.py", SCRIPT.replace("\n    ", "\n").lstrip())
main.write(".github/workflows/migrations.yml", GITHUB.replace("\n    ", "\n").lstrip())
LINES = commands(".github/workflows/migrations.yml", "run: ")
FETCH, MERGE, MAKEMIGRATIONS, DIFF, CHECK, MIGRATE = LINES
main.write(".gitlab-ci.yml", GITLAB + "".join(f"    - {line}\n" for line in LINES))
hooks = ("forgotten", MAKEMIGRATIONS), ("edited", DIFF), ("disguised", CHECK)
hooks = "".join(HOOK.format(f"{name}-migrations", line) for name, line in hooks)
main.write(".pre-commit-config.yaml", f"repos:\n  - repo: local\n    hooks:\n{hooks}")


def seen(place):
    """What each check says of a pull request, merged with main, where the database is new."""
    ci = place.clone(f"{place.name}-ci")
    ci.run(f"{SAVE} && {NEW} && {FETCH} && {MERGE}")
    found = [ci.attempt(line).code for line in (MAKEMIGRATIONS, MIGRATE, DIFF, CHECK)]
    return ["**stops**" if code else "passes" for code in found]


# %% [markdown] tags=["setup"]
# Main has these files. Then a colleague merges a migration of `lending`, and you have one, too:

# %% tags=["setup"]
main.run(f"{SAVE} && git push --quiet")
leaves = main.clone("leaves")
leaves.run(f"{MIGRATION} loan_note --empty lending && {SAVE}")
main.run(f"{MIGRATION} reader_phone --empty lending && {SAVE} && git push --quiet")

# %% [markdown] tags=["setup"]
# A new field without its migration; and, with it, a pull request without a fault:

# %% tags=["setup"]
forgotten = main.clone("forgotten")
forgotten.replace("library/models.py", ISBN, ISBN + PAGES)
healthy = forgotten.clone("healthy")
healthy.run(f"{MIGRATION} book_pages")

# %% [markdown] tags=["setup"]
# A field gets a new name, and `--noinput` keeps Django from asking:

# %% tags=["setup"]
renamed = main.clone("renamed")
renamed.replace("library/admin.py", '"isbn", ', "")
unlike, two = renamed.clone("unlike"), renamed.clone("two-files")
renamed.replace("library/models.py", "    isbn = ", "    isbn13 = ")
renamed.run(f"{MIGRATION} isbn13")

# %% [markdown] tags=["setup"]
# A new app with a model, and without the package `migrations`:

# %% tags=["setup"]
no_package = main.clone("no-package")
no_package.run("python manage.py startapp events && rm -r events/migrations")
no_package.replace("config/settings.py", '    "library",\n', '    "library",\n    "events",\n')
no_package.replace("events/models.py", "# Create your models here.", EVENT)

# %% [markdown] tags=["setup"]
# A title may be longer now, and an old migration says that it always could:

# %% tags=["setup"]
edited = main.clone("edited")
edited.replace("library/models.py", "max_length=200", "max_length=250")
edited.replace("library/migrations/0005_longer_titles.py", "max_length=200", "max_length=250")

# %% [markdown] tags=["setup"]
# A data migration needs a row that every old database has, and that no migration makes:

# %% tags=["setup"]
needs_row = main.clone("needs-row")
needs_row.run(f"{MIGRATION} gothic --empty library")
needs_row.replace("library/migrations/0007_gothic.py", "operations = [", GET)
needs_row.run("python manage.py migrate --verbosity 0")

# %% [markdown] tags=["setup"]
# An index is dropped by hand, in production:

# %% tags=["setup"]
production = main.clone("production")
production.rows("drop index library_book_title")

# %%
FAULTS = {
    "nothing: a healthy pull request": healthy,
    "[Two leaf nodes](../conflicts/two-leaf-nodes.md), after the merge": leaves,
    "A forgotten migration": forgotten,
    "A rename, written as a removal and an addition": renamed,
    "[An app without its package](../mismatch/no-changes-detected.md)": no_package,
    "[A migration on main was edited](../mismatch/edited-after-applying.md)": edited,
    "A migration that needs rows of an old database": needs_row,
    "[An index dropped by hand](../mismatch/schema-changed-by-hand.md)": production,
}
COLUMNS = ["what is wrong", "`makemigrations`", "`migrate`", "`git diff`", "`check_migrations.py`"]
rows = [[fault, *seen(place)] for fault, place in FAULTS.items()]
table("What each check in CI catches", COLUMNS, rows)

# %% [markdown]
# The last row passes: CI's own database has the index. Look [at the one that stays](living-database.md).
#
# ## Where they are wrong
#
# - Two leaf nodes pass as long as the branch is alone. **Run the checks on the merged state.**
# - In a pre-commit hook, a migration that you forgot to `git add` passes: Django finds the file.
# - `check_migrations.py` looks into one file at a time. There it stops on a field that goes and another
#   that comes, even if they are unrelated: the comment `# not a rename` lets them pass.
# - `git diff` stops on [an edit that changes nothing](edited-migrations.md#when-the-edit-is-right).
#
# [The files](../../guide/ci.md#the-files) run the same lines; pre-commit has no merge and no `migrate`.

# %% tags=["check"]
silent = [row[0] for row in rows if "**stops**" not in row]
assert silent == [rows[0][0], rows[-1][0]], "six of seven faults stop, and the healthy one passes"
alone = {row.index("**stops**") for row in rows if row.count("**stops**") == 1}
assert alone == {1, 2, 3, 4}, "each check stops something that no other one stops"
assert commands(".gitlab-ci.yml", "- ") == LINES, "GitLab runs what GitHub runs"
local = commands(".pre-commit-config.yaml", "entry: ")
assert local == [MAKEMIGRATIONS, DIFF, CHECK], "pre-commit runs all but the merge and migrate"
assert not any(healthy.attempt(line).code for line in local), "the file is there, and not in Git"
leaves.run(MAKEMIGRATIONS)  # no leaf node too many, before the merge
for old, new, name in ((ISBN, "", "no_isbn"), ("    copies", f"{PAGES}    copies", "pages")):
    two.replace("library/models.py", old, new)
    two.run(f"{MIGRATION} {name} && git add . && {CHECK}")

unlike.replace("library/models.py", ISBN, PAGES)
unlike.run(f"{MIGRATION} pages_not_isbn && git add . && {CHECK}", fails="removes one field")
unlike.replace("library/migrations/0007_pages_not_isbn.py", "class", "# not a rename\nclass")
unlike.run(CHECK)
no_package.run(f"{MIGRATION} initial events && git add . && {CHECK}")
no_package.replace("events/models.py", "Event", "Meeting")
no_package.run(f"{MIGRATION} meeting events && git add . && {CHECK}", fails="0002_meeting")
