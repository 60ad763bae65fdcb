# ---
# title: MariaDB refuses to change the type of a key
# symptoms:
#   - '(1833, "Cannot change column ''id'': used in a foreign key constraint ''letter_of'' of table ''library.letters''")'
#   - '(errno: 150 "Foreign key constraint is incorrectly formed")'
# cause: >-
#   A table that Django does not know refers to the key. Django has dropped the foreign keys that it
#   knows, and stopped there: they are missing now. No row is lost.
# broken: [history-schema]
# data: "untouched: but until it is mended, rows that others refer to can be deleted"
# undo: load the dump that you make first
# safe_in: "production: while nothing writes to these tables"
# applied: no matter where
# databases: [MariaDB]
# group: production
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop", "MariaDB")
REFERS = (
    "select table_name, column_name, constraint_name from information_schema.key_column_usage "
    "where referenced_table_schema = database() and referenced_table_name = 'lending_loan' order by 1"
)
ORPHANS = (
    "select f.id, f.loan_id from lending_fine f left join lending_loan l on l.id = f.loan_id "
    "where l.id is null"
)
TYPES = "select table_name, column_name, column_type, collation_name from information_schema.columns where table_schema = database() and (table_name, column_name) in (('lending_loan', 'id'), ('lending_fine', 'loan_id'), ('lending_rating', 'loan_id'), ('letters', 'loan_id')) order by 1"
ROWS = "select 'fine' as what, loan_id, cents as about from lending_fine union select 'letter', loan_id, sent_on from letters order by 1, 2"
KEY = "    id = models.AutoField(primary_key=True)\n"


def add_model(place, text):
    models = 'return f"{self.book}, lent to {self.reader}"\n'
    place.replace("lending/models.py", models, f"{models}\n\n{text}")


# %% [markdown]
# Your loans have integer keys, and a loan may have a fine.

# %% tags=["setup"]
laptop.replace("lending/models.py", "    book = models.F", f"{KEY}    book = models.F")
add_model(
    laptop,
    """class Fine(models.Model):
    loan = models.OneToOneField(Loan, on_delete=models.PROTECT)
    cents = models.PositiveIntegerField()
""",
)
laptop.run("python manage.py makemigrations lending --name fines --verbosity 0")
laptop.run("python manage.py migrate --verbosity 0")
laptop.rows("insert into lending_fine (loan_id, cents) values (1, 50), (3, 20)")

# %% [markdown]
# In production, another program keeps the letters that it sends in a table of its own.

# %% tags=["setup"]
laptop.run("git add . && git commit --quiet --message Fines && git push --quiet")
production = laptop.clone("production")
production.rows(
    "create table letters (id bigint auto_increment primary key, loan_id int not null, "
    "sent_on date not null, "
    "constraint letter_of foreign key (loan_id) references lending_loan (id))"
)
production.rows("insert into letters (loan_id, sent_on) values (2, '2024-04-01')")
rows = production.rows(ROWS)
before = production.clone("before")

# %% [markdown]
# You make the key a `BigAutoField`, which is the default of the project. On your laptop it works.

# %% tags=["setup"]
laptop.replace("lending/models.py", KEY, "")
laptop.run("python manage.py makemigrations lending --name big_keys")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message 'Big keys' && git push --quiet")
production.run("git pull --quiet --no-rebase")
unchecked = production.clone("unchecked")
production.run("python manage.py migrate", fails="(1833,")
careless = production.clone("careless")

# %% tags=["before"]
production.chain("lending")

# %% [markdown]
# ## Is this your case?
#
# `migrate` stopped at a key. The message names a table that no model of yours has. It may stem from
# another program, or from an app that you removed.
#
# One operation is several statements, and on MariaDB [those that ran stay](no-transactional-ddl.md).
# `sqlmigrate` takes the foreign keys from the schema. So look where it has not stopped:

# %%
statements = laptop.run("python manage.py sqlmigrate lending 0009")

# %% [markdown]
# The first one dropped the foreign key of the fines. What refers to the key now?

# %%
refers = production.rows(REFERS)

# %% [markdown]
# - **The error is 1005 with `errno: 150`**: compare the types of the two columns, as
#   [below](#make-sure). They must be the same, and for text the collation too.
# - **The key is not of the type that the recorded migrations make**, says the chain: this migration
#   was faked. [Below](#what-not-to-do) is how that comes, and the way out.
#
# ## Fix it
#
# **Stop everything that writes to these tables**, and dump the database.

# %% tags=["fix"]
production.run("mariadb-dump library > ../before.sql")

# %% [markdown]
# Since `migrate` stopped, a loan could be deleted under its fine. Look for such rows, and repair them
# first. There are none here.

# %%
orphans = production.rows(ORPHANS)

# %% [markdown]
# Drop the foreign key that is in the way.
# **Note the whole of it first, from `show create table letters`.**

# %%
production.rows("show create table letters")

# %% tags=["fix"]
production.rows("alter table letters drop foreign key letter_of")

# %% [markdown]
# Now the migration goes through. It makes the foreign keys of Django again.

# %% tags=["fix"]
production.run("python manage.py migrate")

# %% [markdown]
# Give the other column the same type, and its foreign key back.
# **In `modify`, repeat `not null` and the default of the column: what you leave out is gone.**

# %% tags=["fix"]
production.rows(
    "alter table letters modify loan_id bigint not null, "
    "add constraint letter_of foreign key (loan_id) references lending_loan (id)"
)

# %% [markdown]
# Let Django know the table, so that it takes it along next time. Your laptop really makes it.

