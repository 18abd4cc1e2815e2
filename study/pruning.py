"""The pruning rule of the search: how low a learning curve may be, epoch by epoch.

Workers apply it while a run of the search trains. The analysis applies it to runs that were never
pruned, to see what it costs. The two import nothing of each other, so that the rule is on its own.
"""

from collections.abc import Mapping, Sequence

import numpy as np

PRUNING_QUANTILE = 0.75
"""Quantile of the measured runs' objective that serves as the pruning threshold."""

PRUNING_WARM_UP = 0.25
"""Fraction of a run's epochs, from its start, in which it is not pruned; it may start slowly."""


def thresholds_of(curves: Sequence[Mapping[int, float]], epochs: int) -> dict[int, float]:
    """Return epoch -> the objective below which a run of the search is pruned.

    A threshold is the upper quartile of the objective after the same epoch. Epochs of the warm-up
    have none.

    curves: epoch -> objective on the validation part, of complete runs that were never pruned.
    epochs: of every run.
    """
    return {
        epoch: float(np.quantile(values, PRUNING_QUANTILE))
        for epoch in range(int(np.ceil(epochs * PRUNING_WARM_UP)), epochs)
        if (values := [curve[epoch] for curve in curves if epoch in curve])
    }


def should_prune(epoch: int, value: float, thresholds: Mapping[int, float]) -> bool:
    """Return whether the objective after an epoch is below the threshold of that epoch."""
    return value < thresholds.get(epoch, -np.inf)
