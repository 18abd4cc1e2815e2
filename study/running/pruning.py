"""When a run of the search is given up: measured curves say what a good run looks like."""

from collections.abc import Mapping, Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

QUARTILE = 0.75
WARM_UP = 0.25
"""Share of the epochs before which no run is given up: good runs may start slowly."""


def thresholds(trials: Sequence[FrozenTrial], epochs: int) -> dict[int, float]:
    """Epoch -> the objective below which a run is not worth going on.

    It is the top quartile of the measured, never pruned, curves at the same epoch.
    """
    curves = [
        trial.intermediate_values
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.user_attrs.get("phase") == "measure"
    ]
    return {
        epoch: float(np.quantile(values, QUARTILE))
        for epoch in range(int(np.ceil(epochs * WARM_UP)), epochs)
        if (values := [curve[epoch] for curve in curves if epoch in curve])
    }


def is_hopeless(epoch: int, value: float, limits: Mapping[int, float]) -> bool:
    """Whether a run of the search should stop after this epoch."""
    return value < limits.get(epoch, -np.inf)
