"""The header of a playbook: YAML in its leading comment block, the facts at the top of its page.

Two forms, told apart by their keys: one situation with its fix, or a comparison of several, which
has an `answer` in place of what only one situation has.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .chain import LINKS
from .databases import DATABASES
from .errors import HeaderError

GROUPS = {
    "conflicts": "Conflicts: working in a team",
    "mismatch": "Mismatch: models, files, history and schema disagree",
    "reset": "Reset: start again",
    "squashing": "Squashing",
    "changes": "Changes: everyday changes of models",
    "data": "Data: migrations that move rows",
    "production": "Production: what the database does",
    "checks": "Checks: tests, CI, backups, several databases",
}
DATA = ("untouched", "copied", "may be lost")
SAFE_IN = ("development only", "production")
# Where the migrations that the page is about have been applied: the fork of most answers.
APPLIED = ("nowhere yet", "here only", "elsewhere too", "no matter where")
_LINE = "# ---"


@dataclass(frozen=True)
class Header:
    """What a page says above the fold.

    `symptoms`: error texts, verbatim. `cause`: what happened and whether anything is lost.
    `broken`: names of chain links. `data` and `safe_in`: one of the words above, and more words
    after a colon if needed. `applied`: one of `APPLIED`. `databases`: those it is run on;
    `again_on`: those on which the whole of it is run once more, if there are any. `answer`: what a comparison comes to; it has this key, and of the others those in `COMPARISON`.
    """

    title: str
    databases: tuple[str, ...]
    group: str
    symptoms: tuple[str, ...] = ()
    cause: str = ""
    broken: tuple[str, ...] = ()
    data: str = ""
    undo: str = ""
    safe_in: str = ""
    applied: str = ""
    answer: str = ""
    again_on: tuple[str, ...] = ()

    @property
    def every_database(self) -> tuple[str, ...]:
        """Those of `databases` and of `again_on`."""
        return (*self.databases, *self.again_on)


OPTIONAL = ("again_on",)
COMPARISON = ("title", "answer", "databases", "group", *OPTIONAL)
SITUATION = tuple(field.name for field in fields(Header) if field.name != "answer")


def read_header(path: Path) -> Header:
    """The header of this playbook. Raises HeaderError naming the file, the key and the remedy."""
    import yaml

    lines = path.read_text().splitlines()
    if not lines or lines[0] != _LINE or _LINE not in lines[1:]:
        raise HeaderError(f"{path}:1: no header: it starts with '{_LINE}' and ends with the same")
    block = lines[1 : lines.index(_LINE, 1)]
    try:
        data = yaml.safe_load("\n".join(line[2:] for line in block))
    except yaml.YAMLError as error:
        raise HeaderError(f"{path}: the header is not YAML: {error}") from None
    if not isinstance(data, dict):
        raise HeaderError(f"{path}: the header holds no keys")
    return _checked(path, data)


def _checked(path: Path, data: dict[str, Any]) -> Header:
    names = COMPARISON if "answer" in data else SITUATION
    for name in data:
        if name not in names:
            raise HeaderError(f"{path}: unknown key {name!r}; the keys are {', '.join(names)}")
    values: dict[str, Any] = {}
    for field in fields(Header):
        if field.name not in names:
            continue
        if field.name not in data and field.name in OPTIONAL:
            continue
        if field.name not in data:
            raise HeaderError(f"{path}: the key {field.name!r} is missing")
        value = data[field.name]
        listed = field.type != "str"
        if listed and isinstance(value, list) and all(isinstance(one, str) for one in value):
            values[field.name] = tuple(value)
        elif not listed and isinstance(value, str) and value.strip():
            values[field.name] = " ".join(value.split())
        else:
            wanted = "a list of texts" if listed else "a text"
            raise HeaderError(f"{path}: {field.name!r} must be {wanted}, not {value!r}")
    header = Header(**values)
    _check_words(path, header)
    return header


def _check_words(path: Path, header: Header) -> None:
    if len(header.title) > 60:
        raise HeaderError(f"{path}: the title has {len(header.title)} characters, 60 are allowed")
    most = 3 * (1 + len(header.again_on))
    if len(header.symptoms) > most:
        said = f"{len(header.symptoms)} symptoms push the fix off the screen: {most}"
        raise HeaderError(f"{path}: {said}")
    if header.group not in GROUPS or header.group != path.parent.name:
        raise HeaderError(f"{path}: group {header.group!r} must be its folder, a known family")
    for key, words in (("data", DATA), ("safe_in", SAFE_IN), ("applied", APPLIED)):
        value = getattr(header, key)
        if not header.answer and value.split(":")[0] not in words:
            raise HeaderError(f"{path}: {key} must start with one of {', '.join(words)}")
    for key, known in (("broken", LINKS), ("databases", DATABASES), ("again_on", DATABASES)):
        for value in getattr(header, key):
            if value not in known:
                raise HeaderError(f"{path}: {key}: {value!r} is none of {', '.join(known)}")
