# ---
# title: Adding through= to a many-to-many field stops migrate
# symptoms:
#   - "they are not compatible types (you cannot alter to or from M2M fields, or add or remove through= on M2M fields)"
# cause: >-
#   Django made the table between the two models. It does not turn that table into one of your own
#   model, though `makemigrations` writes such a migration. Nothing is lost.
# broken: []
# data: untouched
# undo: migrate back; the rows stay, and values of the new fields are lost
# safe_in: production
# applied: "nowhere yet: it stops on every database"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
COMMIT = "git add . && git commit --quiet --message '{}' && git push --quiet".format
PULL = "git pull --quiet --no-rebase && python manage.py migrate"
MESSAGE = "they are not compatible types (you cannot alter to or from M2M fields, or add or remove through= on M2M fields)"
LINKS = "select id, book_id, genre_id from library_book_genres order by id"
FIELD = "    genres = models.ManyToManyField(Genre, {}blank=True)\n".format
MODEL = """

class BookGenre(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    genre = models.ForeignKey(Genre, on_delete=models.CASCADE)
    main = models.BooleanField(default=False)
"""
TABLE = """
    class Meta:
        db_table = "library_book_genres"
        unique_together = [("book", "genre")]
"""
SHOWN = "python manage.py shell --verbosity 0 -c \"from django.contrib.auth.models import User; from django.test import Client; browser = Client(SERVER_NAME='localhost'); browser.force_login(User.objects.get()); print(b'Comedy' in browser.get('/admin/library/book/2/change/').content)\""
GENRES = "python manage.py shell --verbosity 0 -c \"from library.models import Book; print(*Book.objects.get(title='Emma').genres.all())\""

# %% [markdown]
# A book has several genres, and one of them should be the main one. That is a field of the link. You
# write a model for the link, name it in `through`, and ship what `makemigrations` writes.

# %% tags=["setup"]
before = production.rows(LINKS)
laptop.replace("library/models.py", FIELD(""), FIELD('through="BookGenre", '))
laptop.run("cat library/models.py > ../models.py")
laptop.replace(
    "library/models.py", "        return self.title\n", f"        return self.title\n{MODEL}"
)
laptop.run("python manage.py makemigrations library --name main_genre")
laptop.run(COMMIT("A main genre"))

# %% tags=["before"]
production.run(PULL, fails=MESSAGE)
production.chain()

# %% [markdown]
# ## Is this your case?
#
# The message names your field twice. The table between the models is as it was, on both databases:

# %%
faked = production.clone("faked")
production.rows(LINKS)

# %% [markdown]
# - **No row of this table matters**: remove the field in one migration, and add it in the next.
# - **A `ManyToManyField` became a `ForeignKey`**: there is no message. `migrate` prints `OK`, and the
#   links are gone. Put a copy back, add a field with another name, and copy the rows first.
# - **You are on MariaDB**: the new table may have stayed. Read [what a stop leaves
#   there](../production/no-transactional-ddl.md) first.
#
# ## Fix it
#
# Let the model describe the table that is there: its name, its two keys, its unique pair. The new
# field comes later.

# %% tags=["fix"]
laptop.replace("library/models.py", "    main = models.BooleanField(default=False)\n", TABLE)

# %% [markdown]
# Nobody has applied the migration. In its place, write one that changes what Django knows, and not the
# database.

# %% tags=["fix"]
laptop.run("rm library/migrations/0007_main_genre.py")

# %% tags=["fix"]
laptop.write("library/migrations/0007_name_the_link.py", """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    "BookGenre",
                    [
                        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                        ("book", models.ForeignKey("library.book", models.CASCADE)),
                        ("genre", models.ForeignKey("library.genre", models.CASCADE)),
                    ],
                    {"db_table": "library_book_genres", "unique_together": {("book", "genre")}},
                ),
                migrations.AlterField(
                    "book",
                    "genres",
                    models.ManyToManyField("library.genre", through="library.BookGenre", blank=True),
                ),
            ]
        )
    ]
""")  # fmt: skip

# %% [markdown]
# Go on only when this finds nothing: then the file amounts to your models.

# %%
laptop.run("python manage.py makemigrations library --check --dry-run")
laptop.run("python manage.py migrate library")

# %% [markdown]
# Now it is a model like any other. Add the field, and let Django write the migration.

# %% tags=["fix"]
laptop.replace("library/models.py", "\n    class Meta:\n        db_table", "    main = models.BooleanField(default=False)\n\n    class Meta:\n        db_table")  # fmt: skip
laptop.run("python manage.py makemigrations library --name main_genre")
laptop.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# The admin leaves out a field with a `through` model, and says nothing:

# %%
hidden = laptop.run(SHOWN)

