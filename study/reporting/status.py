"""How far a study is: counted from its queue and its trials, drawn as tables."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.search_spaces.description import parse_parameter
from training_factors.storage.owner import ProcessStatus, read_owner, status_of
from training_factors.storage.run_queue import ActiveClaim, PhaseProgress
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, latest_trials

SILENT_S = 30.0
"""Seconds without a sign of life after which a worker is shown as silent."""


class WorkerStatus(NamedTuple):
    """A process that holds a run.

    silent_s: seconds since its last sign of life, by this machine's clock.
    condition: `working`, `silent`, `stopped` (by a signal) or `ended`.
    """

    host: str
    pid: int
    device: str
    run: str
    attempt: int
    silent_s: float
    condition: str


def workers_of(
    held: Sequence[ActiveClaim], trials: Mapping[int, Trial]
) -> tuple[WorkerStatus, ...]:
    """The workers of these claims. trials: by number."""
    return tuple(_worker(one, trials.get(one.claim.trial or 0)) for one in held)


def _worker(held: ActiveClaim, trial: Trial | None) -> WorkerStatus:
    claim, heartbeat = held
    owner = read_owner(claim.owner)
    silent_s = max(0.0, time.time() - heartbeat)
    known = {ProcessStatus.ENDED: "ended", ProcessStatus.STOPPED: "stopped"}
    condition = known.get(status_of(owner), "silent" if silent_s > SILENT_S else "working")
    device = trial.attributes.get("device", "") if trial and claim.trial is not None else ""
    return WorkerStatus(
        owner.host, owner.pid, str(device), str(claim.run), claim.attempt, silent_s, condition
    )


def draw_workers(workers: Sequence[WorkerStatus]) -> Table:
    """A line for each."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("worker", "device", "run", "attempt", "heard", "condition"):
        table.add_column(heading, justify="right" if heading in ("attempt", "heard") else "left")
    for one in workers:
        table.add_row(
            f"{one.host}:{one.pid}", one.device, one.run, str(one.attempt),
            f"{one.silent_s:.0f} s ago", one.condition,
        )  # fmt: skip
    return table


LATEST = 5
"""Trials that are named as having ended last."""


class StudyStatus(NamedTuple):
    """The state of one study.

    progress: by phase. states: how many trials ended, or stand, in which state. diverged: of the
    COMPLETE ones. best: the COMPLETE trial with the highest objective. seconds: mean of a run.
    latest: trials that ended last. baseline: factor -> its first option. workers: those that hold
    runs, on all machines. failures: reason -> how many runs failed for it. running: trials that
    have begun. epochs: of every run. varied: factors that vary.
    """

    name: str
    objective: str
    data: str
    model: str
    progress: dict[str, PhaseProgress]
    states: dict[str, int]
    diverged: int
    best: Trial | None
    seconds: float | None
    latest: tuple[Trial, ...]
    baseline: dict[str, str]
    workers: tuple[WorkerStatus, ...]
    failures: dict[str, int]
    running: tuple[Trial, ...] = ()
    epochs: int = 0
    varied: int = 0

    @property
    def total(self) -> int:
        """All runs of the study."""
        return sum(phase.total for phase in self.progress.values())

    @property
    def done(self) -> int:
        """Runs that ended."""
        return sum(phase.done for phase in self.progress.values())

    @property
    def at_work(self) -> int:
        """Workers that hold a run and live, on all machines."""
        return sum(worker.condition == "working" for worker in self.workers)

    def left_s(self, workers: int) -> float | None:
        """Seconds until the last run ends; None before the first.

        workers: those that go on here; where more are at work on all machines, it is those.
        """
        if self.seconds is None:
            return None
        return self.seconds * (self.total - self.done) / max(workers, self.at_work, 1)


def compute_status(study: Study) -> StudyStatus:
    """The state of a study now."""
    trials = latest_trials(study)
    ended = [trial for trial in trials if trial.time_s is not None]
    complete = [trial for trial in trials if trial.complete and trial.value is not None]
    return StudyStatus(
        name=study.name,
        objective=study.stamp.objective,
        data=study.stamp.data.name,
        model=study.stamp.model,
        progress=study.queue.progress(),
        states=dict(Counter(_state(trial) for trial in trials)),
        diverged=sum(bool(trial.attributes.get("diverged")) for trial in complete),
        best=best_trial(trials),
        seconds=sum(trial.time_s or 0 for trial in ended) / len(ended) if ended else None,
        latest=tuple(ended[-LATEST:]),
        baseline=study.stamp.space.baseline,
        workers=workers_of(study.queue.active_claims(), {trial.number: trial for trial in trials}),
        failures=dict(
            Counter(
                str(trial.attributes.get("reason", "unknown"))
                for trial in trials
                if trial.state == "FAIL"
            ).most_common()
        ),
        running=tuple(trial for trial in trials if trial.state == "RUNNING"),
        epochs=study.stamp.epochs,
        varied=len(study.stamp.space.varied),
    )


