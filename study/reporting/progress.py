"""Show the progress of a running study on standard error.

A terminal shows a table that is redrawn every second; anything else, such as a log file, gets a
line from time to time.
"""

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
from tqdm import tqdm

from training_factors.storage.own_configurations import name_run
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial
from training_factors.study.reporting.formatting import (
    is_animated,
    open_console,
    plural,
    whole_line,
)
from training_factors.study.reporting.status import (
    StudyStatus,
    compute_status,
    format_changed_options,
    format_duration,
    format_failure,
    trial_outcome,
)

REDRAW_S = 1.0
"""Minimum number of seconds between two reads of the database for a terminal's table."""

LINE_S = 15.0
"""Minimum number of seconds between two lines where there is no terminal."""

WATCHING_TIME_FRACTION = 0.01
"""Maximum fraction of a core that watching may use; slow reads of the database become rarer."""

MAX_RUNNING_SHOWN = 4
"""Maximum number of running trials in the table; all of them are counted below it."""

MAX_REASONS = 2
"""Maximum number of reasons of failures below the table, the most frequent first."""

HINT = Text("Ctrl-C stops after the current epoch; the same command resumes the study", style="dim")
"""Line below the table while runs go on."""


@contextmanager
def show_progress(study: Study, workers: int, place: str) -> Iterator[Callable[[], None]]:
    """Show the progress whenever the function that this yields is called and an update is due.

    workers: number of workers that this process starts. place: where they run, in words.
    """
    console = open_console(stderr=True)
    first = compute_status(study)
    console.print(draw_head(first, workers, place, study.database.url), crop=False)
    if is_animated(console):
        table = Group(draw_live(first, workers), HINT)
        with Live(table, console=console, auto_refresh=False) as live:

            def redraw() -> None:
                live.update(Group(draw_live(compute_status(study), workers), HINT), refresh=True)

            yield _limit_rate(REDRAW_S, redraw)
            with suppress(StorageUnavailableError):  # whatever ended the study reports it
                live.update(draw_live(compute_status(study), workers), refresh=True)
        return

    def print_line() -> None:
        print(progress_line(compute_status(study), workers), file=sys.stderr)

    yield _limit_rate(LINE_S, print_line)
    with suppress(StorageUnavailableError):
        print_line()


@contextmanager
def show_bar(study: Study) -> Iterator[Callable[[], None]]:
    """Show a progress bar of one line whenever the function that this yields is called and due."""
    first = compute_status(study)
    with tqdm(total=first.total, initial=first.done, desc=first.name, unit="run") as bar:

        def redraw() -> None:
            status = compute_status(study)
            bar.total = status.total
            bar.set_postfix_str(_best_value(status).strip(), refresh=False)
            bar.update(status.done - bar.n)

        yield _limit_rate(REDRAW_S, redraw)
        with suppress(StorageUnavailableError):  # whatever ended the study reports it
            redraw()


def _limit_rate(seconds: float, show: Callable[[], object]) -> Callable[[], None]:
    """Return a function that calls `show` at most once in this many seconds.

    It prints one message when the database becomes unavailable and one when it is back.
    """
    due = time.monotonic() + seconds
    is_unavailable = False

    def tick() -> None:
        nonlocal due, is_unavailable
        if time.monotonic() < due:
            return
        began = time.process_time()
        try:
            show()
        except StorageUnavailableError as error:
            if not is_unavailable:
                print(f"{error}; workers keep retrying", file=sys.stderr)
            is_unavailable = True
        else:
            if is_unavailable:
                print("the database is available again", file=sys.stderr)
            is_unavailable = False
        used_s = time.process_time() - began
        due = time.monotonic() + max(seconds, used_s / WATCHING_TIME_FRACTION)

    return tick


