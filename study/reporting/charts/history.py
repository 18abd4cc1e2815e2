"""Chart of the study's history: the objective of every run, in the order in which runs began."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from training_factors.storage.own_configurations import OWN, OWN_NAME
from training_factors.storage.trials import Trial
from training_factors.study.analysis.best_configuration import best_trial
from training_factors.study.analysis.measurements import has_diverged
from training_factors.study.reporting.chart import Axis, Chart, Line, Mark, Panel, Scatter, Table
from training_factors.study.reporting.status import (
    format_changed_options,
    trial_outcome,
)


class RunKind(NamedTuple):
    """A kind of run with its marker. contains: returns whether a trial is of this kind."""

    name: str
    color: str
    shape: str
    contains: Callable[[Trial], bool]


KINDS = (
    RunKind("diverged", "warning", "cross", has_diverged),
    RunKind("pruned", "faint", "cross", lambda trial: trial.state == "PRUNED"),
    RunKind("baseline", "accent", "diamond", lambda trial: trial.phase == "baseline"),
    RunKind("measured", "secondary", "circle", lambda trial: trial.phase == "measure"),
    RunKind("yours", "text", "diamond", lambda trial: trial.phase == OWN),
    RunKind("other division", "good", "diamond", lambda trial: not trial.is_comparable),
    RunKind("searched", "primary", "circle", lambda trial: True),
)
"""All kinds of runs; a run belongs to the first kind that contains it."""


def chart(trials: Sequence[Trial], objective: str, baseline: Mapping[str, str]) -> Chart:
    """Return every run that ended with a value, and the best value so far.

    baseline: factor -> its baseline option.
    """
    ended = [trial for trial in trials if trial.value is not None]
    value = f"validation {objective}"
    marks: list[Mark] = [*_scatters(ended, objective, baseline), _best_so_far(ended)]
    panel = Panel(Axis("run", is_whole=True), Axis(value), tuple(marks), 340)
    note = (
        "Measured runs are spread evenly over the search space and are never pruned. The search "
        "continues from them; it only looks for the best configuration."
    )
    if not all(trial.is_comparable for trial in trials):
        note += (
            " Runs under another division of the data repeat measured ones; they only show how "
            "much the division matters, and are compared with no other run."
        )
    headings = ("run", "phase", "ended", value, "seconds", "differs from the baseline")
    table = Table(headings, tuple(_table_row(trial, baseline) for trial in trials))
    return Chart("history", _title(trials, objective), note, (panel,), table)


def _title(trials: Sequence[Trial], objective: str) -> str:
    best = best_trial(trials)
    if best is None:
        return "No run is complete yet"
    places = {
        "search": "in the search",
        "baseline": "with the baseline configuration",
        OWN: f"among your own configurations ({best.attributes.get(OWN_NAME)})",
    }
    place = places.get(best.phase, "among the measured runs")
    value = f"{objective} {best.value:.4f} (#{best.number})"
    return f"The highest value of a single run was found {place}: {value}"


def _scatters(ended: Sequence[Trial], objective: str, baseline: Mapping[str, str]) -> list[Scatter]:
    """Return the runs of each kind that occurs."""
    scatters = []
    rest = list(ended)
    for kind in KINDS:
        members = [trial for trial in rest if kind.contains(trial)]
        rest = [trial for trial in rest if not kind.contains(trial)]
        if members:
            scatters.append(
                Scatter(
                    kind.name, (kind.color,), tuple(float(trial.number) for trial in members),
                    tuple(trial.value or 0.0 for trial in members), shape=kind.shape,
                    notes=tuple(_hover_text(trial, objective, baseline) for trial in members),
                )
            )  # fmt: skip
    return scatters


def _best_so_far(ended: Sequence[Trial]) -> Line:
    x: list[float] = []
    y: list[float] = []
    for trial in ended:
        value = trial.value or 0.0
        if trial.complete and trial.is_comparable and (not y or value > y[-1]):
            x.append(trial.number)
            y.append(value)
    if x:
        x.append(ended[-1].number)
        y.append(y[-1])
    return Line("best so far", "text", tuple(x), tuple(y), width=1.2, is_stepped=True)


def _hover_text(trial: Trial, objective: str, baseline: Mapping[str, str]) -> str:
    value = "" if trial.value is None else f" {objective} {trial.value:.4f}"
    changes = format_changed_options(trial.parameters, baseline)
    return f"#{trial.number} {trial_outcome(trial)}{value} {changes}"


def _repeat_word(trial: Trial) -> str:
    return "repeat" if trial.is_comparable else "number"


def _table_row(trial: Trial, baseline: Mapping[str, str]) -> tuple[str, ...]:
    return (
        str(trial.number),
        trial.phase + (f", {_repeat_word(trial)} {trial.repeat}" if trial.repeat else ""),
        trial_outcome(trial),
        "" if trial.value is None else f"{trial.value:.4f}",
        "" if trial.time_s is None else f"{trial.time_s:.1f}",
        format_changed_options(trial.parameters, baseline),
    )
