"""Test the Gaussian process: its gradient, its kernel, and that it interpolates what it models."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from tests.support.simulations import rows_of
from training_factors.study.analysis import gaussian_process
from training_factors.study.analysis.gaussian_process import tune_gaussian_process

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.random((40, 3)).astype(np.float32)


def test_the_gradient_of_the_posterior_is_right() -> None:
    pairs = np.triu_indices(12, 1)
    blocks = ((0, 1), (2,))
    features = FEATURES[:12].astype(np.float64)
    squares = [
        (features[pairs[0]][:, list(block)] - features[pairs[1]][:, list(block)]) ** 2
        for block in blocks
    ]
    prior = gaussian_process._Prior.of(blocks)
    arguments = (prior, squares, pairs, RANDOM.standard_normal(12))
    point = prior.mean + 0.3 * RANDOM.standard_normal(len(prior.mean))
    error = check_grad(
        lambda at: gaussian_process._negative_log_posterior(at, *arguments)[0],
        lambda at: gaussian_process._negative_log_posterior(at, *arguments)[1],
        point,
    )
    assert error < 1e-4


def test_a_covariance_is_symmetric_and_largest_at_the_row_itself() -> None:
    fit = tune_gaussian_process(rows_of(FEATURES, FEATURES[:, 0].astype(np.float64)))
    kernel = fit.keywords["kernel"]  # type: ignore[attr-defined]
    covariance = kernel.between(FEATURES, FEATURES)
    np.testing.assert_allclose(covariance, covariance.T)
    np.testing.assert_allclose(np.diag(covariance), kernel.amplitude)
    assert (covariance <= kernel.amplitude * (1 + 1e-12)).all()


def test_a_column_without_effect_gets_a_smaller_weight() -> None:
    fit = tune_gaussian_process(rows_of(FEATURES, 7 * FEATURES[:, 0].astype(np.float64)))
    weights = fit.keywords["kernel"].weights  # type: ignore[attr-defined]
    assert weights.argmax() == 0


def test_predictions_of_a_bounded_objective_stay_within_its_bounds() -> None:
    values = (FEATURES[:, 0] > 0.5).astype(np.float64)
    rows = rows_of(FEATURES, values)
    predicted = tune_gaussian_process(rows)(rows)(RANDOM.random((500, 3)).astype(np.float32))
    assert predicted.min() >= -gaussian_process.MARGIN
    assert predicted.max() <= 1 + gaussian_process.MARGIN
    assert np.ptp(predicted) > 0.5


def test_an_unbounded_objective_is_predicted_in_its_unit() -> None:
    rows = rows_of(FEATURES, 500 - 300 * FEATURES[:, 1].astype(np.float64))
    predicted = tune_gaussian_process(rows)(rows)(FEATURES)
    assert predicted == pytest.approx(rows.values, abs=40)
