"""What a run of a playbook gave, and the cache of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from .header import Header
from .source import Cell, Playbook
from .template import CACHE, PROJECT
from .versions import fingerprint, versions

KIT = Path(__file__).parent


@dataclass(frozen=True)
class Result:
    """An executed playbook: its header, its cells with what they showed, and with what it ran."""

    name: str
    page: str  # below the folder of pages, without ending
    header: Header
    cells: list[Cell]
    versions: dict[str, str]
    seconds: float

    def shown(self, kind: str = "", tag: str | None = None) -> Iterator[dict[str, Any]]:
        """What the cells showed, in order: of one kind, of cells with one tag, or all."""
        for cell in self.cells:
            if tag is None or cell.tag == tag:
                yield from (one for one in cell.shown if kind in ("", one["kind"]))

    def by_database(self) -> dict[str, Result]:
        """This result as each database of its own gave it, that of the first run at the top; its
        `databases` in one word where it was run once only."""
        first = {", ".join(self.header.databases): self}
        return first | {name: self._on(name) for name in self.header.again_on}

    def _on(self, database: str) -> Result:
        cells = [replace(cell, shown=cell.again[database]) for cell in self.cells]
        return replace(self, cells=cells)


def key(playbook: Playbook) -> str:
    """Names everything that can change the result: playbook, kit, sandbox project, versions."""
    text = repr(versions()) + _tools() + playbook.path.parent.name + playbook.path.read_text()
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@cache
def _tools() -> str:
    return fingerprint({}, KIT, PROJECT)


def load(key: str) -> Result | None:
    """The result kept under this key, if there is one."""
    try:
        data = json.loads((CACHE / "results" / f"{key}.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    header: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in data["header"].items()
    }
    data["header"], data["cells"] = Header(**header), [Cell(**cell) for cell in data["cells"]]
    return Result(**data)


def save(key: str, result: Result) -> None:
    """Keep a result. Written beside and renamed, so that no run ever sees half of one."""
    folder = CACHE / "results"
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"{key}.{os.getpid()}"
    half.write_text(json.dumps(asdict(result)))
    half.replace(folder / f"{key}.json")
