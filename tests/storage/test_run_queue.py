"""The run queue, on each kind of database."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import inspect

from training_factors.storage.database import Database, open_database
from training_factors.storage.run_queue import (
    _NEXT_RUNS,
    DONE,
    PHASES,
    WAITING,
    Claim,
    LostClaimError,
    PhaseProgress,
    Run,
    RunQueue,
    open_queue,
)
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study

RUNS = [Run("search", 0), Run("measure", 1), Run("measure", 0), Run("measure", 0, 1)]


@pytest.fixture
def queue(any_study: Study) -> RunQueue:
    return any_study.queue


def claim(queue: RunQueue, owner: str = "me") -> Claim:
    claimed = queue.claim(owner)
    assert claimed is not None
    return claimed


def change(queue: RunQueue, held: Claim, **values: object) -> bool:
    with queue.database.engine.begin() as connection:
        return queue.update_claimed(connection, held, **values)


def test_runs_are_claimed_phase_by_phase_and_repeats_after_rows(queue: RunQueue) -> None:
    queue.add([*RUNS, Run("baseline", 0)])
    claimed = [claim(queue).run for _ in range(5)]
    assert claimed == [
        Run("baseline", 0),
        Run("measure", 0),
        Run("measure", 1),
        Run("measure", 0, 1),
        Run("search", 0),
    ]
    assert queue.claim("me") is None


def test_withdrawn_are_the_runs_that_nobody_has_begun(queue: RunQueue) -> None:
    queue.add([*RUNS, Run("baseline", 0), Run("also", 0)])
    change(queue, claim(queue), state=DONE)
    released = claim(queue)
    change(queue, released, state=WAITING, owner=None)
    assert claim(queue).run == Run("measure", 1)  # what was released goes last
    assert queue.withdraw() == 2
    assert queue.progress() == {
        "baseline": PhaseProgress(done=1),
        "measure": PhaseProgress(waiting=1, running=1),
        "also": PhaseProgress(waiting=1),
    }
    assert queue.withdraw() == 0
    assert queue.add(RUNS) == 2


def test_adding_runs_again_adds_only_the_new_ones(queue: RunQueue) -> None:
    assert queue.add(RUNS) == 4
    change(queue, claim(queue), state=DONE)
    assert queue.add([*RUNS, Run("measure", 2)]) == 1
    assert queue.progress() == {"measure": PhaseProgress(3, 0, 1), "search": PhaseProgress(1, 0, 0)}


def test_studies_do_not_see_each_other(queue: RunQueue) -> None:
    queue.add(RUNS)
    other = create_study(queue.database, f"{queue.key[:8]}-other", Stamp("accuracy")).queue
    assert other.progress() == {}
    assert other.claim("me") is None
    assert other.active_claims() == []


def test_a_void_claim_changes_nothing(queue: RunQueue) -> None:
    queue.add(RUNS[:1])
    first = claim(queue, "slow")
    change(queue, first, state=WAITING, owner=None)
    second = claim(queue, "quick")
    assert second.attempt == first.attempt + 1
    for values in ({"state": DONE}, {"state": WAITING}, {"trial": 7}, {}):
        with pytest.raises(LostClaimError, match="search 0"):
            change(queue, first, **values)
    assert not change(queue, second, state=DONE)
    assert queue.progress() == {"search": PhaseProgress(0, 0, 1)}


def test_ending_a_run_twice_has_no_further_effect(queue: RunQueue) -> None:
    """The answer of a commit may be lost with the connection, so the transaction is retried."""
    queue.add(RUNS[:1])
    held = claim(queue)
    assert not change(queue, held, state=DONE)
    assert change(queue, held, state=DONE)


def test_a_retry_returns_the_claim_that_was_committed(queue: RunQueue) -> None:
    queue.add(RUNS)
    held = claim(queue, "me")
    assert queue._claim("me", is_retry=True) == held
    assert queue._claim("you", is_retry=True) != held


def test_the_next_attempt_gets_the_trial_of_the_earlier_one(queue: RunQueue) -> None:
    queue.add(RUNS[:1])
    first = claim(queue)
    assert first.trial is None
    change(queue, first, trial=41)
    change(queue, first, state=WAITING)
    assert claim(queue).trial == 41


def test_retried_runs_are_claimed_last_in_their_phase(queue: RunQueue) -> None:
    queue.add(RUNS)
    change(queue, claim(queue), state=WAITING)
    assert [claim(queue).run for _ in range(4)] == [RUNS[1], RUNS[3], RUNS[2], RUNS[0]]


def test_a_heartbeat_is_recorded_for_its_owner_only(queue: RunQueue) -> None:
    queue.add(RUNS)
    claim(queue, "one")
    claim(queue, "two")
    before = {held.claim.owner: held.heartbeat for held in queue.active_claims()}
    queue.record_heartbeat(["two"])
    after = {held.claim.owner: held.heartbeat for held in queue.active_claims()}
    assert after["one"] == before["one"]
    assert after["two"] > before["two"]
    queue.record_heartbeat([])


def test_finished_runs_can_be_requeued(queue: RunQueue) -> None:
    queue.add(RUNS[:1])
    held = claim(queue)
    change(queue, held, trial=3)
    assert queue.requeue([held.run]) == 0, "it has not finished"
    change(queue, held, state=DONE)
    assert queue.requeue([held.run]) == 1
    second = claim(queue)
    assert second.run == held.run
    assert (second.attempt, second.trial) == (2, None)


def other_connections(queue: RunQueue, count: int) -> Iterator[RunQueue]:
    url = queue.database.engine.url.render_as_string(hide_password=False)
    for _ in range(count):
        yield open_queue(open_database(url), queue.study_id, queue.key)


def test_concurrent_workers_never_claim_the_same_run(queue: RunQueue) -> None:
    queue.add([Run("measure", row) for row in range(60)])

    def work(worker: RunQueue) -> list[Run]:
        claimed = []
        while (held := worker.claim(str(id(worker)))) is not None:
            claimed.append(held.run)
            change(worker, held, state=DONE)
        worker.database.close()
        return claimed

    workers = list(other_connections(queue, 8))
    with ThreadPoolExecutor(8) as pool:
        counts = Counter(run for runs in pool.map(work, workers) for run in runs)
    assert len(counts) == 60
    assert set(counts.values()) == {1}


def test_concurrent_planners_add_each_run_once(queue: RunQueue) -> None:
    runs = [Run("measure", row) for row in range(40)]
    workers = list(other_connections(queue, 4))
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda worker: worker.add(runs), workers))
    assert queue.progress() == {"measure": PhaseProgress(waiting=40)}
    assert sum(added) == 40
    for worker in workers:
        worker.database.close()


def test_the_next_run_is_found_by_the_index(database: Database) -> None:
    open_queue(database, 1, "k")
    with database.engine.connect() as connection:
        query = _NEXT_RUNS.params(id=1, key="k", json_key='"k"', rows=1)
        statement = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
    touched = [row.detail for row in plan if "training_factor_queue" in row.detail]
    assert len(touched) == len(PHASES), "one lookup per phase"
    assert all(
        "training_factor_queue_next (study_key=? AND state=? AND" in detail for detail in touched
    )


def test_a_queue_of_an_earlier_version_gets_its_index(any_study: Study) -> None:
    database, table = any_study.database, "training_factor_queue"
    any_study.queue.add(RUNS)
    (index,) = inspect(database.engine).get_indexes(table)
    on = f" ON {table}" if database.engine.dialect.name == "mysql" else ""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP INDEX {index['name']}{on}")
    assert (
        open_queue(database, any_study.study_id, any_study.key).progress()
        == any_study.queue.progress()
    )
    assert inspect(database.engine).get_indexes(table) == [index]
