"""An executed playbook becomes a notebook file with its output, the same bytes each time."""

from __future__ import annotations

import json
from typing import Any

from .chain import Chain
from .drawing import draw_chain, draw_graph
from .events import Chart, Command, Edit, File, Query, Table
from .graph import Graph
from .results import Result
from .source import Cell

_KINDS = (Chart, Command, Edit, File, Query, Table)
_EVENTS = {kind.__name__.lower(): kind for kind in _KINDS}


def notebook(result: Result, source: str) -> str:
    """The `.ipynb` of this result; `source` is the playbook, whose header becomes the first cell.

    Times and cell ids are left out or made from positions, so that two runs give the same file.
    """
    lines = source.splitlines()
    header = lines[: lines.index("# ---", 1) + 1]
    cells = [_cell(0, "raw", "\n".join(line[2:] for line in header), "")]
    for number, cell in enumerate(result.cells, 1):
        made = _cell(number, cell.kind, cell.source, cell.tag)
        if cell.kind == "code":
            made |= {"execution_count": None, "outputs": _outputs(cell)}
        cells.append(made)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    data = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, kind: str, text: str, tag: str) -> dict[str, Any]:
    return {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {"tags": [tag]} if tag else {},
        "source": text.splitlines(keepends=True),
    }


def _outputs(cell: Cell) -> list[dict[str, Any]]:
    outputs = []
    for shown in cell.shown:
        data: dict[str, Any] = {}
        values = {key: value for key, value in shown.items() if key != "kind"}
        if shown["kind"] in ("chain", "graph"):
            value = (Chain if shown["kind"] == "chain" else Graph).from_dict(values)
            drawn = draw_chain(value) if isinstance(value, Chain) else draw_graph(value)
            data = {"text/plain": str(value), "text/html": drawn}
        elif shown["kind"] in _EVENTS:
            data = {"text/plain": str(_EVENTS[shown["kind"]](**values))}
        else:
            data = {"text/plain": shown["text"]}
        data = {mime: text.splitlines(keepends=True) for mime, text in data.items()}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    return outputs
