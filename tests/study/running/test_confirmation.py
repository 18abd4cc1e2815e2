"""The stages of a confirmation, and the number of seeds that its power analysis asks for."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Config, Space, named_space
from training_factors.storage.arms import CONTRAST, PATH, RANK, TESTED, TUNE, Arm, row_of_runs
from training_factors.storage.own_configurations import OWN, OWN_NAME
from training_factors.storage.run_queue import Run
from training_factors.storage.trials import Trial
from training_factors.study.running.confirmation import Stage, next_stage
from training_factors.study.running.confirmation_path import (
    baseline_of,
    confirmed_effects,
    differing_factors,
    path_arms,
)
from training_factors.study.running.confirmation_size import (
    LEARNING_RATES,
    ConfirmationRequest,
    ConfirmationSize,
    Range,
    confirmation_size,
    largest_that_fits,
    least_request,
    planned_size,
)
from training_factors.study.running.seed_power import MAX_SEEDS, MIN_SEEDS, seeds_needed

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


FACTORS = tuple(factor.name for factor in SPACE.varied)

WITH_PATH = REQUEST._replace(path=FACTORS)

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

    def run_all(self, request: ConfirmationRequest) -> int:
        """Run stage after stage until nothing is new; return the number of runs."""
        before = len(self.trials)
        while True:
            count = len(self.trials)
            self.step(request)
            if len(self.trials) == count:
                return count - before

    def size(self, request: ConfirmationRequest) -> ConfirmationSize:
        trials = list(self.trials.values())
        return confirmation_size(request, self.space.describe(), CANDIDATES, self.arms, trials)

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


def test_every_factor_can_be_changed_also_one_with_a_single_option() -> None:
    """The best configuration is the baseline, so that each is set to something else."""
    space, _ = named_space("full").for_problem(Problem(shape=(1, 8, 8), classes=10))
    best = space.baseline()
    alternatives = {factor.name: factor.options[-1].name for factor in space.varied}
    request = ConfirmationRequest(alternatives, 0.01)
    known = {coordinate.name for coordinate in space.coordinates()}
    arms: list[Arm] = []
    trials: list[Trial] = []
    while not any(arm.purpose == CONTRAST for arm in arms):
        stage = next_stage([candidate(0, 0.9, best)], arms, trials, space, request)
        arms += stage.arms
        trials += [
            candidate(len(trials), 0.9, arms[run.row].config)._replace(row=run.row)
            for run in stage.runs
        ]
    changed = {arm.factor: arm.config for arm in arms if arm.purpose == CONTRAST and arm.factor}
    assert {*alternatives} <= {*changed}
    for config in changed.values():
        assert {*config} <= known and config != best


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


def units() -> st.SearchStrategy[list[float]]:
    count = len(SPACE.coordinates())
    return st.lists(st.floats(0, 1, exclude_max=True), min_size=count, max_size=count)


@settings(max_examples=30)
@given(units(), st.dictionaries(st.sampled_from(FACTORS), st.floats(-1, 1)))
def test_a_path_goes_from_the_baseline_to_the_best_one_factor_at_a_time(
    point: list[float], effects: dict[str, float]
) -> None:
    best, baseline = SPACE.decode(point), SPACE.baseline()
    steps = path_arms(baseline, best, FACTORS, effects)
    assert {**steps[0].config, "placebo": 0.5} == baseline
    assert steps[-1].config == best
    for before, after in pairwise(steps):
        assert differing_factors(before.config, after.config, (*FACTORS, "placebo")) == (
            after.factor,
        )
        SPACE.distributions(after.config)
    order = [step.factor or "" for step in steps[1:]]
    known = [effects[name] for name in order if name in effects]
    assert known == sorted(known, reverse=True)
    assert [name in effects for name in order] == [True] * len(known) + [False] * (
        len(order) - len(known)
    )
    assert set(order) == set(differing_factors(baseline, best, FACTORS))


def test_the_path_shares_runs_and_seeds_with_the_comparison_and_runs_once() -> None:
    simulated = Simulated()
    compared = simulated.run_all(REQUEST)
    assert {arm.purpose for arm in simulated.arms} == {RANK, TUNE, CONTRAST}
    alone = dict(simulated.trials)
    assert simulated.run_all(WITH_PATH) == MIN_SEEDS, "only the baseline is new"
    steps = [row for row, arm in enumerate(simulated.arms) if arm.purpose == PATH]
    assert [simulated.arms[row].factor for row in steps] == [None, "activation", "dropout"]
    rows = [row_of_runs(simulated.arms, row) for row in steps]
    names = [simulated.arms[row].name for row in rows]
    assert names == ["path: the baseline", "dropout at its baseline", "best"]
    for row in rows:
        assert {run.repeat for run in simulated.trials if run.row == row} == set(range(MIN_SEEDS))
    for request in (WITH_PATH, REQUEST, WITH_PATH):
        assert simulated.run_all(request) == 0
    assert len(simulated.trials) == compared + MIN_SEEDS
    assert alone.items() <= simulated.trials.items()


def test_the_path_starts_with_the_largest_effect() -> None:
    simulated = Simulated()
    simulated.run_all(REQUEST)
    effects = confirmed_effects(simulated.arms, list(simulated.trials.values()))
    assert effects["activation"] == pytest.approx(0.9, abs=0.02)
    steps = path_arms(SPACE.baseline(), BEST, FACTORS[::-1], effects)
    assert [step.factor for step in steps] == [None, "activation", "dropout"]


def test_a_fixed_number_of_seeds_replaces_the_power_analysis_and_may_grow() -> None:
    simulated = Simulated(noise=0.1)
    few = WITH_PATH._replace(seeds=3)
    simulated.run_all(few)
    assert max(run.repeat for run in simulated.trials) == 2
    assert simulated.run_all(few) == 0
    tested = [row for row, arm in enumerate(simulated.arms) if arm.purpose in TESTED]
    own = {row_of_runs(simulated.arms, row) for row in tested}
    assert simulated.run_all(few._replace(seeds=10)) == 7 * len(own)
    assert simulated.run_all(few) == 0


def test_the_number_of_candidates_is_that_of_the_request() -> None:
    ranking = Simulated().step(REQUEST._replace(candidates=1))
    assert [arm.name for arm in ranking.arms] == ["trial 2"]


@pytest.mark.parametrize(
    "request_",
    [REQUEST, WITH_PATH, WITH_PATH._replace(seeds=4), ConfirmationRequest({}, 0.01, path=FACTORS),
     ConfirmationRequest({"dropout": "dropout", "split": "random"}, 0.01, path=FACTORS)],
)  # fmt: skip
@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_the_size_told_beforehand_holds(request_: ConfirmationRequest, noise: float) -> None:
    simulated = Simulated(noise)
    told = simulated.size(request_)
    seen = [told.left]
    count = -1
    while count != len(simulated.trials):
        count = len(simulated.trials)
        simulated.step(request_)
        seen.append(simulated.size(request_).left.plus(Range(*2 * [len(simulated.trials)])))
    total = len(simulated.trials)
    assert all(low <= total <= high for low, high in seen)
    assert simulated.size(request_).left == (0, 0)
    assert told.stages[0].purpose == RANK


def test_a_description_has_the_baseline_and_says_what_is_re_tuned() -> None:
    described = SPACE.describe()
    assert {**baseline_of(described), "placebo": 0.5} == SPACE.baseline()
    assert planned_size(described).runs == (50, 239)
    factors = tuple(factor._replace(retune=None) for factor in described.factors)
    unknown = confirmation_size(REQUEST, described._replace(factors=factors), CANDIDATES).runs
    low, high = confirmation_size(REQUEST, described, CANDIDATES).runs
    assert unknown.low < low and high < unknown.high, "an earlier version did not store it"


def test_as_many_seeds_as_fit_and_fewer_candidates_only_where_they_must() -> None:
    request = WITH_PATH._replace(candidates=2)
    simulated = Simulated()
    assert largest_that_fits(request, 1e9, simulated.size) == request._replace(seeds=MAX_SEEDS)
    least = simulated.size(least_request(request)).left.high
    assert largest_that_fits(request, least, simulated.size) == least_request(request)
    assert largest_that_fits(request, least - 1, simulated.size) is None
    fitting = largest_that_fits(request, least + 30, simulated.size)
    assert fitting is not None and fitting.candidates == 2
    assert fitting.seeds is not None and 3 <= fitting.seeds < MAX_SEEDS
    assert simulated.size(fitting).left.high <= least + 30
    assert simulated.size(fitting._replace(seeds=fitting.seeds + 1)).left.high > least + 30
