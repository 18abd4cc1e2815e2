from collections.abc import Iterator
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
    Watch,
    requeue_ended,
    update_claims,
    update_silence,
)

CLAIM = Claim(Run("measure", 0), 1, "elsewhere:1:00000000:1", None)
GRACE_S, BEAT_S = 6.0, 2.0

ELSEWHERE = "another-host:17:00000000:5"


def heard(looks: Iterator[tuple[float, float]]) -> Iterator[Watch]:
    """What is known after each look: (seconds since the last one, the heartbeat it saw)."""
    watch: Watch = {}
    for elapsed, heartbeat in looks:
        watch = update_silence(watch, [ActiveClaim(CLAIM, heartbeat)], elapsed)
        yield watch


def test_silence_is_counted_from_the_first_look_at_a_heartbeat() -> None:
    looks = iter([(2.0, 50.0), (2.0, 50.0), (2.0, 50.0), (2.0, 51.0), (2.0, 51.0)])
    assert [watch[CLAIM].seconds for watch in heard(looks)] == [0, 2, 4, 0, 2]


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30), st.floats(-1e9, 1e9))
def test_clocks_of_other_machines_do_not_matter(elapsed: list[float], offset: float) -> None:
    beats = [float(i) for i in range(len(elapsed))]
    shifted = [beat + offset for beat in beats]
    if any(a == b for a, b in pairwise(shifted)):
        return  # too far away for the clock to tick
    assert all(
        watch[CLAIM].seconds == 0 for watch in heard(iter(zip(elapsed, shifted, strict=True)))
    )


def test_claims_that_are_gone_are_forgotten() -> None:
    watch = update_silence({}, [ActiveClaim(CLAIM, 1.0)], 1.0)
    assert update_silence(watch, [], 1.0) == {}
    later = CLAIM._replace(attempt=2)
    assert update_silence(watch, [ActiveClaim(later, 1.0)], 1.0)[later].seconds == 0


@pytest.fixture
def study(database: Database) -> Study:
    found = create_study(database, "mine", Stamp("accuracy"))
    found.queue.add([Run("measure", row) for row in range(2)])
    return found


def test_the_silent_lose_their_run_and_the_living_keep_theirs(study: Study) -> None:
    mine = study.queue.claim(str(this_process()))
    gone = study.queue.claim(ELSEWHERE)
    assert mine and gone
    trial = start_trial(study, gone, {}, {}, {"phase": "measure"})
    watch: Watch = {}
    held = study.queue.active_claims()
    first = next(h.heartbeat for h in held if h.claim.run == mine.run)
    for _ in range(5):
        held = study.queue.active_claims()
        watch = update_silence(watch, held, BEAT_S)
        update_claims(study, held, watch, GRACE_S)
    assert [h.claim.run for h in study.queue.active_claims()] == [mine.run]
    assert study.queue.active_claims()[0].heartbeat > first
    assert study.queue.progress() == {"measure": PhaseProgress(waiting=1, running=1)}
    assert read_trials(study)[trial.number].state == "WAITING"


def test_what_an_ended_process_held_goes_back_at_once(study: Study) -> None:
    ended = this_process()._replace(started="0")
    study.queue.claim(str(ended))
    study.queue.claim(ELSEWHERE)
    assert requeue_ended(study) == 1
    assert requeue_ended(study) == 0
    assert study.queue.progress() == {"measure": PhaseProgress(waiting=1, running=1)}


def test_workers_are_asked_to_stop(study: Study) -> None:
    assert count_stop_requests(study) == 0
    request_stop(study)
    request_stop(study)
    assert count_stop_requests(study) == 2
    assert count_stop_requests(create_study(study.database, "other", Stamp("accuracy"))) == 0
