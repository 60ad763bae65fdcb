"""A sandbox: one working copy of the sandbox project, with its own database and Git history."""

from __future__ import annotations

import atexit
import contextlib
import difflib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from . import commands, servers, template
from .chain import Chain
from .databases import default
from .environment import DIRECTORY, frozen
from .errors import PlaybookError, last_lines
from .events import Command, Edit, File, Query
from .graph import Graph
from .outcome import Output, Rows, held, output_of
from .output import cut_tracebacks, scrub
from .shell import run_line
from .show import show, show_measured

# What runs as it stands in PATH, in which the folder of this Python comes first.
PROGRAMS = ("git", "squawk")
PROBE = Path(__file__).with_name("probe") / "__main__.py"


@cache
def _home() -> Path:
    """The directory that holds this playbook's sandboxes; removed when the playbook ends."""
    given = os.environ.get(DIRECTORY)
    if given:
        return Path(given)
    home = Path(tempfile.mkdtemp(prefix="playbook-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


class Sandbox:
    """A copy of the sandbox project, named after the place it stands for: `Sandbox("laptop")`.

    Migrated, seeded and committed to Git on `main`, with a bare repository `origin` beside it.
    Every command is a process of its own. Raises PlaybookError as soon as something does not
    happen as the playbook says. `database="PostgreSQL"`, `"MariaDB"` or `"PgBouncer"`: a database
    on a private server, in place of the file `db.sqlite3`; without it, what the playbook runs on.
    """

    def __init__(self, name: str, database: str = "") -> None:
        self.name = name
        self.url = ""  # of its own database, where that is not the project's default
        self.path = _home() / name
        if self.path.exists():
            raise PlaybookError(f'Sandbox("{name}")', "a name not used yet", "it exists already")
        template.copy_to(_home(), self.path)
        self.database = database or default()
        if self.database != "SQLite":
            (self.path / "db.sqlite3").unlink()
            self.url = servers.copy(self.database, _home(), name)

    def __repr__(self) -> str:
        return f'Sandbox("{self.name}")'

    def run(
        self,
        line: str,
        *,
        fails: str | None = None,
        answers: Sequence[str] = (),
        seconds: float = 60,
    ) -> Output:
        """Run what a person types, show it and what it prints, and return that.

        `fails`: the command must end with an exit code other than 0 and print these words (any
        words do for `""`). `answers`: lines typed at its prompts. `seconds`: its time limit.
        """
        done = self.carry_out(line, answers, seconds)
        show(done)
        return held(done, fails)

    def attempt(self, line: str, *, answers: Sequence[str] = (), seconds: float = 60) -> Output:
        """Run what a person types where success and failure are both an answer: see `.code`."""
        done = self.carry_out(line, answers, seconds)
        show(done)
        return output_of(done)

    def carry_out(self, line: str, answers: Sequence[str] = (), seconds: float = 60) -> Command:
        """Run what a person types, without a word: for what shows it later."""
        typed = "".join(f"{answer}\n" for answer in answers)
        started = time.perf_counter()

        def call(argv: list[str], stdin: str, file: IO[bytes] | None) -> tuple[int, str]:
            return self._call(argv, stdin or typed, seconds, file)

        try:
            code, text = run_line(line, self.path, call)
        except TimeoutError as error:
            tried = f"{self.name} $ {line}"
            raise PlaybookError(tried, f"it ends within {seconds:g} s", str(error)) from None
        if self.url:
            text = servers.scrubbed(text, self.url)
        text = cut_tracebacks(scrub(text, _home()))
        took = time.perf_counter() - started
        return Command(self.name, line, text, code, tuple(answers), took)

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a file: `old`, which must stand there exactly once, becomes `new`. Shows a diff."""
        file = self.path / path
        before = file.read_text()
        if before.count(old) != 1:
            tried = f"{self.name}: replace in {path}"
            raise PlaybookError(tried, f"{old!r} exactly once", f"{before.count(old)} times")
        after = before.replace(old, new)
        file.write_text(after)
        diff = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
        show(Edit(self.name, path, "\n".join(list(diff)[2:])))

    def write(self, path: str, text: str) -> None:
        """Write a file whole, and show it. Folders on the way are made."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        show(File(self.name, path, text))

    def rows(self, sql: str) -> Rows:
        """Run one SQL statement on this sandbox's database, show it, and return its rows."""
        started = time.perf_counter()
        answer = self._probe("rows", sql)
        took = time.perf_counter() - started
        show(Query.of(self.name, sql, answer["columns"], answer["rows"], took))
        return Rows(tuple(row) for row in answer["rows"])

    def clone(self, name: str) -> Sandbox:
        """A second working copy with a second database, both as they are here now."""
        if (path := _home() / name).exists():
            raise PlaybookError(f'{self!r}.clone("{name}")', "a new name", "it exists already")
        shutil.copytree(self.path, path, symlinks=True)
        url = self.url and servers.copy(self.database, _home(), name, self.url)
        return opened(path, self.database, url)

    def chain(self, app: str = "") -> Chain:
        """Measure the three links of the chain, for one app or for all."""
        chain = Chain.from_dict({"place": self.name, **self._probe("chain", app)})
        show_measured(chain)
        return chain

    def graph(self, app: str) -> Graph:
        """Look at one app's migrations: files, parents, and what the history says of each."""
        graph = Graph.from_dict({"place": self.name, **self._probe("graph", app)})
        show_measured(graph)
        return graph

    def _call(
        self, argv: list[str], stdin: str, seconds: float, file: IO[bytes] | None
    ) -> tuple[int, str]:
        env = frozen(_home(), self.name)
        if self.url:
            # PostgreSQL lists its sessions by this name.
            env |= {"DATABASE_URL": self.url, "PGAPPNAME": argv[2] if len(argv) > 2 else argv[0]}
        if argv[0] == "python":
            run, argv = commands.runner().python, argv[1:]
        else:
            run = commands.execute
            if argv[0] not in PROGRAMS:
                argv, more = self._client(argv)
                env |= more
        code, output = run(argv, self.path, env, stdin, seconds, file)
        return code, output.decode("utf-8", "replace")

    def _client(self, argv: list[str]) -> tuple[list[str], dict[str, str]]:
        with contextlib.suppress(LookupError):
            if self.url:
                return servers.client(self.database, argv, self.url)
        known = (
            f"python, {', '.join(PROGRAMS)}, file commands and programs of the sandbox's database"
        )
        raise ValueError(f"the kit runs {known}, not {argv[0]!r}")

    def _probe(self, what: str, argument: str) -> dict[str, Any]:
        argv = ["python", str(PROBE), what, argument]
        code, text = self._call(argv, "", 60, None)
        if code:
            tried = f"{self.name}: {what} {argument}".rstrip()
            got = f"exit code {code}, and at the end:\n{last_lines(scrub(text, _home()))}"
            raise PlaybookError(tried, "an answer", got)
        answer: dict[str, Any] = json.loads(text.splitlines()[-1])
        return answer


def opened(path: Path, database: str, url: str = "") -> Sandbox:
    """The sandbox that this folder is, as it stands."""
    place = Sandbox.__new__(Sandbox)
    place.name, place.path, place.database, place.url = path.name, path, database, url
    return place
