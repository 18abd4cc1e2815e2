"""How good every run was, in the order in which they were begun."""

from collections.abc import Callable, Mapping, Sequence

from training_factors.storage.trials import Trial
from training_factors.study.analysis.measurements import has_diverged
from training_factors.study.reporting.chart import Axis, Chart, Line, Panel, Points, Table
from training_factors.study.reporting.status import differing, outcome

Group = tuple[str, str, str, Callable[[Trial], bool]]

GROUPS: tuple[Group, ...] = (
    ("diverged", "warm", "cross", has_diverged),
    ("pruned", "pale", "cross", lambda trial: trial.state == "PRUNED"),
    ("baseline", "seed", "diamond", lambda trial: trial.phase == "baseline"),
    ("measured", "other", "circle", lambda trial: trial.phase == "measure"),
    ("searched", "leading", "circle", lambda trial: True),
)
"""Name, colour, shape, and which runs; each run belongs to the first that it fits."""


def chart(trials: Sequence[Trial], objective: str, baseline: Mapping[str, str]) -> Chart:
    """Every run that ended with a value, and the best so far. baseline: factor -> first option."""
    ended = [trial for trial in trials if trial.value is not None]
    panel = Panel(
        Axis("run"), Axis(f"validation {objective}"),
        (*_groups(ended, objective, baseline), _best_so_far(ended)), 340,
    )  # fmt: skip
    note = (
        "Measured runs are spread evenly over the space and never pruned; the search goes on from "
        "them and is for the best configuration alone."
    )
    value = f"validation {objective}"
    table = Table(
        ("run", "phase", "ended", value, "seconds", "differs from the baseline"),
        tuple(_row(trial, baseline) for trial in trials),
    )
    return Chart("history", _title(ended, objective), note, (panel,), table)


def _groups(ended: Sequence[Trial], objective: str, baseline: Mapping[str, str]) -> list[Points]:
    found = []
    rest = list(ended)
    for name, color, shape, belongs in GROUPS:
        own = [trial for trial in rest if belongs(trial)]
        rest = [trial for trial in rest if not belongs(trial)]
        if own:
            found.append(
                Points(
                    name, (color,), tuple(float(trial.number) for trial in own),
                    tuple(trial.value or 0.0 for trial in own), shape=shape,
                    notes=tuple(_words(trial, objective, baseline) for trial in own),
                )
            )  # fmt: skip
    return found


def _best_so_far(ended: Sequence[Trial]) -> Line:
    x: list[float] = []
    y: list[float] = []
    for trial in ended:
        value = trial.value or 0.0
        if trial.complete and (not y or value > y[-1]):
            x.append(trial.number)
            y.append(value)
    if x:
        x.append(ended[-1].number)
        y.append(y[-1])
    return Line("best so far", "ink", tuple(x), tuple(y), width=1.2, is_stepped=True)


def _title(ended: Sequence[Trial], objective: str) -> str:
    complete = [trial for trial in ended if trial.complete]
    best = max(complete, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)
    if best is None:
        return "No run is complete yet"
    where = {"search": "in the search", "baseline": "with the baseline"}
    found = where.get(best.phase, "among the measured rows")
    return f"The best run, #{best.number}, was found {found}: {objective} {best.value:.4f}"


def _words(trial: Trial, objective: str, baseline: Mapping[str, str]) -> str:
    value = "" if trial.value is None else f" {objective} {trial.value:.4f}"
    return f"#{trial.number} {outcome(trial)}{value} {differing(trial.parameters, baseline)}"


def _row(trial: Trial, baseline: Mapping[str, str]) -> tuple[str, ...]:
    return (
        str(trial.number),
        trial.phase + (f", repeat {trial.repeat}" if trial.repeat else ""),
        outcome(trial),
        "" if trial.value is None else f"{trial.value:.4f}",
        "" if trial.time_s is None else f"{trial.time_s:.1f}",
        differing(trial.parameters, baseline),
    )
