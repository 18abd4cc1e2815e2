"""Simulated studies; see `tests.support.simulations`."""

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
    """A hyperparameter under each option: the branch function."""
    return BRANCH


@pytest.fixture
def noise_only() -> Simulation:
    """Ten factors of which none does anything."""
    return NOISE


@pytest.fixture
def twins() -> Simulation:
    """Two factors that matter equally, and one that does not."""
    return TWINS
