"""How the tests read the site: its sources, its HTML, its pages in a browser, its search."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from playwright.sync_api import Page, TimeoutError

ROOT = Path(__file__).parents[1]
WIDTHS = {1280: 800, 390: 844}
# Half the time goes into the colours of code, which are the same at every width: looked at once.
AXE_CONTEXTS = {1280: {"include": ["html"]}, 390: {"exclude": [[".highlight code"]]}}
# The dark theme differs in its colours only, so that only what looks at colours runs again.
AXE_OPTIONS: dict[str, dict[str, list[str]]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]},
}
# What a browser fetches by itself; `rel=canonical` and its like are only words.
FETCHED_RELS = {"stylesheet", "icon", "preconnect", "preload", "dns-prefetch", "modulepreload"}


@dataclass(frozen=True)
class Playbook:
    """A source file under `playbooks/`, with the error texts that its header quotes."""

    source: Path
    symptoms: tuple[str, ...]

    @property
    def page(self) -> str:
        return f"playbooks/{self.source.parent.name}/{self.source.stem.replace('_', '-')}/"


def read_playbook(source: Path) -> Playbook:
    lines = source.read_text(encoding="utf-8").splitlines()
    start = lines.index("# ---")
    stop = lines.index("# ---", start + 1)
    header = yaml.safe_load("\n".join(line[2:] for line in lines[start + 1 : stop]))
    return Playbook(source, tuple(header["symptoms"]))


PLAYBOOKS = [
    read_playbook(path)
    for path in sorted(ROOT.glob("playbooks/*/*.py"))
    if path.parent.name != "playbook_kit"
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


def look(open_page: dict[str, Page], width: int, path: str, seen: Visits) -> None:
    """Look at one page in light and dark: the checks are started in both before one is awaited."""
    for scheme, page in open_page.items():
        page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        arguments = [AXE_CONTEXTS[width], AXE_OPTIONS[scheme]]
        page.evaluate("([where, what]) => void (window.report = axe.run(where, what))", arguments)
    for scheme, page in open_page.items():
        where = f"{path} ({scheme}, {width} px)"
        for violation in page.evaluate("report.then(it => it.violations)"):
            for node in violation["nodes"]:
                seen.violations.append(f"{where}: {violation['id']}: {node['failureSummary']}")
                seen.violations.append(f"    {node['target']} {node['html'][:200]}")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            seen.too_wide.append(where)


def first_results(page: Page, text: str) -> list[str]:
    """Paste the text into the search, as a person does, and read the first three pages."""
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
    return list(dict.fromkeys(found))[:3]
