"""How values reach the reader: drawn in a notebook, printed when the playbook is plain Python."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .chain import Chain
from .events import MIME, Chart, Event, Table
from .graph import Graph


def shell() -> Any:
    """The IPython shell of this process, or None where the playbook runs as plain Python."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def show(event: Event) -> None:
    """Show something that happened, at once."""
    ipython = shell()
    if ipython is None:
        print(event, flush=True)
    else:
        data = {MIME: event.to_dict(), "text/plain": str(event)}
        ipython.display_pub.publish(data)


def table(about: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show what a comparison found. Cells are Markdown; a wrong number of cells is a ValueError."""
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{len(columns)} columns, and a row of {len(row)} cells: {row}")
    show(Table(about, tuple(columns), tuple(tuple(row) for row in rows)))


def chart(about: str, unit: str, numbers: Mapping[str, int]) -> None:
    """Show as bars what was measured, each number by its label. A number below zero or none at all
    is a ValueError."""
    if not numbers or min(numbers.values()) < 0:
        raise ValueError(f"a chart takes numbers from 0 up, not {dict(numbers)}")
    show(Chart(about, unit, tuple(numbers.items())))


def show_measured(value: Chain | Graph) -> None:
    """Print a measured value in plain Python; in a notebook it draws itself as a cell's value."""
    ipython = shell()
    if ipython is None:
        print(value, flush=True)
        return
    formatter = ipython.display_formatter.mimebundle_formatter
    for kind in (Chain, Graph):
        formatter.for_type(kind, _bundle)


def _bundle(value: Chain | Graph, **_: Any) -> dict[str, Any]:
    from .drawing import draw_chain, draw_graph

    drawn = draw_chain(value) if isinstance(value, Chain) else draw_graph(value)
    kind = type(value).__name__.lower()
    return {
        MIME: {"kind": kind, **value.to_dict()},
        "text/plain": str(value),
        "text/html": drawn,
    }
