"""Simulated studies; see `benchmarks.simulations`."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.simulations import BRANCH, NOISE, TWINS, Array, Simulation, decoded, measure
from storage.tables import Trial
from study.analysis.features import Layout


@pytest.fixture
def measured() -> Callable[..., list[Trial]]:
    return measure


@pytest.fixture
def decode_one() -> Callable[[Layout, Array], dict[str, Any]]:
    return decoded


@pytest.fixture
def branch() -> Simulation:
    """A knob under each option: the branch function."""
    return BRANCH


@pytest.fixture
def noise_only() -> Simulation:
    """Ten factors of which none does anything."""
    return NOISE


@pytest.fixture
def twins() -> Simulation:
    """Two factors that matter equally, and one that does not."""
    return TWINS
