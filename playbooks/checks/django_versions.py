# ---
# title: What differs between Django 5.2, 6.0 and 6.1
# answer: >-
#   Of eighteen things tried here, fourteen come out otherwise on another of these versions. An old
#   constraint and a left-over permission stop `migrate` after an upgrade; a new many-to-many target
#   drops its links. The table of all three versions is in the reference.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# This page is a run on one version. [The table of all three](../../reference/django-versions.md) is
# made of one such run on each. A cell says what its commands came to:
#
# - **works** or **stops**: the exit code of the last command, and the error.
# - **kept** or **lost**: whether what you wrote in an old file stands in the new one.

# %%
from playbook_kit import Sandbox, on, table

NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
CHECK = "python manage.py makemigrations --check --noinput"
SQUASH = "python manage.py squashmigrations library 0001 0007 --squashed-name all --noinput"
COPIES = "    copies = models"
healthy = Sandbox("healthy")
django = healthy.run("python manage.py version").strip()


def ended(output):
    """How a command ended, in the words of the table."""
    said = [line.partition(":")[0] for line in output.splitlines() if "Error: " in line]
    return f"**stops**: `{said[-1].rpartition('.')[2]}`" if output.code else "works"


def kept(place, file, words):
    """Whether these words stand in a migration file of `library`."""
    found = place.attempt(f"cat library/migrations/{file} | grep '{words}'")
    return "lost" if found.code else "kept"


# %% [markdown] tags=["setup"]
# A constraint in an older spelling:

# %% tags=["setup"]
constraint = healthy.clone("constraint")
constraint.replace("lending/migrations/0006_due_after_lent.py", "condition=", "check=")

# %% [markdown] tags=["setup"]
# A project whose keys are of type `AutoField`, and whose settings no longer say so:

# %% tags=["setup"]
keys = healthy.clone("keys")
keys.replace("config/settings.py", "models.BigAutoField", "models.AutoField")
keys.run("python manage.py makemigrations --name small_keys --verbosity 0")
keys.run("python manage.py migrate --verbosity 0")
keys.replace("config/settings.py", "DEFAULT_AUTO_FIELD", "WITHOUT_IT")

# %% [markdown] tags=["setup"]
# The genres of a book get a model of another name. Its rows are those of `Genre`:

# %% tags=["setup"]
target = healthy.clone("target")
TAG = "class Tag(models.Model):\n    name = models.CharField(max_length=50)\n\n\n"
target.replace("library/models.py", "class Book(", f"{TAG}class Book(")
target.run("python manage.py makemigrations library --name tag --verbosity 0")
target.run("python manage.py migrate --verbosity 0")
target.rows("insert into library_tag select id, name from library_genre")
target.replace("library/models.py", "ManyToManyField(Genre", "ManyToManyField(Tag")

# %% [markdown] tags=["setup"]
# A model gets a new name. On a second database a permission with that name is
# [left over](../mismatch/content-types-lag.md) from an earlier rename:

# %% tags=["setup"]
renamed = healthy.clone("renamed")
renamed.run("rm library/admin.py")
renamed.replace("library/models.py", "class Genre(", "class Kind(")
renamed.replace("library/models.py", "ManyToManyField(Genre", "ManyToManyField(Kind")
renamed.run("python manage.py makemigrations library --name kind --verbosity 0", answers=["y"])
left_over = renamed.clone("left-over")
left_over.rows("update auth_permission set codename = 'add_kind' where codename = 'view_genre'")

# %% [markdown] tags=["setup"]
# A migration written by hand. One database has applied it; in the other working copy the models
# have one more field by now:

# %% tags=["setup"]
by_hand = healthy.clone("by-hand")
TEXTS = "    shelf = models.TextField()\n    place = models.TextField()\n"
by_hand.replace("library/models.py", COPIES, TEXTS + COPIES)
by_hand.write(
    "library/migrations/0007_by_hand.py",
    """from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("library", "0006_find_books_by_title")]
    operations = [
        migrations.AddField("book", "shelf", models.TextField(default="A1"), preserve_default=False),
        migrations.RunSQL("select 'this stays'"),
        migrations.AddField("book", "spot", models.TextField(default="left"), preserve_default=False),
        migrations.RenameField("book", "spot", "place"),
        migrations.RunSQL("select 'this may go'", elidable=True),
    ]
""",
)
updated = by_hand.clone("updated")
updated.replace("library/models.py", COPIES, "    pages = models.TextField(null=True)\n" + COPIES)
by_hand.run("python manage.py migrate --verbosity 0")
whole = by_hand.clone("whole")

