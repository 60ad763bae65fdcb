"""The judge of an exercise: is the state right, whatever way led to it?

It copies the project into a scratch directory and looks there: at the chain of the learner's own
database, at a new database, and at the databases of colleagues after `migrate`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from . import commands, servers
from .dumps import drop, dump, make
from .environment import frozen
from .errors import ServerError, last_lines
from .exercises import DUMP, NOT_CONTENT, Exercise, ExerciseError, Keep
from .findings import data_lines, link_lines, spoken
from .postgres import execute
from .sandbox import PROBE
from .scratch import run_directory

_JUDGED = "judged_"  # how the names of its databases begin, before the number of its process


@dataclass(frozen=True)
class Line:
    """One thing that is right or wrong: where (a link of the chain, the data), and what."""

    right: bool
    where: str
    what: str

    def __str__(self) -> str:
        return f"{'right' if self.right else 'WRONG'}  {self.where}: {self.what}"


def suffix(address: str) -> str:
    """How the file of a kept database ends, on the server of this address or, without one, SQLite."""
    return DUMP if address else ".sqlite3"


def look(
    project: Path, scratch: Path, keep: Keep, address: str = "", **wanted: Any
) -> dict[str, Any]:
    """What `probe.judged` says of a copy of this project, made in the folder `scratch`, with a
    database of its own on the server of this address. Raises ServerError."""
    copy = scratch / "project"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(*NOT_CONTENT))
    sql = {what: one["sql"] if isinstance(one, dict) else one for what, one in keep.items()}
    asked = {"migrate": False, "database": None, "keep": sql} | wanted
    argv = [str(PROBE), "judged", json.dumps(asked)]
    with _environment(address, scratch, asked["database"]) as env:
        try:
            code, out = commands.runner().python(argv, copy, env, "", 120)
        except TimeoutError as error:
            return {"error": f"it does not end: {error}"}
    text = out.decode("utf-8", "replace")
    if code:
        return {"error": spoken(last_lines(text, 1).strip(), copy)}
    answer: dict[str, Any] = json.loads(text.splitlines()[-1])
    return answer


@contextmanager
def _environment(address: str, scratch: Path, file: str) -> Iterator[dict[str, str]]:
    """The environment of one look; on a server with a database for it: as in this file, or empty."""
    env = frozen(scratch)
    if not address:
        yield env
        return
    url = f"{address}{_JUDGED}{os.getpid()}_{re.sub('[^a-z0-9]', '_', scratch.name)}"
    try:
        make(url, Path(file) if file else None)
        yield env | {"DATABASE_URL": url}
    finally:
        drop(url)


def remember(exercise: Exercise, home: Path, address: str = "") -> dict[str, Any]:
    """The rows of the broken state that a repair has to keep, by place, and the file that is its
    database. Raises ExerciseError."""

    def rows(place: str, keep: Keep) -> dict[str, Any]:
        scratch = home / f"look-{place}"
        scratch.mkdir()
        given = {"database": str(home / f"{place}{DUMP}")} if address else {}
        answer = look(home / place, scratch, keep, address, **given)
        if "rows" not in answer:
            raise ExerciseError(f"{exercise.path}: {place} does not load: {answer}")
        shutil.rmtree(scratch)
        for what, one in keep.items():
            if isinstance(one, dict):
                answer["rows"][what] = {"rows": one["rows"]}
            elif "error" in answer["rows"][what]:
                told = answer["rows"][what]["error"]
                raise ExerciseError(f"{exercise.path}: keep {what!r} on {place}: {told}")
        file = f"{place}{DUMP}" if address else f"{place}/{answer['database']}"
        return {"keep": keep, "rows": answer["rows"], "database": file}

    others = {name: rows(name, keep) for name, keep in exercise.colleagues.items()}
    own = rows(exercise.place, exercise.keep)
    return {"own": own, "colleagues": others, "branch": exercise.branch}


def judge(project: Path, kept: dict[str, Any], databases: Path, url: str = "") -> list[Line]:
    """Every line of the answer; all is right when each of them is. `databases`: the folder with
    those of the colleagues. `url`: of the project's own database, where a server has it. Raises
    ServerError."""
    address = url.removesuffix(servers.name_in(url))
    if address:
        _drop_left(address)
    with run_directory() as scratch:

        def asked(name: str, keep: Keep, **wanted: Any) -> Callable[[], dict[str, Any]]:
            (scratch / name).mkdir()
            return lambda: look(project, scratch / name, keep, address, **wanted)

        mine = {}
        if address:
            mine["database"] = str(scratch / f"own{DUMP}")
            try:
                dump(url, Path(mine["database"]))
            except ServerError as error:
                return [Line(False, "project", f"its database cannot be read: {error}")]
        calls = [
            asked("own", kept["own"]["keep"], **mine),
            asked("new", {}, migrate=True, database=""),
        ]
        for name, its in kept["colleagues"].items():
            file = str(databases / f"{name}{suffix(address)}")
            calls.append(asked(f"of-{name}", its["keep"], migrate=True, database=file))
        with ThreadPoolExecutor() as pool:
            own, new, *others = (call.result() for call in [pool.submit(one) for one in calls])
    reason = _no_answer(own)
    if reason:
        return [Line(False, "project", reason)]
    lines = [_on(kept["branch"], project)] if kept["branch"] else []
    lines += [Line(*told) for told in link_lines(own)]
    lines += [Line(*told) for told in data_lines(kept["own"]["rows"], own["rows"])]
    lines.append(_built("a new database", new, []))
    for name, its in kept["colleagues"].items():
        answer = others.pop(0)
        data = data_lines(its["rows"], answer["rows"]) if "rows" in answer else []
        lines.append(_built(f"the database of {name}", answer, data))
    return lines


def _drop_left(address: str) -> None:
    """Drop what a judge that was killed has left."""
    for (name,) in execute(address, "select datname from pg_database"):
        its = re.match(rf"{_JUDGED}(\d+)_", name)
        if its and not psutil.pid_exists(int(its[1])):
            drop(address + name)


def _on(branch: str, project: Path) -> Line:
    head = project / ".git" / "HEAD"
    text = head.read_text().strip() if head.is_file() else ""
    on = text.removeprefix("ref: refs/heads/") if text.startswith("ref:") else "no branch"
    return Line(on == branch, "branch", f"{on} is checked out, and it has to be {branch}")


def _no_answer(answer: dict[str, Any]) -> str:
    if "outside" in answer:
        return f"its database is not in this directory: {answer['outside']}"
    return f"it does not load: {spoken(answer['error'])}" if "error" in answer else ""


def _built(where: str, answer: dict[str, Any], data: list[tuple[bool, str, str]]) -> Line:
    """One line for a database on which the files were tried."""
    reason = _no_answer(answer)
    if reason:
        return Line(False, where, reason)
    if answer["stopped"]:
        return Line(False, where, f"stops: {spoken(answer['stopped'])}")
    wrong = [f"{link}: {what}" for right, link, what in link_lines(answer) if not right]
    wrong += [f"{link}: {what}" for right, link, what in data if not right]
    if wrong:
        return Line(False, where, "; ".join(wrong))
    kept = f"; {', '.join(what for _, _, what in data)}" if data else ""
    return Line(True, where, f"every migration runs, the chain is whole{kept}")
