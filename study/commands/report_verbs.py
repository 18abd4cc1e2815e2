"""Verbs that draw a study: report, plot. Neither loads torch."""

import shlex
import sys
import webbrowser
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from training_factors.study.commands import command_lines, study_loading
from training_factors.study.commands.app import app, show, verb_context
from training_factors.study.commands.options import Json, StorageUrl, StudyName

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.study.reporting.chart import Chart
    from training_factors.study.reporting.page import Commands
    from training_factors.study.reporting.report import Report


class WrittenPage(NamedTuple):
    """The page of a report on the disk, and the charts that it shows, by name."""

    path: Path
    charts: "dict[str, Chart]"


@app.command()
def report(
    study: StudyName = None,
    storage: StorageUrl = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: Json = False,
) -> None:
    """Write the full report of a study as one HTML page, and its charts as PNG and SVG."""
    with verb_context():
        opened = study_loading.load(study, storage)
        from training_factors.study.reporting.matplotlib_charts import save_charts
        from training_factors.study.reporting.report import read_report

        content = read_report(opened, jobs=study_loading.cores())
        page, charts = write_report_page(opened, content, storage)
        folder = page.parent / "charts"
        print(f"drawing {len(charts)} charts", file=sys.stderr)
        files = save_charts(list(charts.values()), folder, jobs=study_loading.cores())
    if as_json:
        show({"schema": 1, "page": str(page), "charts": [str(file) for file in files]})
    else:
        print(f"report  {page}\ncharts  {folder} ({len(files)} files, .png and .svg)")
    if open_ and not webbrowser.open(page.absolute().as_uri()):
        print(f"no browser can be opened here; open {page} by hand", file=sys.stderr)


@app.command()
def plot(
    name: Annotated[
        str | None, typer.Argument(help="Name of the chart; without it, all are listed.")
    ] = None,
    study: StudyName = None,
    storage: StorageUrl = None,
    output: Annotated[
        Path | None, typer.Option(help="A .png, .svg or .pdf file (default: .png and .svg).")
    ] = None,
    window: Annotated[bool, typer.Option("--window", help="Show it in a window.")] = False,
) -> None:
    """Draw one chart of the report to a file or in a window."""
    with verb_context():
        opened = study_loading.load(study, storage)
        from training_factors.study.reporting import matplotlib_charts
        from training_factors.study.reporting.chart_list import charts_of
        from training_factors.study.reporting.report import read_report

        charts = charts_of(read_report(opened, jobs=study_loading.cores()))
        if name is None:
            print("\n".join(f"{chart.name:28}  {chart.title}" for chart in charts.values()))
            return
        chart = _find_chart(charts, name)
        if window:
            matplotlib_charts.show_in_window(chart)
            return
        if output:
            files = matplotlib_charts.write_chart(chart, [output])
        else:
            files = matplotlib_charts.save_chart(chart, opened.folder / "charts")
        print("\n".join(map(str, files)))


def write_report_page(study: "Study", report: "Report", storage: str | None) -> WrittenPage:
    """Write the page of a study's report into the study's folder."""
    from training_factors.study.reporting import page
    from training_factors.study.reporting.chart_list import charts_of

    charts = charts_of(report)
    text = page.render_page(report, charts, _report_commands(study, report, storage))
    return WrittenPage(page.write_page(text, study.folder / "report.html"), charts)


def _report_commands(study: "Study", report: "Report", storage: str | None) -> "Commands":
    """Return the command lines that a report shows."""
    from training_factors.study.reporting.page import Commands
    from training_factors.study.reporting.recommendation_table import (
        definition_options,
        holding_options,
    )

    program = command_lines.program_words()
    definition = definition_options(study.stamp.definition)
    again = shlex.join([*program, *definition, "--study", study.name])
    setting = report.advice and shlex.join([*program, *holding_options(report.advice)])
    if report.status.done < report.status.total:
        following = command_lines.command_line("run", study, storage)
    else:
        more_rows = report.answer.verdict.more_rows if report.answer else 1
        following = command_lines.next_command(study, storage, more_rows)
    return Commands(again, following, setting)


def _find_chart(charts: "dict[str, Chart]", name: str) -> "Chart":
    """Return the chart of this name. Raises ValueError when the study has no such chart."""
    if name in charts:
        return charts[name]
    near = get_close_matches(name, charts, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "plot without a name lists them"
    raise ValueError(f"this study has no chart {name!r}; {hint}")
