"""Test the shares of all variance: that they add up, cover and do not claim what is not shown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_factors.study.analysis.shares import Evidence, SeedNoise, leading_set, one_step

COLUMNS = np.array([1, 3, 2, 0])
"""Columns of three factors and the placebo."""


KNOWN_NOISE = SeedNoise(0.1, 500)


def evidence(
    one_step_shares: list[float], noise: SeedNoise = KNOWN_NOISE, error: float = 0.01
) -> Evidence:
    shown = np.array(one_step_shares)
    found = np.maximum(shown, 0)
    return Evidence(shown, error**2 * np.eye(4), found, COLUMNS, noise, seed=0)


@given(st.lists(st.floats(-0.02, 0.29), min_size=3, max_size=3), st.floats(0.0, 0.9))
def test_the_estimates_sum_to_what_can_be_explained(shown: list[float], noise: float) -> None:
    found = evidence([*shown, 0.0], SeedNoise(noise, 500))
    shares = found.shares()
    assert found.unexplained >= 0
    assert shares.value[-1] == 0, "the placebo gets nothing of what is not explained"
    if found.r2 <= 1 - noise and min(shown) >= 0:
        assert shares.value.sum() == pytest.approx(1 - noise)
    for value, (low, high) in zip(shares.value, shares.intervals(), strict=True):
        assert 0 <= low <= value <= high
    assert shares.first_probability().sum() == pytest.approx(1)


def test_what_is_not_explained_makes_intervals_wide_and_sets_large() -> None:
    known, unknown = evidence([0.5, 0.3, 0.09, 0.0]), evidence([0.1, 0.06, 0.02, 0.0])
    widths = [
        np.mean([high - low for low, high in one.shares().intervals()]) for one in (known, unknown)
    ]
    assert widths[1] > 3 * widths[0]
    sets = [leading_set(one.shares().first_probability(), 0.95) for one in (known, unknown)]
    assert len(sets[0]) == 1
    assert len(sets[1]) > 1


def test_without_repeats_the_seed_may_cause_all_the_rest_or_nothing() -> None:
    shares = evidence([0.2, 0.1, 0.1, 0.0], SeedNoise(0.0, 0)).shares()
    totals = shares.draws.sum(axis=1)
    assert totals.min() < 0.45
    assert totals.max() > 0.95
    assert shares.value.sum() == pytest.approx(0.7)


def test_more_rows_make_everything_narrower() -> None:
    today = evidence([0.2, 0.15, 0.1, 0.0], error=0.05)
    later = today.projected(growth=4, decline=0.5)
    assert later.error.sum() < today.shares().error.sum()
    assert later.value == pytest.approx(today.shares().value)
    assert later.shown.sum() > today.shown.sum()


@pytest.mark.parametrize(
    ("p_first", "numbers"),
    [
        ([0.96, 0.04], (0,)),
        ([0.04, 0.96], (1,)),
        ([0.5, 0.5], (0, 1)),
        ([0.2, 0.7, 0.1], (1, 0, 2)),
        ([0.3, 0.0, 0.65, 0.05], (2, 0)),
    ],
)
def test_the_leading_set_is_the_smallest(p_first: list[float], numbers: tuple[int, ...]) -> None:
    assert leading_set(np.array(p_first), 0.95) == numbers


def test_one_step_is_exact_for_a_perfect_surrogate() -> None:
    """y = 2 a + b of independent uniform a and b: shares 4/5 and 1/5, the Shapley values known."""
    random = np.random.default_rng(0)
    points = random.random((20000, 2)) - 0.5
    shapley = points * [2, 1]
    values = shapley.sum(axis=1)
    shares, covariance = one_step(values, values, shapley)
    assert shares == pytest.approx([0.8, 0.2], abs=0.01)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.004, 0.004], abs=0.002)


def test_one_step_of_a_surrogate_that_misses_half_shows_less() -> None:
    """A surrogate that predicts half of every effect shows 2 · 1/2 − 1/4 = 3/4 of it."""
    random = np.random.default_rng(0)
    points = random.random((20000, 2)) - 0.5
    shapley = points * [2, 1]
    values = shapley.sum(axis=1)
    shares, _ = one_step(values, values / 2, shapley / 2)
    assert shares == pytest.approx([0.6, 0.15], abs=0.01)


def test_shares_are_finite_where_the_seed_causes_everything() -> None:
    evidence = Evidence(
        np.array([0.1, 0.0]), np.eye(2) * 0.01, np.array([0.1, 0.0]), np.array([1, 1]),
        SeedNoise(1.0, 8), 0,
    )  # fmt: skip
    assert np.isfinite(evidence.shares().draws).all()