# %% tags=["fix"]
add_model(
    laptop,
    """class Letter(models.Model):
    loan = models.ForeignKey("Loan", on_delete=models.PROTECT)
    sent_on = models.DateField()

    class Meta:
        db_table = "letters"
""",
)
laptop.run("python manage.py makemigrations lending --name letters")
laptop.run("python manage.py migrate --verbosity 0")
laptop.run("git add . && git commit --quiet --message Letters && git push --quiet")

# %% [markdown]
# Production has it, and records it.
# **Fake this one alone, and only if the model has each column of the table as it is.**

# %% tags=["fix"]
production.run("git pull --quiet --no-rebase && python manage.py migrate lending 0010 --fake")

# %% [markdown]
# ## Make sure
#
# The schema is what the history says, with the letters. All columns are of one type, both foreign
# keys are there, and every row.

# %% tags=["after"]
production.chain()

# %%
types = production.rows(TYPES)
mended = production.rows(REFERS)
now = production.rows(ROWS)

# %% [markdown]
# ## Undo it
#
# Load the dump: you are where `migrate` had stopped. What was written since is lost.

# %%
undone = production.clone("undone")
undone.run("cat ../before.sql | mariadb library")
undone.rows(REFERS)

# %% [markdown]
# ## What not to do
#
# **Do not switch the checks off.** It does not help, and the foreign key of the fines is gone here
# too:

# %%
unchecked.replace(
    "lending/migrations/0009_big_keys.py",
    "operations = [",
    'operations = [\n        migrations.RunSQL("set foreign_key_checks = 0"),',
)
unchecked.run("python manage.py migrate --verbosity 0", fails="(1833,")
unchecked.rows(REFERS)

# %% [markdown]
# **Do not fake it.** Every check is green. The key is an integer as before, and a loan can be deleted
# under its fine:

# %%
careless.run("python manage.py migrate --fake --verbosity 0")
careless.run("python manage.py migrate --check && python manage.py makemigrations --check")
careless.rows("delete from lending_loan where id = 1")
lost = careless.rows(ORPHANS)

# %%
careless.chain("lending")

# %% [markdown]
# The next model with a foreign key to it gets a column of the type that the history promises. That
# is `errno: 150`:

# %%
add_model(
    careless,
    """class Rating(models.Model):
    loan = models.ForeignKey("Loan", on_delete=models.PROTECT)
""",
)
careless.run("python manage.py makemigrations lending --name rating --verbosity 0")
careless.run("python manage.py migrate", fails="(1005,")
careless.rows(TYPES)

# %% [markdown]
# The way out: take the new table away, repair the rows, and take back the record of `0009`. Then go
# through the fix. **Drop the table only if it is the one of the migration that stopped.**

# %%
careless.rows("drop table lending_rating")
careless.rows("delete from lending_fine where loan_id = 1")
careless.run("python manage.py migrate lending 0008 --fake")
careless.rows("alter table letters drop foreign key letter_of")
careless.run("python manage.py migrate")

# %% [markdown]
# ## Why it happens
#
# MariaDB wants the same type on both sides of a foreign key, and refuses to change that of a column to
# which one refers. So Django drops the foreign keys, changes all columns, and makes the keys again. It
# takes them from its models: a table without a model is not among them. On
# [the chain](../../guide/the-chain.md) the schema has a table that the history does not know, and lacks
# a foreign key that it does.
#
# ## Keep it from happening
#
# Before you ship a change of a key's type, ask production what refers to it. Each line must be a
# model of yours. CI cannot tell: it has only the tables that Django makes.

# %%
listed = before.rows(REFERS)

# %% [markdown]
# ## Run it yourself
#
# Leave the foreign key out of `create table letters`. The migration then goes through, and the
# playbook stops, because it expects the error.

# %% tags=["check"]
assert "DROP FOREIGN KEY" in statements.partition("MODIFY")[0], "dropped first"
refer = [[row[0] for row in found] for found in (listed, refers, mended)]
both = ["lending_fine", "letters"]
assert refer == [both, ["letters"], both], "one foreign key was gone, and is there again"
assert orphans == [], "and no row was lost by it"
assert {row[2] for row in types} == {"bigint(20)"}, "all columns are of one type"
assert now == rows, "each row is there"
for place in (undone, unchecked):
    assert "lending_fine (loan_id) to lending_loan.id is missing" in place.chain(), "as before"
    stopped = place.run("python manage.py sqlmigrate lending 0009")
    assert "DROP FOREIGN KEY" not in stopped, "sqlmigrate looks into the schema"
assert lost == [(1, 1)], "a fine without its loan"
assert careless.chain().findings == ["table letters exists: no recorded migration creates it"]
again = production.clone("again")
again.replace("lending/models.py", "    book = models.F", f"{KEY}    book = models.F")
again.run("python manage.py makemigrations lending --name integer_keys --verbosity 0")
again.run("python manage.py migrate --verbosity 0")
assert {row[2] for row in again.rows(TYPES)} == {"int(11)"}, "Django takes along what it knows"

# %% tags=["check"]
# Text of another collation is another type. `modify` without NOT NULL allows NULL.
before.rows("create table shelf (code varchar(9) collate utf8mb4_bin primary key)")
box = "mariadb library -e 'create table box (code varchar(9) collate {}, foreign key (code) references shelf (code))'"
before.run(box.format("utf8mb4_general_ci"), fails="errno: 150")
before.run(box.format("utf8mb4_bin"))
before.rows("alter table letters modify loan_id int")
assert before.rows("show columns from letters like 'loan_id'")[0][2] == "YES", "left out, gone"
