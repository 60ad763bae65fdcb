"""What Django and the databases say, as patterns: the rows of `playbooks/messages.yaml`.

A message is written as it is printed, with words in braces for what varies. The pattern made of it
is a regular expression that Python and JavaScript read alike, but for the mark of a named group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import HeaderError

# Of each word in braces, what it stands for.
PARTS = {
    "app": r"[A-Za-z_]\w*",
    "migration": r"\w+",
    "one": r"\w+",
    "other": r"\w+",
    "model": r"\w+",
    "field": r"\w+",
    "table": r"[\w.$]+",
    "column": r"[\w$]+",
    "name": r"[^'\"\n]{1,100}?",
    "…": r"[^\n]{0,300}?",
}
_BRACES = re.compile(r"\{(\w+|…)\}")
_KEYS = {"says", "means", "go", "with"}


@dataclass(frozen=True)
class Page:
    """A playbook that a message leads to, and what decides for it: a question for the reader, or
    a regular expression (`seen`) of words in the text that answer it."""

    name: str
    ask: str = ""
    seen: str = ""


@dataclass(frozen=True)
class Message:
    """One row. `says`: the spellings of the message; `needed`: a regular expression that has to be
    found in the text as well; `pages`: the likeliest first; `family`: its heading in the catalogue."""

    family: str
    says: tuple[str, ...]
    means: str
    pages: tuple[Page, ...]
    needed: str = ""


def read(path: Path) -> list[Message]:
    """The rows of the file. Raises HeaderError for a row that is not one."""
    import yaml

    families = yaml.safe_load(path.read_text())
    return [_row(family, row) for family, rows in families.items() for row in rows]


def _row(family: str, row: Mapping[str, Any]) -> Message:
    if not {"says", "means", "go"} <= set(row) <= _KEYS:
        raise HeaderError(f"messages.yaml: {row}: the keys are {', '.join(sorted(_KEYS))}")
    says = row["says"] if isinstance(row["says"], list) else [row["says"]]
    for word in _BRACES.findall(" ".join(says)):
        if word not in PARTS:
            raise HeaderError(f"messages.yaml: {{{word}}} is none of {', '.join(PARTS)}")
    pages = [
        Page(name, **(how if isinstance(how, dict) else {"ask": how or ""}))
        for name, how in row["go"].items()
    ]
    return Message(family, tuple(says), row["means"], tuple(pages), row.get("with", ""))


def pattern(says: str) -> str:
    """The regular expression of one spelling. White space is as wide as it comes, so that a message
    may run over lines; a word in braces that comes a second time is the same word."""
    parts, named = [], set()
    for number, piece in enumerate(_BRACES.split(says)):
        if number % 2 == 0:
            parts.append(r"\s+".join(map(_escaped, re.split(r"\s+", piece))))
        elif piece == "…" or piece in named:
            parts.append(f"(?:{PARTS[piece]})")
        else:
            named.add(piece)
            parts.append(f"(?P<{piece}>{PARTS[piece]})")
    return "".join(parts)


def _escaped(text: str) -> str:
    """Only what both languages take for a sign is escaped: JavaScript refuses an idle backslash."""
    return re.sub(r"[\\^$.*+?()[\]{}|/]", r"\\\g<0>", text)


def fixed(says: str) -> int:
    """How many characters of it do not vary: the longer, the less likely by chance."""
    return len(_BRACES.sub("", says))
