"""Test that the design sampler makes designed experiments of any program's trials."""

import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna import Study, Trial
from optuna.distributions import FloatDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from scipy.stats import qmc

from tests.support.optuna_programs import (
    GROUPS,
    SHARES,
    TOTALS,
    branch,
    run,
    sqlite_url,
    training,
    values_of,
    work,
)
from training_factors.study.analysis.optuna_study import analyse_optuna_study
from training_factors.study.running import design_sampler
from training_factors.study.running.design_sampler import (
    CLAIM,
    COORDINATES,
    DesignSampler,
    resolve_claims,
)

ROOT = Path(__file__).parents[3]
WORKERS = 4
ROWS = 256


def storage_of(kind: str, folder: Path) -> Any:
    if kind == "journal":
        return JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
    return InMemoryStorage() if kind == "memory" else RDBStorage(sqlite_url(folder))


def claims_of(study: Study) -> dict[str, int]:
    attributes = study._storage.get_study_system_attrs(study._study_id)
    return dict(value for key, value in attributes.items() if key.startswith(CLAIM))


def assert_branch_is_recovered(study: Study) -> None:
    found = analyse_optuna_study(study, groups=GROUPS)
    assert not found.design.adaptive
    for factor in found.answer.factors:
        assert factor.total == pytest.approx(TOTALS[factor.name], abs=0.03)
        assert factor.share == pytest.approx(SHARES[factor.name], abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_one_process_measures_the_branch_function(seed: int) -> None:
    assert_branch_is_recovered(run(branch, DesignSampler(seed), ROWS))


@pytest.mark.slow
def test_processes_on_one_database_measure_it_and_are_resumed(tmp_path: Path) -> None:
    """Four processes are killed halfway, and four others go on."""
    url = sqlite_url(tmp_path)
    study = optuna.create_study(study_name="branch", storage=url, direction="maximize")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.optuna_programs"])  # once for all workers

    def start() -> list[Any]:
        workers = [context.Process(target=work, args=(url, "branch", ROWS)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        return workers

    workers = start()
    while len(study.get_trials(deepcopy=False)) < ROWS / 2:
        workers[0].join(0.2)
        assert all(worker.exitcode in (None, 0) for worker in workers)
    for worker in workers:
        worker.kill()
        worker.join()
    for worker in (workers := start()):
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    assert ROWS <= len(complete) < ROWS + WORKERS
    assert len(set(claims_of(study).values())) == len(claims_of(study)) == 4
    assert_branch_is_recovered(study)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "sqlite", "journal"])
def test_a_row_is_the_same_in_every_storage_and_when_it_is_resumed(
    kind: str, tmp_path: Path
) -> None:
    whole = run(training, DesignSampler(3), 24)
    storage = storage_of(kind, tmp_path)
    study = optuna.create_study(storage=storage, sampler=DesignSampler(3), study_name="s")
    study.optimize(training, n_trials=10)
    again = optuna.load_study(study_name="s", storage=storage, sampler=DesignSampler(3))
    again.sampler.reseed_rng()
    again.optimize(training, n_trials=14)
    assert [trial.params for trial in again.trials] == [trial.params for trial in whole.trials]
    assert [trial.params for trial in run(training, DesignSampler(4), 3).trials] != [
        trial.params for trial in whole.trials[:3]
    ]


def test_values_are_those_of_the_scrambled_sequence() -> None:
    sequence = qmc.Sobol(COORDINATES, scramble=True, rng=np.random.default_rng(0)).random_base2(5)
    study = run(
        lambda t: t.suggest_float("x", 0, 1) + t.suggest_float("y", 2, 4), DesignSampler(), 32
    )
    expected = np.column_stack([sequence[:, 0], 2 + 2 * sequence[:, 1]])
    found = np.array(values_of(study, ("x", "y")), dtype=np.float64)
    np.testing.assert_allclose(found, expected)


def test_threads_share_one_design() -> None:
    """The values of a row do not depend on the threads, whichever parameter was seen first."""
    study = optuna.create_study(sampler=DesignSampler(), direction="maximize")
    study.optimize(lambda t: t.suggest_float("x", 0, 1) + t.suggest_int("n", 0, 7), 64, n_jobs=4)
    alone = run(
        lambda t: t.suggest_float("x", 0, 1) + t.suggest_int("n", 0, 7), DesignSampler(), 64
    )
    assert values_of(study, ("x", "n")) == values_of(alone, ("x", "n"))


@pytest.mark.parametrize("exponent", [5, 8])
def test_marginals_are_balanced(exponent: int) -> None:
    """Every half, quarter and so on of a range has equally many of 2^k trials."""

    def objective(trial: Trial) -> float:
        for i in range(20):
            trial.suggest_float(f"x{i}", 0, 1)
        return float(trial.suggest_categorical("c", [0, 1, 2, 3]))

    study = run(objective, DesignSampler(1), 2**exponent)
    for name in (f"x{i}" for i in range(20)):
        units = np.array(values_of(study, (name,)), dtype=np.float64)[:, 0]
        for parts in (2, 4, 8, 16):
            counts = np.bincount((units * parts).astype(np.int64), minlength=parts)
            assert set(counts.tolist()) == {2**exponent // parts}
    chosen = [choice for (choice,) in values_of(study, ("c",))]
    assert {chosen.count(choice) for choice in range(4)} == {2**exponent // 4}


def test_conditional_parameters_have_coordinates_of_their_own() -> None:
    study = run(branch, DesignSampler(), 64)
    assert claims_of(study) == {"c": 0, "z": 1, "x": 2, "y": 3} or claims_of(study) == {
        "c": 0, "z": 1, "y": 2, "x": 3
    }  # fmt: skip


class Racing(DesignSampler):
    """A worker that finds, whenever it claims a coordinate, that another one has claimed it too."""

    def sample_independent(self, study: Study, trial: Any, param_name: str, *rest: Any) -> Any:
        """Claim the same coordinate for another parameter at the same moment."""
        known = claims_of(study)
        value = super().sample_independent(study, trial, param_name, *rest)
        if param_name not in known:
            claimed = claims_of(study)[param_name]
            design_sampler._claim(study, f"other {param_name}", claimed)
        return value


def test_a_race_repairs_itself() -> None:
    """Two names claim one coordinate; the next trial gives one of them another, for good."""
    study = optuna.create_study(sampler=Racing())
    study.optimize(lambda t: t.suggest_float("x", 0, 1) + t.suggest_float("y", 0, 1), n_trials=1)
    assert claims_of(study) == {"x": 0, "other x": 0, "y": 2, "other y": 2}
    study.sampler = DesignSampler()
    names = ("x", "y", "other x", "other y")

    def objective(trial: Trial) -> float:
        return sum(trial.suggest_float(name, 0, 1) for name in names)

    study.optimize(objective, n_trials=16)
    coordinates = claims_of(study)
    assert sorted(coordinates) == sorted(names)
    assert len(set(coordinates.values())) == 4
    for row in values_of(study, names):
        assert len(set(row)) == 4


def test_within_a_trial_no_two_parameters_share_a_coordinate() -> None:
    """Also where another worker claims, in the middle of a trial, what the trial has taken."""
    study = optuna.create_study(sampler=DesignSampler())
    trial = study.ask()
    x = trial.suggest_float("x", 0, 1)
    design_sampler._claim(study, "y", claims_of(study)["x"])
    assert trial.suggest_float("y", 0, 1) != x
    design_sampler._claim(study, "z", 1)
    z = trial.suggest_float("z", 0, 1)
    assert len({x, trial.params["y"], z}) == 3


def test_claims_are_resolved_the_same_way_everywhere() -> None:
    claims = {"b": 0, "a": 0, "c": 0, "d": 2, "e": 2}
    resolved = resolve_claims(claims)
    assert resolved == {"a": 0, "d": 2, "b": 1, "c": 3, "e": 4}
    assert resolve_claims(dict(reversed(claims.items()))) == resolved
    assert resolve_claims(resolved) == resolved


def test_another_seed_is_refused() -> None:
    study = run(branch, DesignSampler(0), 2)
    study.sampler = DesignSampler(1)
    with pytest.raises(ValueError, match=r"was started with DesignSampler\(seed=0\), not 1; use"):
        study.optimize(branch, n_trials=1)


def test_more_names_than_coordinates_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(design_sampler, "COORDINATES", 3)
    study = optuna.create_study(sampler=DesignSampler())
    with pytest.raises(ValueError, match="no coordinate is left for the parameter 'x3'"):
        study.optimize(lambda t: sum(t.suggest_float(f"x{i}", 0, 1) for i in range(4)), n_trials=1)


def test_any_row_is_found_at_any_time() -> None:
    sampler = DesignSampler()
    study = optuna.create_study(sampler=sampler)
    ahead = sampler._sequence.row(10_000).copy()
    first = sampler._sequence.row(0).copy()
    assert np.array_equal(DesignSampler()._sequence.row(10_000), ahead)
    assert np.array_equal(DesignSampler()._sequence.row(0), first)
    trial = optuna.trial.create_trial(state=TrialState.RUNNING)
    trial.number = 10_000
    value = sampler.sample_independent(study, trial, "x", FloatDistribution(0, 1))
    assert value == ahead[0]


def test_it_can_be_sent_to_another_process() -> None:
    sampler: BaseSampler = pickle.loads(pickle.dumps(DesignSampler(5)))
    found = run(branch, sampler, 4)
    assert [trial.params for trial in found.trials] == [
        trial.params for trial in run(branch, DesignSampler(5), 4).trials
    ]


def test_an_enqueued_trial_takes_a_row_and_changes_no_other() -> None:
    study = optuna.create_study(sampler=DesignSampler(), direction="maximize")
    study.enqueue_trial({"c": "a", "z": 0, "x": 0.5})
    study.optimize(branch, n_trials=8)
    plain = run(branch, DesignSampler(), 8)
    assert study.trials[0].params == {"c": "a", "z": 0, "x": 0.5}
    same = ("c", "z")
    assert len(values_of(study, same)) == len(values_of(plain, same)) == 8


def test_sampler_and_analysis_do_not_load_torch() -> None:
    program = (
        "import sys\n"
        "import training_factors.study.analysis.optuna_evaluator\n"
        "import training_factors.study.running.design_sampler\n"
        "sys.exit('torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert ended.returncode == 0


def test_studies_may_share_a_sampler() -> None:
    """Also while a trial of each is running."""
    sampler = DesignSampler()
    one, other = (optuna.create_study(sampler=sampler) for _ in range(2))
    first, second = one.ask(), other.ask()
    first.suggest_float("x", 0, 1), first.suggest_float("y", 0, 1)
    assert second.suggest_float("y", 0, 1) == first.params["x"]
    assert claims_of(other) == {"y": 0}


def test_a_pruner_that_shows_the_sampler_a_part_of_the_study() -> None:
    def objective(trial: Trial) -> float:
        value = trial.suggest_float("x", 0, 1)
        trial.report(value, 1)
        trial.should_prune()
        return value + trial.suggest_float("y", 0, 1)

    study = optuna.create_study(sampler=DesignSampler(), pruner=HyperbandPruner())
    study.optimize(objective, n_trials=8)
    names = ("x", "y")
    assert values_of(study, names) == values_of(run(objective, DesignSampler(), 8), names)
