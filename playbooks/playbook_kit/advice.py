"""What `playbooks diagnose` prints: a diagnosis in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .diagnosis import Data, Diagnosis, diagnose, nearest, reason, to_type

_OTHERS = 2  # alternatives that are shown


@dataclass(frozen=True)
class Advice:
    """`text`: the lines to print; `known`: whether a message was found."""

    text: list[str]
    known: bool


def advice(text: str, data: Data) -> Advice:
    """What a person should read and type who has this text on the screen."""
    found = diagnose(text, data)
    lines = _known(found, data) if found.message else _unknown(found, data, *nearest(text, data))
    return Advice(list(lines), found.message is not None)


def _known(found: Diagnosis, data: Data) -> Iterator[str]:
    assert found.message is not None
    words = data["words"]
    yield f"{words['says']} {found.line}"
    yield f"{found.message['family']}: {found.message['means']}"
    yield from filter(None, [reason(found, data)])
    if not found.pages:
        return
    (first, _), *others = found.pages
    yield ""
    yield _link(first, data)
    yield data["pages"][first]["cause"]
    for title, lines in to_type(first, found, data):
        yield from ["", f"# {title}", lines]
    if data["pages"][first]["data"]:
        yield from ["", f"{words['data']} {data['pages'][first]['data']}"]
    if others:
        yield from ["", words["others"]]
    for name, ask in others[:_OTHERS]:
        yield f"{ask}  {_link(name, data)}"
    for name, ask in others[_OTHERS:]:
        yield f"{ask}  {name}"


def _link(name: str, data: Data) -> str:
    page = data["pages"][name]
    return f"{page['title']}  {file_of(page)}"


def file_of(page: Data) -> str:
    """Where the page of a playbook stands in the repository."""
    return f"docs/{page['path'].rstrip('/')}.md"


def _unknown(found: Diagnosis, data: Data, family: str, path: str) -> Iterator[str]:
    words = data["words"]
    if found.raised:
        yield f"{words['last']} {found.raised}"
    if found.django:
        yield f"{words['unknown']} {words['nearest']} {family}  docs/{path}index.md"
    else:
        yield words["stranger"]
