"""A study while it runs, as it is drawn: what is run, the latest runs, how far it is."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from storage.tables import Trial
from study.reporting.overview import Overview, clock, differing, outcome, short_best
from study.reporting.wording import whole_line

RUNNING = 4
"""Running trials that are shown; their number stands below."""

REASONS = 2
"""Reasons of failures that are shown, the commonest first."""

HINT = Text("Ctrl-C loses nothing: it stops after the epoch, the same command goes on", style="dim")
"""What stands below the table while runs go on."""


def draw_head(overview: Overview, workers: int, place: str, url: str) -> RenderableType:
    """What is run, on what, by whom and where it is kept; once, before the first run ends."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True, min_width=len("storage"))
    table.add_column(overflow="fold")
    many = "s" * (workers > 1)
    for name, text in (
        ("study", overview.name),
        ("trains", f"{overview.model} on {overview.data}, {overview.epochs} epochs a run"),
        ("varies", f"{overview.varied} factors"),
        ("runs", f"{overview.total}, {overview.done} done; {workers} worker{many} on {place}"),
    ):
        table.add_row(name, Text(text))
    line = whole_line(f"storage  {url}")
    line.stylize("dim", 0, len("storage"))
    return Group(table, line)


def draw_live(overview: Overview, workers: int) -> RenderableType:
    """The latest runs, those that run, and the state of the study, for `run`."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for heading, width in (
        ("trial", 5), ("phase", 8), ("state", 11), (overview.objective, 8), ("time", 7),
    ):  # fmt: skip
        right = heading not in ("phase", "state")
        table.add_column(
            heading, justify="right" if right else "left", min_width=width, no_wrap=True
        )
    table.add_column("options changed", no_wrap=True, overflow="ellipsis", ratio=1)
    is_over = overview.done == overview.total
    running = () if is_over else overview.running[:RUNNING]
    for trial in (*overview.latest, *running):
        is_best = overview.best and trial.number == overview.best.number
        style = "bold" if is_best else "dim" if trial in running else ""
        table.add_row(*_cells(trial, overview), style=style)
    bar = ProgressBar(overview.total, overview.done, complete_style="cyan", finished_style="green")
    return Group(
        table,
        Padding(bar),  # the bar alone ends no line
        Text(f"{_standing(overview, workers)}{short_best(overview)}"),
        Text("  ".join(f"{name} {count}" for name, count in _counts(overview).items())),
        *_failures(overview),
    )


def progress_line(overview: Overview, workers: int) -> str:
    """One line on how far the study is: `24 of 177 runs  left 153, 1:31 with 2 workers  …`."""
    counts = "".join(f"  {name} {count}" for name, count in _counts(overview).items() if count)
    return f"{_standing(overview, workers)}{counts}{short_best(overview)}"


def _standing(overview: Overview, workers: int) -> str:
    """Runs done and left, and when the last will have ended."""
    done = f"{overview.done} of {overview.total} runs"
    left = overview.total - overview.done
    if not left:
        return done
    seconds, crew = overview.left_s(workers), max(workers, overview.at_work)
    when = "" if seconds is None else f", {clock(seconds)}"
    return f"{done}  left {left}{when} with {crew} worker{'s' * (crew > 1)}"


def _counts(overview: Overview) -> dict[str, int]:
    return {
        "running": sum(phase.running for phase in overview.progress.values()),
        "diverged": overview.diverged,
        "pruned": overview.states.get("PRUNED", 0),
        "failed": overview.states.get("FAIL", 0),
    }


def _cells(trial: Trial, overview: Overview) -> tuple[str, ...]:
    """A run's row; of one that runs, its last epoch that is known and the objective there."""
    value, state = trial.value, outcome(trial)
    if trial.time_s is None and trial.curve:
        epoch = max(trial.curve)
        value, state = trial.curve[epoch], f"epoch {epoch + 1}/{overview.epochs}"
    return (
        f"#{trial.number}",
        trial.phase,
        state,
        "" if value is None else f"{value:.4f}",
        "" if trial.time_s is None else f"{trial.time_s:.1f} s",
        differing(trial.parameters, overview.baseline),
    )


def _failures(overview: Overview) -> list[Text]:
    """Why runs failed, a line each: it is not to be found out after hours."""
    return [
        Text(f"failed {count}: {' '.join(reason.split())}", no_wrap=True, overflow="ellipsis")
        for reason, count in list(overview.failures.items())[:REASONS]
    ]
