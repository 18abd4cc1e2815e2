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
from training_factors.search_spaces.distribution import LogInteger, Steps
from training_factors.study.analysis.features import (
    Array,
    Condition,
    LatentAxis,
    Layout,
    read_layout,
)

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
POOLED = read_layout(
    [
        Coordinate("opt", "opt", None, OneOf("sgd", "adam", "none")),
        Coordinate("opt.sgd.lr", "opt", "sgd", LogUniform(1e-2, 1.0)),
        Coordinate("opt.sgd.mode", "opt", "sgd", OneOf(False, True)),
        Coordinate("opt.adam.lr", "opt", "adam", LogUniform(1e-4, 1e-2)),
        Coordinate("opt.adam.mode", "opt", "adam", OneOf("x", "y", "z")),
        Coordinate("warmup", "warmup", None, OneOf("none", "linear")),
        Coordinate("opt.sgd.momentum", "opt", "sgd", Uniform(0.0, 0.99)),
        Coordinate("warmup.linear.lr", "warmup", "linear", LogUniform(1e-4, 1e-2)),
    ]
)
NESTED = Layout(
    (
        LatentAxis("opt", "opt", OneOf("sgd", "adam", "rmsprop")),
        LatentAxis("momentum", "opt", Steps(0.0, 0.9, 0.3), (Condition(0, (0, 2)),)),
        LatentAxis("nesterov", "opt", OneOf("no", "yes"), (Condition(1, (1, 2, 3)),)),
        LatentAxis("layers", "layers", Integer(1, 4)),
        LatentAxis("width", "layers", LogInteger(1, 9), (Condition(3, (2, 3)),)),
        LatentAxis("extra", "extra", Uniform(0, 1), (Condition(0, (1,)), Condition(3, (0, 1)))),
        LatentAxis("wide", "extra", Uniform(2, 3), (Condition(4, (4, 5, 6, 7, 8)),)),
    )
)
UNITS = st.lists(
    st.floats(0, 1, exclude_max=True), min_size=len(COORDINATES), max_size=len(COORDINATES)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([LAYOUT, POOLED, NESTED]), st.lists(UNITS, min_size=1, max_size=5))
def test_encode_and_decode_agree(
    decode_one: Callable[[Layout, Array], dict[str, Any]],
    layout: Layout,
    units: list[list[float]],
) -> None:
    points = np.array(units)[:, : len(layout.axes)]
    stored = [decode_one(layout, point) for point in points]
    np.testing.assert_allclose(layout.decode(points), layout.encode(stored), atol=1e-9)


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


def test_hyperparameters_of_one_name_share_a_column_over_the_options_of_a_factor() -> None:
    features = POOLED.encode(
        [
            {"opt": "sgd", "opt.sgd.lr": 0.1, "opt.sgd.mode": True, "opt.sgd.momentum": 0.9,
             "warmup": "none"},
            {"opt": "adam", "opt.adam.lr": 1e-3, "opt.adam.mode": "y", "warmup": "linear",
             "warmup.linear.lr": 1e-4},
            {"opt": "none", "warmup": "none"},
        ]
    )  # fmt: skip
    # opt, lr of both on the scale of each, two modes of unlike choices, warmup, momentum, the lr of
    # warmup, and the step size: 0.1 / (1 − 0.9) = 1 lies halfway from 0.01 to 1 / (1 − 0.99) = 100
    expected: list[list[float]] = [
        [*(1, 0, 0), 0.5, 1, *(0, 0, 0), 0, 0.9 / 0.99, -1, 0.5],
        [*(0, 1, 0), 0.5, 0, *(0, 1, 0), 1, -1, 0, 0.5],
        [*(0, 0, 1), -1, 0, *(0, 0, 0), 0, -1, -1, -1],
    ]
    np.testing.assert_allclose(features, expected, atol=1e-12)
    columns = POOLED.columns(POOLED.factors())
    assert columns == {"opt": (*range(8), 9, 11), "warmup": (8, 10)}


def test_an_axis_is_active_where_all_its_conditions_and_its_parents_are() -> None:
    encoded = NESTED.encode(
        [
            {"opt": "rmsprop", "momentum": 0.3, "nesterov": "yes", "layers": 4, "width": 9,
             "wide": 2.5},
            {"opt": "adam", "layers": 1, "extra": 0.25},
        ]
    )  # fmt: skip
    # opt, momentum, nesterov, layers, width, extra, wide
    expected = [[*(0, 0, 1), 3 / 8, 1, 7 / 8], [*(0, 1, 0), -1, 0, 1 / 8]]
    np.testing.assert_allclose(encoded[:, :6], expected)
    assert encoded[0, 6] == pytest.approx(LogInteger(1, 9).encode(9))
    np.testing.assert_allclose(encoded[:, 7:], [[-1, 0.5], [0.25, -1]])
