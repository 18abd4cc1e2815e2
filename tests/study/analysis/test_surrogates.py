"""Test gradient boosting; `test_blend.py` tests both kinds of surrogate."""

import numpy as np
import pytest

from tests.support.simulations import rows_of
from training_factors.study.analysis.surrogates import boost


@pytest.mark.parametrize("rows", [8, 16, 40])
def test_boosting_depends_on_its_seed_and_scales_with_the_values(rows: int) -> None:
    features = np.random.default_rng(1).random((rows, 5)).astype(np.float32)
    values = features[:, 0].astype(np.float64)
    first = boost(rows_of(features, values, 7))(features)
    assert (boost(rows_of(features, values, 7))(features) == first).all()
    assert (boost(rows_of(features, values, 8))(features) != first).any()
    np.testing.assert_allclose(
        boost(rows_of(features, 3 - 7.7 * values, 7))(features), 3 - 7.7 * first
    )
    assert first.std() > 0


def test_boosting_equal_values_predicts_that_value() -> None:
    features = np.zeros((20, 2), dtype=np.float32)
    assert boost(rows_of(features, np.full(20, 0.3)))(features) == pytest.approx(0.3)
