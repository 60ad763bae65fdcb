# ---
# title: A renamed model came back empty
# symptoms:
#   - "that does not have a corresponding value in library_volume.id"
#   - violates foreign key constraint "lending_loan_book_id_0be4a226_fk_library_volume_id"
# cause: >-
#   makemigrations asked whether you renamed the model, and got N or --noinput. It wrote a new model
#   and deletes the old one. When the error comes, the many-to-many links and foreign keys are lost.
# broken: []
# data: "may be lost: put back a copy from before the migration"
# undo: migrate back, which renames everything back
# safe_in: "production: with a stop, old code finds no table"
# applied: here only
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
BOOKS = (
    "select b.id, title, author_id, count(distinct genre_id) as genres, count(distinct l.id) as "
    "loans from library_book b left join library_book_genres g on g.book_id = b.id left join "
    "lending_loan l on l.book_id = b.id group by b.id, title, author_id order by b.id"
)
VOLUMES = BOOKS.replace("library_book", "library_volume").replace("g.book_id", "g.volume_id")
KINDS = "select model from django_content_type where app_label = 'library' order by model"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
PUT_BACK = on(
    SQLite="cp ../before.sqlite3 db.sqlite3",
    PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
)


def imports(place, new):  # in the admin and in the seed
    for file in ("admin", "management/commands/seed"):
        place.replace(f"library/{file}.py", "import Author, Book, Genre", f"import {new}")


# %% [markdown]
# A book has an author, and genres through a many-to-many field. Loans of another app point to it. You
# rename `Book` to `Volume`, and copy your database.

# %% tags=["setup"]
before = laptop.rows(BOOKS)
loans, topics = laptop.clone("loans"), laptop.clone("topics")
laptop.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)
laptop.replace("library/models.py", "class Book(", "class Volume(")
laptop.replace("lending/models.py", '"library.Book"', '"library.Volume"')
imports(laptop, "Author, Volume as Book, Genre")

# %% [markdown]
# You take the question of `makemigrations` for a warning, and answer no.

# %% tags=["setup"]
laptop.run("python manage.py makemigrations --name book_is_volume", answers=["N"])

# %% tags=["before"]
laptop.run(
    "python manage.py migrate",
    fails=on(
        SQLite="that does not have a corresponding value in library_volume.id",
        PostgreSQL='fk_library_volume_id"',
    ),
)
book = laptop.rows("select * from library_book where id = 2")
links = laptop.rows("select count(*) as links from library_volume_genres")
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# The first file ran, and [the chain](../../guide/the-chain.md) is whole. But `library_book` has no
# author any more, and no book has a genre: their table was dropped. The last file would drop the rest:

# %%
drop = laptop.run("python manage.py sqlmigrate library 0008 | grep 'DROP TABLE'")

# %% [markdown]
# - **No error, and the new table is empty:** nothing pointed to the model, as [below](#what-not-to-do).
# - **It is in another app now:** read [Move a model to another app](move-model-between-apps.md).
# - **The rows are there, and users lost permissions:** read
#   [After renaming a model](../mismatch/content-types-lag.md).
#
# ## Fix it
#
# The way back by `migrate` is closed, since no book has an author:

# %%
closed = laptop.clone("closed")
closed.run(
    "python manage.py migrate library 0006",
    fails=on(
        SQLite="NOT NULL constraint failed: new__library_book.author_id",
        PostgreSQL='column "author_id" of relation "library_book" contains null values',
    ),
)

# %% [markdown]
# **Put back the copy from before: what was written since is lost.** On production, that is your
# [backup](../../guide/backups.md).

# %% tags=["fix"]
laptop.run(PUT_BACK)

# %% [markdown]
# Delete the files, if nobody else has them.

# %% tags=["fix"]
laptop.run(
    "rm library/migrations/0007_book_is_volume.py library/migrations/0008_book_is_volume.py "
    "lending/migrations/0008_book_is_volume.py"
)

# %% [markdown]
# **Change nothing else in the model, or nobody asks you.** Answer `y`. PostgreSQL keeps the name of the
# check that belongs to `copies`: there, one line renames it.

# %% tags=["fix"]
FILE = "library/migrations/0007_book_is_volume.py"
laptop.run("python manage.py makemigrations --name book_is_volume", answers=["y"])
if on(SQLite=False, PostgreSQL=True):
    RENAME = "alter table library_volume rename constraint library_{}_copies_check to library_{}_copies_check"
    laptop.replace(
        FILE,
        "        ),\n    ]\n",
        f"""        ),
        migrations.RunSQL(
            "{RENAME.format("book", "volume")}",
            "{RENAME.format("volume", "book")}",
        ),
    ]
""",
    )

