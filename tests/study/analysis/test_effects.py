"""Test the effects of options and hyperparameters, and interactions, of simulated studies."""

import pytest

from tests.support.answers import simulated_answer
from training_factors.study.analysis.answer import Answer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def branch() -> Answer:
    return simulated_answer("branch", 128, noise=0.02)


def test_marginals_are_those_of_the_function(branch: Answer) -> None:
    """E[f | a] = 1, E[f | b] = 3, E[f | z] = 2 + z; along x the function climbs from 0 to 2."""
    means = {e.option: e.mean for e in branch.effects if e.hyperparameter is None}
    expected = {"a": 1, "b": 3, "low": 1, "middle": 2, "high": 3}
    assert means == pytest.approx(expected, abs=0.15)
    along = [e for e in branch.effects if e.hyperparameter == "opt.a.x"]
    assert [e.value for e in along] == pytest.approx([i / 6 for i in range(7)])
    assert (along[0].mean, along[-1].mean) == pytest.approx((0, 2), abs=0.3)


def test_differences_are_over_the_baseline_with_intervals(branch: Answer) -> None:
    (first, other) = (e for e in branch.effects if e.hyperparameter is None and e.factor == "opt")
    assert (first.points, first.interval) == (0, (0, 0))
    assert other.points == pytest.approx(100 * (other.mean - first.mean))
    assert other.interval[0] < 200 < other.interval[1]
    opt = branch.factors[0]
    assert (opt.best_option, opt.gain, opt.gain_interval) == ("b", other.points, other.interval)


def test_shares_of_hyperparameters_sum_to_that_of_their_factor(branch: Answer) -> None:
    for factor in branch.factors:
        shares = [one.share for one in factor.hyperparameters]
        assert sum(shares) == pytest.approx(factor.share, abs=0.05)
    names = {one.name for one in branch.factors[0].hyperparameters}
    assert names == {"opt", "opt.a.x", "opt.b.y"}
    assert branch.factors[0].range == pytest.approx(500, abs=60)


def test_an_option_that_flips_with_another_factor_is_found_and_named() -> None:
    answer = simulated_answer("flip", 63)
    strongest = answer.interactions[0]
    assert set(strongest.factors) == {"left", "right"}
    assert strongest.interval[0] <= strongest.share <= strongest.interval[1]
    assert strongest.share > 0.5
    assert all("idle" not in pair.factors for pair in answer.interactions)
