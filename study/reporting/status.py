"""The status of a study: computed from its run queue and its trials, shown as tables and JSON.

Also the words for single trials (outcome, changed options) and for plans, which other screens use.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.search_spaces.description import parse_parameter
from training_factors.storage.arms import read_arms
from training_factors.storage.owner import ProcessStatus, read_owner, status_of
from training_factors.storage.run_queue import ActiveClaim, PhaseProgress
from training_factors.storage.studies import Study, find_confirmation
from training_factors.storage.trials import DIVERGED, Trial, read_trials
from training_factors.study.analysis.best_configuration import BestConfiguration, find_best
from training_factors.study.analysis.intervals import Interval
from training_factors.study.reporting.formatting import plural

SILENT_S = 30.0
"""Number of seconds without a heartbeat after which a worker counts as silent."""

LATEST = 5
"""Number of trials that `StudyStatus.latest` holds."""


NO_EXPLANATIONS: Mapping[str, str] = {}
"""Where nothing that runs have in common explains how they ended."""


class WorkerStatus(NamedTuple):
    """A worker that holds a run.

    silent_s: seconds since its last heartbeat, by this machine's clock. condition: `working`,
    `silent` (no heartbeat for `SILENT_S`), `stopped` (suspended by a signal) or `ended`.
    """

    host: str
    pid: int
    device: str
    run: str
    attempt: int
    silent_s: float
    condition: str


class StageStatus(NamedTuple):
    """The progress of a confirmation: its stage, and the number of runs of all its stages.

    number: of this stage, from 1. stages: number of all. name: what this one does. low, high: the
    least and the largest number of runs; what the runs show decides how many follow.
    """

    number: int
    stages: int
    name: str
    low: int
    high: int

    @property
    def words(self) -> str:
        """Return `stage 2 of 4 (re-tuning learning rates)`."""
        return f"stage {self.number} of {self.stages} ({self.name})"

    @property
    def runs(self) -> str:
        """Return the number of runs, `120`, or its range, `120 to 180`."""
        return str(self.high) if self.low == self.high else f"{self.low} to {self.high}"


class StudyStatus(NamedTuple):
    """The status of one study.

    progress: phase -> number of runs waiting, running and done. states: Optuna's state, or
    INTERRUPTED -> number of trials. diverged: number of COMPLETE trials that diverged. best: the
    best configuration so far; None before a run is complete. seconds: mean duration of a run; None
    before one has ended. latest: the trials that ended last. baseline: factor -> baseline option.
    workers: those that hold runs, on all machines. failures: reason -> number of failed runs, the
    most frequent first. running: trials in progress. epochs: of every run. varied: number of varied
    factors. is_fixed: whether nothing varies. is_confirmation: whether it confirms another study;
    then its best run says little, since arms differ in more than their configurations. stage: of a
    confirmation that this process runs.
    """

    name: str
    objective: str
    data: str
    model: str
    progress: dict[str, PhaseProgress]
    states: dict[str, int]
    diverged: int
    best: BestConfiguration | None
    seconds: float | None
    latest: tuple[Trial, ...]
    baseline: dict[str, str]
    workers: tuple[WorkerStatus, ...]
    failures: dict[str, int]
    running: tuple[Trial, ...] = ()
    epochs: int = 0
    varied: int = 0
    is_fixed: bool = False
    is_confirmation: bool = False
    stage: StageStatus | None = None

    @property
    def total(self) -> int:
        """Number of runs of the study."""
        return sum(phase.total for phase in self.progress.values())

    @property
    def done(self) -> int:
        """Number of runs that ended."""
        return sum(phase.done for phase in self.progress.values())

    @property
    def at_work(self) -> int:
        """Number of workers, on all machines, that hold a run and send heartbeats."""
        return sum(worker.condition == "working" for worker in self.workers)

    def left_s(self, workers: int) -> float | None:
        """Estimate the seconds until the last run ends; None before any run has ended.

        workers: number of workers of this process; if more are at work on all machines, those
        count instead.
        """
        if self.seconds is None:
            return None
        return self.seconds * (self.total - self.done) / max(workers, self.at_work, 1)


def compute_status(
    study: Study,
    trials: Sequence[Trial] | None = None,
    best: BestConfiguration | None = None,
) -> StudyStatus:
    """Return the current status of a study.

    trials, best: all its trials and its best configuration; without trials both are read.
    """
    if trials is None:
        trials = read_trials(study)
        best = _read_best(study, trials)
    ended = [trial for trial in trials if trial.time_s is not None]
    complete = [trial for trial in trials if trial.complete and trial.value is not None]
    failed = [trial for trial in trials if trial.state == "FAIL"]
    reasons = Counter(trial.reason for trial in failed)
    return StudyStatus(
        name=study.name,
        objective=study.stamp.objective,
        data=study.stamp.data.name,
        model=study.stamp.model,
        progress=study.queue.progress(),
        states=dict(Counter(_state(trial) for trial in trials)),
        diverged=sum(bool(trial.attributes.get("diverged")) for trial in complete),
        best=best,
        seconds=sum(trial.time_s or 0 for trial in ended) / len(ended) if ended else None,
        latest=tuple(ended[-LATEST:]),
        baseline=study.stamp.space.baseline,
        workers=_worker_statuses(study.queue.active_claims(), trials),
        failures=dict(reasons.most_common()),
        running=tuple(trial for trial in trials if trial.state == "RUNNING"),
        epochs=study.stamp.epochs,
        varied=len(study.stamp.space.varied),
        is_fixed=study.stamp.space.is_fixed,
        is_confirmation=study.is_confirmation,
    )


def _read_best(study: Study, trials: Sequence[Trial]) -> BestConfiguration | None:
    """Return the best configuration of a study by its trials and its confirmation, if any."""
    confirmation = None if study.is_confirmation else find_confirmation(study)
    if confirmation is None:
        return find_best(trials)
    return find_best(trials, read_arms(confirmation), read_trials(confirmation))


def _state(trial: Trial) -> str:
    """Return Optuna's state; a trial in WAITING was interrupted and will be resumed."""
    return "INTERRUPTED" if trial.state == "WAITING" else trial.state


