"""Test the shares of other quantities than the final objective."""

from typing import Any

import pytest

from tests.support.simulations import TWINS, simulate_trials
from training_factors.study.analysis import lenses
from training_factors.study.analysis.measurements import gather_measurements


def test_equal_ped_anova_importances_are_in_the_order_of_the_space(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Optuna's order of equal importances depends on the hash seed of the process."""

    def importances(study: Any, *, evaluator: Any) -> dict[str, float]:
        return {"placebo": 0.5, "right": 0.25, "idle": 0.0, "left": 0.25}

    monkeypatch.setattr(lenses, "get_param_importances", importances)
    measurements = gather_measurements(simulate_trials(TWINS, 32))
    found = lenses.ped_anova(measurements, TWINS.space.coordinates)
    assert list(found) == ["placebo", "left", "right", "idle"]


def test_a_lens_after_part_of_the_epochs_reads_the_stored_curves() -> None:
    trials = [
        trial._replace(curve={epoch: trial.row + epoch / 8 for epoch in range(8)})
        for trial in simulate_trials(TWINS, 32, repeats=0)
    ]
    measurements = gather_measurements(trials)
    rows = range(32)
    assert lenses.objective_after(0.25, measurements).tolist() == [row + 1 / 8 for row in rows]
    assert lenses.objective_after(1.0, measurements).tolist() == [row + 7 / 8 for row in rows]
