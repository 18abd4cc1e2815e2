"""Measure a trained network on samples that it was not trained on.

The definitions are scikit-learn's, which the tests compare with; its functions check their inputs
for longer than a network of tables takes to predict. The objective is needed after every few
epochs, so the formulas of `FORMULAS` do not leave the device; every run stores all metrics at its
end.
"""

import math
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training_factors.search_spaces.problem import Problem
from training_factors.storage.metrics import (
    Metric,
    Numbers,
    chance_levels,
    choose_metric,
    metrics_of,
)
from training_factors.study.data.division import TargetScale

Metrics = dict[str, float]
"""Value of each metric by its name, such as `macro_f1`."""

ConfusionCells = tuple[tuple[int, int, int], ...]
"""Confusion matrix as (true class, predicted class, number of samples), largest numbers first."""

EPSILON = sys.float_info.epsilon
"""Smallest probability of a class in the log loss, and smallest distance from 1."""

MAX_CONFUSION_CELLS = 400
"""Maximum number of confusion cells that are kept: all of them for up to 20 classes."""


Formula = Callable[[Tensor, Tensor, int], Tensor]
"""(outputs, targets, number of outputs) -> a metric, as a scalar of float64 on their device; does
not wait for the device. Outputs are logits, (samples, classes), or predictions, (samples, 1)."""


