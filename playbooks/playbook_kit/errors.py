"""What goes wrong in a playbook, said so that the next step is clear."""

from __future__ import annotations


class PlaybookError(Exception):
    """A playbook did not do what it says: what was tried, what was expected, what came."""

    def __init__(self, tried: str, expected: str, got: str) -> None:
        super().__init__(f"{tried}\n  expected: {expected}\n  got: {got}")
        self.tried = tried
        self.expected = expected
        self.got = got


class ServerError(Exception):
    """A server of databases that cannot be started or used, and why."""


class HeaderError(Exception):
    """A playbook's header is not of the form that DESIGN asks for: names the file and the key."""


def last_lines(text: str, most: int = 12) -> str:
    """The end of an output, indented, for a message about it."""
    lines = text.rstrip().splitlines() or ["(no output)"]
    return "\n".join(f"    {line}" for line in lines[-most:])
