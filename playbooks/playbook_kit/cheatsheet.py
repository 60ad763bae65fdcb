"""The cheat sheet: the fixes of the playbooks that its page names, from their `fix` cells.

<!-- fixes: two_leaf_nodes, ghost_migration -->
<!-- end of generated -->
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from .blocks import fence
from .inserts import END
from .results import Result
from .short import short_version

_FIXES = re.compile(
    rf"^(?P<mark><!-- fixes: (?P<names>.+?) -->)\n.*?^{END}$", re.MULTILINE | re.DOTALL
)


def named(text: str) -> list[str]:
    """The playbooks whose fixes stand on the page."""
    return [name.strip() for part in _FIXES.finditer(text) for name in part["names"].split(",")]


def cheat_sheet(text: str, page: str, results: Mapping[str, Result]) -> str:
    """The text of the page with each list of fixes as the runs have it."""

    def fixes(part: re.Match[str]) -> str:
        names = [name.strip() for name in part["names"].split(",")]
        if not results.keys() >= set(names):
            return part[0]
        cards = "\n\n".join(_card(results[name], page) for name in names)
        return f"{part['mark']}\n\n{cards}\n\n{END}"

    return _FIXES.sub(fixes, text)


def _card(result: Result, page: str) -> str:
    target = posixpath.relpath(f"playbooks/{result.page}.md", posixpath.dirname(page) or ".")
    blocks = [fence("\n".join(it.lines), it.language) for it in short_version(result)]
    title = f"**[{result.header.title}]({target})**"
    return "\n\n".join(['<div class="card" markdown="1">', title, *blocks, "</div>"])
