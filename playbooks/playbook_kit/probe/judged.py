"""What the judge of an exercise asks of one copy of the learner's project, in one process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import django


def judged(wanted: dict[str, Any]) -> dict[str, Any]:
    """Look at the project in this folder, after `migrate` if `wanted["migrate"]`.

    Its database is the one at `DATABASE_URL`, which was made for this look. Without that variable it
    is a file of SQLite, and `wanted["database"]` is a file that takes its place first, `""` for none
    at all, None for its own. `wanted["keep"]`: SQL by what it is about. The answer has the `chain`, and
    `rows` with columns and rows, or an `error`; or a reason why there is neither: `error` (it does
    not load) or `outside` (its database is not in this folder). `stopped`: what stopped `migrate`.
    """
    try:
        django.setup()
        from django.conf import settings

        database = settings.DATABASES["default"]
    except (Exception, SystemExit) as error:
        return {"error": message(error)}
    given = os.environ.get("DATABASE_URL", "")
    inside = database["ENGINE"].endswith("sqlite3") and _inside(database["NAME"])
    if given.endswith(f"/{database['NAME']}"):
        return _look(wanted)
    if given or not inside:
        return {"outside": f"{database['ENGINE'].rpartition('.')[2]} {database['NAME']}"}
    if wanted["database"] is not None:
        Path(database["NAME"]).unlink(missing_ok=True)
        if wanted["database"]:
            shutil.copyfile(wanted["database"], database["NAME"])
    where = Path(str(database["NAME"])).resolve().relative_to(Path.cwd().resolve())
    return {"database": where.as_posix(), **_look(wanted)}


def _inside(name: object) -> bool:
    return Path(str(name)).resolve().is_relative_to(Path.cwd().resolve())


def _look(wanted: dict[str, Any]) -> dict[str, Any]:
    from django.core.management import call_command

    answer: dict[str, Any] = {"stopped": ""}
    try:
        call_command("check", verbosity=0)
        if wanted["migrate"]:
            call_command("migrate", verbosity=0, interactive=False)
    except (Exception, SystemExit) as error:
        answer["stopped"] = message(error)
    # After the models have been imported: `links` needs them.
    from playbook_kit.probe.links import measure

    answer["chain"] = measure("")
    answer["rows"] = {what: _rows(sql) for what, sql in wanted["keep"].items()}
    return answer


def _rows(sql: str) -> dict[str, Any]:
    from playbook_kit.probe.asked import rows

    try:
        return rows(sql)
    except Exception as error:
        return {"error": " ".join(str(error).split())}


def message(error: BaseException) -> str:
    """The name of the exception and what it says, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
