import warnings
from copy import copy

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Config, Space, named_space
from training_factors.study.pruning import should_prune
from training_factors.study.running import search
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.search import propose_configuration, pruning_thresholds


@pytest.fixture(scope="module")
def space() -> Space:
    return named_space("documented").for_problem(Problem((1, 8, 8), 10))[0]


def history(space: Space, count: int) -> list[FrozenTrial]:
    """Return complete, pruned, running and failed trials."""
    states = {3: TrialState.PRUNED, 5: TrialState.RUNNING, 6: TrialState.FAIL}
    trials = []
    for row in range(count):
        config = designed_configuration(space, 0, row)
        state = states.get(row % 8, TrialState.COMPLETE)
        value = 0.5 + 0.3 * (config["dropout"] == "none") + 0.001 * row
        trial = create_trial(
            state=state,
            value=value if state is TrialState.COMPLETE else None,
            params=dict(config),
            distributions=dict(space.distributions(config)),
            intermediate_values={1: value / 2},
        )
        trial.number = row
        trials.append(trial)
    return trials


def propose_with_optuna(space: Space, trials: list[FrozenTrial], seed: int) -> Config:
    """Return what Optuna's sampler proposes in a study to which the trials were added."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tpe = TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
    study = optuna.create_study(sampler=tpe, direction="maximize")
    study.add_trials(trials)
    return space.suggest(study.ask())


@pytest.mark.parametrize("count", [0, 1, 9, 15, 60, 300])
def test_a_proposal_equals_that_of_optuna_s_sampler(space: Space, count: int) -> None:
    trials = history(space, count)
    for seed in range(3):
        assert propose_configuration(space, trials, seed) == propose_with_optuna(
            space, trials, seed
        )


@pytest.mark.parametrize("order", [1, -1])
def test_options_that_only_some_trials_have(space: Space, order: int) -> None:
    """Groups of parameters are sampled in the order in which the trials tell them apart."""
    trials = sorted(history(space, 60), key=lambda trial: order * len(trial.params))
    for number, trial in enumerate(trials):
        trial.number = number
    for last in (trials[12], trials[40]):
        running = copy(last)
        running.number, running.state, running.datetime_complete = 60, TrialState.RUNNING, None
        known = [trial for trial in trials if trial.params["optimizer"] != last.params["optimizer"]]
        both = [*known, running]
        assert propose_configuration(space, both, 3) == propose_with_optuna(space, both, 3)


def test_a_proposal_does_not_change_the_trials(space: Space) -> None:
    trials = history(space, 20)
    before = [(trial.number, trial.state, trial.params) for trial in trials]
    propose_configuration(space, trials, 0)
    assert [(trial.number, trial.state, trial.params) for trial in trials] == before


def test_only_the_latest_trials_count(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HISTORY_TRIALS", 30)
    trials = history(space, 50)
    assert propose_configuration(space, trials, 1) == propose_configuration(space, trials[20:], 1)
    assert propose_configuration(space, trials, 1) != propose_configuration(space, trials[:30], 1)


def pruning_trial(phase: str, curve: list[float], state: str = "COMPLETE") -> FrozenTrial:
    return create_trial(
        state=TrialState[state],
        value=curve[-1] if state == "COMPLETE" else None,
        user_attrs={"phase": phase},
        intermediate_values=dict(enumerate(curve)),
    )


MEASURED = [pruning_trial("measure", [0.1 * i] * 8) for i in range(5)]


def test_the_threshold_is_the_upper_quartile_of_measured_curves() -> None:
    thresholds = pruning_thresholds(MEASURED, epochs=8)
    assert thresholds.keys() == set(range(2, 8)), "none in the first quarter of the epochs"
    assert all(abs(threshold - 0.3) < 1e-12 for threshold in thresholds.values())
    assert should_prune(2, 0.29, thresholds)
    assert not should_prune(2, 0.31, thresholds)
    assert not should_prune(1, 0.0, thresholds)


def test_only_complete_measured_runs_set_thresholds() -> None:
    others = [
        pruning_trial("search", [0.9] * 8),
        pruning_trial("measure", [0.9] * 8, state="RUNNING"),
    ]
    assert pruning_thresholds([*MEASURED, *others], 8) == pruning_thresholds(MEASURED, 8)


def test_without_measured_runs_there_is_no_threshold() -> None:
    assert pruning_thresholds([], 8) == {}
    assert not should_prune(5, 0.0, {})
