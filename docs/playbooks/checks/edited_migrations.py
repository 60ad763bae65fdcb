# ---
# title: Which git diff finds an edited migration
# answer: >-
#   Compare what is staged with the commit at which the branch left main. Two dots stop an innocent
#   branch, three dots miss what is not committed yet, and without --no-renames a rename slips through.
# databases: [SQLite]
# again_on: [PostgreSQL]
# group: checks
# ---

# %% [markdown]
# Each row is a branch. Each column is a form of one line, all with the same ending; the last is the
# one that [the CI files](ci-checks.md) run. **stops**: the exit code is not 0.

# %%
from playbook_kit import Sandbox, on, table

OLD = "library/migrations/0005_longer_titles.py"
FILL = "library/migrations/0007_fill.py"
SAVE = "git add . && git commit --quiet --message Work"
FILES = '-- "*/migrations/*.py"'
FILTER = "--name-status --exit-code --diff-filter=MD"
FORMS = {
    "`origin/main..HEAD`": f"git diff --no-renames {FILTER} origin/main..HEAD {FILES}",
    "`origin/main...HEAD`": f"git diff --no-renames {FILTER} origin/main...HEAD {FILES}",
    "`--cached` `--merge-base`": f"git diff --cached --merge-base {FILTER} origin/main {FILES}",
    "the same, `--no-renames`": f"git diff --cached --merge-base --no-renames {FILTER} origin/main {FILES}",
}
*_, DIFF = FORMS.values()


def seen(place):
    """What each form of the line says here."""
    return ["**stops**" if place.attempt(line).code else "passes" for line in FORMS.values()]


# %% [markdown] tags=["setup"]
# On main, a migration imports its function from another file:

# %% tags=["setup"]
start = Sandbox("start")
start.write("library/steps.py", "def fill(apps, schema_editor):\n    pass\n")
start.run("python manage.py makemigrations library --empty --name fill -v 0")
start.replace(FILL, "import migrations", "import migrations\n\nfrom library.steps import fill")
start.replace(FILL, "operations = [", "operations = [migrations.RunPython(fill)")
start.run(f"python manage.py migrate -v 0 && {SAVE} && git push --quiet")

# %% [markdown] tags=["setup"]
# A branch with a new migration, which is corrected in a second commit:

# %% tags=["setup"]
new = start.clone("new")
new.run(f"python manage.py makemigrations library --empty --name notes -v 0 && {SAVE}")
new.replace("library/migrations/0008_notes.py", "operations", "atomic = False\n\n    operations")
new.run(SAVE)

# %% [markdown] tags=["setup"]
# An applied migration is edited, staged or committed; deleted; renamed; given a comment:

# %% tags=["setup"]
staged = start.clone("staged")
staged.replace(OLD, "max_length=200", "max_length=250")
staged.run("git add .")
edited = staged.clone("edited")
edited.run(SAVE)
deleted = start.clone("deleted")
deleted.run(f"rm {OLD} && {SAVE}")
renamed = start.clone("renamed")
renamed.run(f"git mv {OLD} library/migrations/0005_titles.py && {SAVE}")
comment = start.clone("comment")
comment.replace(OLD, "class", "# Ticket 12\nclass")
comment.run(SAVE)

# %% [markdown] tags=["setup"]
# The function that the migration imports is edited:

# %% tags=["setup"]
helper = start.clone("helper")
helper.replace("library/steps.py", "pass", "raise NotImplementedError")
helper.run(SAVE)

# %% [markdown] tags=["setup"]
# A branch edits nothing, and main has got a new migration since:

# %% tags=["setup"]
behind = start.clone("behind")
behind.run("git commit --quiet --allow-empty --message Work")
start.run(f"python manage.py makemigrations lending --empty --name notes -v 0 && {SAVE}")
start.run("git push --quiet")
behind.run("git fetch --quiet")

# %%
BRANCHES = {
    "nothing: a new migration": new,
    "nothing: main has moved": behind,
    "edited, and committed": edited,
    "edited, and staged": staged,
    "deleted": deleted,
    "renamed": renamed,
    "a comment was added": comment,
    "what it imports was edited": helper,
}
rows = [[state, *seen(place)] for state, place in BRANCHES.items()]
table("Which git diff sees an edit", ["what happened to a migration on main", *FORMS], rows)

# %% [markdown]
# This is the line:
#
# ```bash
# git diff --cached --merge-base --no-renames --name-status --exit-code --diff-filter=MD origin/main -- "*/migrations/*.py"
# ```
#
# ## When the edit is right
#
# The line stops on every edit, also on one that changes nothing. Say so in the same pull request: name
# the file at the end of the line, where everyone who reviews it sees it. Take it out after the merge.
# The line still stops on other files.
#
# ```bash
# git diff --cached --merge-base --no-renames --name-status --exit-code --diff-filter=MD origin/main -- "*/migrations/*.py" ":!library/migrations/0005_longer_titles.py"
# ```

# %%
EXCEPT = f'{DIFF} ":!{OLD}"'
excused = comment.run(EXCEPT)
deleted.run("git rm --quiet library/migrations/0006_find_books_by_title.py")
other = deleted.run(EXCEPT, fails="0006_find_books_by_title")

# %% [markdown]
# This holds for the originals of [a squash that is finished](../squashing/squash-in-two-releases.md),
# too. For all other edits, [write a new migration](../mismatch/edited-after-applying.md).
#
# ## Where it is wrong
#
# - It does not see what a migration imports. **Keep the functions of a migration in its file.**
# - It compares with `main`. A migration of your branch that staging has applied is new to it.
# - It needs the commit at which the branch left `main`. A clone of one commit has none, and the merge
#   that comes first stops: this is why the files say `fetch-depth: 0` and `GIT_DEPTH: "0"`.

# %% tags=["check"]
offered = {state: cells[-1] for state, *cells in rows}
assert {state for state, cell in offered.items() if cell == "passes"} == {
    "nothing: a new migration",
    "nothing: main has moved",
    "what it imports was edited",
}, "no false alarm on an innocent branch, and one miss"
by_state = {state: cells for state, *cells in rows}
assert by_state["nothing: main has moved"][0] == "**stops**", "two dots stop an innocent branch"
assert by_state["edited, and staged"][:2] == ["passes", "passes"], "dots look at commits"
assert by_state["renamed"][2] == "passes", "a rename is neither M nor D"
new.run(f"python manage.py migrate --verbosity 0 && {DIFF}")  # applied somewhere, and new to main
helper.run(on(SQLite="rm db.sqlite3", PostgreSQL="dropdb library && createdb library"))
helper.run("python manage.py migrate -v 0", fails="NotImplementedError")  # the edit did harm

edited.run("git push --quiet origin HEAD:work")
edited.run("git clone --quiet --no-local --depth 1 --branch work ../origin.git ../shallow")
edited.run("git -C ../shallow fetch --quiet origin +main:refs/remotes/origin/main")
edited.run("git -C ../shallow merge --quiet origin/main", fails="unrelated histories")