# %% tags=["fix"]
laptop.replace("library/admin.py", "import Author, Book, Genre", "import Author, Book, BookGenre, Genre")  # fmt: skip
laptop.replace("library/admin.py", "@admin.register(Book)\n", "class GenreInline(admin.TabularInline):\n    model = BookGenre\n\n\n@admin.register(Book)\n")  # fmt: skip
laptop.replace("library/admin.py", '"isbn", "copies")\n', '"isbn", "copies")\n    inlines = [GenreInline]\n')  # fmt: skip

# %%
shown = laptop.run(SHOWN)

# %% tags=["fix"]
laptop.run(COMMIT("A main genre, in the table that is there"))

# %% tags=["fix"]
production.run(PULL)

# %% [markdown]
# ## Make sure
#
# Every link is there, with the number that it had.

# %% tags=["after"]
production.chain()

# %%
after = production.rows("select * from library_book_genres order by id")
production.run(GENRES)

# %% [markdown]
# `add()` and `set()` still work, because the new field has a default.

# %%
used = production.clone("used")
used.run("python manage.py shell --verbosity 0 -c \"from library.models import Book; Book.objects.get(title='Emma').genres.add(3)\"")  # fmt: skip
used.run(GENRES)

# %% [markdown]
# ## Undo it
#
# Migrate back, then put the old code back. **Which genre is the main one is lost**; the links stay.

# %%
undone = production.clone("undone")
undone.rows("update library_book_genres set main = true where id = 3")
undone.run("python manage.py migrate library 0006 && git switch --quiet --detach HEAD~2")
undone.run(GENRES)
undone.rows(LINKS)

# %% [markdown]
# ## What not to do
#
# **Do not remove the field and add it again.** Both migrations run, and no book has a genre.

# %%
emptied = Sandbox("emptied")
emptied.replace("library/models.py", FIELD(""), "")
emptied.run("python manage.py makemigrations library --name no_genres -v 0")
emptied.run("cat ../models.py > library/models.py")
emptied.replace("library/models.py", "        return self.title\n", f"        return self.title\n{MODEL}")  # fmt: skip
emptied.run("python manage.py makemigrations library --name main_genre -v 0")
emptied.run("python manage.py migrate")
gone = emptied.rows("select count(*) from library_bookgenre")

# %% [markdown]
# **Do not fake the migration.** The history then claims a table that nobody made.

# %%
faked.run("python manage.py migrate library 0007 --fake")
faked.run(GENRES, fails=on(SQLite="no such table: library_bookgenre", PostgreSQL='relation "library_bookgenre" does not exist'))  # fmt: skip

# %% [markdown]
# ## Why it happens
#
# Without `through`, Django makes a model for the link, and its table. With `through`, the table is that
# of your model. `makemigrations` compares fields, sees that one has changed and writes `AlterField`.
# `migrate` would have to move rows from one table to the other, and refuses.
# `SeparateDatabaseAndState` tells the files that the table is yours now, and leaves it alone. So [the
# chain](../../guide/the-chain.md) holds before and after.
#
# ## Keep it from happening
#
# Write the `through` model when you add the field. It costs a class, and it takes fields later.
#
# **In review, ask:** does an `AlterField` of a `ManyToManyField` change `through`?
#
# **In CI:** `python manage.py migrate` on an empty database stops with the same message.
#
# ## Run it yourself
#
# Leave out `unique_together`, in the model and in the file. All commands are content, and the chain at
# the end names the unique pair that no migration knows.

# %% tags=["check"]
assert [row[:3] for row in after] == before, "every link has its number, its book and its genre"
assert [bool(row[3]) for row in after] == [False] * 8, "and a new field"
assert undone.rows(LINKS) == before, "undone, they are all there"
assert undone.chain().whole, "and it is whole"
assert (hidden, shown) == ("False\n", "True\n"), "the admin shows them again"
assert production.run(SHOWN) == undone.run(SHOWN) == "True\n", "as before"
assert gone == [(0,)], "the other way they are lost"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
emptied.run(NEW)
emptied.run(
    "git restore library && git clean --force --quiet library && git pull --quiet --no-rebase"
)
emptied.run("git switch --quiet --detach HEAD~1")
emptied.run("python manage.py migrate", fails=MESSAGE)
emptied.run("git switch --quiet main && python manage.py migrate -v 0 && python manage.py seed")
assert emptied.rows(LINKS) == before, "a new database builds, and takes rows"
assert emptied.chain().whole, "and is whole"

# %% tags=["check"]
# A foreign key in place of the many-to-many field, written by makemigrations.
FOREIGN = "    genres = models.ForeignKey(Genre, models.SET_NULL, null=True)\n"
undone.replace("library/models.py", FIELD(""), FOREIGN)
undone.run("python manage.py makemigrations library --name one_genre")
undone.run("python manage.py migrate")
undone.run("python manage.py inspectdb | grep library_book_genres", fails="")
none = undone.rows("select count(*) from library_book where genres_id is not null")
assert none == [(0,)], "it prints OK, and the links are gone"
