"""What a playbook gets back: the output of a command, held to what was expected, and rows."""

from __future__ import annotations

from typing import Any

from .errors import PlaybookError, last_lines
from .events import Command


class Output(str):
    """What a command printed, and its exit code. A notebook does not draw it: it has been shown."""

    code: int = 0

    def _ipython_display_(self) -> None:
        pass


class Rows(list[tuple[Any, ...]]):
    """The rows of a query, as JSON types. A notebook does not draw them: they have been shown."""

    def _ipython_display_(self) -> None:
        pass


def output_of(done: Command) -> Output:
    """The output of a command that has ended."""
    output = Output(done.output)
    output.code = done.code
    return output


def held(done: Command, fails: str | None) -> Output:
    """The same, if it ended as expected; else PlaybookError. `fails`: see `Sandbox.run`."""
    output = output_of(done)
    tried = f"{done.place} $ {done.line}"
    got = f"exit code {done.code}, and at the end:\n{last_lines(output)}"
    if fails is None and output.code:
        raise PlaybookError(tried, "it succeeds", got)
    if fails is not None and (not output.code or fails not in output):
        raise PlaybookError(tried, f"it fails and prints {fails!r}", got)
    return output
