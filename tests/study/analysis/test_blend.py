"""Test the blend of surrogates, and what each kind learns."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.simulations import rows_of
from training_factors.study.analysis.blend import (
    BOOSTING,
    GAUSSIAN_PROCESS,
    SurrogateKind,
    fit_blend,
)
from training_factors.study.analysis.parallel_calls import single_threaded


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Limit linear algebra to one thread, as an analysis does."""
    with single_threaded():
        yield


@pytest.mark.slow
@pytest.mark.parametrize("kind", [BOOSTING, GAUSSIAN_PROCESS], ids=lambda kind: kind.name)
@pytest.mark.parametrize("scale", [1.0, 100.0], ids=["bounded", "unbounded"])
def test_every_kind_learns_a_function_and_no_noise(kind: SurrogateKind, scale: float) -> None:
    random = np.random.default_rng(0)
    features = random.random((200, 5)).astype(np.float32)
    moved = np.where(features[:, 0] < 0.5, features[:, 1], -features[:, 1])
    values = (1 + moved.astype(np.float64)) / 2
    assert fit_blend(rows_of(features, scale * values), 1, [kind]).r2 > 0.8
    assert fit_blend(rows_of(features, scale * random.random(200)), 1, [kind]).r2 < 0.05


def test_the_weights_have_the_least_squared_error() -> None:
    """No other weights predict the held-out rows better, and the members' mean is the blend."""
    random = np.random.default_rng(0)
    features = random.random((100, 3)).astype(np.float32)
    values = np.sin(6 * features[:, 0]) + 0.3 * random.standard_normal(100)
    blend = fit_blend(rows_of(features, values), 1)
    assert blend.weights.sum() == pytest.approx(1)
    assert (blend.weights >= 0).all()
    assert blend.r2 >= max(member.r2 for member in blend.members) - 1e-12
    assert blend.half_r2 < blend.r2
    useless = fit_blend(rows_of(features, random.random(100)), 1)
    assert all(0 <= member.weight <= 1 for member in useless.members)


def test_above_512_rows_there_is_no_gaussian_process() -> None:
    features = np.random.default_rng(0).random((513, 2)).astype(np.float32)
    blend = fit_blend(rows_of(features, features[:, 0].astype(np.float64)), 1)
    assert [member.name for member in blend.members] == ["gradient boosting"]
