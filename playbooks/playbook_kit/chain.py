"""The chain: the four places where a project writes its schema, and the links between them.

A value, and nothing but a value: `probe` measures it inside the sandbox, `drawing` draws it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["whole", "broken", "unknown"]

PLACES = ("models", "files", "history", "schema")
LINKS = ("models-files", "files-history", "history-schema")


@dataclass(frozen=True)
class Link:
    """One link of the chain: its state, and each difference found on it, one sentence each.

    `unknown` means that it cannot be measured; `findings` then says why.
    """

    name: str
    state: State
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """The three links of one working copy and its database, for one app or for all (`app=""`).

    `pending` are migrations with a file and no row in `django_migrations`: not a fault, but work
    that `migrate` would still do. Look at `whole`, at `broken`, or use `"some words" in chain`.
    """

    place: str
    app: str
    links: tuple[Link, ...]
    pending: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether all three links were measured and no difference was found."""
        return all(link.state == "whole" for link in self.links)

    @property
    def broken(self) -> list[str]:
        """Names of the links on which a difference was found, in the order of `LINKS`."""
        return [link.name for link in self.links if link.state == "broken"]

    @property
    def findings(self) -> list[str]:
        """Every difference, and every reason why a link is unknown, in the order of the links."""
        return [finding for link in self.links for finding in link.findings]

    def __contains__(self, words: str) -> bool:
        return any(words in finding for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The same value as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Chain:
        """The value that `to_dict` wrote."""
        links = tuple(
            Link(link["name"], link["state"], tuple(link["findings"])) for link in data["links"]
        )
        return cls(data["place"], data["app"], links, tuple(data["pending"]))

    def __str__(self) -> str:
        whose = f"{self.app} on {self.place}" if self.app else self.place
        lines = [f"{whose}: the chain is {'whole' if self.whole else 'not whole'}"]
        for link in self.links:
            near, far = link.name.split("-")
            lines.append(f"  {near} \N{EN DASH} {far}: {link.state}")
            lines += [f"    {finding}" for finding in link.findings]
        if self.pending:
            lines.append(f"  pending: {', '.join(self.pending)}")
        return "\n".join(lines)
