"""How the tests read the pages written by hand: their sections, items, blocks, sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from playbook_kit.handwritten import pages
from playbook_kit.template import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = pages(DOCS)
# What the kit has written into them: from runs, from headers, from another page, from a record.
_WRITTEN = re.compile(
    r"^<!-- (?:run|generated|fixes|table|recorded): .*?^<!-- end of (?:generated|recorded) -->$",
    re.MULTILINE | re.DOTALL,
)
_FENCE = re.compile(r"^(?P<mark>`{3,}) ?(?P<info>.*?)\n(?P<text>.*?)\n(?P=mark)$", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)")


def name(path: Path) -> str:
    """The page as it is called below `docs`: `guide/ci.md`."""
    return path.relative_to(DOCS).as_posix()


def by_hand(text: str) -> str:
    """The text without front matter and without what the kit has written."""
    return _WRITTEN.sub("GENERATED", re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S))


def fences(text: str) -> list[tuple[str, str]]:
    """Each fenced block that was written by hand: what stands behind its marks, and its text."""
    return [(fence["info"], fence["text"]) for fence in _FENCE.finditer(by_hand(text))]


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Each `##` section: its heading and its text."""
    for part in re.split(r"^## ", _FENCE.sub("", by_hand(text)), flags=re.MULTILINE)[1:]:
        heading, _, inside = part.partition("\n")
        yield heading, inside


def items(text: str) -> list[str]:
    """Each item of a list, whole."""
    found = re.findall(
        r"^(?:- |\d+\. )(.+?)(?=\n(?:- |\d+\. |\n|#|<|>)|\Z)",
        _FENCE.sub("", by_hand(text)),
        re.MULTILINE | re.DOTALL,
    )
    return [" ".join(item.split()) for item in found]


def links(text: str) -> list[str]:
    """Where it points, without anchors."""
    return [target.partition("#")[0] for target in _LINK.findall(text)]


def sentences(text: str) -> list[str]:
    """The sentences of the prose: no tables, no blocks, links by their words alone."""
    text = re.sub(r"<!--.*?-->|<[^>]+>", "", _FENCE.sub("", by_hand(text)), flags=re.S)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("GENERATED", "")
    text = re.sub(r"\{[^}\n]*\}|[*>]", "", text)
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:- |\d+\. ))", text):
        if not block.strip().startswith(("|", "#")):
            words = " ".join(block.split())
            found += re.split(r"(?<=[.?!])[\"”)]*\s+(?=\S)", words)
    return [sentence for sentence in found if re.search(r"\w", sentence)]
