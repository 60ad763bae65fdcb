# ---
# title: Edits of a model that send no SQL
# answer: >-
#   A help text, choices, validators, `on_delete` or an ordering write a migration, and no statement.
#   A new `default`, `upload_to` or `auto_now` builds the table again on SQLite. Commit each one: while
#   it is missing, `makemigrations --check` fails, and the next person gets it into their migration.
# databases: [SQLite, PostgreSQL]
# group: changes
# ---

# %% [markdown]
# Each row is one edit of `models.py`. The migration is what `makemigrations` says that it writes; the
# SQL is that of `sqlmigrate`. The **lock** is the strongest that PostgreSQL holds on the table until
# the migration ends (`pg_locks`): `ACCESS EXCLUSIVE` stops reads and writes. Without SQL there is none.

# %%
import re

from playbook_kit import Sandbox, table

MAKE = "python manage.py makemigrations --noinput --name edit"
MODELS, LOAN = "library/models.py", "lending/models.py"
TITLE = "    title = models.CharField(max_length=200)\n"
AUTHOR = "    author = models.ForeignKey(Author, on_delete=models.CASCADE)\n"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
GENRES = "    genres = models.ManyToManyField(Genre, blank=True)\n"
COVER = '    cover = models.FileField(upload_to="covers", blank=True)\n'
ADDED = "    added = models.DateField(null=True)\n"
INDEXES = '        indexes = [models.Index(fields=["title"], name="library_book_title")]\n'
CHECK = '                name="lending_loan_due_after_lent",\n'
LOCKS = """from django.core.management import call_command
from django.db import connection, transaction

with transaction.atomic(), connection.cursor() as cursor:
    call_command("migrate", verbosity=0)
    cursor.execute("select distinct mode from pg_locks where relation = any(%s::regclass[]) "
        "and mode in ('AccessExclusiveLock', 'ShareLock') order by 1 limit 1",
        [["library_book", "library_book_genres", "lending_loan"]])
    print("locks:", *(mode for (mode,) in cursor))
    transaction.set_rollback(True)
"""


def more(line, words):
    """This field with one more option."""
    return MODELS, line, line.replace(")\n", f", {words})\n")


def meta(words):
    """One more line in the Meta of Book."""
    return MODELS, INDEXES, f"{INDEXES}        {words}\n"


def before_book(text):
    """A class in front of Book."""
    return MODELS, "class Book(", f"{text}\n\n\nclass Book("


MANAGER = "class Books(models.Manager):\n    use_in_migrations = {}\n"
OBJECTS = (MODELS, INDEXES, f"{INDEXES}\n    objects = Books()\n")
STR = "        return self.title\n"
EDITS = {
    "`verbose_name`": [more(TITLE, 'verbose_name="as printed"')],
    "`help_text`": [more(TITLE, 'help_text="As printed"')],
    "`choices`": [more(TITLE, 'choices=[("Emma", "Emma")]')],
    "`validators`": [more(TITLE, "validators=[MinLengthValidator(2)]")],
    "`error_messages`": [more(TITLE, 'error_messages={"blank": "Needed"}')],
    "`blank=True`": [more(TITLE, "blank=True")],
    "`editable=False`": [more(TITLE, "editable=False")],
    "`default`, another value": [(MODELS, COPIES, COPIES.replace("1", "2"))],
    "`upload_to`": [(MODELS, COVER, COVER.replace("covers", "scans"))],
    "`auto_now=True`": [more(ADDED, "auto_now=True")],
    "`on_delete=PROTECT`": [(MODELS, AUTHOR, AUTHOR.replace("CASCADE", "PROTECT"))],
    "`related_name`": [more(AUTHOR, 'related_name="books"')],
    "`limit_choices_to`": [more(AUTHOR, 'limit_choices_to={"name": "Jane Austen"}')],
    "`help_text` of a `ManyToManyField`": [more(GENRES, 'help_text="Any number"')],
    "`ordering`": [meta('ordering = ["title"]')],
    "`verbose_name_plural`": [meta('verbose_name_plural = "volumes"')],
    "`permissions`": [meta('permissions = [("lend_book", "Can lend a book")]')],
    "a manager": [before_book(MANAGER.format(False)), OBJECTS],
    "a manager with `use_in_migrations`": [before_book(MANAGER.format(True)), OBJECTS],
    "a method": [(MODELS, STR, f"{STR}\n    def shout(self):\n        return self.title.upper()\n")],
    "a proxy model": [(MODELS, STR, f"{STR}\n\nclass Novel(Book):\n    class Meta:\n        proxy = True\n")],
    "`violation_error_message`": [(LOAN, CHECK, f'{CHECK}                violation_error_message="Too early",\n')],
    "`db_comment`": [more(TITLE, 'db_comment="As printed"')],
    "`db_default`": [more(COPIES, "db_default=1")],
    "`null=True`": [more(TITLE, "null=True")],
    "`max_length`, larger": [(MODELS, TITLE, TITLE.replace("200", "300"))],
}  # fmt: skip

# %% [markdown] tags=["setup"]
# The same project on both databases. A file and a date are added to the books.

# %% tags=["setup"]
sqlite = Sandbox("sqlite", "SQLite")
sqlite.replace(MODELS, COPIES, COVER + ADDED + COPIES)
sqlite.replace(
    MODELS,
    "from django.db",
    "from django.core.validators import MinLengthValidator\nfrom django.db",
)
sqlite.run("python manage.py makemigrations library --verbosity 0 --name cover")
sqlite.run("python manage.py makemigrations lending --empty --verbosity 0 --name nothing")
sqlite.run(
    "python manage.py migrate --verbosity 0 && git add . && git commit --quiet --message Cover"
)
postgresql = Sandbox("postgresql", "PostgreSQL")
postgresql.run("git pull --quiet ../sqlite main && python manage.py migrate --verbosity 0")
postgresql.write("locks.py", LOCKS)

