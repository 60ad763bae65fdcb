"""What the box “Find my trouble” and `playbooks diagnose` know: the messages and the pages that help,
in one file, `docs/find.json`, and the catalogue of messages as a table.

The patterns come from `playbooks/messages.yaml`, all that is said of a page from its run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import HeaderError
from .family import code
from .header import GROUPS, Header
from .lists import Headers
from .messages import Message, fixed, pattern, read
from .results import Result
from .short import short_version

DATA = "find.json"
SOURCE = Path("playbooks") / "messages.yaml"
FAMILIES = {
    "loading": "When the files are read",
    "state": "When a migration is carried out",
    "writing": "When a migration is written",
    "commands": "Commands that refuse or warn",
    "prompts": "Questions of makemigrations",
    "schema": "When Django changes the schema",
    "fixtures": "Fixtures and dumps",
    "database": "What the database says",
}
# For a text that holds no known message: words in it, and the family that is nearest.
NEAREST = (
    (r"squashmigrations|_squashed_", "squashing"),
    (r"merge|rebase", "conflicts"),
    (r"makemigrations", "changes"),
    (r"RunPython|loaddata|get_model", "data"),
    (r"psycopg|OperationalError|InternalError", "production"),
    (r"", "mismatch"),
)


def messages(root: Path, headers: Headers) -> list[Message]:
    """The rows of the catalogue; none where the site has no such file. Raises HeaderError for a row
    of a family or with a playbook that does not exist."""
    path = root / SOURCE
    rows = read(path) if path.exists() else []
    known = {playbook.name for playbook, _ in headers}
    for row in rows:
        for name in (page.name for page in row.pages):
            if name not in known:
                raise HeaderError(f"{SOURCE}: {row.says[0]!r}: no playbook is called {name!r}")
        if row.family not in FAMILIES:
            raise HeaderError(f"{SOURCE}: {row.family!r} is none of {', '.join(FAMILIES)}")
    return rows


def data_file(
    docs: Path, headers: Headers, results: Iterable[Result], rows: list[Message]
) -> dict[Path, str]:
    """`docs/find.json`. What it says of a playbook that was not run now stays as it was."""
    path = docs / DATA
    pages = json.loads(path.read_text())["pages"] if path.exists() else {}
    named = {page.name for row in rows for page in row.pages}
    pages |= {result.name: _page(result) for result in results}
    known = [playbook.name for playbook, _ in headers if playbook.name in named]
    data = {
        "messages": [_row(row) for row in rows],
        "pages": {name: pages[name] for name in known if name in pages},
        "nearest": [[words, GROUPS[it], f"playbooks/{it}/"] for words, it in NEAREST],
    }
    return (
        {path: json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"} if rows else {}
    )


def _row(row: Message) -> dict[str, Any]:
    told: dict[str, Any] = {
        "says": [[pattern(says), fixed(says)] for says in row.says],
        "means": row.means,
        "family": FAMILIES[row.family],
        "pages": [{key: value for key, value in vars(page).items() if value} for page in row.pages],
    }
    return told | ({"needed": row.needed} if row.needed else {})


def _page(result: Result) -> dict[str, Any]:
    header = result.header
    return {
        "title": header.title,
        "path": f"playbooks/{result.page}/",
        "cause": header.cause or header.answer,
        "data": header.data,
        "said": list(header.symptoms),
        "short": [[it.title, "\n".join(it.lines)] for it in short_version(result)],
    }


def catalogue(headers: Headers, rows: list[Message]) -> str:
    """The messages as tables, one for each family: what is said, what it means, where to go."""
    titles: Mapping[str, tuple[str, Header]] = {p.name: (p.page, h) for p, h in headers}
    lines = [""]
    for family, heading in FAMILIES.items():
        lines += [f"## {heading}", "", "| It says | It means | Go to |", "|---|---|---|"]
        for row in rows:
            if row.family == family:
                links = "<br>".join(
                    f"[{titles[page.name][1].title}](playbooks/{titles[page.name][0]}.md)"
                    for page in row.pages
                )
                said = "<br>".join(map(code, row.says))
                lines.append(f"| {said} | {row.means.replace('|', '&#124;')} | {links} |")
        lines.append("")
    return "\n".join(lines)
