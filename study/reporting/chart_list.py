"""The list of all charts of a report."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from training_factors.study.reporting.chart import Chart
from training_factors.study.reporting.charts import (
    confirmation,
    confusion,
    curves,
    divergence,
    division,
    effects,
    history,
    importance,
    interactions,
    path,
)
from training_factors.study.reporting.report import Report


def charts_of(report: Report) -> dict[str, Chart]:
    """Return the charts of a report by name, without those that have nothing to show."""
    return {chart.name: chart for chart in _all_charts(report) if chart is not None}


def find_chart(charts: Mapping[str, Chart], name: str) -> Chart:
    """Return the chart of this name. Raises ValueError when the study has no such chart."""
    if name in charts:
        return charts[name]
    near = get_close_matches(name, charts, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "plot without a name lists them"
    raise ValueError(f"this study has no chart {name!r}; {hint}")


def _all_charts(report: Report) -> Iterator[Chart | None]:
    """Yield every chart in the order of the page; None where there is nothing to show."""
    answer, objective = report.answer, report.objective
    if answer is not None:
        yield importance.chart(answer, report.data, objective)
        if answer.no_effects is None:
            yield effects.gains(answer, objective)
            yield from effects.charts(answer, report.space, objective)
        yield importance.topics(answer, objective)
        yield interactions.chart(answer)
    if report.confirmation is not None:
        yield confirmation.chart(report.confirmation, objective)
        if report.confirmation.path is not None:
            yield path.chart(report.confirmation.path, objective, report.status.baseline)
    if report.confusion is not None:
        yield confusion.chart(report.confusion)
    yield curves.chart(report.trials, objective)
    yield history.chart(report.trials, objective, report.status.baseline)
    if report.overall is not None:
        yield divergence.chart(report.breakdowns, report.overall)
    if report.sheet is not None:
        yield division.chart(report.sheet.classes, report.sheet.parts)
