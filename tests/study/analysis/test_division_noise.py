"""The variance that the division of the data causes, on simulated results."""

import numpy as np
import pytest

from training_factors.storage.trials import Trial
from training_factors.study.analysis.division_noise import division_variance
from training_factors.study.analysis.measurements import gather_measurements


def run(phase: str, row: int, repeat: int, value: float | None, state: str = "COMPLETE") -> Trial:
    return Trial(0, state, phase, row, repeat, 0, {"x": row}, value, {}, {}, 1.0, {})


def simulated(
    random: np.random.Generator, *, rows: int, divisions: int, by_division: float, by_seed: float
) -> list[Trial]:
    """Rows with three runs each under the own division, and one under every other one."""
    trials = []
    for row in range(rows):
        moved = by_division * random.standard_normal(divisions)
        own = row + moved[0] + by_seed * random.standard_normal(3)
        others = row + moved[1:] + by_seed * random.standard_normal(divisions - 1)
        trials += [run("measure", row, i, value) for i, value in enumerate(own)]
        trials += [run("division", row, i, value) for i, value in enumerate(others, 1)]
    return trials


@pytest.mark.parametrize(("by_division", "by_seed"), [(2.0, 1.0), (3.0, 2.0), (1.0, 0.0)])
def test_the_estimate_is_right_on_average_and_its_interval_covers(
    by_division: float, by_seed: float
) -> None:
    random = np.random.default_rng(0)
    found = [
        division_variance(
            simulated(random, rows=16, divisions=3, by_division=by_division, by_seed=by_seed)
        )
        for _ in range(400)
    ]
    assert all(each is not None and (each.rows, each.runs) == (16, 32) for each in found)
    values = np.array([each.value for each in found if each])
    error = values.std() / len(values) ** 0.5
    assert (values > 0).mean() > 0.99  # clipping at 0 would raise the mean
    assert abs(values.mean() - by_division**2) < 3 * error
    covered = [each.interval[0] <= by_division**2 <= each.interval[1] for each in found if each]
    assert 0.92 < np.mean(covered) < 0.98  # the standard error of 95 % is 1.1 %


def test_without_an_effect_of_the_division_the_estimate_is_clipped_at_zero() -> None:
    random = np.random.default_rng(0)
    found = [
        division_variance(simulated(random, rows=8, divisions=3, by_division=0.0, by_seed=1.0))
        for _ in range(400)
    ]
    values = np.array([each.value for each in found if each])
    assert values.min() == 0
    assert 0.3 < (values == 0).mean() < 0.7
    lows = np.array([each.interval[0] for each in found if each])
    assert (lows == 0).mean() > 0.95
    assert all(each.interval[0] <= each.value <= each.interval[1] for each in found if each)


def test_the_estimate_by_hand() -> None:
    trials = [
        *(run("measure", 0, i, value) for i, value in enumerate((0.5, 0.6, 0.7))),
        run("division", 0, 1, 0.9),
        run("division", 0, 2, None, "FAIL"),
        run("measure", 1, 0, 0.1),
        run("division", 1, 1, 0.8),  # without a second seed nobody knows what the seed does
    ]
    found = division_variance(trials)
    assert found is not None
    # The means 0.6 and 0.9 have the variance 0.045; the seed's 0.01 causes 0.01 · (1/3 + 1) / 2.
    assert found.value == pytest.approx(0.045 - 0.01 * 4 / 6)
    assert (found.rows, found.runs) == (1, 1)
    assert division_variance(trials[:3]) is None
    assert division_variance(trials[4:]) is None


def test_rows_are_measured_as_without_other_divisions() -> None:
    plain = [run("measure", row, repeat, row + repeat) for row in range(20) for repeat in range(2)]
    others = [run("division", row, 1, 100.0) for row in range(4)]
    without, together = gather_measurements(plain), gather_measurements([*plain, *others])
    assert without.division is None and together.division is not None
    assert str(together._replace(division=None)) == str(without)
