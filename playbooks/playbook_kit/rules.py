"""The truth rules that can be told from one run: what a page promises, held against its result.

The rule that every `fix` cell is needed takes a run for each of them, and the rule that pages on
disk are those of a fresh run takes the disk: see `tests/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .chain import Chain
from .results import Result

SECTIONS = (
    "Is this your case?",
    "Fix it",
    "Make sure",
    "Undo it",
    "What not to do",
    "Why it happens",
    "Keep it from happening",
    "Run it yourself",
)
BANNED = re.compile(r"\b(simply|just|easy|easily|obviously)\b", re.IGNORECASE)


def broken_promises(result: Result) -> list[str]:
    """One sentence for each rule that this result breaks; none for a good playbook."""
    if result.header.answer:
        return [*_tables(result), *_checks(result), *_words(result)]
    rules = _form, _checks, _symptoms, _words
    problems = [problem for rule in rules for problem in rule(result)]
    for name, one in result.by_database().items():
        problems += [f"on {name}: {problem}" for problem in _chain(one)]
    return problems


def _tables(result: Result) -> Iterator[str]:
    if not any(shown["rows"] for shown in result.shown("table")):
        yield "a comparison shows a table with rows; this one shows none"


def _form(result: Result) -> Iterator[str]:
    text = "\n".join(cell.source for cell in result.cells if cell.kind == "markdown")
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    if tuple(found) != SECTIONS:
        yield f"its sections must be {', '.join(SECTIONS)}; they are {', '.join(found)}"
    for tag in ("setup", "before", "fix", "after"):
        if not any(cell.tag == tag for cell in result.cells):
            yield f"no cell has the tag {tag!r}"


def _checks(result: Result) -> Iterator[str]:
    if not any(cell.tag == "check" for cell in result.cells):
        yield "no cell has the tag 'check'"
    for cell in result.cells:
        if cell.tag == "check" and "assert" not in cell.source:
            yield f"the check cell at line {cell.line} asserts nothing"


def _symptoms(result: Result) -> Iterator[str]:
    on = [printed(one) for one in result.by_database().values()]
    for symptom in result.header.symptoms:
        if not any(symptom in texts for texts in on):
            yield f"no command printed the symptom {symptom!r}"
    for texts in on:
        if len(texts) > 3:
            yield f"{len(texts)} symptoms push the fix off the screen: 3 for each database"


def printed(result: Result) -> list[str]:
    """The symptoms of the header that a command of this result printed."""
    outputs = " ".join(" ".join(shown["output"].split()) for shown in result.shown("command"))
    return [one for one in result.header.symptoms if " ".join(one.split()) in outputs]


def _chain(result: Result) -> Iterator[str]:
    before = [Chain.from_dict(shown) for shown in result.shown("chain", "before")]
    after = [Chain.from_dict(shown) for shown in result.shown("chain", "after")]
    seen = sorted({link for chain in before for link in chain.broken})
    if seen != sorted(result.header.broken):
        promised = ", ".join(result.header.broken)
        yield f"before the fix these links are broken: {seen or 'none'}; the header says {promised}"
    harm = result.header.symptoms or any(result.shown("query", "before"))
    if all(chain.whole for chain in before) and not harm:
        yield "before the fix the chain is whole, and no error or `before` query shows the harm"
    if not after:
        yield "no `after` cell shows the chain"
    for chain in after:
        if not chain.whole or chain.pending:
            yield f"after the fix the chain is not whole, or work is pending:\n{chain}"


def _words(result: Result) -> Iterator[str]:
    texts = [cell.source for cell in result.cells if cell.kind == "markdown"]
    for word in BANNED.findall("\n".join([result.header.title, result.header.cause, *texts])):
        yield f"the word {word!r} is banned"
    why = re.search(r"## Why it happens\n(.*?)(?=\n## |\Z)", "\n".join(texts), re.DOTALL)
    if why and len(why.group(1).split()) > 120:
        yield f"“Why it happens” has {len(why.group(1).split())} words; 120 are allowed"
