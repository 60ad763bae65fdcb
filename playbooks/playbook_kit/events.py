"""What happened in a playbook, as values: the page is written from these and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

MIME = "application/vnd.playbook+json"


@dataclass(frozen=True)
class Event:
    """Something done at a `place`. `to_dict` adds the kind, the class's name in lower case."""

    place: str

    def to_dict(self) -> dict[str, Any]:
        """The same value as JSON types."""
        return {"kind": type(self).__name__.lower(), **asdict(self)}


@dataclass(frozen=True)
class Command(Event):
    """A command line, what was typed at its prompts, what it printed, and how it ended."""

    line: str
    output: str
    code: int
    answers: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        answered = f"\n(answered: {', '.join(self.answers)})" if self.answers else ""
        end = f"(exit code {self.code})\n" if self.code else ""
        return f"{self.place} $ {self.line}{answered}\n{self.output}{end}".rstrip("\n")


@dataclass(frozen=True)
class Edit(Event):
    """A change to a file, as a unified diff without its file names."""

    path: str
    diff: str

    def __str__(self) -> str:
        return f"{self.place}: edited {self.path}\n{self.diff}".rstrip("\n")


@dataclass(frozen=True)
class File(Event):
    """A file written whole."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: wrote {self.path}\n{self.text}".rstrip("\n")


@dataclass(frozen=True)
class Query(Event):
    """An SQL statement and what came back: column names and rows, each cell as text."""

    sql: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    seconds: float = 0.0

    @classmethod
    def of(
        cls,
        place: str,
        sql: str,
        columns: Iterable[str],
        rows: Iterable[Iterable[Any]],
        seconds: float = 0.0,
    ) -> Query:
        """One with its cells as text, `NULL` for none."""
        cells = (tuple("NULL" if it is None else str(it) for it in row) for row in rows)
        return cls(place, sql, tuple(columns), tuple(cells), seconds)

    def table(self) -> str:
        """The rows as aligned text, the way a database shell prints them."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def __str__(self) -> str:
        shown = self.table() if self.columns else "(done)"
        return f"{self.place} (python manage.py dbshell): {self.sql}\n{shown}"


@dataclass(frozen=True)
class Table(Event):
    """What a comparison found: rows of cells in Markdown, `place` being what they are about."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def __str__(self) -> str:
        return f"{self.place}\n{self.markdown()}"


@dataclass(frozen=True)
class Chart(Event):
    """Numbers that were measured, as bars: labels with numbers from 0 up, `place` being what they
    are about, and `unit` what is counted, in words."""

    unit: str
    bars: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        lines = [f"{number:>12,}  {label}" for label, number in self.bars]
        return "\n".join([f"{self.place}: {self.unit}", *lines])
