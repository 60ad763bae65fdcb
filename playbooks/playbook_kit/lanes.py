"""Lanes: where each migration of a graph stands, and which way each edge takes around the others.

Rows run down from the root, lanes run side by side, as in `git log --graph` turned upside down.
Positions only; `drawing` turns them into a picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from playbook_kit.graph import Node


@dataclass(frozen=True)
class Edge:
    """From the row of a parent down to the row of its child, in `lane` on the rows between."""

    parent: int
    child: int
    lane: int


@dataclass(frozen=True)
class Layout:
    """The nodes in the order of their rows, the lane of each row, and the edges."""

    nodes: list[Node]
    lanes: list[int]
    edges: list[Edge]

    @property
    def width(self) -> int:
        """How many lanes are in use."""
        return 1 + max([*self.lanes, *(edge.lane for edge in self.edges)], default=-1)


def lay_out(nodes: Iterable[Node]) -> Layout:
    """Give every node a row and a lane, and every edge a way that crosses no node.

    A parent that is not among the nodes, or that closes a circle, gets no edge.
    """
    layout = Layout(_parents_first(nodes), [], [])
    rows = {node.name: row for row, node in enumerate(layout.nodes)}
    parents = [
        [rows[name] for name in dict.fromkeys(node.parents) if rows.get(name, row) < row]
        for row, node in enumerate(layout.nodes)
    ]
    last_child = {parent: row for row, above in enumerate(parents) for parent in above}
    taken: set[tuple[int, int]] = set()

    def free(lane: int, start: int, stop: int) -> bool:
        return all((lane, row) not in taken for row in range(start, stop))

    for row, above in enumerate(parents):
        straight = [layout.lanes[p] for p in above if free(layout.lanes[p], p + 1, row)]
        # A lane stays closed to newcomers while a node in it still waits for a child.
        waiting = {lane for p, lane in enumerate(layout.lanes) if last_child.get(p, 0) > row}
        start = above[0] + 1 if above else row
        fresh = (at for at in count() if at not in waiting and free(at, start, row + 1))
        own = min(straight) if straight else next(fresh)
        layout.lanes.append(own)
        for parent in sorted(above, key=lambda p: (layout.lanes[p] != own, p)):
            ways = (layout.lanes[parent], own, *range(len(parents) ** 2))
            way = next(lane for lane in ways if free(lane, parent + 1, row))
            taken |= {(way, between) for between in range(parent + 1, row)}
            layout.edges.append(Edge(parent, row, way))
        taken.add((own, row))
    return layout


def _parents_first(nodes: Iterable[Node]) -> list[Node]:
    """The same order, except that a parent found further down moves up before its first child.

    A ghost can be such a parent: a value of `Graph` has its ghosts last.
    """
    by_name = {node.name: node for node in nodes}
    ordered: dict[str, Node] = {}
    started: set[str] = set()

    def visit(node: Node) -> None:
        if node.name not in started:
            started.add(node.name)
            for name in node.parents:
                if name in by_name:
                    visit(by_name[name])
            ordered[node.name] = node

    for node in by_name.values():
        visit(node)
    return list(ordered.values())
