"""The site, built as a reader gets it: links, origins, access, search, paper, Zensical."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

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

FEWEST_PLAYBOOKS = 110
# Pages that one generator makes and the other does not, each with its reason.
ONLY_MKDOCS: dict[str, str] = {}
ONLY_ZENSICAL: dict[str, str] = {}
AWAY = re.compile(r"(?:https?:)?//")
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
# What is longer than two screens, with its reason.
LONGER = {
    "the-chain": "it shows three drawings of the kit",
    "when-nothing-complains": "a list to look something up in",
}
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
    """What is its own; and all that is sent, with the navigation that every page has."""
    for book in PLAYBOOKS:
        text = (site / book.page / "index.html").read_text(encoding="utf-8")
        own = text.index("</article>") - text.index("<article")
        assert own <= 50 * 1024, f"{book.page} has {own} bytes of HTML of its own"
        sent = len(gzip.compress(text.encode()))
        assert sent <= 15 * 1024, f"{book.page} has {sent} bytes, compressed"


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
    """Among the first five, or among as many as quote a text of the same words."""
    for symptom in playbook.symptoms:
        results = results_of(search_box, symptom)
        alike = sum(words(symptom) in map(words, book.symptoms) for book in PLAYBOOKS)
        found = results[: max(5, alike + 1)]
        assert playbook.page in found, f"{symptom!r} finds {results}, not {playbook.page}"


def test_the_search_finds_a_whole_console_output(search_box: Page) -> None:
    """Tracebacks with all that stands in them: 19 of 20 find a page that helps among the first
    five."""
    books = {book.source.stem: book.page for book in PLAYBOOKS}
    texts = json.loads((ROOT / "tests" / "errors.json").read_text())
    english = [one for one in texts if one["right"] and one["language"] == "en"]
    first = list({one["scenario"]: one for one in reversed(english)}.values())
    with search_box.expect_response("**/find.json"):
        search_box.goto("find/")
        search_box.locator("[data-md-component=search-query]").click()
    missed = []
    for one in first:
        found = results_of(search_box, one["text"])[:5]
        if not {books[name] for name in one["right"]} & set(found):
            missed.append((one["scenario"], found))
    assert len(first) > 80
    assert len(missed) <= len(first) / 20, missed


def words(symptom: str) -> str:
    """An error text without the names in it."""
    return re.sub(r'"[^"]*"', "", symptom)


@each_playbook
def test_a_playbook_page_needs_no_script(still: Page, site: Path, playbook: Playbook) -> None:
    still.goto(playbook.page)
    first = ".scrolls table" if playbook.compares else ".short-version code"
    quoted = [text.strip() for text in still.locator(".symptoms code").all_inner_texts()]
    # In tabs, what all databases say may stand in each.
    assert set(quoted) == {text.strip() for text in playbook.symptoms}
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


@pytest.fixture
def laptop(browser: Browser, address: str) -> Iterator[Page]:
    """A page on the screen of a laptop."""
    with browser.new_context(base_url=address, viewport={"width": 1280, "height": 800}) as context:
        yield context.new_page()


def test_the_home_page_answers_three_questions_on_the_first_screen(laptop: Page) -> None:
    laptop.goto("")
    doors = laptop.locator(".door")
    headings = [text.strip("¶ ") for text in doors.locator("h2").all_inner_texts()]
    asked = ["Something is broken", "I am about to change something", "I am new here"]
    assert [heading.strip() for heading in headings] == asked
    for door in doors.all():
        box = door.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 800
        assert door.locator("a").count() >= 10
    (no_error,) = doors.nth(0).get_by_text("no error, but values are gone").all()
    assert no_error.is_visible()
    cells = doors.nth(1).locator("td:not(:first-child)").all_inner_texts()
    assert set(cells) == {"safe", "needs care", "loses data"}


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_a_page_of_the_guide_has_two_screens_at_most(laptop: Page, page: Path) -> None:
    """With its folds closed, and at most one line of text more."""
    laptop.goto(f"guide/{page.stem}/")
    height = laptop.evaluate("document.querySelector('.md-content__inner').offsetHeight")
    assert (height > 2 * 800 + 25) == (page.stem in LONGER)


PASTED = """CommandError: Conflicting migrations detected; multiple leaf nodes in the migration \
graph: (0012_price, 0012_stock in shop).
To fix them run 'python manage.py makemigrations --merge'"""


@pytest.mark.parametrize("path", ["", "find/"])
def test_a_pasted_error_is_answered_in_the_page(laptop: Page, path: str) -> None:
    laptop.goto(path)
    box = laptop.get_by_label("Paste the error")
    box.fill(PASTED)
    answer = laptop.locator(".finder .answer")
    answer.get_by_role("link").first.wait_for()
    laptop.set_viewport_size({"width": 390, "height": 844})
    assert laptop.evaluate("document.documentElement.scrollWidth") == 390
    laptop.add_script_tag(content=AXE_SCRIPT)
    assert laptop.evaluate("axe.run().then(found => found.violations.map(one => one.id))") == []
    answer.get_by_role("link", name="Two branches added a migration to the same app").click()
    assert urlsplit(laptop.url).path == "/playbooks/conflicts/two-leaf-nodes/"


def test_an_error_in_the_address_is_answered_by_keyboard_alone(laptop: Page) -> None:
    laptop.goto(f"find/?error={quote(PASTED)}")
    answer = laptop.locator(".finder .answer")
    assert answer.get_attribute("aria-live") == "polite"
    answer.get_by_role("link").first.wait_for()
    assert "python manage.py makemigrations shop --merge" in answer.inner_text()
    assert "Did both branches change the same field?" in answer.inner_text()
    laptop.get_by_label("Paste the error").focus()
    for _ in range(8):
        laptop.keyboard.press("Tab")
        if laptop.evaluate("document.activeElement.matches('.answer .found a')"):
            break
    laptop.keyboard.press("Enter")
    laptop.wait_for_url("**/two-leaf-nodes/")


def test_a_text_of_something_else_is_answered_so(laptop: Page) -> None:
    laptop.goto("find/")
    laptop.get_by_label("Paste the error").fill("ZeroDivisionError: division by zero")
    laptop.get_by_text("this site cannot help").wait_for()


def test_without_scripts_the_messages_stand_in_a_table(still: Page) -> None:
    still.goto("find/")
    assert not still.locator("textarea").count()
    assert still.locator(".catalogue tbody tr").count() >= 100


def test_boxes_are_remembered_by_the_browser_for_each_page(laptop: Page) -> None:
    laptop.goto("onboarding/first-week/")
    boxes = laptop.get_by_role("checkbox")
    assert boxes.count() >= 15
    first = boxes.nth(0).get_attribute("aria-label")
    item = laptop.locator(".task-list-item").nth(0).bounding_box()
    assert item
    laptop.mouse.click(item["x"] - 12, item["y"] + 12)  # where Material draws it
    boxes.nth(2).press(" ")
    laptop.goto("onboarding/checklist-authors/")
    assert laptop.get_by_role("checkbox", checked=True).count() == 0
    laptop.goto("onboarding/first-week/")
    ticked = laptop.get_by_role("checkbox", checked=True)
    assert ticked.count() == 2
    assert ticked.nth(0).get_attribute("aria-label") == first
    laptop.get_by_role("button", name="Untick all").click()
    laptop.reload()
    assert laptop.get_by_role("checkbox", checked=True).count() == 0


def test_boxes_are_printed(laptop: Page) -> None:
    laptop.goto("onboarding/first-week/")
    laptop.emulate_media(media="print")
    style = "getComputedStyle(document.querySelector('.task-list-indicator'), '::before')"
    assert laptop.evaluate(f"{style}.printColorAdjust") == "exact"
    assert laptop.evaluate(f"{style}.boxShadow") != "none"
    assert not laptop.get_by_role("button", name="Untick all").is_visible()


@pytest.mark.parametrize(
    "page", ["cheat-sheet", "team-agreement", "checklist-authors", "checklist-reviewers"]
)
def test_what_is_to_be_printed_is_one_page_of_paper(laptop: Page, page: str) -> None:
    laptop.goto(f"onboarding/{page}/")
    paper = laptop.pdf(format="A4", print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1


def test_each_offered_file_is_saved_as_markdown(laptop: Page, site: Path) -> None:
    offered = sorted(path.stem for path in (site / "files").iterdir())
    assert len(offered) == 5
    saved = []
    for page in sorted((ROOT / "docs" / "onboarding").glob("*.md")):
        laptop.goto(f"onboarding/{page.stem}/")
        for link in laptop.locator("a[download]").all():
            with laptop.expect_download() as download:
                link.click()
            saved.append(Path(download.value.suggested_filename))
            text = (site / "files" / f"{saved[-1].stem}.txt").read_text()
            assert Path(download.value.path()).read_text() == text
    assert sorted(path.stem for path in saved) == offered
    assert {path.suffix for path in saved} == {".md"}


def test_zensical_builds_the_same_pages(site: Path, project: Path) -> None:
    build("zensical", folder=project)
    ours, theirs = set(pages(site)), set(pages(project / "site"))
    assert ours - theirs == set(ONLY_MKDOCS)
    assert theirs - ours == set(ONLY_ZENSICAL)
