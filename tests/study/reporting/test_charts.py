"""The charts of a report: their texts and numbers, drawn by matplotlib and by plotly."""

from pathlib import Path

import plotly.graph_objects
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from tests.study.reporting.test_terminal import VERDICTS
from tests.study.reporting.test_terminal import answer as written_answer
from tests.support.reports import (
    HOSTILE,
    confirmed_path,
    hostile_report,
    report_without_answer,
    simulated_report,
)
from training_factors.study.analysis.answer import (
    Answer,
    DivisionNoise,
    FactorImportance,
    GainInBest,
)
from training_factors.study.analysis.diagnostics import mean_confusion
from training_factors.study.reporting import matplotlib_charts
from training_factors.study.reporting.chart import (
    DARK,
    LIGHT,
    Axis,
    Bars,
    Chart,
    Heatmap,
    Line,
    Panel,
    Scatter,
    Table,
)
from training_factors.study.reporting.chart_list import charts_of
from training_factors.study.reporting.charts import confusion, division, effects, importance, path
from training_factors.study.reporting.formatting import unit_of
from training_factors.study.reporting.plotly_charts import plotly_panel, themed

NAMES = (
    "importance", "gains", "effects.normalization", "effects.activation", "effects.optimizer",
    "effects.residual", "topics", "confirmation", "path", "confusion", "curves", "history",
    "divergence", "division",
)  # fmt: skip

TITLED = tuple(name for name in NAMES if name != "topics")
"""Charts of the simulated report; none of its topics holds two factors."""


@pytest.fixture(scope="module")
def charts() -> dict[str, Chart]:
    return charts_of(simulated_report())


BASELINE = {"optimizer": "sgd", "residual": "none", "activation": "relu"}


def test_every_finding_has_a_chart(charts: dict[str, Chart]) -> None:
    assert set(TITLED) <= set(charts)
    assert all(name == chart.name for name, chart in charts.items())


@pytest.mark.parametrize("name", TITLED)
def test_every_chart_has_title_note_table_and_axes(charts: dict[str, Chart], name: str) -> None:
    chart = charts[name]
    assert chart.title and chart.note.endswith(".")
    assert chart.table.rows
    assert {len(row) for row in chart.table.rows} == {len(chart.table.headings)}
    for panel in chart.panels:
        assert panel.x.title, "an axis names its quantity and unit"
        assert panel.y.names or panel.y.title


@pytest.mark.parametrize("name", TITLED)
def test_every_chart_is_drawn_by_both_libraries(charts: dict[str, Chart], name: str) -> None:
    chart = charts[name]
    figure = matplotlib_charts.draw_chart(chart)
    assert len(figure.axes) == len(chart.panels)
    for panel in chart.panels:
        for palette in (LIGHT, DARK):
            made = themed(plotly_panel(panel), palette)
            # Raises for fields that plotly.js does not have.
            plotly.graph_objects.Figure({"data": made["data"], "layout": made["layout"]})
            assert "@" not in repr(made)


