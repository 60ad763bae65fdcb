"""The README that lies in the directory of an exercise."""

from __future__ import annotations

from .exercises import Exercise

_TEXT = """\
# {title}

{story}

## Start here

    {start}

Repair it in this directory, with your own editor and terminal. The database is `{database}`, and
`origin` is a repository of this exercise alone: commit and push as you like. There is more than one
right repair.

| you want to | type |
|---|---|
| see what is wrong and what is right | `playbooks check` |
| see it again after every change | `playbooks check --watch` |
| get one hint, then the next | `playbooks hint` |
| see one way to do it | `playbooks solution` |
| start over | `playbooks reset` |
"""


def readme(exercise: Exercise, database: str) -> str:
    """Its story, the command that shows the error, and how to go on."""
    start = exercise.start.strip().replace("\n", "\n    ")
    story = exercise.story.strip()
    return _TEXT.format(title=exercise.title, story=story, start=start, database=database)
