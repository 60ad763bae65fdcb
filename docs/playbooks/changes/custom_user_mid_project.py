# ---
# title: AUTH_USER_MODEL is set late, and the users must stay
# symptoms:
#   - "no such table: accounts_user"
#   - relation "accounts_user" does not exist
#   - Field defines a relation with the model 'auth.User', which has been swapped out.
#   - Manager isn't available; 'auth.User' has been swapped for 'accounts.User'
# cause: >-
#   The setting names a new model with a table of its own. The users are in `auth_user`, and
#   `migrate` refuses to start. Nothing is lost, as long as nobody edits the history to get past it.
# broken: [files-history]
# data: untouched
# undo: two statements and the old code, as long as the table has its old name; else migrate back first
# safe_in: "production: stop the old code first, for both releases"
# applied: "nowhere yet: no database that you keep has run the new app's 0001"
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
COMMIT = "git add . && git commit --quiet --message '{}' && git push --quiet".format
SESSION = "python manage.py shell -v 0 -c \"from django.test import Client; browser = Client(SERVER_NAME='localhost'); {}\"".format
VISIT = "browser.cookies['sessionid'] = open('../cookie').read(); print(browser.get('/admin/{}/user/').status_code)".format
USERS = (
    "select u.id, username, g.name as in_group, codename as may, object_repr as has_changed, r.name as reads_as from {0} u"
    " left join {0}_groups ug on ug.user_id = u.id left join auth_group g on g.id = ug.group_id"
    " left join {0}_user_permissions up on up.user_id = u.id left join auth_permission p on p.id = up.permission_id"
    " left join django_admin_log l on l.user_id = u.id left join lending_reader r on r.account_id = u.id order by u.id"
).format
MODEL = """from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    phone = models.CharField(max_length=20, blank=True)
"""

# %% [markdown]
# Readers have an account: a foreign key to `User`. It is applied and filled in on production. The
# librarians may see users. One of them, `admin`, is logged in.

# %% tags=["setup"]
laptop.replace("lending/models.py", "from django.db", "from django.contrib.auth.models import User\nfrom django.db")  # fmt: skip
laptop.replace("lending/models.py", "(unique=True)\n", "(unique=True)\n    account = models.ForeignKey(User, models.SET_NULL, null=True)\n")  # fmt: skip
laptop.run("python manage.py makemigrations lending --name reader_account -v 0 && python manage.py migrate -v 0")  # fmt: skip
laptop.run(COMMIT("Account of a reader"))
production.run("git pull --quiet --no-rebase && python manage.py migrate --verbosity 0")
production.rows("update lending_reader set account_id = 1 where name = 'Ada'")
production.rows("update auth_user set is_superuser = false")
production.rows("insert into auth_group_permissions (group_id, permission_id) select 1, id from auth_permission where codename = 'view_user'")  # fmt: skip
production.run(SESSION("from django.contrib.auth.models import User; browser.force_login(User.objects.get()); open('../cookie', 'w').write(browser.cookies['sessionid'].value)"))  # fmt: skip
before = production.rows(USERS("auth_user"))

# %% [markdown]
# Users should have a phone number. You make a model of your own, and name it in the settings.

# %% tags=["setup"]
laptop.run("python manage.py startapp accounts")
laptop.write("accounts/models.py", MODEL)
laptop.replace("config/settings.py", '    "lending",\n]\n', '    "lending",\n    "accounts",\n]\nAUTH_USER_MODEL = "accounts.User"\n')  # fmt: skip
laptop.run("python manage.py makemigrations accounts", fails="Field defines a relation with the model 'auth.User', which has been swapped out.")  # fmt: skip

# %% [markdown]
# You do what the message says, and ship it.

# %% tags=["setup"]
laptop.replace("lending/models.py", "from django.contrib.auth.models import User\n", "from django.conf import settings\n")  # fmt: skip
laptop.replace("lending/models.py", "ForeignKey(User,", "ForeignKey(settings.AUTH_USER_MODEL,")
laptop.run("python manage.py makemigrations accounts --name initial")
laptop.run(COMMIT("Users have a phone"))
production.run("git pull --quiet --no-rebase")
emptied, late = production.clone("emptied"), production.clone("late")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# `migrate` refuses to start, whatever you give it: read what [this
# message](../mismatch/history-out-of-order.md) means. Each page that asks for a user fails.

