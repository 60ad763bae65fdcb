"""The numbers of the last complete run, for the page that says how the site is checked."""

from __future__ import annotations

from typing import Any

from .databases import DATABASES
from .results import Result


def numbers(results: list[Result]) -> str:
    """A table of what ran: how many of each, and under which versions."""
    commands = _shown(results, "command")
    databases = [
        f"{name} {results[0].versions[key]} (playbooks: {_count(results, name)})"
        for name, key in DATABASES.items()
        if _count(results, name)
    ]
    rows = [
        ("playbooks", len(results)),
        ("of these, comparisons of several situations", sum(map(_compares, results))),
        ("commands", len(commands)),
        ("commands that had to fail, and did", sum(1 for one in commands if one["code"])),
        ("error texts quoted, each printed by a command", _all(results, "symptoms")),
        ("chains measured", len(_shown(results, "chain"))),
        ("queries", len(_shown(results, "query"))),
        ("Django", results[0].versions["django"]),
        ("databases", ", ".join(databases)),
    ]
    lines = [
        "| in the last run | how many, or which |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
    ]
    return "\n" + "\n".join(lines) + "\n"


def _count(results: list[Result], database: str) -> int:
    return sum(1 for result in results if database in result.header.every_database)


def _compares(result: Result) -> bool:
    return bool(result.header.answer)


def _all(results: list[Result], key: str) -> int:
    return sum(len(getattr(result.header, key)) for result in results)


def _shown(results: list[Result], kind: str) -> list[dict[str, Any]]:
    """What all runs showed of one kind, on every database."""
    return [
        it for result in results for one in result.by_database().values() for it in one.shown(kind)
    ]