# %% [markdown] tags=["setup"]
# A row without a file, and a history that has lost its end:

# %% tags=["setup"]
ghost = healthy.clone("ghost")
ghost.run("rm library/migrations/0006_find_books_by_title.py")
again = healthy.clone("again")
again.run("python manage.py migrate library 0002 --fake --verbosity 0")

# %% [markdown] tags=["setup"]
# A squash, and after it a migration that fails:

# %% tags=["setup"]
squashed = healthy.clone("squashed")
squashed.run("python manage.py squashmigrations library 0001 0006 --squashed-name base --noinput")
named = squashed.clone("named")
squashed.run("python manage.py makemigrations library --empty --name fails --verbosity 0")
FAILS = "operations = [migrations.RunSQL('no such statement')"
squashed.replace("library/migrations/0002_fails.py", "operations = [", FAILS)
new = squashed.clone("new")
unreachable = healthy.clone("unreachable")
unreachable.replace(
    "config/settings.py",
    *on(
        SQLite=("db.sqlite3", "no/db.sqlite3"),
        PostgreSQL=("DEFAULT_AUTO", 'DATABASES["default"]["NAME"] += "_not_there"\nDEFAULT_AUTO'),
    ),
)

# %% [markdown] tags=["setup"]
# On PostgreSQL, somebody has made a view of a column, and its field is removed:

# %% tags=["setup"]
ISBN = '    isbn = models.CharField(max_length=13, blank=True, default="")\n'
views = Sandbox("views", "PostgreSQL")
views.rows("create view isbns as select isbn from library_book")
views.run("rm library/admin.py lending/admin.py")
views.replace("library/models.py", ISBN, "")
views.run("python manage.py makemigrations library --name no_isbn --verbosity 0")

# %% [markdown]
# ## Models and old files

# %%
old_file = ended(constraint.attempt("python manage.py migrate --check"))
wanted = keys.attempt(CHECK)
change = "`Alter field id`" if "Alter field id on book" in wanted else "no change"
warning = "a warning" if "models.W042" in wanted else "no warning"
written = target.run("python manage.py makemigrations library --name target")
target.run("python manage.py migrate")
links = target.rows("select count(*) from library_book_genres")[0][0]
how = "altered" if "~ Alter field genres" in written else "removed, added"
renamed.run("python manage.py migrate")
stale = renamed.rows("select count(*) from auth_permission where codename like '%genre'")
permissions = "keep the old name" if stale[0][0] else "get the new name"
conflict = ended(left_over.attempt("python manage.py migrate"))
settings = ended(healthy.attempt('python manage.py shell -c "print(settings.DEBUG)"'))
updated.run("python manage.py makemigrations library --update --noinput")
atomic = kept(updated, "0007_*.py", "atomic = False")
unseen = "stops" if ghost.attempt("python manage.py migrate --check").code else "passes over it"
once_more = ended(again.attempt("python manage.py migrate library 0003"))
copies = again.rows("select distinct copies from library_book")
reset = f"{once_more}, values {'lost' if copies == [(1,)] else 'kept'}"
dropped = ended(views.attempt("python manage.py migrate --verbosity 0"))
view = "kept" if views.rows("select 1 from pg_views where viewname = 'isbns'") else "gone"
HERE = on(SQLite="SQLite", PostgreSQL="PostgreSQL")
rows = [
    ["`CheckConstraint(check=…)` in an old file", old_file],
    ["`AutoField` keys, and no `DEFAULT_AUTO_FIELD`", f"{change}, {warning}"],
    ["A `ManyToManyField` gets another target", f"{how}, {links} of 8 links left"],
    ["[Permissions of a renamed model](../mismatch/content-types-lag.md)", permissions],
    ["The same, and a permission has the new name", conflict],
    ["`settings` in `shell`, not imported", settings],
    ["`atomic = False` after `makemigrations --update`", atomic],
    ["`migrate --check`, [a row without a file](../mismatch/ghost-migration.md)", unseen],
    [f"{HERE}: [`AddField` again](../mismatch/schema-changed-by-hand.md#what-not-to-do)", reset],
    ["PostgreSQL: a view reads the column of a removed field", f"{dropped}, view {view}"],
]
table("Models and old files", ["what is tried", "what came"], rows)

