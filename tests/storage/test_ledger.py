"""What every storage must keep to: one implementation, three kinds of database."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import inspect

from storage.database import Database, open_database
from storage.ledger import (
    _NEXT,
    DONE,
    WAITING,
    Claim,
    Ledger,
    LostClaimError,
    Progress,
    Run,
    open_ledger,
)
from storage.studies import Study

RUNS = [Run("search", 0), Run("measure", 1), Run("measure", 0), Run("measure", 0, 1)]


@pytest.fixture
def ledger(any_study: Study) -> Ledger:
    return any_study.ledger


def claim(ledger: Ledger, owner: str = "me") -> Claim:
    claimed = ledger.claim(owner)
    assert claimed is not None
    return claimed


def change(ledger: Ledger, held: Claim, **values: object) -> bool:
    with ledger.database.engine.begin() as connection:
        return ledger.hold(connection, held, **values)


def test_runs_are_claimed_phase_by_phase_and_repeats_after_rows(ledger: Ledger) -> None:
    ledger.plan([*RUNS, Run("baseline", 0)])
    claimed = [claim(ledger).run for _ in range(5)]
    assert claimed == [
        Run("baseline", 0),
        Run("measure", 0),
        Run("measure", 1),
        Run("measure", 0, 1),
        Run("search", 0),
    ]
    assert ledger.claim("me") is None


def test_planning_again_adds_only_what_is_new(ledger: Ledger) -> None:
    assert ledger.plan(RUNS) == 4
    change(ledger, claim(ledger), state=DONE)
    assert ledger.plan([*RUNS, Run("measure", 2)]) == 1
    assert ledger.progress() == {"measure": Progress(3, 0, 1), "search": Progress(1, 0, 0)}


def test_studies_do_not_see_each_other(ledger: Ledger) -> None:
    ledger.plan(RUNS)
    other = open_ledger(ledger.database, ledger.study_id + 1)
    assert other.progress() == {}
    assert other.claim("me") is None
    assert other.running() == []


def test_a_void_claim_changes_nothing(ledger: Ledger) -> None:
    ledger.plan(RUNS[:1])
    first = claim(ledger, "slow")
    change(ledger, first, state=WAITING, owner=None)
    second = claim(ledger, "quick")
    assert second.attempt == first.attempt + 1
    for values in ({"state": DONE}, {"state": WAITING}, {"trial": 7}, {}):
        with pytest.raises(LostClaimError, match="search 0"):
            change(ledger, first, **values)
    assert not change(ledger, second, state=DONE)
    assert ledger.progress() == {"search": Progress(0, 0, 1)}


def test_ending_twice_is_ending_once(ledger: Ledger) -> None:
    """The word of a commit may be lost with the connection; the transaction is tried again."""
    ledger.plan(RUNS[:1])
    held = claim(ledger)
    assert not change(ledger, held, state=DONE)
    assert change(ledger, held, state=DONE)


def test_a_claim_whose_answer_was_lost_is_found_again(ledger: Ledger) -> None:
    ledger.plan(RUNS)
    held = claim(ledger, "me")
    assert ledger._claim("me", again=True) == held
    assert ledger._claim("you", again=True) != held


def test_the_trial_of_an_earlier_attempt_is_known_to_the_next(ledger: Ledger) -> None:
    ledger.plan(RUNS[:1])
    first = claim(ledger)
    assert first.trial is None
    change(ledger, first, trial=41)
    change(ledger, first, state=WAITING)
    assert claim(ledger).trial == 41


def test_what_was_begun_before_is_claimed_last_in_its_phase(ledger: Ledger) -> None:
    ledger.plan(RUNS)
    change(ledger, claim(ledger), state=WAITING)
    assert [claim(ledger).run for _ in range(4)] == [RUNS[1], RUNS[3], RUNS[2], RUNS[0]]


def test_a_heartbeat_is_that_of_its_owner(ledger: Ledger) -> None:
    ledger.plan(RUNS)
    claim(ledger, "one")
    claim(ledger, "two")
    before = {held.claim.owner: held.heartbeat for held in ledger.running()}
    ledger.beat(["two"])
    after = {held.claim.owner: held.heartbeat for held in ledger.running()}
    assert after["one"] == before["one"]
    assert after["two"] > before["two"]
    ledger.beat([])


def test_what_ended_can_be_done_again(ledger: Ledger) -> None:
    ledger.plan(RUNS[:1])
    held = claim(ledger)
    change(ledger, held, trial=3)
    assert ledger.retry([held.run]) == 0, "it has not ended"
    change(ledger, held, state=DONE)
    assert ledger.retry([held.run]) == 1
    again = claim(ledger)
    assert again.run == held.run
    assert (again.attempt, again.trial) == (2, None)


def others(ledger: Ledger, count: int) -> Iterator[Ledger]:
    url = ledger.database.engine.url.render_as_string(hide_password=False)
    for _ in range(count):
        yield open_ledger(open_database(url), ledger.study_id)


def test_no_run_is_claimed_twice_by_workers_at_once(ledger: Ledger) -> None:
    ledger.plan([Run("measure", row) for row in range(60)])

    def work(own: Ledger) -> list[Run]:
        claimed = []
        while (found := own.claim(str(id(own)))) is not None:
            claimed.append(found.run)
            change(own, found, state=DONE)
        own.database.close()
        return claimed

    workers = list(others(ledger, 8))
    with ThreadPoolExecutor(8) as pool:
        counts = Counter(run for runs in pool.map(work, workers) for run in runs)
    assert len(counts) == 60
    assert set(counts.values()) == {1}


def test_planning_by_several_at_once_plans_once(ledger: Ledger) -> None:
    runs = [Run("measure", row) for row in range(40)]
    workers = list(others(ledger, 4))
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda own: own.plan(runs), workers))
    assert ledger.progress() == {"measure": Progress(waiting=40)}
    assert sum(added) == 40
    for own in workers:
        own.database.close()


def test_the_next_run_is_found_without_looking_at_all(database: Database) -> None:
    open_ledger(database, 1)
    with database.engine.connect() as connection:
        given = _NEXT.params(study=1, rows=1)
        words = str(given.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}").all()
    touched = [row.detail for row in plan if "training_factor_runs" in row.detail]
    assert len(touched) == 4, "a phase each"
    assert all("training_factor_runs_next (study_id=? AND state=? AND" in one for one in touched)


def test_a_ledger_of_before_gets_its_index(any_study: Study) -> None:
    database, table = any_study.database, "training_factor_runs"
    any_study.ledger.plan(RUNS)
    (index,) = inspect(database.engine).get_indexes(table)
    on = f" ON {table}" if database.engine.dialect.name == "mysql" else ""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP INDEX {index['name']}{on}")
    assert open_ledger(database, any_study.study_id).progress() == any_study.ledger.progress()
    assert inspect(database.engine).get_indexes(table) == [index]
