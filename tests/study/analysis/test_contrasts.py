"""Test the paired differences of paired runs."""

import pytest
from scipy.stats import ttest_rel

from training_factors.storage.arms import CONTRAST, PATH, RANK, Arm
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


BASELINE = [0.61, 0.64, 0.60, 0.66, 0.61]
PATH_ARMS = [
    *ARMS,
    Arm(PATH, "path: the baseline", None, {"loss": "hard", "residual": "none"}),
    Arm(PATH, "path: residual as in the best", "residual", {"loss": "hard", "residual": "on"}),
    Arm(PATH, "path: loss as in the best", "loss", {"loss": "smoothed"}),
]
"""The last step has the configuration of the best arm, and so its runs."""


def test_the_gains_of_a_path_are_paired_and_add_up() -> None:
    runs = [*trials(BEST, WORSE, BEST, BASELINE, WORSE), run(4, 5, 0.9)]
    confirmation = analyse_confirmation(PATH_ARMS, runs)
    assert confirmation is not None
    found = confirmation.path
    assert found is not None
    assert found.seeds == 5 and found.value == pytest.approx(0.624)
    residual, loss = found.steps
    assert (residual.factor, residual.setting) == ("residual", {"residual": "on"})
    assert (loss.factor, loss.setting) == ("loss", {"loss": "smoothed"})
    expected = ttest_rel(WORSE, BASELINE).confidence_interval()
    assert residual.gain_interval == pytest.approx(
        (100 * expected.low, 100 * expected.high), rel=1e-5
    )
    assert loss.gain == pytest.approx(confirmation.contrasts[0].difference)
    assert loss.gain_interval == pytest.approx(confirmation.contrasts[0].interval)
    assert loss.value == confirmation.value and loss.is_distinguishable
    assert found.total == pytest.approx(residual.gain + loss.gain)
    expected = ttest_rel(BEST, BASELINE).confidence_interval()
    assert found.total_interval == pytest.approx((100 * expected.low, 100 * expected.high))


def test_a_path_without_enough_common_seeds_has_no_result() -> None:
    confirmation = analyse_confirmation(PATH_ARMS, trials(BEST, WORSE, BEST, BASELINE, WORSE[:2]))
    assert confirmation is not None and confirmation.path is None
