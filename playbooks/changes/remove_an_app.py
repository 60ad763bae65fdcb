# ---
# title: An app was removed, and its tables block deletes
# symptoms:
#   - "IntegrityError: FOREIGN KEY constraint failed"
#   - update or delete on table "library_book" violates foreign key constraint
#   - "CommandError: No installed app with label 'lending'."
# cause: >-
#   The app left INSTALLED_APPS, its tables stayed. Their foreign keys still hold, and Django no longer
#   knows them. Nothing is lost yet; dropping the tables is the purpose of the fix.
# broken: [files-history, history-schema]
# data: "may be lost: the fix deletes the app's rows, and who had its permissions"
# undo: put back the copy of the database that you make first, and the code
# safe_in: production
# applied: elsewhere too
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
APP = '    "lending",\n'
PUSH = "git add . && git commit --quiet --message '{}' && git push --quiet".format
DEPLOY = "git pull --quiet && python manage.py migrate --verbosity 0"
DELETE = (
    'python manage.py shell --verbosity 0 -c "from library.models import Book; '
    "print(Book.objects.get(title='Emma').delete())\""
)
REFUSED = on(
    SQLite="FOREIGN KEY constraint failed",
    PostgreSQL='violates foreign key constraint "lending_loan_book_id_',
)
KINDS = "select count(*) from django_content_type where app_label = 'lending'"
BOOKS = "select id, title, isbn, copies from library_book order by id"

# %% [markdown]
# Nobody lends books any more. You take the app `lending` out, with its code, and deploy.

# %% tags=["setup"]
before_all = laptop.clone("before-all")
laptop.replace("config/settings.py", APP, "")
laptop.run("git rm -r --quiet lending library/management")
laptop.run(PUSH("No loans"))
production.run("git pull --quiet && python manage.py migrate")
by_hand = production.clone("by-hand")

# %% tags=["before"]
production.chain()

# %% [markdown]
# ## Is this your case?
#
# Every command is content:

# %%
production.run("python manage.py check && python manage.py makemigrations --check")
production.run("python manage.py migrate --check")

# %% [markdown]
# But a book that was ever lent can no longer be deleted. The error names a table that no model has (on
# SQLite it names nothing):

# %%
production.run(DELETE, fails=REFUSED)

# %% [markdown]
# Ask the history, and the content types, which apps are gone. Answer `no`:

# %%
recorded = production.rows(
    "select app, count(*) from django_migrations where app not in "
    "('admin', 'auth', 'contenttypes', 'library', 'sessions') group by app order by app"
)
stale = production.run(
    "python manage.py remove_stale_contenttypes --include-stale-apps", answers=["no"]
)

# %% [markdown]
# Without `--include-stale-apps` this command does not look at apps that are gone. Other commands do not
# know the app at all:

# %%
production.run(
    "python manage.py migrate lending zero", fails="No installed app with label 'lending'"
)

# %% [markdown]
# - **It is not deployed yet**: revert your commit, and start at “Take its models out”.
# - **`NodeNotFoundError`**: a migration of another app names one of this app. See
#   [below](#another-app-had-a-foreign-key-to-it).
# - **The app is to stay, under another name**: this is not your page. Its tables hold your rows.
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
# First release: bring the app back. Only an installed app can drop its tables.

# %% tags=["fix"]
laptop.run("git revert --no-commit HEAD")

# %% [markdown]
# Take its models out, and what imports them (here a command of `library`). The app and its migrations
# stay.

# %% tags=["fix"]
laptop.write("lending/models.py", "# Deleted in 0008_delete_all_models.\n")
laptop.run("rm lending/admin.py && rm -r library/management")

# %% tags=["fix"]
made = laptop.run("python manage.py makemigrations lending --name delete_all_models")

# %% [markdown]
# **The deploy drops the tables with all their rows. On PostgreSQL, views on them go too (`CASCADE`).**

# %%
sql = laptop.run("python manage.py sqlmigrate lending 0008 | grep DROP")

# %% tags=["fix"]
laptop.run(PUSH("Delete the models of lending"))
production.run(DEPLOY)

# %% [markdown]
# Now its content types and permissions.
# **Answer `yes` only if the list names nothing but this app and its permissions.**

# %% tags=["fix"]
production.run("python manage.py remove_stale_contenttypes", answers=["yes"])

# %% [markdown]
# Second release: the app goes.
# **Wait until every database has run the first release: this one can no longer drop a table.**

# %% tags=["fix"]
laptop.replace("config/settings.py", APP, "")
laptop.run("git rm -r --quiet lending")
laptop.run(PUSH("No lending"))
production.run(DEPLOY)

# %% [markdown]
# Its rows in the history go last. `migrate lending --prune` no longer knows the app; SQL does.

