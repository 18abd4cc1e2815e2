"""Measure a trained network on samples that it was not trained on."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import metrics
from torch import Tensor

from training_factors.search_spaces.problem import Problem

Metrics = dict[str, float]
"""Value of each metric by its name, such as `macro_f1`."""

ConfusionCells = tuple[tuple[int, int, int], ...]
"""Confusion matrix as (true class, predicted class, number of samples), largest numbers first."""

MAX_CONFUSION_CELLS = 400
"""Maximum number of confusion cells that are kept: all of them for up to 20 classes."""


def objective_name(problem: Problem) -> str:
    """Return the metric that is maximized: `accuracy`, or `r2` for regression."""
    return "r2" if problem.classes is None else "accuracy"


def objective(outputs: Tensor, targets: Tensor, problem: Problem) -> Tensor:
    """Return the accuracy, or for regression R² with negative values raised to 0.

    R² below 0 is worse than predicting the mean. It has no lower bound, so without the floor a few
    such runs would make up nearly all variance of a study.

    outputs: (samples, classes) or (samples, 1). Returns a scalar on their device, without waiting
    for it.
    """
    if problem.classes is not None:
        return (outputs.argmax(1) == targets).double().mean()
    unexplained = (outputs.squeeze(1) - targets).square().sum()
    total = (targets - targets.mean()).square().sum()
    return (1 - unexplained / total).clamp(min=0)


def chance(targets: Tensor, problem: Problem) -> float:
    """Return the objective of a network that has learned nothing.

    This is the accuracy of always predicting the most frequent class, and R² = 0 of always
    predicting the mean.
    """
    if problem.classes is None:
        return 0.0
    return float(torch.bincount(targets.long()).max()) / len(targets)


def measure(outputs: Tensor, targets: Tensor, problem: Problem) -> Metrics:
    """Compute all metrics of finite outputs, by scikit-learn's definitions.

    Classification: accuracy, macro F1, Cohen's kappa, AUC (one against rest, macro average), log
    loss in nats. Regression: R², RMSE and MAE, in the unit of outputs and targets.

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
