# ---
# title: What each change does to rows and to running code
# answer: >-
#   Three everyday edits lose data while `migrate` prints `OK`: a rename that nobody confirms, a
#   removed field, a model moved by cut and paste. Seven of the nineteen break the old code
#   that still runs.
# databases: [SQLite, PostgreSQL]
# group: changes
# ---

# %% [markdown]
# Each row is one edit of `models.py`, taken through `makemigrations` and `migrate` on a database
# with rows. Then the edit is taken back and the new schema stays: this is the **old code** that
# goes on running during a deploy. It reads every table, and writes a row into each.
#
# The **lock** is the strongest that PostgreSQL holds on the table until the migration ends
# (`pg_locks`): `ACCESS EXCLUSIVE` stops reads and writes, `SHARE` stops writes.

# %%
from playbook_kit import Sandbox, table

HEAD = "from lending.models import Loan, Reader\nfrom library.models import Author, Book, Genre\n"
READ = f"{HEAD}for model in (Author, Book, Genre, Loan, Reader):\n    list(model.objects.all())\n"
WRITE = f"""{HEAD}
author = Author.objects.create(name="New")
genre = Genre.objects.create(name="New")
book = Book.objects.create(title="New", author=author)
book.genres.add(genre)
reader = Reader.objects.create(name="New", email="new@example.org")
Loan.objects.create(book=book, reader=reader, lent_on="2024-05-01", due_on="2024-05-15")
"""
LOCKS = """from django.core.management import call_command
from django.db import connection, transaction

TABLES = "('library_book', 'library_genre', 'lending_loan')"
FILES = "select oid, pg_relation_filenode(oid) from pg_class where "
with transaction.atomic(), connection.cursor() as cursor:
    cursor.execute(f"{FILES} relname in {TABLES}")
    before = cursor.fetchall()
    oids = ", ".join(str(oid) for oid, _ in before)
    call_command("migrate", verbosity=0)
    cursor.execute(f"select distinct mode from pg_locks where relation in ({oids})")
    held = {mode for (mode,) in cursor.fetchall()} & {"AccessExclusiveLock", "ShareLock"}
    cursor.execute(f"{FILES} oid in ({oids})")
    written = any(dict(before)[oid] != file for oid, file in cursor.fetchall())
    transaction.set_rollback(True)
print("locks:", *sorted(held), "rewrite" * written)
"""
BOOK, LOAN = "library/models.py", "lending/models.py"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
TITLE = "    title = models.CharField(max_length=200)\n"
GENRE = "class Genre(models.Model):\n    name = models.CharField(max_length=50)\n"
STR = "\n    def __str__(self):\n        return self.name\n\n\n"
AUTHOR = "class Author(models.Model):\n    name = models.CharField(max_length=100)\n"
TITLES = "select id, title from library_book order by id"
LOANS = "select id, lent_on from lending_loan order by id"
ISBNS = "select id, isbn from library_book order by id"
CODES = ISBNS.replace("isbn", "code")
NAMES = "select name from library_genre order by name"
TOPICS, MOVED = NAMES.replace("genre", "topic"), NAMES.replace("library", "lending")
LONG = "select count(*) from library_book where length(title) > 9"
NO_UUID = "select count(*) from library_genre where length(cast(id as text)) < 32"
NO_NUMBER = "select count(*) from library_book where typeof(isbn) <> 'integer'"
ASK = "python manage.py makemigrations --name change"
MAKE, SHELL = f"{ASK} --noinput", "python manage.py shell"


def field(line):  # a new one of `Book`
    return (BOOK, COPIES, f"{COPIES}    {line}\n")


# %% [markdown] tags=["setup"]
# The two projects that every row starts from, the same on both databases. One book has no ISBN, and
# nothing points to the genres: on SQLite that alone would stop the one move that drops them.

# %% tags=["setup"]
starts = {database: Sandbox(database.lower(), database) for database in ("SQLite", "PostgreSQL")}
for start in starts.values():
    start.write("read.py", READ)
    start.write("write.py", WRITE)
    start.write("locks.py", LOCKS)
    start.run("rm library/admin.py lending/admin.py")  # they name fields
    start.run("git add . && git commit --quiet --message 'What the old code does'")
    start.rows("update library_book set isbn = '' where title = 'Dracula'")
    start.rows("delete from library_book_genres")

