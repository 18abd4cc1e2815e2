"""Trials as we write them are trials as Optuna writes them."""

import math
from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from training_factors.storage.database import Database
from training_factors.storage.live_trial import (
    LiveTrial,
    release_claim,
    resume_trial,
    start_trial,
)
from training_factors.storage.run_queue import Claim, LostClaimError, PhaseProgress, Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study
from training_factors.storage.trials import read_frozen_trials, read_trials

PARAMETERS: dict[str, Any] = {
    "optimizer": "sgd",
    "optimizer.sgd.lr": 0.1 + 0.2,
    "optimizer.sgd.nesterov": True,
    "blocks": 3,
    "scale": 1.0,
}
DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "optimizer": CategoricalDistribution(["adam", "sgd"]),
    "optimizer.sgd.lr": FloatDistribution(1e-3, 1, log=True),
    "optimizer.sgd.nesterov": CategoricalDistribution([False, True]),
    "blocks": IntDistribution(1, 8),
    "scale": FloatDistribution(0, 2, step=0.5),
}
ATTRIBUTES = {"phase": "measure", "row": 0, "seed": 2**32 - 1, "device": "cpu", "note": 'ä"\\'}


@pytest.fixture
def study(any_study: Study) -> Study:
    any_study.queue.add([Run("measure", row) for row in range(3)])
    return any_study


def claim(study: Study, owner: str = "me") -> Claim:
    claimed = study.queue.claim(owner)
    assert claimed is not None
    return claimed


def claim_again(study: Study, run: Run) -> Claim:
    """What was begun before is claimed last."""
    while (held := claim(study, "another")).run != run:
        pass
    return held


def begun(study: Study, held: Claim | None = None) -> LiveTrial:
    return start_trial(study, held or claim(study), PARAMETERS, DISTRIBUTIONS, ATTRIBUTES)


def state_of(study: Study, number: int = 0) -> TrialState:
    return read_frozen_trials(study)[number].state


def test_a_study_is_one_of_optuna_s(any_database: Database) -> None:
    ours = create_study(any_database, "ours", Stamp("accuracy")).optuna_study
    theirs = optuna.create_study(
        study_name="theirs", storage=any_database.storage, direction="maximize"
    )
    assert ours.directions == theirs.directions
    assert ours.user_attrs == {"stamp": Stamp("accuracy").as_document()}
    assert ours.metric_names == ["validation accuracy"]
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    ours.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert [trial.number for trial in ours.trials] == [0, 1]


def test_a_finished_trial_is_what_optuna_would_have_written(study: Study) -> None:
    trial = begun(study)
    trial.report({0: 0.25, 2: math.nan})
    trial.complete(0.1 + 0.7, {"metrics": {"accuracy": 0.8}}, {2: 0.5, 4: math.inf})
    template = create_trial(
        state=TrialState.COMPLETE,
        value=0.1 + 0.7,
        params=PARAMETERS,
        distributions=DISTRIBUTIONS,
        user_attrs={**ATTRIBUTES, "metrics": {"accuracy": 0.8}},
        intermediate_values={0: 0.25, 2: 0.5, 4: math.inf},
    )
    number = study.database.storage.create_new_trial(study.study_id, template_trial=template)
    assert number
    ours, theirs = read_frozen_trials(study)
    assert ours.number == 0 and theirs.number == 1
    for field in ("state", "value", "params", "distributions", "user_attrs", "system_attrs"):
        assert getattr(ours, field) == getattr(theirs, field)
    assert ours.intermediate_values == theirs.intermediate_values
    assert list(ours.params) == list(theirs.params) == list(PARAMETERS)
    assert ours.datetime_start and ours.datetime_complete
    assert abs((theirs.datetime_start or ours.datetime_start) - ours.datetime_start).seconds < 60


def as_text(trial: FrozenTrial) -> dict[str, str]:
    """All of a trial, comparable though some of it is not a number; attributes have no order."""
    attributes = ("user_attrs", "system_attrs", "intermediate_values")
    ordered = {name: sorted(getattr(trial, name).items()) for name in attributes}
    fields = ("number", "_trial_id", "state", "values", "params", "distributions",
              "datetime_start", "datetime_complete")  # fmt: skip
    found = ordered | {name: getattr(trial, name) for name in fields}
    return {name: repr(value) for name, value in found.items()}


