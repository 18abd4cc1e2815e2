"""A run as one of Optuna's trials: created whole, reported to, ended once.

Every change is one transaction with the queue's row of the run, so that the two never differ,
and a claim that is void changes neither. Optuna writes a trial in some 150 statements, one
transaction for each attribute; what is written here is the same rows in six, and is read back
through Optuna (`tests/storage/test_trials.py` compares the two).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Table, and_, delete, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from training_factors.storage.database import lock_study
from training_factors.storage.retry import retry
from training_factors.storage.run_queue import DONE, WAITING, Claim
from training_factors.storage.studies import Study

_TRIALS: Table = models.TrialModel.__table__
_PARAMETERS: Table = models.TrialParamModel.__table__
_ATTRIBUTES: Table = models.TrialUserAttributeModel.__table__
_VALUES: Table = models.TrialValueModel.__table__
_STEPS: Table = models.TrialIntermediateValueModel.__table__


class LiveTrial(NamedTuple):
    """A trial that is being run under a claim.

    parameters, attributes: as they stand in the database.

    Its methods raise LostClaimError when the claim is void; then they have changed nothing.
    """

    study: Study
    claim: Claim
    trial_id: int
    number: int
    parameters: dict[str, Any]
    attributes: dict[str, Any]

    def report(self, curve: Mapping[int, float]) -> None:
        """Write intermediate values, epoch -> value, over those of an earlier attempt."""

        def attempt(again: bool) -> None:
            with self.study.database.engine.begin() as connection:
                self.study.queue.update_claimed(connection, self.claim)
                self._write_curve(connection, curve)

        retry(self.study.database, attempt)

    def complete(
        self, value: float, attributes: Mapping[str, Any], curve: Mapping[int, float]
    ) -> None:
        """End as COMPLETE, with the rest of the curve."""
        self._end(TrialState.COMPLETE, value, attributes, curve)

    def prune(
        self, value: float, attributes: Mapping[str, Any], curve: Mapping[int, float]
    ) -> None:
        """End as PRUNED, with the rest of the curve; the value is the last one's."""
        self._end(TrialState.PRUNED, value, attributes, curve)

    def fail(self, reason: str) -> None:
        """End as FAIL with its reason."""
        self._end(TrialState.FAIL, None, {"reason": reason}, {})

    def _end(
        self,
        state: TrialState,
        value: float | None,
        attributes: Mapping[str, Any],
        curve: Mapping[int, float],
    ) -> None:
        def attempt(again: bool) -> None:
            with self.study.database.engine.begin() as connection:
                if self.study.queue.update_claimed(connection, self.claim, state=DONE):
                    return
                self._write_curve(connection, curve)
                _write_attributes(connection, self.trial_id, attributes)
                if value is not None:
                    stored, kind = models.TrialValueModel.value_to_stored_repr(value)
                    row = {
                        "trial_id": self.trial_id, "objective": 0, "value": stored,
                        "value_type": kind,
                    }  # fmt: skip
                    connection.execute(insert(_VALUES), row)
                connection.execute(
                    update(_TRIALS)
                    .where(_TRIALS.c.trial_id == self.trial_id)
                    .values(state=state, datetime_complete=_now())
                )

        retry(self.study.database, attempt)

    def _write_curve(self, connection: Connection, curve: Mapping[int, float]) -> None:
        if not curve:
            return
        as_stored = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
        rows = []
        for step, value in curve.items():
            stored, kind = as_stored(value)
            rows.append(
                {
                    "trial_id": self.trial_id, "step": step, "intermediate_value": stored,
                    "intermediate_value_type": kind,
                }
            )  # fmt: skip
        connection.execute(
            delete(_STEPS).where(_STEPS.c.trial_id == self.trial_id, _STEPS.c.step.in_(curve))
        )
        connection.execute(insert(_STEPS), rows)


