"""The record of runs on other versions, which `make matrix` writes: where else a page is true."""

from __future__ import annotations

import hashlib
import html
import json
from functools import cache
from typing import Any

from .template import REPOSITORY

_DIFFERENCES = "../../../reference/django-versions/"  # from the page of a playbook
RECORD = REPOSITORY / "docs" / "reference" / "matrix.json"


def digest(source: str) -> str:
    """Names the text of a playbook: one that was edited since has not run anywhere else."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


@cache
def _record() -> dict[str, Any]:
    return json.loads(RECORD.read_text()) if RECORD.exists() else {"sources": {}, "runs": {}}


def elsewhere(name: str, source: str) -> dict[str, str]:
    """On which versions of Django and Python the playbook with this text has passed, and on which it
    came out in another way, as facts of its page in HTML; none without a record of it."""
    record = _record()
    if record["sources"].get(name) != digest(source):
        return {}
    passed = [run["versions"] for run in record["runs"].values() if name in run["passed"]]
    failed = {
        run["versions"]["django"]: (run["versions"], " ".join(run["failed"][name]))
        for run in record["runs"].values()
        if name in run["failed"]
    }
    facts = {}
    if passed:
        pythons = sorted({run["python"].rpartition(".")[0] for run in passed}, key=_number)
        facts["Also on"] = f"{_djangos(passed)}; Python {', '.join(pythons)}"
    if failed:
        link = f'<a href="{_DIFFERENCES}">{_djangos([run for run, _ in failed.values()])}</a>'
        said = dict.fromkeys(html.escape(why) for _, why in failed.values())
        facts["Differs on"] = f"{link}, where the run of this page stops: {'; '.join(said)}"
    return facts


def _djangos(runs: list[dict[str, str]]) -> str:
    return "Django " + ", ".join(sorted({run["django"] for run in runs}, key=_number))


def table() -> str:
    """What ran on each pair of Django and Python, as a table; empty without a record."""
    lines = [
        f"| {run['versions']['django']} | {run['versions']['python']} | {len(run['passed'])} | "
        f"{', '.join(run['failed']) or 'none'} |"
        for _, run in sorted(_record()["runs"].items())
    ]
    head = ["| Django | Python | passed | failed |", "|---|---|---|---|"]
    return "\n" + "\n".join(head + lines) + "\n" if lines else ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
