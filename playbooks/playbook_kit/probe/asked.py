"""The rows of one SQL statement, as JSON types."""

from __future__ import annotations

from typing import Any


def rows(sql: str) -> dict[str, Any]:
    """Run it on the project's database: the columns and the rows that come back."""
    # A connection needs the settings and no app: most of Django's start is saved.
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        columns = [column[0] for column in cursor.description or ()]
        found = [list(row) for row in cursor.fetchall()] if columns else []
    plain = (str, int, float, bool, type(None))
    found = [[cell if isinstance(cell, plain) else str(cell) for cell in row] for row in found]
    return {"columns": columns, "rows": found}
