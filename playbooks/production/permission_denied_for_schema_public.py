# ---
# title: PostgreSQL says “permission denied for schema public”
# symptoms:
#   - Unable to create the django_migrations table (permission denied for schema public
# cause: >-
#   Since PostgreSQL 15 an ordinary role may create tables in `public` of a new database only if it owns
#   the database. `migrate` runs as another role and stops at its first table: nothing is lost.
# broken: []
# data: untouched
# undo: take the right back; the tables stay
# safe_in: production
# applied: no matter where
# databases: [PostgreSQL]
# group: production
# ---

# %%
from playbook_kit import Sandbox

admin = Sandbox("admin", "PostgreSQL")
SETTINGS = "config/settings.py"
URL = 'dj_database_url.parse(os.environ["DATABASE_URL"])'
RIGHTS = (
    "select rolname, has_schema_privilege(rolname, 'public', 'USAGE') as use_it, "
    "has_schema_privilege(rolname, 'public', 'CREATE') as create_in_it "
    "from pg_roles where rolname like 'library_%' order by rolname"
)
ASK = "python manage.py shell --verbosity 0 -c \"from django.db import connection as c; k = c.cursor(); k.execute(\\\"select has_schema_privilege('public', 'CREATE')\\\"); print(k.fetchone()[0])\""
SQL = 'python manage.py shell --verbosity 0 -c "from django.db import connection; connection.cursor().execute(\\"{}\\")"'.format

# %% [markdown]
# Roles belong to the whole server. What an earlier run has left there goes first.

# %% tags=["setup"]
for database in ("library", "accounts"):
    admin.rows(f"drop database if exists {database}")
for role in ("library_owner", "library_app", "library_report"):
    admin.rows(f"drop role if exists {role}")

# %% [markdown]
# An administrator makes three roles, for the owner, the application and a report. The database belongs
# to the first.

# %% tags=["setup"]
for role in ("library_owner", "library_app", "library_report"):
    admin.rows(f"create role {role} login")
admin.rows("create database library owner library_owner")
admin.replace(SETTINGS, URL, f'{URL} | {{"NAME": "library"}}')

# %% [markdown]
# Each has settings that name its role. Production has the application's.

# %% tags=["setup"]
owner, production, report = (admin.clone(name) for name in ("owner", "production", "report"))
for place, role in ((owner, "owner"), (production, "app"), (report, "report")):
    place.replace(SETTINGS, '"NAME": "library"', f'"NAME": "library", "USER": "library_{role}"')

# %% tags=["before"]
admin.chain()

# %% [markdown]
# ## Is this your case?
#
# `migrate` stops before its first migration.

# %%
production.run("python manage.py migrate", fails="permission denied for schema public")

# %% [markdown]
# Who are you, who owns the database, and who owns the schema?

# %%
owners = production.rows(
    "select current_user, pg_get_userbyid(datdba) as owns_database, "
    "pg_get_userbyid(nspowner) as owns_public from pg_database, pg_namespace "
    "where datname = current_database() and nspname = 'public'"
)

# %% [markdown]
# `pg_database_owner` stands for whoever owns the database. What may each role do in the schema?

# %%
rights = production.rows(RIGHTS)
before = production.run(ASK)

# %% [markdown]
# - **It prints `True` for your role**: `migrate` ran with other settings. Compare `NAME`, `USER` and
#   `HOST`.
# - **The message is `must be owner of table`**: that table belongs to another role, and the right to
#   create does not help, as [below](#what-not-to-do).
#
# ## Fix it
#
# **Decide which role migrates: it will own the tables, and the other roles here cannot alter them.**
# The owner of the database gives it the right, in this schema alone. Another role can type the same,
# sees no error, and nothing is granted:

# %%
report.rows("grant create on schema public to library_app")
by_another = production.run(ASK)

# %% [markdown]
# So type it as the owner, or as a superuser:

# %% tags=["fix"]
owner.rows("grant create on schema public to library_app")

# %% [markdown]
# Migrate as that role.

# %% tags=["fix"]
production.run("python manage.py migrate --verbosity 0")

# %% [markdown]
# **A new database that only this application uses?** An administrator can make it the application's
# own. That is enough as well, and gives more: an owner may drop the database.

# %%
admin.rows("create database accounts owner library_app")
accounts = production.clone("accounts")
accounts.replace(SETTINGS, '"NAME": "library"', '"NAME": "accounts"')
accounts.run("python manage.py migrate --verbosity 0")
production.rows("drop database accounts")

# %% [markdown]
# ## Make sure
#
# All links hold, nothing is pending, and the tables belong to the role that migrates.