def test_trials_are_read_as_optuna_reads_them(study: Study) -> None:
    begun(study).complete(0.5, {"time_s": 1.5}, {0: 0.25, 1: math.nan, 2: -math.inf})
    begun(study).fail("no memory")
    begun(study).report({1: 0.5})
    storage, number = study.database.storage, study.study_id
    study.optuna_study.enqueue_trial({"x": 1}, user_attrs={"Größe": [1, {"a": None}]})
    storage.create_new_trial(number, create_trial(state=TrialState.COMPLETE, values=[math.inf]))
    for known, last in ((set(), -1), (set(), 2), ({1, 3}, 3), ({1, 2, 3, 4, 5}, 99)):
        asked = (number, None, {*known}, last)
        ours, theirs = storage._get_trials(*asked), RDBStorage._get_trials(storage, *asked)
        assert [as_text(trial) for trial in ours] == [as_text(trial) for trial in theirs]
    states = (TrialState.RUNNING, TrialState.FAIL)
    ours = storage.get_all_trials(number, states=states)
    assert [trial.state for trial in ours] == [TrialState.FAIL, TrialState.RUNNING]
    with pytest.raises(KeyError):
        storage.get_all_trials(number + 1)


def test_numbers_count_up(study: Study) -> None:
    assert [begun(study, claim(study, owner)).number for owner in "abc"] == [0, 1, 2]


def test_ends_go_to_both_tables_at_once(study: Study) -> None:
    begun(study).prune(0.5, {"time_s": 1.5}, {1: 0.5})
    begun(study).fail("no memory")
    trials = read_trials(study)
    assert [trial.state for trial in trials] == ["PRUNED", "FAIL"]
    assert (trials[0].time_s, trials[0].value, trials[0].curve) == (1.5, 0.5, {1: 0.5})
    assert trials[1].attributes["reason"] == "no memory"
    assert study.queue.progress() == {"measure": PhaseProgress(waiting=1, done=2)}


def test_a_run_that_was_handed_back_goes_on_in_its_trial(study: Study) -> None:
    trial = begun(study)
    trial.report({0: 0.5})
    release_claim(study, trial.claim)
    assert state_of(study) is TrialState.WAITING
    held = claim_again(study, trial.claim.run)
    again = resume_trial(study, held)
    assert (again.number, again.parameters) == (trial.number, PARAMETERS)
    assert again.attributes == ATTRIBUTES
    assert state_of(study) is TrialState.RUNNING
    again.complete(1.0, {}, {0: 0.75, 1: 1.0})
    assert read_trials(study)[0].curve == {0: 0.75, 1: 1.0}


def test_a_void_claim_can_do_nothing_to_its_trial(study: Study) -> None:
    trial = begun(study)
    release_claim(study, trial.claim)
    resume_trial(study, claim_again(study, trial.claim.run))
    with pytest.raises(LostClaimError):
        trial.report({0: 0.0})
    with pytest.raises(LostClaimError):
        trial.complete(0.0, {"metrics": {}}, {})
    with pytest.raises(LostClaimError):
        release_claim(study, trial.claim)
    with pytest.raises(LostClaimError):
        begun(study, trial.claim)
    (stored,) = read_trials(study)
    assert (stored.state, stored.curve, stored.metrics) == ("RUNNING", {}, {})


def test_handing_back_before_there_is_a_trial(study: Study) -> None:
    held = claim(study)
    release_claim(study, held)
    assert read_trials(study) == []
    assert claim_again(study, held.run).attempt == 2


class LostOnce:
    """A connection that is lost once, right after a commit: its answer never arrives."""

    def __init__(self, study: Study) -> None:
        from sqlalchemy import event

        self.is_due = True
        event.listen(study.database.engine, "commit", self._lose)

    def _lose(self, connection: Any) -> None:
        from sqlalchemy.exc import OperationalError

        if self.is_due:
            self.is_due = False
            connection.connection.commit()
            raise OperationalError("COMMIT", None, ConnectionError("lost"))


@pytest.fixture
def patient(study: Study) -> Study:
    """The study, on a database that is waited for."""
    database = study.database._replace(retry_timeout_s=10)
    return study._replace(database=database, queue=study.queue._replace(database=database))


def test_a_commit_whose_answer_is_lost_was_done_once(patient: Study) -> None:
    LostOnce(patient)
    held = claim(patient)
    assert [one.claim for one in patient.queue.active_claims()] == [held]
    LostOnce(patient)
    trial = begun(patient, held)
    assert len(read_trials(patient)) == 1
    LostOnce(patient)
    trial.report({0: 0.5})
    LostOnce(patient)
    trial.complete(1.0, {"metrics": {}}, {1: 1.0})
    assert read_trials(patient)[0].curve == {0: 0.5, 1: 1.0}
    assert patient.queue.progress() == {"measure": PhaseProgress(waiting=2, done=1)}
    second = begun(patient)
    LostOnce(patient)
    release_claim(patient, second.claim)
    assert patient.queue.progress() == {"measure": PhaseProgress(waiting=2, done=1)}
