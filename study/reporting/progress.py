"""A study while it runs: one live table on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial
from training_factors.study.reporting.formatting import is_animated, open_console, whole_line
from training_factors.study.reporting.status import (
    StudyStatus,
    clock,
    compute_status,
    differing,
    outcome,
    short_best,
)

RUNNING = 4
"""Running trials that are shown; their number stands below."""

REASONS = 2
"""Reasons of failures that are shown, the commonest first."""

HINT = Text("Ctrl-C loses nothing: it stops after the epoch, the same command goes on", style="dim")
"""What stands below the table while runs go on."""


def draw_head(overview: StudyStatus, workers: int, place: str, url: str) -> RenderableType:
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


def draw_live(overview: StudyStatus, workers: int) -> RenderableType:
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


def progress_line(overview: StudyStatus, workers: int) -> str:
    """One line on how far the study is: `24 of 177 runs  left 153, 1:31 with 2 workers  …`."""
    counts = "".join(f"  {name} {count}" for name, count in _counts(overview).items() if count)
    return f"{_standing(overview, workers)}{counts}{short_best(overview)}"


def _standing(overview: StudyStatus, workers: int) -> str:
    """Runs done and left, and when the last will have ended."""
    done = f"{overview.done} of {overview.total} runs"
    left = overview.total - overview.done
    if not left:
        return done
    seconds, crew = overview.left_s(workers), max(workers, overview.at_work)
    when = "" if seconds is None else f", {clock(seconds)}"
    return f"{done}  left {left}{when} with {crew} worker{'s' * (crew > 1)}"


def _counts(overview: StudyStatus) -> dict[str, int]:
    return {
        "running": sum(phase.running for phase in overview.progress.values()),
        "diverged": overview.diverged,
        "pruned": overview.states.get("PRUNED", 0),
        "failed": overview.states.get("FAIL", 0),
    }


def _cells(trial: Trial, overview: StudyStatus) -> tuple[str, ...]:
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


def _failures(overview: StudyStatus) -> list[Text]:
    """Why runs failed, a line each: it is not to be found out after hours."""
    return [
        Text(f"failed {count}: {' '.join(reason.split())}", no_wrap=True, overflow="ellipsis")
        for reason, count in list(overview.failures.items())[:REASONS]
    ]


REDRAW_S = 1.0
"""Seconds between two looks at the database while a terminal shows them."""

LINE_S = 15.0
"""Seconds between two lines where nothing can be drawn over again."""

WATCHING_TIME_FRACTION = 0.01
"""Part of a core that watching may take; where a look takes long, they come less often."""


@contextmanager
def show_progress(study: Study, workers: int, place: str) -> Iterator[Callable[[], None]]:
    """A function to call often, which shows how far the study is, on standard error.

    workers: how many are started; place: where, in words.
    """
    console = open_console(stderr=True)
    first = compute_status(study)
    console.print(draw_head(first, workers, place, study.database.url), crop=False)
    if is_animated(console):
        drawn = Group(draw_live(first, workers), HINT)
        with Live(drawn, console=console, auto_refresh=False) as live:

            def redraw() -> None:
                live.update(Group(draw_live(compute_status(study), workers), HINT), refresh=True)

            yield _every(REDRAW_S, redraw)
            with suppress(StorageUnavailableError):  # what ended the study says so
                live.update(draw_live(compute_status(study), workers), refresh=True)
        return

    def line() -> None:
        print(progress_line(compute_status(study), workers), file=sys.stderr)

    yield _every(LINE_S, line)
    with suppress(StorageUnavailableError):
        line()


def _every(seconds: float, show: Callable[[], object]) -> Callable[[], None]:
    """A function that shows, at most once in so many seconds; says so when the database is away."""
    due = time.monotonic() + seconds
    is_away = False

    def tick() -> None:
        nonlocal due, is_away
        if time.monotonic() < due:
            return
        began = time.process_time()
        try:
            show()
        except StorageUnavailableError as error:
            if not is_away:
                print(f"{error}; workers wait for it", file=sys.stderr)
            is_away = True
        else:
            if is_away:
                print("the database is back", file=sys.stderr)
            is_away = False
        due = time.monotonic() + max(
            seconds, (time.process_time() - began) / WATCHING_TIME_FRACTION
        )

    return tick
