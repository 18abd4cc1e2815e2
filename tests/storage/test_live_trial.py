"""Trials are written and read exactly as Optuna writes and reads them."""

import math
import time
from datetime import UTC, datetime, timedelta
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
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from training_factors.storage.database import Database
from training_factors.storage.live_trial import (
    LiveTrial,
    release_claim,
    resume_trial,
    start_trial,
    utc_now,
)
from training_factors.storage.run_queue import Claim, LostClaimError, PhaseProgress, Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study
from training_factors.storage.trials import read_frozen_trials, read_trials, uncounted_trials

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


def reclaim(study: Study, run: Run) -> Claim:
    """Claim a released run, which is claimed last."""
    while (held := claim(study, "another")).run != run:
        pass
    return held


def start(study: Study, held: Claim | None = None) -> LiveTrial:
    return start_trial(study, held or claim(study), PARAMETERS, DISTRIBUTIONS, ATTRIBUTES)


def state_of(study: Study, number: int = 0) -> TrialState:
    return read_frozen_trials(study)[number].state


def test_a_study_is_as_optuna_creates_it(any_database: Database) -> None:
    ours = create_study(any_database, "ours", Stamp("accuracy")).optuna_study
    theirs = optuna.create_study(
        study_name="theirs", storage=any_database.storage, direction="maximize"
    )
    assert ours.directions == theirs.directions
    attributes = ours.user_attrs
    assert attributes.pop("study_key") and attributes.pop("bound_to") is not None
    assert attributes == {"stamp": Stamp("accuracy").as_document(), "created_as": "ours"}
    assert ours.metric_names == ["validation accuracy"]
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    ours.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    assert [trial.number for trial in ours.trials] == [0, 1]


def test_a_finished_trial_is_as_optuna_writes_it(study: Study) -> None:
    trial = start(study)
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
    ours, theirs = study.optuna_study.get_trials()
    assert read_frozen_trials(study) == [ours]
    assert uncounted_trials(study) == [1]
    assert ours.number == 0 and theirs.number == 1
    for field in ("state", "value", "params", "distributions", "user_attrs", "system_attrs"):
        assert getattr(ours, field) == getattr(theirs, field)
    assert ours.intermediate_values == theirs.intermediate_values
    assert list(ours.params) == list(theirs.params) == list(PARAMETERS)
    assert ours.datetime_start and ours.datetime_complete


def as_text(trial: FrozenTrial) -> dict[str, str]:
    """Return the fields of a trial as text, since NaN differs from itself; sort its attributes."""
    attributes = ("user_attrs", "system_attrs", "intermediate_values")
    ordered = {name: sorted(getattr(trial, name).items()) for name in attributes}
    fields = ("number", "_trial_id", "state", "values", "params", "distributions",
              "datetime_start", "datetime_complete")  # fmt: skip
    values = ordered | {name: getattr(trial, name) for name in fields}
    return {name: repr(value) for name, value in values.items()}


def in_utc(trial: FrozenTrial) -> FrozenTrial:
    """Convert the times of a trial that Optuna has read from the local time zone to UTC."""
    for name in ("datetime_start", "datetime_complete"):
        local = getattr(trial, name)
        if local is not None:
            setattr(trial, name, local.astimezone(UTC).replace(tzinfo=None))
    return trial