# %%
production.run("python manage.py migrate", fails="is applied before its dependency accounts.0001_initial")  # fmt: skip
production.run(SESSION(VISIT("auth")), fails=on(SQLite="no such table: accounts_user", PostgreSQL='relation "accounts_user" does not exist'))  # fmt: skip

# %% [markdown]
# So does code that still imports `django.contrib.auth.models.User`:

# %%
laptop.run("python manage.py seed", fails="Manager isn't available; 'auth.User' has been swapped for 'accounts.User'")  # fmt: skip

# %% [markdown]
# - **You have not set it yet**: add the app and the setting, as in the fold above, and start at “Fix
#   it”.
# - **No data matters**: [throw the database away](../reset/reset-throwaway-database.md).
# - **You need a field, not another log-in**: a model with a `OneToOneField` to `auth.User` needs none
#   of this.
#
# ## Fix it
#
# Two releases. The first takes over the table as it is; the second changes it.
#
# ### Release 1: your model, their table
#
# Describe the table that is there: its name, its kind of key, no new field. The class must be called
# `User`: the many-to-many tables have a column `user_id`.

# %% tags=["fix"]
laptop.replace("accounts/models.py", "    phone = models.CharField(max_length=20, blank=True)\n", '    id = models.AutoField(primary_key=True)\n\n    class Meta(AbstractUser.Meta):\n        db_table = "auth_user"\n')  # fmt: skip

# %% tags=["fix"]
laptop.run("rm accounts/migrations/0001_initial.py && python manage.py makemigrations accounts --name initial")  # fmt: skip

# %% [markdown]
# Search your code for imports of the old model, and for names of permissions: `auth.view_user` is
# `accounts.view_user` now. Models name `settings.AUTH_USER_MODEL`. The admin needs the new model.

# %% tags=["fix"]
laptop.replace("library/management/commands/seed.py", "from django.contrib.auth.models import Group, Permission, User", "from accounts.models import User\nfrom django.contrib.auth.models import Group, Permission")  # fmt: skip
laptop.write("accounts/admin.py", "from django.contrib import admin\nfrom django.contrib.auth.admin import UserAdmin\n\nfrom .models import User\n\nadmin.site.register(User, UserAdmin)\n")  # fmt: skip

# %% [markdown]
# Each database that exists needs two statements, yours first. The effect of `accounts.0001` is there, so
# it is recorded. The content type moves, and the permissions with it.
# **Type both on each database that exists, before its `migrate`. A new database needs neither.**

# %% tags=["fix"]
RECORD = "insert into django_migrations (app, name, applied) values ('accounts', '0001_initial', current_timestamp)"
TYPE = "update django_content_type set app_label = 'accounts' where app_label = 'auth' and model = 'user'"
laptop.rows(RECORD)
laptop.rows(TYPE)
laptop.run("python manage.py migrate --verbosity 0 && python manage.py makemigrations --check")

# %% tags=["fix"]
laptop.run(COMMIT("The user model describes auth_user"))

# %% [markdown]
# On production, stop the old code and [copy the database](../../guide/backups.md).

# %% tags=["fix"]
production.rows(RECORD)

# %% tags=["fix"]
production.rows(TYPE)

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# The session, the group and the permission still hold: the answer is 200.

# %%
seen = production.run(SESSION(VISIT("accounts")))
first = production.clone("first")

# %% [markdown]
# You can stop here for good: the name of the table harms nobody.
#
# ### Release 2: a field, and the table's name
#
# From here on it is a model like any other. Leave the `Meta` where it is if you only want the field.

# %% tags=["fix"]
laptop.replace("accounts/models.py", '\n    class Meta(AbstractUser.Meta):\n        db_table = "auth_user"\n', "    phone = models.CharField(max_length=20, blank=True)\n")  # fmt: skip
laptop.run("python manage.py makemigrations accounts --name phone_and_table")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run(COMMIT("Users have a phone, and a table"))

# %% [markdown]
# **The old code looks for `auth_user`: stop it before this `migrate`.**

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# The users, their groups and permissions, the log and the reader are those of before. The browser is
# still logged in.

