"""What `playbooks new` writes: the form, with sentences that say what belongs in each place."""

SKELETON = """\
# ---
# title: The situation, as the reader would say it
# symptoms:
#   - "The error text, verbatim: the message alone, without the traceback"
# cause: >-
#   One or two sentences. What happened? Is anything lost?
# broken: [files-history]
# data: untouched
# undo: the command that goes back, or why there is none
# safe_in: development only
# applied: here only
# databases: [SQLite]
# group: GROUP
# ---

# %%
from playbook_kit import Sandbox

laptop = Sandbox("laptop")

# %% [markdown]
# How the project is broken, in one sentence.

# %% tags=["setup"]
rows = laptop.rows("select id, title, copies from library_book order by id")

# %% tags=["before"]
laptop.chain()

# %% [markdown]
# ## Is this your case?
#
# What else the reader would see, and which playbook to read instead if it is not this.

# %%
laptop.run("python manage.py check")

# %% [markdown]
# ## Fix it
#
# One sentence before each command. A warning stands before the command it is about.

# %% tags=["fix"]
laptop.run("python manage.py migrate")

# %% [markdown]
# ## Make sure
#
# The command that proves it, and the rows that are still there.

# %% tags=["after"]
laptop.chain()

# %% [markdown]
# ## Undo it
#
# Back to before, executed; or why there is no way back.
#
# ## What not to do
#
# The common wrong fix, executed, and what it broke.
#
# ## Why it happens
#
# At most 120 words, with a link to [the chain](../../guide/the-chain.md).
#
# ## Keep it from happening
#
# One habit, one line for CI.
#
# ## Run it yourself
#
# One thing to change, and what happens then.

# %% tags=["check"]
now = laptop.rows("select id, title, copies from library_book order by id")
assert now == rows, "every row is still there"
"""
