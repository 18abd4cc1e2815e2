"""The search phase: propose configurations with TPE, and prune runs that fall behind."""

import warnings
from collections.abc import Container, Sequence
from copy import copy

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from training_factors.search_spaces.space import Config, Space
from training_factors.study.pruning import thresholds_of

HISTORY_TRIALS = 1000
"""Number of latest trials that the sampler takes into account: its cost grows with them."""


def propose_configuration(space: Space, trials: Sequence[FrozenTrial], seed: int) -> Config:
    """Propose a configuration by the tree-structured Parzen estimator (Bergstra et al., 2011).

    The trials become a study in memory, so that a proposal needs no transaction and the new trial
    can be written at once. Running trials count as bad results (the constant liar), so that
    parallel workers do not all try the same configuration.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # group=True is experimental
        sampler = TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
    history = _History([trial for trial in trials[-HISTORY_TRIALS:] if trial.params])
    study = optuna.create_study(storage=history, sampler=sampler, direction="maximize")
    return space.suggest(study.ask())


def pruning_thresholds(trials: Sequence[FrozenTrial], epochs: int) -> dict[int, float]:
    """Return the thresholds of `study.pruning` over the complete runs of the measuring phase."""
    curves = [
        trial.intermediate_values
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.user_attrs.get("phase") == "measure"
    ]
    return thresholds_of(curves, epochs)


class _History(InMemoryStorage):
    """A storage in memory whose study starts with the trials of another study.

    `Study.add_trials` copies every distribution of every trial, which took three quarters of the
    time of a proposal after 1,000 trials.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        count = len(trials)
        self._history = [_renumber(trial, i - count) for i, trial in enumerate(trials)]

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Return the history, which is not copied, and the trials that were asked for since."""
        new = super().get_all_trials(study_id, deepcopy, states)
        return [t for t in self._history if states is None or t.state in states] + new


def _renumber(trial: FrozenTrial, number: int) -> FrozenTrial:
    """Return a copy of the trial with a negative number, which no new trial can have."""
    renamed = copy(trial)
    renamed.number = number
    return renamed