# %%
# The edits, what is answered (None: --noinput), and queries that give the same before and after.
CODE = (BOOK, ISBN, ISBN.replace("isbn", "code"))
TO_TOPIC = [(BOOK, GENRE, GENRE.replace("Genre", "Topic")), (BOOK, "(Genre, b", "(Topic, b")]
TO_LENDING = [
    (BOOK, GENRE + STR, ""),
    (BOOK, "(Genre, blank", '("lending.Genre", blank'),
    (LOAN, "class Reader", f"{GENRE}\n\nclass Reader"),
]
META = '\n    class Meta:\n        db_table = "library_author"\n'
WRITER = AUTHOR.replace("Author", "Writer") + META
TO_WRITER = [(BOOK, AUTHOR, WRITER), (BOOK, "ForeignKey(Author", "ForeignKey(Writer")]
DUE = "    due_on = models.DateField({})\n".format
RETURNED = "    returned_on = models.DateField({})\n".format
TIMEZONE = (BOOK, "import models\n", "import models\nfrom django.utils import timezone\n")
KEY = [TIMEZONE, field("since = models.DateTimeField(default=timezone.now, unique=True)")]
SHELVING = """class Shelving(models.Model):
    book = models.ForeignKey("Book", models.CASCADE)
    genre = models.ForeignKey(Genre, models.CASCADE)\n\n\nclass Book("""
THROUGH = [(BOOK, "e, blank=True)", 'e, through="Shelving")'), (BOOK, "class Book(", SHELVING)]
KEY_OF_GENRE = f"{GENRE}    id = models.UUIDField(primary_key=True, default=uuid.uuid4)\n"
UUID = [(BOOK, "from django.db", "import uuid\n\nfrom django.db"), (BOOK, GENRE, KEY_OF_GENRE)]
INDEX = 'indexes = [models.Index(fields=["isbn"], name="library_book_isbn"), '
RENAMED = "rename a field, with `--noinput`"
CUT = "move a model to another app by cut and paste"
CHANGES = {
    "add a field that may be null": ([field("note = models.TextField(null=True)")], None, TITLES),
    "add a field with a `default`": ([field("pages = models.IntegerField(default=0)")], None, TITLES),
    "add a field with a `db_default`": ([field("pages = models.IntegerField(db_default=0)")], None, TITLES),
    "add a unique field, its default a function": (KEY, None, TITLES),
    "make a field required, some rows being empty": ([(LOAN, RETURNED("null=True, blank=True"), RETURNED(""))], ["2"], LOANS),
    "let a field be null": ([(LOAN, DUE(""), DUE("null=True"))], None, LOANS),
    "rename a field, and answer `y`": ([CODE], ["y"], ISBNS, CODES),
    RENAMED: ([CODE], None, ISBNS, CODES),
    "rename a model, and answer `y`": (TO_TOPIC, ["y"], NAMES, TOPICS),
    "rename a model, and keep its `db_table`": (TO_WRITER, ["y"], TITLES.replace("title", "name").replace("book", "author")),
    CUT: (TO_LENDING, None, NAMES, MOVED),
    "remove a field": ([(BOOK, ISBN, "")], None, ISBNS, ""),
    "make a field shorter than some values": ([(BOOK, TITLE, TITLE.replace("200", "9"))], None, TITLES, TITLES, LONG),
    "turn text into numbers, one being empty": ([(BOOK, ISBN, "    isbn = models.BigIntegerField()\n")], ["1", "0"], ISBNS, ISBNS, NO_NUMBER),
    "add an index": ([(BOOK, "indexes = [", INDEX)], None, TITLES),
    "turn a number into a larger one": ([(BOOK, COPIES, COPIES.replace("PositiveInteger", "PositiveBigInteger"))], None, TITLES),
    "give a many-to-many field a `through` model": (THROUGH, None, NAMES),
    "turn the keys of a model into UUIDs": (UUID, None, NAMES, NAMES, NO_UUID),
    "change `help_text`": ([(BOOK, TITLE, TITLE.replace("200", '200, help_text="As printed"'))], None, TITLES),
}  # fmt: skip
LOCKED = {
    "": "none",
    "AccessExclusiveLock": "reads and writes wait",
    "AccessExclusiveLock ShareLock rewrite": "reads and writes wait, the table is written again",
    "ShareLock": "writes wait",
}


def texts(rows):  # a number that was a text is the same value
    return [tuple(map(str, row)) for row in rows]


