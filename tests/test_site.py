"""The site, built as a reader gets it: links, origins, access, search, paper, Zensical."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from browser import open_browser, serve
from playwright.sync_api import Browser, Page
from site_reading import (
    PLAYBOOKS,
    ROOT,
    SCHEMES,
    WIDTHS,
    Document,
    Playbook,
    Visits,
    build,
    look,
    pages,
    results_of,
)

FEWEST_PLAYBOOKS = 43
# Pages that one generator makes and the other does not, each with its reason.
ONLY_MKDOCS: dict[str, str] = {}
ONLY_ZENSICAL: dict[str, str] = {}
AWAY = re.compile(r"(?:https?:)?//")
# Pages are made alike: of each family and each form one is enough where a rule is about the form.
ONE_OF_EACH = list({(book.source.parent, book.compares): book for book in PLAYBOOKS}.values())
each_playbook = pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda book: book.source.stem)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the generators read, so that they write nothing into the repository."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    return folder


@pytest.fixture(scope="module")
def site(project: Path) -> Path:
    build("mkdocs", "--strict", folder=project)  # --quiet would not count the warnings
    return (project / "site").rename(project / "built-by-mkdocs")


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with serve(site) as address:
        yield address


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Browser]:  # noqa: ARG001 - closed before the server is
    with open_browser() as browser:
        yield browser


@pytest.fixture
def still(browser: Browser, address: str) -> Iterator[Page]:
    """A page in which no script runs."""
    with browser.new_context(java_script_enabled=False, base_url=address) as context:
        yield context.new_page()


def one_of_each_family(site: Path) -> set[str]:
    """Pages of playbooks are made alike: one of each family is looked at in light and dark, wide
    and narrow; the others are in light where it is wide, and in dark where it is narrow."""
    return set({path.split("/")[1]: path for path in pages(site) if path.count("/") == 3}.values())


@pytest.fixture(scope="module")
def visits(browser: Browser, address: str, site: Path) -> Iterator[Visits]:
    seen = Visits()
    with ExitStack() as stack:
        open_page = {}
        for scheme in SCHEMES:
            context = browser.new_context(base_url=address, color_scheme=scheme)
            open_page[scheme] = stack.enter_context(context).new_page()
            open_page[scheme].on("request", lambda request: seen.requests.add(request.url))
        for path in pages(site):
            for page in open_page.values():
                page.goto(path)
                page.add_style_tag(content="* { transition: none !important }")
                page.add_script_tag(content=AXE_SCRIPT)
            look(open_page, WIDTHS, path, seen)
            if not path.startswith("playbooks/") or path in one_of_each_family(site):
                look(open_page, WIDTHS[::-1], path, seen)
        yield seen


def test_the_site_has_a_page_for_every_playbook(site: Path) -> None:
    missing = [book.page for book in PLAYBOOKS if not (site / book.page / "index.html").is_file()]
    assert not missing, f"no page for {missing}. Next: `playbooks run`"
    assert len(PLAYBOOKS) >= FEWEST_PLAYBOOKS, "playbooks are missing, or are not found"


def test_a_page_of_a_playbook_is_light(site: Path) -> None:
    for book in PLAYBOOKS:
        size = (site / book.page / "index.html").stat().st_size
        assert size <= 60 * 1024, f"{book.page} has {size} bytes of HTML"


def test_no_link_is_broken(site: Path) -> None:
    documents = {path: Document(path) for path in sorted(site.rglob("*.html"))}
    broken = []
    for path, target in ((path, t) for path, doc in documents.items() for t in doc.targets):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        start = site if parts.path.startswith("/") else path.parent
        found = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
        found = found / "index.html" if found.is_dir() else found
        if not found.is_file():
            broken.append(f"{path.relative_to(site)}: {target}: no such file")
        elif found in documents and unquote(parts.fragment) not in documents[found].ids:
            broken.append(f"{path.relative_to(site)}: {target}: no such anchor")
    assert sum(len(document.targets) for document in documents.values()) > 100
    assert not broken, "\n".join(broken)


def test_no_file_of_the_site_names_something_to_fetch_elsewhere(site: Path) -> None:
    fetched = [(path, it) for path in site.rglob("*.html") for it in Document(path).fetched]
    css = re.compile(r"""(?:@import\s+|url\()["']?([^"')\s]+)""")
    for path in site.rglob("*.css"):
        fetched += [(path, it) for it in css.findall(path.read_text(encoding="utf-8"))]
    away = [f"{path.relative_to(site)}: {it}" for path, it in fetched if AWAY.match(it)]
    assert len(fetched) > 10
    assert not away, "\n".join(away)


def test_no_page_sends_a_request_to_another_origin(visits: Visits, address: str) -> None:
    assert len(visits.requests) > 10
    assert not [url for url in visits.requests if not url.startswith((address, "data:", "blob:"))]


def test_no_page_has_an_accessibility_violation(visits: Visits) -> None:
    assert not visits.violations, "\n".join(visits.violations)


def test_no_page_is_wider_than_the_screen(visits: Visits) -> None:
    assert not visits.too_wide, "\n".join(visits.too_wide)


@pytest.fixture(scope="module")
def search_box(browser: Browser, address: str) -> Iterator[Page]:
    with browser.new_context(base_url=address, viewport={"width": 1280, "height": 800}) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto("")
        yield page


@each_playbook
def test_the_search_finds_each_error_text_pasted_whole(
    search_box: Page, playbook: Playbook
) -> None:
    """Among the first five, and of those before it two at most do not print the very same text."""
    for symptom in playbook.symptoms:
        results = results_of(search_box, symptom)
        assert playbook.page in results[:5], f"{symptom!r} finds {results}, not {playbook.page}"
        before = results[: results.index(playbook.page)]
        others = [page for page in before if not prints(page, symptom)]
        assert len(others) <= 2, f"{symptom!r} finds {others} before {playbook.page}"


def prints(page: str, text: str) -> bool:
    """Whether this text stands on the page with this address."""
    source = ROOT / "docs" / f"{page.rstrip('/')}.md"
    return source.exists() and " ".join(text.split()) in " ".join(source.read_text().split())


@each_playbook
def test_a_playbook_page_needs_no_script(still: Page, site: Path, playbook: Playbook) -> None:
    still.goto(playbook.page)
    first = ".scrolls table" if playbook.compares else ".short-version code"
    quoted = [text.strip() for text in still.locator(".symptoms code").all_inner_texts()]
    assert quoted == [text.strip() for text in playbook.symptoms]
    assert still.locator(first).first.inner_text().strip()
    for name in (playbook.source.name, f"{playbook.source.stem}.ipynb"):
        assert still.locator(f"a[href$='/{name}']").first.is_visible(), f"no link to {name}"
        assert (site / playbook.page).with_name(name).is_file()


@pytest.mark.parametrize("playbook", ONE_OF_EACH, ids=lambda book: book.source.stem)
def test_a_printed_page_shows_what_is_folded(still: Page, playbook: Playbook) -> None:
    still.goto(playbook.page)
    still.emulate_media(media="print")
    folded = still.locator("details.fold > :not(summary)").all()
    assert folded, "no fold found"
    assert all(part.is_visible() and part.bounding_box()["height"] > 0 for part in folded)
    assert not still.locator("button:visible").count()


def test_zensical_builds_the_same_pages(site: Path, project: Path) -> None:
    build("zensical", folder=project)
    ours, theirs = set(pages(site)), set(pages(project / "site"))
    assert ours - theirs == set(ONLY_MKDOCS)
    assert theirs - ours == set(ONLY_ZENSICAL)