def test_trials_are_read_as_optuna_reads_them(study: Study) -> None:
    start(study).complete(0.5, {"time_s": 1.5}, {0: 0.25, 1: math.nan, 2: -math.inf})
    start(study).fail("no memory")
    start(study).report({1: 0.5})
    storage, number = study.database.storage, study.study_id
    study.optuna_study.enqueue_trial({"x": 1}, user_attrs={"Größe": [1, {"a": None}]})
    storage.create_new_trial(number, create_trial(state=TrialState.COMPLETE, values=[math.inf]))
    for known, last in ((set(), -1), (set(), 2), ({1, 3}, 3), ({1, 2, 3, 4, 5}, 99)):
        arguments = (number, None, {*known}, last)
        ours = storage._get_trials(*arguments)
        theirs = RDBStorage._get_trials(storage, *arguments)
        assert [as_text(trial) for trial in ours] == [as_text(in_utc(trial)) for trial in theirs]
    states = (TrialState.RUNNING, TrialState.FAIL)
    ours = storage.get_all_trials(number, states=states)
    assert [trial.state for trial in ours] == [TrialState.FAIL, TrialState.RUNNING]
    with pytest.raises(KeyError):
        storage.get_all_trials(number + 1)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows sets no time zone for a process")
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_times_are_utc_in_every_time_zone(
    study: Study, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        before = datetime.now(UTC).replace(tzinfo=None)
        assert before != datetime.now(), "the zone is in effect"
        released = start(study)
        release_claim(study, released.claim)
        resume_trial(study, reclaim(study, released.claim.run)).complete(0.5, {}, {})
        after = utc_now()
    finally:
        monkeypatch.undo()
        time.tzset()
    (stored,) = read_frozen_trials(study)
    assert stored.datetime_start and stored.datetime_complete
    second = timedelta(seconds=1)  # MySQL stores no fractions
    assert before - second <= stored.datetime_start <= stored.datetime_complete <= after + second


def test_trials_are_numbered_in_order(study: Study) -> None:
    assert [start(study, claim(study, owner)).number for owner in "abc"] == [0, 1, 2]


def test_the_end_of_a_trial_is_the_end_of_its_run(study: Study) -> None:
    start(study).prune(0.5, {"time_s": 1.5}, {1: 0.5})
    start(study).fail("no memory")
    trials = read_trials(study)
    assert [trial.state for trial in trials] == ["PRUNED", "FAIL"]
    assert (trials[0].time_s, trials[0].value, trials[0].curve) == (1.5, 0.5, {1: 0.5})
    assert trials[1].attributes["reason"] == "no memory"
    assert study.queue.progress() == {"measure": PhaseProgress(waiting=1, done=2)}


def test_a_released_run_is_resumed_in_its_trial(study: Study) -> None:
    trial = start(study)
    trial.report({0: 0.5})
    release_claim(study, trial.claim)
    assert state_of(study) is TrialState.WAITING
    held = reclaim(study, trial.claim.run)
    resumed = resume_trial(study, held)
    assert (resumed.number, resumed.parameters) == (trial.number, PARAMETERS)
    assert resumed.attributes == ATTRIBUTES
    assert state_of(study) is TrialState.RUNNING
    resumed.complete(1.0, {}, {0: 0.75, 1: 1.0})
    assert read_trials(study)[0].curve == {0: 0.75, 1: 1.0}


def test_a_void_claim_cannot_change_its_trial(study: Study) -> None:
    trial = start(study)
    release_claim(study, trial.claim)
    resume_trial(study, reclaim(study, trial.claim.run))
    with pytest.raises(LostClaimError):
        trial.report({0: 0.0})
    with pytest.raises(LostClaimError):
        trial.complete(0.0, {"metrics": {}}, {})
    with pytest.raises(LostClaimError):
        release_claim(study, trial.claim)
    with pytest.raises(LostClaimError):
        start(study, trial.claim)
    (stored,) = read_trials(study)
    assert (stored.state, stored.curve, stored.metrics) == ("RUNNING", {}, {})


def test_a_claim_is_released_before_there_is_a_trial(study: Study) -> None:
    held = claim(study)
    release_claim(study, held)
    assert read_trials(study) == []
    assert reclaim(study, held.run).attempt == 2


class LostOnce:
    """Lose the connection once, right after a commit, whose answer never arrives."""

    def __init__(self, study: Study) -> None:
        self.is_due = True
        event.listen(study.database.engine, "commit", self._lose)

    def _lose(self, connection: Any) -> None:
        if self.is_due:
            self.is_due = False
            connection.connection.commit()
            raise OperationalError("COMMIT", None, ConnectionError("lost"))


@pytest.fixture
def retried(study: Study) -> Study:
    """The study, with a retry timeout."""
    database = study.database._replace(retry_timeout_s=10)
    return study._replace(database=database, queue=study.queue._replace(database=database))


def test_a_commit_whose_answer_is_lost_is_not_repeated(retried: Study) -> None:
    LostOnce(retried)
    held = claim(retried)
    assert [active.claim for active in retried.queue.active_claims()] == [held]
    LostOnce(retried)
    trial = start(retried, held)
    assert len(read_trials(retried)) == 1
    LostOnce(retried)
    trial.report({0: 0.5})
    LostOnce(retried)
    trial.complete(1.0, {"metrics": {}}, {1: 1.0})
    assert read_trials(retried)[0].curve == {0: 0.5, 1: 1.0}
    assert retried.queue.progress() == {"measure": PhaseProgress(waiting=2, done=1)}
    second = start(retried)
    LostOnce(retried)
    release_claim(retried, second.claim)
    assert retried.queue.progress() == {"measure": PhaseProgress(waiting=2, done=1)}
