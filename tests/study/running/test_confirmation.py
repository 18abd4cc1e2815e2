"""The stages of a confirmation, and the number of seeds that its power analysis asks for."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Config, Space, named_space
from training_factors.storage.arms import CONTRAST, RANK, TUNE, Arm
from training_factors.storage.own_configurations import OWN, OWN_NAME
from training_factors.storage.run_queue import Run
from training_factors.storage.trials import Trial
from training_factors.study.running.confirmation import (
    LEARNING_RATES,
    MAX_SEEDS,
    MIN_SEEDS,
    ConfirmationRequest,
    Stage,
    next_stage,
    seeds_needed,
)

SPACE, _ = named_space("documented").for_problem(Problem(shape=(1, 8, 8), classes=10))
BEST: Config = {
    **SPACE.baseline(), "activation": "tanh", "dropout": "dropout", "dropout.dropout.rate": 0.3
}  # fmt: skip
REQUEST = ConfirmationRequest(
    {"activation": "elu", "dropout": "dropout", "residual": "residual"}, 0.01
)


def candidate(number: int, value: float | None, config: Config, **changes: str) -> Trial:
    trial = Trial(
        number, "COMPLETE", "search", number, 0, 0, dict(config), value, {}, {}, 1.0, {}
    )  # fmt: skip
    return trial._replace(**changes)  # type: ignore[arg-type]


CANDIDATES = [
    candidate(0, 0.5, SPACE.baseline()),
    candidate(1, 0.9, BEST),
    candidate(2, 0.95, {**BEST, "placebo": 0.7}),  # the same configuration
    candidate(3, 0.99, {**BEST, "penalty": "l2", "penalty.l2.weight": 1e-3}, state="PRUNED"),
]


def test_own_configurations_are_always_ranked() -> None:
    """Once each, however they did, as long as they are complete; the best others stay five."""
    rates = [
        candidate(i, 0.9 - i / 100, {**BEST, "dropout.dropout.rate": i / 10}) for i in range(7)
    ]
    own = [
        candidate(7, 0.2, {**BEST, "activation": "elu"}, phase=OWN),
        candidate(8, 0.1, {**BEST, "dropout.dropout.rate": 0.6}, phase=OWN),  # as trial 6
        candidate(9, None, {**BEST, "activation": "gelu"}, phase=OWN, state="FAIL"),
    ]
    own[0].attributes[OWN_NAME] = "mine"
    names = [arm.name for arm in next_stage([*rates, *own], [], [], SPACE, REQUEST).arms]
    assert names == [
        *(f"trial {i}" for i in (0, 1, 2, 3, 4, 6)),
        "trial 7, your configuration mine",
    ]


class Simulated:
    """A confirmation whose runs end at once, with values computed from their configuration."""

    def __init__(self, noise: float = 0.0, space: Space = SPACE) -> None:
        self.noise, self.space = noise, space
        self.arms: list[Arm] = []
        self.trials: dict[Run, Trial] = {}

    def step(self, request: ConfirmationRequest = REQUEST) -> Stage:
        stage = next_stage(CANDIDATES, self.arms, list(self.trials.values()), self.space, request)
        self.arms += stage.arms
        for run in stage.runs:
            self.trials.setdefault(run, self.result(run))
        return stage

    def result(self, run: Run) -> Trial:
        config = self.arms[run.row].config
        rate = config.get("optimizer.sgd.lr", 0.1)
        value = (
            0.9 * (config["activation"] == "tanh") + 0.01 * (0.01 < rate < 0.1)
            + self.noise * (-1) ** (run.repeat + run.row)
        )  # fmt: skip
        return Trial(
            len(self.trials), "COMPLETE", "confirm", run.row, run.repeat, 0, config, value,
            {}, {}, 1.0, {}, {}, value,
        )  # fmt: skip


def test_the_stages_follow_each_other_and_end() -> None:
    simulated = Simulated()
    ranking = simulated.step()
    assert [arm.name for arm in ranking.arms] == ["trial 2", "trial 0"]
    assert {arm.purpose for arm in ranking.arms} == {RANK}
    assert len(ranking.runs) == 6

    tuning = simulated.step()
    assert {(arm.purpose, arm.factor) for arm in tuning.arms} == {(TUNE, "activation")}
    assert len(tuning.runs) == len(tuning.arms) == LEARNING_RATES
    assert all(arm.config["activation"] == "relu" for arm in tuning.arms)

    contrasts = simulated.step()
    assert [arm.name for arm in contrasts.arms] == [
        "best",
        "activation at its baseline",
        "activation at its baseline, re-tuned",
        "dropout at its baseline",
        "residual set to residual",
        "placebo moved",
    ]
    assert set(Counter(run.row for run in contrasts.runs).values()) == {MIN_SEEDS}
    assert {run.repeat for run in contrasts.runs} == set(range(MIN_SEEDS))
    assert simulated.step().arms == []
    assert set(simulated.step().runs) <= set(simulated.trials)


def test_an_arm_changes_one_factor_and_nothing_else() -> None:
    simulated = Simulated()
    for _ in range(3):
        simulated.step()
    best, *others = [arm for arm in simulated.arms if arm.purpose == CONTRAST]
    for arm in others:
        changed = {
            key.split(".")[0]
            for key in arm.config.keys() | best.config.keys()
            if arm.config.get(key) != best.config.get(key)
        }
        assert changed == ({arm.factor} | ({"optimizer"} if "re-tuned" in arm.name else set()))
        SPACE.distributions(arm.config)
    (tuned,) = (arm for arm in others if "re-tuned" in arm.name)
    assert 0.01 < float(tuned.config["optimizer.sgd.lr"]) < 0.1


@pytest.mark.parametrize(("noise", "seeds"), [(0.0, MIN_SEEDS), (0.004, 13), (0.1, MAX_SEEDS)])
def test_seeds_grow_with_the_spread_of_differences(noise: float, seeds: int) -> None:
    simulated = Simulated(noise)
    for _ in range(6):
        simulated.step()
    rows = {row for row, arm in enumerate(simulated.arms) if arm.purpose == CONTRAST}
    counts = Counter(run.row for run in simulated.trials if run.row in rows)
    assert set(counts.values()) == {seeds}


def test_a_factor_requested_later_runs_with_the_same_seeds() -> None:
    simulated = Simulated()
    for _ in range(4):
        simulated.step()
    before = len(simulated.arms)
    wider = ConfirmationRequest({**REQUEST.alternatives, "penalty": "l2"}, 0.01)
    added = simulated.step(wider)
    assert [arm.name for arm in added.arms] == ["penalty set to l2"]
    assert added.runs == [Run("confirm", before, seed) for seed in range(MIN_SEEDS)]


@pytest.mark.parametrize(
    ("deviation", "comparisons", "seeds"),
    [(1.0, 1, 10), (0.5, 1, 5), (1.0, 12, 18), (0.0, 1, MIN_SEEDS), (9.0, 1, MAX_SEEDS)],
)
def test_the_number_of_seeds_agrees_with_published_tables(
    deviation: float, comparisons: int, seeds: int
) -> None:
    """Power 0.8, a difference of one deviation: 10 seeds for one comparison, 18 for twelve."""
    assert seeds_needed(deviation, 1.0, comparisons) == seeds


@settings(max_examples=30)
@given(st.floats(0.1, 3), st.floats(0.1, 3), st.integers(1, 20))
def test_a_larger_deviation_or_more_comparisons_never_need_fewer_seeds(
    deviation: float, other_deviation: float, comparisons: int
) -> None:
    low, high = sorted((deviation, other_deviation))
    assert seeds_needed(low, 1.0, comparisons) <= seeds_needed(high, 1.0, comparisons)
    assert seeds_needed(low, 1.0, comparisons) <= seeds_needed(low, 1.0, comparisons + 1)
