"""Run a study within a limited time: it grows in stages to the size that fits.

Imports stand inside the functions: only what is needed is loaded.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from training_factors.study.api.execution import (
    WorkerSettings,
    count_workers,
    prepare_stored,
    run_queue,
)
from training_factors.study.api.output import LastingDisplay, Output, Tick

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.study.reporting.progress import ReadStage
    from training_factors.study.running.preparation import PreparedStudy
    from training_factors.study.running.settings import Preset


class TimeLimit(NamedTuple):
    """A time that a study may take. began: `time.monotonic()` at its start."""

    hours: float
    began: float

    @property
    def total_s(self) -> float:
        """The whole time in seconds."""
        return 3600 * self.hours

    @property
    def left_s(self) -> float:
        """The seconds that are left; negative once it is over."""
        return self.began + self.total_s - time.monotonic()


def start_time_limit(
    hours: float | None,
    preset: str | None,
    rows: int | None,
    divisions: int,
    repeats: int | None = None,
    search: int | None = None,
) -> TimeLimit | None:
    """Start the clock of a study; None where its time is not limited.

    Raises ValueError for a time that is not above 0 and finite, or with another setting that names
    a size.
    """
    if hours is None:
        return None
    if not (hours > 0 and math.isfinite(hours)):
        raise ValueError(f"--hours {hours:g} must be a finite number above 0")
    named = {
        "--preset": preset, "--rows": rows, "--repeats": repeats, "--search": search,
        "--divisions": divisions if divisions > 1 else None,
    }  # fmt: skip
    for option, value in named.items():
        if value is not None:
            raise ValueError(f"--hours picks the size itself; leave {option} {value} out")
    return TimeLimit(hours, time.monotonic())


def size_chooser(
    hours: float | None,
    preset: str | None,
    rows: int | None,
    divisions: int,
    repeats: int | None = None,
    search: int | None = None,
) -> "Callable[[float], Preset]":
    """Return a function that gives the size of a new study for the runs that end in a second.

    Raises ValueError as `start_time_limit`, and for an unknown preset; the function raises it for a
    time in which too little can be measured.
    """
    from training_factors.study.running.settings import open_preset
    from training_factors.study.running.sizing import least_s, planned_size

    if start_time_limit(hours, preset, rows, divisions, repeats, search) is None:
        size = open_preset(preset or "quick", rows, repeats, search)
        return lambda pace: size
    assert hours is not None

    def choose(pace: float) -> "Preset":
        size = planned_size(3600 * hours, pace)
        if size is None:
            least = least_s(pace)
            raise ValueError(
                f"--hours {hours:g} is too short: the smallest study takes about {least:.0f} s; "
                f"use --hours {_rounded_up(least):g} or more"
            )
        return size

    return choose


def run_within(
    study: "Study",
    prepared: "PreparedStudy | None",
    settings: WorkerSettings,
    output: Output,
    limit: TimeLimit,
) -> int:
    """Run what fits into the time, beginning with what is there; return the exit code.

    Runs that were planned before and nobody has begun are taken out of the queue, since they may
    be more than fit. The time is a soft limit: runs that have begun when it is over are finished.
    """
    from training_factors.storage.trials import read_trials
    from training_factors.study.running.sizing import size_of

    if settings.cluster is None:
        prepared = prepared or prepare_stored(study, settings)  # once for all stages
    study.queue.withdraw()
    trials = read_trials(study)
    times = [trial.time_s for trial in trials if trial.complete and trial.time_s]
    workers = count_workers(settings, is_given=prepared is not None and prepared.is_given)
    pace = workers * len(times) / sum(times) if times else None
    with ExitStack() as opened:
        shown = output._replace(progress=LastingDisplay(output, settings.url, opened).progress)
        code, done, pace = _run_stages(
            study, prepared, settings, shown, limit, size_of(trials), pace
        )
    if not code:
        output.notify(_result(limit, pace, done))
    return code


def _run_stages(
    study: "Study",
    prepared: "PreparedStudy | None",
    settings: WorkerSettings,
    output: Output,
    limit: TimeLimit,
    done: "Preset",
    pace: float | None,
) -> "tuple[int, Preset, float | None]":
    """Run one stage after the other; return the exit code, the size reached, and the pace.

    done: the size of the study before. pace: runs that end in a second; None while unknown.
    """
    from training_factors.storage.trials import read_trials
    from training_factors.study.running.sizing import FIRST, next_stage, size_of

    may_grow = True
    while stage := next_stage(done, limit.left_s, limit.total_s, pace, may_grow=may_grow):
        if study.stamp.space.is_fixed and not stage.size.measure:
            break  # a search over one configuration finds nothing
        added, ended, began = study.queue.add(stage.size.runs()), _ended(study), time.monotonic()
        if stage.size.measure > max(done.measure, FIRST.measure):
            output.notify(_reason(limit, pace, stage.size))
        may_grow = stage.size.search == 0
        limited = _leaving_out(output, began + stage.seconds, settings.url)
        code = run_queue(study, prepared, settings, limited, is_stage=True)
        if code:
            return code, done, pace
        before, done = done, size_of(read_trials(study))
        if not added and done == before:
            break
        count = _ended(study) - ended
        pace = count / (time.monotonic() - began) if count else pace
    return 0, done, pace


def _leaving_out(output: Output, until: float, url: str) -> Output:
    """Return an output whose clock takes the waiting runs out of the queue when the time is over.

    until: by `time.monotonic()`.
    """

    @contextmanager
    def progress(
        study: "Study", workers: int, place: str, stage: "ReadStage | None" = None
    ) -> Iterator[Tick]:
        with output.progress(study, workers, place, stage) as show:
            is_over = False

            def tick() -> None:
                nonlocal is_over
                show()
                if not is_over and time.monotonic() >= until:
                    is_over = _withdraw(url, study.name)

            yield tick

    return output._replace(progress=progress)


def _withdraw(url: str, name: str) -> bool:
    """Take the waiting runs out of the queue; return False when the database does not answer."""
    from training_factors.storage.database import open_database
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.storage.studies import load_study

    with suppress(StorageUnavailableError):
        # A connection of its own: those of the study are closed whenever a worker is forked.
        database = open_database(url, retry_timeout_s=0)
        try:
            load_study(database, name).queue.withdraw()
        finally:
            database.close()
        return True
    return False


def _ended(study: "Study") -> int:
    """Return the number of runs that have ended."""
    return sum(phase.done for phase in study.queue.progress().values())


def _reason(limit: TimeLimit, pace: float | None, size: "Preset") -> str:
    """Return why the study gets this size."""
    from training_factors.study.running.sizing import describe_hours, describe_size

    words = f"{describe_hours(limit.hours)} suffice for {describe_size(size)}"
    return words if pace is None else f"{words}: a run ends every {1 / pace:.2g} s"


def _result(limit: TimeLimit, pace: float | None, done: "Preset") -> str:
    """Return what was run in the time, and what to do where that is too little for an answer."""
    from training_factors.study.running.sizing import (
        FIRST,
        analysis_s,
        describe_hours,
        describe_size,
    )

    words = f"{describe_hours(limit.hours)}: {describe_size(done)}"
    missing = FIRST.measure - done.measure
    if missing <= 0:
        return words
    needed_s = analysis_s(FIRST.measure) + (missing / pace if pace else limit.total_s)
    hours = f"--hours {_rounded_up(needed_s):g}"
    return f"{words}; an answer needs {FIRST.measure}: the same command with {hours} goes on"


def _rounded_up(seconds: float) -> float:
    """Return seconds in thousandths of hours, rounded up."""
    return math.ceil(seconds / 3.6) / 1000
