"""One thing as several databases showed it: once where they agree, in tabs where they differ.

The tabs of a page are linked: who chooses PostgreSQL once has chosen it everywhere.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from .blocks import FIGURES, block
from .source import Cell

Shown = dict[str, Any]


def tabbed(parts: dict[str, str]) -> str:
    """The part of each database, by its name: one text where all are the same, else a tab each."""
    first, *others = parts.values()
    if all(other == first for other in others):
        return first
    tabs = [
        f'=== "{name}"\n\n{textwrap.indent(text or "Nothing.", "    ")}'
        for name, text in parts.items()
    ]
    # The exclamation mark begins a new set: two that follow each other would be one.
    return "\n\n".join(tabs).replace("===", "===!", 1)


def blocks(cell: Cell, first: str, kinds: Iterable[str] = (), but: Iterable[str] = ()) -> list[str]:
    """The blocks of what a cell showed, of some kinds or of all `but` some. `first`: the name of the
    database that the cell's own `shown` is from."""

    def chosen(shown: list[Shown]) -> list[Shown]:
        return [
            one for one in shown if one["kind"] not in but and (not kinds or one["kind"] in kinds)
        ]

    by_database = {first: chosen(cell.shown)} | {
        name: chosen(shown) for name, shown in cell.again.items()
    }
    return list(_side_by_side(by_database))


def _side_by_side(by_database: dict[str, list[Shown]]) -> Iterator[str]:
    """One part for each thing shown; one for all where the databases did not do the same things."""
    lists = list(by_database.values())
    if any(_kinds(shown) != _kinds(lists[0]) for shown in lists):
        yield tabbed({name: "\n\n".join(map(block, it)) for name, it in by_database.items()})
        return
    for each in zip(*lists, strict=True):
        parts = {name: block(one) for name, one in zip(by_database, each, strict=True)}
        yield pictures(parts) if each[0]["kind"] in FIGURES else tabbed(parts)


def pictures(parts: dict[str, str]) -> str:
    """Drawings one below the other, where they differ: HTML cannot stand in a tab."""
    first, *others = parts.items()
    told = [f"<p>On {name}</p>\n{text}" for name, text in others if text != first[1]]
    return "\n".join([first[1], *told])


def _kinds(shown: list[Shown]) -> list[str]:
    return [one["kind"] for one in shown]
