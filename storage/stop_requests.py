"""Stop requests: ask all workers of a study to stop, on whatever machine they run.

Requests are counted per study. A worker reads the count at its start, and stops once it has grown.
"""

from sqlalchemy import insert, select, update

from training_factors.storage.database import create_table, lock_study
from training_factors.storage.retry import retry
from training_factors.storage.studies import Study
from training_factors.storage.tables import STOPS


def request_stop(study: Study) -> None:
    """Ask all current workers of a study to finish their epoch, release their run and stop."""
    create_table(study.database, STOPS)
    increment = update(STOPS).where(STOPS.c.study_key == study.key).values(asked=STOPS.c.asked + 1)

    def attempt(is_retry: bool) -> None:
        with study.database.engine.begin() as connection:
            lock_study(connection, study.study_id)
            if not connection.execute(increment).rowcount:
                connection.execute(insert(STOPS).values(study_key=study.key, asked=1))

    retry(study.database, attempt)


def count_stop_requests(study: Study) -> int:
    """Return how many stop requests the study has had so far."""
    if not create_table(study.database, STOPS):
        return 0
    count = select(STOPS.c.asked).where(STOPS.c.study_key == study.key)

    def attempt(is_retry: bool) -> int:
        with study.database.engine.connect() as connection:
            return int(connection.execute(count).scalar() or 0)

    return retry(study.database, attempt)