def start_trial(
    study: Study,
    claim: Claim,
    parameters: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    attributes: Mapping[str, Any],
) -> LiveTrial:
    """A new RUNNING trial for a claim. Raises LostClaimError when the claim is void."""

    def attempt(again: bool) -> LiveTrial:
        with study.database.engine.begin() as connection:
            # Trials are numbered in the order in which they are made, so one at a time.
            lock_study(connection, study.study_id)
            noted = study.queue.trial_number(connection, claim) if again else None
            if noted is not None:
                study.queue.update_claimed(connection, claim)
                found = connection.execute(select(_TRIALS.c.trial_id).where(_is(study, noted)))
                return live(found.scalar_one(), noted)
            number = _next_number(connection, study.study_id)
            trial_id = _insert_trial(connection, study.study_id, number)
            _write_parameters(connection, trial_id, parameters, distributions)
            _write_attributes(connection, trial_id, attributes)
            study.queue.update_claimed(connection, claim, trial=number)
            return live(trial_id, number)

    def live(trial_id: int, number: int) -> LiveTrial:
        return LiveTrial(study, claim, trial_id, number, dict(parameters), dict(attributes))

    return retry(study.database, attempt)


def resume_trial(study: Study, claim: Claim) -> LiveTrial:
    """The trial of an earlier attempt, RUNNING again.

    Raises LostClaimError when the claim is void.
    """
    assert claim.trial is not None
    number = claim.trial

    def attempt(again: bool) -> FrozenTrial:
        with study.database.engine.begin() as connection:
            study.queue.update_claimed(connection, claim)
            connection.execute(
                update(_TRIALS)
                .where(_is(study, number), _TRIALS.c.state == TrialState.WAITING)
                .values(state=TrialState.RUNNING, datetime_start=_now())
            )
        storage = study.database.storage
        return storage.get_trial(
            storage.get_trial_id_from_study_id_trial_number(study.study_id, number)
        )

    stored = retry(study.database, attempt)
    return LiveTrial(study, claim, stored._trial_id, number, stored.params, stored.user_attrs)


def release_claim(study: Study, claim: Claim) -> None:
    """Let another worker, or a later start, run it; its trial waits meanwhile.

    Raises LostClaimError when the claim is void.
    """

    def attempt(again: bool) -> None:
        with study.database.engine.begin() as connection:
            if study.queue.update_claimed(connection, claim, state=WAITING, owner=None):
                return
            noted = study.queue.trial_number(connection, claim)
            if noted is not None:
                connection.execute(
                    update(_TRIALS)
                    .where(_is(study, noted), _TRIALS.c.state == TrialState.RUNNING)
                    .values(state=TrialState.WAITING)
                )

    retry(study.database, attempt)


def _next_number(connection: Connection, study_id: int) -> int:
    """As many trials as there are; the last one's number says so without counting them."""
    last = select(_TRIALS.c.number).where(_TRIALS.c.study_id == study_id)
    number = connection.execute(last.order_by(_TRIALS.c.trial_id.desc()).limit(1)).scalar()
    return 0 if number is None else number + 1


def _insert_trial(connection: Connection, study_id: int, number: int) -> int:
    row = {
        "study_id": study_id, "number": number, "state": TrialState.RUNNING,
        "datetime_start": _now(),
    }  # fmt: skip
    (trial_id,) = connection.execute(insert(_TRIALS).values(row)).inserted_primary_key or (None,)
    assert isinstance(trial_id, int)
    return trial_id


def _write_parameters(
    connection: Connection,
    trial_id: int,
    parameters: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
) -> None:
    rows = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distributions[name].to_internal_repr(value),
            "distribution_json": distribution_to_json(distributions[name]),
        }
        for name, value in parameters.items()
    ]
    if rows:
        connection.execute(insert(_PARAMETERS), rows)


def _write_attributes(connection: Connection, trial_id: int, attributes: Mapping[str, Any]) -> None:
    rows = [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    if rows:
        connection.execute(insert(_ATTRIBUTES), rows)


def _is(study: Study, number: int) -> ColumnElement[bool]:
    return and_(_TRIALS.c.study_id == study.study_id, _TRIALS.c.number == number)


def _now() -> datetime:
    """As Optuna stores times: in UTC, without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)
