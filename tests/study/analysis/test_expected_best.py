"""Test the expected best of a few configurations: its estimator, and its intervals."""

from itertools import combinations

import numpy as np
import pytest

from tests.support.answers import simulated_answer
from training_factors.study.analysis.effects import CONFIGURATIONS
from training_factors.study.analysis.expected_best import (
    BestEstimate,
    compare_bests,
    estimate_best,
    expected_best,
)
from training_factors.study.analysis.features import Array

EVERYTHING = (-np.inf, np.inf)


def like_accuracies(random: np.random.Generator, *shape: int) -> Array:
    """Draw values as a study's accuracies are: a third at chance, the others below a ceiling."""
    at_chance = 0.1 + 0.02 * random.standard_normal(shape)
    trained = 0.2 + 0.77 * random.beta(4, 1.2, shape)
    values: Array = np.where(random.random(shape) < 0.3, at_chance, trained)
    return values


@pytest.mark.parametrize("rows", range(1, 8))
def test_it_is_the_mean_of_the_best_of_all_subsets(rows: int) -> None:
    values = np.random.default_rng(rows).normal(size=rows).round(1)
    for count in range(1, rows + 1):
        bests = [max(subset) for subset in combinations(values, count)]
        assert expected_best(values, count) == pytest.approx(np.mean(bests))
    assert expected_best(values, rows) == pytest.approx(values.max())
    assert expected_best(values, 1) == pytest.approx(values.mean())


def test_a_higher_value_or_a_larger_subset_gives_no_lower_best() -> None:
    values = like_accuracies(np.random.default_rng(0), 40)
    bests = [expected_best(values, count) for count in range(1, 41)]
    assert bests == sorted(bests)
    for row in range(40):
        raised = values.copy()
        raised[row] += 0.1
        assert expected_best(raised, 16) >= expected_best(values, 16)
    assert expected_best(values + 1, 16) == pytest.approx(1 + expected_best(values, 16))


def test_many_rows_are_no_overflow() -> None:
    values = np.arange(100_000) / 100_000
    assert expected_best(values, 16) == pytest.approx(16 / 17, abs=1e-4)


def test_fewer_rows_than_configurations_have_no_best() -> None:
    few = np.linspace(0, 1, CONFIGURATIONS - 1)
    assert estimate_best(few, 0) is None
    assert compare_bests([few], [0], EVERYTHING, 0) == [None]
    with pytest.raises(ValueError, match="15 values have no subset of 16"):
        expected_best(few)


@pytest.mark.parametrize("rows", [16, 32])
def test_intervals_cover_the_expected_best(rows: int) -> None:
    """95 % intervals are to cover 95 %; 300 draws show 92 to 98 % in most cases."""
    random = np.random.default_rng(1)
    truth = like_accuracies(random, 200_000, CONFIGURATIONS).max(axis=1).mean()
    covered, equal = [], []
    for _ in range(300):
        own, other = compare_bests(list(like_accuracies(random, 2, rows)), [0, 0], EVERYTHING, 0)
        assert own is not None and other is not None and other.points_interval is not None
        covered.append(own.interval[0] <= truth <= own.interval[1])
        equal.append(other.points_interval[0] <= 0 <= other.points_interval[1])
    assert np.mean(covered) > 0.92
    assert 0.92 < np.mean(equal) < 0.995


def test_options_are_compared_with_their_baseline() -> None:
    random = np.random.default_rng(2)
    baseline, other, few = (like_accuracies(random, rows) for rows in (30, 20, 3))
    found = compare_bests([baseline, None, other, few], [0, 0, 0, 0], (0.0, 1.0), 0)
    first, nothing, second, none = found
    assert nothing is None and none is None
    assert first is not None and second is not None
    assert (first.points, first.points_interval, first.rows) == (0, (0, 0), 30)
    assert second.points == pytest.approx(100 * (second.value - first.value))
    for best in (first, second):
        assert 0 <= best.interval[0] <= best.value <= best.interval[1] <= 1
    _, alone = compare_bests([few, other], [0, 0], (0.0, 1.0), 0)
    assert alone == second._replace(points=None, points_interval=None)


def test_equal_rows_leave_no_doubt() -> None:
    assert estimate_best(np.full(20, 0.5), 0) == BestEstimate(0.5, 0, 2.5)
    _, same = compare_bests([np.full(20, 0.5), np.full(16, 0.5)], [0, 0], EVERYTHING, 0)
    assert same is not None and same.points_interval == pytest.approx((0, 0), abs=1e-9)


@pytest.mark.slow
def test_an_answer_has_the_best_of_every_option_and_of_no_hyperparameter() -> None:
    """Rows divide evenly over the options, and b reaches more than a, as its mean is higher."""
    answer = simulated_answer("branch", 128, noise=0.02)
    options = [e for e in answer.effects if e.hyperparameter is None]
    assert all(e.expected_best is not None for e in options)
    assert all(e.expected_best is None for e in answer.effects if e.hyperparameter is not None)
    assert {e.option: e.expected_best.rows for e in options if e.expected_best} == {
        "a": 64, "b": 64, "low": 43, "middle": 42, "high": 43,
    }  # fmt: skip
    opt = next(factor for factor in answer.factors if factor.name == "opt")
    other = next(e for e in options if e.option == "b")
    assert other.expected_best is not None and opt.gain_in_best is not None
    assert opt.gain_in_best == (
        "b",
        other.expected_best.points,
        other.expected_best.points_interval,
    )
    assert answer.placebo is not None and answer.placebo.gain_in_best is None
