from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_factors.storage.database import Database
from training_factors.storage.live_trial import start_trial
from training_factors.storage.owner import this_process
from training_factors.storage.run_queue import ActiveClaim, Claim, PhaseProgress, Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.stop_requests import count_stop_requests, request_stop
from training_factors.storage.studies import Study, create_study
from training_factors.storage.trials import read_trials
from training_factors.study.running.heartbeat import (
    SilenceByClaim,
    requeue_ended,
    update_claims,
    update_silences,
)

CLAIM = Claim(Run("measure", 0), 1, "elsewhere:1:00000000:1", None)
GRACE_S, HEARTBEAT_S = 6.0, 2.0

ELSEWHERE = "another-host:17:00000000:5"


def silences_after(checks: Iterable[tuple[float, float]]) -> Iterator[float]:
    """Yield the silence after each check: (seconds since the previous one, the heartbeat found)."""
    silences: SilenceByClaim = {}
    for elapsed, heartbeat in checks:
        silences = update_silences(silences, [ActiveClaim(CLAIM, heartbeat)], elapsed)
        yield silences[CLAIM].seconds


def test_silence_counts_from_the_first_check_that_finds_a_heartbeat() -> None:
    checks = [(2.0, 50.0), (2.0, 50.0), (2.0, 50.0), (2.0, 51.0), (2.0, 51.0)]
    assert list(silences_after(checks)) == [0, 2, 4, 0, 2]


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30), st.floats(-1e9, 1e9))
def test_clocks_of_other_machines_do_not_matter(elapsed: list[float], offset: float) -> None:
    shifted = [i + offset for i in range(len(elapsed))]
    if any(a == b for a, b in pairwise(shifted)):
        return  # at this offset a float cannot represent the difference
    assert all(seconds == 0 for seconds in silences_after(zip(elapsed, shifted, strict=True)))


def test_claims_that_are_no_longer_active_are_forgotten() -> None:
    silences = update_silences({}, [ActiveClaim(CLAIM, 1.0)], 1.0)
    assert update_silences(silences, [], 1.0) == {}
    later = CLAIM._replace(attempt=2)
    assert update_silences(silences, [ActiveClaim(later, 1.0)], 1.0)[later].seconds == 0


@pytest.fixture
def study(database: Database) -> Study:
    study = create_study(database, "mine", Stamp("accuracy"))
    study.queue.add([Run("measure", row) for row in range(2)])
    return study


def test_silent_workers_lose_their_run_and_live_ones_keep_theirs(study: Study) -> None:
    mine = study.queue.claim(str(this_process()))
    silent = study.queue.claim(ELSEWHERE)
    assert mine and silent
    trial = start_trial(study, silent, {}, {}, {"phase": "measure"})
    silences: SilenceByClaim = {}
    active = study.queue.active_claims()
    first = next(a.heartbeat for a in active if a.claim.run == mine.run)
    for _ in range(5):
        active = study.queue.active_claims()
        silences = update_silences(silences, active, HEARTBEAT_S)
        update_claims(study, active, silences, GRACE_S)
    assert [a.claim.run for a in study.queue.active_claims()] == [mine.run]
    assert study.queue.active_claims()[0].heartbeat > first
    assert study.queue.progress() == {"measure": PhaseProgress(waiting=1, running=1)}
    assert read_trials(study)[trial.number].state == "WAITING"


def test_runs_of_an_ended_process_are_requeued_at_once(study: Study) -> None:
    ended = this_process()._replace(started=0.0)
    study.queue.claim(str(ended))
    study.queue.claim(ELSEWHERE)
    assert requeue_ended(study) == 1
    assert requeue_ended(study) == 0
    assert study.queue.progress() == {"measure": PhaseProgress(waiting=1, running=1)}


def test_stop_requests_are_counted_by_study(study: Study) -> None:
    assert count_stop_requests(study) == 0
    request_stop(study)
    request_stop(study)
    assert count_stop_requests(study) == 2
    assert count_stop_requests(create_study(study.database, "other", Stamp("accuracy"))) == 0
