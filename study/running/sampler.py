"""The search phase: which configuration to try next, given what was measured."""

import warnings
from collections.abc import Sequence

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial

from search_spaces.space import Config, Space

WINDOW = 1000
"""Trials that the sampler looks at, the latest ones: its cost grows with them."""


def propose(space: Space, trials: Sequence[FrozenTrial], seed: int) -> Config:
    """The next configuration by the tree-structured Parzen estimator (Bergstra et al., 2011).

    The trials are copied into a study in memory, so that a proposal costs no transaction and the
    trial can be written whole. Running trials count as bad ones (the constant liar), which keeps
    workers apart.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # group=True says so
        sampler = TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
    study = optuna.create_study(
        storage=optuna.storages.InMemoryStorage(), sampler=sampler, direction="maximize"
    )
    study.add_trials([trial for trial in trials[-WINDOW:] if trial.params])
    return space.suggest(study.ask())
