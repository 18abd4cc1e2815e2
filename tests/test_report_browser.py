"""The page of a report in a real browser: light and dark, wide and on a phone."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import WatchedPage
from tests.support.reports import (
    COMMANDS,
    HOSTILE,
    hostile_report,
    report_without_answer,
    simulated_report,
)
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.page import render_page

pytestmark = pytest.mark.slow

PHONE = {"width": 360, "height": 740}
UNFOLDED = "document.querySelectorAll('details.section').forEach((one) => (one.open = true))"
EVERYTHING = "Promise.all(places.map((place) => draw(place)))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the pages of a complete study, of one without an answer, and of hostile names."""
    folder = tmp_path_factory.mktemp("pages")
    whole = simulated_report()
    reports = {
        "whole": whole,
        "few": report_without_answer(whole),
        "hostile": hostile_report(whole),
    }
    for name, report in reports.items():
        (folder / f"{name}.html").write_text(
            render_page(report, charts_of(report), COMMANDS), encoding="utf-8"
        )
    return folder


def opened(seen: WatchedPage, folder: Path, name: str = "whole", *, all_drawn: bool = True) -> Any:
    """Open a page; all_drawn: unfold its sections and draw all its charts."""
    seen.page.goto((folder / f"{name}.html").as_uri())
    if all_drawn:
        seen.page.evaluate(UNFOLDED)
        seen.page.evaluate(EVERYTHING)
    return seen.page


def is_clean(seen: WatchedPage) -> bool:
    """Return whether there were no errors, no dialogs and no requests to other machines."""
    assert seen.errors == [] and seen.dialogs == []
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
    return True


def test_the_verdict_and_the_bars_are_visible(folder: Path, page: WatchedPage) -> None:
    found = opened(page, folder, all_drawn=False)
    report = simulated_report()
    answer = report.require_answer()
    verdict = found.locator("#verdict")
    assert verdict.is_visible() and verdict.text_content() == report.conclusion.sentence
    chart = found.locator("#chart-importance")
    chart.scroll_into_view_if_needed()
    chart.locator(".bars path").first.wait_for()
    names = chart.locator(".plot").first.locator(".ytick").all_text_contents()
    assert names == [factor.name for factor in answer.factors_and_placebo]
    assert f"{100 * answer.factors[0].share:.0f} %" in str(
        chart.locator(".plot").first.text_content()
    )
    widths = found.evaluate(
        "[...document.querySelector('#chart-importance .plot .trace.bars')"
        ".querySelectorAll('.point path')].map((bar) => bar.getBBox().width)"
    )
    shown = [max(0.0, factor.shown) for factor in answer.factors_and_placebo]
    scale = widths[0] / shown[0]
    drawn = [part for part in shown if part > 0.001][: len(widths)]
    assert widths[: len(drawn)] == pytest.approx([scale * part for part in drawn], abs=1.5)
    assert is_clean(page)


def test_charts_out_of_view_are_not_drawn_yet(folder: Path, page: WatchedPage) -> None:
    found = opened(page, folder, all_drawn=False)
    found.locator("#chart-confirmation path.xerror").first.wait_for()
    last = found.locator("#chart-division .plot")
    assert last.get_attribute("data-drawn") is None
    found.locator("#data > summary").click()
    last.scroll_into_view_if_needed()
    found.locator("#chart-division .bars path").first.wait_for()
    assert is_clean(page)


def test_the_page_reads_like_an_article(folder: Path, page: WatchedPage) -> None:
    """Answer, how sure, what to set, evidence; everything else is folded."""
    page.page.set_viewport_size({"width": 1280, "height": 900})
    found = opened(page, folder, all_drawn=False)
    tops = [
        found.locator(f"#{name}").bounding_box()["y"]
        for name in ("answer", "sure", "setting", "next", "evidence", "factors", "runs", "stamp")
    ]
    assert tops == sorted(tops)
    assert found.evaluate("document.documentElement.scrollHeight") < 6000
    assert found.locator("details.section[open]").count() == 0


def test_a_phone_shows_the_evidence_of_every_setting(folder: Path, page: WatchedPage) -> None:
    page.page.set_viewport_size({"width": 400, "height": 800})
    found = opened(page, folder, all_drawn=False)
    cells = found.locator("#setting tbody td:nth-child(2)").all()
    assert cells
    for cell in cells:
        if cell.is_visible():
            box = cell.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 400
    levels = {cell.text_content() for cell in cells}
    assert levels <= {"confirmed", "probable", "not distinguishable"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_button_changes_between_light_and_dark(
    folder: Path, page: WatchedPage, scheme: str
) -> None:
    page.page.emulate_media(color_scheme=scheme)
    found = opened(page, folder)
    other = "light" if scheme == "dark" else "dark"
    ink = "getComputedStyle(document.querySelector('#chart-gains .ytick text')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    button = found.locator("#theme")
    assert button.text_content() == other.capitalize()
    before = found.evaluate(ink), found.evaluate(paper)
    button.focus()
    found.keyboard.press("Enter")
    found.wait_for_function(f"places.every((place) => place.dataset.drawn === '{other}')")
    after = found.evaluate(ink), found.evaluate(paper)
    assert before[0] != after[0] and before[1] != after[1]
    assert button.text_content() == scheme.capitalize()
    assert is_clean(page)


@pytest.mark.parametrize("name", ["whole", "few", "hostile"])
def test_a_phone_does_not_scroll_sideways(folder: Path, page: WatchedPage, name: str) -> None:
    page.page.set_viewport_size(PHONE)
    found = opened(page, folder, name)
    assert found.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for plot in found.locator(".plot").all():
        box = plot.locator(".main-svg").first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    assert is_clean(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(folder: Path, page: WatchedPage, scheme: str) -> None:
    """axe-core finds no violation of any severity; a scheme changes nothing but colors."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.page.emulate_media(color_scheme=scheme)
    found = opened(page, folder)
    found.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    rules = None if scheme == "light" else {"runOnly": ["cat.color"]}
    results = axe.Axe().run(found, options=rules)
    assert results.response["passes"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in results.response["violations"]] == []


def test_the_keyboard_reaches_buttons_tables_and_links(folder: Path, page: WatchedPage) -> None:
    found = opened(page, folder, all_drawn=False)
    found.keyboard.press("Tab")
    assert found.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(12):
        found.keyboard.press("Tab")
        reached.add(found.evaluate("document.activeElement.tagName"))
    assert {"BUTTON", "SUMMARY", "DIV"} <= reached  # the tables scroll
    summary = found.locator("#chart-importance summary").first
    summary.focus()
    found.keyboard.press("Enter")
    assert found.locator("#chart-importance table").first.is_visible()


def test_the_copy_button_copies_the_command(folder: Path, page: WatchedPage) -> None:
    found = opened(page, folder, all_drawn=False)
    found.context.grant_permissions(["clipboard-read", "clipboard-write"])
    found.locator("#next .copy").click()
    found.wait_for_function("document.querySelector('#next .copy').textContent === 'Copied'")
    assert found.evaluate("navigator.clipboard.readText()") == COMMANDS.following


def test_hostile_names_are_shown_as_text(folder: Path, page: WatchedPage) -> None:
    found = opened(page, folder, "hostile")
    assert HOSTILE in found.locator("h1").inner_text()
    assert found.locator("#chart-importance .ytick").first.text_content().startswith("<img src=x")
    assert found.locator("img[src=x]").count() == 0
    assert is_clean(page)
