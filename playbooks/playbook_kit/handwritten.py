"""The pages written by hand, with the parts in them that the kit writes from runs and headers."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path

from . import matrix
from .chain import Chain
from .cheatsheet import cheat_sheet
from .counts import numbers
from .downloads import offer
from .drawing import draw_chain, draw_graph
from .graph import Graph
from .inserts import fill, insert
from .lists import Headers, symptoms
from .messages import Message
from .practice_page import exercise_tables
from .results import Result
from .troubles import catalogue

Results = Mapping[str, Result]


def handwritten_files(
    docs: Path,
    headers: Headers,
    results: list[Result],
    landing: Container[str],
    rows: list[Message],
) -> dict[Path, str]:
    """Every page below `docs` but the playbooks', as it should be, and the files it offers.

    A part stays as it is where the results that it needs are not among these. Raises HeaderError
    for a part that no run can fill.
    """
    by_name = {result.name: result for result in results}
    known = {playbook.name for playbook, _ in headers}
    generated = {
        "symptoms": symptoms(headers, landing),
        "chain-figures": chain_figures(by_name),
        "numbers": numbers(results) if known == by_name.keys() else "",
        "matrix": matrix.table(),
        "exercises": exercise_tables(),
        "messages": catalogue(headers, rows) if rows else "",
    }
    files = {}
    for path in pages(docs):
        page = path.relative_to(docs).as_posix()
        text = path.read_text()
        for name, inside in generated.items():
            mark = f"<!-- generated: {name} -->"
            text = fill(text, mark, inside) if inside and mark in text else text
        text = cheat_sheet(text, page, by_name, docs)
        text = insert(text, page, by_name, known)
        files[path], offered = offer(text, page)
        files |= {docs / name: inside for name, inside in offered.items()}
    return files


def pages(docs: Path) -> list[Path]:
    """The pages that are written by hand."""
    return sorted(path for path in docs.rglob("*.md") if docs / "playbooks" not in path.parents)


def chain_figures(results: Results) -> str:
    """A whole chain, a broken one, and a graph with a fork, from the runs of two playbooks."""
    if not {"ghost_migration", "two_leaf_nodes"} <= results.keys():
        return ""
    ghost, fork = results["ghost_migration"], results["two_leaf_nodes"]
    figures = [
        draw_chain(Chain.from_dict(next(ghost.shown("chain", "after")))),
        draw_chain(Chain.from_dict(next(ghost.shown("chain", "before")))),
        draw_graph(Graph.from_dict(next(fork.shown("graph", "before")))),
    ]
    return "\n" + "\n\n".join(figures) + "\n"
