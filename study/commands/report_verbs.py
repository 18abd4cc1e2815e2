"""Verbs that write what a study has found: report and plot. Neither loads torch."""

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from training_factors.study.commands.app import app, count_cores, open_study, show, verb_context
from training_factors.study.commands.options import Json, StorageUrl, StudyName


@app.command()
def report(
    study: StudyName = None,
    storage: StorageUrl = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: Json = False,
) -> None:
    """Write the full report of a study as one HTML page, and its charts as PNG and SVG."""
    with verb_context():
        opened = open_study(study, storage)
        from training_factors.study.api.reports import write_report_page
        from training_factors.study.reporting.formatting import plural
        from training_factors.study.reporting.matplotlib_charts import save_charts
        from training_factors.study.reporting.report import read_report

        content = read_report(opened, jobs=count_cores())
        page, charts, answer = write_report_page(opened, content, storage)
        folder = page.parent / "charts"
        print(f"drawing {plural(len(charts), 'chart')}", file=sys.stderr)
        files = save_charts(list(charts.values()), folder, jobs=count_cores())
    if as_json:
        written = None if answer is None else str(answer)
        pictures = [str(file) for file in files]
        show({"schema": 1, "page": str(page), "charts": pictures, "answer": written})
    else:
        if answer is not None:
            print(f"answer  {answer}")
        print(f"report  {page}\ncharts  {folder} ({plural(len(files), 'file')}, .png and .svg)")
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
        opened = open_study(study, storage)
        from training_factors.storage.files import check_parent
        from training_factors.study.reporting import matplotlib_charts
        from training_factors.study.reporting.chart_list import charts_of, find_chart
        from training_factors.study.reporting.report import read_report

        if output is not None:
            check_parent(output)  # before the answer is computed
        charts = charts_of(read_report(opened, jobs=count_cores()))
        if name is None:
            print("\n".join(f"{chart.name:28}  {chart.title}" for chart in charts.values()))
            return
        chart = find_chart(charts, name)
        if window:
            matplotlib_charts.show_in_window(chart)
            return
        if output:
            files = matplotlib_charts.write_chart(chart, [output])
        else:
            files = matplotlib_charts.save_chart(chart, opened.folder / "charts")
        print("\n".join(map(str, files)))
