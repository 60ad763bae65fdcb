# ---
# title: Drop a table while old code still runs
# symptoms:
#   - "no such table: lending_loan"
#   - relation "lending_loan" does not exist
# cause: >-
#   The migration drops the table at once, and processes of the release before still read it. The rows of
#   that table are lost; all others stay.
# broken: [files-history, history-schema]
# data: "may be lost: the second release deletes the rows of the table"
# undo: the first release goes back whole; after the second, put back the copy
# safe_in: production
# applied: nowhere yet
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: changes
# ---

# %%
from playbook_kit import Sandbox, on

laptop = Sandbox("laptop")
production = Sandbox("production")
MODEL = """class Loan(models.Model):
    \"\"\"A record of what happened, so neither its book nor its reader can be deleted under it.\"\"\"

    book = models.ForeignKey("library.Book", on_delete=models.PROTECT)
    reader = models.ForeignKey(Reader, on_delete=models.PROTECT)
    lent_on = models.DateField()
    due_on = models.DateField()
    returned_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(due_on__gte=models.F("lent_on")),
                name="lending_loan_due_after_lent",
            )
        ]

    def __str__(self):
        return f"{self.book}, lent to {self.reader}"
"""
COMMIT = "git add . && git commit --quiet --message '{}'".format
DEPLOY = "git pull --quiet && python manage.py migrate --verbosity 0"
OLD_CODE, NEW_CODE = "git checkout --quiet HEAD~1", "git checkout --quiet main"
SHELL = 'python manage.py shell --verbosity 0 -c "{}"'.format
READ = SHELL("from lending.models import Loan; print(Loan.objects.count())")
WRITE = SHELL(
    "from lending.models import Loan; "
    "Loan.objects.create(book_id=1, reader_id=1, lent_on='2024-05-01', due_on='2024-05-15')"
)
DELETE = SHELL("from lending.models import Reader; print(Reader.objects.get(name='Cleo').delete())")
GONE = on(SQLite="no such table: lending_loan", PostgreSQL='"lending_loan" does not exist')
HELD = on(SQLite="FOREIGN KEY constraint failed", PostgreSQL="violates foreign key constraint")
LOANS = "select id, book_id, reader_id, due_on from lending_loan order by id"
FORGET = """from django.db import migrations, models


def no_constraint(name, to):
    field = models.ForeignKey(to, models.PROTECT, db_constraint=False)
    return migrations.AlterField("loan", name, field)


class Migration(migrations.Migration):
    dependencies = [("lending", "0007_unique_reader_email")]
    operations = [
        no_constraint("book", "library.book"),
        no_constraint("reader", "lending.reader"),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.DeleteModel("Loan")],
        ),
    ]
"""
DROP = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("lending", "0008_forget_loan")]
    operations = [migrations.RunSQL("drop table lending_loan")]