# %% [markdown]
# The names must say `RENAME`. On PostgreSQL nothing may drop a table. SQLite builds two of them anew,
# with their rows:

# %%
sql = laptop.run("python manage.py sqlmigrate library 0007 | grep RENAME")
laptop.run(
    "python manage.py sqlmigrate library 0007 | grep 'DROP TABLE'",
    fails=on(SQLite=None, PostgreSQL=""),
)

# %% [markdown]
# Try it where you have rows, and ship it.

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Book is Volume' && git push --quiet")

# %% [markdown]
# **Old code fails from here on:** its table has another name. To go without a stop,
# [keep the table](../../guide/deploying.md).

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# Every volume has the author, the genres and the loans of the book.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(VOLUMES)

# %% [markdown]
# The many-to-many table has a new name, and its column too. Loans keep `book_id`, which is named after
# the field. The content type has the new name. The permissions
# [have the old one](../mismatch/content-types-lag.md).

# %%
through = production.run("python manage.py inspectdb library_volume_genres | grep ForeignKey")
kinds = production.rows(KINDS)

# %% [markdown]
# A new database gets the same tables:

# %%
fresh = production.clone("fresh")
fresh.run(f"{NEW} && python manage.py migrate --verbosity 0 && python manage.py seed")
again = fresh.rows(VOLUMES)

# %% [markdown]
# ## Undo it
#
# A `RenameModel` goes back with every row. Then check the release before out.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate library 0006")
undone.run("git checkout --quiet HEAD~1")
back = undone.rows(BOOKS)

# %% [markdown]
# ## What not to do
#
# **Do not run `makemigrations --noinput` on your machine.** It is an N to every rename. Nothing points
# to a loan, so nothing stops it. `Loan` becomes `Borrowing`, and no loan is left:

# %%
loans.replace("lending/models.py", "class Loan(", "class Borrowing(")
loans.replace("lending/admin.py", "import Loan,", "import Borrowing as Loan,")
loans.run("python manage.py makemigrations lending --name loan_is_borrowing --noinput")
loans.run("python manage.py migrate --verbosity 0")
lost = loans.rows("select * from lending_borrowing")

# %% [markdown]
# **Do not count on the error.** Books point to genres by a many-to-many field. SQLite stops here.
# PostgreSQL drops the genres, and leaves links to genres that are not there:

# %%
topics.replace("library/models.py", "class Genre(", "class Topic(")
topics.replace("library/models.py", "Field(Genre,", "Field(Topic,")
imports(topics, "Author, Book, Topic as Genre")
topics.run("python manage.py makemigrations library --name topic --noinput --verbosity 0")
topics.run(
    "python manage.py migrate --verbosity 0",
    fails=on(SQLite="value in library_topic.id", PostgreSQL=None),
)
TOPIC, LIBRARY = on(SQLite=("genre", "genre"), PostgreSQL=("topic", "topic"))
torn = topics.rows(
    f"select count(*) as links, count(t.id) as {TOPIC}s from library_book_genres "
    f"left join library_{LIBRARY} t on t.id = {TOPIC}_id"
)

# %% [markdown]
# ## Why it happens
#
# A rename is a guess: one model is gone, another has the same fields. So `makemigrations` asks, and N
# means that both are true. The old model loses its relations first, in a file of its own, so that the
# tables can be dropped later. The error comes between the two. On PostgreSQL, `DROP TABLE … CASCADE`
# takes the foreign key that would have been the error.
#
# ## Keep it from happening
#
# **In review, ask:** does a `DeleteModel` come with a `CreateModel` that has the same fields?
# **In CI:** on PostgreSQL, `python manage.py sqlmigrate library 0008 | grep 'DROP TABLE'` must find
# nothing.
#
# ## Run it yourself
#
# At the end of the setup, add `laptop.rows("delete from lending_loan")`. Nothing points to a book then,
# and the playbook fails because `migrate` succeeds: all books are gone.

# %% tags=["check"]
assert before == after, "production lost nothing"
assert before == laptop.rows(VOLUMES), "and neither did the laptop"
assert before == again, "a new database is alike"
assert (before, undone.chain().whole) == (back, True), "and the way back loses nothing"
assert fresh.chain().whole, "a new database is whole"
assert (len(book[0]), links) == (4, [(0,)]), "no author, no genre: lost before the error"
assert 'DROP TABLE "library_book"' in drop, "the last file would drop the books"
assert ("RENAME TO" in sql, "volume = " in through) == (True, True), "renamed, with the column"
assert kinds == [("author",), ("genre",), ("volume",)], "the content type as well"
assert lost == [], "all loans are lost, and nothing failed"
assert torn == on(SQLite=[(8, 8)], PostgreSQL=[(8, 0)]), "links to nothing"