def _worker_statuses(
    claims: Sequence[ActiveClaim], trials: Sequence[Trial]
) -> tuple[WorkerStatus, ...]:
    devices = {trial.number: str(trial.attributes.get("device", "")) for trial in trials}
    return tuple(_worker_status(active, devices) for active in claims)


def _worker_status(active: ActiveClaim, devices: Mapping[int, str]) -> WorkerStatus:
    """Return the status of the worker with this claim. devices: trial number -> device."""
    claim, heartbeat = active
    owner = read_owner(claim.owner)
    silent_s = max(0.0, time.time() - heartbeat)
    known = {ProcessStatus.ENDED: "ended", ProcessStatus.STOPPED: "stopped"}
    condition = known.get(status_of(owner), "silent" if silent_s > SILENT_S else "working")
    device = "" if claim.trial is None else devices.get(claim.trial, "")
    return WorkerStatus(
        owner.host, owner.pid, device, str(claim.run), claim.attempt, silent_s, condition
    )


def status_document(
    status: StudyStatus, explanations: Mapping[str, str] = NO_EXPLANATIONS
) -> dict[str, Any]:
    """Return the status as JSON. explanations: as of `explained_outcomes`."""
    return {
        "schema": 1,
        "study": status.name,
        "data": status.data,
        "model": status.model,
        "objective": status.objective,
        "varied": status.varied,
        "runs": {"total": status.total, "done": status.done},
        "phases": {phase: counts._asdict() for phase, counts in status.progress.items()},
        "states": status.states,
        "diverged": status.diverged,
        "seconds_per_run": status.seconds,
        "seconds_left": status.left_s(0) if status.at_work else None,
        "workers": [worker._asdict() for worker in status.workers],
        "failures": status.failures,
        "explanations": dict(explanations),
        "best": None if status.best is None else _best_document(status.best, status.baseline),
    }


def _best_document(best: BestConfiguration, factors: Mapping[str, str]) -> dict[str, Any]:
    """Return the best configuration as JSON, with the run that it was found in.

    factors: those of the space, which leaves out the placebo.
    """
    trial = best.trial
    return {
        "trial": None if trial is None else trial.number,
        "value": None if trial is None else trial.value,
        "metrics": {} if trial is None else trial.metrics,
        "confirmed": best.is_confirmed,
        "test_value": best.value if best.is_confirmed else None,
        "parameters": {
            name: value
            for name, value in best.parameters.items()
            if parse_parameter(name).factor in factors
        },
    }


def draw_status(
    status: StudyStatus, explanations: Mapping[str, str] = NO_EXPLANATIONS
) -> RenderableType:
    """Draw phases, outcomes, failures, the best run and the workers, for the verb `status`.

    explanations: as of `explained_outcomes`.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("phase", "done", "running", "waiting", "total"):
        table.add_column(heading, justify="left" if heading == "phase" else "right")
    for phase, counts in status.progress.items():
        numbers = (counts.done, counts.running, counts.waiting, counts.total)
        table.add_row(phase, *(str(number) for number in numbers))
    title = Text.assemble((status.name, "bold"), f"  {status.data}, {status.model}")
    parts: list[RenderableType] = [title, table, Text(outcomes(status))]
    parts += map(Text, explained_outcomes(status, explanations))
    if not status.is_confirmation:
        parts.append(Text(_describe_best(status)))
    left = status.left_s(0)
    if status.at_work and left is not None:
        workers = plural(status.at_work, "worker")
        parts.append(Text(f"about {format_duration(left)} left with {workers}"))
    if status.workers:
        parts += [Text(), _draw_workers(status.workers)]
    return Group(*parts)


def _describe_best(status: StudyStatus) -> str:
    if status.best is None:
        return "no run is complete yet"
    if status.is_fixed:
        return (
            f"nothing varies: one configuration with {plural(status.done, 'seed')}; importance "
            f"shows its mean {status.objective}"
        )
    return f"best configuration: {describe_best(status.best, status.objective)}"


def _draw_workers(workers: Sequence[WorkerStatus]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("worker", "device", "run", "attempt", "last heartbeat", "state"):
        is_number = heading in ("attempt", "last heartbeat")
        table.add_column(heading, justify="right" if is_number else "left")
    shown = {"stopped": "suspended"}
    for worker in workers:
        table.add_row(
            f"{worker.host}:{worker.pid}", worker.device, worker.run, str(worker.attempt),
            f"{worker.silent_s:.0f} s ago", shown.get(worker.condition, worker.condition),
        )  # fmt: skip
    return table


def draw_study_list(statuses: Sequence[StudyStatus]) -> RenderableType:
    """Draw one line per study, for the verb `list`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("study", "data", "model", "done", "total", "best"):
        is_number = heading in ("done", "total")
        table.add_column(
            heading, justify="right" if is_number else "left", no_wrap=is_number, overflow="fold"
        )
    for status in statuses:
        best = "" if status.best is None else f"{status.objective} {status.best.value:.4f}"
        best += " (confirmed)" if status.best and status.best.is_confirmed else ""
        counts = str(status.done), str(status.total)
        table.add_row(status.name, status.data, status.model, *counts, best)
    return table


