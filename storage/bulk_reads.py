"""Optuna's storage, with trials read in a few large statements.

Optuna reads a trial as some fifty objects of SQLAlchemy's: 6,250 trials of digits took it 11.3 to
12.0 s. The same rows as plain tuples, each distribution decoded once, took 1.9 to 2.0 s in the same
three processes (SQLite, one core of an AMD EPYC).
"""

import json
from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from functools import partial
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Table, or_, select
from sqlalchemy.sql.elements import ColumnElement

_STUDIES: Table = models.StudyModel.__table__
_TRIALS: Table = models.TrialModel.__table__
_PARAMETERS: Table = models.TrialParamModel.__table__
_VALUES: Table = models.TrialValueModel.__table__
_STEPS: Table = models.TrialIntermediateValueModel.__table__
_ATTRIBUTES: Table = models.TrialUserAttributeModel.__table__
_SYSTEM: Table = models.TrialSystemAttributeModel.__table__

TrialValues = dict[int, dict[Any, Any]]
"""Trial's id -> what one table has of it."""


class BulkReadStorage(RDBStorage):
    """Optuna's own, but for how it reads trials (`tests/storage/test_trials.py` compares)."""

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """Trials behind the last one that is known, and some of those before, by their ids."""
        behind: ColumnElement[bool] = _TRIALS.c.trial_id > trial_id_greater_than
        known = [trial for trial in included_trial_ids if trial <= trial_id_greater_than]
        wanted = (_TRIALS.c.study_id == study_id) & (
            or_(behind, _TRIALS.c.trial_id.in_(known)) if known else behind
        )
        with self.engine.connect() as connection:
            trials = list(_read(connection, wanted))
            if not trials and not _is_there(connection, study_id):
                raise KeyError(models.NOT_FOUND_MSG)
        return [trial for trial in trials if states is None or trial.state in states]


def _is_there(connection: Connection, study_id: int) -> bool:
    found = select(_STUDIES.c.study_id).where(_STUDIES.c.study_id == study_id)
    return connection.execute(found).first() is not None


def _read(connection: Connection, wanted: ColumnElement[bool]) -> Iterator[FrozenTrial]:
    columns = ("trial_id", "number", "state", "datetime_start", "datetime_complete")
    listed = select(*(_TRIALS.c[name] for name in columns)).where(wanted)
    heads = connection.execute(listed.order_by(_TRIALS.c.trial_id)).all()
    if not heads:
        return
    part = partial(_part, connection, wanted)
    distributions = part(_PARAMETERS, "param_name", _decoder(), "distribution_json")
    inner = part(_PARAMETERS, "param_name", float, "param_value")
    values = part(_VALUES, "objective", _value, "value", "value_type")
    steps = part(_STEPS, "step", _step, "intermediate_value", "intermediate_value_type")
    user = part(_ATTRIBUTES, "key", json.loads, "value_json")
    system = part(_SYSTEM, "key", json.loads, "value_json")
    for trial_id, number, state, start, complete in heads:
        own = distributions[trial_id]
        yield FrozenTrial(
            number=number,
            state=state,
            value=None,
            values=[value for _, value in sorted(values[trial_id].items())] or None,
            datetime_start=start,
            datetime_complete=complete,
            params={name: own[name].to_external_repr(x) for name, x in inner[trial_id].items()},
            distributions=own,
            user_attrs=user[trial_id],
            system_attrs=system[trial_id],
            intermediate_values=steps[trial_id],
            trial_id=trial_id,
        )


def _part(
    connection: Connection,
    wanted: ColumnElement[bool],
    table: Table,
    key: str,
    decode: Callable[..., Any],
    *columns: str,
) -> TrialValues:
    """What a table has of trials: a column -> what others are decoded to, as they were written."""
    (identity,) = table.primary_key.columns
    chosen = (table.c[name] for name in ("trial_id", key, *columns))
    rows = select(*chosen).join(_TRIALS, _TRIALS.c.trial_id == table.c.trial_id).where(wanted)
    found: TrialValues = defaultdict(dict)
    for trial_id, name, *stored in connection.execute(rows.order_by(identity)):
        found[trial_id][name] = decode(*stored)
    return found


def _decoder() -> Callable[[str], BaseDistribution]:
    """Distributions from their texts, equal ones once."""
    known: dict[str, BaseDistribution] = {}

    def decode(text: str) -> BaseDistribution:
        if text not in known:
            known[text] = json_to_distribution(text)
        return known[text]

    return decode


_value = models.TrialValueModel.stored_repr_to_value
_step = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
