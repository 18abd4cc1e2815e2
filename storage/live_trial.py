"""Write the trial of a claimed run: start, resume, report, end and release it.

Each change updates the trial and the run's row of the queue in one transaction, so that the two
always agree; with a void claim neither changes. Optuna writes a trial in some 150 statements, with
a transaction for each attribute. This module writes the same rows in six statements, and they are
read through Optuna (`tests/storage/test_live_trial.py` compares the two).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import (
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)
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

_RESULTS = (_PARAMETERS, _ATTRIBUTES, _VALUES, _STEPS)
_HAS_RESULTS = select(
    or_(*(exists().where(table.c.trial_id == bindparam("trial")) for table in _RESULTS))
)
"""The query whether any table has rows of a trial, built once."""


class LiveTrial(NamedTuple):
    """A running trial and the claim of its run.

    trial_id: Optuna's id, unique in the database. number: of the trial in its study.
    parameters, attributes: as stored when the trial was started or resumed.

    All methods raise LostClaimError, and change nothing, if the claim is void.
    """

    study: Study
    claim: Claim
    trial_id: int
    number: int
    parameters: dict[str, Any]
    attributes: dict[str, Any]

    def report(self, curve: Mapping[int, float]) -> None:
        """Store intermediate values, epoch -> value, in place of those of an earlier attempt."""

        def attempt(is_retry: bool) -> None:
            with self.study.database.engine.begin() as connection:
                self.study.queue.update_claimed(connection, self.claim)
                self._write_curve(connection, curve)

        retry(self.study.database, attempt)

    def complete(
        self, value: float, attributes: Mapping[str, Any], curve: Mapping[int, float]
    ) -> None:
        """End the trial as COMPLETE; curve: the values that were not reported yet."""
        self._end(TrialState.COMPLETE, value, attributes, curve)

    def prune(
        self, value: float, attributes: Mapping[str, Any], curve: Mapping[int, float]
    ) -> None:
        """End the trial as PRUNED; value: the last one of its curve. curve: as in `complete`."""
        self._end(TrialState.PRUNED, value, attributes, curve)

    def fail(self, reason: str) -> None:
        """End the trial as FAIL; the reason is stored as an attribute."""
        self._end(TrialState.FAIL, None, {"reason": reason}, {})

    def _end(
        self,
        state: TrialState,
        value: float | None,
        attributes: Mapping[str, Any],
        curve: Mapping[int, float],
    ) -> None:
        def attempt(is_retry: bool) -> None:
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
                    .values(state=state, datetime_complete=utc_now())
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
    """Create the trial of a claim, in state RUNNING.

    distributions: of all parameters, by name. Raises LostClaimError if the claim is void.
    """

    def attempt(is_retry: bool) -> LiveTrial:
        with study.database.engine.begin() as connection:
            # Trials are numbered in the order of their creation, so one is created at a time.
            lock_study(connection, study.study_id)
            created = study.queue.trial_number(connection, claim) if is_retry else None
            if created is not None:
                study.queue.update_claimed(connection, claim)
                query = select(_TRIALS.c.trial_id).where(_has_number(study, created))
                return live_trial(connection.execute(query).scalar_one(), created)
            number = _next_number(connection, study.study_id)
            study.queue.update_claimed(connection, claim, trial=number)
            trial_id = _insert_trial(connection, study.study_id, number)
            _clear_results(connection, trial_id)
            _write_parameters(connection, trial_id, parameters, distributions)
            _write_attributes(connection, trial_id, attributes)
            return live_trial(trial_id, number)

    def live_trial(trial_id: int, number: int) -> LiveTrial:
        return LiveTrial(study, claim, trial_id, number, dict(parameters), dict(attributes))

    return retry(study.database, attempt)


def resume_trial(study: Study, claim: Claim) -> LiveTrial:
    """Continue the trial that an earlier attempt at the run created, in state RUNNING.

    Raises LostClaimError if the claim is void.
    """
    assert claim.trial is not None
    number = claim.trial

    def attempt(is_retry: bool) -> FrozenTrial:
        with study.database.engine.begin() as connection:
            study.queue.update_claimed(connection, claim)
            connection.execute(
                update(_TRIALS)
                .where(_has_number(study, number), _TRIALS.c.state == TrialState.WAITING)
                .values(state=TrialState.RUNNING, datetime_start=utc_now())
            )
        storage = study.database.storage
        return storage.get_trial(
            storage.get_trial_id_from_study_id_trial_number(study.study_id, number)
        )

    stored = retry(study.database, attempt)
    return LiveTrial(study, claim, stored._trial_id, number, stored.params, stored.user_attrs)


def release_claim(study: Study, claim: Claim) -> None:
    """Give up a claim, so that a worker can claim the run again; its trial is WAITING until then.

    Raises LostClaimError if the claim is void.
    """

    def attempt(is_retry: bool) -> None:
        with study.database.engine.begin() as connection:
            if study.queue.update_claimed(connection, claim, state=WAITING, owner=None):
                return
            number = study.queue.trial_number(connection, claim)
            if number is not None:
                connection.execute(
                    update(_TRIALS)
                    .where(_has_number(study, number), _TRIALS.c.state == TrialState.RUNNING)
                    .values(state=TrialState.WAITING)
                )

    retry(study.database, attempt)


def utc_now() -> datetime:
    """Return the current time in UTC, without a time zone: Optuna's columns have none."""
    return datetime.now(UTC).replace(tzinfo=None)


def _next_number(connection: Connection, study_id: int) -> int:
    """Return the number of the last trial plus one, which is quicker than counting all trials."""
    last = select(_TRIALS.c.number).where(_TRIALS.c.study_id == study_id)
    number = connection.execute(last.order_by(_TRIALS.c.trial_id.desc()).limit(1)).scalar()
    return 0 if number is None else number + 1


def _insert_trial(connection: Connection, study_id: int, number: int) -> int:
    row = {
        "study_id": study_id, "number": number, "state": TrialState.RUNNING,
        "datetime_start": utc_now(),
    }  # fmt: skip
    (trial_id,) = connection.execute(insert(_TRIALS).values(row)).inserted_primary_key or (None,)
    assert isinstance(trial_id, int)
    return trial_id


def _clear_results(connection: Connection, trial_id: int) -> None:
    """Delete what belongs to a trial of the same id that was deleted while its worker wrote.

    SQLite hands out the ids of deleted trials again, and Optuna has it check no references.
    """
    if connection.engine.dialect.name != "sqlite":
        return
    if connection.execute(_HAS_RESULTS, {"trial": trial_id}).scalar():
        for table in _RESULTS:
            connection.execute(delete(table).where(table.c.trial_id == trial_id))


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


def _has_number(study: Study, number: int) -> ColumnElement[bool]:
    return and_(_TRIALS.c.study_id == study.study_id, _TRIALS.c.number == number)