def outcomes(status: StudyStatus) -> str:
    """Return the number of trials in each state: `complete 20 (3 diverged)  pruned 4`."""
    parts = []
    for state, count in sorted(status.states.items()):
        has_diverged = state == "COMPLETE" and status.diverged > 0
        diverged = f" ({status.diverged} diverged)" if has_diverged else ""
        parts.append(f"{_state_word(state)} {count}{diverged}")
    return "  ".join(parts)


def trial_outcome(trial: Trial) -> str:
    """Return how a trial ended, in one word: `diverged`, or the word for Optuna's state."""
    return "diverged" if trial.attributes.get("diverged") else _state_word(trial.state)


def _state_word(state: str) -> str:
    """Return Optuna's state, or INTERRUPTED, as it is shown: in lower case, `failed` for FAIL."""
    return "failed" if state == "FAIL" else state.lower()


def describe_best(best: BestConfiguration, objective: str, interval: Interval | None = None) -> str:
    """Return in which run the best configuration was found, and what it reaches.

    interval: 95 % interval of its mean on the test part; None to leave it out.
    """
    if not best.is_confirmed:
        value = f"validation {objective} {best.value:.4f}"
        return f"{best.name}: {value} in a single run, not confirmed"
    around = "" if interval is None else f" (95 % interval {interval[0]:.4f} to {interval[1]:.4f})"
    value = f"test {objective} {best.value:.4f}{around}"
    return f"{best.name}: {value}, mean of {len(best.tested)} seeds"


def changed_options(parameters: Mapping[str, Any], baseline: Mapping[str, str]) -> dict[str, Any]:
    """Return factor -> option for the options that differ from the baseline.

    parameters: of a trial, with values of any type that Optuna stores.
    """
    return {
        name: value
        for name, value in parameters.items()
        if name in baseline and baseline[name] != value
    }


def format_changed_options(parameters: Mapping[str, Any], baseline: Mapping[str, str]) -> str:
    """Return the options that differ from the baseline: `optimizer=adam activation=tanh`."""
    options = changed_options(parameters, baseline)
    return " ".join(f"{name}={value}" for name, value in options.items())


def explained_outcomes(status: StudyStatus, explanations: Mapping[str, str]) -> list[str]:
    """Return a line for each reason of failure, and what failed and diverged runs have in common.

    explanations: outcome (a reason of failure, or DIVERGED) -> what its runs have in common.
    The explanation follows in the same line: `9 runs failed: out of memory; 8 of these 9 runs have
    batch_size.minibatch.samples = 512; of the other 120, 31 do`.
    """
    causes = {outcome: f"; {sentence}" for outcome, sentence in explanations.items()}
    lines = [
        f"{format_failure(reason, count)}{causes.get(reason, '')}"
        for reason, count in status.failures.items()
    ]
    if DIVERGED in causes:
        lines.append(f"{plural(status.diverged, 'run')} diverged{causes[DIVERGED]}")
    return lines


def format_failure(reason: str, count: int) -> str:
    """Return a reason of failure with its number of runs: `2 runs failed: out of memory`."""
    return f"{plural(count, 'run')} failed: {reason}"


def format_duration(seconds: float) -> str:
    """Return seconds, `31 s`, minutes and seconds, `1 min 31 s`, or hours, `1 h 02 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def about_runs(low: int, high: int) -> str:
    """Return a range of numbers of runs: `85 to 190 runs`, or `90 runs` if it is one number."""
    return plural(high, "run") if low == high else f"{low} to {high} runs"


def about_time(low_s: float, high_s: float) -> str:
    """Return a range of durations: `1 min 31 s to 3 min 02 s`."""
    low, high = format_duration(low_s), format_duration(high_s)
    return high if low == high else f"{low} to {high}"
