"""An executed playbook becomes the Markdown of its page. Nothing here runs anything."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping

from .blocks import drawn_once, fence, figure
from .databases import DATABASES
from .results import Result
from .rules import printed
from .short import short_version
from .source import Cell
from .tabs import blocks, pictures, tabbed


def page(result: Result, day: str = "", elsewhere: Mapping[str, str] | None = None) -> str:
    """The whole page of a situation, in the fixed order of DESIGN §5, or of a comparison. `day`: since
    when it is recorded on these versions; `elsewhere`: facts about others, in HTML."""
    write = _comparison if result.header.answer else _situation
    parts = write(result, _ran(result, day) | dict(elsewhere or {}))
    return drawn_once("\n\n".join(part for part in parts if part) + "\n")


def _situation(result: Result, ran: dict[str, str]) -> list[str]:
    first = next((n for n, cell in enumerate(result.cells) if cell.tag == "before"), 0)
    setup, body = result.cells[:first], result.cells[first:]
    return [
        _front(result),
        f"# {result.header.title}",
        _symptoms(result),
        f"**Cause:** {result.header.cause}",
        _short_version(result),
        _before_after(result),
        _facts(_asked(result) | ran),
        _fold("How this page breaks the project first", _cells(result, setup)),
        *_cells(result, (cell for cell in body if cell.tag not in ("before", "check"))),
        _run_it(result),
        _fold("Checked whenever this page is built", _checks(result)),
    ]


def _comparison(result: Result, ran: dict[str, str]) -> list[str]:
    """The answer, the text with the tables in their places, and, folded, how they were made."""
    making = [cell for cell in result.cells if cell.tag == "setup"]
    return [
        _front(result),
        f"# {result.header.title}",
        f"**{result.header.answer}**",
        *_told(result, (cell for cell in result.cells if cell.tag not in ("setup", "check"))),
        _facts(ran),
        # Without colours for Python: they would make a page of many files twice as heavy.
        _fold(
            "How each row is made",
            [part.replace("{ .python ", "{ .text ") for part in _cells(result, making)],
        ),
        "## Run it yourself",
        _run_it(result),
        _fold("Checked whenever this page is built", _checks(result)),
    ]


def _front(result: Result) -> str:
    import json

    header = result.header
    title, description = json.dumps(header.title), json.dumps(header.cause or header.answer)
    # The search counts a word of a tag more than a word of the text: these are what people paste.
    tags = f"tags: {json.dumps(header.symptoms)}\n" if header.symptoms else ""
    return f"---\ntitle: {title}\ndescription: {description}\n{tags}---"


def _symptoms(result: Result) -> str:
    if not result.header.symptoms:
        return ""
    texts = {name: printed(one) for name, one in result.by_database().items()}
    alike = [text for text in result.header.symptoms if all(text in it for it in texts.values())]
    rest = {name: [text for text in it if text not in alike] for name, it in texts.items()}
    if not all(rest.values()):  # a database with nothing of its own needs all in its tab
        alike, rest = [], texts
    parts = [_quoted(alike), tabbed({name: _quoted(it) for name, it in rest.items()})]
    inside = "\n\n".join(part for part in parts if part)
    return f'<div class="symptoms" markdown="1">\n\n{inside}\n\n</div>'


def _quoted(texts: Iterable[str]) -> str:
    return "\n\n".join(fence(text, "text", "no-copy") for text in texts)


def _short_version(result: Result) -> str:
    parts = {name: _to_copy(one) for name, one in result.by_database().items()}
    names = (
        "The names are those of this page: put your app, migrations and branches in their place."
    )
    opening = '<div class="short-version" markdown="1">'
    return "\n\n".join([opening, "**The short version**", tabbed(parts), names, "</div>"])


def _to_copy(result: Result) -> str:
    return "\n\n".join(
        fence("\n".join(block.lines), block.language, title=block.title)
        for block in short_version(result)
    )


def _before_after(result: Result) -> str:
    columns = []
    for tag in ("before", "after"):
        drawn = {name: _figures(one, tag) for name, one in result.by_database().items()}
        figures = pictures(drawn)
        columns.append(f'<div class="{tag}">\n<p>{tag.capitalize()}</p>\n{figures}\n</div>')
    return '<div class="before-after">\n' + "\n".join(columns) + "\n</div>"


def _figures(result: Result, tag: str) -> str:
    return "\n".join(
        figure(shown) for shown in result.shown(tag=tag) if shown["kind"] in ("chain", "graph")
    )


def _ran(result: Result, day: str) -> dict[str, str]:
    ran = [f"Django {result.versions['django']}"]
    ran += [f"{name} {result.versions[DATABASES[name]]}" for name in result.header.every_database]
    ran += [f"on {day}"] if day else []
    return {"Ran on": ", ".join(ran)}


def _asked(result: Result) -> dict[str, str]:
    """What a reader asks before typing anything."""
    header = result.header
    asked = {
        "Applied": header.applied,
        "Data": header.data,
        "Undo": header.undo,
        "Safe in": header.safe_in,
    }
    return {name: html.escape(text) for name, text in asked.items()}


def _facts(facts: dict[str, str]) -> str:
    rows = "\n".join(
        f"<div><dt>{name}</dt><dd>{inside}</dd></div>" for name, inside in facts.items()
    )
    return f'<dl class="facts">\n{rows}\n</dl>'


def _fold(summary: str, parts: Iterable[str]) -> str:
    inside = "\n\n".join(parts)
    return (
        f'<details class="fold" markdown="1" data-search-exclude>\n<summary>{summary}</summary>\n\n{inside}\n\n</details>'
        if inside
        else ""
    )


def _cells(result: Result, cells: Iterable[Cell]) -> list[str]:
    parts = []
    for cell in cells:
        if cell.kind == "markdown":
            parts.append(cell.source)
        # The graph after the fix stands at the top; its chain, the proof, is shown again.
        seen = ("graph",) if cell.tag == "after" else ()
        parts += blocks(cell, result.header.databases[0], but=seen)
    return parts


def _told(result: Result, cells: Iterable[Cell]) -> list[str]:
    """Text, tables and charts; the commands behind a table, and their output, are in the notebook."""
    parts = []
    for cell in cells:
        parts += [cell.source] if cell.kind == "markdown" else []
        parts += blocks(cell, result.header.databases[0], kinds=("table", "chart"))
    return parts


def _run_it(result: Result) -> str:
    name, group = result.name, result.header.group
    commands = fence(
        f".venv/bin/playbooks run {name}\n.venv/bin/playbooks open {name}",
        *("text", "command"),
        title="in a clone of this project, after make serve",
    )
    return (
        f"{commands}\n\nThe source: [{name}.py]({name}.py), which also runs as plain Python "
        f"(`.venv/bin/python playbooks/{group}/{name}.py`), and the notebook with its output: "
        f"[{name}.ipynb]({name}.ipynb)."
    )


def _checks(result: Result) -> list[str]:
    return [
        fence(cell.source, "text", "check") if cell.kind == "code" else cell.source
        for cell in result.cells
        if cell.tag == "check"
    ]
