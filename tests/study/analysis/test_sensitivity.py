"""Test the estimators on functions whose exact indices are known."""

from collections.abc import Callable

import numpy as np
import pytest

from training_factors.study.analysis.features import Array, Groups
from training_factors.study.analysis.sensitivity import (
    ShapleyShares,
    SobolIndices,
    draw_exchanges,
    draw_walks,
    shapley_shares,
    sobol_indices,
)

Function = Callable[[Array], Array]
WEIGHTS = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])


def ishigami(units: Array) -> Array:
    x, y, z = (2 * units.T - 1) * np.pi
    value: Array = np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)
    return value


def sobol_g(units: Array) -> Array:
    value: Array = np.prod((abs(4 * units - 2) + WEIGHTS) / (1 + WEIGHTS), axis=1)
    return value


def branch(units: Array) -> Array:
    a, z = units[:, 0] < 0.5, np.floor(3 * units[:, 3]) - 1
    value: Array = np.where(a, 2 * units[:, 1], 1 + 4 * units[:, 2]) + z + np.where(a, z, -z)
    return value


def singly(count: int) -> Groups:
    return {str(i): (i,) for i in range(count)}


def shares_of(function: Function, groups: Groups, samples: int = 32_768) -> ShapleyShares:
    walks = draw_walks(groups, samples, seed=1)
    return shapley_shares(function(walks.points).reshape(samples, -1), walks.order)


def indices_of(function: Function, groups: Groups) -> SobolIndices:
    axes = sum(len(owned) for owned in groups.values())
    start, other, *mixed = (
        function(points) for points in draw_exchanges(groups.values(), axes, 32_768, seed=1)
    )
    return sobol_indices(start, other, np.array(mixed))


CASES: dict[str, tuple[Function, Groups, list[float], list[float]]] = {
    "ishigami": (
        ishigami, singly(3), [0.313905, 0.442411, 0], [0.557589, 0.442411, 0.243684],
    ),
    "ishigami in groups": (
        ishigami, {"x": (0,), "rest": (1, 2)}, [0.313905, 0.442411], [0.557589, 0.686095],
    ),
    "sobol g": (
        sobol_g, singly(8), [0.716192, 0.179048, 0.023676, 0.007162, *[0.000072] * 4],
        [0.787144, 0.242198, 0.034317, 0.010460, *[0.000105] * 4],
    ),
    "sobol g in groups": (
        sobol_g, {"two": (0, 1), "rest": tuple(range(2, 8))}, [0.954923], [0.968793],
    ),
    "branch": (
        branch, {"opt": (0, 1, 2), "z": (3,), "placebo": (4,)},
        [11 / 19, 4 / 19, 0], [15 / 19, 8 / 19, 0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_first_order_and_total(name: str) -> None:
    function, groups, first, total = CASES[name]
    found = indices_of(function, groups)
    np.testing.assert_allclose(found.first[: len(first)], first, atol=0.005)
    np.testing.assert_allclose(found.total[: len(total)], total, atol=0.005)


@pytest.mark.parametrize(
    ("name", "variance", "shapley"),
    [
        ("ishigami", 13.844588, [0.435747, 0.442411, 0.121842]),
        ("branch", 19 / 6, [13 / 19, 6 / 19, 0]),
    ],
)
def test_shapley_shares(name: str, variance: float, shapley: list[float]) -> None:
    function, groups, _, _ = CASES[name]
    found = shares_of(function, groups)
    np.testing.assert_allclose(found.shapley, shapley, atol=0.01)
    assert found.variance == pytest.approx(variance, rel=0.01)


def test_shares_of_a_three_way_interaction_are_equal() -> None:
    """The mean of first-order and total index is right up to pairs only: it gives ½ each here."""

    def product(units: Array) -> Array:
        signs: Array = np.prod(np.where(units < 0.5, -1.0, 1.0), axis=1)
        return signs

    np.testing.assert_allclose(shares_of(product, singly(3)).shapley, [1 / 3] * 3, atol=0.02)


@pytest.mark.parametrize("name", CASES)
def test_shares_sum_to_one(name: str) -> None:
    function, groups, _, _ = CASES[name]
    shares = shares_of(function, groups, samples=64).shapley
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


def test_a_group_is_not_the_sum_of_its_members() -> None:
    """The single parameters of `branch` sum to 8.5/19, but the factor explains 11/19."""
    single = indices_of(branch, singly(5))
    np.testing.assert_allclose(single.first[:3], [6 / 19, 0.5 / 19, 2 / 19], atol=0.005)
    together = indices_of(branch, CASES["branch"][1])
    assert together.first[0] - single.first[:3].sum() > 0.1


def test_a_constant_has_no_importance() -> None:
    def constant(units: Array) -> Array:
        return np.ones(len(units))

    assert not shares_of(constant, singly(2), 64).shapley.any()
    assert not np.any(indices_of(constant, singly(2)))


def test_walks_change_one_group_at_a_time() -> None:
    groups = {"a": (0, 2), "b": (1,), "c": (3,)}
    walks = draw_walks(groups, 8, seed=3)
    steps = np.diff(walks.points.reshape(8, 4, 4), axis=1) != 0
    for walk, order in zip(steps, walks.order, strict=True):
        assert [tuple(np.flatnonzero(step)) for step in walk] == [
            list(groups.values())[group] for group in order
        ]
