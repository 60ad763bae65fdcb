"""`playbooks run`: execute what has changed, write or compare the generated files, report."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import results, site_files
from .errors import HeaderError
from .header import Header
from .lists import Headers
from .results import Result
from .site_files import Site
from .source import Playbook
from .versions import versions


@dataclass(frozen=True)
class Options:
    """The options of `playbooks run`."""

    check: bool = False
    jobs: int | None = None
    fresh: bool = False
    runner: str | None = None
    report: Path | None = None


def build(root: Path, playbooks: list[Playbook], options: Options, complete: bool) -> int:
    """Do all that `playbooks run` does; return its exit code. `complete`: these are all there are.

    `root` is the folder that holds `docs`, `mkdocs.yml` and `playbooks`.
    """
    site = Site(root)
    headers, errors = _headers(site, playbooks, complete)
    done, failures = _run(playbooks, options)
    problems = [str(failure) for failure in failures]
    problems += [error for error in errors if not any(error in told for told in problems)]
    files: dict[Path, str] = {}
    sources = {playbook.name: playbook.path.read_text() for playbook in playbooks}
    for result, _ in done:
        files |= site_files.page_files(site, result, sources[result.name])
    kept = [result for result, _ in done]
    strays: list[Path] = []
    if not errors:
        try:
            shared = site_files.shared_files(site, headers, kept)
            files |= shared
            strays = site_files.stray(site, headers, shared)
        except HeaderError as error:
            problems.append(str(error))
    if options.check:
        problems += _compare(site, files, kept)
        problems += [f"{path.relative_to(root)}: of no playbook" for path in strays]
    else:
        _write(files | site_files.record_file(site, headers, kept), strays)
    if options.report:
        _report(options.report, done, failures)
    for problem in problems:
        print(f"\n{problem}", file=sys.stderr)
    return 1 if problems else 0


def _headers(site: Site, playbooks: list[Playbook], complete: bool) -> tuple[Headers, list[str]]:
    from .source import find

    headers: list[tuple[Playbook, Header]] = []
    errors = []
    every = playbooks if complete else find(site.root / "playbooks")
    for playbook in sorted(every, key=lambda playbook: playbook.path):
        try:
            headers.append((playbook, playbook.header()))
        except HeaderError as error:
            errors.append(str(error))
    return headers, errors


def _run(
    playbooks: list[Playbook], options: Options
) -> tuple[list[tuple[Result, bool]], list[Any]]:
    """Results, each with whether it came from the cache, and failures."""
    from .batch import absent, run_all
    from .progress import progress

    known: dict[str, Result] = {}
    keys = {playbook.name: results.key(playbook) for playbook in playbooks}
    if not options.fresh:
        for name, key in keys.items():
            result = results.load(key)
            if result:
                known[name] = result
    missing = {playbook.name: absent(playbook) for playbook in playbooks}
    todo = [one for one in playbooks if one.name not in known and not missing[one.name]]
    done = [(result, True) for result in known.values()]
    failures: list[Any] = []
    with progress(len(playbooks), len(known)) as tell:
        if todo:
            try:
                outcomes = asyncio.run(run_all(todo, options.jobs, options.runner, tell))
            except asyncio.CancelledError:  # SIGTERM: the end that Ctrl-C has, and not a traceback
                raise KeyboardInterrupt from None
            for outcome in outcomes:
                if isinstance(outcome, Result):
                    results.save(keys[outcome.name], outcome)
                    done.append((outcome, False))
                else:
                    failures.append(outcome)
    for name, reason in missing.items():
        if reason and name not in known:
            print(f"not run here: {name} ({reason}); its page is that of its last run")
    return sorted(done, key=lambda pair: pair[0].page), failures


def _compare(site: Site, files: dict[Path, str], done: list[Result]) -> list[str]:
    """Differences that count. Where a page was recorded under other versions, a notice instead."""
    excused: dict[Path, str] = {}
    for result in done:
        reason = site_files.other_versions(site, result)
        if reason:
            excused |= dict.fromkeys(site_files.paths(site, result), reason)
    problems = []
    for path, text in files.items():
        diff = site_files.difference(path, text, site.root)
        if diff and path in excused:
            print(f"notice: {path.relative_to(site.root)} differs: {excused[path]}")
        elif diff:
            problems.append(
                f"{diff}\n(to accept it: .venv/bin/playbooks run, then read the diff and commit it)"
            )
    return problems


def _write(files: dict[Path, str], strays: Iterable[Path]) -> None:
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for path in strays:
        path.unlink()


def _report(path: Path, done: list[tuple[Result, bool]], failures: list[Any]) -> None:
    told: list[dict[str, Any]] = []
    for result, cached in done:
        commands = [
            {key: shown[key] for key in ("place", "line", "code", "seconds")}
            for shown in result.shown("command")
        ]
        told.append(
            {
                "name": result.name,
                "result": "cached" if cached else "passed",
                "seconds": result.seconds,
                "commands": commands,
            }
        )
    told += [
        {"name": f.name, "result": "failed", "seconds": f.seconds, "error": str(f)}
        for f in failures
    ]
    path.write_text(json.dumps({"versions": versions(), "playbooks": told}, indent=2) + "\n")
