import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.database import Database, open_database
from storage.ledger import Claim, Ledger, Progress, Run, has_ended, open_ledger, this_process

RUNS = [Run("search", 0), Run("measure", 1), Run("measure", 0), Run("measure", 0, 1)]


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return open_ledger(database, study_id=1)


def claim(ledger: Ledger, owner: str = "me") -> Claim:
    claimed = ledger.claim(owner)
    assert claimed is not None
    return claimed


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
    ledger.finish(claim(ledger))
    assert ledger.plan([*RUNS, Run("measure", 2)]) == 1
    assert ledger.progress() == {"measure": Progress(3, 0, 1), "search": Progress(1, 0, 0)}


def test_studies_do_not_see_each_other(ledger: Ledger) -> None:
    ledger.plan(RUNS)
    other = open_ledger(ledger.database, study_id=2)
    assert other.progress() == {}
    assert other.claim("me") is None


def test_a_void_claim_changes_nothing(ledger: Ledger) -> None:
    ledger.plan(RUNS[:1])
    first = claim(ledger, "slow")
    assert ledger.hand_back(first)
    second = claim(ledger, "quick")
    assert second.attempt == first.attempt + 1
    assert not ledger.finish(first)
    assert not ledger.hand_back(first)
    assert not ledger.note_trial(first, 7)
    assert ledger.finish(second)
    assert ledger.progress() == {"search": Progress(0, 0, 1)}


def test_the_trial_of_an_earlier_attempt_is_known_to_the_next(ledger: Ledger) -> None:
    ledger.plan(RUNS[:1])
    first = claim(ledger)
    assert first.trial is None
    ledger.note_trial(first, 41)
    ledger.hand_back(first)
    assert claim(ledger).trial == 41


def test_only_what_ended_processes_held_is_requeued(ledger: Ledger) -> None:
    ledger.plan(RUNS)
    claim(ledger, "gone")
    kept = claim(ledger, "alive")
    requeued = ledger.requeue(lambda owner: owner == "gone")
    assert [item.owner for item in requeued] == ["gone"]
    assert ledger.finish(kept)
    assert ledger.progress()["measure"] == Progress(2, 0, 1)


def test_no_run_is_claimed_twice_by_workers_at_once(ledger: Ledger) -> None:
    ledger.plan([Run("measure", row) for row in range(60)])
    url = ledger.database.engine.url.render_as_string()

    def work(number: int) -> list[Run]:
        own = open_ledger(open_database(url), ledger.study_id)
        claimed = []
        while (found := own.claim(f"worker {number}")) is not None:
            claimed.append(found.run)
            own.finish(found)
        return claimed

    with ThreadPoolExecutor(8) as pool:
        counts = Counter(run for runs in pool.map(work, range(8)) for run in runs)
    assert len(counts) == 60
    assert set(counts.values()) == {1}


def test_a_process_is_known_to_have_ended() -> None:
    assert not has_ended(this_process())
    program = "from storage.ledger import this_process; print(this_process())"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert has_ended(ended.stdout.strip())


def test_a_process_number_that_is_used_again_is_another_process() -> None:
    host, pid, started = this_process().rsplit(":", 2)
    assert has_ended(f"{host}:{pid}:{started}0")


def test_a_process_of_another_host_may_still_live() -> None:
    assert not has_ended("elsewhere:1:1")
