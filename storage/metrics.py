"""The metrics that a study can maximize: name, task, direction, chance level and unit of each.

Studies maximize. Where a lower value of a metric is better (log loss, RMSE, MAE), the objective is
minus the metric, called `negative_log_loss` for instance (as scikit-learn's `neg_log_loss`); so a
higher objective is better everywhere: in the search, in gains, in differences and in charts. The
metrics that every run stores beside its objective have their usual sign.

An objective without a lower bound is raised to its chance level: without this floor a few runs that
are worse than that would make up nearly all variance of a study.

How a metric is computed from the outputs of a network is in `study.training.metrics`.
"""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
"""Samples of every class of a part, (classes,); for regression its targets, (samples,)."""

NEGATIVE = "negative_"
"""Prefix of the name of an objective that is minus a metric."""

CUTOFF = 0.4
"""Similarity from which an unknown name is taken for a misspelt metric (0 to 1, of difflib)."""


class Metric(NamedTuple):
    """A metric of predictions.

    name: in options and among the stored metrics. task: what is predicted. chance: returns the
    value of predictions that use no input: the class frequencies, the mean or, for MAE, the median
    (scikit-learn's DummyClassifier and DummyRegressor). is_loss: whether lower is better.
    has_floor: whether the objective has no lower bound and is raised to the chance level. unit: of
    the values, in words; empty for numbers without one, whose differences are shown in points.
    """

    name: str
    task: Literal["classification", "regression"]
    chance: Callable[[Numbers], float]
    is_loss: bool = False
    has_floor: bool = False
    unit: str = ""

    @property
    def objective(self) -> str:
        """The name of the objective: of the metric, or of minus the metric."""
        return f"{NEGATIVE}{self.name}" if self.is_loss else self.name

    @property
    def perfect(self) -> float:
        """The objective of perfect predictions."""
        return 0.0 if self.is_loss else 1.0

    def signed(self, value: float) -> float:
        """Return the objective that a value of the metric stands for, without its floor."""
        return -value if self.is_loss else value

    def as_objective(self, value: float, chance: float) -> float:
        """Return the objective that a value of the metric stands for.

        chance: the value of the metric at chance, on the same samples.
        """
        objective = self.signed(value)
        # max returns its first argument where that is NaN: the run then fails.
        return max(objective, self.signed(chance)) if self.has_floor else objective


def _largest_part(counts: Numbers) -> float:
    return float(counts.max() / counts.sum())


def _equal_part(counts: Numbers) -> float:
    return float(1 / np.count_nonzero(counts))


def _f1_of_the_largest(counts: Numbers) -> float:
    """Return macro F1 where all samples are predicted as the most frequent class."""
    part = _largest_part(counts)
    return 2 * part / (1 + part) * _equal_part(counts)


def _entropy(counts: Numbers) -> float:
    parts = counts[counts > 0] / counts.sum()
    return float(-(parts * np.log(parts)).sum())


def _deviation_from_mean(targets: Numbers) -> float:
    return float(targets.std())


def _deviation_from_median(targets: Numbers) -> float:
    return float(np.abs(targets - np.median(targets)).mean())


TARGET_UNIT = "target units"
"""Unit of RMSE and MAE: that of the numbers that are predicted."""

METRICS = (
    Metric("accuracy", "classification", _largest_part),
    Metric("balanced_accuracy", "classification", _equal_part),
    Metric("macro_f1", "classification", _f1_of_the_largest),
    Metric("kappa", "classification", lambda counts: 0.0),
    Metric("auc", "classification", lambda counts: 0.5),
    Metric("log_loss", "classification", _entropy, is_loss=True, has_floor=True, unit="nats"),
    Metric("r2", "regression", lambda targets: 0.0, has_floor=True),
    Metric(
        "rmse", "regression", _deviation_from_mean, is_loss=True, has_floor=True, unit=TARGET_UNIT
    ),
    Metric(
        "mae", "regression", _deviation_from_median, is_loss=True, has_floor=True, unit=TARGET_UNIT
    ),
)  # fmt: skip
"""All metrics; the first one of a task is its default objective."""

DEFAULT_METRICS = tuple({metric.task: metric.name for metric in reversed(METRICS)}.values())
"""Names of the metrics that are the objective where none is named, one per task."""

_BY_NAME = {metric.name: metric for metric in METRICS}
_BY_OBJECTIVE = {metric.objective: metric for metric in METRICS}


def metrics_of(classes: int | None) -> list[Metric]:
    """Return the metrics of a task. classes: number of classes; None for regression."""
    task = "regression" if classes is None else "classification"
    return [metric for metric in METRICS if metric.task == task]


def metric_name(text: str) -> str:
    """Return the name of a metric that may be written with dashes or in capitals.

    Raises ValueError, which names the nearest metric, if there is none of this name.
    """
    return find_name(text, _BY_NAME, "there is no such metric")


def normal_name(text: str) -> str:
    """Return a metric's name in small letters with underscores: `macro_f1` for `Macro-F1`."""
    return text.strip().lower().replace("-", "_")


def find_name(text: str, names: Collection[str], otherwise: str) -> str:
    """Return that of some metrics' names which the text is, but for dashes and capitals.

    Raises ValueError if it is none of them: `otherwise`, the nearest name, and all names.
    """
    name = normal_name(text)
    if name in names:
        return name
    near = get_close_matches(name, names, n=1, cutoff=CUTOFF)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"{otherwise}; {hint}choose one of {', '.join(names)}")


def choose_metric(name: str | None, classes: int | None) -> Metric:
    """Return the metric that a study maximizes: as named, else accuracy or R².

    classes: number of classes of its data; None for regression.

    Raises ValueError for an unknown metric, and for one of the other task.
    """
    fitting = metrics_of(classes)
    if name is None:
        return fitting[0]
    metric = _BY_NAME[metric_name(name)]
    if metric not in fitting:
        names = ", ".join(one.name for one in fitting)
        raise ValueError(
            f"--metric {name!r} is for {metric.task}, but this is {fitting[0].task}; choose one of "
            f"{names}"
        )
    return metric


def metric_of(objective: str) -> Metric:
    """Return the metric behind the objective of a study.

    Raises ValueError for an objective that only a newer version knows.
    """
    if objective not in _BY_OBJECTIVE:
        raise ValueError(
            f"a newer version of training-factors made this study (its objective {objective!r} is "
            "unknown here); update training-factors on this machine"
        )
    return _BY_OBJECTIVE[objective]


def objective_unit(objective: str) -> str:
    """Return the unit of an objective in words; empty for those whose unit is the point."""
    metric = _BY_OBJECTIVE.get(objective)
    return "" if metric is None else metric.unit


def chance_levels(numbers: Numbers, classes: int | None) -> Mapping[str, float]:
    """Return every metric of a task with its value at chance, on samples with these numbers."""
    return {metric.name: metric.chance(numbers) for metric in metrics_of(classes)}
