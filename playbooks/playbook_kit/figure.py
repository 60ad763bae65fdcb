"""Figure: the HTML around a drawing, the same for every kind of drawing.

A fragment is one <figure> without blank or indented lines, which Markdown would take for the end
of the HTML and for code. It has no ids, so that a page may hold many. Its colours come from
`docs/stylesheets/figures.css`; in a notebook, without it, all has the colour of the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

# The column of a 320 px phone: a picture wider than that gets a box that scrolls.
NARROWEST_COLUMN = 288

LINE = 'fill="none" stroke="currentColor" stroke-width="2"'


def plain(text: str) -> str:
    """Text from outside as HTML, on one line: an indented line of it would end the fragment."""
    return escape(" ".join(text.split()))


def whose(app: str, place: str) -> str:
    """What the drawing is about, in the words of the values' own `str`."""
    return plain(f"{app} on {place}" if app else place)


def figure(kind: str, caption: str, lines: Iterable[str]) -> str:
    """One fragment; `kind` is its class, `caption` and `lines` are HTML."""
    opening = [f'<figure class="{kind}">', f"<figcaption>{caption}</figcaption>"]
    return "\n".join([*opening, *lines, "</figure>"])


def picture(label: str, width: int, height: int, style: str, lines: Iterable[str]) -> list[str]:
    """The lines of an <svg>; `label` is its text alternative, and `lines` its content, as HTML.

    No <title>: it would need an id to serve as a name, and would open a tooltip.
    """
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    opening = f'<svg role="img" aria-label="{label}" {size} style="{style}"'
    return [f'{opening} font-size="13" fill="currentColor">', *lines, "</svg>"]


def scrolling(label: str, lines: Iterable[str]) -> list[str]:
    """A box that scrolls sideways, by keyboard too, so that what it holds keeps its size.

    A group, not a region: regions are landmarks, and two of one name fail axe (landmark-unique).
    """
    box = f'<div class="scrolls" tabindex="0" role="group" aria-label="{label}"'
    return [f'{box} style="overflow-x:auto">', *lines, "</div>"]
