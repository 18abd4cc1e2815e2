"""A real browser for tests of pages: Debian's Chromium, driven by playwright."""

import os
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

CHROMIUM = "STUDY_TEST_CHROMIUM"
"""Environment variable that names the browser's program where it is not on the path."""

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking",
]  # fmt: skip


class Seen(NamedTuple):
    """A page, and what happened on it: each list grows while the page lives.

    errors: what it wrote to the console as errors or warnings, or did not catch. requests: their
    addresses. dialogs: what it asked or alerted; they are dismissed.
    """

    page: Any
    errors: list[str]
    requests: list[str]
    dialogs: list[str]


def chromium_path() -> str | None:
    """The program of a browser; None when there is none."""
    named = os.environ.get(CHROMIUM)
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


# Of a module: while playwright is there, asyncio's loop counts as running, which others mind.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser that has not been anywhere."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium_path()
    if path is None:
        pytest.skip(f"no Chromium: apt-get install chromium, or name one in {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Seen]:
    """An empty page without cookies or cache."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    yield watched(context.new_page())
    context.close()


def watched(page: Any) -> Seen:
    """The page with what happens on it written down from now on."""
    seen = Seen(page, [], [], [])

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
