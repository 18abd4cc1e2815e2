"""Measure a trained network on samples that it was not trained on.

Every run stores all metrics, which scikit-learn computes once at its end. The objective is also
needed after every few epochs, so it is computed from formulas that do not leave the device.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import metrics
from torch import Tensor

from training_factors.search_spaces.problem import Problem
from training_factors.storage.metrics import Metric, Numbers, chance_levels, choose_metric
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
    ordered = scores.sort(1).values
    ranks = torch.searchsorted(ordered, scores) + torch.searchsorted(ordered, scores, right=True)
    positives = members.sum(1).double()
    negatives = len(targets) - positives
    rank_sums = ((ranks + 1) / 2 * members).sum(1, dtype=torch.float64)
    return ((rank_sums - positives * (positives + 1) / 2) / (positives * negatives)).mean()


def _log_loss(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    """Return the mean −log p(true class), in nats; p is clipped as scikit-learn clips it."""
    probabilities = outputs.double().softmax(1).gather(1, targets.long()[:, None])
    return -probabilities.clamp(EPSILON, 1 - EPSILON).log().mean()


def _r2(outputs: Tensor, targets: Tensor, _: int) -> Tensor:
    unexplained = (outputs.squeeze(1) - targets).square().sum()
    return 1 - unexplained / (targets - targets.mean()).square().sum()


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
"""Name of a metric -> its formula: the same number as `measure`, without leaving the device."""


def measure(outputs: Tensor, targets: Tensor, problem: Problem) -> Metrics:
    """Compute all metrics of finite outputs, by scikit-learn's definitions.

    Classification: accuracy, balanced accuracy, macro F1, Cohen's kappa, AUC (one against rest,
    macro average), log loss in nats. Regression: R², RMSE and MAE, in the unit of outputs and
    targets.

    outputs: (samples, classes) logits, or (samples, 1). targets: (samples,).
    """
    if problem.classes is None:
        return _regression_metrics(
            outputs.squeeze(1).double().cpu().numpy(), targets.double().cpu().numpy()
        )
    probabilities = outputs.double().softmax(1).cpu().numpy()
    return _classification_metrics(probabilities, targets.cpu().numpy())


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


def _classification_metrics(probabilities: NDArray[np.float64], targets: NDArray[Any]) -> Metrics:
    predicted = probabilities.argmax(1)
    labels = np.arange(probabilities.shape[1])
    scores = probabilities[:, 1] if len(labels) == 2 else probabilities
    values = {
        "accuracy": metrics.accuracy_score(targets, predicted),
        # balanced_accuracy_score, without its warning of predictions of a class that is absent
        "balanced_accuracy": metrics.recall_score(
            targets, predicted, labels=np.unique(targets), average="macro", zero_division=0
        ),
        "macro_f1": metrics.f1_score(targets, predicted, average="macro", zero_division=0),
        "kappa": metrics.cohen_kappa_score(targets, predicted, labels=labels),
        "auc": metrics.roc_auc_score(targets, scores, multi_class="ovr", labels=labels),
        "log_loss": metrics.log_loss(targets, probabilities, labels=labels),
    }
    return {name: float(value) for name, value in values.items()}


def _regression_metrics(predicted: NDArray[np.float64], targets: NDArray[np.float64]) -> Metrics:
    values = {
        "r2": metrics.r2_score(targets, predicted),
        "rmse": metrics.root_mean_squared_error(targets, predicted),
        "mae": metrics.mean_absolute_error(targets, predicted),
    }
    return {name: float(value) for name, value in values.items()}
