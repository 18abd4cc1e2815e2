"""Verbs that draw: report, plot; neither loads torch."""

import sys
import webbrowser
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from training_factors.study.commands import command_lines, study_loading
from training_factors.study.commands.app import app, refusing, show
from training_factors.study.commands.options import Json, StorageUrl, StudyName


@app.command()
def report(
    study: StudyName = None,
    storage: StorageUrl = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Write all that a study says as one HTML page, and its charts as PNG and SVG."""
    with refusing():
        opened = study_loading.load(study, storage)
        from training_factors.study.reporting.matplotlib_charts import save_charts
        from training_factors.study.reporting.report import read_report

        found = read_report(opened, jobs=study_loading.cores())
        page, charts = write_report_page(opened, found, storage)
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
        str | None, typer.Argument(help="Of the chart; without it, all names are listed.")
    ] = None,
    study: StudyName = None,
    storage: StorageUrl = None,
    output: Annotated[
        Path | None, typer.Option(help="A .png, .svg or .pdf (default: .png and .svg).")
    ] = None,
    window: Annotated[bool, typer.Option("--window", help="Show it in a window.")] = False,
) -> None:
    """Draw one chart of the report to a file or in a window."""
    with refusing():
        opened = study_loading.load(study, storage)
        from training_factors.study.reporting import matplotlib_charts
        from training_factors.study.reporting.chart_list import charts_of
        from training_factors.study.reporting.report import read_report

        charts = charts_of(read_report(opened, jobs=study_loading.cores()))
        if name is None:
            print("\n".join(f"{chart.name:28}  {chart.title}" for chart in charts.values()))
            return
        chart = charts.get(name) or _refuse_chart(name, list(charts))
        if window:
            from training_factors.study.reporting.matplotlib_charts import (
                show_in_window as show_window,
            )

            show_window(chart)
            return
        folder = study_loading.folder(opened) / "charts"
        files = (
            matplotlib_charts.write_chart(chart, [output])
            if output
            else matplotlib_charts.save_chart(chart, folder)
        )
        print("\n".join(map(str, files)))


def write_report_page(study: Any, found: Any, storage: str | None) -> tuple[Path, dict[str, Any]]:
    """Write the page of a study's report beside its other files; where, and its charts."""
    from training_factors.study.reporting import page
    from training_factors.study.reporting.chart_list import charts_of

    charts = charts_of(found)
    text = page.render_page(found, charts, commands_of(study, found, storage))
    return page.write_page(text, study_loading.folder(study) / "report.html"), charts


def commands_of(study: Any, found: Any, storage: str | None) -> Any:
    """The command lines that a report names."""
    import shlex

    from training_factors.study.reporting.page import Commands
    from training_factors.study.reporting.recommendation_table import (
        definition_options,
        holding_options,
    )

    again = [
        *command_lines.program_words(),
        *definition_options(study.stamp.definition),
        "--study",
        study.name,
    ]
    setting = found.advice and shlex.join(
        [*command_lines.program_words(), *holding_options(found.advice)]
    )
    more_rows = found.answer.verdict.more_rows if found.answer else 1
    following = command_lines.next_command(study, storage, more_rows)
    if found.overview.done < found.overview.total:
        following = command_lines.command_line("run", study, storage)
    return Commands(shlex.join(again), following, setting)


def _refuse_chart(name: str, names: list[str]) -> Any:
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "plot without a name lists them"
    raise ValueError(f"this study has no chart {name!r}; {hint}")
