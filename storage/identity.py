"""Bind what this tool's tables hold of a study to the study's random key.

A study that an earlier version made, or that was copied or imported, is given a key and a queue of
its own when it is first opened.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    delete,
    exists,
    func,
    insert,
    inspect,
    literal,
    select,
    update,
)

from training_factors.storage.bulk_reads import read_within
from training_factors.storage.database import Database, create_table, lock_study
from training_factors.storage.retry import retry
from training_factors.storage.run_queue import DONE, WAITING, Run
from training_factors.storage.tables import ANSWERS, EARLIER_NAMES, METADATA, RUNS, STUDY_KEY

CREATED_AS = "created_as"
"""Key of the study attribute that holds the name under which the study was created."""

CONFIRMS = "confirms"
"""Key of the study attribute that holds the key of the study that this one confirms."""

BOUND_TO = "bound_to"
"""Key of the study attribute that holds Optuna's id of the study for which its queue is right.

A copy, and a study that the dashboard has renamed, have the attribute of the study that they were
made from."""

_TRIALS: Table = models.TrialModel.__table__
_ATTRIBUTES: Table = models.StudyUserAttributeModel.__table__


class _QueueRow(NamedTuple):
    """A run of the queue and the number of its trial, None if there is none."""

    run: Run
    trial: int | None


def new_key() -> str:
    """Return a random key for a study."""
    return uuid.uuid4().hex


def write_attributes(connection: Connection, study_id: int, attributes: Mapping[str, Any]) -> None:
    """Insert user attributes of a study within a transaction."""
    rows = [
        {"study_id": study_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    connection.execute(insert(_ATTRIBUTES), rows)


def upgrade_study(
    database: Database, study_id: int, name: str, *, confirms: str | None = None
) -> str:
    """Give a study of an earlier version its key, and move its rows to today's tables.

    Rows that name a trial which is not in the study were those of a deleted study with the same
    id; their runs wait again.

    confirms: key of the study that it confirms. Returns the key of the study.

    Raises ValueError if the database cannot be written.
    """
    _refuse_read_only(database, "was made by an earlier version")
    create_tables(database)

    def attempt(is_retry: bool) -> str:
        with database.engine.begin() as connection:
            lock_study(connection, study_id)
            known = _read_attribute(connection, study_id, STUDY_KEY)
            if known is not None:
                return str(known)
            key = new_key()
            attributes: dict[str, Any] = {
                STUDY_KEY: key, CREATED_AS: name, BOUND_TO: study_id
            }  # fmt: skip
            if confirms is not None:
                attributes[CONFIRMS] = confirms
            write_attributes(connection, study_id, attributes)
            existing = inspect(connection).get_table_names()
            for earlier_name, table in EARLIER_NAMES.items():
                if earlier_name in existing:
                    _move_rows(connection, earlier_name, table, study_id, key)
            _release_runs_without_trial(connection, key, _read_trials(connection, study_id))
            return key

    return retry(database, attempt)


def ensure_own_queue(database: Database, study_id: int, attributes: Mapping[str, Any]) -> str:
    """Give a renamed, copied or imported study a queue that is right; return the study's key.

    A copy of a study in the same database gets a new key, and the runs of the original's queue. In
    the queue of a renamed study, and in that of a copy, a run has ended if its trial is there and
    has ended: runs may have ended between the copying of the trials and the deletion of the
    original. A study that has trials but no queue gets the runs of its trials. The queue's table
    must be there.

    attributes: the study's, as they were read. Raises ValueError if something is to be done and the
    database cannot be written.
    """
    key = str(attributes[STUDY_KEY])
    has_queue = select(exists().where(RUNS.c[STUDY_KEY] == key))
    has_trials = select(exists().where(_TRIALS.c.study_id == study_id))
    first_with_key = select(func.min(_ATTRIBUTES.c.study_id)).where(
        _ATTRIBUTES.c.key == STUDY_KEY, _ATTRIBUTES.c.value_json == json.dumps(key)
    )

    def attempt(is_retry: bool) -> str:
        if attributes.get(BOUND_TO) == study_id:
            with database.engine.connect() as connection:
                is_empty = not connection.execute(has_queue).scalar()
                if not (is_empty and connection.execute(has_trials).scalar()):
                    return key
        _refuse_read_only(database, "was renamed or copied")
        create_table(database, ANSWERS)
        with database.engine.begin() as connection:
            lock_study(connection, study_id)
            is_done = _read_attribute(connection, study_id, BOUND_TO) == study_id
            if is_done and connection.execute(has_queue).scalar():
                return str(_read_attribute(connection, study_id, STUDY_KEY))
            is_copy = connection.execute(first_with_key).scalar() != study_id
            trials = _read_trials(connection, study_id)
            return _write_queue(connection, study_id, key, trials, is_copy)

    return retry(database, attempt)


def _refuse_read_only(database: Database, words: str) -> None:
    if database.is_read_only:
        raise ValueError(
            f"a study of {database.url} {words} and has to be written once; copy the file to a "
            "folder that can be written, and name the copy with --storage"
        )


def create_tables(database: Database) -> None:
    """Create all tables of this tool that are missing."""
    for table in METADATA.sorted_tables:
        create_table(database, table)


def _read_trials(connection: Connection, study_id: int) -> list[FrozenTrial]:
    return list(read_within(connection, _TRIALS.c.study_id == study_id))


def _read_attribute(connection: Connection, study_id: int, name: str) -> Any:
    """Return a user attribute of a study; None if it has none of this name."""
    query = select(_ATTRIBUTES.c.value_json).where(
        _ATTRIBUTES.c.study_id == study_id, _ATTRIBUTES.c.key == name
    )
    text = connection.execute(query).scalar()
    return None if text is None else json.loads(text)


def _set_attributes(connection: Connection, study_id: int, attributes: Mapping[str, Any]) -> None:
    """Write user attributes of a study in place of earlier ones of these names."""
    connection.execute(
        delete(_ATTRIBUTES).where(
            _ATTRIBUTES.c.study_id == study_id, _ATTRIBUTES.c.key.in_(attributes)
        )
    )
    write_attributes(connection, study_id, attributes)


def _move_rows(
    connection: Connection, earlier_name: str, table: Table, study_id: int, key: str
) -> None:
    """Move the rows of a study from a table of an earlier version."""
    earlier = Table(earlier_name, MetaData(), autoload_with=connection)
    names = [column.name for column in table.columns if column.name in earlier.columns]
    rows = select(literal(key), *(earlier.c[name] for name in names))
    in_study = earlier.c.study_id == study_id
    connection.execute(insert(table).from_select([STUDY_KEY, *names], rows.where(in_study)))
    connection.execute(delete(earlier).where(in_study))


def _release_runs_without_trial(
    connection: Connection, key: str, trials: Sequence[FrozenTrial]
) -> None:
    """Let the runs wait whose trial is not a trial of this run."""
    runs = _runs_of(trials)
    for row in _read_rows(connection, key):
        if row.trial is not None and runs.get(row.trial) != row.run:
            connection.execute(
                update(RUNS)
                .where(RUNS.c[STUDY_KEY] == key, *(RUNS.c[n] == v for n, v in _columns(row.run)))
                .values(state=WAITING, attempt=0, owner=None, trial=None)
            )


def _write_queue(
    connection: Connection, study_id: int, key: str, trials: Sequence[FrozenTrial], is_copy: bool
) -> str:
    """Write the queue of a study anew, from the one with its key and its trials; return its key."""
    runs = _runs_of(trials)
    # The last trial of a run that has ended counts; those that have ended come before others.
    ranked = sorted(trials, key=lambda trial: (_has_result(trial), trial.number))
    trial_by_run = {runs[trial.number]: trial for trial in ranked if trial.number in runs}
    planned = {row.run: row.trial for row in _read_rows(connection, key)}
    trial_by_number = {trial.number: trial for trial in trials}
    trial_by_run |= {
        run: trial_by_number[number]
        for run, number in planned.items()
        if number is not None and runs.get(number) == run
    }
    own_key = new_key() if is_copy else key
    rows = []
    for run in {**planned, **trial_by_run}:
        trial = trial_by_run.get(run)
        if trial is not None and run in planned and planned[run] is None:
            trial = None  # a failed run that is repeated
        is_done = trial is not None and trial.state.is_finished()
        rows.append(
            {
                STUDY_KEY: own_key, **run._asdict(), "state": DONE if is_done else WAITING,
                "attempt": int(is_done), "trial": None if trial is None else trial.number,
            }
        )  # fmt: skip
    if not is_copy:
        connection.execute(delete(RUNS).where(RUNS.c[STUDY_KEY] == key))
    if rows:
        connection.execute(insert(RUNS), rows)
    connection.execute(
        update(_TRIALS)
        .where(_TRIALS.c.study_id == study_id, _TRIALS.c.state == TrialState.RUNNING)
        .where(_TRIALS.c.number.in_(runs))
        .values(state=TrialState.WAITING)
    )
    if is_copy:
        _copy_answers(connection, key, own_key)
    _set_attributes(connection, study_id, {STUDY_KEY: own_key, BOUND_TO: study_id})
    return own_key


def _copy_answers(connection: Connection, key: str, own_key: str) -> None:
    columns = [column for column in ANSWERS.columns if column.name != STUDY_KEY]
    copied = select(literal(own_key), *columns).where(ANSWERS.c[STUDY_KEY] == key)
    names = [STUDY_KEY, *(column.name for column in columns)]
    connection.execute(insert(ANSWERS).from_select(names, copied))


def _read_rows(connection: Connection, key: str) -> list[_QueueRow]:
    rows = connection.execute(select(RUNS).where(RUNS.c[STUDY_KEY] == key))
    return [_QueueRow(Run(row.phase, row.row, row.repeat), row.trial) for row in rows]


def _columns(run: Run) -> list[tuple[str, object]]:
    return list(run._asdict().items())


def _runs_of(trials: Sequence[FrozenTrial]) -> dict[int, Run]:
    """Return the run of each trial, by number, of those that this tool has made."""
    return {
        trial.number: Run(*(trial.user_attrs[name] for name in Run._fields))
        for trial in trials
        if all(name in trial.user_attrs for name in Run._fields)
    }


def _has_result(trial: FrozenTrial) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