# %% tags=["after"]
production.chain()

# %%
after = production.rows(USERS("accounts_user"))
production.run(SESSION(VISIT("accounts")))

# %% [markdown]
# ## Undo it
#
# Back from release 2. **The phone numbers are lost.**

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate accounts 0001 && git switch --quiet --detach HEAD~1")
middle = undone.rows(USERS("auth_user"))

# %% [markdown]
# Back from release 1, to the last commit without the setting. Run no `migrate` in between: it would
# make the content type `accounts.user` anew.

# %%
undone.rows("delete from django_migrations where app = 'accounts'")
undone.rows("update django_content_type set app_label = 'auth' where app_label = 'accounts'")
undone.run("git switch --quiet --detach HEAD~2 && python manage.py migrate --check")
undone.run(SESSION(VISIT("auth")))

# %% [markdown]
# ## What not to do
#
# **Do not take rows out of the history to get past the message.** Every command is content, and there
# are no users. The next one to sign up gets the number of the first, and with it her past:

# %%
emptied.rows("delete from django_migrations where app in ('admin', 'lending')")
emptied.run("python manage.py migrate accounts -v 0 && python manage.py migrate --fake -v 0")
emptied.run("python manage.py migrate --check && python manage.py createsuperuser --noinput --username eve --email eve@example.org")  # fmt: skip
stolen = emptied.rows(USERS("accounts_user"))

# %% [markdown]
# **Do not forget the content type.** Here `migrate` adds a second one, with permissions that nobody
# has, and the librarian may no longer see users. To repair that, [move the
# permissions](../mismatch/content-types-lag.md).

# %%
late.rows(RECORD)
late.run(
    "git pull --quiet --no-rebase && git switch --quiet --detach HEAD~1 && python manage.py migrate -v 0"
)
twice = late.rows(
    "select app_label, model from django_content_type where model = 'user' order by id"
)
forbidden = late.run(SESSION(VISIT("accounts")))

# %% [markdown]
# **Never type `migrate accounts zero`.** `0001` says that it made the table, so its way back drops all
# users, after the admin's log and the accounts of the readers.

# %%
first.run("python manage.py migrate accounts zero")
first.run("python manage.py inspectdb | grep user", fails="")

# %% [markdown]
# ## Why it happens
#
# `auth.User` is swappable: migrations with a key to it, such as `admin.0001`, depend on the first
# migration of whatever app `AUTH_USER_MODEL` names. A change of the setting changes that parent in
# files that were applied long ago. On [the chain](../../guide/the-chain.md) files and history part.
# The keys in the database still refer to `auth_user`. A new database has no history, and builds
# without a word, so tests pass.
#
# ## Keep it from happening
#
# Start each project with a user model of its own, even an empty one.
#
# **In review, ask:** does this change `AUTH_USER_MODEL`, and which statements come before `migrate`?
#
# **In CI:** nothing that starts with an empty database sees this. `python manage.py migrate --check` on
# a copy of production stops.
#
# ## Run it yourself
#
# In release 1, misspell the name of the table. Every `migrate` is content, and the first visit on
# production stops the run: the record claims a table that is not there.

# %% tags=["check"]
assert before == [(1, "admin", "Librarians", "add_loan", "Emma", "Ada")], "the user has all of it"
assert after == before, "and keeps it"
assert stolen == [(1, "eve", None, None, "Emma", "Ada")], "Eve is taken for the admin"
assert twice == [("auth", "user"), ("accounts", "user")], "two content types"
assert "403" in forbidden, "the librarian lost a permission"
assert not emptied.chain().whole, "the keys refer to the old table"
assert seen == "200\n", "the session, the group and the permission hold"
assert middle == undone.rows(USERS("auth_user")) == before, "undone is as before"
assert undone.chain().whole, "and whole"

# %% tags=["check"]
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
fresh = production.clone("fresh")
fresh.run(f"{NEW} && python manage.py migrate --verbosity 0 && python manage.py seed")
assert fresh.chain().whole, "a new database builds"
assert fresh.rows(USERS("accounts_user")) == [(1, "admin", "Librarians", "add_loan", "Emma", None)]
