"""What a trained network is worth, on the part of the data that it has not seen."""

from typing import Any

import numpy as np
import torch
from sklearn import metrics
from torch import Tensor

from training_factors.search_spaces.problem import Problem

Metrics = dict[str, float | None]

ConfusionCells = tuple[tuple[int, int, int], ...]
"""(true class, predicted class, how many samples), the most samples first."""

MOST_CELLS = 400
"""Cells of a confusion that are kept: all of them up to 20 classes."""


def chance(targets: Tensor, problem: Problem) -> float:
    """The objective of a network that has learned nothing.

    Accuracy of always naming the commonest class; R² = 0 of always naming the mean.
    """
    if problem.classes is None:
        return 0.0
    return float(torch.bincount(targets.long()).max()) / len(targets)


def objective_name(problem: Problem) -> str:
    """What is maximized: `accuracy`, or `r2` for regression."""
    return "r2" if problem.classes is None else "accuracy"


def objective(outputs: Tensor, targets: Tensor, problem: Problem) -> Tensor:
    """Accuracy; for regression R², and 0 where it is below: no better than naming the mean.

    The floor keeps a few runaway runs, whose R² has no lower bound, from being all the variance.
    outputs: (samples, classes) or (samples, 1). Returns a scalar on their device.
    """
    if problem.classes is not None:
        return (outputs.argmax(1) == targets).double().mean()
    unexplained = (outputs.squeeze(1) - targets).square().sum()
    total = (targets - targets.mean()).square().sum()
    return (1 - unexplained / total).clamp(min=0)


def measure(outputs: Tensor, targets: Tensor, problem: Problem) -> Metrics:
    """All metrics of finite outputs, by scikit-learn's definitions.

    Classification: accuracy, macro F1, Cohen's kappa, AUC (one against rest, macro average), log
    loss in nats. Regression: R², RMSE and MAE in units of the targets as given.
    """
    if problem.classes is None:
        return _regression(
            outputs.squeeze(1).double().cpu().numpy(), targets.double().cpu().numpy()
        )
    return _classification(outputs.double().softmax(1).cpu().numpy(), targets.cpu().numpy())


def confusion(outputs: Tensor, targets: Tensor, problem: Problem) -> ConfusionCells:
    """How many samples of which class were taken for which; nothing for regression.

    Cells without a sample are left out; of more than `MOST_CELLS` the largest stay. Of equal
    counts the smaller indices come first.
    """
    if problem.classes is None:
        return ()
    cells = (targets.long() * problem.classes + outputs.argmax(1)).cpu().numpy()
    found, counts = np.unique(cells, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:MOST_CELLS]
    true, predicted = np.divmod(found[largest], problem.classes)
    return tuple(zip(true.tolist(), predicted.tolist(), counts[largest].tolist(), strict=True))


def _classification(probabilities: Any, targets: Any) -> Metrics:
    named = probabilities.argmax(1)
    labels = np.arange(probabilities.shape[1])
    scores = probabilities[:, 1] if len(labels) == 2 else probabilities
    values = {
        "accuracy": metrics.accuracy_score(targets, named),
        "macro_f1": metrics.f1_score(targets, named, average="macro", zero_division=0),
        "kappa": metrics.cohen_kappa_score(targets, named, labels=labels),
        "auc": metrics.roc_auc_score(targets, scores, multi_class="ovr", labels=labels),
        "log_loss": metrics.log_loss(targets, probabilities, labels=labels),
    }
    return {name: float(value) for name, value in values.items()}


def _regression(predicted: Any, targets: Any) -> Metrics:
    values = {
        "r2": metrics.r2_score(targets, predicted),
        "rmse": metrics.root_mean_squared_error(targets, predicted),
        "mae": metrics.mean_absolute_error(targets, predicted),
    }
    return {name: float(value) for name, value in values.items()}
