"""Test the blend of surrogates, and what each kind learns."""

import numpy as np
import pytest

from training_factors.study.analysis.blend import (
    BOOSTING,
    GAUSSIAN_PROCESS,
    Rows,
    SurrogateKind,
    fit_blend,
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [BOOSTING, GAUSSIAN_PROCESS], ids=lambda kind: kind.name)
def test_every_kind_learns_a_function_and_no_noise(kind: SurrogateKind) -> None:
    random = np.random.default_rng(0)
    features = random.random((200, 5)).astype(np.float32)
    values = np.where(features[:, 0] < 0.5, features[:, 1], -features[:, 1]).astype(np.float64)
    assert fit_blend(Rows(features, values, 0), 1, [kind]).r2 > 0.8
    assert fit_blend(Rows(features, random.random(200), 0), 1, [kind]).r2 < 0.05


def test_weights_are_proportional_to_cross_validated_r2() -> None:
    random = np.random.default_rng(0)
    features = random.random((100, 3)).astype(np.float32)
    values = np.sin(6 * features[:, 0]).astype(np.float64)
    blend = fit_blend(Rows(features, values, 0), 1)
    boosting, gaussian = blend.members
    assert boosting.weight + gaussian.weight == pytest.approx(1)
    assert boosting.weight / gaussian.weight == pytest.approx(boosting.r2 / gaussian.r2)
    assert blend.r2 > min(boosting.r2, gaussian.r2)
    useless = fit_blend(Rows(features, random.random(100), 0), 1)
    assert all(0 <= member.weight <= 1 for member in useless.members)


def test_above_512_rows_there_is_no_gaussian_process() -> None:
    features = np.random.default_rng(0).random((513, 2)).astype(np.float32)
    blend = fit_blend(Rows(features, features[:, 0].astype(np.float64), 0), 1)
    assert [member.name for member in blend.members] == ["gradient boosting"]
