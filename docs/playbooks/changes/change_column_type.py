# ---
# title: Some texts will not become numbers or dates
# symptoms:
#   - "invalid input syntax for type integer"
#   - "cannot be cast automatically to type integer"
#   - "Field 'published' expected a number but got"
# cause: >-
#   The new type cannot hold some values. PostgreSQL stops, and changes nothing. SQLite prints OK and
#   keeps them as they are; later they cannot be saved.
# broken: []
# data: "copied: every text stays in a column of its own until you drop it"
# undo: go back with migrate; each text returns
# safe_in: "production: while no old code runs, because the column gets another name"
# applied: "elsewhere too: where it said OK, it is taken back first"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
TEXT = '    published = models.CharField(max_length=20, blank=True, default="")\n'
NUMBER = "    published = models.IntegerField(null=True, blank=True)\n"
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
MAKE = "python manage.py makemigrations library --verbosity 0 --name"
MIGRATE = "python manage.py migrate --verbosity 0"
SHIP = "git add . && git commit --quiet --message 'Published' && git push --quiet"
SAVE = (
    'python manage.py shell --verbosity 0 -c "from library.models import Book\n'
    "for book in Book.objects.order_by('pk'): book.save()\""
)
BOOKS = "select id, published from library_book order by id"

# %% [markdown]
# Each book has a year, as a text. Your own rows hold years and nothing else.

# %% tags=["setup"]
laptop.replace("library/models.py", COPIES, TEXT + COPIES)
laptop.run(f"{MAKE} published && {MIGRATE} && {SHIP}")
production = laptop.clone("production")
laptop.rows("update library_book set published = '1813'")

# %% [markdown]
# On production, people have typed what they knew.

# %% tags=["setup"]
for number, text in enumerate(["1813", "1815", "1818", "1897", "ca. 1851", ""], 1):
    production.rows(f"update library_book set published = '{text}' where id = {number}")
texts = production.rows(BOOKS)
by_hand = production.clone("by-hand")
zeroed = production.clone("zeroed")
dated = production.clone("dated")

# %% [markdown]
# You make it a number. Your database says OK, and you push. The deploy stops on PostgreSQL; SQLite
# says OK there too.

# %% tags=["setup"]
laptop.replace("library/models.py", TEXT, NUMBER)
laptop.run(f"{MAKE} published_is_a_number && {MIGRATE} && {SHIP}")
production.run("git pull --quiet --no-rebase")
production.run(
    MIGRATE, fails=on(SQLite=None, PostgreSQL='invalid input syntax for type integer: "ca. 1851"')
)

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# PostgreSQL names one value. On SQLite, nothing complains until one of the rows is saved. Then each
# form and each job that touches it fails:

# %%
saved = "Field 'published' expected a number but got 'ca. 1851'"
production.run(SAVE, fails=saved)

# %% [markdown]
# Ask for all of them at once. An empty text is no number either.

# %%
production.rows(
    on(
        SQLite="select id, published from library_book where typeof(published) = 'text' order by id",
        PostgreSQL="select id, published from library_book where published !~ '^[0-9]+$' order by id",
    )
)

# %% [markdown]
# **A date** goes the same way. PostgreSQL stops; on SQLite each text is still there, but Django reads
# `None`, and your pages show an empty field.

# %%
dated.replace("library/models.py", TEXT, NUMBER.replace("Integer", "Date"))
dated.run(f"{MAKE} published_is_a_date")
dated.run(MIGRATE, fails=on(SQLite=None, PostgreSQL='invalid input syntax for type date: "1813"'))
if on(SQLite=True, PostgreSQL=False):
    dated.rows("select id, published || '' as published from library_book where id = 5")
    read = dated.run(SAVE.replace("book.save()", "print(book.published)"))
    assert read == "None\n" * 6, "six texts, and Django reads none"

# %% [markdown]
# - **`cannot be cast automatically`**: you wrote the SQL yourself, without `using`. Django writes
#   `using`, [and that does not help](#what-not-to-do). The fix is the same.
# - **`value too long for type character varying`**: read
#   [A shorter column refuses some rows](shrink-column.md).
# - **Other changes that SQLite accepts** stand in [a table](../production/what-sqlite-hides.md).
#
# ## Fix it
#
# Keep the text in a column of its own, add the number beside it, and convert row by row, with a list
# of what no rule can read. First take the migration back where it said OK, and delete it. The model
# keeps the old text under another name.
# **Do this on every database that applied it, before the pull. There a leading zero is lost already.**
# On the one that stopped, this line has nothing to do.

# %% tags=["fix"]
production.run("python manage.py migrate library 0007 --verbosity 0")

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0007 --verbosity 0")

# %% tags=["fix"]
laptop.run("rm library/migrations/0008_published_is_a_number.py")

# %% tags=["fix"]
laptop.replace("library/models.py", NUMBER, NUMBER + TEXT.replace("published", "published_text"))

# %% tags=["fix"]
laptop.write(
    "library/migrations/0008_published_text.py",
    """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0007_published")]
    operations = [
        migrations.RenameField("book", "published", "published_text"),
        migrations.AddField("book", "published", models.IntegerField(null=True, blank=True)),
    ]
""",
)

# %% [markdown]
# What no rule can read, you decide: write it into `DECIDED`. A text that is not there stops the
# migration, and the error lists all of them.

