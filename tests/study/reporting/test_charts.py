"""Every chart of a report: its words and numbers, and both ways to draw it."""

from pathlib import Path

import plotly.graph_objects
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from tests.study.reporting.test_terminal import VERDICTS
from tests.study.reporting.test_terminal import answer as written_answer
from tests.support.reports import HOSTILE, hostile_report, report_without_answer, simulated_report
from training_factors.study.analysis.diagnostics import add_confusions
from training_factors.study.reporting import matplotlib_charts
from training_factors.study.reporting.chart import DARK, LIGHT, Bars, Cells, Chart, Panel
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.charts import confusion, division, effects, importance
from training_factors.study.reporting.plotly_charts import plotly_panel, themed

NAMES = (
    "importance", "gains", "effects.normalization", "effects.activation", "effects.optimizer",
    "effects.residual", "topics", "confirmation", "confusion", "curves", "history", "divergence",
    "division",
)  # fmt: skip
PANELS = 3  # of the chart of a factor without hyperparameters, and of importance, there are fewer


@pytest.fixture(scope="module")
def charts() -> dict[str, Chart]:
    return charts_of(simulated_report())


def test_there_is_a_chart_for_everything_that_was_found(charts: dict[str, Chart]) -> None:
    assert set(NAMES) - {"topics"} <= set(charts)  # no topic of this space holds two factors
    assert all(name == chart.name for name, chart in charts.items())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "topics"])
def test_every_chart_says_what_it_shows(charts: dict[str, Chart], name: str) -> None:
    chart = charts[name]
    assert chart.title and chart.note.endswith(".")
    assert chart.table.rows
    assert {len(row) for row in chart.table.rows} == {len(chart.table.headings)}
    for panel in chart.panels:
        assert panel.x.title, "an axis says what it measures, and in which unit"
        assert panel.y.names or panel.y.title


@pytest.mark.parametrize("name", [name for name in NAMES if name != "topics"])
def test_every_chart_is_drawn_both_ways(charts: dict[str, Chart], name: str) -> None:
    chart = charts[name]
    figure = matplotlib_charts.draw_chart(chart)
    assert len(figure.axes) == len(chart.panels)
    for panel in chart.panels:
        for palette in (LIGHT, DARK):
            made = themed(plotly_panel(panel), palette)
            # Raises for what plotly.js does not know.
            plotly.graph_objects.Figure({"data": made["data"], "layout": made["layout"]})
            assert "@" not in repr(made)


@pytest.mark.slow
def test_the_pictures_of_several_charts_are_those_of_each(
    charts: dict[str, Chart], tmp_path: Path
) -> None:
    chosen = [charts["gains"], charts["confusion"]]
    together = matplotlib_charts.save_charts(chosen, tmp_path / "together", jobs=2)
    alone = [
        file for chart in chosen for file in matplotlib_charts.save_chart(chart, tmp_path / "alone")
    ]
    assert [file.name for file in together] == [
        "gains.png", "gains.svg", "confusion.png", "confusion.svg",
    ]  # fmt: skip
    assert [f.read_bytes() for f in together] == [f.read_bytes() for f in alone]


