"""What a page offers for copying: as a Markdown file to download, and as a block to copy.

The part of the page between `<!-- file: NAME.md -->` and `<!-- end of file -->` is the one source
of both; in them its links are their words alone, because a file stands by itself.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from .blocks import fence

FOLDER = "files"
_OFFERED = re.compile(
    r"(?P<part><!-- file: (?P<name>\S+)\.md -->\n(?P<text>.*?)^<!-- end of file -->)"
    r"(\n\n<!-- generated: copy -->\n.*?^<!-- end of generated -->)?",
    re.MULTILINE | re.DOTALL,
)


def offer(text: str, page: str) -> tuple[str, dict[str, str]]:
    """The text of the page at `page` (`onboarding/x.md`) with link and block below each such part,
    and the files by their path below `docs`.

    A file ends in `.txt`: MkDocs would make a page of it otherwise. It is saved as `.md`.
    """
    files: dict[str, str] = {}
    up = "../" * (len(PurePosixPath(page).parts) - 1)

    def offered(part: re.Match[str]) -> str:
        name = part["name"]
        path = f"{FOLDER}/{name}.txt"
        files[path] = plain(part["text"])
        link = f'[Download {name}.md]({up}{path}){{ .copy download="{name}.md" }}'
        opening = '<details class="fold copy" markdown="1" data-search-exclude>'
        summary = "<summary>The same as Markdown, to copy</summary>"
        block = fence(files[path], "text", "form")
        copy = f"{link}\n\n{opening}\n{summary}\n\n{block}\n\n</details>"
        marked = f"<!-- generated: copy -->\n\n{copy}\n\n<!-- end of generated -->"
        return f"{part['part']}\n\n{marked}"

    return _OFFERED.sub(offered, text), files


def plain(text: str) -> str:
    """Markdown without links, anchors and comments."""
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    text = re.sub(r"(?<!!)\[([^\]]+)\]\([^)]+\)", r"\1", text)
    text = re.sub(r"[ ]?\{[ ]?[#.:][^}]*\}", "", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