def _state(trial: Trial) -> str:
    """Optuna's word; a trial that waits is one that was interrupted, and is run again."""
    return "INTERRUPTED" if trial.state == "WAITING" else trial.state


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The COMPLETE trial with the highest objective, the earliest of several."""
    complete = [trial for trial in trials if trial.complete and trial.value is not None]
    return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)


def status_document(overview: StudyStatus) -> dict[str, Any]:
    """The overview as JSON."""
    best = overview.best
    return {
        "schema": 1,
        "study": overview.name,
        "data": overview.data,
        "model": overview.model,
        "objective": overview.objective,
        "runs": {"total": overview.total, "done": overview.done},
        "phases": {phase: counts._asdict() for phase, counts in overview.progress.items()},
        "states": overview.states,
        "diverged": overview.diverged,
        "seconds_per_run": overview.seconds,
        "seconds_left": overview.left_s(0) if overview.at_work else None,
        "workers": [worker._asdict() for worker in overview.workers],
        "failures": overview.failures,
        "best": None
        if best is None
        else {
            "trial": best.number,
            "value": best.value,
            "metrics": best.metrics,
            "parameters": {
                path: value
                for path, value in best.parameters.items()
                if parse_parameter(path).factor in overview.baseline  # not the placebo
            },
        },
    }


def draw_status(overview: StudyStatus) -> RenderableType:
    """Phases, outcomes and the best run, for `status`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("phase", "done", "running", "waiting", "total"):
        table.add_column(heading, justify="left" if heading == "phase" else "right")
    for phase, counts in overview.progress.items():
        numbers = (counts.done, counts.running, counts.waiting, counts.total)
        table.add_row(phase, *(str(number) for number in numbers))
    title = Text.assemble((overview.name, "bold"), f"  {overview.data}, {overview.model}")
    parts: list[RenderableType] = [title, table, Text(outcomes(overview))]
    parts += [Text(f"failed {count}: {reason}") for reason, count in overview.failures.items()]
    parts.append(Text(_best(overview)))
    left = overview.left_s(0)
    if overview.at_work and left is not None:
        parts.append(Text(f"left {clock(left)} with {overview.at_work} at work"))
    if overview.workers:
        parts += [Text(), draw_workers(overview.workers)]
    return Group(*parts)


def draw_study_list(overviews: Sequence[StudyStatus]) -> RenderableType:
    """All studies, a line each, for `list`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("study", "data", "model", "done", "total", "best"):
        number = heading in ("done", "total")
        table.add_column(
            heading, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    for item in overviews:
        best = "" if item.best is None else f"{item.objective} {item.best.value:.4f}"
        table.add_row(item.name, item.data, item.model, str(item.done), str(item.total), best)
    return table


def outcomes(overview: StudyStatus) -> str:
    """How runs ended: `complete 20 (3 diverged)  pruned 4`."""
    parts = []
    for state, count in sorted(overview.states.items()):
        noted = (
            f" ({overview.diverged} diverged)" if state == "COMPLETE" and overview.diverged else ""
        )
        parts.append(f"{state.lower()} {count}{noted}")
    return "  ".join(parts)


def outcome(trial: Trial) -> str:
    """How a run ended, in a word."""
    return "diverged" if trial.attributes.get("diverged") else trial.state.lower()


def differing(parameters: Mapping[str, Any], baseline: Mapping[str, str]) -> str:
    """The options that are not the baseline's: `optimizer=adam activation=tanh`."""
    return " ".join(f"{name}={value}" for name, value in changes(parameters, baseline).items())


def changes(parameters: Mapping[str, Any], baseline: Mapping[str, str]) -> dict[str, Any]:
    """Factor -> option, of those that are not the baseline's."""
    return {
        name: value
        for name, value in parameters.items()
        if name in baseline and baseline[name] != value
    }


def clock(seconds: float) -> str:
    """Minutes and seconds: `1:31`; with hours from 60 minutes on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _best(overview: StudyStatus) -> str:
    best = overview.best
    if best is None or best.value is None:
        return "no run has ended yet"
    return f"best {overview.objective} {best.value:.4f} (trial #{best.number}, validation)"


def short_best(overview: StudyStatus) -> str:
    """The highest objective and whose it is, behind something else: `  best 0.9806 (#24)`."""
    best = overview.best
    return "" if best is None or best.value is None else f"  best {best.value:.4f} (#{best.number})"


def draw_plan(plan: Mapping[str, Any]) -> RenderableType:
    """The plan as a short table."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    probes = " and ".join(f"{seconds:.2f} s" for seconds in plan["probes_s"])
    rows = {
        "data": f"{plan['data']}, {plan['samples']:,} samples",
        "model": f"{plan['model']}, {plan['epochs']} epoch{'s' * (plan['epochs'] > 1)} a run",
        "varied": f"{len(plan['factors'])} factors, {plan['parameters']} parameters",
        "left out": ", ".join(f"{name} ({where})" for name, where in plan["left_out"]),
        "device": f"{plan['device']}, {plan['workers']} workers",
        "probes": probes,
        "time": f"{plan['runs']} runs x {sum(plan['probes_s']) / len(plan['probes_s']):.2f} s"
        f" / {plan['workers']} workers = about {clock(plan['seconds'])}",
    }
    for name, text in rows.items():
        if text:
            table.add_row(name, text)
    return table
