"""What failed runs have in common is found, and what pruning would have lost is counted."""

import numpy as np

from tests.support.simulations import axis, describe_space, trial_of
from training_factors.search_spaces.description import Coordinate
from training_factors.search_spaces.dimension import OneOf, Uniform
from training_factors.storage.trials import Trial
from training_factors.study.analysis.failures import audit_pruning, explain_failures

SIZES = Coordinate("batch.size.samples", "batch", "size", OneOf(128, 256, 512))
RATE = Coordinate("dropout.on.rate", "dropout", "on", Uniform(0, 1))
SPACE = describe_space(
    axis("batch", None, "size"), SIZES, axis("dropout", None, "on"), RATE,
    axis("activation", None, "relu", "tanh", "gelu"),
)  # fmt: skip


def runs(count: int = 128) -> list[Trial]:
    random = np.random.default_rng(1)
    return [
        trial_of(
            number, number, 0,
            {
                SIZES.name: (128, 256, 512)[number % 3], RATE.name: float(random.random()),
                "activation": ("relu", "tanh", "gelu")[random.integers(3)],
            },
            0.5,
        )
        for number in range(count)
    ]  # fmt: skip


def failed(trial: Trial, reason: str) -> Trial:
    return trial._replace(state="FAIL", value=None, attributes={"reason": reason})


def test_the_setting_that_failed_runs_share_is_named_with_its_numbers() -> None:
    trials = runs()
    large = [t.number for t in trials if t.parameters[SIZES.name] == 512][:8]
    small = next(t.number for t in trials if t.parameters[SIZES.name] == 128)
    trials = [failed(t, "out of memory") if t.number in {*large, small} else t for t in trials]
    (found,) = explain_failures(trials, SPACE)
    assert found.outcome == "out of memory"
    assert found.sentence == (
        "8 of these 9 runs have batch.size.samples = 512; of the other 119, 34 do"
    )


def test_a_part_of_a_range_explains_diverged_runs() -> None:
    trials = [t._replace(attributes={"diverged": t.parameters[RATE.name] > 0.9}) for t in runs()]
    (found,) = explain_failures(trials, SPACE)
    assert found.outcome == "diverged" and found.with_setting == found.runs
    assert found.setting.name == "dropout.on.rate" and 0.6 < found.setting.low < 0.9


def test_failures_that_no_setting_explains_stay_unexplained() -> None:
    random = np.random.default_rng(2)
    explained = 0
    for _ in range(40):
        places = random.choice(128, size=9, replace=False)
        trials = [failed(t, "lost") if t.number in places else t for t in runs()]
        explained += bool(explain_failures(trials, SPACE))
    assert explained <= 4
    assert explain_failures(runs(), SPACE) == ()


def curve_of(number: int, *curve: float) -> Trial:
    return trial_of(number, number, 0, {}, curve[-1])._replace(curve=dict(enumerate(curve)))


def test_runs_that_pruning_would_have_lost_are_counted() -> None:
    """Of eight runs one is never below the upper quartile; a late starter ends higher."""
    steady = [curve_of(0, 0.8, 0.8, 0.8, 0.8), curve_of(1, 0.7, 0.7, 0.7, 0.7)]
    slow = [curve_of(i, 0.1, 0.1, 0.1, 0.1) for i in range(2, 7)]
    late = curve_of(7, 0.1, 0.1, 0.1, 0.9)
    search = curve_of(8, 0.1)._replace(phase="search", state="PRUNED")
    found = audit_pruning([*steady, *slow, late, search], epochs=4)
    assert found is not None
    assert (found.measured, found.stopped, found.lost, found.lost_best) == (8, 7, 1, 1)
    assert "stopped 7 of the 8 measured runs" in found.sentence
    assert audit_pruning([*steady, *slow, late], epochs=4) is None
