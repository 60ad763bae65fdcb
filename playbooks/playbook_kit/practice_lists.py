"""What `playbooks practice` prints: the list, the report of a session, and a solution."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from .advice import file_of
from .exercises import Exercise, Step, every
from .practice import State, under

_COPY = "cp db.sqlite3 ../"
# What would send the learner's own commands to another project or database.
_FOREIGN = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PYTHONPATH", "GIT_DIR")
_FOREIGN_SERVER = ("PGSERVICE", "PGPORT")
_PARTS = ("First week, in this order", "More", "Mysteries: two troubles at once")


def _done(folder: Path) -> dict[str, str]:
    """For each exercise begun below this folder, how it stands."""
    words: dict[str, str] = {}
    for _, state in under(folder):
        name = Path(state.exercise).stem
        if words.get(name) != "done":
            words[name] = "done" if state.solved else "begun"
    return words


def listed(folder: Path) -> str:
    """The exercises: the first week, the others, the mysteries."""
    done, lines = _done(folder), []
    for exercise in every():
        part = _PARTS[exercise.part]
        if part not in lines:
            lines += ["", part]
        state = done.get(exercise.name, "")
        lines.append(f"  {exercise.name:24} {exercise.minutes:3} min  {state:5}  {exercise.about}")
    return "\n".join(
        [*lines[1:], "", "Start one: playbooks practice NAME [DIRECTORY] [--on PostgreSQL]"]
    )


def reported(folder: Path) -> str:
    """What was done below this folder, as a Markdown table."""
    lines = ["| exercise | begun | time | hints | checks | result |", "|---|---|---|---|---|---|"]
    for directory, state in under(folder):
        name = directory.name
        known = Path(state.exercise).stem
        what = name if name == known else f"{known} ({name})"
        begun = state.started.replace("T", " ")[:16]
        lines.append(
            f"| {what} | {begun} | {_time(state)} | {state.hints} | {state.checks} | {_result(state)} |"
        )
    return "\n".join(lines)


def _time(state: State) -> str:
    if not state.solved:
        return ""
    took = datetime.fromisoformat(state.solved) - datetime.fromisoformat(state.started)
    return f"{max(1, round(took / timedelta(minutes=1)))} min"


def _result(state: State) -> str:
    words = "solved" if state.solved else "not made yet" if state.unfinished else "not solved"
    more = [
        "the solution was shown" if state.seen_solution else "",
        f"started over {state.resets} times" if state.resets > 1 else "",
        "started over once" if state.resets == 1 else "",
    ]
    return ", ".join([words, *filter(None, more)])


def foreign(database: str) -> list[str]:
    """The variables in this shell with which the learner's own commands may miss the exercise."""
    names = _FOREIGN if database == "SQLite" else _FOREIGN + _FOREIGN_SERVER
    return [name for name in names if os.environ.get(name)]


def solved_by(exercise: Exercise) -> str:
    """The commands of the solution: those of the exercise, or the short version of the page."""
    from .troubles import written

    written_pages = written()["pages"]
    pages = [written_pages[it] for it in (exercise.playbook, exercise.second) if it]
    lines = ["One way to do it:"]
    if exercise.solution:
        lines += ["", *(f"    {line}" for step in exercise.solution for line in _written(step))]
    else:
        for title, text in pages[0]["short"]:
            # A copy of the database is for yours; here there is `playbooks reset`.
            own = [line for line in text.splitlines() if not line.startswith(_COPY)]
            lines += ["", *(f"    {line}" for line in [f"# {title}", *own] if own)]
    if pages:
        names = ", ".join(file_of(page) for page in pages)
        lines += ["", f"Why, and what else there is: {names}"]
    return "\n".join(lines)


def _written(step: Step) -> list[str]:
    if isinstance(step, str):
        return [step]
    if "sql" in step:
        return ["# in python manage.py dbshell:", f"{step['sql']};"]
    if "run" in step:
        return [f"{step['run']}  # it fails: {step.get('fails', '')}"]
    if "edit" in step:
        old = [f"#   - {line}".rstrip() for line in step["old"].strip("\n").splitlines()]
        new = [f"#   + {line}".rstrip() for line in step["new"].strip("\n").splitlines()]
        return [f"# edit {step['edit']}:", *old, *new]
    return [f"# write {step['write']}:", *step["text"].rstrip().splitlines()]
