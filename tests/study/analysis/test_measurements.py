"""Test how measured runs become rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import NoAnswer
from training_factors.study.analysis.measurements import gather_measurements


def run(row: int, value: float | None, repeat: int = 0, **changes: Any) -> Trial:
    plain = Trial(
        row, "COMPLETE", "measure", row, repeat, 0, {"x": row}, value, {}, {}, 1.0, {"chance": 0.1}
    )
    return plain._replace(**changes)


def rows(count: int) -> list[Trial]:
    return [run(row, row / count) for row in range(count)]


def test_repeats_are_one_row_and_give_the_variance_of_the_seed() -> None:
    trials = [*rows(20), run(0, 0.2, repeat=1), run(0, 0.4, repeat=2), run(3, 0.25, repeat=1)]
    measurements = gather_measurements(trials)
    assert (measurements.rows, measurements.runs) == (20, 23)
    assert measurements.values[0] == pytest.approx(0.2)
    assert measurements.values[3] == pytest.approx(0.2)
    assert measurements.seed_variance == pytest.approx((0.04 + 0.04 + 2 * 0.05**2) / 3)
    of_means = (0.04 + 0.04 + 2 * 0.05**2) / 3 * (18 + 1 / 3 + 1 / 2) / 20
    assert measurements.ceiling == pytest.approx(1 - of_means / np.var(measurements.values, ddof=1))


def test_only_complete_measuring_runs_count() -> None:
    others = [
        run(50, 0.9, phase="search"),
        run(0, 0.9, phase="baseline"),
        run(51, 0.9, state="PRUNED"),
        run(52, None, state="FAIL"),
    ]
    measurements = gather_measurements([*others, *rows(20)])
    assert measurements.values.tolist() == [row / 20 for row in range(20)]
    assert measurements.seed_variance is None
    assert measurements.ceiling is None


def test_diverged_and_chance_runs_are_counted() -> None:
    trials = rows(20)
    trials[10] = run(10, 0.1, attributes={"chance": 0.1, "diverged": True})
    measurements = gather_measurements(trials)
    assert measurements.diverged == pytest.approx(1 / 20)
    assert measurements.at_chance == pytest.approx(4 / 20)  # 0, 0.05, 0.1 and the diverged one
    assert (
        gather_measurements([trial._replace(attributes={}) for trial in trials]).at_chance is None
    )


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ([], "no measured configurations"),
        ([run(0, 0.5, phase="search")], "no measured configurations"),
        (rows(15), "too few configurations: 15 have"),
        ([run(row, 0.1) for row in range(20)], "all 20 configurations ended at 0.1$"),
        (
            [run(row, 0.1, attributes={"diverged": True}) for row in range(20)],
            "all 20 configurations ended at 0.1: every run diverged$",
        ),
    ],
)
def test_too_little_raises_no_answer(trials: list[Trial], message: str) -> None:
    with pytest.raises(NoAnswer, match=message) as caught:
        gather_measurements(trials)
    assert "\n" not in str(caught.value)


def test_the_order_of_trials_does_not_matter(
    branch: Any, measured: Callable[..., list[Trial]]
) -> None:
    trials = measured(branch, 20, repeats=3)
    straight, reverse = gather_measurements(trials), gather_measurements(trials[::-1])
    assert straight.values.tolist() == reverse.values.tolist()
    assert straight.parameters == reverse.parameters
