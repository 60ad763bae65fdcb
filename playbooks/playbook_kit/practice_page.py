"""The tables of exercises on the page “Practice”."""

from __future__ import annotations

from .exercises import every

_PARTS = ("The first week", "Other troubles", "Mysteries: two troubles at once")


def exercise_tables() -> str:
    """One table for each part, in the order of `playbooks practice`."""
    known = every()
    lines: list[str] = []
    for number, part in enumerate(_PARTS):
        here = [exercise for exercise in known if exercise.part == number]
        if here:
            lines += ["", f"### {part}", "", "| Exercise | It trains | Minutes |", "|---|---|---|"]
            lines += [f"| `{it.name}` | {it.about} | {it.minutes} |" for it in here]
    return "\n".join([*lines, ""])
