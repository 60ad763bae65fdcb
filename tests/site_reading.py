"""How the tests read the site: its sources, its HTML, its pages in a browser, its search."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from playbook_kit.source import find
from playwright.sync_api import Page, TimeoutError

ROOT = Path(__file__).parents[1]
HEIGHTS = {1280: 800, 390: 844}
WIDTHS = tuple(HEIGHTS)
SCHEMES = ("light", "dark")
# Material makes a block that scrolls reachable by keyboard a moment after the page has its size.
REACHABLE = """[...document.querySelectorAll("pre > code")].every(
    code => code.scrollWidth <= code.clientWidth || code.tabIndex >= 0)"""
# What a browser fetches by itself; `rel=canonical` and its like are only words.
FETCHED_RELS = {"stylesheet", "icon", "preconnect", "preload", "dns-prefetch", "modulepreload"}


@dataclass(frozen=True)
class Playbook:
    """A playbook as the site shows it: its source, its page, the error texts that it quotes."""

    source: Path
    page: str
    symptoms: tuple[str, ...]
    compares: bool  # several situations, in a table


PLAYBOOKS = [
    Playbook(found.path, f"playbooks/{found.page}/", header.symptoms, bool(header.answer))
    for found in find(ROOT / "playbooks")
    for header in (found.header(),)
]


class Document(HTMLParser):
    """The ids of a page, where it points, and what a browser fetches for it unasked."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids, self.targets, self.fetched = {"", "top"}, list[str](), list[str]()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        self.targets += [values[name] for name in ("href", "src") if name in values]
        if tag == "link" and FETCHED_RELS & set(values.get("rel", "").split()):
            self.fetched.append(values["href"])
        if "src" in values:
            self.fetched.append(values["src"])


def build(command: str, *arguments: str, folder: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "SITE_URL"}
    result = subprocess.run(
        [sys.executable, "-m", command, "build", *arguments],
        cwd=folder,
        env={**environment, "NO_MKDOCS_2_WARNING": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert result.returncode == 0, f"`{command} build` failed:\n{result.stdout}"


def pages(site: Path) -> list[str]:
    return sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))


@dataclass
class Visits:
    """What was seen when each page was opened in light and dark, wide and narrow."""

    requests: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)


def look(open_page: dict[str, Page], widths: Sequence[int], path: str, seen: Visits) -> None:
    """Look at one page, in light and in dark, at one width each; both checks run at once."""
    sizes = dict(zip(open_page, widths, strict=True))
    for scheme, page in open_page.items():
        width = sizes[scheme]
        page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        with suppress(TimeoutError):  # if it never comes, axe says where
            page.wait_for_function(REACHABLE, timeout=2000)
        page.evaluate("void (window.report = axe.run({resultTypes: ['violations']}))")
    for scheme, page in open_page.items():
        width = sizes[scheme]
        where = f"{path} ({scheme}, {width} px)"
        for violation in page.evaluate("report.then(it => it.violations)"):
            for node in violation["nodes"]:
                seen.violations.append(f"{where}: {violation['id']}: {node['failureSummary']}")
                seen.violations.append(f"    {node['target']} {node['html'][:200]}")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            seen.too_wide.append(where)


def results_of(page: Page, text: str) -> list[str]:
    """Paste the text into the search, as a person does, and read the pages it lists first."""
    query = page.locator("[data-md-component=search-query]")
    query.fill("")
    query.press("Home")  # the search listens to keys
    page.wait_for_function("!document.querySelector('.md-search-result__item')")
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    query.press("ControlOrMeta+v")
    with suppress(TimeoutError):
        page.wait_for_function("document.querySelector('.md-search-result__item')", timeout=5000)
    links = page.locator(".md-search-result__item > a").all()
    found = [urlsplit(link.get_attribute("href") or "").path.lstrip("/") for link in links]
    return list(dict.fromkeys(found))
