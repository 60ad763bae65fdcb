"""The graph shows files, parents, rows and the lack of either."""

from __future__ import annotations

import pytest
from playbook_kit import Sandbox
from playbook_kit.graph import Graph

pytestmark = pytest.mark.usefixtures("home")


def test_a_linear_history_is_applied_from_root_to_leaf() -> None:
    graph = Sandbox("laptop").graph("lending")
    assert graph.names("applied") == [node.name for node in graph.nodes]
    assert graph.leaves == ["0007_unique_reader_email"]
    assert graph.nodes[0].others == ("library.0003_book_copies",)
    assert graph.nodes[1].parents == ("0001_initial",)


def test_a_ghost_a_pending_file_and_a_missing_parent_are_told_apart() -> None:
    laptop = Sandbox("laptop")
    laptop.rows(
        "insert into django_migrations (app, name, applied) values ('library', '0007_gone', '')"
    )
    text = (laptop.path / "library/migrations/0006_find_books_by_title.py").read_text()
    laptop.write(
        "library/migrations/0007_here.py", text.replace("0005_longer_titles", "0006_nowhere")
    )
    graph = laptop.graph("library")
    assert graph.names("ghost") == ["0007_gone"]
    assert graph.names("pending") == ["0007_here"]
    assert graph.names("missing") == ["0006_nowhere"]
    assert Graph.from_dict(graph.to_dict()) == graph
    assert "0007_here after 0006_nowhere (pending" in str(graph)


def test_a_squash_says_what_it_replaces_and_is_the_one_leaf() -> None:
    laptop = Sandbox("laptop")
    laptop.run("python manage.py squashmigrations library 0001 0006 --noinput")
    laptop.run("python manage.py migrate")
    graph = laptop.graph("library")
    assert graph.leaves == ["0001_initial_squashed_0006_find_books_by_title"]
    squash = next(node for node in graph.nodes if node.replaces)
    assert len(squash.replaces) == 6
    assert squash.status == "applied"