# %% [markdown]
# ## Squashes

# %%
twice = squashed.attempt("python manage.py squashmigrations library 0001_base 0002_fails --noinput")
nothing = unreachable.attempt("python manage.py squashmigrations library 0001 0006 --noinput")
inside = named.attempt(f"{NEW} && python manage.py migrate library 0003")
new.run(f"{NEW} && python manage.py migrate library", fails="syntax error")
row = new.rows("select count(*) from django_migrations where name = '0001_base'")[0][0]
whole.run(f"{SQUASH} --no-optimize")
elidable = kept(whole, "0001_all.py", "elidable=True")
by_hand.run(SQUASH)
transaction = kept(by_hand, "0001_all.py", "atomic = False")
asked = by_hand.attempt(CHECK)
place, shelf = ["lost" if f"field {name} on" in asked else "kept" for name in ("place", "shelf")]
squashes = [
    ["[A squash of a squash](../squashing/squash-of-a-squash.md)", ended(twice)],
    ["`squashmigrations` without a database", ended(nothing)],
    ["`migrate` to a name inside a squash, new database", ended(inside)],
    ["The row of a squash, if the next migration fails", "recorded" if row else "not recorded"],
    ["`elidable=True` in a squash with `--no-optimize`", elidable],
    ["`preserve_default=False` in a squash, renamed field", place],
    ["The same, folded into `CreateModel`", shelf],
    ["[`atomic = False` in a squash](../squashing/squash-by-hand.md)", transaction],
]
table("Squashes", ["what is tried", "what came"], squashes)

# %% [markdown]
# ## What helps
#
# The playbook does each of these after its tables, and none fails:
#
# - **Old files**: `condition=` in the place of `check=`. Nothing is to be migrated.
# - **Keys**: their type in `DEFAULT_AUTO_FIELD`. `makemigrations` wants nothing.
# - **Permissions**: delete the left-over one, and migrate, again if it stopped. What a group or a
#   user has goes with it, so [move that first](../mismatch/content-types-lag.md#fix-it).
# - **All files**: a new install, from the first migration to the last. The chain is whole.

# %%
constraint.replace("lending/migrations/0006_due_after_lent.py", "check=", "condition=")
constraint.run("python manage.py migrate --check")
keys.replace("config/settings.py", "WITHOUT_IT", "DEFAULT_AUTO_FIELD")
keys.run(CHECK)
left_over.rows("delete from auth_permission where codename = 'add_kind'")
left_over.run("python manage.py migrate --verbosity 0")
constraint.run(f"{NEW} && python manage.py migrate --verbosity 0")
constraint.run(CHECK)
install = constraint.chain()

# %% tags=["check"]
STOPS = "**stops**: `{}`".format
RESET = on(SQLite="works, values lost", PostgreSQL=f"{STOPS('ProgrammingError')}, values kept")
KNOWN = [  # what came before a version, the version, and what comes since
    ("works", "6.0", STOPS("TypeError")),
    ("no change, a warning", "6.0", "`Alter field id`, no warning"),
    ("altered, 8 of 8 links left", "6.1", "removed, added, 0 of 8 links left"),
    ("keep the old name", "6.1", "get the new name"),
    ("works", "6.1", STOPS("RuntimeError")),
    (STOPS("NameError"), "6.0", "works"),
    ("lost", "6.0", "kept"),
    ("passes over it", "6.0", "passes over it"),
    (RESET, "6.0", RESET),
    ("works, view gone", "6.0", f"{STOPS('InternalError')}, view kept"),
    (STOPS("CommandError"), "6.0", "works"),
    (STOPS("OperationalError"), "6.0", "works"),
    (STOPS("NodeNotFoundError"), "6.0", "works"),
    ("not recorded", "6.0", "recorded"),
    ("lost", "6.1", "kept"),
    ("lost", "6.0", "kept"),
    ("lost", "6.0", "lost"),
    ("lost", "6.0", "lost"),
]
for (what, came), (before, version, since) in zip([*rows, *squashes], KNOWN, strict=True):
    wanted = before if django[:3] < version else since
    assert came == wanted, f"Django {django}, {what}: {came}, and not {wanted}"
assert sum(before != since for before, _, since in KNOWN) == 14, "fourteen of eighteen differ"
assert not twice.code or "cannot squash squashed migrations" in twice, "that is why it stops"
assert install.whole, "the new install is whole"
