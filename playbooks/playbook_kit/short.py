"""The short version of a page: the commands of its `fix` cells, each with its warnings before it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .results import Result

_WHOLE = 4  # lines of an edit that the short version shows
_BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)


@dataclass
class Block:
    """Lines that are typed in one place: a shell, or a database shell."""

    title: str
    language: str
    lines: list[str] = field(default_factory=list)


def short_version(result: Result) -> list[Block]:
    """The blocks to copy, in order. What is bold before a command in “Fix it” warns of it, and
    becomes a comment: whoever copies from the top of a page has not read what is below."""
    blocks: list[Block] = []
    warnings: list[str] = []
    fixing = False
    for cell in result.cells:
        if cell.kind == "markdown":
            start = cell.source.find("## Fix it")
            fixing = fixing or start >= 0
            if fixing:
                warnings += _BOLD.findall(cell.source[max(start, 0) :])
        elif cell.tag == "fix":
            for shown in cell.shown:
                _add(blocks, shown, warnings)
                warnings = []
    return blocks


def _add(blocks: list[Block], shown: dict[str, Any], warnings: list[str]) -> None:
    lines = _lines(shown)
    if not lines:
        return
    sql = shown["kind"] == "query"
    title = shown["place"] + (" · python manage.py dbshell" if sql else "")
    if not blocks or blocks[-1].title != title:
        blocks.append(Block(title, "sql" if sql else "bash"))
    sign = "--" if sql else "#"
    told = (" ".join(warning.replace("`", "").split()) for warning in warnings)
    blocks[-1].lines += [*(f"{sign} {warning}" for warning in told), *lines]


def _lines(shown: dict[str, Any]) -> list[str]:
    if shown["kind"] == "command":
        answers = ", ".join(shown["answers"])
        return [f"{shown['line']}  # answer {answers}" if answers else shown["line"]]
    if shown["kind"] == "query":
        return [f"{shown['sql']};"]
    if shown["kind"] == "file":
        return [f"# write {shown['path']} (below)"]
    return _edit(shown) if shown["kind"] == "edit" else []


def _edit(shown: dict[str, Any]) -> list[str]:
    """A small edit whole, as comments; of a larger one its place alone."""
    changed = [line for line in shown["diff"].splitlines() if line[0] in "+-" and line[1:].strip()]
    whole = len(changed) <= _WHOLE and all(len(line) <= 100 for line in changed)
    edits = [f"#   {line[0]} {line[1:].strip()}" for line in changed] if whole else []
    return [f"# edit {shown['path']}{':' if whole else ' (below)'}", *edits]
