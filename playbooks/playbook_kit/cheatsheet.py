"""The cheat sheet: the fixes of the playbooks that its page names, from their `fix` cells, below a
line `<!-- fixes: two_leaf_nodes, ghost_migration -->`; and the table below a heading of another
page, written once, below a line `<!-- table: guide/the-chain.md#What each command writes -->`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from .blocks import fence
from .errors import HeaderError
from .inserts import END
from .results import Result
from .short import short_version

_FIXES = re.compile(
    rf"^(?P<mark><!-- fixes: (?P<names>.+?) -->)\n.*?^{END}$", re.MULTILINE | re.DOTALL
)
_TABLE = re.compile(
    rf"^(?P<mark><!-- table: (?P<page>.+?)#(?P<heading>.+?) -->)\n.*?^{END}$",
    re.MULTILINE | re.DOTALL,
)


def named(text: str) -> list[str]:
    """The playbooks whose fixes stand on the page."""
    return [name for part in _FIXES.finditer(text) for name in _names(part)]


def _names(part: re.Match[str]) -> list[str]:
    return [name.strip() for name in part["names"].split(",")]


def cheat_sheet(text: str, page: str, results: Mapping[str, Result], docs: Path) -> str:
    """The text of the page with each list of fixes as the runs have it, and each table as the other
    page has it. Raises HeaderError where that page has no such heading with a table."""

    def fixes(part: re.Match[str]) -> str:
        names = _names(part)
        if not results.keys() >= set(names):
            return part[0]
        cards = "\n\n".join(_card(results[name], page) for name in names)
        return f"{part['mark']}\n\n{cards}\n\n{END}"

    def table(part: re.Match[str]) -> str:
        source = (docs / part["page"]).read_text()
        section = source.partition(f"\n## {part['heading']}\n")[2].partition("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("|")]
        if not rows:
            raise HeaderError(f"docs/{page}: no table below {part['heading']!r} in {part['page']}")
        return f"{part['mark']}\n\n{chr(10).join(rows)}\n\n{END}"

    return _TABLE.sub(table, _FIXES.sub(fixes, text))


def _card(result: Result, page: str) -> str:
    target = posixpath.relpath(f"playbooks/{result.page}.md", posixpath.dirname(page) or ".")
    blocks = [fence("\n".join(it.lines), it.language) for it in short_version(result)]
    title = f"**[{result.header.title}]({target})**"
    return "\n\n".join(['<div class="card" markdown="1">', title, *blocks, "</div>"])
