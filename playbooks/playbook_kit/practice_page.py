"""The tables of exercises on the page “Practice”."""

from __future__ import annotations

from .exercises import Exercise, every

_PARTS = ("The first week", "Other troubles", "Mysteries: two troubles at once")


def exercise_tables() -> str:
    """One table for each part, in the order of `playbooks practice`."""
    known = every()
    lines: list[str] = []
    for number, part in enumerate(_PARTS):
        here = [exercise for exercise in known if _part(exercise) == number]
        if here:
            lines += ["", f"### {part}", "", "| Exercise | It trains | Minutes |", "|---|---|---|"]
            lines += [f"| `{it.name}` | {it.trains} | {it.minutes} |" for it in here]
    return "\n".join([*lines, ""])


def _part(exercise: Exercise) -> int:
    return 2 if exercise.mystery else 0 if exercise.week else 1
