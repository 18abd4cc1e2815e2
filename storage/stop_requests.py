"""Asking all workers of a study to stop, wherever they are."""

from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update

from training_factors.storage.database import lock_study, make_table
from training_factors.storage.retry import retry
from training_factors.storage.studies import Study

_STOPS = Table(
    "training_factor_stops",
    MetaData(),
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("asked", Integer, nullable=False),
)


def request_stop(study: Study) -> None:
    """Every worker that is at the study by now finishes its epoch and hands its run back."""
    make_table(study.database, _STOPS)
    mine = _STOPS.c.study_id == study.study_id

    def attempt(again: bool) -> None:
        more = update(_STOPS).where(mine).values(asked=_STOPS.c.asked + 1)
        with study.database.engine.begin() as connection:
            lock_study(connection, study.study_id)
            if not connection.execute(more).rowcount:
                connection.execute(insert(_STOPS).values(study_id=study.study_id, asked=1))

    retry(study.database, attempt)


def count_stop_requests(study: Study) -> int:
    """How often workers were asked so far: once more than at their start means them."""
    make_table(study.database, _STOPS)

    def attempt(again: bool) -> int:
        with study.database.engine.connect() as connection:
            wanted = select(_STOPS.c.asked).where(_STOPS.c.study_id == study.study_id)
            return int(connection.execute(wanted).scalar() or 0)

    return retry(study.database, attempt)
