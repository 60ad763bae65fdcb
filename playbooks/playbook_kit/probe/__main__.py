"""`python probe/__main__.py chain|graph|rows|judged ARGUMENT`, started in the sandbox's folder."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import django


def main() -> None:
    """Print the answer as one line of JSON, the last line of the output."""
    sys.path[0] = str(Path.cwd())  # the project, in place of this folder
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", _settings())
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
    from playbook_kit.probe.asked import rows

    return rows(sql)


def _judged(wanted: str) -> dict[str, Any]:
    from playbook_kit.probe.judged import judged

    return judged(json.loads(wanted))


def _settings() -> str:
    """The settings that the project's own manage.py names."""
    manage = Path("manage.py")
    text = manage.read_text(encoding="utf-8") if manage.is_file() else ""
    named = re.search(r"DJANGO_SETTINGS_MODULE[\"'],\s*[\"']([\w.]+)[\"']", text)
    return named[1] if named else "config.settings"


_ANSWERS = {"chain": _chain, "graph": _graph, "rows": _rows, "judged": _judged}

if __name__ == "__main__":
    main()
