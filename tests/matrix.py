"""`make matrix`: every playbook on each Django and each Python, and the committed record of it.

Each pair has a virtual environment, kept in the cache: the pins of the lock, with that Django in
place of the pinned one. The playbooks run there in a copy of this repository. A Python that this
machine does not have is named, and what was recorded with it before is kept.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playbook_kit.cli import ROOT
from playbook_kit.matrix import RECORD, digest
from playbook_kit.source import find
from playbook_kit.template import CACHE, REPOSITORY
from test_sameness import COPIED, environment, find_python

# By Django, the Pythons that it runs on; the first pair is the one that pages are recorded on.
PAIRS = {
    "5.2": ("3.11", "3.12", "3.13"),
    "6.0": ("3.12", "3.13"),
    "6.1": ("3.12", "3.13"),
}

# In an output, the line of an exception, or of a check that refuses.
SAID = re.compile(r"[\w.]+(?:Error|Exception)\b|[\w.]+: \(\w+\.E\d+\)")


def prepared(interpreter: str, django: str, home: Path) -> Path:
    """The interpreter below `home` that has this Django; a copy of this repository is beside it."""
    python, copy = environment(interpreter, home), home / "copy"
    for name in COPIED:
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy / name)
    pip = [str(python), "-m", "pip", "install", "-q"]
    for command in ([*pip, f"django~={django}.0"], [*pip, "--no-deps", "-e", str(copy)]):
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return python


def run_on(python: Path, home: Path, names: list[str]) -> dict[str, Any]:
    """What ran there: the versions, and of each of these playbooks how it ended."""
    report = home / "report.json"
    command = [python.with_name("playbooks"), "run", "--report", report, *names]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    said = json.loads(report.read_text())
    ended = {one["name"]: one for one in said["playbooks"]}
    return {
        "versions": said["versions"],
        "passed": sorted(name for name, one in ended.items() if one["result"] != "failed"),
        "failed": {
            name: told(one["error"])
            for name, one in sorted(ended.items())
            if one["result"] == "failed"
        },
    }


def told(error: str) -> list[str]:
    """What a page says of a failure: neither the place on this machine nor the next step, and of an
    output the error."""
    lines = [line.strip() for line in error.splitlines()[2:] if line.strip()]
    said = [line for line in lines[3:] if SAID.match(line)]
    first = [line.removesuffix(", and at the end:") for line in lines[:3]]
    return [line for line in first if not line.startswith("again:")] + said[:2]


def joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Both runs on a pair as one; a run on other versions than the last does not count any more."""
    if old.get("versions") != new["versions"]:
        return new
    kept = {name: why for name, why in old["failed"].items() if name not in new["passed"]}
    passed = {name for name in old["passed"] if name not in new["failed"]}
    return new | {
        "passed": sorted(passed.union(new["passed"])),
        "failed": dict(sorted((kept | new["failed"]).items())),
    }


def main(wanted: list[str], find_one: Callable[[str], str | None] = find_python) -> None:
    """Run on the pairs that are named (`6.1-3.13`), or on all, what has no record there with its
    present text, and write the record. Without a record all is run."""
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"sources": {}, "runs": {}}
    sources = {playbook.name: digest(playbook.path.read_text()) for playbook in find(ROOT)}
    same = {name for name in sources if sources[name] == record["sources"].get(name)}
    for run in record["runs"].values():
        run["passed"] = [name for name in run["passed"] if name in same]
        run["failed"] = {name: why for name, why in run["failed"].items() if name in same}
    record["sources"] = sources
    for django, versions in PAIRS.items():
        for version in versions:
            pair = f"{django}-{version}"
            if wanted and pair not in wanted:
                continue
            interpreter = find_one(version)
            if interpreter is None:
                print(f"{pair}: not run here, there is no Python {version}; its record is kept")
                continue
            old = record["runs"].get(pair, {"passed": [], "failed": {}})
            missing = [name for name in sources if name not in {*old["passed"], *old["failed"]}]
            print(f"Django {django} on Python {version}: {len(missing)} to run", flush=True)
            if missing:
                home = CACHE / "matrix" / pair
                ran = run_on(prepared(interpreter, django, home), home, missing)
                record["runs"][pair] = joined(old, ran)
                RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    for pair, run in record["runs"].items():
        print(f"{pair}: {len(run['passed'])} passed, {len(run['failed'])} failed")
        for name, error in run["failed"].items():
            print(f"  {name}: {' '.join(error)[:300]}")
    print("Next: .venv/bin/playbooks run, which writes the “Ran on” lines from the record.")


if __name__ == "__main__":
    main(sys.argv[1:])
