# ---
# title: What a review can see before a migration runs
# answer: >-
#   `showmigrations` gives a name. `migrate --plan` names operations and fields, `sqlmigrate` writes
#   the SQL, and neither says what Python code does to rows. Before a migration has run, only
#   `sqlmigrate --backwards` stops where it has no way back.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is one new migration. The commands run before it is applied. The last column is what it
# then did to the table of books: to the names of its columns, to their values, and whether the table
# was built again. For `--plan` a cell is what the command printed, for `sqlmigrate` the statements
# that matter.

# %%
import re

from playbook_kit import Sandbox, on, table

RUN = "python manage.py migrate --verbosity 0"
RUN_BACK = "python manage.py migrate library 0006 --verbosity 0"
SQL = "python manage.py sqlmigrate library 0007"
STATEMENTS = {
    'CREATE TABLE "new__': "builds the table again",
    "ADD COLUMN": "`ADD COLUMN`",
    "DROP COLUMN": "`DROP COLUMN`",
    "RENAME COLUMN": "`RENAME COLUMN`",
    'CREATE INDEX "library_book_isbn"': "`CREATE INDEX`",
    'ALTER COLUMN "title" TYPE': "`ALTER COLUMN`",
    "-- (no-op)": "`(no-op)`",
    "CANNOT BE WRITTEN AS SQL": "a comment, no SQL",
    "update library_book": "the `update`",
}
COLUMNS = on(
    SQLite="select name from pragma_table_info('library_book')",
    PostgreSQL="select column_name from information_schema.columns "
    "where table_name = 'library_book' order by ordinal_position",
)
STORED = on(  # where: it changes when the table is built again
    SQLite="select rootpage from sqlite_master where name = 'library_book'",
    PostgreSQL="select pg_relation_filenode('library_book') = 'library_book'::regclass",
)


def stopped(output):
    """How a command ended that failed, in the words of the tables."""
    *_, error = re.findall(r"^[.\w]*?(\w+Error)", output, re.MULTILINE)
    return f"**stops**: `{error}`"


def planned(output):
    """What a plan says below the name of the migration."""
    return "<br>".join(f"`{line.strip()}`" for line in output.splitlines()[2:])


def written(output):
    """The statements that this SQL is made of."""
    if output.code:
        return stopped(output)
    said = [words for text, words in STATEMENTS.items() if text in output]
    return ", ".join(said if "BEGIN;" in output else [*said, "no `BEGIN`"])


def books(place):
    """The columns of the table of books, each with its values, and where it is stored."""
    names = [name for (name,) in place.rows(COLUMNS)]
    values = place.rows(f"select {', '.join(names)} from library_book order by id")
    ((page,),) = place.rows(STORED)
    return dict(zip(names, zip(*values, strict=True), strict=True)), page


def became(place, line):
    """What the table of books is after this command, compared with what it was at first."""
    page, output, (now, now_page) = books(place)[1], place.attempt(line), books(place)
    said = [stopped(output)] if output.code else []
    added = [name for name in now if name not in first]
    for name, values in first.items():
        if name not in now:
            kept = [f"values kept in `{other}`" for other in added if now[other] == values]
            said += kept or [f"**`{name}` lost**"]
        elif now[name] != values:
            said.append(f"**`{name}` changed**")
    said += [f"`{name}` added" for name in added if now[name] not in first.values()]
    return ", ".join([*said, *["table built again"] * (page != now_page)]) or "unchanged"


# %% [markdown] tags=["setup"]
# Each migration is on top of the last one. `models.py` stays as it is: these commands do not need it.

