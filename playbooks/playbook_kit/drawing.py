"""Drawing: a chain or a graph as HTML, for a Markdown page and for the output of a notebook cell.

Nothing is said by colour alone: lines differ in form, marks in shape, and words stand beside them.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

from playbook_kit.chain import LINKS, PLACES, Chain, State
from playbook_kit.figure import LINE, NARROWEST_COLUMN, figure, picture, plain, scrolling, whose
from playbook_kit.graph import Graph, Node
from playbook_kit.lanes import Edge, Layout, lay_out

BOX, GAP, HEIGHT = 60, 32, 36
STEP = BOX + GAP
# What stands in the gap between two boxes. Signs are paths: a font may draw ✓ as an emoji.
LINK_PATHS: dict[State, str] = {
    "whole": '<path d="M0 20H32"/><path d="M11 9l3.5 3.5 6.5-8"/>',
    "broken": '<path d="M0 20H10M22 20H32"/><path d="M12 4.5l8 8m0-8l-8 8"/>',
    "unknown": '<path d="M4 20H29" stroke-dasharray="0 4.8" stroke-linecap="round"/>'
    '<text x="16" y="13.5" fill="currentColor" stroke="none" font-weight="bold">?</text>',
}

LANE, ROW, NOTE, RADIUS = 18, 28, 17, 5
# Advance per character in px, of the widest common fonts (DejaVu): the reader's are not known.
NAME_ADVANCE, WORDS_ADVANCE = 7.9, 6.9
STATUS_MARKS = {
    "applied": f'<circle r="{RADIUS + 1}" fill="currentColor" stroke="none"/>',
    "pending": f'<circle r="{RADIUS}"/>',
    "ghost": f'<circle r="{RADIUS}" stroke-dasharray="3 2.24"/>',
    "missing": '<text y="3" fill="currentColor" stroke="none" text-anchor="middle" '
    'font-weight="bold">?</text>',
}
STATUS_WORDS = {
    "applied": "",
    "pending": "pending",
    "ghost": "row without a file",
    "missing": "named as a parent, no file",
}


def draw_chain(chain: Chain) -> str:
    """The chain as a row of four boxes, and below it each finding as text that wraps.

    What `Sandbox.chain()` shows in a notebook, and what opens and closes the page of a playbook.
    """
    boxes = [1 + at * STEP for at in range(len(PLACES))]
    side = BOX - 8
    outline = "".join(
        f"M{x} 5V{HEIGHT - 5}q0 4 4 4h{side}q4 0 4-4V5q0-4-4-4h-{side}q-4 0-4 4z" for x in boxes
    )
    parts = [f"<g {LINE}>", f'<path class="box" d="{outline}"/>']
    for x, link in zip(boxes, chain.links, strict=False):
        sign = LINK_PATHS[link.state]
        parts.append(f'<g class="{link.state}" transform="translate({x + BOX} 0)">{sign}</g>')
    parts.append("</g>")
    for x, place in zip(boxes, PLACES, strict=True):
        parts.append(f'<text x="{x + BOX // 2}" y="22.5">{place}</text>')
    about = whose(chain.app, chain.place)
    states = ", ".join(f"{_dashed(link.name)} {link.state}" for link in chain.links)
    found = len(chain.findings)
    label = f"Chain of {about}: {states}; {found} finding{'' if found == 1 else 's'}"
    parts = ['<g text-anchor="middle">', *parts, "</g>"]
    width = len(LINKS) * STEP + BOX + 2
    svg = picture(label, width, HEIGHT, "max-width:100%;height:auto", parts)
    return figure("chain", about, [*svg, *_findings(chain)])


def _findings(chain: Chain) -> list[str]:
    items = [
        f'<li><b class="{link.state}">{_dashed(link.name)}:</b> {plain(finding)}</li>'
        for link in chain.links
        for finding in link.findings or ([] if link.state == "whole" else [link.state])
    ]
    lines = ["<ul>", *items, "</ul>"] if items else ["<p>All three links hold.</p>"]
    if chain.pending:
        lines.append(f'<p class="quiet">Still to apply: {plain(", ".join(chain.pending))}</p>')
    return lines


def _dashed(link: str) -> str:
    return link.replace("-", " \N{EN DASH} ")


def draw_graph(graph: Graph) -> str:
    """The graph like `git log --graph`, but with the root on top and the leaves at the bottom.

    What `Sandbox.graph(app)` shows in a notebook. It says more than the chain where migrations
    fork, merge, are squashed or are missing.
    """
    about = whose(graph.app, graph.place)
    layout = lay_out(graph.nodes)
    if not layout.nodes:
        return figure("graph", about, ["<p>No migration files and no rows.</p>"])
    left = layout.width * LANE + 4
    words = [_words(node, several_leaves=len(graph.leaves) > 1) for node in layout.nodes]
    notes = [_note(row, layout) for row in range(len(layout.nodes))]
    tops = list(accumulate((ROW + NOTE * bool(note) for note in notes), initial=-4))
    middles = [top + ROW // 2 for top in tops]
    edges = "".join(_edge(edge, layout.lanes, middles) for edge in layout.edges)
    marks, texts = [], []
    width = 0.0
    for row, node in enumerate(layout.nodes):
        marks.append(_mark(node, _x(layout.lanes[row]), middles[row]))
        texts += _texts(node, left, middles[row], words[row], notes[row])
        first = len(node.name) * NAME_ADVANCE + len(words[row]) * WORDS_ADVANCE + 12
        width = max(width, left + first, left + len(notes[row]) * WORDS_ADVANCE)
    # What all lines and all names have in common is said once: a page holds many of them.
    parts = [f"<g {LINE}>", f'<path class="edge" d="{edges}"/>', *marks, "</g>"]
    parts += ['<g class="names" font-family="monospace">', *texts, "</g>"]
    label = f"Migrations of {about}: {'; '.join(map(_aloud, layout.nodes, words))}"
    svg = picture(label, round(width), tops[-1] - 4, "max-width:none", parts)
    if width > NARROWEST_COLUMN:
        svg = scrolling(f"Migrations of {about}, scrolls sideways", svg)
    return figure("graph", about, svg)


def _words(node: Node, several_leaves: bool) -> str:
    replaces = f"replaces {len(node.replaces)}" if node.replaces else ""
    leaf = "leaf" if node.leaf and several_leaves else ""
    return ", ".join(filter(None, [STATUS_WORDS[node.status], replaces, leaf]))


def _note(row: int, layout: Layout) -> str:
    """The parents from which no edge comes: in other apps, or in a circle."""
    node = layout.nodes[row]
    rows = {other.name for other in layout.nodes}
    drawn = {layout.nodes[edge.parent].name for edge in layout.edges if edge.child == row}
    undrawn = [name for name in node.parents if name not in drawn]
    after = [f"{name} in a circle" if name in rows else name for name in undrawn]
    after += node.others
    return f"after {', '.join(after)}" if after else ""


def _aloud(node: Node, words: str) -> str:
    status = words if STATUS_WORDS[node.status] else ", ".join(filter(None, [node.status, words]))
    after = [*node.parents, *node.others]
    return plain(f"{node.name} {status}{', after ' if after else ''}{', '.join(after)}")


def _x(lane: int) -> int:
    return lane * LANE + RADIUS + 1


def _edge(edge: Edge, lanes: list[int], middles: list[int]) -> str:
    """The way from circle to circle: it bends between two rows and runs straight past others."""
    ways = [lanes[edge.parent], *[edge.lane] * (edge.child - edge.parent - 1), lanes[edge.child]]
    path = f"M{_x(ways[0])} {middles[edge.parent] + RADIUS}"
    for row, (above, below) in enumerate(pairwise(ways), start=edge.parent):
        start, stop = middles[row] + RADIUS, middles[row + 1] - RADIUS
        if above != below:
            half = (start + stop) // 2
            path += f"V{start}" if row > edge.parent else ""
            path += f"C{_x(above)} {half} {_x(below)} {half} {_x(below)} {stop}"
    return f"{path}V{middles[edge.child] - RADIUS}"


def _mark(node: Node, x: int, y: int) -> str:
    move = f'transform="translate({x} {y})"'
    return f'<g class="mark {node.status}" {move}>{STATUS_MARKS[node.status]}</g>'


def _texts(node: Node, x: int, y: int, words: str, note: str) -> list[str]:
    text = plain(node.name)
    small = 'font-family="sans-serif" font-size="12"'
    if words:
        text += f' <tspan class="words {node.status}" dx="4" {small}>{plain(words)}</tspan>'
    lines = [f'<text x="{x}" y="{y + 4}">{text}</text>']
    if note:
        at = f'x="{x}" y="{y + 20}"'
        lines.append(f'<text class="words" {at} {small}>{plain(note)}</text>')
    return lines
