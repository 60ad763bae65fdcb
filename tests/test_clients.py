"""What goes on at the same time on PostgreSQL: other clients, commands in the background, waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playbook_kit import Background, Client, Sandbox, clients, who_waits
from playbook_kit.errors import PlaybookError


@pytest.fixture
def laptop(sandbox_on: Callable[[str], Sandbox]) -> Sandbox:
    return sandbox_on("PostgreSQL")


def test_who_waits_for_whom_is_seen(laptop: Sandbox) -> None:
    report, web = Client(laptop, "report"), Client(laptop, "web")
    report.rows("begin")
    report.rows("select count(*) from library_book")
    migrating = Background(laptop, "python manage.py migrate library 0004")
    assert who_waits(laptop, 1) == [("migrate", "report")]
    page = web.start("select count(*) from library_book")
    assert who_waits(laptop, 2) == [("migrate", "report"), ("web", "migrate")]
    report.close()
    assert "Unapplying library.0005_longer_titles... OK" in migrating.end()
    assert page.result(10) == [(6,)]
    web.close()


def test_a_command_in_the_background_is_held_to_what_is_expected(laptop: Sandbox) -> None:
    with pytest.raises(PlaybookError, match="it succeeds"):
        Background(laptop, "python manage.py migrate library 0099").end()
    Background(laptop, "python manage.py migrate library 0099").end(fails="Cannot find")


def test_a_wait_that_does_not_come_is_an_error(
    laptop: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "DEADLINE", 0.1)
    with pytest.raises(PlaybookError, match="1 wait"):
        who_waits(laptop, 1)


def test_a_client_needs_a_server(home: Path) -> None:
    with pytest.raises(PlaybookError, match="a database of PostgreSQL"):
        Client(Sandbox(f"sqlite-{home.name}"), "web")
