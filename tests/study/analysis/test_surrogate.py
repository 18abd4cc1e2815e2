import numpy as np
import pytest

from training_factors.study.analysis.blend import (
    BOOSTING,
    GAUSSIAN_PROCESS,
    Rows,
    SurrogateKind,
    fit_blend,
)
from training_factors.study.analysis.surrogates import boost


@pytest.mark.slow
@pytest.mark.parametrize("kind", [BOOSTING, GAUSSIAN_PROCESS], ids=lambda kind: kind.name)
def test_every_kind_learns_what_there_is(kind: SurrogateKind) -> None:
    random = np.random.default_rng(0)
    features = random.random((200, 5)).astype(np.float32)
    values = np.where(features[:, 0] < 0.5, features[:, 1], -features[:, 1]).astype(np.float64)
    assert fit_blend(Rows(features, values, 0), 1, [kind]).r2 > 0.8
    assert fit_blend(Rows(features, random.random(200), 0), 1, [kind]).r2 < 0.05


def test_weights_follow_what_each_predicts() -> None:
    random = np.random.default_rng(0)
    features = random.random((100, 3)).astype(np.float32)
    values = np.sin(6 * features[:, 0]).astype(np.float64)
    blend = fit_blend(Rows(features, values, 0), 1)
    boosting, process = blend.members
    assert boosting.weight + process.weight == pytest.approx(1)
    assert boosting.weight / process.weight == pytest.approx(boosting.r2 / process.r2)
    assert blend.r2 > min(boosting.r2, process.r2)
    useless = fit_blend(Rows(features, random.random(100), 0), 1)
    assert all(0 <= member.weight <= 1 for member in useless.members)


def test_above_512_rows_there_is_no_process() -> None:
    features = np.random.default_rng(0).random((513, 2)).astype(np.float32)
    blend = fit_blend(Rows(features, features[:, 0].astype(np.float64), 0), 1)
    assert [member.name for member in blend.members] == ["gradient boosting"]


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
