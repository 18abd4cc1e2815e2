"""Test the encoding of configurations."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training_factors.search_spaces.description import Coordinate
from training_factors.search_spaces.dimension import (
    Fixed,
    Integer,
    LogUniform,
    OneOf,
    Uniform,
    Value,
)
from training_factors.study.analysis.features import Array, Layout, read_layout

COORDINATES = [
    Coordinate("opt", "opt", None, OneOf("sgd", "adam", "none")),
    Coordinate("opt.sgd.lr", "opt", "sgd", LogUniform(1e-3, 1.0)),
    Coordinate("opt.sgd.nesterov", "opt", "sgd", OneOf(False, True)),
    Coordinate("opt.adam.beta", "opt", "adam", Uniform(0.8, 0.99)),
    Coordinate("size.plain.width", "size", None, Integer(3, 9)),
    Coordinate("act", "act", None, OneOf("relu", "tanh")),
    Coordinate("act.tanh.mode", "act", "tanh", OneOf("x", "y", "z", "w")),
    Coordinate("placebo", "placebo", None, Uniform(0.0, 1.0)),
]
LAYOUT = read_layout(COORDINATES)
UNITS = st.lists(
    st.floats(0, 1, exclude_max=True), min_size=len(COORDINATES), max_size=len(COORDINATES)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(UNITS, min_size=1, max_size=5))
def test_encode_and_decode_agree(
    decode_one: Callable[[Layout, Array], dict[str, Any]], units: list[list[float]]
) -> None:
    points = np.array(units)
    stored = [decode_one(LAYOUT, point) for point in points]
    np.testing.assert_allclose(LAYOUT.decode(points), LAYOUT.encode(stored), atol=1e-9)


def test_columns_of_active_and_inactive_hyperparameters() -> None:
    parameters: dict[str, Value] = {
        "opt": "adam",
        "opt.adam.beta": 0.8,
        "size.plain.width": 3,
        "act": "relu",
    }
    features = LAYOUT.encode([parameters | {"placebo": 0.25}])
    # opt, lr, nesterov, beta, width, act, mode, placebo
    expected = [*(0, 1, 0), -1, 0, 0, 1 / 14, 0, *(0, 0, 0, 0), 0.25]
    np.testing.assert_allclose(features, [expected])


def test_a_factor_owns_all_its_coordinates_and_a_topic_all_its_factors() -> None:
    assert LAYOUT.factors() == {
        "opt": (0, 1, 2, 3), "size": (4,), "act": (5, 6), "placebo": (7,)
    }  # fmt: skip
    topics = {"opt": "shared", "size": "size", "act": "shared", "placebo": "placebo"}
    assert LAYOUT.groups(topics)["shared"] == (0, 1, 2, 3, 5, 6)


def test_a_fixed_coordinate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^x does not vary: fixed at 1$"):
        read_layout([Coordinate("x", "x", None, Fixed(1))])
