"""The steps of an exercise file: what breaks a project, or repairs it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import servers
from .databases import default
from .exercises import ExerciseError, Step
from .sandbox import Sandbox, opened


def at(path: Path) -> Sandbox:
    """The place of a setup that this folder is."""
    database = default()
    url = "" if database == "SQLite" else servers.url_of(database, path.parent, path.name)
    return opened(path, database, url)


def carry_out(place: Sandbox, steps: Iterable[Step], strict: bool = True) -> None:
    """Do these, one after the other, without a word. A command line is a text; the others are

        {run: LINE, fails: WORDS}    a command that must fail and print these words
        {sql: STATEMENT}
        {edit: FILE, old: TEXT, new: TEXT}    the text stands there once
        {write: FILE, text: TEXT}
        {copy: NAME}    a second place with a second database, both as they are now
        {at: NAME, do: STEPS}    steps in that place

    PlaybookError where one does not do what it says; not `strict`: a command may fail.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        for step in steps:
            _do(place, {"run": step} if isinstance(step, str) else step, strict)


def _do(place: Sandbox, step: dict[str, Any], strict: bool) -> None:
    match step:
        case {"run": line, "fails": words}:
            place.run(line, fails=words)
        case {"run": line} if strict:
            place.run(line)
        case {"run": line}:
            place.attempt(line)
        case {"sql": statement}:
            place.rows(statement)
        case {"edit": path, "old": old, "new": new}:
            place.replace(path, old, new)
        case {"write": path, "text": text}:
            place.write(path, text)
        case {"copy": name}:
            place.clone(name)
        case {"at": name, "do": steps}:
            carry_out(at(place.path.parent / name), steps, strict)
        case _:
            raise ExerciseError(f"not a step: {step!r}")
