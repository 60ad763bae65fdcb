"""The generated files of the site: what they should hold, and how they differ from the disk."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from .chain import Chain
from .drawing import draw_chain, draw_graph
from .family import INDEX, landing_page
from .graph import Graph
from .header import GROUPS
from .lists import Headers, in_reading_order, navigation, symptoms
from .notebook import notebook
from .pages import page
from .results import Result
from .source import Playbook
from .versions import versions

RECORD = "recorded.json"
END = "end of generated"


@dataclass(frozen=True)
class Site:
    """Where the generated files are: `docs/playbooks/**` and marked parts of three others."""

    root: Path

    @property
    def pages(self) -> Path:
        """The folder of the generated pages."""
        return self.root / "docs" / "playbooks"

    def recorded(self) -> dict[str, dict[str, str]]:
        """The versions that each page on disk was made with, by playbook."""
        path = self.pages / RECORD
        return json.loads(path.read_text()) if path.exists() else {}


def page_files(site: Site, result: Result, source: str) -> dict[Path, str]:
    """The three files of one playbook, with their texts."""
    texts = page(result), source, notebook(result, source)
    return dict(zip(paths(site, result), texts, strict=True))


def paths(site: Site, of: Result | Playbook) -> tuple[Path, Path, Path]:
    """Where the three files of one playbook are: page, source, notebook."""
    page_path = site.pages / f"{of.page}.md"
    return page_path, page_path.with_name(f"{of.name}.py"), page_path.with_name(f"{of.name}.ipynb")


def shared_files(site: Site, headers: Headers, results: list[Result]) -> dict[Path, str]:
    """The parts generated from all headers: navigation, list of symptoms; and from results: the
    figures of the guide's page about the chain, left as they are where their result is absent;
    and the landing page of each family that has one."""
    texts = _family_texts(site)
    headers = in_reading_order(headers, texts)
    index, nav = site.root / "docs" / "index.md", site.root / "mkdocs.yml"
    guide = site.root / "docs" / "guide" / "the-chain.md"
    parts = [
        (nav, "# generated: navigation", navigation(headers, set(texts))),
        (index, "<!-- generated: symptoms -->", symptoms(headers, set(texts))),
        (guide, "<!-- generated: chain-figures -->", chain_figures(results)),
    ]
    files = {}
    for path, mark, text in parts:
        if text and path.exists():
            files[path] = fill(path.read_text(), mark, text)
    by_name = {playbook.name: header for playbook, header in headers}
    for group, text in texts.items():
        files[site.pages / group / INDEX] = landing_page(text, by_name)
    return files


def _family_texts(site: Site) -> dict[str, str]:
    sources = {group: site.root / "playbooks" / group / INDEX for group in GROUPS}
    return {group: path.read_text() for group, path in sources.items() if path.exists()}


def record_file(site: Site, headers: Headers, results: list[Result]) -> dict[Path, str]:
    """The record of versions: of these results, and as before for the playbooks not run now."""
    names = {playbook.name for playbook, _ in headers}
    record = {name: made for name, made in site.recorded().items() if name in names}
    record |= {result.name: result.versions for result in results}
    return {site.pages / RECORD: json.dumps(record, indent=2, sort_keys=True) + "\n"}


def fill(text: str, mark: str, inside: str) -> str:
    """Replace what stands between the line `mark` and the next line that says where it ends.

    Raises ValueError when the two lines are not there.
    """
    pattern = rf"(^[ \t]*{re.escape(mark)}\n).*?(^[^\n]*{END})"
    done, times = re.subn(
        pattern, lambda m: f"{m[1]}{inside}\n{m[2]}", text, flags=re.DOTALL | re.MULTILINE
    )
    if times != 1:
        raise ValueError(
            f"{mark!r} and a line with {END!r} must stand there once, not {times} times"
        )
    return done


def chain_figures(results: list[Result]) -> str:
    """A whole chain, a broken one, and a graph with a fork, from the runs of two playbooks."""
    by_name = {result.name: result for result in results}
    if not {"ghost_migration", "two_leaf_nodes"} <= by_name.keys():
        return ""
    ghost, fork = by_name["ghost_migration"], by_name["two_leaf_nodes"]
    figures = [
        draw_chain(Chain.from_dict(next(ghost.shown("chain", "after")))),
        draw_chain(Chain.from_dict(next(ghost.shown("chain", "before")))),
        draw_graph(Graph.from_dict(next(fork.shown("graph", "before")))),
    ]
    return "\n" + "\n\n".join(figures) + "\n"


def stray(site: Site, headers: Headers) -> list[Path]:
    """Generated files on disk that belong to no playbook any more."""
    known = {site.pages / RECORD}
    known |= {site.pages / group / INDEX for group in _family_texts(site)}
    for playbook, _ in headers:
        known |= set(paths(site, playbook))
    return sorted(path for path in site.pages.rglob("*") if path.is_file() and path not in known)


def difference(path: Path, wanted: str, root: Path) -> str:
    """A unified diff from the disk to what a run gives; empty when they are equal."""
    there = path.read_text() if path.exists() else ""
    name = path.relative_to(root).as_posix()
    lines = difflib.unified_diff(
        there.splitlines(),
        wanted.splitlines(),
        f"{name} (on disk)",
        f"{name} (this run)",
        "",
        "",
        2,
        "",
    )
    return "\n".join(lines)


def other_versions(site: Site, result: Result) -> str:
    """Why a page may rightly differ here: `sqlite 3.40.1 recorded, 3.45.0 here`; else empty."""
    recorded = site.recorded().get(result.name)
    if recorded is None:
        return ""
    here = versions()
    return ", ".join(
        f"{name} {recorded.get(name)} recorded, {here[name]} here"
        for name in here
        if recorded.get(name) != here[name]
    )
