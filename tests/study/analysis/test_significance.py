"""Test p-values and their correction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulations import BRANCH, NOISE, simulate_trials
from training_factors.study.analysis.blend import BOOSTING, fit_blend
from training_factors.study.analysis.measurements import MeasuredStudy, read_measured
from training_factors.study.analysis.significance import holm, p_values


def p_values_of(study: MeasuredStudy) -> dict[str, float]:
    blocks = study.layout.blocks(study.by_factor)
    blend = fit_blend(study.rows, 1, [BOOSTING], [blocks])
    p = p_values(study.rows.values, blend.held_out)
    return dict(zip(study.by_factor, p.tolist(), strict=True))


def test_factors_with_an_effect_are_significant_and_the_placebo_is_not() -> None:
    study = read_measured(simulate_trials(BRANCH, 128), BRANCH.space, 0)
    p = p_values_of(study)
    assert max(p["opt"], p["z"]) < 1e-3
    assert p["placebo"] > 0.05


def test_false_positives_are_rare() -> None:
    """At most 10 % of 60 factors without effect are significant at 0.05."""
    found = []
    for seed in range(6):
        study = read_measured(simulate_trials(NOISE, 32, seed=seed), NOISE.space, seed)
        found += [value for name, value in p_values_of(study).items() if name != "placebo"]
    assert len(found) == 60
    assert np.mean([value < 0.05 for value in found]) <= 0.1


def test_holm_by_hand() -> None:
    """Holm (1979): 4 · 0.01, then 3 · 0.02, 2 · 0.03 = 0.06 too, and 0.9."""
    found = holm({"a": 0.03, "b": 0.01, "c": 0.9, "d": 0.02})
    assert found == pytest.approx({"a": 0.06, "b": 0.04, "c": 0.9, "d": 0.06})


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(p: dict[str, float]) -> None:
    found = holm(p)
    assert list(found) == list(p)
    assert all(p[name] <= found[name] <= 1 for name in p)
    ordered = sorted(p, key=lambda name: p[name])
    assert [found[name] for name in ordered] == sorted(found.values())