"""

# %% [markdown]
# Loans are no longer kept. You delete the model, and try the migration on staging.

# %% tags=["setup"]
before = production.rows(LOANS)
laptop.run("rm library/admin.py lending/admin.py && rm -r library/management")  # they name it
laptop.run(COMMIT("No admin") + " && git push --quiet")
production.run(DEPLOY)
staging = laptop.clone("staging")
staging.replace("lending/models.py", f"\n\n{MODEL}", "")
staging.run("python manage.py makemigrations lending --name no_loan")
staging.run(COMMIT("No loans"))
staging.run("python manage.py migrate")

# %% [markdown]
# During a deploy, some processes still run the release before:

# %% tags=["setup"]
staging.run(OLD_CODE)

# %% tags=["before"]
staging.chain("lending")

# %% [markdown]
# ## Is this your case?
#
# The old code fails on every page that shows a loan, until the last process is replaced:

# %%
staging.run(READ, fails=GONE)

# %% [markdown]
# - **Nothing runs while you deploy**: one generated migration is enough.
# - **It happened on production**: finish the deploy. Then no code asks for the table.
# - **It is a field, not a model**: read
#   [Remove or require a field while old code runs](../production/remove-or-require-a-field.md).
# - **A whole app goes**: read [An app was removed](remove-an-app.md), and use both.
#
# ## Fix it
#
# In the first release the models forget the table, and the database keeps it. Delete the model.

# %% tags=["fix"]
laptop.replace("lending/models.py", f"\n\n{MODEL}", "")
state_only = laptop.clone("state-only")

# %% [markdown]
# Write this migration in place of the generated one. It takes the foreign keys off too: Django no longer
# knows of them, and they would [stop deletes](#what-not-to-do).

# %% tags=["fix"]
laptop.write("lending/migrations/0008_forget_loan.py", FORGET)
laptop.run(COMMIT("Forget loans") + " && git push --quiet")

# %% tags=["fix"]
production.run(DEPLOY)

# %% [markdown]
# While the old code runs on, it can read and write:

# %%
first = production.clone("first")
first.run(OLD_CODE)
first.run(f"{READ} && {WRITE} && {READ}")

# %% [markdown]
# And the new code can delete a reader who has a loan:

# %%
deleted = first.clone("deleted")
deleted.run(f"{NEW_CODE} && {DELETE}")

# %% [markdown]
# The second release drops the table.
# **Wait until no process runs the old code. Then copy the database: the rows go with the table.**

# %% tags=["fix"]
production.run(
    on(
        SQLite="cp db.sqlite3 ../before.sqlite3",
        PostgreSQL="pg_dump --format custom library > ../before.dump",
    )
)

# %% tags=["fix"]
laptop.write("lending/migrations/0009_drop_loan.py", DROP)
laptop.run(COMMIT("Drop loans") + " && git push --quiet")

# %% tags=["fix"]
production.run(DEPLOY)

# %% [markdown]
# ## Make sure
#
# The chain is whole: no table is left that no migration makes.

# %% tags=["after"]
production.chain()

# %%
production.run(DELETE)

# %% [markdown]
# ## Undo it
#
# After the first release, migrate back, then deploy the code before it. The rows never left. (If the new
# code has deleted a reader with loans, delete those loans first: they have nobody to point to.)

# %%
first.run(f"{NEW_CODE} && python manage.py migrate lending 0007 && {OLD_CODE}")
kept = first.rows(LOANS)

# %% [markdown]
# After the second, put the copy back, while nothing uses the database. What was written since is lost.
# Without it there is no way back, and `migrate` says so.

# %%
undone = production.clone("undone")
undone.run("python manage.py migrate lending 0008", fails="IrreversibleError")
undone.run(
    on(
        SQLite="cp ../before.sqlite3 db.sqlite3",
        PostgreSQL="dropdb library && createdb library && pg_restore --dbname library ../before.dump",
    )
)
undone.run("python manage.py migrate lending 0007 --verbosity 0")
undone.run("git checkout --quiet HEAD~2")

# %% [markdown]
# ## What not to do
#
# **Do not leave the foreign keys on.** With `DeleteModel` alone in `state_operations`, Django forgets
# that loans protect their reader. The database does not:

# %%
KEYS = FORGET[FORGET.index("        no_c") : FORGET.index("        migrations.S")]
FUNCTION = FORGET[FORGET.index("def no_c") : FORGET.index("class Migration")]
DELETE_ALONE = FORGET.replace(KEYS, "").replace(FUNCTION, "").replace(", models\n", "\n", 1)
state_only.write("lending/migrations/0008_forget_loan.py", DELETE_ALONE)
state_only.run("python manage.py migrate --verbosity 0")
state_only.run(DELETE, fails=HELD)

# %% [markdown]
# ## Why it happens
#
# A deploy changes the schema at one moment and the processes at another. In between, old code meets the
# new schema. `SeparateDatabaseAndState` takes the two apart: first the state, then the table. Between
# the releases [the chain](../../guide/the-chain.md) shows a table that no migration makes. Note why, or
# somebody will mend it.
#
# ## Keep it from happening
#
# Two releases for each model that goes: forget, then drop.
#
# **In review, ask:** is there a `DeleteModel` outside `state_operations`, and does any running code
# still name the model?
#
# **In CI:** nothing in CI sees this: it runs one code on one schema.
#
# ## Run it yourself
#
# In the second migration, write `drop table lending_reader` instead. The chain after the fix is not
# whole, and the playbook stops at the next command: it finds no reader.

# %% tags=["check"]
assert kept[:5] == before, "after the first release every loan is there, on the way back too"
assert len(kept) == 6, "and the one that the old code wrote in between"
assert first.chain().whole, "migrated back, all is as before"
assert undone.rows(LOANS) == before, "the copy brings the loans back"
assert undone.chain().whole, "with the code of that time"
assert production.chain().whole, "the table is gone, and nothing else"
assert "lending_loan exists" in deleted.chain(), "between the releases the table is a stranger"

# %% tags=["check"]
FRESH = on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library")
deleted.run("python manage.py migrate lending 0007", fails="foreign key")
deleted.rows("delete from lending_loan where reader_id = 3")
deleted.run(f"python manage.py migrate lending 0007 -v 0 && {OLD_CODE}")
assert deleted.chain().whole, "without those loans, there is a way back"
deleted.run(f"{NEW_CODE} && {FRESH} && python manage.py migrate --verbosity 0")
production.run(f"{FRESH} && python manage.py migrate --verbosity 0")
assert production.chain().whole, "a new database can be built"
staging.run(NEW_CODE)
assert staging.chain().whole, "with the new code alone, one generated migration is enough"
