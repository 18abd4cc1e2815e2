"""The dashboard in a real browser, over a study with hostile names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna_dashboard import get_note, save_note

from tests.support.browser import WatchedPage
from tests.support.dashboards import (
    ANSWER,
    CONCLUSION,
    NAME,
    SENTENCE,
    DashboardClient,
    hostile_study,
    serve_dashboard,
)
from tests.support.studies import create_simulated_study, end_simulated_runs
from training_factors.storage.database import open_database
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study
from training_factors.study.api.publishing import publish_changed
from training_factors.study.reporting.dashboard_notes import (
    CHART_ID,
    dashboard_figure,
    save_to_dashboard,
    study_note,
)

pytestmark = pytest.mark.slow

PLOT = f'[id="user-defined-plot:{CHART_ID}"]'
FIGURE = dashboard_figure(CONCLUSION, ANSWER, "accuracy")
NOTE = study_note(CONCLUSION, ANSWER, NAME, "accuracy")
EDIT = 'button:has(svg[data-testid="EditIcon"])'


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with our chart and note, and with a user's text above them."""
    folder = tmp_path_factory.mktemp("dashboard")
    made = hostile_study(open_database(f"sqlite:///{folder}/studies.db", create=True))
    save_note(made.optuna_study, "A user's text.")
    save_to_dashboard(
        made,
        dashboard_figure(CONCLUSION, ANSWER, "accuracy"),
        study_note(CONCLUSION, ANSWER, NAME, "accuracy"),
    )
    return made


@pytest.fixture(scope="module")
def dashboard(study: Study) -> Iterator[DashboardClient]:
    with serve_dashboard(study.database) as client:
        yield client


def has_no_problems(seen: WatchedPage, dashboard: DashboardClient) -> bool:
    """Check: no error, no script from a name was run, no request to another server."""
    assert seen.errors == [] and seen.dialogs == []
    assert {url.split("/")[2] for url in seen.requests} == {f"127.0.0.1:{dashboard.port}"}
    return True


def test_the_page_of_the_study_shows_our_chart(
    dashboard: DashboardClient, study: Study, page: WatchedPage
) -> None:
    page.page.goto(f"{dashboard.address}/dashboard/studies/{study.study_id}")
    page.page.wait_for_selector(f"{PLOT} .bars path")
    chart = page.page.locator(PLOT)
    chart.scroll_into_view_if_needed()
    assert chart.is_visible()
    assert chart.locator(".bars .point").count() == 2 * (len(ANSWER.factors) + 1)
    assert chart.locator("path.xerror").count() == len(ANSWER.factors) + 1
    assert SENTENCE[:20] in chart.inner_text().replace("\n", "")
    assert page.page.get_by_text("validation accuracy").first.is_visible()
    assert has_no_problems(page, dashboard)


def test_the_chart_of_a_running_study_is_dated_and_refreshed(
    tmp_path: Path, page: WatchedPage
) -> None:
    running = create_simulated_study(f"sqlite:///{tmp_path}/studies.db", 20, space="small")
    running.queue.add([Run("measure", row) for row in range(20, 24)])
    published: dict[str, int] = {}
    publish_changed(running.database, published)
    with serve_dashboard(running.database) as client:
        page.page.goto(f"{client.address}/dashboard/studies/{running.study_id}")
        dated = page.page.locator(PLOT).get_by_text("as of run 20 of 24")
        dated.wait_for()
        end_simulated_runs(running)
        publish_changed(running.database, published)
        dated.wait_for(state="detached")  # the page itself asks for news
        assert page.page.locator(PLOT).locator(".bars path").count()
        assert has_no_problems(page, client)


def test_the_note_shows_the_verdict_and_keeps_the_user_s_text(
    dashboard: DashboardClient, study: Study, page: WatchedPage
) -> None:
    page.page.goto(f"{dashboard.address}/dashboard/studies/{study.study_id}/note")
    page.page.wait_for_selector("text=Which training factor matters most")
    shown = page.page.inner_text("body")
    assert SENTENCE in shown
    assert page.page.get_by_text("A user's text.").is_visible()
    assert page.page.get_by_role("cell", name="60.0 to 80.0").is_visible()
    assert "Hyperparameter Importance” differs" in shown
    assert "[//]" not in shown and "(training factors)" not in shown
    assert page.page.locator("table img, strong img, script[src*=alert]").count() == 0
    assert has_no_problems(page, dashboard)


def test_the_page_of_a_trial_shows_its_note_and_curve(
    dashboard: DashboardClient, study: Study, page: WatchedPage
) -> None:
    page.page.goto(f"{dashboard.address}/dashboard/studies/{study.study_id}/trials?numbers=0")
    page.page.wait_for_selector("text=counts for importance")
    picture = page.page.locator("img[alt='validation accuracy by epoch']")
    picture.wait_for()
    page.page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())
    assert page.page.get_by_text("Intermediate Values").is_visible()
    assert page.page.locator("img").count() == 1
    assert has_no_problems(page, dashboard)


@pytest.mark.parametrize("path", ["", "/studies/1/analytics", "/studies/1/trialTable"])
def test_the_other_pages_have_no_problems(
    dashboard: DashboardClient, page: WatchedPage, path: str
) -> None:
    page.page.goto(f"{dashboard.address}/dashboard{path}")
    page.page.wait_for_selector("text=digits")
    page.page.wait_for_load_state("networkidle")
    assert has_no_problems(page, dashboard)


def test_a_read_only_page_shows_the_reason(
    dashboard: DashboardClient, study: Study, page: WatchedPage
) -> None:
    before = get_note(study.optuna_study)
    page.page.goto(f"{dashboard.address}/dashboard/studies/{study.study_id}/note")
    page.page.click(EDIT)
    page.page.locator("textarea").first.fill("overwritten")
    page.page.get_by_role("button", name="Save").click()
    page.page.wait_for_selector("text=start dashboard with --write")
    assert get_note(study.optuna_study) == before


def test_with_write_the_page_can_save_a_note(study: Study, page: WatchedPage) -> None:
    before = get_note(study.optuna_study)
    with serve_dashboard(study.database, writing=True) as writable:
        page.page.goto(f"{writable.address}/dashboard/studies/{study.study_id}/note")
        page.page.click(EDIT)
        page.page.locator("textarea").first.fill(f"{before}\nMore of a user's text.\n")
        page.page.get_by_role("button", name="Save").click()
        page.page.get_by_text("More of a user's text.", exact=True).wait_for()
        assert has_no_problems(page, writable)
    assert get_note(study.optuna_study).endswith("More of a user's text.\n")
    assert not save_to_dashboard(
        study,
        dashboard_figure(CONCLUSION, ANSWER, "accuracy"),
        study_note(CONCLUSION, ANSWER, NAME, "accuracy"),
    )
