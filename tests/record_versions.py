"""`python tests/record_versions.py`: run the playbook `django_versions` on each Django, and record.

Each version has a virtual environment, kept in the cache: the pins of the lock, with that Django in
place of the pinned one. The playbook runs there in a copy of this repository. A version for which
this machine has no Python is named, and keeps what was recorded for it before.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from typing import Any

from matrix import prepared
from playbook_kit.template import CACHE, REPOSITORY
from test_sameness import find_python

NAME = "django_versions"
PYTHONS = {"5.2": ("3.12", "3.13", "3.11"), "6.0": ("3.12", "3.13"), "6.1": ("3.12", "3.13")}
MISSING = "(never run)"
PAGE = REPOSITORY / "docs" / "reference" / "django-versions.md"
RECORD = PAGE.with_suffix(".json")
MARKED = re.compile(r"(<!-- recorded: django-versions -->\n).*?(<!-- end of recorded -->)", re.S)
BOX = 'class="scrolls" tabindex="0" role="group" aria-label="Django versions, scrolls sideways"'

Record = dict[str, Any]  # "versions": what each ran with; "rows": [what is tried, {version: came}]


def came(shown: Iterable[dict[str, Any]]) -> dict[str, str]:
    """What came, by what was tried: the rows of all tables among what a run has shown."""
    return {what: cell for one in shown if one["kind"] == "table" for what, cell in one["rows"]}


def run_on(django: str, interpreter: str) -> tuple[dict[str, str], dict[str, str]]:
    """With which versions the playbook ran on this Django, and what came."""
    home = CACHE / "djangos" / django
    playbooks = prepared(interpreter, django, home).with_name("playbooks")
    subprocess.run([playbooks, "run", NAME], check=True, stdin=subprocess.DEVNULL)
    (cached,) = (home / "copy" / ".cache" / "results").iterdir()
    result = json.loads(cached.read_text())
    made = {name: result["versions"][name] for name in ("django", "python", "sqlite")}
    return made, came(one for cell in result["cells"] for one in cell["shown"])


def filled(page: str, record: Record) -> str:
    """The text of the page with the table of this record between its two marks."""
    made = record["versions"]
    rows = [["what is tried", *made], ["---"] * (len(made) + 1)]
    # The links of the playbook's page start two folders below docs, those of this page one.
    for what, by in record["rows"]:
        rows.append([what.replace("](../", "](../playbooks/"), *(by[of] for of in made)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    ran = (f"{on['django']} (Python {on['python']}, SQLite {on['sqlite']})" for on in made.values())
    text = f'\n<div {BOX} markdown="1">\n\n{table}\n\n</div>\n\nRan on Django {", ".join(ran)}.\n'
    return MARKED.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


def main() -> None:
    """Run on each version, and write the record and the table of the page."""
    record: Record = {"versions": {}, "rows": []}
    if RECORD.exists():
        record = json.loads(RECORD.read_text())
    columns = {of: {what: by[of] for what, by in record["rows"] if of in by} for of in PYTHONS}
    for django, names in PYTHONS.items():
        python = next(filter(None, map(find_python, names)), None)
        if python:
            record["versions"][django], columns[django] = run_on(django, python)
        else:
            print(f"Django {django}: no Python {' or '.join(names)}; its old record is kept")
    whats = columns["5.2"]
    record["rows"] = [
        [what, {of: columns[of].get(what, MISSING) for of in columns}] for what in whats
    ]
    RECORD.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), record))


if __name__ == "__main__":
    main()
