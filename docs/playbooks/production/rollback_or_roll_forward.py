# ---
# title: Roll back, or roll forward, after a migration ran
# answer: >-
#   Ask first what the old code can do on the new schema: in two of ten kinds it goes on, and you need
#   neither. In the other eight, one more migration loses no more than `migrate` back, and in three of
#   them going back loses more or stops. What the release itself has lost is in a backup alone.
# databases: [PostgreSQL]
# group: production
# ---

# %% [markdown]
# The release is bad, its migration has run, and the new code has written since. Three ways lead out of
# it. Each row tries all three, on copies of one database:
#
# - **old code, as it is**: it reads six books, adds two, changes one, and deletes one that is new.
# - **`migrate` back**: to the migration before the release, and what is lost by it.
# - **forward**: one more migration, as small as the old code needs it, and what is lost by it.
#
# *Old values* were there before the release, *new values* came with it. What each migration does and
# what was written stands in the fold at the end of this page.

# %%
import json

from playbook_kit import Sandbox, table

MIGRATION = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "{}")]
    operations = [{}]
"""
OLD = """import json
import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from django.db import DatabaseError, connection, transaction
from library.models import Book


def attempt(act):
    try:
        with transaction.atomic():
            answer = act()
            connection.check_constraints()  # as a commit does
            return answer or True
    except DatabaseError:
        return False


def read():
    return list(Book.objects.filter(pk__lt=7).order_by("pk").values_list("title", "isbn", "copies"))


def add():
    Book.objects.create(title="By the old code", author_id=1)


def change():
    book = Book.objects.get(pk=1)
    book.copies = 9
    book.save()


def delete():
    Book.objects.get(pk=7).delete()


with transaction.atomic():
    print(json.dumps([attempt(act) for act in (read, add, add, change, delete)]))
    transaction.set_rollback(True)  # nothing of this stays
