"""`make benchmark`: this kit against nbmake and mkdocs-jupyter, on the same playbooks, in one run.

All start from nothing: no prepared sandbox, no cache. The peers run the same notebooks, once with
plain subprocesses (what one has without this kit) and once with commands through the fork server.
Rounds are interleaved, so that a slow minute of the machine hits all. The table goes into README.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import jupytext
from playbook_kit.batch import servers
from playbook_kit.cli import ROOT
from playbook_kit.commands import FORK_SERVER
from playbook_kit.scratch import run_directory
from playbook_kit.site_files import fill
from playbook_kit.source import find
from playbook_kit.template import CACHE, REPOSITORY
from playbook_kit.versions import versions

ROUNDS = int(os.environ.get("ROUNDS", "3"))
BIN = Path(sys.executable).parent
MKDOCS = """
site_name: peer
theme: {name: material, font: false}
plugins:
  - mkdocs-jupyter: {execute: true, allow_errors: false}
"""
ENVIRONMENT = os.environ | {"NO_MKDOCS_2_WARNING": "1"}


def call(*command: object, cwd: Path, **more: str) -> None:
    """Run to the end, and stop everything with its output if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=ENVIRONMENT | more, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def peers() -> Path:
    """A virtual environment with the peers, kept in the cache; the folder of its programs."""
    lock = REPOSITORY / "tests" / "benchmark.lock"
    folder = CACHE / "benchmark"
    stamp = folder / "ready"
    if not stamp.exists() or stamp.read_text() != lock.read_text():
        call(sys.executable, "-m", "venv", "--clear", folder, cwd=REPOSITORY)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "-q"]
        call(*pip, "--require-hashes", "-r", lock, cwd=REPOSITORY)
        call(*pip, "--no-deps", "-e", REPOSITORY, cwd=REPOSITORY)
        stamp.write_text(lock.read_text())
    return folder / "bin"


def from_nothing() -> None:
    """Forget the prepared sandbox and all results."""
    for folder in (*CACHE.glob("sandbox-*"), CACHE / "results"):
        shutil.rmtree(folder, ignore_errors=True)


def ours(site: Path) -> None:
    call(BIN / "playbooks", "run", "--fresh", cwd=REPOSITORY)
    call(BIN / "mkdocs", "build", "--quiet", "--strict", "-d", site, cwd=REPOSITORY)


def notebooks(folder: Path) -> None:
    """The playbooks as notebooks without output, with the name of a kernel that is installed."""
    folder.mkdir()
    for playbook in find(ROOT):
        notebook = jupytext.read(playbook.path, fmt="py:percent")
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        jupytext.write(notebook, folder / f"{playbook.name}.ipynb")


@contextlib.contextmanager
def fork_server() -> Iterator[str]:
    with run_directory() as directory, servers(directory, None) as (_, commands):
        yield commands


def measure(rounds: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Median seconds by name; each round does every one once."""
    times: dict[str, list[float]] = {name: [] for name in rounds}
    for number in range(ROUNDS):
        for name, act in rounds.items():
            from_nothing()
            started = time.perf_counter()
            act()
            times[name].append(time.perf_counter() - started)
            print(f"round {number + 1}: {times[name][-1]:7.1f} s  {name}", flush=True)
    return {name: statistics.median(all_of_it) for name, all_of_it in times.items()}


def again() -> tuple[float, float]:
    """Seconds of an unchanged run, and of a run after one line of one playbook changed."""
    unchanged, edited = [], []
    playbook = find(ROOT)[0].path
    text = playbook.read_text()
    for number in range(ROUNDS):
        started = time.perf_counter()
        call(BIN / "playbooks", "run", cwd=REPOSITORY)
        unchanged.append(time.perf_counter() - started)
        try:
            playbook.write_text(f"{text}# edit {number}\n")
            started = time.perf_counter()
            call(BIN / "playbooks", "run", cwd=REPOSITORY)
            edited.append(time.perf_counter() - started)
        finally:
            playbook.write_text(text)
            call(BIN / "playbooks", "run", cwd=REPOSITORY)
    return statistics.median(unchanged), statistics.median(edited)


def table(times: dict[str, float], unchanged: float, edited: float, largest: int) -> str:
    nbmake, jupyter = times["nbmake -n2"], times["mkdocs-jupyter, execute: true"]
    made = versions()
    lines = [
        "",
        f"Measured on {date.today()}: {len(find(ROOT))} playbooks, {os.cpu_count()} cores, Python "
        f"{made['python']}, Django {made['django']}, SQLite {made['sqlite']}; "
        f"{f'medians of {ROUNDS} interleaved rounds' if ROUNDS > 1 else 'one round'}. "
        "Machines differ: the ratios are what to compare.",
        "",
        "| from nothing | seconds | ÷ nbmake | ÷ mkdocs-jupyter |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {seconds:.1f} | {seconds / nbmake:.2f} | {seconds / jupyter:.2f} |"
        for name, seconds in times.items()
    ]
    lines += [
        "",
        f"An unchanged `playbooks run` takes {unchanged:.2f} s, one after an edit of one playbook "
        f"{edited:.1f} s. The largest page of a playbook has {largest / 1024:.0f} KB of HTML.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    programs = peers()
    with tempfile.TemporaryDirectory() as folder, fork_server() as socket:
        home = Path(folder)
        notebooks(home / "notebooks")
        (home / "mkdocs.yml").write_text(MKDOCS + "docs_dir: notebooks\n")

        def nbmake(**more: str) -> None:
            pytest = [programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            call(*pytest, "--nbmake", "-n2", home / "notebooks", cwd=home, **more)

        def jupyter(**more: str) -> None:
            # A folder of its own each time: it keeps what it has executed.
            with tempfile.TemporaryDirectory(dir=home) as own:
                shutil.copytree(home / "notebooks", Path(own) / "notebooks")
                shutil.copy(home / "mkdocs.yml", own)
                call(programs / "python", "-m", "mkdocs", "build", "-q", cwd=Path(own), **more)

        rounds: dict[str, Callable[[], None]] = {
            "this project: run, pages, site": lambda: ours(home / "site"),
            "nbmake -n2": nbmake,
            "mkdocs-jupyter, execute: true": jupyter,
            "nbmake -n2 with the fork server": lambda: nbmake(**{FORK_SERVER: socket}),
            "mkdocs-jupyter with the fork server": lambda: jupyter(**{FORK_SERVER: socket}),
        }
        times = measure(rounds)
        ours(home / "site")
        pages = list((home / "site" / "playbooks").glob("*/*/index.html"))
        text = table(times, *again(), max(page.stat().st_size for page in pages))
    print(text)
    print(json.dumps(times))
    readme = REPOSITORY / "README.md"
    readme.write_text(fill(readme.read_text(), "<!-- generated: benchmark -->", text))


if __name__ == "__main__":
    main()
