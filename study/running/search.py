"""When a run of the search is given up: measured curves say what a good run looks like."""

import warnings
from collections.abc import Container, Mapping, Sequence
from copy import copy

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from training_factors.search_spaces.space import Config, Space

QUARTILE = 0.75
PRUNING_WARM_UP = 0.25
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
        for epoch in range(int(np.ceil(epochs * PRUNING_WARM_UP)), epochs)
        if (values := [curve[epoch] for curve in curves if epoch in curve])
    }


def is_hopeless(epoch: int, value: float, limits: Mapping[int, float]) -> bool:
    """Whether a run of the search should stop after this epoch."""
    return value < limits.get(epoch, -np.inf)


HISTORY_TRIALS = 1000
"""Trials that the sampler looks at, the latest ones: its cost grows with them."""


class _History(InMemoryStorage):
    """A study in memory that begins with trials of another one, as they are.

    `Study.add_trials` copies every distribution of every trial: three quarters of the time of a
    proposal after 1,000 trials.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        count = len(trials)
        self._history = [_numbered(trial, i - count) for i, trial in enumerate(trials)]

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The history, not to be changed, and what has been asked for since."""
        own = super().get_all_trials(study_id, deepcopy, states)
        return [t for t in self._history if states is None or t.state in states] + own


def _numbered(trial: FrozenTrial, number: int) -> FrozenTrial:
    """The same trial under a number that no trial asked for has."""
    renamed = copy(trial)
    renamed.number = number
    return renamed


def propose_configuration(space: Space, trials: Sequence[FrozenTrial], seed: int) -> Config:
    """The next configuration by the tree-structured Parzen estimator (Bergstra et al., 2011).

    They are put into a study in memory, so that a proposal costs no transaction and the trial can
    be written whole. Running trials count as bad ones (the constant liar), which keeps
    workers apart.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # group=True says so
        sampler = TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
    history = _History([trial for trial in trials[-HISTORY_TRIALS:] if trial.params])
    study = optuna.create_study(storage=history, sampler=sampler, direction="maximize")
    return space.suggest(study.ask())
