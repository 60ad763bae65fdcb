"""The words of the judge: links of the chain and rows, each as (right, where, what).

They name the thing that is wrong, and never what to type.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from .chain import Chain

Told = tuple[bool, str, str]

_WHOLE = {
    "models-files": "every change of a model has a migration",
    "files-history": "the files are one line of migrations, and the history fits them",
    "history-schema": "the schema is what the recorded migrations amount to",
}


def spoken(message: str, copy: Path | None = None) -> str:
    """A message without advice on what to type, and without the folder of the copy."""
    text = re.sub(r"[^.;:\n]*(?:manage\.py|makemigrations --|--fake)[^\n]*", "", message)
    text = text.replace("makemigrations would still write", "no migration file has")
    text = text.replace(f"{copy}/", "") if copy else re.sub(r"/\S*/project/", "", text)
    return text.strip(" ;.:")


def link_lines(answer: dict[str, Any]) -> list[Told]:
    """The three links, and what is pending."""
    chain = Chain.from_dict({"place": "", **answer["chain"]})
    lines: list[Told] = []
    for link in chain.links:
        name = link.name.replace("-", " \N{LEFT RIGHT ARROW} ")
        if link.state == "whole" and not (link.name == "files-history" and chain.pending):
            lines.append((True, name, _WHOLE[link.name]))
        lines += [(False, name, spoken(finding)) for finding in link.findings]
        if link.name == "files-history" and chain.pending:
            names = ", ".join(chain.pending)
            lines.append((False, name, f"not applied to this database: {names}"))
    if answer["stopped"] and all(right for right, *_ in lines):
        lines.append((False, "project", spoken(answer["stopped"])))
    return lines


def data_lines(before: dict[str, Any], now: dict[str, Any]) -> list[Told]:
    """For each query: are all rows there, and as they were? New rows are no fault."""
    return [(*_compared(before[what], now[what], what),) for what in before]


def _compared(before: dict[str, Any], now: dict[str, Any], what: str) -> Told:
    if "error" in now:
        return False, "data", f"{what}: {now['error']}"
    columns, old, new = now["columns"], before["rows"], now["rows"]
    keys = Counter(str(row[0]) for row in old)
    if max([*keys.values(), *Counter(str(row[0]) for row in new).values()], default=1) > 1:
        lost = Counter(map(str, old)) - Counter(map(str, new))
        wrong = [f"{lost.total()} of {len(old)} rows are gone or changed"] if lost else []
    else:
        wrong = _by_key(columns, old, {str(row[0]): row for row in new})
    if wrong:
        return False, "data", f"{what}: {', '.join(wrong)}"
    return True, "data", f"{what}: all {len(old)} rows are intact"


def _by_key(columns: list[str], old: list[list[Any]], new: dict[str, list[Any]]) -> list[str]:
    gone = sum(str(row[0]) not in new for row in old)
    wrong = [f"{gone} of {len(old)} rows are gone"] if gone else []
    both = [(row, new[str(row[0])]) for row in old if str(row[0]) in new]
    for place, column in enumerate(columns):
        changed = [(was, now) for was, now in both if was[place] != now[place]]
        if changed:
            was, now = changed[0]
            example = f"{now[place]!r} in place of {was[place]!r} for {was[0]}"
            wrong.append(f"{column} is wrong in {len(changed)} of {len(old)} rows ({example})")
    return wrong
