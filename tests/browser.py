"""The browser of the site's tests: find Chromium, serve a folder on loopback, open pages in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Chromium does not start as root inside its sandbox; the rest keeps it from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def open_browser() -> Iterator[Browser]:
    """One headless Chromium. Close it before other tests start an event loop of their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve the folder on a free loopback port, and give its address, with a slash at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep connections open: a page asks for a dozen files
    timeout = 5

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests report what matters."""


def find_chromium(playwright: Playwright) -> str:
    """Path of a Chromium: on PATH, Playwright's own, or, for root on Debian, installed now.

    Without one the test is skipped; with DEMAND_BROWSER set, as in CI, it fails.
    """
    own = Path(playwright.chromium.executable_path)
    return _on_path() or (str(own) if own.exists() else None) or _installed() or _do_without()


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@cache
def _installed() -> str | None:
    if os.name != "posix" or os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        return None
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for arguments in (["update"], ["install", "-y", "chromium"]):
            subprocess.run(["apt-get", "-q", *arguments], env=environment, **quiet)  # type: ignore[call-overload]
    except (OSError, subprocess.CalledProcessError):
        return None
    return _on_path()


def _do_without() -> NoReturn:
    reason = (
        f"no Chromium: none of {', '.join(NAMES)} is on PATH, Playwright has not downloaded its "
        "own, and apt-get could not install one. Next: `.venv/bin/playwright install chromium`"
    )
    if os.environ.get("DEMAND_BROWSER"):
        pytest.fail(f"{reason}. DEMAND_BROWSER is set, so this is not skipped.")
    pytest.skip(reason)
