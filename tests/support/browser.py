"""Chromium, driven by playwright, for tests of pages."""

import os
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

CHROMIUM = "STUDY_TEST_CHROMIUM"
"""Environment variable with the path of the browser where it is not on PATH."""

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking",
]  # fmt: skip


class WatchedPage(NamedTuple):
    """A page with its events: each list grows while the page is open.

    errors: console errors, console warnings and uncaught exceptions. requests: their URLs.
    dialogs: messages of alerts and questions, which are dismissed.
    """

    page: Any
    errors: list[str]
    requests: list[str]
    dialogs: list[str]


def chromium_path() -> str | None:
    """Return the path of a browser; None when there is none."""
    named = os.environ.get(CHROMIUM)
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


# Per module: while playwright is open, asyncio's loop counts as running, which breaks other tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Open a browser with an empty profile."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium_path()
    if path is None:
        pytest.skip(f"no Chromium: apt-get install chromium, or name one in {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[WatchedPage]:
    """Open an empty page without cookies or cache."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    yield watch_page(context.new_page())
    context.close()


def watch_page(page: Any) -> WatchedPage:
    """Record the events of a page from now on."""
    seen = WatchedPage(page, [], [], [])

    def on_dialog(dialog: Any) -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    def on_console(message: Any) -> None:
        if message.type in ("error", "warning"):
            seen.errors.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("dialog", on_dialog)
    return seen
