# ---
# title: After renaming a model, users lost their permissions
# symptoms:
#   - Some content types in your database are stale and can be deleted.
# cause: >-
#   A renamed model keeps its rows. Its permissions, and sometimes its content type, keep the old
#   name, and what belongs to them stays there. Nothing is lost yet; “yes” at the prompt deletes it.
# broken: []
# data: "untouched: what belongs to the old content type is moved"
# undo: put back the copy of the database that you make first
# safe_in: production
# applied: no matter where
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: mismatch
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
MAY_ADD = (
    'python manage.py shell -v 0 -c "from django.contrib.auth.models import User; '
    "print(User.objects.get(username='admin').has_perm('lending.add_borrowing'))\""
)
GRANTS = (
    "select codename, model, group_id from auth_permission p join django_content_type t "
    "on t.id = content_type_id left join auth_group_permissions g on g.permission_id = p.id "
    "where codename in ('add_loan', 'add_borrowing') order by codename desc"
)
REMARKS = (
    "select text, model from library_remark join django_content_type t on t.id = content_type_id"
)
REMARK = """class Remark(models.Model):
    content_type = models.ForeignKey("contenttypes.ContentType", on_delete=models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    text = models.CharField(max_length=100)
"""
KEYS = (
    'python manage.py shell -v 0 -c "from django.contrib.contenttypes.models import ContentType; '
    "print(*[key.field for key in ContentType._meta.get_fields(include_hidden=True) "
    'if not key.concrete])"'
)
STALE = 'python manage.py shell -v 0 -c "from django.contrib.contenttypes.models import ContentType; print([kind.natural_key() for kind in ContentType.objects.all() if kind.model_class() is None])"'

# %% [markdown]
# Your project has remarks, which can be about anything: they name a content type and an id.

# %% tags=["setup"]
laptop.replace("library/models.py", "class Genre(", f"{REMARK}\n\nclass Genre(")
laptop.run(
    "python manage.py makemigrations library --name remark --verbosity 0 && git add ."
    " && git commit --quiet --message 'Remarks' && git push --quiet"
)
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")

# %% [markdown]
# On production there is one about a loan. Your librarian, here the user `admin`, may add loans. And
# years ago there was a model `Borrowing`. Its table was dropped, its content type stayed.

# %% tags=["setup"]
production.rows("update auth_user set is_superuser = false")
production.rows(
    "update django_admin_log set content_type_id = (select id from django_content_type where model = 'loan')"
)
production.rows(
    "insert into library_remark (content_type_id, object_id, text) "
    "select id, 1, 'A page is torn' from django_content_type where model = 'loan'"
)
production.rows("insert into django_content_type values (99, 'lending', 'borrowing')")
at_once = production.clone("at-once")

# %% [markdown]
# You rename `Loan` to `Borrowing`, and answer the question of `makemigrations` with yes.

# %% tags=["setup"]
laptop.replace("lending/models.py", "class Loan(", "class Borrowing(")
laptop.replace("lending/admin.py", "import Loan,", "import Borrowing as Loan,")
laptop.run("python manage.py makemigrations lending --name loan_is_borrowing", answers=["y"])
laptop.run(
    "python manage.py migrate --verbosity 0 && git add ."
    " && git commit --quiet --message 'Loan is Borrowing' && git push --quiet"
)
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
careless = production.clone("careless")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# The trouble is in the rows. Your librarian may not do what she could before:

# %%
before = production.run(MAY_ADD)
production.rows(GRANTS)

# %% [markdown]
# Her group has `add_loan`. The code asks for `add_borrowing`, which nobody has. The remark is about a
# `loan`, and there is no such model:

# %%
production.rows(REMARKS)

# %% [markdown]
# Django offers to delete the old content type. **Answer `no`.** Read the list: you have to move the
# rows of these tables, and of those that it leaves out.

# %%
production.run("python manage.py remove_stale_contenttypes", answers=["no"])

# %% [markdown]
# - **The rename is not deployed yet**: ship the fix in the same release.
# - **The prompt finds nothing**: no `borrowing` was in the way, the content type has the new name, and
#   only the permissions lag. Same fix.
#
# ## Fix it
#
# Copy the database.

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% [markdown]
# **The prompt leaves out models with `SET_NULL`, such as `LogEntry`. This names all foreign keys.**
# It does not see an id kept as a number: search your code for `ContentType` too.

# %% tags=["fix"]
keys = laptop.run(KEYS)

# %% [markdown]
# Move what belongs to the old names, in a migration, so that each database does it once.
# **In `MODELS` goes each model that has one, apart from `Permission`.** If a model of yours has a key
# to `Permission`, move its rows as well, before the `delete()`.

