"""Playbooks as files: which there are, and the cells of one."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import HeaderError
from .header import Header, read_header

TAGS = ("setup", "before", "fix", "after", "check")


@dataclass
class Cell:
    """A cell: its text, where it starts in the file, its tag, and, once run, what it showed,
    also on the databases on which the playbook was run again."""

    kind: str  # "markdown" or "code"
    source: str
    line: int  # of its first line of text, counted from 1
    tag: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    again: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by database


@dataclass(frozen=True)
class Playbook:
    """A playbook as it stands on disk. `cells` reads the file; `header` too, and checks it."""

    path: Path

    @property
    def name(self) -> str:
        """Its file name without the ending: what the command line calls it."""
        return self.path.stem

    @property
    def page(self) -> str:
        """Its page below the folder of pages, without ending: `conflicts/two-leaf-nodes`."""
        return f"{self.path.parent.name}/{self.name.replace('_', '-')}"

    def header(self) -> Header:
        """The facts at the top. Raises HeaderError."""
        return read_header(self.path)

    def needs(self) -> tuple[str, ...]:
        """The databases that it is run on; none where its header says nothing that holds."""
        try:
            return self.header().every_database
        except HeaderError:
            return ()

    def cells(self) -> list[Cell]:
        """Its cells, without the header. Raises HeaderError for a tag that is not one of `TAGS`."""
        import jupytext

        text = self.path.read_text()
        notebook = jupytext.reads(text, fmt="py:percent")
        starts = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"# %%", line)]
        read = [cell for cell in notebook.cells if cell.cell_type != "raw"]
        cells = []
        for line, cell in zip(starts, read, strict=True):
            tags = cell.metadata.get("tags", [])
            where = f"{self.path}:{line}"
            for tag in tags:
                if tag not in TAGS:
                    raise HeaderError(f"{where}: unknown tag {tag!r}; the tags are {list(TAGS)}")
            if len(tags) > 1:
                raise HeaderError(f"{where}: a cell has one tag at most, not {tags}")
            cells.append(Cell(cell.cell_type, cell.source, line + 1, "".join(tags)))
        return cells


def meant(name: str, known: list[str]) -> str:
    """Words in brackets that ask for the names near an unknown one; empty where none is."""
    near = difflib.get_close_matches(name, known, 3, 0.5)
    return f" (is it {', '.join(near)}?)" if near else ""


def find(root: Path, names: tuple[str, ...] = ()) -> list[Playbook]:
    """The playbooks below `root`, by group and name; or those called `names`.

    Raises LookupError that names what is near when a name is unknown.
    """
    every = sorted(
        path
        for path in root.glob("*/*.py")
        if path.parent.name != "playbook_kit" and not path.name.startswith("_")
    )
    if not names:
        return [Playbook(path) for path in every]
    found = []
    for name in names:
        stem = Path(name).stem.replace("-", "_")
        matches = [path for path in every if path.stem == stem]
        if not matches:
            near = meant(stem, [path.stem for path in every])
            raise LookupError(
                f"no playbook is called {name!r}{near}; playbooks list shows all {len(every)}"
            )
        found.append(Playbook(matches[0]))
    return found
