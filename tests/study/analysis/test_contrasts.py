"""Test the paired differences of paired runs."""

import pytest
from scipy.stats import ttest_rel

from training_factors.storage.arms import CONTRAST, RANK, Arm
from training_factors.storage.trials import Trial
from training_factors.study.analysis.contrasts import analyse_confirmation

BEST = [0.95, 0.96, 0.94, 0.97, 0.95]
WORSE = [0.91, 0.93, 0.90, 0.94, 0.92]
ARMS = [
    Arm(RANK, "trial 3", None, {"loss": "smoothed"}),
    Arm(CONTRAST, "best", None, {"loss": "smoothed"}),
    Arm(CONTRAST, "loss at its baseline", "loss", {"loss": "hard"}),
    Arm(CONTRAST, "placebo moved", "placebo", {"loss": "smoothed"}),
]


def run(row: int, repeat: int, test_value: float | None) -> Trial:
    return Trial(0, "COMPLETE", "confirm", row, repeat, 0, {}, 0.5, {}, {}, 1.0, {}, {}, test_value)


def trials(*values: list[float]) -> list[Trial]:
    return [run(row, i, v) for row, arm in enumerate(values, 1) for i, v in enumerate(arm)]


def test_differences_are_paired_by_seed() -> None:
    found = analyse_confirmation(ARMS, trials(BEST, WORSE, BEST)[::-1])
    assert found is not None
    assert (found.seeds, found.config) == (5, {"loss": "smoothed"})
    assert found.value == pytest.approx(0.954)
    loss, placebo = found.contrasts
    expected = ttest_rel(BEST, WORSE)
    interval = expected.confidence_interval()
    assert loss.difference == pytest.approx(3.4)
    assert loss.interval == pytest.approx((100 * interval.low, 100 * interval.high), rel=1e-5)
    assert loss.p_value == pytest.approx(expected.pvalue, rel=1e-5)
    assert (loss.better, loss.seeds, loss.confirmed) == (1.0, 5, True)
    assert (placebo.difference, placebo.p_value, placebo.confirmed) == (0, 1, False)


def test_a_run_that_failed_leaves_its_pair_out() -> None:
    found = analyse_confirmation(ARMS, [*trials(BEST, WORSE[:4]), run(3, 0, None)])
    assert found is not None
    assert [(one.factor, one.seeds) for one in found.contrasts] == [("loss", 4)]


@pytest.mark.parametrize("values", [[], [BEST[:2], WORSE[:2]]])
def test_too_few_seeds_give_no_result(values: list[list[float]]) -> None:
    assert analyse_confirmation(ARMS, trials(*values)) is None
    assert analyse_confirmation([], []) is None
