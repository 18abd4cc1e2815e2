import warnings

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Config, Space, named_space
from training_factors.study.running import search
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.search import propose_configuration


@pytest.fixture(scope="module")
def space() -> Space:
    return named_space("documented").for_problem(Problem((1, 8, 8), 10))[0]


def history(space: Space, count: int) -> list[FrozenTrial]:
    """Finished, pruned and running trials."""
    trials = []
    for row in range(count):
        config = designed_configuration(space, 0, row)
        state = {3: TrialState.PRUNED, 5: TrialState.RUNNING}.get(row % 7, TrialState.COMPLETE)
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


def by_optuna(space: Space, trials: list[FrozenTrial], seed: int) -> Config:
    """What Optuna itself proposes after trials that were added to a study of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tpe = TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
    study = optuna.create_study(sampler=tpe, direction="maximize")
    study.add_trials(trials)
    return space.suggest(study.ask())


@pytest.mark.parametrize("count", [0, 1, 9, 60])
def test_a_proposal_is_that_of_optuna_s_sampler(space: Space, count: int) -> None:
    trials = history(space, count)
    for seed in range(3):
        assert propose_configuration(space, trials, seed) == by_optuna(space, trials, seed)


def test_trials_are_left_as_they_were(space: Space) -> None:
    trials = history(space, 20)
    before = [(trial.number, trial.state, trial.params) for trial in trials]
    propose_configuration(space, trials, 0)
    assert [(trial.number, trial.state, trial.params) for trial in trials] == before


def test_the_latest_trials_count(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "HISTORY_TRIALS", 30)
    trials = history(space, 50)
    assert propose_configuration(space, trials, 1) == propose_configuration(space, trials[20:], 1)
    assert propose_configuration(space, trials, 1) != propose_configuration(space, trials[:30], 1)