def outcome(database, place, edits, answers, before, after=None, misfit=""):
    """What the change does to the rows and to the old code, and what it locks."""
    was = texts(place.rows(before))
    for one in edits:
        place.replace(*one)
    place.run(MAKE if answers is None else ASK, answers=answers or ())
    lock = None
    if database == "PostgreSQL":
        said = place.attempt(f"cat locks.py | {SHELL}")
        lock = said.strip().splitlines()[-1].partition("locks:")[2].strip()
    if place.attempt("python manage.py migrate --verbosity 0").code:
        return "**stops**", "", None
    after = before if after is None else after
    rows = "kept" if after and texts(place.rows(after)) == was else "**lost**"
    if misfit and (count := place.rows(misfit)[0][0]):
        rows = f"kept, {count} {'does' if count == 1 else 'do'} not fit"
    place.run("git stash --quiet --include-untracked")
    reads, writes = (
        place.attempt(f"cat {verb}.py | {SHELL}").code == 0 for verb in ("read", "write")
    )
    return rows, "runs on" if writes else "writes fail" if reads else "reads and writes fail", lock


def verdict(rows, old, lock):
    """One word for the home page: safe only where rows are kept and old code runs on."""
    if rows == "**lost**":
        return "**loses data**"
    quick = lock in (None, "", "AccessExclusiveLock")
    return "safe" if quick and (rows, old) == ("kept", "runs on") else "needs care"


sqlite, postgres = (
    {
        name: outcome(database, start.clone(f"{number}-{database.lower()}"), *change)
        for number, (name, change) in enumerate(CHANGES.items(), 1)
    }
    for database, start in starts.items()
)
DEPLOY = "../../guide/deploying.md"
HERE = "what-each-change-does.md"
FOUR = "../production/rename-in-four-releases.md"
STEPS = "../production/remove-or-require-a-field.md"
LOCKS_OF = "../production/constraints-without-long-locks.md"
DEFAULT, MODEL = "default-or-db-default.md", "rename-model.md"
READ_ON = f"""{HERE} {DEFAULT} {DEFAULT} add-unique-column.md make-column-required.md {HERE} {FOUR}
    rename-field.md {MODEL} {MODEL} move-model-between-apps.md {STEPS} shrink-column.md
    change-column-type.md {LOCKS_OF} {DEPLOY} many-to-many-through.md change-primary-key.md
    cosmetic-migrations.md""".split()
rows, home = [], []
for name, read in zip(CHANGES, READ_ON, strict=True):
    here, there = sqlite[name], postgres[name]
    old = here[1] or there[1]
    assert here[1] in (old, ""), "where both migrate, the old code does the same on both"
    lock = "" if there[2] is None else LOCKED[there[2]]
    rows.append([name, here[0], there[0], old, lock])
    home.append([f"[{name}]({read})", verdict(*here), verdict(*there)])
columns = ["you are about to", "rows on SQLite", "rows on PostgreSQL", "the old code", "lock"]
table("What each change does", columns, rows)

# %% [markdown]
# - **stops**: `migrate` ends with an error, and what it did is rolled back. The rows are as before.
# - **do not fit**: SQLite prints `OK` over values that the new column should refuse.
# - **reads and writes wait**: nothing else can touch the table until the migration ends. Here it
#   ends at once. How long that is on your table is not measured on this page.
#
# ## In one word
#
# **safe**: the rows are kept, and old code runs on. **needs care**: it stops, values do not fit, old
# code fails, or the lock is held while an index is built or the table is written again.

# %%
table("I am about to change something", ["You are about to", "SQLite", "PostgreSQL"], home)

# %% tags=["check"]
lost = [name for name in CHANGES if "**lost**" in (sqlite[name][0], postgres[name][0])]
assert lost == [RENAMED, CUT, "remove a field"], "three of the changes lose data"
stop = [name for name in CHANGES if "**stops**" in (sqlite[name][0], postgres[name][0])]
assert len(stop) == 6, "six stop on one database at least"
broken = [name for name in CHANGES if "fail" in sqlite[name][1] + postgres[name][1]]
assert (len(broken), len(CHANGES)) == (7, 19), "seven of the nineteen break the old code"
safe = [name for name, (_, *cells) in zip(CHANGES, home, strict=True) if set(cells) == {"safe"}]
assert [name.split()[0] for name in safe] == ["add", "add", "let", "rename", "change"], (
    "five are safe"
)
added = [postgres[f"add a field with a `{kind}`"][1] for kind in ("db_default", "default")]
assert added == ["runs on", "writes fail"], "the database fills the first, Django alone the second"
assert postgres["add an index"][2] == "ShareLock", "an index stops writes"
assert "rewrite" in postgres["turn a number into a larger one"][2], "every row is written again"
