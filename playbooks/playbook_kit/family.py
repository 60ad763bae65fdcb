"""The landing page of a family: its text, written by hand beside its playbooks in `index.md`, with
a table made from their headers wherever a line says `<!-- playbooks: one, another -->`."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from .errors import HeaderError
from .header import Header

INDEX = "index.md"
_MARK = re.compile(r"^<!-- playbooks: (.+?) -->$", re.MULTILINE | re.DOTALL)
_LONGEST = 150  # characters of an error text: enough to recognise it by


def order(text: str) -> list[str]:
    """The names in the text's marks, from first to last: the order in which they are read."""
    return [name.strip() for names in _MARK.findall(text) for name in names.split(",")]


def landing_page(text: str, headers: Mapping[str, Header]) -> str:
    """The text with a table in place of each mark. Raises HeaderError for an unknown name."""
    for name in order(text):
        if name not in headers:
            raise HeaderError(f"{INDEX} of a family: no playbook is called {name!r}")
    return _MARK.sub(lambda mark: _table(order(mark[0]), headers), text)


def _table(names: list[str], headers: Mapping[str, Header]) -> str:
    kind = "symptom-table decision"
    lines = ["| What you see | What happened | Applied where? |", "|---|---|---|"]
    if all(headers[name].answer for name in names):
        kind = "comparisons"
        lines = ["| What is compared | What it comes to |", "|---|---|"]
    for name in names:
        header = headers[name]
        link = f"[{header.title}]({name.replace('_', '-')}.md)"
        if header.answer:
            lines.append(f"| {link} | {header.answer} |")
        else:
            lines.append(f"| {_seen(header)} | {link} | {header.applied.partition(':')[0]} |")
    table = "\n".join(lines)
    # The search is to find the page of the error, not this list.
    opening = f'<div class="{kind}" markdown="1" data-search-exclude>'
    return f"{opening}\n\n{table}\n\n</div>"


def _seen(header: Header) -> str:
    if not header.symptoms:
        return "no error"
    text = " ".join(header.symptoms[0].split())
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rpartition(" ")[0] + " …"
    return code(text)


def code(text: str) -> str:
    """A text as it is printed, for a cell of a Markdown table."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>"
