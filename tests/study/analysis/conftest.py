"""Fixtures of simulated studies; see `tests.support.simulations`."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.simulations import (
    BRANCH,
    NOISE,
    TWINS,
    Array,
    Simulation,
    decode_parameters,
    simulate_trials,
)
from training_factors.storage.trials import Trial
from training_factors.study.analysis.features import Layout


@pytest.fixture
def measured() -> Callable[..., list[Trial]]:
    return simulate_trials


@pytest.fixture
def decode_one() -> Callable[[Layout, Array], dict[str, Any]]:
    return decode_parameters


@pytest.fixture
def branch() -> Simulation:
    """Return a study with a hyperparameter under each option: the branch function."""
    return BRANCH


@pytest.fixture
def noise_only() -> Simulation:
    """Return a study of ten factors without effect."""
    return NOISE


@pytest.fixture
def twins() -> Simulation:
    """Return a study of two equally important factors and one without effect."""
    return TWINS
