"""What a command printed, made fit for a page: the temporary path out, tracebacks cut."""

from __future__ import annotations

from pathlib import Path

_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)


def scrub(text: str, home: Path) -> str:
    """Write `~` for the directory that holds the sandboxes: the one thing that cannot be frozen."""
    for spelling in {str(home), str(home.resolve())}:
        text = text.replace(spelling, "~")
    return text.replace("\r\n", "\n")


def cut_tracebacks(text: str) -> str:
    """Keep a traceback's first line and its message, and of chained ones the last.

    The frames name the interpreter's own paths and differ between versions; the message is what
    a reader searches for.
    """
    kept: list[str] = []
    start: int | None = None
    in_frames = False
    for line in text.splitlines():
        if line.endswith(_TRACEBACK):  # a progress line may stand before it
            if start is None:
                start = len(kept)
                kept += [line, "  …"]
            in_frames = True
        elif in_frames and (line.startswith(" ") or not line):
            continue
        elif line in _CHAINED and start is not None:
            del kept[start + 2 :]
            in_frames = True
        else:
            in_frames = False
            kept.append(line)
    return "\n".join(kept) + ("\n" if kept else "")
