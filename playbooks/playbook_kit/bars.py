"""Bars: measured numbers as a chart, each a labelled bar, for a page. Drawn like `drawing`'s figures:
without ids, in the colour of the text, and never by length alone, since each number is written."""

from __future__ import annotations

from .events import Chart
from .figure import LINE, NARROWEST_COLUMN, figure, picture, plain

WIDTH, ROW, BAR = NARROWEST_COLUMN, 34, 10
NUMBER = 64  # px beside the longest bar, for its number


def draw_chart(chart: Chart) -> str:
    """The numbers as bars from zero, one below the other, in the order of the playbook."""
    most = max(1, *(number for _, number in chart.bars))
    parts, aloud = [], []
    for at, (label, number) in enumerate(chart.bars):
        top = at * ROW + 13
        length = round(number / most * (WIDTH - NUMBER))
        shown = f"{number:,}"
        parts.append(f'<text x="1" y="{top}">{plain(label)}</text>')
        box = f'x="1" y="{top + 6}" width="{max(1, length)}" height="{BAR}"'
        parts.append(f'<rect class="bar" {box} {LINE}/>')
        parts.append(f'<text class="number" x="{length + 8}" y="{top + 15}">{shown}</text>')
        aloud.append(f"{label} {shown}")
    about = plain(f"{chart.place}: {chart.unit}")
    label = f"{about}: {plain('; '.join(aloud))}"
    svg = picture(label, WIDTH, len(chart.bars) * ROW, "max-width:100%;height:auto", parts)
    return figure("chart", about, svg)
