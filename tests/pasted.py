"""Texts as people paste them: what runs printed, and what surrounds it on the way to a page."""

from __future__ import annotations

import json
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from playbook_kit.execution import Failure
from playbook_kit.results import Result
from playbook_kit.rules import printed
from playbook_kit.troubles import written

DATA = written()
WIDTH = 80


@dataclass(frozen=True)
class Pasted:
    """A text, where it comes from, and the playbook that shows this very error."""

    text: str
    about: str
    playbook: str


def _each_line(before: str) -> Callable[[str], str]:
    return lambda text: "\n".join(before + line for line in text.splitlines())


def _cut(text: str) -> str:
    """As a terminal of 80 columns shows it, and as it is copied from there."""
    lines = (
        textwrap.wrap(line, WIDTH, drop_whitespace=False) or [""] for line in text.splitlines()
    )
    return "\n".join(part for parts in lines for part in parts)


def _hard(text: str) -> str:
    """Cut in the middle of words."""
    lines = text.splitlines()
    return "\n".join(
        line[at : at + WIDTH] for line in lines for at in range(0, max(1, len(line)), WIDTH)
    )


DRESSES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "docker": _each_line("web-1  | "),
    "ci": _each_line("2026-01-05T09:00:00.1234567Z "),
    "log": _each_line("2026-01-05 09:00:00,123 ERROR "),
    "pytest": _each_line("E       "),
    "colours": lambda text: f"\x1b[31;1m{text}\x1b[0m",
    "windows": lambda text: text.replace("~/", "C:\\Users\\ada\\").replace("\n", "\r\n"),
    "chat": lambda text: text.replace("'", "\u2019").replace('"', "\u201d"),
    "cut at spaces": _cut,
    "cut anywhere": _hard,
}


def corpus(outcomes: Iterable[Result | Failure]) -> Iterator[Pasted]:
    """What a command printed that holds an error text of its playbook's header, each once and each
    dressed in one way, in turn."""
    dresses = cycle(DRESSES.items())
    seen = set()
    for outcome in outcomes:
        for database, result in (
            outcome.by_database().items() if isinstance(outcome, Result) else ()
        ):
            symptoms = printed(result)
            for shown in result.shown("command"):
                flat = " ".join(shown["output"].split())
                if not any(" ".join(s.split()) in flat for s in symptoms):
                    continue
                text = f"$ {shown['line']}\n{shown['output']}"
                if (text, result.name) not in seen:
                    seen.add((text, result.name))
                    how, dress = next(dresses)
                    about = f"{result.name}, {database}, {how}"
                    yield Pasted(dress(text), about, result.name)


def strangers() -> Iterator[str]:
    """Errors that have nothing to do with migrations, as Python prints them."""
    broken: list[Callable[[], object]] = [
        lambda: {}["name"],
        lambda: [][0],
        lambda: int("twelve"),
        lambda: json.loads("{"),
        lambda: Path("/no/such/file").read_text(),
        lambda: __import__("requests_that_nobody_has"),
        lambda: "text".no_such_method(),  # type: ignore[attr-defined]
        lambda: 1 / 0,
        lambda: "é".encode("ascii"),
        lambda: compile("a b", "views.py", "exec"),
        lambda: "a" + 1,  # type: ignore[operator]
    ]
    for call in broken:
        try:
            call()
        except Exception:
            yield traceback.format_exc()