# %% tags=["setup"]
HEAD = "from django.db import migrations, models\n\n\n"
PYTHON = '''\
class OneMore:  # a function would do, but errors name it with an address, different each time
    """One copy more of each book."""

    def __call__(self, apps, schema_editor):
        apps.get_model("library", "Book").objects.update(copies=models.F("copies") + 1)

    def __repr__(self):
        return "one_more"


'''
CLASS = """\
class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [
        migrations.{},
    ]
"""
SHELF = 'AddField("book", "shelf", models.CharField(max_length=9, null=True))'
STOCK = 'AddField("book", "stock", models.PositiveIntegerField(default=1))'
TITLE = 'AlterField("book", "title", models.CharField(max_length=200))'
UPDATE = 'RunSQL("update library_book set copies = copies + 1")'
TWO = f"{SHELF},\n        migrations.{UPDATE.replace('+ 1', '- 9')}"
KINDS = {
    "`AddField`, null": SHELF,
    "`AddField`, default": SHELF.replace("null=True", 'default=""'),
    "`RemoveField`": 'RemoveField("book", "copies")',
    "`RenameField`": 'RenameField("book", "copies", "stock")',
    "a rename, as remove and add": f'RemoveField("book", "copies"),\n        migrations.{STOCK}',
    "`AlterField`, longer": TITLE.replace("200", "300"),
    "`AlterField`, choices": TITLE.replace("200", '200, choices=[("a", "A")]'),
    "`AddIndex`": 'AddIndex("book", models.Index(fields=["isbn"], name="library_book_isbn"))',
    "`RunPython`, no reverse": "RunPython(OneMore())",
    "`RunPython`, `noop`": "RunPython(OneMore(), migrations.RunPython.noop)",
    "`RunSQL`, no reverse": UPDATE,
    "`SeparateDatabaseAndState`": f"SeparateDatabaseAndState([migrations.{UPDATE}])",
    "two, the second fails": TWO,
    "the same, `atomic = False`": TWO,
}
healthy = Sandbox("healthy")
places = {}
for kind, operations in KINDS.items():
    places[kind] = healthy.clone("-".join(kind.replace("`", "").replace(",", "").split()))
    text = HEAD + (PYTHON if "OneMore" in operations else "") + CLASS.format(operations)
    text = text.replace("    op", "    atomic = False\n    op") if "atomic" in kind else text
    places[kind].write("library/migrations/0007_review.py", text)

# %%
first, _ = books(healthy)
known = healthy.attempt("python manage.py showmigrations").splitlines()
rows, back = [], []
for kind, place in places.items():
    names = place.attempt("python manage.py showmigrations").splitlines()
    listed = "".join(f"`{line.strip()}`" for line in names if line not in known)
    plan = planned(place.attempt("python manage.py migrate --plan"))
    sql, sql_back = written(place.attempt(SQL)), written(place.attempt(f"{SQL} --backwards"))
    rows.append([kind, listed, plan, sql, became(place, RUN)])
    if any(word in kind for word in ("default", "emove", "Run", "Separate")):
        plan = planned(place.attempt("python manage.py migrate library 0006 --plan"))
        back.append([kind, sql_back, plan, became(place, RUN_BACK)])
COMMANDS = ["`showmigrations`", "`migrate` `--plan`", "`sqlmigrate`"]
table("What a review sees", ["the migration", *COMMANDS, "what it did"], rows)

# %% [markdown]
# ## The way back
#
# `sqlmigrate --backwards` runs before the migration is applied, `--plan` after it: until then there
# is nothing to plan. The last column is the table of books once more, compared with what it was
# before the migration.

# %%
COMMANDS = ["`sqlmigrate` `--backwards`", "`migrate` `library` `0006` `--plan`"]
table("What it sees of the way back", ["the migration", *COMMANDS, "what was left"], back)

# %% [markdown]
# ## What follows
#
# - **`showmigrations` is no review.** It gives the same line for each.
# - **`--plan` names the column, not the harm.** A longer title and a choice give the same line; one
#   changes the table, the other does nothing. For `RunPython` it prints the docstring: what the
#   author meant.
# - **`sqlmigrate` shows what the database of your settings has to do.** SQLite builds a table again
#   where PostgreSQL changes one column: read it with the settings of production. Look for
#   `DROP COLUMN`, for a table that is built again, and for a missing `BEGIN`: that migration
#   [can stop half-way](../mismatch/half-applied.md).
# - **Python is read in the file.** `sqlmigrate` prints a comment for it.
# - **Ask for the way back before it runs.** Then `--plan` says nothing of it, and
#   `sqlmigrate --backwards` [stops](../reset/irreversible.md). Later `--plan` says `IRREVERSIBLE`,
#   and does not look into `SeparateDatabaseAndState`.
# - **A way back without an error may bring nothing back.** A removed column returns with its default,
#   and `noop` undoes nothing. Only [a try on a copy](ways-to-test.md) shows that.