# %%


def sent(output):
    """The statements, in a few words."""
    text = "\n".join(line for line in output.splitlines() if not line.startswith("--"))
    if "new__" in text:
        return "**builds the table again**"
    text = re.sub(r"BEGIN;|COMMIT;", "", text).strip()
    text = re.sub(r'ALTER TABLE "\w+" ', "", text)
    return f"`{' '.join(text.split())}`" if text else "none"


def edited(edits):
    """What Django writes for this edit, and what that sends."""
    for edit in edits:
        sqlite.replace(*edit)
    made = sqlite.attempt(MAKE)
    operations = re.findall(r"^    [~+-] (.+)$", made, re.MULTILINE)
    if not operations:
        sqlite.run("git restore .")
        return ["none", "none", "none", "none"]
    app = re.search(r"(\w+)/migrations", made)[1]
    sql = f"python manage.py sqlmigrate {app} "
    name = re.search(r"migrations/(\w+)\.py", made)[1]
    for file in (f"{app}/models.py", f"{app}/migrations/{name}.py"):
        postgresql.run(f"cp ../sqlite/{file} {file}")
    said = [sent(place.run(sql + name)) for place in (sqlite, postgresql)]
    held = []
    if said[1] != "none":
        held = postgresql.run("cat locks.py | python manage.py shell --verbosity 0").split()[1:]
    for place in (sqlite, postgresql):
        place.run(f"rm {app}/migrations/{name}.py && git restore .")
    words = {"AccessExclusiveLock": "`ACCESS EXCLUSIVE`", "ShareLock": "`SHARE`"}
    return [f"`{operations[0]}`", *said, words[held[0]] if held else "none"]


found = {edit: edited(edits) for edit, edits in EDITS.items()}
COLUMNS = ["the edit", "the migration", "SQL on SQLite", "SQL on PostgreSQL", "lock"]
table("Which edits send SQL", COLUMNS, [[edit, *cells] for edit, cells in found.items()])

# %% [markdown]
# The last four are there to compare. They are no cosmetic edits.
#
# ## What to do with such a migration
#
# - **Commit it.** Without it, `makemigrations --check` ends with exit code 1. The next person who
#   changes this app finds your edit in their own migration.
# - **Write one for all of them.** Three edits in one branch need no three files. Before you push, go
#   back if you have migrated, delete the three, and run `makemigrations` once:
#   [how](../reset/undo-unpushed.md).
# - **Deploy it as any other.** [Old code runs on](what-each-change-does.md) after it.
# - **`permissions` need `migrate`** all the same. No SQL is in the migration, but at its end `migrate`
#   adds a row.
# - **On SQLite, a new `default`, `upload_to` or `auto_now` builds the table again.** That
#   [leaves out what Django does not know](../production/what-sqlite-hides.md).
# - **`db_comment` is not free on PostgreSQL.** It names the type of the column again, and holds the
#   strongest lock: others [wait behind it](../production/lock-queue.md).

# %% tags=["check"]
words = list(EDITS)[:22]
assert {found[edit][2] for edit in words} == {"none"}, "none of these sends SQL to PostgreSQL"
again = [edit for edit in words if "again" in found[edit][1]]
assert again == ["`default`, another value", "`upload_to`", "`auto_now=True`"], "three on SQLite"
unwritten = [edit for edit in EDITS if found[edit][0] == "none"]
assert unwritten == ["a manager", "a method"], "two write no migration"
others = [found[edit][3] for edit in list(EDITS)[22:]]
assert others == ["`ACCESS EXCLUSIVE`"] * 4, "the four to compare lock the table"

# %% tags=["check"]
# Left out, found by the next one.
CHECK_ALL = "python manage.py makemigrations --check"
skipped = sqlite.clone("skipped")
skipped.replace(*EDITS["`help_text`"][0])
skipped.run(CHECK_ALL, fails="~ Alter field title on book")
skipped.replace(MODELS, COPIES, f"{COPIES}    pages = models.IntegerField(null=True)\n")
output = skipped.run("python manage.py makemigrations library --name pages")
assert "Alter field title" in output, "it is in the migration of somebody else"
assert "Add field pages" in output, "beside their own change"

# %% tags=["check"]
# Three edits, three files, then one.
together = sqlite.clone("together")
for edit in ("`help_text`", "`related_name`", "`ordering`"):
    together.replace(*EDITS[edit][0])
    name = edit.strip("`")
    together.run(f"python manage.py makemigrations library --verbosity 0 --name {name}")
together.run("rm library/migrations/0008_help_text.py library/migrations/0009_related_name.py")
together.run("rm library/migrations/0010_ordering.py")
output = together.run("python manage.py makemigrations library --name words")
assert output.count("    ~ ") == 3, "one file has the three of them"
together.run(f"python manage.py migrate --verbosity 0 && {CHECK_ALL}")

# %% tags=["check"]
# A permission is a row, which `migrate` adds.
PERMISSION = "select name from auth_permission where codename = 'lend_book'"
allowed = sqlite.clone("allowed")
allowed.replace(*EDITS["`permissions`"][0])
allowed.run("python manage.py makemigrations --verbosity 0 --name allowed")
assert allowed.rows(PERMISSION) == [], "not there yet"
allowed.run("python manage.py migrate --verbosity 0")
assert allowed.rows(PERMISSION) == [("Can lend a book",)], "added at the end of migrate"
assert allowed.rows("select count(*) from library_book") == [(6,)], "no row is lost"
