"""A deleted study leaves no row behind, and takes none of another study with it."""

import pytest
from optuna.distributions import FloatDistribution
from optuna.storages._rdb import models
from sqlalchemy import select

from training_factors.storage.answer_cache import CachedAnswer
from training_factors.storage.database import Database
from training_factors.storage.deletion import delete_study
from training_factors.storage.live_trial import LiveTrial, start_trial
from training_factors.storage.run_queue import LostClaimError, Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.stop_requests import request_stop
from training_factors.storage.studies import Study, create_study, find_study
from training_factors.storage.tables import METADATA

TABLES = [
    table
    for table in (*METADATA.sorted_tables, *models.BaseModel.metadata.sorted_tables)
    if "trial_id" in table.c or "study_id" in table.c or "study_key" in table.c
]


def start_next(study: Study) -> LiveTrial:
    claim = study.queue.claim("test")
    assert claim is not None
    return start_trial(
        study, claim, {"x": 0.5}, {"x": FloatDistribution(0, 1)}, claim.run._asdict()
    )


def filled_study(database: Database, name: str) -> Study:
    """Create a study with rows in every table: of three runs, two have ended."""
    study = create_study(database, name, Stamp("accuracy"))
    study.queue.add(Run("measure", row) for row in range(3))
    for _ in range(2):
        start_next(study).complete(0.5, {"time_s": 1.0}, {0: 0.4, 1: 0.5})
    number = start_next(study).trial_id
    database.storage.set_trial_system_attr(number, "note", "a note of the dashboard")
    database.storage.record_heartbeat(number)
    database.storage.set_study_system_attr(study.study_id, "note", "a note of the dashboard")
    CachedAnswer(study, "importance", "digest").write("its answer")
    request_stop(study)
    return study


def all_rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in TABLES
        }


def test_every_row_of_a_study_goes_and_no_other(any_database: Database) -> None:
    filled_study(any_database, "kept")
    before = all_rows(any_database)
    assert all(before.values()), "a table without rows proves nothing"
    study = filled_study(any_database, "gone")
    assert not delete_study(any_database, study.study_id, "another key")
    assert delete_study(any_database, study.study_id, study.key)
    assert all_rows(any_database) == before
    assert find_study(any_database, "gone") is None
    assert not delete_study(any_database, study.study_id, study.key)


def test_a_worker_of_a_deleted_study_stores_nothing(any_database: Database) -> None:
    study = create_study(any_database, "trained", Stamp("accuracy"))
    study.queue.add([Run("measure", 0), Run("measure", 1)])
    running = start_next(study)
    before = all_rows(any_database)
    delete_study(any_database, study.study_id, study.key)
    deleted = all_rows(any_database)
    assert len(deleted["trials"]) == len(before["trials"]) - 1
    with pytest.raises(LostClaimError):
        running.complete(0.9, {}, {0: 0.9})
    assert study.queue.claim("test") is None
    assert all_rows(any_database) == deleted