def test_a_picture_ends_in_a_format(charts: dict[str, Chart], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'gains\.gif'.*\.png, \.svg, \.pdf"):
        matplotlib_charts.write_chart(
            charts["gains"], [tmp_path / "gains.png", tmp_path / "gains.gif"]
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("title", VERDICTS)
def test_the_title_states_the_finding(title: str) -> None:
    chart = importance.chart(written_answer(VERDICTS[title]), "digits")
    assert chart.title == title
    assert matplotlib_charts.draw_chart(chart).texts[0].get_text() == title


def test_factors_that_noise_may_explain_are_grey() -> None:
    shares, parts = importance.chart(written_answer(), "digits").panels
    names = [shares.y.names[i] for i in shares.y.quiet]
    assert names == ["augment_corruption", "placebo"]
    (bars,) = (mark for mark in shares.marks if isinstance(mark, Bars))
    assert bars.colors == ("leading", "other", "pale", "pale") or bars.colors[2:] == (
        "pale", "pale",
    )  # fmt: skip
    assert [mark.name for mark in parts.marks if isinstance(mark, Bars)] == [
        "factors 80 %", "seed noise 5 %", "unexplained 15 %",
    ]  # fmt: skip
    labels = {label.get_text(): label.get_color() for label in _axes(shares).get_yticklabels()}
    assert labels["optimizer"] == LIGHT["ink"]
    assert labels["placebo"] == LIGHT["quiet"]


def _axes(panel: Panel) -> Axes:
    chart = Chart("one", "title", "note", (panel,), importance.table(()))
    (axes,) = matplotlib_charts.draw_chart(chart).axes
    return axes


def test_bars_reach_as_far_in_both_drawings() -> None:
    panel, _ = importance.chart(written_answer(), "digits").panels
    (trace,) = (one for one in plotly_panel(panel)["data"] if one["type"] == "bar")
    patches = [patch for patch in _axes(panel).patches if isinstance(patch, Rectangle)]
    drawn = [patch.get_width() for patch in patches][-len(trace["x"]) :]
    assert trace["x"] == pytest.approx([70.0, 29.0, 1.0, 0.1])
    assert drawn == pytest.approx(trace["x"])
    reach = trace["error_x"]
    assert reach["array"] == pytest.approx([10, 9, 5, 1.9])
    assert reach["arrayminus"] == pytest.approx([10, 9, 1, 0.1])


def test_topics_are_drawn_where_one_holds_several_factors() -> None:
    chart = importance.topics(written_answer())
    assert chart is not None
    assert chart.table.rows == (("learning", "98.0", "90.0 to 100.0", "31.0", "optimizer, loss"),)
    assert matplotlib_charts.draw_chart(chart).axes


def test_a_factor_without_effects_for_certain_says_so(charts: dict[str, Chart]) -> None:
    answer = simulated_report().answer
    assert answer is not None
    calm = answer._replace(
        effects=tuple(
            e._replace(interval=(0.0, 0.0) if e.points == 0 else (-1.0, 1.0))
            for e in answer.effects
        )
    )
    for chart in effects.charts(calm, simulated_report().space):
        known = {factor.name for factor in answer.factors if factor.matters}
        noise = chart.name.removeprefix("effects.") not in known
        said = "not distinguishable from noise" if noise else "no setting differs"
        assert said in chart.title


def test_names_stay_names() -> None:
    charts = charts_of(hostile_report(simulated_report()))
    for chart in charts.values():
        matplotlib_charts.draw_chart(chart).canvas.draw()  # `$` is no formula
        for panel in chart.panels:
            assert "<img" not in repr(plotly_panel(panel))
    assert HOSTILE in charts["importance"].title


def test_before_an_answer_there_are_the_runs() -> None:
    charts = charts_of(report_without_answer(simulated_report()))
    assert set(charts) == {"history", "curves"}


def test_many_classes_are_shown_by_their_commonest_mistakes() -> None:
    classes = [f"class {i}" for i in range(50)]
    found = add_confusions([[[i, (i + 1) % 50, 50 - i] for i in range(50)]], classes, "a run")
    assert found is not None
    (panel,) = confusion.chart(found).panels
    assert panel.y.names[0] == "class 0 as class 1"
    assert len(panel.y.names) == confusion.SHOWN
    parts = {"pool": [2] * 50, "test": [1] * 50}
    (whole,) = division.chart(classes, parts).panels
    assert whole.y.names == ("all",)


def test_counts_stand_in_the_row_of_the_true_class(charts: dict[str, Chart]) -> None:
    (panel,) = charts["confusion"].panels
    (cells,) = panel.marks
    assert isinstance(cells, Cells)
    assert cells.rows == ((5, 0, 0), (0, 0, 2), (0, 0, 4))
    assert "“one” named" in charts["confusion"].title
