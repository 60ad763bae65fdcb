"""The graph of one app: its migration files, their parents, and what the history says of each.

A value: `probe` measures it inside the sandbox, `drawing` draws it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["applied", "pending", "ghost", "missing"]


@dataclass(frozen=True)
class Node:
    """One migration of the app.

    `applied`: file and row. `pending`: file, no row. `ghost`: row, no file. `missing`: named as
    a parent, but there is neither file nor row. `parents` are names in the same app, `others`
    are parents in other apps as `app.name`, `replaces` are the names a squash stands for.
    """

    name: str
    status: Status
    parents: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    leaf: bool = False


@dataclass(frozen=True)
class Graph:
    """The migrations of one app in one working copy: parents before children, ghosts last."""

    place: str
    app: str
    nodes: tuple[Node, ...]

    @property
    def leaves(self) -> list[str]:
        """Names of the leaf nodes: files that no other file of the app names as a parent."""
        return [node.name for node in self.nodes if node.leaf]

    def names(self, status: Status) -> list[str]:
        """Names of the migrations with this status, in the order of the graph."""
        return [node.name for node in self.nodes if node.status == status]

    def to_dict(self) -> dict[str, Any]:
        """The same value as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Graph:
        """The value that `to_dict` wrote."""
        nodes = tuple(
            Node(
                node["name"],
                node["status"],
                tuple(node["parents"]),
                tuple(node["others"]),
                tuple(node["replaces"]),
                node["leaf"],
            )
            for node in data["nodes"]
        )
        return cls(data["place"], data["app"], nodes)

    def __str__(self) -> str:
        lines = [f"{self.app} on {self.place}:"]
        for node in self.nodes:
            marks = [node.status, *(["leaf"] if node.leaf else [])]
            after = f" after {', '.join(node.parents)}" if node.parents else ""
            lines.append(f"  {node.name}{after} ({', '.join(marks)})")
        return "\n".join(lines)