# %% tags=["after"]
admin.chain()

# %%
tables = production.rows(
    "select tableowner, count(*) from pg_tables where schemaname = 'public' group by tableowner"
)
granted = production.rows(RIGHTS)
after = production.run(ASK)

# %% [markdown]
# ## Undo it
#
# Take the right back. The application goes on with its tables. A migration that creates one more
# stops again, and changes nothing.

# %%
owner.rows("revoke create on schema public from library_app")
production.run(SQL("insert into library_genre (name) select 1"))
production.replace(
    "library/models.py",
    "class Genre(",
    "class Shelf(models.Model):\n    name = models.CharField(max_length=9)\n\n\nclass Genre(",
)
production.run("python manage.py makemigrations library --name shelf --verbosity 0")
production.run("python manage.py migrate", fails="permission denied for schema public")

# %% [markdown]
# ## What not to do
#
# **Do not make the role a superuser.** `migrate` goes through. But the application, and whoever breaks
# into it, then may do anything on the server. It may not read the server's files now:

# %%
production.run(
    SQL("select pg_read_file('PG_VERSION')"), fails="permission denied for function pg_read_file"
)
admin.rows("alter role library_app superuser")
read = production.rows("select trim(e'\\n' from pg_read_file('PG_VERSION')) as a_file")
production.rows("alter role library_owner createrole")
admin.rows("alter role library_app nosuperuser")

# %% [markdown]
# It has read one, and has given another role the right to make roles.
#
# **Do not grant it to `PUBLIC`.** That is every role, also those that shall only read. Here the report
# makes a table of a name that the application needs:

# %%
owner.rows("grant all on schema public to public")
everybody = production.rows(RIGHTS)
report.rows("create table library_shelf (note text)")
production.run("python manage.py migrate", fails='relation "library_shelf" already exists')

# %% [markdown]
# The application has the right to create, and cannot take that table away:

# %%
production.run(SQL("drop table library_shelf"), fails="must be owner of table library_shelf")

# %% [markdown]
# ## Why it happens
#
# `migrate` first creates `django_migrations`, and a table needs the right `CREATE` in its schema. In
# a new database everybody has `USAGE` in `public`. `CREATE` has its owner, the role
# `pg_database_owner`, whose one member is the owner of the database. Before PostgreSQL 15
# [everybody had both](https://www.postgresql.org/docs/15/release-15.html) (not run on this page). A
# superuser is asked for no right: so it does not happen where the tests
# and your own machine connect as one. On [the chain](../../guide/the-chain.md) nothing is broken: all
# is pending.
#
# ## Keep it from happening
#
# Write the `grant` into the script that makes a database. Let CI connect as a role that is no
# superuser. Before a first deploy this line must print `True`, with the settings of that deploy:
#
# ```bash
# python manage.py shell --verbosity 0 -c "from django.db import connection as c; k = c.cursor(); k.execute(\"select has_schema_privilege('public', 'CREATE')\"); print(k.fetchone()[0])"
# ```
#
# ## Run it yourself
#
# Make the database without `owner library_owner`. It then belongs to the administrator, and what
# `owner` grants is nothing: let `admin` type it.

# %% tags=["check"]
assert owners == [("library_app", "library_owner", "pg_database_owner")], "three roles"
role = ("library_app", "library_owner", "library_report")
assert rights == [*zip(role, [True] * 3, [False, True, False], strict=True)], "only the owner may"
assert granted == [*zip(role, [True] * 3, [True, True, False], strict=True)], "one more may"
assert everybody == [*zip(role, [True] * 3, [True] * 3, strict=True)], "everybody may"
assert [row[0] for row in tables] == ["library_app"], "the tables belong to who made them"
assert (before, by_another, after) == ("False\n", "False\n", "True\n"), "the line tells"
given = admin.rows("select rolcreaterole from pg_roles where rolname = 'library_owner'")
assert given == [(True,)], "the superuser gave a right away"
assert read == [("18",)], "the superuser read a file of the server"
owner.run(SQL("alter table library_book add note text"), fails="must be owner of table")
report.run(SQL("alter table library_book add note text"), fails="must be owner of table")

# %% tags=["check"]
# As a superuser, migrate goes through.
owner.rows("revoke create on schema public from public")
admin.rows("drop table library_shelf")
admin.rows("alter role library_app superuser")
production.run("python manage.py migrate --verbosity 0")
admin.rows("alter role library_app nosuperuser")
production.run(SQL("create role more"), fails="permission denied to create role")
assert production.rows("select * from library_shelf") == [], "the superuser made its table"
