"""Where the migrations of a graph stand, and that no edge runs over one of them."""

from __future__ import annotations

import random

import pytest
from playbook_kit.graph import Node
from playbook_kit.lanes import Edge, lay_out


def nodes(**parents: str) -> list[Node]:
    """`nodes(a="", b="a")`: b after a."""
    return [Node(name, "applied", tuple(above.split())) for name, above in parents.items()]


def test_a_history_without_forks_stays_in_one_lane() -> None:
    layout = lay_out(nodes(a="", b="a", c="b"))
    assert layout.lanes == [0, 0, 0]
    assert layout.edges == [Edge(0, 1, 0), Edge(1, 2, 0)]


def test_a_fork_opens_a_lane_and_a_merge_closes_it() -> None:
    layout = lay_out(nodes(a="", b="a", c="a", d="b c", e="d"))
    assert layout.lanes == [0, 0, 1, 0, 0]
    assert layout.width == 2


def test_a_root_does_not_stand_in_the_way_of_an_older_parent() -> None:
    assert lay_out(nodes(a="", other_root="", b="a other_root")).lanes == [0, 1, 0]


def test_a_parent_further_down_moves_up_to_its_child() -> None:
    layout = lay_out(nodes(a="", c="ghost", ghost=""))
    assert [node.name for node in layout.nodes] == ["a", "ghost", "c"]
    assert layout.edges == [Edge(1, 2, 0)]


@pytest.mark.parametrize("parents", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "elsewhere"}])
def test_a_circle_or_an_absent_parent_gets_no_edge_upwards(parents: dict[str, str]) -> None:
    layout = lay_out(nodes(**parents))
    assert len(layout.nodes) == len(parents)
    assert all(edge.parent < edge.child for edge in layout.edges)


def test_nothing_gives_nothing() -> None:
    assert lay_out([]).width == 0


@pytest.mark.parametrize("seed", range(200))
def test_no_edge_runs_over_a_migration_or_along_another_edge(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"m{number}" for number in range(rng.randint(2, 14))]
    parents = {
        name: " ".join(rng.sample(names[:at], rng.randint(0, min(at, 3))))
        for at, name in enumerate(names)
    }
    layout = lay_out(nodes(**parents))
    cells = [(lane, row) for row, lane in enumerate(layout.lanes)]
    for edge in layout.edges:
        cells += [(edge.lane, row) for row in range(edge.parent + 1, edge.child)]
    assert len(cells) == len(set(cells))
    assert len(layout.edges) == sum(len(above.split()) for above in parents.values())
