import numpy as np
import pytest

from study.analysis.surrogate import boost, cross_validated_r2


def test_it_learns_what_there_is() -> None:
    random = np.random.default_rng(0)
    features = random.random((200, 10)).astype(np.float32)
    values = np.where(features[:, 0] < 0.5, features[:, 1], -features[:, 1]).astype(np.float64)
    assert cross_validated_r2(boost, features, values, seed=0) > 0.85
    assert cross_validated_r2(boost, features, random.random(200), seed=0) < 0


@pytest.mark.parametrize("rows", [8, 16, 40])
def test_it_is_equal_for_an_equal_seed_and_scales_with_the_values(rows: int) -> None:
    features = np.random.default_rng(1).random((rows, 5)).astype(np.float32)
    values = features[:, 0].astype(np.float64)
    first = boost(features, values, 7)(features)
    assert (boost(features, values, 7)(features) == first).all()
    assert (boost(features, values, 8)(features) != first).any()
    np.testing.assert_allclose(boost(features, 3 - 7.7 * values, 7)(features), 3 - 7.7 * first)
    assert first.std() > 0


def test_equal_values_give_that_value() -> None:
    features = np.zeros((20, 2), dtype=np.float32)
    assert boost(features, np.full(20, 0.3), 0)(features) == pytest.approx(0.3)
