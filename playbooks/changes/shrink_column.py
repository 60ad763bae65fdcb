# ---
# title: A smaller field refuses some rows
# symptoms:
#   - "value too long for type character varying"
#   - numeric field overflow
#   - "decimal.InvalidOperation"
#   - "Ensure this value has at most 20 characters"
# cause: >-
#   Some values are longer, or larger, than the new column allows. PostgreSQL stops, and changes
#   nothing. SQLite prints OK and keeps them; then they cannot be read or saved. Nothing is lost.
# broken: []
# data: "may be lost: only what you decide to cut"
# undo: go back with migrate; the values return
# safe_in: "production: while no old code adds books, which knows nothing of the new field"
# applied: "elsewhere too: where it said OK, it is taken back first"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
MODELS = "library/models.py"
TITLE, SHORT = (
    "    title = models.CharField(max_length=200)\n",
    "    title = models.CharField(max_length=20)\n",
)
PRICE = "    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)\n"
SUBTITLE = '    subtitle = models.CharField(max_length=200, blank=True, default="")\n'
MAKE = "python manage.py makemigrations library --verbosity 0 --name"
MIGRATE = "python manage.py migrate --verbosity 0"
SHIP = "git add . && git commit --quiet --message 'Smaller fields' && git push --quiet"
LOOK = 'python manage.py shell --verbosity 0 -c "from library.models import Book; {}"'.format
READ = LOOK("print([str(book.price) for book in Book.objects.order_by('pk')])")
BOOKS = "select id, title, cast(price as text) as price from library_book order by id"
BIG = BOOKS.replace("order", "where length(title) > 20 or price >= 1000 order")

# %% [markdown]
# Each book has a price. Your own rows are short and small. On production there is one long title, and a
# price that somebody typed in pence.

# %% tags=["setup"]
laptop.replace(MODELS, TITLE, TITLE + PRICE)
laptop.run(f"{MAKE} price && {MIGRATE} && {SHIP}")
laptop.rows("update library_book set price = 9.99")
production = laptop.clone("production")
production.rows(
    "update library_book set title = 'Frankenstein; or, The Modern Prometheus' where id = 3"
)
production.rows("update library_book set price = 1250 where title = 'Moby-Dick'")
before = production.rows(BOOKS)
rounded = production.clone("rounded")

# %% [markdown]
# You make both fields smaller, one after the other. Your database says OK, and you push.

# %% tags=["setup"]
laptop.replace(MODELS, TITLE, SHORT)
laptop.run(f"{MAKE} shorter_titles")
laptop.replace(MODELS, "max_digits=8", "max_digits=5")
laptop.run(f"{MAKE} smaller_prices && {MIGRATE} && {SHIP}")
production.run("git pull --quiet --no-rebase")
cut = production.clone("cut")
production.run(
    MIGRATE,
    fails=on(SQLite=None, PostgreSQL="value too long for type character varying(20)"),
)

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# PostgreSQL stops at the first such field, and names no row. SQLite says OK. There the long title can
# no longer be saved in a form, and a price that is too large cannot even be read:

# %%
if on(SQLite=True, PostgreSQL=False):
    production.run(
        LOOK("Book.objects.defer('price').get(pk=3).clean_fields(exclude=['price'])"),
        fails="Ensure this value has at most 20 characters (it has 39).",
    )
    production.run(READ, fails="decimal.InvalidOperation")
else:
    production.run(MIGRATE, fails="value too long for type character varying(20)")

# %% [markdown]
# Ask for the rows. Ask about every field that gets smaller:

# %%
big = production.rows(BIG)

# %% [markdown]
# - **A text should become a number or a date:** read
#   [Some texts will not become numbers or dates](change-column-type.md).
# - **Two branches changed the length of one field:** read
#   [Both branches changed the same field](../conflicts/two-migrations-one-field.md).
#
# ## Fix it
#
# Take the migrations back where they said OK, and delete them.
# **Do this on every database that applied them, before the pull.** On the one that stopped, this line
# has nothing to do.

# %% tags=["fix"]
production.run("python manage.py migrate library 0007 --verbosity 0")

# %% tags=["fix"]
laptop.run("python manage.py migrate library 0007 --verbosity 0")

# %% tags=["fix"]
laptop.run("rm library/migrations/0008_shorter_titles.py library/migrations/0009_smaller_prices.py")

# %% [markdown]
# Decide each row, with the people who know it. Here the rest of the title gets a field of its own, and
# the price is corrected. The migration stops at a row that nobody has decided.

# %% tags=["fix"]
laptop.write(
    "library/migrations/0008_subtitle.py",
    """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0007_price")]
    operations = [
        migrations.AddField(
            "book", "subtitle", models.CharField(max_length=200, blank=True, default="")
        ),
    ]
""",
)

