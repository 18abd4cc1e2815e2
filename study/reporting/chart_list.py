from collections.abc import Iterator

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
)
from training_factors.study.reporting.report import Report


def charts_of(report: Report) -> dict[str, Chart]:
    """Every chart that there is something to draw for, by its name, in the order of the page."""
    return {chart.name: chart for chart in _all(report) if chart is not None}


def _all(report: Report) -> Iterator[Chart | None]:
    answer = report.answer
    if answer is not None and answer.explained > 0:
        yield importance.chart(answer, report.data)
        yield effects.gains(answer)
        yield from effects.charts(answer, report.space)
        yield importance.topics(answer)
        yield interactions.chart(answer)
    if report.confirmation is not None:
        yield confirmation.chart(report.confirmation)
    if report.confusion is not None:
        yield confusion.chart(report.confusion)
    yield curves.chart(report.trials, report.objective)
    yield history.chart(report.trials, report.objective, report.overview.baseline)
    if report.overall is not None:
        yield divergence.chart(report.breakdowns, report.overall)
    if report.sheet is not None:
        yield division.chart(report.sheet.classes, report.sheet.parts)
