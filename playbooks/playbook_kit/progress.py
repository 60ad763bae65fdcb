"""What is said while playbooks run: a live list on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str, str], None]  # name; "runs", "passed" or "failed"
_SIGNS = {"passed": "✓", "failed": "✗"}


@contextmanager
def progress(total: int, known: int) -> Iterator[Tell]:
    """Yield a function to call when a playbook starts and ends; say the sum when all is done."""
    started: dict[str, float] = {}
    count = {"passed": 0, "failed": 0}
    begin = time.perf_counter()
    live = _Live() if sys.stdout.isatty() and total > known else None

    def tell(name: str, what: str) -> None:
        if what == "runs":
            started[name] = time.perf_counter()
            if live:
                live.starts(name)
            return
        count[what] += 1
        done = known + count["passed"] + count["failed"]
        took = time.perf_counter() - started[name]
        line = f"{_SIGNS[what]} {name:28} {what} {took:6.1f} s   {done}/{total}"
        if live:
            live.ends(name, line)
        else:
            print(line, flush=True)

    try:
        yield tell
    finally:
        if live:
            live.stop()
    unchanged = f", {known} unchanged" if known else ""
    took = time.perf_counter() - begin
    print(f"{count['passed']} passed, {count['failed']} failed{unchanged} ({took:.1f} s)")


class _Live:
    """The running playbooks, each with a spinner and its time, below the lines of the ended."""

    def __init__(self) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self.view = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:28}"),
            TimeElapsedColumn(),
            transient=True,
        )
        self.tasks: dict[str, object] = {}
        self.view.start()

    def starts(self, name: str) -> None:
        self.tasks[name] = self.view.add_task(name, total=None)

    def ends(self, name: str, line: str) -> None:
        self.view.remove_task(self.tasks.pop(name))  # type: ignore[arg-type]
        self.view.console.print(line, highlight=False, markup=False)

    def stop(self) -> None:
        self.view.stop()