# %% tags=["fix"]
laptop.write(
    "library/migrations/0009_values_that_fit.py",
    """from django.db import migrations

TITLES = [("Frankenstein; or, The Modern Prometheus", "Frankenstein", "The Modern Prometheus")]
PRICES = [("Moby-Dick", "1250.00", "12.50")]


def rows(apps, schema_editor):
    return apps.get_model("library", "Book").objects.using(schema_editor.connection.alias)


def fit(apps, schema_editor):
    books = rows(apps, schema_editor)
    for long, short, rest in TITLES:
        books.filter(title=long).update(title=short, subtitle=rest)
    for title, wrong, right in PRICES:
        books.filter(title=title, price=wrong).update(price=right)
    big = [book.title for book in books.order_by("pk") if len(book.title) > 20 or book.price >= 1000]
    if big:
        raise ValueError(f"not decided: {big}")


def as_it_was(apps, schema_editor):
    books = rows(apps, schema_editor)
    for long, short, rest in TITLES:
        books.filter(title=short, subtitle=rest).update(title=long)
    for title, wrong, right in PRICES:
        books.filter(title=title, price=right).update(price=wrong)


class Migration(migrations.Migration):
    dependencies = [("library", "0008_subtitle")]
    operations = [migrations.RunPython(fit, as_it_was)]
""",
)

# %% [markdown]
# Now the model, and Django writes the rest.

# %% tags=["fix"]
laptop.replace(MODELS, SHORT, SHORT + SUBTITLE)

# %% tags=["fix"]
laptop.run(f"{MAKE} smaller_fields && {MIGRATE} && {SHIP}")

# %% [markdown]
# **A new long title that is typed in between stops the deploy.** Then decide it too, and deploy again.

# %% tags=["fix"]
production.run(f"git pull --quiet --no-rebase && {MIGRATE}")

# %% [markdown]
# ## Make sure
#
# The chain is whole, every price can be read, and all other rows are as before.

# %% tags=["after"]
production.chain()

# %%
production.run("python manage.py makemigrations --check")
production.run(READ)
after = production.rows(BOOKS.replace("title,", "title, subtitle,"))

# %% [markdown]
# ## Undo it
#
# Go back, with the database and with the code. What you decided is undone as well.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0007 --verbosity 0")
undone.run("git switch --quiet --detach HEAD~2")

# %% [markdown]
# ## What not to do
#
# **Do not cut what is too long.** The next error is about the price, and then one more value is made
# up. Nobody finds the rest of the title again.

# %%
cut.rows("update library_book set title = substr(title, 1, 20) where length(title) > 20")
cut.run(MIGRATE, fails=on(SQLite=None, PostgreSQL="numeric field overflow"))
cut.rows("update library_book set price = 999.99 where price >= 1000")
cut.run(MIGRATE)
made_up = cut.rows(BOOKS.replace("order", "where id in (3, 5) order"))

# %% [markdown]
# **Do not count on PostgreSQL for fewer decimal places.** No database stops there. PostgreSQL rounds
# what it stores. SQLite keeps it, and Django rounds what it reads:

# %%
rounded.replace(MODELS, "decimal_places=2", "decimal_places=1")
rounded.run(f"{MAKE} one_decimal && {MIGRATE}")
stored = rounded.rows("select id, cast(price as text) as price from library_book where id = 1")
read = rounded.run(LOOK("print(Book.objects.get(pk=1).price)"))

# %% [markdown]
# ## Why it happens
#
# The migration is written from your models, and your rows are not those of production. PostgreSQL
# holds every value against the new type and refuses the first that does not fit. SQLite keeps no
# lengths and no digits. There the limit is in Django alone, which looks when a form is checked or a
# decimal is read. [The chain](../../guide/the-chain.md) compares schemas and no values, so it is whole.
#
# ## Keep it from happening
#
# If only new values have to be short, keep the column, and give the field a validator:
# [it sends no SQL](cosmetic-migrations.md).
#
# **In review, ask:** how long is the longest value on production, and how large the largest?
#
# **In CI:** nothing in CI sees this: its database has no rows. [Rehearse on a copy](../production/rehearse-on-a-copy.md).
#
# ## Run it yourself
#
# Empty the list `PRICES`. The deploy stops with `not decided: ['Moby-Dick']`, on both databases.

# %% tags=["check"]
assert [row for row, *_ in big] == [3, 5], "two rows do not fit"
frankenstein, moby = after[2], after[4]
assert frankenstein[:3] == (3, "Frankenstein", "The Modern Prometheus"), "no word is lost"
assert moby[3] in ("12.50", "12.5"), "the price is corrected"
others = [(row, title, price) for row, title, _, price in after if row not in (3, 5)]
assert others == [row for row in before if row[0] not in (3, 5)], "all others are as before"
assert undone.rows(BOOKS) == before, "the way back brings every value"
assert undone.chain().whole, "and the old code fits"
assert len(production.rows("select id from lending_loan")) == 5, "no loan is lost"
assert made_up[0][1] == "Frankenstein; or, Th", "cut"
assert (stored[0][1], read) == (on(SQLite="9.99", PostgreSQL="10.0"), "10.0\n"), "rounded"
assert laptop.chain().whole, "the laptop has no row without a file"
later = production.clone("later")
later.run("python manage.py migrate library 0007 --verbosity 0")
later.rows("update library_book set title = 'The Strange Case of Dr Jekyll' where id = 1")
later.run(MIGRATE, fails="not decided: ['The Strange Case of Dr Jekyll']")
