"""The generated files of the site: what they should hold, and how they differ from the disk."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from .databases import DATABASES
from .downloads import FOLDER
from .family import INDEX, landing_page
from .handwritten import handwritten_files
from .header import GROUPS
from .inserts import fill
from .lists import Headers, in_reading_order, navigation
from .matrix import elsewhere
from .notebook import notebook
from .pages import page
from .results import Result
from .source import Playbook
from .troubles import data_file, messages
from .versions import versions

RECORD = "recorded.json"


@dataclass(frozen=True)
class Site:
    """Where the generated files are: `docs/playbooks/**`, and marked parts of others."""

    root: Path

    @property
    def docs(self) -> Path:
        """The folder of all that MkDocs reads."""
        return self.root / "docs"

    @property
    def pages(self) -> Path:
        """The folder of the generated pages."""
        return self.docs / "playbooks"

    def recorded(self) -> dict[str, dict[str, str]]:
        """The versions that each page on disk was made with, and the date, by playbook."""
        path = self.pages / RECORD
        return json.loads(path.read_text()) if path.exists() else {}


def page_files(site: Site, result: Result, source: str) -> dict[Path, str]:
    """The three files of one playbook, with their texts."""
    text = page(result, day(site, result), elsewhere(result.name, source))
    texts = text, source, notebook(result, source)
    return dict(zip(paths(site, result), texts, strict=True))


def paths(site: Site, of: Result | Playbook) -> tuple[Path, Path, Path]:
    """Where the three files of one playbook are: page, source, notebook."""
    page_path = site.pages / f"{of.page}.md"
    return page_path, page_path.with_name(f"{of.name}.py"), page_path.with_name(f"{of.name}.ipynb")


def shared_files(site: Site, headers: Headers, results: list[Result]) -> dict[Path, str]:
    """What is made from several playbooks: the navigation, the pages written by hand with their
    generated parts and the files that they offer, and the landing page of each family that has one.

    Raises HeaderError for a part that no run can fill.
    """
    texts = _family_texts(site)
    headers = in_reading_order(headers, texts)
    nav = site.root / "mkdocs.yml"
    files = {}
    if nav.exists():
        marked = "# generated: navigation"
        files[nav] = fill(nav.read_text(), marked, navigation(headers, texts))
    rows = messages(site.root, headers)
    files |= data_file(site.docs, headers, results, rows)
    files |= handwritten_files(site.docs, headers, results, texts, rows)
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
    record |= {it.name: it.versions | {"date": day(site, it)} for it in results}
    return {site.pages / RECORD: json.dumps(record, indent=2, sort_keys=True) + "\n"}


def day(site: Site, result: Result) -> str:
    """Since when the page is recorded on the versions that it names: today, if they are new."""
    recorded = site.recorded().get(result.name, {})
    named = ["django", *(DATABASES[name] for name in result.header.every_database)]
    if all(recorded.get(key) == result.versions[key] for key in named) and "date" in recorded:
        return recorded["date"]
    return date.today().isoformat()


def stray(site: Site, headers: Headers, offered: Iterable[Path]) -> list[Path]:
    """Generated files on disk that belong to no playbook any more, and to no page that offers it
    (`offered`: the paths of `shared_files`)."""
    known = {site.pages / RECORD}
    known |= {site.pages / group / INDEX for group in _family_texts(site)}
    for playbook, _ in headers:
        known |= set(paths(site, playbook))
    known |= {path for path in offered if path.parent.name == FOLDER}
    there = [*site.pages.rglob("*"), *(site.docs / FOLDER).rglob("*")]
    return sorted(path for path in there if path.is_file() and path not in known)


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
    not_its_own = {
        key for name, key in DATABASES.items() if name not in result.header.every_database
    }
    return ", ".join(
        f"{name} {recorded.get(name)} recorded, {here[name]} here"
        for name in here.keys() - not_its_own
        if recorded.get(name) != here[name]
    )
