"""Verbs that draw: report, plot; neither loads torch."""

import sys
import webbrowser
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from study.commands import shell, starting
from study.commands.app import app, refusing, show
from study.commands.options import Json, Storage, StudyName


@app.command()
def report(
    study: StudyName = None,
    storage: Storage = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Write all that a study says as one HTML page, and its charts as PNG and SVG."""
    with refusing():
        opened = starting.load(study, storage)
        from study.reporting.picture import save_all
        from study.reporting.report import compute

        found = compute(opened, jobs=starting.cores())
        page, charts = write_page(opened, found, storage)
        folder = page.parent / "charts"
        print(f"drawing {len(charts)} charts", file=sys.stderr)
        files = save_all(list(charts.values()), folder, jobs=starting.cores())
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
    storage: Storage = None,
    output: Annotated[
        Path | None, typer.Option(help="A .png, .svg or .pdf (default: .png and .svg).")
    ] = None,
    window: Annotated[bool, typer.Option("--window", help="Show it in a window.")] = False,
) -> None:
    """Draw one chart of the report to a file or in a window."""
    with refusing():
        opened = starting.load(study, storage)
        from study.reporting import picture
        from study.reporting.gallery import charts_of
        from study.reporting.report import compute

        charts = charts_of(compute(opened, jobs=starting.cores()))
        if name is None:
            print("\n".join(f"{chart.name:28}  {chart.title}" for chart in charts.values()))
            return
        chart = charts.get(name) or _refuse_chart(name, list(charts))
        if window:
            from study.reporting.window import show as show_window

            show_window(chart)
            return
        folder = starting.folder(opened) / "charts"
        files = picture.write(chart, [output]) if output else picture.save(chart, folder)
        print("\n".join(map(str, files)))


def write_page(study: Any, found: Any, storage: str | None) -> tuple[Path, dict[str, Any]]:
    """Write the page of a study's report beside its other files; where, and its charts."""
    from study.reporting import page
    from study.reporting.gallery import charts_of

    charts = charts_of(found)
    text = page.render(found, charts, commands_of(study, found, storage))
    return page.write(text, starting.folder(study) / "report.html"), charts


def commands_of(study: Any, found: Any, storage: str | None) -> Any:
    """The command lines that a report names."""
    import shlex

    from study.reporting.contents import Commands
    from study.reporting.recommendation import command, defining

    again = [*shell.entry(), *defining(study.stamp["definition"]), "--study", study.name]
    setting = found.advice and shlex.join([*shell.entry(), *command(found.advice)])
    more_rows = found.answer.verdict.more_rows if found.answer else 1
    following = shell.following(study, storage, more_rows)
    if found.overview.done < found.overview.total:
        following = shell.command("run", study, storage)
    return Commands(shlex.join(again), following, setting)


def _refuse_chart(name: str, names: list[str]) -> Any:
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "plot without a name lists them"
    raise ValueError(f"this study has no chart {name!r}; {hint}")