class Objective(NamedTuple):
    """Computes what a run maximizes, on the samples of one part.

    metric: the objective is the metric, or minus it where lower is better. chance: the metric's
    value on this part for a network that has learned nothing. scale: of the targets; None for
    classification.
    """

    metric: Metric
    chance: float
    scale: TargetScale | None = None

    @property
    def at_chance(self) -> float:
        """The objective of a network that has learned nothing."""
        return self.metric.signed(self.chance)

    def evaluate(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the objective of finite outputs, on their device, without waiting for it.

        outputs: (samples, classes) or (samples, 1). The same as `of` makes of `measure`, but for
        rounding errors. An objective without a lower bound is raised to chance.
        """
        if self.metric.unit and self.scale is not None:
            outputs, targets = (in_source_unit(each, self.scale) for each in (outputs, targets))
        value = FORMULAS[self.metric.name](outputs, targets, outputs.shape[1])
        objective = -value if self.metric.is_loss else value
        return objective.clamp(min=self.at_chance) if self.metric.has_floor else objective

    def of(self, metrics: Mapping[str, float]) -> float:
        """Return the objective that measured metrics stand for."""
        return self.metric.as_objective(metrics[self.metric.name], self.chance)


def open_objective(
    metric: Metric | None, targets: Tensor, problem: Problem, scale: TargetScale | None = None
) -> Objective:
    """Return the objective on the samples with these targets.

    metric: None for accuracy, or R² for regression. scale: that the targets were standardized by.
    """
    metric = metric or choose_metric(None, problem.classes)
    return Objective(metric, metric.chance(_numbers(targets, problem, scale)), scale)


def measure_chance(targets: Tensor, problem: Problem, scale: TargetScale | None = None) -> Metrics:
    """Return all metrics of a network that has learned nothing; arguments as `open_objective`."""
    return dict(chance_levels(_numbers(targets, problem, scale), problem.classes))


def in_source_unit(numbers: Tensor, scale: TargetScale) -> Tensor:
    """Return standardized targets, or predictions of them, in the unit of the source."""
    return numbers * scale.deviation + scale.mean


def _numbers(targets: Tensor, problem: Problem, scale: TargetScale | None) -> Numbers:
    """Return what chance depends on: the samples of every class, or the targets themselves."""
    if problem.classes is not None:
        return targets.long().bincount(minlength=problem.classes).cpu().numpy()
    return (targets if scale is None else in_source_unit(targets, scale)).double().cpu().numpy()


def _accuracy(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    return (outputs.argmax(1) == targets).double().mean()


def _balanced_accuracy(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return the mean recall of the classes that occur among the targets."""
    counts = _confusion_counts(outputs, targets, classes)
    samples = counts.sum(1)
    return (counts.diagonal() / samples.clamp(min=1)).sum() / (samples > 0).sum()


def _macro_f1(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return the mean F1 of the classes that occur among targets or predictions."""
    counts = _confusion_counts(outputs, targets, classes)
    occurrences = counts.sum(0) + counts.sum(1)
    return (2 * counts.diagonal() / occurrences.clamp(min=1)).sum() / (occurrences > 0).sum()


def _kappa(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return Cohen's kappa (Cohen, 1960); NaN where targets and predictions are all one class."""
    counts = _confusion_counts(outputs, targets, classes)
    samples = counts.sum()
    disagreement = samples - counts.diagonal().sum()
    expected = samples - (counts.sum(0) * counts.sum(1)).sum() / samples
    return 1 - disagreement / expected


def _confusion_counts(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return the number of samples by (true class, predicted class), as float64."""
    cells = targets.long() * classes + outputs.argmax(1)
    counts = torch.zeros(classes * classes, dtype=torch.float64, device=outputs.device)
    counts.scatter_add_(0, cells, torch.ones_like(cells, dtype=torch.float64))
    return counts.view(classes, classes)


def _auc(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return the area under the ROC curve: of the second of two classes, else the mean of all.

    By ranks (Mann & Whitney, 1947), those of equal scores averaged. NaN if a class is absent.
    """
    scores = outputs.double().softmax(1).T.contiguous()
    members = torch.arange(classes, device=outputs.device)[:, None] == targets
    if classes == 2:
        scores, members = scores[1:], members[1:]
    ordered, order = scores.sort(1)
    ranks = torch.arange(1, len(targets) + 1, device=outputs.device)
    rises = ordered[:, 1:] != ordered[:, :-1]
    is_first = torch.nn.functional.pad(rises, (1, 0), value=True)
    is_last = torch.nn.functional.pad(rises, (0, 1), value=True)
    first = torch.where(is_first, ranks, 1).cummax(1).values
    last = torch.where(is_last, ranks, len(targets)).flip(1).cummin(1).values.flip(1)
    rank_sums = ((first + last) * members.gather(1, order)).sum(1).double() / 2
    positives = members.sum(1).double()
    negatives = len(targets) - positives
    return ((rank_sums - positives * (positives + 1) / 2) / (positives * negatives)).mean()


def _log_loss(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return the mean −log p(true class), in nats; p is clipped as scikit-learn clips it."""
    probabilities = outputs.double().softmax(1).gather(1, targets.long()[:, None])
    return -probabilities.clamp(EPSILON, 1 - EPSILON).log().mean()


def _r2(outputs: Tensor, targets: Tensor, _: int) -> Tensor:
    """Return R²; where all targets are equal, 1 for perfect predictions and 0 for others."""
    predicted, numbers = outputs.squeeze(1).double(), targets.double()
    unexplained = (predicted - numbers).square().sum()
    total = (numbers - numbers.mean()).square().sum()
    return torch.where(total > 0, 1 - unexplained / total, (unexplained == 0).double())


def _rmse(outputs: Tensor, targets: Tensor, _: int) -> Tensor:
    return (outputs.squeeze(1).double() - targets.double()).square().mean().sqrt()


def _mae(outputs: Tensor, targets: Tensor, _: int) -> Tensor:
    return (outputs.squeeze(1).double() - targets.double()).abs().mean()


FORMULAS: Mapping[str, Formula] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
    "kappa": _kappa,
    "auc": _auc,
    "log_loss": _log_loss,
    "r2": _r2,
    "rmse": _rmse,
    "mae": _mae,
}
"""Name of a metric -> its formula: of classification that of `measure`, of regression the same
number but for the last digits."""


def measure(outputs: Tensor, targets: Tensor, problem: Problem) -> Metrics:
    """Compute all metrics, by scikit-learn's definitions.

    Classification: accuracy, balanced accuracy, macro F1, Cohen's kappa, AUC (one against rest,
    macro average), log loss in nats. Regression: R², RMSE and MAE, in the unit of outputs and
    targets. Those that are not defined are NaN: AUC where a class is absent from the targets, kappa
    where targets and predictions are all one class, R² of a single sample.

    outputs: (samples, classes) logits, or (samples, 1). targets: (samples,).

    Raises ValueError for an output that is infinite or NaN.
    """
    if not bool(outputs.isfinite().all()):
        raise ValueError("an output of the network is infinite or NaN")
    if problem.classes is None:
        return _regression_metrics(
            outputs.squeeze(1).double().cpu().numpy(), targets.double().cpu().numpy()
        )
    names = [metric.name for metric in metrics_of(problem.classes)]
    values = [FORMULAS[name](outputs, targets, problem.classes) for name in names]
    return dict(zip(names, torch.stack(values).tolist(), strict=True))


def confusion(outputs: Tensor, targets: Tensor, problem: Problem) -> ConfusionCells:
    """Count the samples of each true class that were predicted as each class.

    Cells without samples are left out, and only the `MAX_CONFUSION_CELLS` largest are kept. Cells
    of the same count are sorted by class indices. Empty for regression.
    """
    if problem.classes is None:
        return ()
    cells = (targets.long() * problem.classes + outputs.argmax(1)).cpu().numpy()
    nonempty, counts = np.unique(cells, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:MAX_CONFUSION_CELLS]
    true, predicted = np.divmod(nonempty[largest], problem.classes)
    return tuple(zip(true.tolist(), predicted.tolist(), counts[largest].tolist(), strict=True))


def _regression_metrics(predicted: NDArray[np.float64], targets: NDArray[np.float64]) -> Metrics:
    """Return the metrics of regression to scikit-learn's last digit.

    NumPy adds in another order than torch. Answers that were stored are compared to the last digit
    with the same study run again.
    """
    errors = targets - predicted
    unexplained, total = float((errors**2).sum()), float(((targets - targets.mean()) ** 2).sum())
    r2 = 1 - unexplained / total if total > 0 else float(unexplained == 0)
    return {
        "r2": r2 if len(targets) > 1 else math.nan,
        "rmse": math.sqrt((errors**2).mean()),
        "mae": float(np.abs(errors).mean()),
    }
