"""From a pasted error to the page that helps: which message it is, what it names, what to type.

Reads `docs/find.json` (see `troubles`), as `docs/javascripts/find.js` does, which does the same in the
browser; both are tested on the same texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

Data = Mapping[str, Any]

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# What logs, containers, CI and pytest put before each line.
_BEFORE = re.compile(
    r"^(?:[\w.-]+ +\| ?|\[?\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?\]? ?"
    r"|(?:CRITICAL|ERROR|WARNING|INFO|DEBUG)\b[: -]*|E {2,}|[│|>] ?)+",
    re.MULTILINE,
)
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d\xa0", "''\"\" ")
# How the class of an exception ends; and its line, which begins with the class.
_ENDS = r"(?:Error|Exception|DoesNotExist|History|Missing|Plan)\b"
_LIKELY = re.compile(_ENDS)
_RAISED = re.compile(rf"^(?:\w+\.)*(?:[A-Z]\w*{_ENDS}|(?<=\.)DoesNotExist\b).*$", re.MULTILINE)
# The migration in which a command has stopped: no OK follows its name.
STOPPED = re.compile(
    r"(?P<does>Applying|Unapplying|Faking) (?P<app>\w+)\.(?P<migration>\w+)\.\.\."
    r"(?!\s*(?:OK|DONE|FAKED))"
)
_DJANGO = re.compile(r"migrat|manage\.py|django", re.IGNORECASE | re.ASCII)
# The page that is the likeliest where nothing in the text speaks for another.
_NONE = "Is none of these so?"
_NARROW = 40  # characters: a terminal is wider
# Of a text that is longer than twice its tail: lines at its end, and around the last exceptions.
_TAIL, _AROUND, _MOST = 300, 10, 50


@dataclass(frozen=True)
class Diagnosis:
    """What a text is about. `message`: a row of the data, None where no row fits; `line`: the line
    that says it; `raised`: the last exception of the text, if any; `stage`: what Django was doing
    then, as far as the text tells; `pages`: names of playbooks with the question that decides for
    each, the likeliest first, without one; `names`: what the text names, by the words of
    `messages.PARTS`; `django`: whether it speaks of Django at all."""

    message: Data | None
    line: str
    raised: str
    stage: str
    pages: tuple[tuple[str, str], ...]
    names: dict[str, str]
    django: bool


def cleaned(text: str) -> str:
    """The text without colours, without what stands before each line, and with straight quotes."""
    text = _COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n").translate(_QUOTES)
    return _BEFORE.sub("", text)


def relevant(text: str) -> str:
    """Of a long text its end, and what stands around the last exceptions: all that can answer."""
    lines = text.split("\n")
    end = len(lines) - _TAIL
    if end <= _TAIL:
        return text
    raised = list(islice((at for at in reversed(range(end)) if _LIKELY.search(lines[at])), _MOST))
    near = {at + by for at in raised for by in range(-_AROUND, _AROUND + 1)}
    kept = sorted(at for at in near if 0 <= at < end)
    return "\n".join(lines[at] for at in [*kept, *range(end, len(lines))])


def unwrapped(text: str) -> str:
    """The text with those lines joined that end where a terminal has cut them."""
    lines = text.split("\n")
    width = max(map(len, lines))
    if width < _NARROW:
        return text
    return "".join(line if len(line) == width else f"{line}\n" for line in lines)


def diagnose(text: str, data: Data) -> Diagnosis:
    """Which message the text is about: one that its last exception says, else one that stands
    anywhere in it; of several that with the longest words that do not vary."""
    text = cleaned(relevant(text))
    found, whole = _best(text, data), _best(unwrapped(text), data)
    if whole and (found is None or whole[0] > found[0]):
        found = whole
    raised = [match[0].strip() for match in _RAISED.finditer(text)]
    last = raised[-1] if raised else ""
    at = list(STOPPED.finditer(text))
    names = at[-1].groupdict() if at else {}
    stage = _stage(text, names.pop("does", ""), names, data)
    if found is None:
        return Diagnosis(None, "", last, stage, (), names, bool(_DJANGO.search(text)))
    _, message, match = found
    names = _with_app(names | match.groupdict())
    start = match.string.rfind("\n", 0, match.start()) + 1
    line = " ".join(match.string[start : match.end()].split())
    pages = sorted(message["pages"], key=lambda page: not _seen(page, text))
    asked = tuple(
        (page["name"], page.get("ask", _NONE * bool(at))) for at, page in enumerate(pages)
    )
    return Diagnosis(message, line, last, stage, asked, names, True)


def _seen(page: Data, text: str) -> bool:
    return "seen" in page and bool(re.search(page["seen"], text))


def _stage(text: str, does: str, names: Mapping[str, str], data: Data) -> str:
    """What Django was doing: carrying out a migration, else what the files of the traceback tell."""
    if does:
        return f"{does.lower()} {names['app']}.{names['migration']}"
    return next((str(words) for files, words in data["stages"] if re.search(files, text)), "")


def reason(found: Diagnosis, data: Data) -> str:
    """Why this answer: the last exception, and when it was raised; of a text without one, nothing."""
    if not found.raised:
        return ""
    words: dict[str, str] = data["words"]
    if found.line and found.line not in found.raised and found.raised not in found.line:
        return words["another"].replace("{raised}", found.raised)
    name = found.raised.partition(":")[0].rpartition(".")[2]
    return (
        words["during" if found.stage else "raised"]
        .replace("{raised}", name)
        .replace("{stage}", found.stage)
    )


def nearest(text: str, data: Data) -> tuple[str, str]:
    """Of a text without a known message the family that is nearest: its title and its path."""
    return next((title, path) for words, title, path in data["nearest"] if re.search(words, text))


def _best(text: str, data: Data) -> tuple[tuple[bool, int], Data, re.Match[str]] | None:
    """The message that says most in the last exception, or anywhere, with that as a score, and where
    it stands last."""
    raised = [match.start() for match in _RAISED.finditer(text)]
    last = raised[-1] if raised else 0
    best: tuple[tuple[bool, int], Data, re.Match[str]] | None = None
    for message in data["messages"]:
        if not re.search(message.get("needed", ""), text):
            continue
        for says, fixed in message["says"]:
            for match in re.finditer(says, text):
                score = (match.end() > last, fixed)
                if best is None or (*score, match.start()) > (*best[0], best[2].start()):
                    best = score, message, match
    return best


def _with_app(names: dict[str, str]) -> dict[str, str]:
    """A table begins with the label of its app, unless somebody has named it."""
    table = names.get("table", "").rpartition(".")[2]
    return {"app": table.partition("_")[0]} | names if "_" in table else names


def _own(said: list[str], spellings: list[list[str]]) -> Iterator[dict[str, str]]:
    """What the error texts of a page name: those of this message, then those of others."""
    others = []
    for text in said:
        stopped = STOPPED.search(text)
        names = stopped.groupdict() if stopped else {}
        match = next(filter(None, (re.search(says, text) for says, _ in spellings)), None)
        if match:
            yield _with_app(names | match.groupdict())
        others.append(names)
    yield from others


def to_type(name: str, diagnosis: Diagnosis, data: Data) -> list[tuple[str, str]]:
    """The short version of this page, each block with its title, with the names of the text in place
    of those of the page's own run, as far as they stand in it."""
    page = data["pages"][name]
    blocks: list[tuple[str, str]] = [(title, text) for title, text in page["short"]]
    for ours in _own(page["said"], diagnosis.message["says"] if diagnosis.message else []):
        new = {ours[key]: value for key, value in diagnosis.names.items() if ours.get(key)}
        if new and any(_any_of(new).search(text) for _, text in blocks):
            return [(title, _put(new, text)) for title, text in blocks]
    return blocks


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    longest = sorted(names, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest))})\b")


def _put(new: Mapping[str, str], text: str) -> str:
    return _any_of(new).sub(lambda found: new[found[0]], text)