"""
ALL = "select * from library_book order by id"
VALUES = "select title, isbn, copies from library_book where id < 7 order by id"
ADD = 'migrations.AddField("book", "{}", models.{})'.format
ALTER = 'migrations.AlterField("book", "{}", models.{})'.format
ISBN = 'CharField(max_length=13, blank=True, default=""{})'.format
RENAME = 'migrations.RenameField("book", "{}", "{}")'.format
RUN = "migrations.RunSQL({})".format
TENFOLD, TENTH = (f'"update library_book set copies = copies {it}"' for it in ("* 10", "/ 10"))
KEY = 'models.ForeignKey("library.Book", models.CASCADE{})'.format
REVIEW = f'migrations.CreateModel("Review", [("id", models.BigAutoField(primary_key=True)), ("book", {KEY("")})])'
UNIQUE = 'models.UniqueConstraint(fields=["isbn"], name="library_book_isbn_key")'
NEW = (
    "insert into library_book (title, author_id, isbn, copies{}) values ('{}', 1, {}, {}{})".format
)
BOOK = "library_book where {}".format

# %% [markdown] tags=["setup"]
# The start: one number has ten digits, and begins with 0. `old.py` is what the old code does.

# %% tags=["setup"]
start = Sandbox("start", "PostgreSQL")
start.rows("update library_book set isbn = '0141439580' where title = 'Emma'")
start.write("old.py", OLD)

# %% [markdown] tags=["setup"]
# For each kind: the migration; what the new code has written since; how many new values that is, and
# where they are looked for after going back and after going forward; the way forward.

# %% tags=["setup"]
SHELF, NUMBER = NEW(", shelf", "Persuasion", "''", 1, ", 3"), BOOK("isbn = '9780141439679'")
PLAIN, TENS = NEW("", "Persuasion", "'9780141439679'", 1, ""), NEW("", "Persuasion", "''", 25, "")
TEN, GONE = BOOK("id = 7 and copies * 10 = 25"), BOOK("false")
KINDS = {
    "column added, may be null": (ADD("shelf", "IntegerField(null=True)"), SHELF, 1, GONE, "", "", ""),
    "column added, required": (ADD("shelf", "IntegerField(default=0)"), SHELF, 1, GONE, BOOK("shelf = 3"), "give it a `db_default`", ALTER("shelf", "IntegerField(default=0, db_default=0)")),
    "column dropped": ('migrations.RemoveField("book", "isbn")', "insert into library_book (title, author_id, copies) values ('Persuasion', 1, 1)", 0, GONE, GONE, "add it again", ADD("isbn", ISBN(', db_default=""'))),
    "column renamed": (RENAME("isbn", "code"), PLAIN.replace("isbn", "code"), 1, NUMBER, NUMBER, "rename it again", RENAME("code", "isbn")),
    "rows changed, no way back": (RUN(TENFOLD), TENS, 1, TEN, TEN, "change them again", RUN(TENTH)),
    "rows changed, with a way back": (RUN(f"{TENFOLD}, {TENTH}"), TENS, 1, TEN, TEN, "change them again", RUN(TENTH)),
    "new table, with a foreign key": (REVIEW, f"{PLAIN}; insert into library_review (book_id) values (1), (7)", 2, GONE, "library_review", "give up the key", f'migrations.AlterField("review", "book", {KEY(", db_constraint=False")})'),
    "unique constraint": (f'migrations.AddConstraint("book", {UNIQUE})', PLAIN, 1, NUMBER, NUMBER, "remove it", 'migrations.RemoveConstraint("book", "library_book_isbn_key")'),
    "longer text": (ALTER("title", "CharField(max_length=300)"), NEW("", "Persuasion " * 25, "''", 1, ""), 1, "", "", "", ""),
    "text to number": (ALTER("isbn", "BigIntegerField()"), PLAIN, 1, NUMBER, NUMBER, "change it again", ALTER("isbn", ISBN(""))),
}  # fmt: skip
before = start.rows(VALUES)

# %%


def differing(now):
    """How many values of the six books are not what they were before the release."""
    pairs = zip(now, before, strict=True)
    return sum(a != b for row, was in pairs for a, b in zip(row, was, strict=True))


def works(place):
    """What the old code can do here, in words."""
    read, *added, changed, deleted = json.loads(place.run("python old.py"))
    wrong = differing(read) if read else 0
    words = [
        "" if read else "cannot read",
        f"reads {wrong} wrong values" if wrong else "",
        "" if all(added) else f"adds {sum(added)} of 2",
        "" if changed else "cannot change",
        "" if deleted else "cannot delete",
    ]
    return ", ".join(filter(None, words)) or "works"


def lost(place, number, there):
    """How many old values are not as before, and how many new values are gone."""
    return differing(place.rows(VALUES)), number - place.rows(f"select count(*) from {there}")[0][0]


def told(gone):
    """The same in words."""
    words = [
        f"{number} {kind}" for number, kind in zip(gone, ("old", "new"), strict=True) if number
    ]
    return f"**{', '.join(words)}**" if words else "nothing"


def so(old, gone_back, gone_forward):
    """Which way, by what was measured."""
    if old == "works":
        return "put the old code there"
    if gone_back is None or sum(gone_forward) < sum(gone_back):
        return "forward"
    if not sum(gone_back):
        return "back or forward"
    return "either, and a backup from before" if gone_back[0] else "copy the database, then either"


def outcome(number, operations, written, values, there, kept, way, forwards):
    """What the old code can do; what comes of going back, and of going forward."""
    place = start.clone(f"kind-{number}")
    place.write("library/migrations/0007_release.py", MIGRATION.format("0006_find_books_by_title", operations))  # fmt: skip
    place.run("python manage.py migrate --verbosity 0")
    place.rows(written)
    old, back, gone_back, gone_forward = works(place), place.clone(f"back-{number}"), None, (0, 0)
    output = back.attempt("python manage.py migrate library 0006 --verbosity 0")
    if output.code:
        error = output.strip().splitlines()[-1].partition(":")[0].rpartition(".")[2]
        going_back = f"**stops**: `{error}`"
        untouched.append(back.rows(ALL) == place.rows(ALL))
    else:
        gone_back = lost(back, values, there)
        going_back = f"works, loses {told(gone_back)}"
        after_back.append((works(back), gone_back))
    going_forward = "not needed"
    if forwards:
        place.write("library/migrations/0008_forward.py", MIGRATION.format("0007_release", forwards))  # fmt: skip
        place.run("python manage.py migrate --verbosity 0")
        gone_forward = lost(place, values, kept)
        going_forward = f"{way}, loses {told(gone_forward)}"
        after_forward.append((works(place), gone_forward))
    cell = old if old == "works" else f"**{old}**"
    return [cell, going_back, going_forward, so(old, gone_back, gone_forward)]


after_back, after_forward, untouched = [], [], []
rows = [[kind, *outcome(number, *case)] for number, (kind, case) in enumerate(KINDS.items(), 1)]
table(
    "Back or forward",
    ["the release", "old code, as it is", "`migrate` back", "forward", "so"],
    rows,
)

# %% [markdown]
# Each migration here is one transaction: where the way back stops, nothing of it is lost. With more
# than one to take back, [what came back before stays so](../reset/irreversible.md).
#
# - **The old code works**: put it there, and keep the file of the migration. Where the file goes and
#   its row stays, [no command complains](../mismatch/ghost-migration.md).
# - **A way back is written for the rows of that day.** Ten times the copies, divided by ten, is right
#   for each old book. The new code wrote 25, and that becomes 2. Going forward does the same.
# - **A longer text has no way back** once somebody has used it.
# - **What was dropped comes back empty**, in both directions. So drop it
#   [when no code that you may go back to names it](remove-or-require-a-field.md).
# - **A number has lost its zero.** And the old code gets numbers where it expects text. A new column
#   beside the old one keeps both, as in [a rename in four releases](rename-in-four-releases.md).
# - **The old code does not know the new table.** So it cannot delete a book that has a row there.
#   Without the key it can, and that row stays behind. Look for such rows before the key returns.
#
# A migration forward takes [the locks of its operation](../changes/what-each-change-does.md), as any other.
# **Before `migrate` back, stop all writes and copy the database.** The order of steps is in
# [the guide](../../guide/rollback.md#when-you-must-go-back).

# %% tags=["check"]
ways = {kind: row for kind, *row in rows}
assert sum(row[0] == "works" for row in ways.values()) == 2, "two need neither"
assert sum("stops" in row[1] for row in ways.values()) == 2, "twice the way back stops"
assert untouched == [True, True], "and leaves every book as it was"
assert sum(row[3] == "forward" for row in ways.values()) == 3, "three times forward is better"
assert sum("loses nothing" in row[1] for row in ways.values()) == 2, "twice going back is free"
same = [row[1].split("loses ")[1:] == row[2].split("loses ")[1:] != [] for row in ways.values()]
assert sum(same) == 5, "five times both ways lose the same"
lost_rows = ways["new table, with a foreign key"]
assert lost_rows[:2] == ["**cannot delete**", "works, loses **2 new**"], (
    "the old code meets the key"
)
assert ways["text to number"][0].startswith("**reads 6 wrong"), "numbers in place of text"
for what, gone in after_back + after_forward:
    wrong = f"reads {gone[0]} wrong values" if gone[0] else "works"
    assert what == wrong, "after both ways the old code works, with what is left of the values"