# %% tags=["check"]
seen = {kind: cells for kind, *cells in rows}
way = {kind: cells for kind, *cells in back}
assert {cells[0] for cells in seen.values()} == {"`[ ] 0007_review`"}, "the same line for each"
assert not any("IRREVERSIBLE" in cells[1] for cells in seen.values()), "a plan forward is silent"
longer, choices = seen["`AlterField`, longer"], seen["`AlterField`, choices"]
assert longer[1] == choices[1], "one line for two things"
assert choices[2:] == ["`(no-op)`", "unchanged"], "which are not alike"
REBUILT = ["builds the table again", "table built again"]
assert longer[2:] == on(SQLite=REBUILT, PostgreSQL=["`ALTER COLUMN`", "unchanged"]), (
    "one changes the table"
)
null, default = seen["`AddField`, null"], seen["`AddField`, default"]
assert null[1] == default[1], "the plan says the same with and without a default"
assert null[2] == "`ADD COLUMN`", "a column without a default is added"
assert default[2] == on(SQLite=REBUILT[0], PostgreSQL=null[2]), (
    "with one, SQLite alone builds the table again, and its SQL says so"
)
again = [cells[-1] for cells in (*rows, *back) if REBUILT[1] in cells[-1]]
assert bool(again) == on(SQLite=True, PostgreSQL=False), "SQLite alone builds a table again"
rename, apart = seen["`RenameField`"], seen["a rename, as remove and add"]
assert rename[2:] == ["`RENAME COLUMN`", "values kept in `stock`"], "a rename keeps the values"
assert "**`copies` lost**" in apart[3], "and remove and add does not"
assert "`DROP COLUMN`" in apart[2], "which the SQL says"
assert seen["`RemoveField`"][2:] == ["`DROP COLUMN`", "**`copies` lost**"], "as for any removal"
for kind in ("`RunPython`, no reverse", "`RunPython`, `noop`"):
    assert seen[kind][1] == "`Raw Python operation -> One copy more of each book.`", "a docstring"
    assert seen[kind][2:] == ["a comment, no SQL", "**`copies` changed**"], (
        "the code is in the file"
    )
alike, halves = seen["two, the second fails"], seen["the same, `atomic = False`"]
assert alike[1] == halves[1], "the plan does not say that a migration is no transaction"
assert [halves[2], alike[2]] == [f"{alike[2]}, no `BEGIN`", "`ADD COLUMN`, the `update`"], (
    "SQL does"
)
assert alike[3] == "**stops**: `IntegrityError`", "a transaction leaves nothing"
assert halves[3] == "**stops**: `IntegrityError`, `shelf` added", "and without one a half stays"
assert all("**stops**" in cells[0] for cells in way.values() if "**stops**" in cells[2]), "in time"
closed = [kind for kind, cells in way.items() if "**stops**" in cells[2]]
assert [kind for kind in closed if "IRREVERSIBLE" not in way[kind][1]] == [
    "`SeparateDatabaseAndState`"
], "the plan does not see the hidden one"
assert len(closed) == 3, "and sees two"
for kind in ("`RemoveField`", "a rename, as remove and add", "`RunPython`, `noop`"):
    assert "**`copies` changed**" in way[kind][2], "the way back brings no value back"
    assert "**stops**" not in "".join(way[kind]), "and nothing complains"
returned = places["`RemoveField`"].rows("select distinct copies from library_book")
assert returned == [(1,)], "the column has its default"
unplanned = healthy.run("python manage.py migrate library 0006 --plan")
assert "No planned migration operations." in unplanned, "before it runs, there is nothing to plan"