# %% tags=["fix"]
production.rows("delete from django_migrations where app = 'lending'")

# %% [markdown]
# ### Another app had a foreign key to it
#
# Remove the key in the first release. `makemigrations` drops the column before the table, in two
# migrations.

# %%
KEY = '    keeper = models.ForeignKey("lending.Reader", models.SET_NULL, null=True)\n'
COPIES = "    copies = models.PositiveIntegerField(default=1)\n"
pointed = before_all.clone("pointed")
pointed.replace("library/models.py", COPIES, COPIES + KEY)
pointed.run("python manage.py makemigrations library --name keeper --verbosity 0")
pointed.run("python manage.py migrate --verbosity 0")
unfixed = pointed.clone("unfixed")
pointed.replace("library/models.py", KEY, "")
pointed.write("lending/models.py", "# Deleted in 0008_no_lending.\n")
pointed.run("rm lending/admin.py && rm -r library/management")
pointed.run("python manage.py makemigrations --name no_lending && python manage.py migrate -v 0")

# %% [markdown]
# But the old migration of `library` names one of `lending`. Without the app nothing migrates:

# %%
gone = pointed.clone("gone")
gone.replace("config/settings.py", APP, "")
gone.run("python manage.py migrate", fails="NodeNotFoundError")

# %% [markdown]
# So the second release keeps the app and its `migrations` folder, until a
# [squash](../squashing/squash-in-two-releases.md) has done away with that parent. See
# [A migration names a parent that is gone](../conflicts/missing-parent.md#the-app-is-not-in-installed_apps).
#
# ## Make sure
#
# The chain is whole, the books are there, and this one can go.

# %% tags=["after"]
production.chain()

# %%
books = production.rows(BOOKS)
left = production.rows(KINDS)
production.run(DELETE)

# %% [markdown]
# ## Undo it
#
# Put the copy back, while nothing uses the database, with the code from before the first release. What
# was written since is lost.

# %%
undone = production.clone("undone")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
undone.run("git checkout --quiet HEAD~3")

# %% [markdown]
# ## What not to do
#
# **Do not drop the tables by hand.** The books can be deleted, and the history still says that the
# tables exist. When the app comes back, with a revert or under the same name, nothing makes them:

# %%
by_hand.rows("drop table lending_loan")
by_hand.rows("drop table lending_reader")
by_hand.run(DELETE)
by_hand.run("git revert --no-commit HEAD && python manage.py migrate")
by_hand.run(
    'python manage.py shell --verbosity 0 -c "from lending.models import Loan; Loan.objects.count()"',
    fails="lending_loan",
)

# %% [markdown]
# ## Why it happens
#
# Django writes a `DeleteModel` for a model that left an installed app. An app that left
# `INSTALLED_APPS` is out of sight as a whole: its models, its files, its content types. On
# [the chain](../../guide/the-chain.md) its rows in the history have no files, and its tables no
# recorded migration. `Loan` protected its book with `PROTECT`, which Django obeys in Python. Now the
# database alone does, at the end of the transaction.
#
# ## Keep it from happening
#
# Delete the models in one release and the app in the next.
#
# **In review, ask:** does an app leave `INSTALLED_APPS` whose models were not deleted by a migration
# that every database has run?
#
# **In CI:** nothing in CI sees this: it builds a new database, where the tables never were. On a copy
# of production, `remove_stale_contenttypes --include-stale-apps` names the app, as above.
#
# ## Run it yourself
#
# Leave out the line that deletes from `django_migrations`. The chain is not whole: eight rows have no
# file, and the playbook stops at its first check.

# %% tags=["check"]
assert production.chain().whole, "no row of the history is left over"
assert recorded == [("lending", 7)], "seven rows of the app are in the history"
assert "lending.loan" in stale, "and its content types are there"
assert "1 auth.Group_permissions" in stale, "with what a group may do"
assert made.count("Delete model") == 2, "both models"
assert ("CASCADE" in sql) == on(SQLite=False, PostgreSQL=True), "PostgreSQL drops what hangs on it"
assert books == before_all.rows(BOOKS), "no book is lost"
assert left == [(0,)], "no content type is left"
assert undone.chain().whole, "undone is whole, with the app"
assert undone.rows("select count(*) from lending_loan") == [(5,)], "and with its loans"

# %% tags=["check"]
# New databases: at the first release, at the second, and where the other app's key was.
NEW = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
for place, commit in ((production, "main"), (production, "main~1"), (pointed, "main")):
    place.run(f"git checkout --quiet {commit} && {NEW} && python manage.py migrate --verbosity 0")
    assert place.chain().whole, "a new database can be built"
unfixed.replace("config/settings.py", APP, "")
unfixed.run("python manage.py check", fails="fields.E300")
