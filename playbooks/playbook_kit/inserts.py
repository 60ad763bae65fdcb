"""What a page written by hand shows of a run: a table, a command with its output, a file.

The page holds a pair of lines, and the kit writes what stands between them:

    <!-- run: ci_checks table What each check catches -->
    <!-- end of generated -->
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from .blocks import block
from .errors import HeaderError
from .results import Result

ENDS = "end of generated"
END = f"<!-- {ENDS} -->"
_PART = re.compile(
    rf"^<!-- run: (?P<name>\S+) (?P<kind>table|command|file) (?P<what>.+?) -->\n(?P<inside>.*?)^{END}$",
    re.MULTILINE | re.DOTALL,
)
_KEYS = {"table": "place", "command": "line", "file": "path"}
_LINK = re.compile(r"(?<=\]\()([^)#:]*)(#[^)]*)?(?=\))")


def insert(text: str, page: str, results: Mapping[str, Result], known: set[str]) -> str:
    """The text of the page at `page` (`guide/ci.md`) with each part as the runs have it.

    A part whose playbook was not run now stays as it is. Raises HeaderError where a part names a
    playbook that does not exist, or something that its run did not show.
    """

    def part(mark: re.Match[str]) -> str:
        name, kind, what = mark["name"], mark["kind"], mark["what"]
        if name not in known:
            raise HeaderError(f"docs/{page}: no playbook is called {name!r}")
        if name not in results:
            return mark[0]
        found = next((one for one in results[name].shown(kind) if one[_KEYS[kind]] == what), None)
        if found is None:
            raise HeaderError(f"docs/{page}: {name} shows no {kind} {what!r}")
        start = mark[0].partition("\n")[0]
        return f"{start}\n\n{relinked(block(found), results[name].page, page)}\n\n{END}"

    return _PART.sub(part, text)


def fill(text: str, mark: str, inside: str) -> str:
    """Replace what stands between the line `mark` and the next line that says where it ends.

    Raises ValueError when the two lines are not there.
    """
    pattern = rf"(^[ \t]*{re.escape(mark)}\n).*?(^[^\n]*{ENDS})"
    done, times = re.subn(
        pattern, lambda m: f"{m[1]}{inside}\n{m[2]}", text, flags=re.DOTALL | re.MULTILINE
    )
    if times != 1:
        raise ValueError(
            f"{mark!r} and a line with {ENDS!r} must stand there once, not {times} times"
        )
    return done


def parts(text: str) -> Iterator[tuple[str, str, str]]:
    """Of each part its playbook, its kind, and what it shows."""
    for mark in _PART.finditer(text):
        yield mark["name"], mark["kind"], mark["what"]


def without_parts(text: str) -> str:
    """The text that was written by hand."""
    return _PART.sub("", text)


def relinked(text: str, source: str, page: str) -> str:
    """Links that hold on the page of a playbook (`checks/ci-checks`), made to hold on `page`."""
    here = posixpath.dirname(page)

    def link(target: re.Match[str]) -> str:
        path, anchor = target[1], target[2] or ""
        folder, own = posixpath.split(f"playbooks/{source}.md")
        full = posixpath.join(folder, path or own)
        return posixpath.relpath(posixpath.normpath(full), here or ".") + anchor

    return _LINK.sub(link, text)
