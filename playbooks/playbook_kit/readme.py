"""The README that lies in the directory of an exercise."""

from __future__ import annotations

from .exercises import Exercise
from .own_server import psql

_TEXT = """\
# {title}

{story}

## Start here

    {start}

Repair it in this directory, with your own editor and terminal. The database is {database}, and
`origin` is a repository of this exercise alone: commit and push as you like. There is more than one
right repair.
{more}
| you want to | type |
|---|---|
| see what is wrong and what is right | `playbooks check` |
| see it again after every change | `playbooks check --watch` |
| get one hint, then the next | `playbooks hint` |
| see one way to do it | `playbooks solution` |
| start over | `playbooks reset` |
"""
_SERVER = """
The server is this exercise's own. `playbooks stop` stops it; `playbooks check` starts it again, also
after your machine was restarted or this directory moved. `config/settings.py` reads its address from
`.practice/url`; Git does not show that edit. This is its `psql`:

    {psql}
"""


def readme(exercise: Exercise, file: str) -> str:
    """Its story, the command that shows the error, and how to go on. `file`: its database; empty where
    that is on PostgreSQL."""
    return _TEXT.format(
        title=exercise.title,
        story=exercise.story.strip(),
        start=exercise.start.strip().replace("\n", "\n    "),
        database=f"`{file}`" if file else "`library` on PostgreSQL",
        more="" if file else _SERVER.format(psql=psql()),
    )
