# ---
# title: A migration gives a permission that is not there yet
# symptoms:
#   - Permission matching query does not exist.
#   - ContentType matching query does not exist.
# cause: >-
#   Django makes permissions and content types at the end of `migrate`, when it has succeeded, and not
#   on the way. A migration that looks for a new one stops, and stops again. Nothing is lost.
# broken: []
# data: untouched
# undo: put back the copy of the database that you make first, and revert the commit
# safe_in: production
# applied: "elsewhere too: the file may be edited all the same, because it gives the same as before"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: data
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = laptop.clone("production")
EMPTY = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
MISSING = "Permission matching query does not exist."
FILE = "library/migrations/0008_librarians_add_shelves.py"
GIVE = """    add_shelf = Permission.objects.get(codename="add_shelf")
    librarians.permissions.add(add_shelf)
"""
MAY = (
    "select name, codename from auth_group g join auth_group_permissions gp on gp.group_id = g.id "
    "join (select id, codename from auth_permission) p on p.id = permission_id order by codename"
)
ADMIN = (
    'python manage.py shell -v 0 -c "from django.contrib.auth.models import User; '
    "print(User.objects.get(username='admin').has_perm('library.add_shelf'))\""
)

# %% [markdown]
# You add a model, and migrate.

# %% tags=["setup"]
production.rows("update auth_user set is_superuser = false")
laptop.replace(
    "library/models.py",
    "class Genre(",
    "class Shelf(models.Model):\n    name = models.CharField(max_length=20)\n\n\nclass Genre(",
)
laptop.run("python manage.py makemigrations library --name shelf --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# Then you let the group of the librarians add such shelves, and migrate. On your laptop it works.

# %% tags=["setup"]
laptop.write(
    FILE,
    f"""from django.db import migrations


def librarians_add_shelves(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    librarians, _ = Group.objects.get_or_create(name="Librarians")
{GIVE}

class Migration(migrations.Migration):
    dependencies = [
        ("library", "0007_shelf"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(librarians_add_shelves, migrations.RunPython.noop)]
""",
)
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Shelves' && git push --quiet")
colleague = laptop.clone("colleague")
production.run("git pull --quiet --no-rebase")
before = production.rows(MAY)

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# The line `Applying …` names the migration that stops:

# %%
production.run("python manage.py migrate", fails=MISSING)

# %% [markdown]
# The one before it is applied, and the new table is there. A row is missing. Migrate again, and it
# stops again: no `migrate` gets to its end.

# %%
production.run("python manage.py migrate --verbosity 0", fails=MISSING)
kinds = production.rows("select codename from auth_permission where codename like '%shelf'")

# %% [markdown]
# A new database, of a colleague or in CI, stops as well. If the code asks for the content type first,
# the message names that:

# %%
colleague.run(f"{EMPTY} && python manage.py migrate --verbosity 0", fails=MISSING)
typed = colleague.clone("typed")
typed.replace(
    FILE,
    GIVE,
    """    ContentType = apps.get_model("contenttypes", "ContentType")
    shelf = ContentType.objects.get(app_label="library", model="shelf")
    librarians.permissions.add(Permission.objects.get(codename="add_shelf", content_type=shelf))
""",
)
typed.run("python manage.py migrate --verbosity 0", fails="ContentType matching query does not")

# %% [markdown]
# - **You need this one database to go on, now**: take two steps. The first line has nothing to apply.
#   It reaches its end, where Django makes the permissions. The next new database stops again.

# %%
tonight = production.clone("tonight")
tonight.run("python manage.py migrate library 0007 --verbosity 0")
tonight.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# - **`migrate` passes, and the group may do nothing**: see [what not to do](#what-not-to-do). Write
#   the code below into a new migration, because this one does not run again.
# - **The permissions went away after a rename of the model**: read
#   [After renaming a model, users lost their permissions](../mismatch/content-types-lag.md).
#
# **Is it applied elsewhere?** Then edit it all the same. There the group has the permission, and the
# migration does not run again. Where it did not run, it cannot run as it is.
#
# ## Fix it
#
# On the database that stopped nothing has to be repaired. Make a copy.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# Make what you need in the migration: the content type and the permission. At its end `migrate` finds
# both, and adds none twice. **Write the codename and the model in small letters, as Django does. Else
# it adds its own beside them. Keep `add()`: `set()` takes all the rest from the group.**

# %% tags=["fix"]
laptop.replace(
    FILE,
    """    add_shelf = Permission.objects.get(codename="add_shelf")
""",
    """    ContentType = apps.get_model("contenttypes", "ContentType")
    shelf, _ = ContentType.objects.get_or_create(app_label="library", model="shelf")
    add_shelf, _ = Permission.objects.get_or_create(
        content_type=shelf, codename="add_shelf", defaults={"name": "Can add shelf"}
    )
""",
)

# %% [markdown]
# Try it on a new database.

# %%
new = laptop.clone("new")
new.run(f"{EMPTY} && python manage.py migrate --verbosity 0")

# %% [markdown]
# Many permissions? Do not write them all. The function that Django calls at the end makes those of an
# app, for the models of this point of the history. Then `get()` finds them. The new database that
# stopped goes on:

# %%
many = colleague.clone("many")
HEAD = """from django.db import migrations


def librarians_add_shelves(apps, schema_editor):
"""
many.replace(
    FILE,
    HEAD,
    f"""from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
{HEAD}    alias = schema_editor.connection.alias
    create_permissions(installed.get_app_config("library"), using=alias, apps=apps, verbosity=0)
""",
)
many.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# They change often? Give them in a command that each deploy runs after `migrate`, when everything is
# there, and none in migrations. The `seed` of this project is one. It says `set()`, so what the
# migration gave is gone:

# %%
seeded = new.clone("seeded")
seeded.run("python manage.py seed --verbosity 0")
replaced = seeded.rows(MAY)

# %% [markdown]
# Ship it.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Make it' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# The librarians may add shelves, and keep what they had. So may `admin`, who is one of them.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(MAY)
asked = production.run(ADMIN)

# %% [markdown]
# ## Undo it
#
# The edit: `git revert`. The rows: put the copy back, while nothing uses the database. What was
# written since is lost.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="git revert --no-edit HEAD && cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="git revert --no-edit HEAD && dropdb library && createdb library"
        " && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not take `filter()` to get rid of the error.** It finds nothing and says nothing. The migration
# is applied, and the librarians have nothing new:

# %%
filtered = undone.clone("filtered")
filtered.replace(FILE, "Permission.objects.get(", "Permission.objects.filter(")
filtered.replace(FILE, "permissions.add(add_shelf)", "permissions.add(*add_shelf)")
filtered.run("python manage.py migrate --verbosity 0 && python manage.py migrate --check")
silent = filtered.rows(MAY)

# %% [markdown]
# ## Why it happens
#
# A permission is a row that says which model it is about, by its content type. No migration file makes
# these rows. Django's receivers of the signal
# [`post_migrate`](https://docs.djangoproject.com/en/5.2/ref/signals/#post-migrate) do, for the
# models that are there when `migrate` has succeeded. Who migrates after each step, as you did, has
# them in time. Who migrates over all steps at once has not. [The chain](../../guide/the-chain.md)
# compares schemas, and is whole.
#
# ## Keep it from happening
#
# In review, think of the database that gets all files at once. A `filter()` passes in CI, too.
#
# **In review, ask:** does it look for a permission or a content type that it could make?
#
# **In CI:** `python manage.py migrate`, on an empty database, stops at this migration.
#
# ## Run it yourself
#
# In production's setup, run `python manage.py migrate library 0007` after the pull. It is the other
# step, so production does not stop, and the playbook does.

# %% tags=["check"]
had, got = ("Librarians", "add_loan"), ("Librarians", "add_shelf")
assert (before, after, asked) == ([had], [had, got], "True\n"), "they keep what they had"
assert kinds == [], "there is no permission for shelves"
assert (undone.rows(MAY), undone.run(ADMIN)) == ([had], "False\n"), "the copy is as before"
undone.run("python manage.py migrate --verbosity 0", fails=MISSING)
assert (silent, filtered.chain().whole) == ([had], True), "filter() gave nothing, and is green"
assert replaced == [had], "the command gave its own, and nothing else"
TWICE = "select codename from auth_permission group by codename having count(*) > 1"
for place, may in ((new, [got]), (many, [got]), (tonight, [had, got]), (laptop, [had, got])):
    assert (place.rows(MAY), place.rows(TWICE)) == (may, []), f"{place.name}: each once"
    assert place.chain().whole, f"{place.name} is whole"

# %% tags=["check"]
# Where filter() has passed, a new migration with the code of the fix gives it; and both warnings.
later = filtered.clone("later")
new.run(f"cp {FILE} ../later.py")
later.run(f"git checkout --quiet {FILE} && cp ../later.py library/migrations/0009_again.py")
later.replace("library/migrations/0009_again.py", "0007_shelf", "0008_librarians_add_shelves")
later.run("python manage.py migrate --verbosity 0")
assert later.rows(MAY) == [had, got], "they have it now"
only, capital = undone.clone("only"), undone.clone("capital")
for place, old, wrong in (
    (only, ".add(add_shelf)", ".set([add_shelf])"),
    (capital, 'l="shelf"', 'l="Shelf"'),
):
    place.run(f"cp ../later.py {FILE}")
    place.replace(FILE, old, wrong)
    place.run("python manage.py migrate --verbosity 0")
assert only.rows(MAY) == [got], "set() takes the rest away"
assert capital.rows(TWICE) == [("add_shelf",)], "with a capital, Django adds its own"
