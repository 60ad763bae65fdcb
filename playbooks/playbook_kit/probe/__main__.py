"""`python probe/__main__.py chain|graph|rows ARGUMENT`, started in the sandbox's folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import django


def main() -> None:
    """Print the answer as one line of JSON, the last line of the output."""
    sys.path[0] = str(Path.cwd())  # the project, in place of this folder
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    what, argument = sys.argv[1:3]
    print(json.dumps(_ANSWERS[what](argument)))


def _chain(app: str) -> dict[str, Any]:
    django.setup()
    from playbook_kit.probe.links import measure

    return measure(app)


def _graph(app: str) -> dict[str, Any]:
    django.setup()
    from playbook_kit.probe.links import look

    return look(app)


def _rows(sql: str) -> dict[str, Any]:
    # A connection needs the settings and no app: most of Django's start is saved.
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        columns = [column[0] for column in cursor.description or ()]
        rows = [list(row) for row in cursor.fetchall()] if columns else []
    plain = (str, int, float, bool, type(None))
    rows = [[cell if isinstance(cell, plain) else str(cell) for cell in row] for row in rows]
    return {"columns": columns, "rows": rows}


_ANSWERS = {"chain": _chain, "graph": _graph, "rows": _rows}

if __name__ == "__main__":
    main()
