"""What a cell showed, as a block of the page: commands, output, edits, tables, figures."""

from __future__ import annotations

import html
import re
from typing import Any

from .bars import draw_chart
from .chain import Chain
from .drawing import draw_chain, draw_graph
from .events import Chart, Query, Table
from .graph import Graph

Shown = dict[str, Any]
FIGURES = ("chain", "graph", "chart")
_ALIKE = {
    "boxes": re.compile(r'<path class="box" [^>]*/>'),
    "names": re.compile(r'<text x="31" y="22.5">models</text>\n(?:<text .*</text>\n?){3}'),
}


def fence(text: str, *classes: str, title: str = "") -> str:
    """A fenced block; its fence is longer than any in the text."""
    mark = "```"
    while mark in text:
        mark += "`"
    options = " ".join(f".{name}" for name in classes)
    titled = f' title="{html.escape(title)}"' if title else ""
    return f"{mark} {{ {options}{titled} }}\n{text.rstrip()}\n{mark}"


def block(shown: Shown) -> str:
    """The block of one thing shown, whatever its kind."""
    kind, place = shown["kind"], shown.get("place", "")
    if kind in FIGURES:
        return figure(shown)
    if kind == "command":
        return _command(shown)
    if kind == "table":
        return _table(shown)
    if kind == "edit":
        return fence(shown["diff"], "diff", title=f"{place} · {shown['path']}")
    if kind == "file":
        language = "python" if shown["path"].endswith(".py") else "text"
        return fence(shown["text"], language, title=f"{place} · {shown['path']}")
    if kind == "query":
        query = Query(place, shown["sql"], tuple(shown["columns"]), tuple(shown["rows"]))
        sql = fence(f"{query.sql};", "text", "query", title=f"{place} · python manage.py dbshell")
        if not query.columns:
            return sql
        return f"{sql}\n\n{fence(query.table(), 'text', 'output', 'no-copy')}"
    return fence(shown["text"], "text", "output", "no-copy")


def _command(shown: Shown) -> str:
    parts = [fence(shown["line"], "text", "command", title=shown["place"])]
    if shown["answers"]:
        typed = ", then ".join(f"`{answer}`" for answer in shown["answers"])
        parts.append(f"It asks. The answer here is {typed}.")
    if shown["code"]:
        output = shown["output"] or "(no output)"
        title = f"exit code {shown['code']}"
        parts.append(fence(output, "text", "output", "failed", "no-copy", title=title))
    elif shown["output"].strip():
        parts.append(fence(shown["output"], "text", "output", "no-copy"))
    return "\n\n".join(parts)


def _table(shown: Shown) -> str:
    table = Table(shown["place"], tuple(shown["columns"]), tuple(map(tuple, shown["rows"])))
    label = html.escape(f"{table.place}, scrolls sideways")
    opening = f'<div class="scrolls" tabindex="0" role="group" aria-label="{label}" markdown="1">'
    return f"{opening}\n\n{table.markdown()}\n\n</div>"


def figure(shown: Shown) -> str:
    """The drawing of a chain, a graph or a chart."""
    if shown["kind"] == "chain":
        return draw_chain(Chain.from_dict(shown))
    if shown["kind"] == "chart":
        return draw_chart(Chart(shown["place"], shown["unit"], tuple(map(tuple, shown["bars"]))))
    return draw_graph(Graph.from_dict(shown))


def drawn_once(text: str) -> str:
    """The boxes of a chain and their names are the same in each: all but the first refer to it, which
    makes a page a kilobyte lighter."""
    for name, pattern in _ALIKE.items():
        alike = pattern.findall(text)
        if len(alike) > 1:
            first, *rest = text.split(alike[0])
            shared = f'<g id="chain-{name}">{alike[0]}</g>'
            use = f'<use href="#chain-{name}"/>'
            text = first + shared + use.join(rest)
    return text