@pytest.mark.slow
def test_several_processes_write_the_same_bytes_as_one(
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


def test_a_file_name_must_end_in_a_known_format(charts: dict[str, Chart], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'gains\.gif'.*\.png, \.svg, \.pdf"):
        matplotlib_charts.write_chart(
            charts["gains"], [tmp_path / "gains.png", tmp_path / "gains.gif"]
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("title", VERDICTS)
def test_the_title_states_the_finding(title: str) -> None:
    chart = importance.chart(written_answer(VERDICTS[title]), "digits", "accuracy")
    assert chart.title == title
    assert matplotlib_charts.draw_chart(chart).texts[0].get_text() == title


def test_factors_not_distinguishable_from_noise_are_grey() -> None:
    shares, parts = importance.chart(written_answer(), "digits", "accuracy").panels
    names = [shares.y.names[i] for i in shares.y.gray]
    assert names == ["augment_corruption", "placebo"]
    bars, hollow = (mark for mark in shares.marks if isinstance(mark, Bars))
    assert (bars.is_hollow, hollow.is_hollow) == (False, True)
    assert bars.colors == ("primary", "secondary", "faint", "faint")
    assert [mark.name for mark in parts.marks if isinstance(mark, Bars)] == [
        "factors, as far as shown 80 %", "seed noise 5 %", "not explained 15 %",
    ]  # fmt: skip
    labels = {label.get_text(): label.get_color() for label in _axes(shares).get_yticklabels()}
    assert labels["optimizer"] == LIGHT["text"]
    assert labels["placebo"] == LIGHT["muted"]


def with_division(share: float, gain: float = 4.5) -> Answer:
    """An answer with the noise of the division. gain: of every factor, in points."""
    noise = DivisionNoise(share, (0.0, 3 * share), 6.0, (0.0, 10.4), rows=4, runs=8)
    plain = written_answer()
    factors = tuple(factor._replace(gain=gain) for factor in plain.factors)
    return plain._replace(factors=factors, division_noise=noise)


def test_the_division_is_a_bar_beside_the_parts_of_the_variance() -> None:
    plain = importance.chart(written_answer(), "digits", "accuracy").panels[1]
    chart = importance.chart(with_division(0.2), "digits", "accuracy")
    *parts, bar = (mark for mark in chart.panels[1].marks if isinstance(mark, Bars))
    assert tuple(parts) == plain.marks  # these sum to 100 % as before
    assert (bar.places, bar.lengths) == ((1,), (20.0,))
    assert bar.intervals[0] == pytest.approx((0.0, 60.0))
    assert bar.labels == ("another division 20.0 % · SD 6.0 points",)
    patches = [patch for patch in _axes(chart.panels[1]).patches if isinstance(patch, Rectangle)]
    assert patches[-1].get_width() == pytest.approx(20.0)
    in_legend = [trace["showlegend"] for trace in plotly_panel(chart.panels[1])["data"]]
    assert in_legend == [True, True, True, False]  # its label stands behind it
    large = importance.chart(with_division(1.5), "digits", "accuracy").panels[1]
    assert large.x.high is not None and large.x.high > 450


def test_gains_below_the_noise_of_the_division_are_named() -> None:
    """Of the factors that matter; the others have no gain to rely on anyway."""
    unit = unit_of("accuracy")
    note = importance.division_note(with_division(0.2), unit)
    assert "a standard deviation of 6.0 points (95 % interval 0.0 to 10.4), beyond seed" in note
    assert note.endswith("The gains of optimizer, loss are smaller than that.")
    assert "smaller" not in importance.division_note(with_division(0.2, gain=7.0), unit)
    assert note in importance.chart(with_division(0.2), "digits", "accuracy").note


def _axes(panel: Panel) -> Axes:
    chart = Chart(
        "one", "title", "note", (panel,), importance.factor_table((), unit_of("accuracy"))
    )
    (axes,) = matplotlib_charts.draw_chart(chart).axes
    return axes


def test_bars_and_error_bars_are_equally_long_in_both_drawings() -> None:
    panel, _ = importance.chart(written_answer(), "digits", "accuracy").panels
    solid, hollow, estimates = plotly_panel(panel)["data"]
    patches = [patch for patch in _axes(panel).patches if isinstance(patch, Rectangle)]
    drawn = [patch.get_width() for patch in patches]
    assert solid["x"] == pytest.approx([56.0, 23.2, 0.8, 0.08])
    assert hollow["base"] == solid["x"]
    assert hollow["x"] == pytest.approx([80 - 56, 38 - 23.2, 6 - 0.8, 2 - 0.08])
    assert drawn == pytest.approx([*solid["x"], *hollow["x"]])
    assert estimates["x"] == pytest.approx([70.0, 29.0, 1.0, 0.1])
    reach = estimates["error_x"]
    assert reach["array"] == pytest.approx([10, 9, 5, 1.9])
    assert reach["arrayminus"] == pytest.approx([10, 9, 1, 0.1])


def test_topics_are_drawn_if_one_has_several_factors() -> None:
    chart = importance.topics(written_answer(), "accuracy")
    assert chart is not None
    assert chart.table.rows == (
        ("learning", "98.0", "90.0 to 100.0", "70.0", "31.0", "optimizer, loss"),
    )
    assert matplotlib_charts.draw_chart(chart).axes


def test_titles_say_that_no_effect_is_significant(charts: dict[str, Chart]) -> None:
    answer = simulated_report().answer
    assert answer is not None
    factors = tuple(factor._replace(gain_in_best=None) for factor in answer.factors)
    without_effects = answer._replace(
        factors=factors,
        effects=tuple(
            e._replace(interval=(0.0, 0.0) if e.points == 0 else (-1.0, 1.0))
            for e in answer.effects
        ),
    )
    for chart in effects.charts(without_effects, simulated_report().space, "accuracy"):
        known = {factor.name for factor in answer.factors if factor.matters}
        noise = chart.name.removeprefix("effects.") not in known
        finding = "not distinguishable from noise" if noise else "no setting differs significantly"
        assert finding in chart.title


def gains_of(*factors: FactorImportance) -> Chart | None:
    return effects.gains(written_answer()._replace(factors=factors), "accuracy")


def test_gains_in_the_mean_and_in_the_best_stand_beside_each_other() -> None:
    better, worse = written_answer().factors[:2]
    in_best = GainInBest("lion", 8.0, (1.0, 15.0))
    chart = gains_of(
        better._replace(gain_in_best=in_best),
        worse._replace(gain=0.0, gain_interval=(0.0, 0.0), gain_in_best=None),
    )
    assert chart is not None
    assert chart.title == (
        "optimizer gains most in the mean (+4.5 points with adam); "
        "optimizer gains most in the best of 16 (+8.0 points with lion)"
    )
    assert chart.note.endswith("The baseline is the best option of: loss.")
    (panel,) = chart.panels
    assert panel.y.names == ("optimizer: adam / lion",)
    means, bests = (mark for mark in panel.marks if isinstance(mark, Scatter))
    assert (means.x, bests.x, bests.intervals) == ((4.5,), (8.0,), ((1.0, 15.0),))
    assert means.y[0] < bests.y[0]
    assert {mark.shape for mark in (means, bests)} == {"circle", "diamond"}


def test_gains_are_left_out_where_every_baseline_is_best() -> None:
    first = written_answer().factors[0]
    baseline = first._replace(gain=0.0, gain_interval=(0.0, 0.0))
    in_best = GainInBest("sgd", 0.0, (0.0, 0.0))
    assert gains_of(baseline, baseline._replace(gain_in_best=in_best)) is None
    kept = gains_of(baseline._replace(gain_in_best=in_best._replace(interval=(-1.0, 1.0))))
    assert kept is not None and "The baseline is" not in kept.note


def test_options_whose_best_is_unknown_have_one_mark(charts: dict[str, Chart]) -> None:
    """Of 64 rows, 32 have each of two options, and fewer than 16 each of five."""
    marks = {
        name: [m for m in charts[f"effects.{name}"].panels[0].marks if isinstance(m, Scatter)]
        for name in ("residual", "optimizer")
    }
    assert [mark.name for mark in marks["residual"]] == ["mean", "best of 16"]
    assert [mark.name for mark in marks["optimizer"]] == [""]
    assert charts["effects.residual"].panels[0].has_legend


def test_hostile_names_are_shown_as_text() -> None:
    charts = charts_of(hostile_report(simulated_report()))
    for chart in charts.values():
        matplotlib_charts.draw_chart(chart).canvas.draw()  # a `$` starts no formula
        for panel in chart.panels:
            assert "<img" not in repr(plotly_panel(panel))
    assert HOSTILE in charts["importance"].title


def test_without_an_answer_only_the_runs_are_drawn() -> None:
    charts = charts_of(report_without_answer(simulated_report()))
    assert set(charts) == {"history", "curves"}


def test_with_many_classes_only_the_most_frequent_mistakes_are_drawn() -> None:
    classes = [f"class {i}" for i in range(50)]
    matrix = mean_confusion([[[i, (i + 1) % 50, 50 - i] for i in range(50)]], classes, "a run")
    assert matrix is not None
    (panel,) = confusion.chart(matrix).panels
    assert panel.y.names[0] == "class 0 as class 1"
    assert len(panel.y.names) == confusion.MAX_PAIRS
    parts = {"pool": [2] * 50, "test": [1] * 50}
    (division_panel,) = division.chart(classes, parts).panels
    assert division_panel.y.names == ("all",)


def test_confusions_of_several_seeds_are_means_and_say_so() -> None:
    runs = [[[0, 0, 4], [0, 1, 1], [1, 1, 3]], [[0, 0, 3], [0, 1, 2], [1, 1, 3]]]
    matrix = mean_confusion(runs, ("a", "b"), "the best configuration on the test set")
    assert matrix is not None
    chart = confusion.chart(matrix)
    (heatmap,) = chart.panels[0].marks
    assert isinstance(heatmap, Heatmap)
    assert heatmap.rows == ((3.5, 1.5), (0, 3)), "rows sum to the samples of the test set"
    assert "1.5 samples on average over 2 seeds" in chart.title
    assert "samples, mean of 2 seeds" in chart.note
    assert chart.table.headings[-1] == "samples, mean of 2 seeds"


@pytest.mark.parametrize("epochs", [2, 3, 8, 40])
def test_ticks_of_epochs_are_whole_numbers(epochs: int) -> None:
    line = Line("", "primary", (1.0, float(epochs)), (0.1, 0.9))
    panel = Panel(Axis("epoch", is_whole=True), Axis("accuracy"), (line,), 340)
    figure = matplotlib_charts.draw_chart(Chart("curves", "", "", (panel,), Table((), ())))
    figure.draw_without_rendering()
    ticks = figure.axes[0].get_xticks()
    assert len(ticks) > 1 and all(tick == round(tick) for tick in ticks)
    step = plotly_panel(panel)["layout"]["xaxis"].get("dtick")
    assert step == (1 if epochs <= 8 else None)


def test_rows_of_the_confusion_matrix_are_true_classes(charts: dict[str, Chart]) -> None:
    (panel,) = charts["confusion"].panels
    (heatmap,) = panel.marks
    assert isinstance(heatmap, Heatmap)
    assert heatmap.rows == ((5, 0, 0), (0, 0, 2), (0, 0, 4))
    assert "“one” classified as" in charts["confusion"].title


def test_the_waterfall_leads_from_the_baseline_to_the_best() -> None:
    walked = confirmed_path()
    chart = path.chart(walked, "accuracy", BASELINE)
    assert chart is not None
    assert chart.title.endswith(
        "+2.25 accuracy points; the largest certain step is optimizer, +4.25"
    )
    (panel,) = chart.panels
    bars = [mark for mark in panel.marks if isinstance(mark, Bars)]
    places = sorted(place for mark in bars for place in mark.places)
    assert places == [0, 1, 2, 3, 4] and len(panel.y.names) == 5
    ends = {
        place: (start, start + length, color)
        for mark in bars
        for place, start, length, color in zip(
            mark.places, mark.starts, mark.lengths, mark.colors, strict=True
        )
    }
    for place, color in ((1, "good"), (2, "faint"), (3, "warning")):
        assert ends[place][0] == pytest.approx(ends[place - 1][1]), "where the one before ends"
        assert ends[place][2] == color
    assert ends[4][1] == pytest.approx(ends[3][1])
    assert panel.y.gray == {2} and "does not begin at 0" in chart.note
    # The label of a bar that goes to the left stands on its right.
    (label,) = (a for a in plotly_panel(panel)["layout"]["annotations"] if a["text"] == "-2.50")
    assert label["x"] == pytest.approx(0.935)


def test_a_waterfall_claims_no_more_than_its_interval() -> None:
    unclear = confirmed_path()._replace(total_interval=(-1.0, 5.5))
    chart = path.chart(unclear, "accuracy", BASELINE)
    assert chart is not None and "no certain change (+2.25 accuracy points)" in chart.title
    low = confirmed_path()._replace(value=0.1, interval=(0.05, 0.15))
    chart = path.chart(low, "accuracy", BASELINE)
    assert chart is not None
    assert chart.panels[0].x.low == 0 and "does not begin" not in chart.note
    assert path.chart(confirmed_path()._replace(steps=()), "accuracy", BASELINE) is None
