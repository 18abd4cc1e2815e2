"""The chart and the note that are stored with a study, read back as the dashboard reads them."""

import json
from typing import Any

import pytest
from optuna_dashboard import get_note, save_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from sqlalchemy import event

from tests.support.dashboards import ANSWER, CONCLUSION, FACTOR, HOSTILE, NAME, SENTENCE, STAMP
from training_factors.storage.database import Database
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.studies import Study, create_study
from training_factors.study.reporting.dashboard_notes import (
    BEGIN,
    CHART_ID,
    END,
    MAX_CHART_CHARACTERS,
    WHY_OTHERS_DIFFER,
    dashboard_figure,
    escaped_markdown,
    insert_note,
    save_to_dashboard,
    study_note,
)

FIGURE = {
    "data": [{"type": "bar", "x": [3.0, 1.0], "y": ["a", "b"], "error_x": {"array": [0.5, 0.2]}}],
    "layout": {"title": {"text": "a matters most"}},
}


@pytest.fixture
def study(database: Database) -> Study:
    return create_study(database, "mine", STAMP)


def attributes(study: Study) -> dict[str, Any]:
    return study.database.storage.get_study_system_attrs(study.study_id)


def chart(study: Study) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(get_plotly_graph_objects(attributes(study))[CHART_ID])
    return stored


def test_chart_and_note_are_stored(study: Study) -> None:
    assert save_to_dashboard(study, FIGURE, "## verdict")
    assert chart(study)["data"][0]["error_x"] == {"array": [0.5, 0.2]}
    assert chart(study)["layout"]["title"] == {"text": "a matters most"}
    assert "## verdict" in get_note(study.optuna_study)
    stored = get_plotly_graph_objects(attributes(study))
    assert list(stored) == [CHART_ID] and len(stored[CHART_ID]) < MAX_CHART_CHARACTERS


def test_unchanged_content_is_not_written_again(study: Study) -> None:
    save_to_dashboard(study, FIGURE, "## verdict")
    written: list[str] = []
    event.listen(
        study.database.engine,
        "before_cursor_execute",
        lambda *given: written.append(given[2].split()[0]),
    )
    assert not save_to_dashboard(study, FIGURE, "## verdict")
    assert set(written) <= {"BEGIN", "SELECT"}
    assert save_to_dashboard(study, FIGURE, "## another verdict")
    assert {"INSERT", "UPDATE"} & set(written)


def test_a_shorter_chart_replaces_a_longer_one(study: Study) -> None:
    save_to_dashboard(study, {**FIGURE, "layout": {"title": {"text": "x" * 9000}}}, "n" * 9000)
    save_to_dashboard(study, FIGURE, "short")
    assert chart(study)["layout"]["title"]["text"] == "a matters most"
    assert get_note(study.optuna_study) == f"{BEGIN}\n\nshort\n\n{END}\n"


def test_a_user_s_text_is_kept_above_and_below_our_part(study: Study) -> None:
    save_note(study.optuna_study, "above\n")
    save_to_dashboard(study, FIGURE, "first")
    save_note(study.optuna_study, get_note(study.optuna_study) + "\nbelow\n")
    save_to_dashboard(study, FIGURE, "second \\1 \\g<0>")
    note = get_note(study.optuna_study)
    assert note == f"above\n\n{BEGIN}\n\nsecond \\1 \\g<0>\n\n{END}\n\nbelow\n"


@pytest.mark.parametrize("broken", [f"{BEGIN} mine", f"{END} mine", f"{END} mine {BEGIN} too"])
def test_an_incomplete_marker_does_not_delete_a_user_s_text(broken: str) -> None:
    note = insert_note(broken, "ours")
    assert note.startswith(broken)
    assert insert_note(note, "ours") == note
    assert insert_note(note, "news") == note.replace("ours", "news")


def test_a_chart_that_is_too_large_is_refused(study: Study) -> None:
    with pytest.raises(ValueError, match="more than the limit"):
        save_to_dashboard(
            study, {"data": [], "layout": {"title": {"text": "x" * MAX_CHART_CHARACTERS}}}, "note"
        )
    assert get_note(study.optuna_study) == ""


def test_a_read_only_database_raises_at_once(study: Study) -> None:
    def forbid(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA query_only=1")

    event.listen(study.database.engine, "connect", forbid)
    with pytest.raises(StorageUnavailableError, match="readonly"):
        save_to_dashboard(study, FIGURE, "note")


def test_the_note_has_verdict_table_and_commands_with_escaped_names(study: Study) -> None:
    note = study_note(CONCLUSION, ANSWER, NAME, "accuracy")
    assert f"**{escaped_markdown(SENTENCE)}**" in note
    assert f"| **{escaped_markdown(FACTOR)}** | 70.0 % | 60.0 to 80.0 | 7.0 | +4.5 |" in note
    assert "| placebo | 1.0 % |" in note
    assert WHY_OTHERS_DIFFER in note
    assert f"importance --study 'digits {HOSTILE}'" in note
    assert HOSTILE not in note.replace(f"--study 'digits {HOSTILE}'", "")


def test_the_chart_shows_every_factor_with_its_interval() -> None:
    (solid, _, estimates), layout = (
        dashboard_figure(CONCLUSION, ANSWER, "accuracy")["data"],
        dashboard_figure(CONCLUSION, ANSWER, "accuracy")["layout"],
    )
    assert solid["x"] == pytest.approx([35, 14.5, 0.5])
    assert estimates["x"] == pytest.approx([70, 29, 1])
    assert estimates["error_x"]["array"] == pytest.approx([10, 11, 2])
    assert estimates["error_x"]["arrayminus"] == pytest.approx([10, 9, 1])
    assert HOSTILE not in json.dumps(layout) and "&lt;img" in layout["yaxis"]["ticktext"][0]