def draw_head(status: StudyStatus, workers: int, place: str, url: str) -> RenderableType:
    """Draw what the study trains, with which workers, and where results are stored.

    place: where the workers run, in words. url: of the database.
    """
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True, min_width=len("storage"))
    table.add_column(overflow="fold")
    epochs, counted = plural(status.epochs, "epoch"), plural(workers, "worker")
    for name, text in (
        ("study", status.name),
        ("model", f"{status.model} on {status.data}, {epochs} per run"),
        ("factors", f"{status.varied} varied"),
        ("runs", f"{status.total}, {status.done} done; {counted} on {place}"),
    ):
        table.add_row(name, Text(text))
    line = whole_line(f"storage  {url}")
    line.stylize("dim", 0, len("storage"))
    return Group(table, line)


def draw_live(status: StudyStatus, workers: int) -> RenderableType:
    """Draw the latest and the running trials, a progress bar and the counts, for the verb `run`."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for heading, width in (
        ("run", 5), ("phase", 8), ("state", 11), (status.objective, 8), ("time", 7),
    ):  # fmt: skip
        is_word = heading in ("phase", "state")
        table.add_column(
            heading, justify="left" if is_word else "right", min_width=width, no_wrap=True
        )
    table.add_column("differs from the baseline", no_wrap=True, overflow="ellipsis", ratio=1)
    is_over = status.done == status.total
    running = () if is_over else status.running[:MAX_RUNNING_SHOWN]
    for trial in (*status.latest, *running):
        is_best = status.best and trial.number == status.best.number
        style = "bold" if is_best else "dim" if trial in running else ""
        table.add_row(*_trial_cells(trial, status), style=style)
    bar = ProgressBar(status.total, status.done, complete_style="cyan", finished_style="green")
    return Group(
        table,
        Padding(bar),  # a bar without padding ends without a line break
        Text(f"{_runs_done(status, workers)}{_best_value(status)}"),
        Text("  ".join(f"{name} {count}" for name, count in _counts(status).items())),
        *_failures(status),
    )


def progress_line(status: StudyStatus, workers: int) -> str:
    """Return one line: `24 of 177 runs done, about 2 min 05 s left with 2 workers  …  …`."""
    counts = "".join(f"  {name} {count}" for name, count in _counts(status).items() if count)
    return f"{_runs_done(status, workers)}{counts}{_best_value(status)}"


def _trial_cells(trial: Trial, status: StudyStatus) -> tuple[str, ...]:
    """Return a trial's row; a running trial shows its last known epoch and the objective there."""
    value, state = trial.value, trial_outcome(trial)
    if trial.time_s is None and trial.curve:
        epoch = max(trial.curve)
        value, state = trial.curve[epoch], f"epoch {epoch + 1}/{status.epochs}"
    return (
        f"#{trial.number}",
        trial.phase,
        state,
        "" if value is None else f"{value:.4f}",
        "" if trial.time_s is None else f"{trial.time_s:.1f} s",
        format_changed_options(trial.parameters, status.baseline),
    )


def _runs_done(status: StudyStatus, workers: int) -> str:
    """Return the number of runs that are done, and the time that the others will take."""
    done = f"{status.done} of {status.total} runs done"
    if status.done == status.total:
        return done
    seconds, count = status.left_s(workers), max(workers, status.at_work)
    by_workers = plural(count, "worker")
    if seconds is None:
        return f"{done}, {by_workers}"
    return f"{done}, about {format_duration(seconds)} left with {by_workers}"


def _best_value(status: StudyStatus) -> str:
    """Return the best objective to append to a line: `  best 0.9806 (run #24)`."""
    best = status.best
    if best is None or best.value is None:
        return ""
    return f"  best {best.value:.4f} ({name_run('run #', best)})"


def _counts(status: StudyStatus) -> dict[str, int]:
    return {
        "running": sum(phase.running for phase in status.progress.values()),
        "diverged": status.diverged,
        "pruned": status.states.get("PRUNED", 0),
        "failed": status.states.get("FAIL", 0),
    }


def _failures(status: StudyStatus) -> list[Text]:
    """Return the most frequent reasons of failures, so that nobody learns them only at the end."""
    return [
        Text(format_failure(" ".join(reason.split()), count), no_wrap=True, overflow="ellipsis")
        for reason, count in list(status.failures.items())[:MAX_REASONS]
    ]
