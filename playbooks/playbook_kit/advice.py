"""What `playbooks diagnose` prints: a diagnosis in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .diagnosis import Data, Diagnosis, diagnose, nearest, to_type

_OTHERS = 2  # alternatives that are shown


@dataclass(frozen=True)
class Advice:
    """`text`: the lines to print; `known`: whether a message was found."""

    text: list[str]
    known: bool


def advice(text: str, data: Data) -> Advice:
    """What a person should read and type who has this text on the screen."""
    found = diagnose(text, data)
    lines = _known(found, data) if found.message else _unknown(found, *nearest(text, data))
    return Advice(list(lines), found.message is not None)


def _known(found: Diagnosis, data: Data) -> Iterator[str]:
    assert found.message is not None
    yield f"It says: {found.line}"
    yield f"{found.message['family']}: {found.message['means']}"
    if found.raised and found.line not in found.raised and found.raised not in found.line:
        yield f"(The last exception is another: {found.raised})"
    if not found.pages:
        return
    (first, _), *others = found.pages
    yield ""
    yield _link(first, data)
    yield data["pages"][first]["cause"]
    for title, lines in to_type(first, found, data):
        yield from ["", f"# {title}", lines]
    if others:
        yield ""
    for name, ask in others[:_OTHERS]:
        yield f"{ask}  {_link(name, data)}"
    for name, ask in others[_OTHERS:]:
        yield f"{ask}  {name}"


def _link(name: str, data: Data) -> str:
    page = data["pages"][name]
    return f"{page['title']}  docs/{page['path'].rstrip('/')}.md"


def _unknown(found: Diagnosis, family: str, path: str) -> Iterator[str]:
    if found.raised:
        yield f"The last exception is: {found.raised}"
    if not found.django:
        yield "Nothing in it speaks of Django or of a migration: this site cannot help."
        return
    yield "No message of Django's migrations that is known here stands in it."
    yield "Read the traceback from its end: the last line says what, and the lowest line of a file of"
    yield f"yours says where. The nearest pages: {family}  docs/{path}index.md"