# %% tags=["fix"]
laptop.write(
    "lending/migrations/0009_move_loan_permissions.py",
    """from django.db import migrations

CODENAMES = ["add_loan", "change_loan", "delete_loan", "view_loan"]
MODELS = [("library", "Remark"), ("admin", "LogEntry")]


def move(apps, schema_editor):
    types = apps.get_model("contenttypes", "ContentType").objects.filter(app_label="lending")
    permissions = apps.get_model("auth", "Permission").objects
    old, new = types.filter(model="loan").first(), types.filter(model="borrowing").first()
    if new is None:
        return  # a new database: migrate adds types and permissions at its end
    for before in permissions.filter(content_type__in=types, codename__in=CODENAMES):
        after, _ = permissions.get_or_create(
            content_type=new,
            codename=before.codename.replace("loan", "borrowing"),
            defaults={"name": before.name.replace("loan", "borrowing")},
        )
        after.group_set.add(*before.group_set.all())
        after.user_set.add(*before.user_set.all())
        before.delete()
    if old:
        for label, name in MODELS:
            apps.get_model(label, name).objects.filter(content_type=old).update(content_type=new)


class Migration(migrations.Migration):
    dependencies = [
        ("lending", "0008_loan_is_borrowing"),
        ("library", "0007_remark"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [migrations.RunPython(move, migrations.RunPython.noop)]
""",
)

# %% [markdown]
# Ship it.

# %% tags=["fix"]
laptop.run("git add . && git commit --quiet --message 'Move the permissions' && git push --quiet")

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")

# %% [markdown]
# Now nothing may depend on the old content type.
# **Answer `yes` only if the list names content types alone, and `MODELS` left no model out.**

# %% tags=["fix"]
alone = production.run("python manage.py remove_stale_contenttypes", answers=["yes"])

# %% [markdown]
# ## Make sure
#
# She may add a borrowing, and the remark has its model.

# %% tags=["after"]
production.chain()

# %%
after = production.run(MAY_ADD)
remarks = production.rows(REMARKS)

# %% [markdown]
# ## Undo it
#
# Put the copy back, while nothing uses the database. What was written since is lost.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)

# %% [markdown]
# ## What not to do
#
# **Do not answer `yes` first**, and keep the command with `--noinput` out of a deploy. It deletes the
# permissions, who had them, and each row that refers to the type. The fix then finds nothing to move.

# %%
careless.run("python manage.py remove_stale_contenttypes --noinput")
torn = careless.rows("select text from library_remark")

# %% [markdown]
# ## Why it happens
#
# A content type is a row that says which model another row is about; a permission belongs to one.
# Neither is part of a migration file. With a `RenameModel`, `migrate` renames the row, unless the new
# name is taken: then Django 5.2 leaves both without a word. At its end `migrate` sends the signal
# [`post_migrate`](https://docs.djangoproject.com/en/5.2/ref/signals/#post-migrate). Its receivers
# add the types and permissions that are missing. They rename and delete none. So the old ones stay,
# and [the chain](../../guide/the-chain.md), which compares schemas, is
# whole.
#
# ## Keep it from happening
#
# Move the permissions in the release that renames the model. CI starts empty and has nothing stale.
# On staging, with a copy of production, this line must print `[]` after a deploy.
# It does not see a permission that lags:
#
# ```bash
# python manage.py shell -v 0 -c "from django.contrib.contenttypes.models import ContentType; print([kind.natural_key() for kind in ContentType.objects.all() if kind.model_class() is None])"
# ```
#
# ## Run it yourself
#
# Leave out the line that puts the content type `borrowing` into production. The prompt finds nothing
# there, the remark has the new name before the fix, and an assert that expects the old one fails.

# %% tags=["check"]
assert keys.count(".content_type") == 3, "three models have a key"
assert (before, after) == ("False\n", "True\n"), "she has her permission back"
assert "object(s)" not in alone, "nothing depended on the old content type"
assert remarks == [("A page is torn", "borrowing")], "the remark has its model"
assert len(production.rows("select id from lending_borrowing")) == 5, "every loan is there"
assert undone.rows(REMARKS) == [("A page is torn", "loan")], "the copy is as before"
assert (undone.run(STALE), production.run(STALE)) == ("[('lending', 'loan')]\n", "[]\n")

# %% tags=["check"]
LOG = "select model from django_admin_log left join django_content_type t on t.id = content_type_id"
assert production.rows(LOG) == [("borrowing",)], "the admin's log is moved"
assert (torn, careless.rows(LOG)) == ([], [(None,)]), "yes deleted the remark and cut off the log"
careless.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
assert careless.run(MAY_ADD) == before, "after a yes the fix comes too late"
assert laptop.rows(GRANTS)[0] == ("add_loan", "borrowing", 1), "without a leftover, this one lags"
laptop.run("python manage.py migrate --verbosity 0")
assert laptop.rows(GRANTS) == [("add_borrowing", "borrowing", 1)], "and the same fix mends it"
at_once.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
assert (at_once.run(MAY_ADD), at_once.rows(REMARKS)) == (after, remarks), "both at once work too"
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
at_once.run(f"{NEW} && python manage.py migrate --verbosity 0")
assert at_once.rows(GRANTS) == [("add_borrowing", "borrowing", None)], "a new database"