# %% tags=["fix"]
laptop.write(
    "library/migrations/0009_published_as_number.py",
    """from django.db import migrations

DECIDED = {"": None, "ca. 1851": 1851}


def rows(apps, schema_editor):
    return apps.get_model("library", "Book").objects.using(schema_editor.connection.alias)


def to_number(apps, schema_editor):
    books = list(rows(apps, schema_editor).filter(published=None))
    texts = {book.published_text.strip() for book in books} - set(DECIDED)
    unreadable = sorted(text for text in texts if not text.isdecimal())
    if unreadable:
        raise ValueError(f"not decided: {unreadable}")
    for book in books:
        text = book.published_text.strip()
        book.published = DECIDED[text] if text in DECIDED else int(text)
        book.save(update_fields=["published"])


def to_text(apps, schema_editor):
    for book in rows(apps, schema_editor).filter(published_text="").exclude(published=None):
        book.published_text = str(book.published)
        book.save(update_fields=["published_text"])


class Migration(migrations.Migration):
    dependencies = [("library", "0008_published_text")]
    operations = [migrations.RunPython(to_number, to_text)]
""",
)

# %% [markdown]
# Ship it. Nothing of the old code may run now: it does not know the new name. Where it has to, take
# [four releases](../production/rename-in-four-releases.md).

# %% tags=["fix"]
laptop.run(f"{MIGRATE} && {SHIP}")

# %% tags=["fix"]
production.run(f"git pull --quiet --no-rebase && {MIGRATE}")

# %% [markdown]
# ## Make sure
#
# The chain is whole, nothing is left to write, every row can be saved, and each number stands beside
# its text.

# %% tags=["after"]
production.chain()

# %%
production.run("python manage.py makemigrations --check")
production.run(SAVE)
numbers = production.rows("select id, published, published_text from library_book order by id")

# %% [markdown]
# Drop `published_text` in a later release, when nobody has missed anything:
# [Remove a field](../production/remove-or-require-a-field.md).
#
# ## Undo it
#
# Go back, with the code and with the database. Each text returns, and a book that was added since gets
# its number as a text.

# %%
undone = production.clone("undone")
undone.rows(
    "insert into library_book (title, author_id, isbn, copies, published, published_text) "
    "values ('Persuasion', 1, '', 1, 1817, '')"
)
undone.run("python manage.py migrate library 0007 --verbosity 0")
undone.run("git switch --quiet --detach HEAD~2")
back = undone.rows(BOOKS)

# %% [markdown]
# ## What not to do
#
# **Do not make the values fit first.** The migration then says OK. What people knew is gone: nobody
# can tell the estimate from the empty text. A zero that somebody typed in front is gone as well.

# %%
zeroed.rows("update library_book set published = '0' where published in ('ca. 1851', '')")
zeroed.rows("update library_book set published = '0897' where id = 4")
zeroed.run("git fetch --quiet && git merge --quiet origin/main~1 && " + MIGRATE)
gone = zeroed.rows("select id, published from library_book where id >= 4 order by id")

# %% [markdown]
# **Do not hope that `using` converts.** On PostgreSQL, SQL by hand fails in another way, and gives a
# hint. What the hint says is what Django writes already. On SQLite, Django copies the values as they
# are.

# %%
by_hand.run("git fetch --quiet && git merge --quiet origin/main~1")
by_hand.run(
    "python manage.py sqlmigrate library 0008 | grep "
    + on(SQLite="INSERT", PostgreSQL="'USING \"published\"::integer'")
)
if on(SQLite=False, PostgreSQL=True):
    ALTER = "psql --dbname library --command 'alter table library_book alter column published type integer{}'"
    by_hand.run(
        ALTER.format(""), fails='column "published" cannot be cast automatically to type integer'
    )
    by_hand.run(
        ALTER.format(" using published::integer"),
        fails='invalid input syntax for type integer: "ca. 1851"',
    )

# %% [markdown]
# ## Why it happens
#
# An `AlterField` changes the type of the column in place, and Django brings no code that converts.
# PostgreSQL is told to cast each value; one that it cannot cast stops the statement, and the
# transaction takes back the rest. On SQLite, Django builds the table again and copies the values. A
# column type is a wish there: a text that does not look like a number stays a text. So
# [the chain](../../guide/the-chain.md), which compares schemas and no values, is whole.
#
# ## Keep it from happening
#
# Ask production for the values before you write the migration.
#
# **In review, ask:** which values does the column hold on production, and who decides those that do not convert?
#
# **In CI:** nothing in CI sees this: its database has no rows. [Rehearse on a copy](../production/rehearse-on-a-copy.md).
#
# ## Run it yourself
#
# In `DECIDED`, leave out `"ca. 1851": 1851`. The deploy stops with `not decided: ['ca. 1851']`, on
# both databases.

# %% tags=["check"]
assert [(row, text) for row, _, text in numbers] == texts, "every text is as it was"
assert [year for _, year, _ in numbers] == [1813, 1815, 1818, 1897, 1851, None], "and is a number"
assert undone.chain().whole, "the old code and the old schema fit"
assert back[:6] == texts, "the way back brings every text"
assert back[6][1] == "1817", "and the year of the new book"
assert gone == [(4, 897), (5, 0), (6, 0)], "made to fit, they cannot be told apart"
assert len(production.rows("select id from lending_loan")) == 5, "no loan is lost"
zeroed.run("python manage.py migrate library 0007 --verbosity 0")
zero = zeroed.rows("select published from library_book where id = 4")
assert zero == [("897",)], "a leading zero does not come back"
later = production.clone("later")
later.run("python manage.py migrate library 0007 --verbosity 0")
later.rows("update library_book set published = 'MDCCC' where id = 1")
later.run(MIGRATE, fails="not decided: ['MDCCC']")
