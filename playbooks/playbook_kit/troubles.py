"""What the box “Find my trouble” and `playbooks diagnose` know: the messages and the pages that help,
in one file, `docs/find.json`, and the catalogue of messages as a table.

The patterns come from `playbooks/messages.yaml`, all that is said of a page from its run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .diagnosis import STOPPED
from .errors import HeaderError
from .family import code
from .header import GROUPS, Header
from .lists import Headers
from .messages import Message, fixed, pattern, read
from .results import Result
from .short import short_version
from .template import REPOSITORY

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
# What Django was doing when it raised an exception, by the files and functions of its traceback; the
# first that stands in the text counts.
STAGES = (
    (r"in create_contenttypes|in create_permissions", "writing content types and permissions"),
    (r"in load_disk|in import_module", "importing migrations, models or settings"),
    (r"in build_graph|in validate_consistency|in ensure_not_cyclic", "loading the graph"),
    (r"in check_consistent_history|in applied_migrations", "reading the history"),
    (r"in ask_\w+|in _choice_input|in _boolean_input", "asking a question"),
    (r"migrations[\\/]+(?:writer|serializer)\.py", "writing a migration"),
    (r"migrations[\\/]+autodetector\.py", "comparing models and migrations"),
    (r"in state_forwards|migrations[\\/]+state\.py", "building the models of a migration"),
    (r"migrations[\\/]+executor\.py", "carrying out migrations"),
)
# The words of the answer, in the terminal and in the box.
WORDS = {
    "says": "It says:",
    "raised": "Your last exception is {raised}.",
    "during": "Your last exception is {raised}, raised while {stage}.",
    "another": "The last exception is another: {raised}",
    "last": "The last exception is:",
    "data": "Data:",
    "others": "Or another page?",
    "more": "More questions",
    "unknown": "No message of Django's migrations that is known here stands in it. Read the traceback "
    "from its end: the last line says what, and the lowest line of a file of yours says where.",
    "nearest": "The nearest pages:",
    "stranger": "Nothing in it speaks of Django or of a migration: this site cannot help.",
}


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
        "stages": STAGES,
        "words": WORDS,
        "nearest": [[words, GROUPS[it], f"playbooks/{it}/"] for words, it in NEAREST],
    }
    return (
        {path: json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"} if rows else {}
    )


def written() -> dict[str, Any]:
    """What `docs/find.json` holds, as the last run wrote it."""
    data: dict[str, Any] = json.loads((REPOSITORY / "docs" / DATA).read_text())
    return data


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
        "said": [_said(result, symptom) for symptom in header.symptoms],
        "short": [[it.title, "\n".join(it.lines)] for it in short_version(result)],
    }


def _said(result: Result, symptom: str) -> str:
    """The error text, after the migration in which a command of the run stopped with it."""
    flat = " ".join(symptom.split())
    for shown in result.shown("command"):
        before, said, _ = " ".join(shown["output"].split()).partition(flat)
        stopped = list(STOPPED.finditer(before)) if said else ()
        if stopped:
            return f"{stopped[-1][0]} {flat}"
    return symptom


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
