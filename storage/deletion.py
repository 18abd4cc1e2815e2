"""Delete studies from the database: a whole one, one that never ran, and what deleted ones left."""

import json

from optuna.storages._rdb import models
from sqlalchemy import Connection, Table, delete, exists, literal, or_, select

from training_factors.storage.database import Database, lock_study
from training_factors.storage.identity import create_tables
from training_factors.storage.retry import retry
from training_factors.storage.tables import METADATA, RUNS, STUDY_KEY

_TRIALS: Table = models.TrialModel.__table__
_ATTRIBUTES: Table = models.StudyUserAttributeModel.__table__

_OPTUNA_TABLES = tuple(reversed(models.BaseModel.metadata.sorted_tables))
"""Optuna's tables, each before those that it refers to."""


def clear_deleted(database: Database) -> None:
    """Delete the rows of studies that are not in the database any more."""
    create_tables(database)

    def attempt(is_retry: bool) -> None:
        with database.engine.begin() as connection:
            for table in METADATA.sorted_tables:
                key = literal('"') + table.c[STUDY_KEY] + literal('"')
                is_there = exists().where(
                    _ATTRIBUTES.c.key == STUDY_KEY, _ATTRIBUTES.c.value_json == key
                )
                connection.execute(delete(table).where(~is_there))

    retry(database, attempt)


def delete_study(database: Database, study_id: int, key: str) -> bool:
    """Delete a study with its trials, its queue and its answers, in one transaction.

    Its workers can store nothing any more: their claims are void.

    Returns whether it was there; a study of this id with another key is left alone.
    """
    create_tables(database)

    def attempt(is_retry: bool) -> bool:
        with database.engine.begin() as connection:
            lock_study(connection, study_id)
            if not _has_key(connection, study_id, key):
                return is_retry  # then an earlier attempt has deleted it, and its answer was lost
            _delete_rows(connection, study_id, key)
            return True

    return retry(database, attempt)


def delete_unused(database: Database, study_id: int, key: str) -> bool:
    """Delete a study of which no run was ever claimed; return whether that was so."""
    create_tables(database)
    is_used = select(
        or_(
            exists().where(RUNS.c[STUDY_KEY] == key, RUNS.c.attempt > 0),
            exists().where(_TRIALS.c.study_id == study_id),
        )
    )

    def attempt(is_retry: bool) -> bool:
        with database.engine.begin() as connection:
            lock_study(connection, study_id)
            if not _has_key(connection, study_id, key) or connection.execute(is_used).scalar():
                return False
            _delete_rows(connection, study_id, key)
            return True

    return retry(database, attempt)


def _has_key(connection: Connection, study_id: int, key: str) -> bool:
    query = exists().where(
        _ATTRIBUTES.c.study_id == study_id,
        _ATTRIBUTES.c.key == STUDY_KEY,
        _ATTRIBUTES.c.value_json == json.dumps(key),
    )
    return bool(connection.execute(select(query)).scalar())


def _delete_rows(connection: Connection, study_id: int, key: str) -> None:
    """Delete a study from this tool's tables and from Optuna's, within a transaction."""
    for table in METADATA.sorted_tables:
        connection.execute(delete(table).where(table.c[STUDY_KEY] == key))
    trials = select(_TRIALS.c.trial_id).where(_TRIALS.c.study_id == study_id)
    for table in _OPTUNA_TABLES:
        if "study_id" in table.c:
            connection.execute(delete(table).where(table.c.study_id == study_id))
        elif "trial_id" in table.c:
            connection.execute(delete(table).where(table.c.trial_id.in_(trials)))
