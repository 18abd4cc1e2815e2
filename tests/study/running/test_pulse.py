from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.database import Database
from storage.ledger import Claim, Held, Progress, Run
from storage.owner import this_process
from storage.stops import ask_to_stop, times_asked
from storage.studies import Study, create_study
from storage.tables import read_trials
from storage.trials import begin_trial
from study.running.pulse import Watch, listen, requeue_ended, tend

CLAIM = Claim(Run("measure", 0), 1, "elsewhere:1:00000000:1", None)
GRACE_S, BEAT_S = 6.0, 2.0

ELSEWHERE = "another-host:17:00000000:5"


def heard(looks: Iterator[tuple[float, float]]) -> Iterator[Watch]:
    """What is known after each look: (seconds since the last one, the heartbeat it saw)."""
    watch: Watch = {}
    for elapsed, heartbeat in looks:
        watch = listen(watch, [Held(CLAIM, heartbeat)], elapsed)
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
    watch = listen({}, [Held(CLAIM, 1.0)], 1.0)
    assert listen(watch, [], 1.0) == {}
    later = CLAIM._replace(attempt=2)
    assert listen(watch, [Held(later, 1.0)], 1.0)[later].seconds == 0


@pytest.fixture
def study(database: Database) -> Study:
    found = create_study(database, "mine", {"objective": "accuracy"})
    found.ledger.plan([Run("measure", row) for row in range(2)])
    return found


def test_the_silent_lose_their_run_and_the_living_keep_theirs(study: Study) -> None:
    mine = study.ledger.claim(str(this_process()))
    gone = study.ledger.claim(ELSEWHERE)
    assert mine and gone
    trial = begin_trial(study, gone, {}, {}, {"phase": "measure"})
    watch: Watch = {}
    held = study.ledger.running()
    first = next(h.heartbeat for h in held if h.claim.run == mine.run)
    for _ in range(5):
        held = study.ledger.running()
        watch = listen(watch, held, BEAT_S)
        tend(study, held, watch, GRACE_S)
    assert [h.claim.run for h in study.ledger.running()] == [mine.run]
    assert study.ledger.running()[0].heartbeat > first
    assert study.ledger.progress() == {"measure": Progress(waiting=1, running=1)}
    assert read_trials(study)[trial.number].state == "WAITING"


def test_what_an_ended_process_held_goes_back_at_once(study: Study) -> None:
    ended = this_process()._replace(started="0")
    study.ledger.claim(str(ended))
    study.ledger.claim(ELSEWHERE)
    assert requeue_ended(study) == 1
    assert requeue_ended(study) == 0
    assert study.ledger.progress() == {"measure": Progress(waiting=1, running=1)}


def test_workers_are_asked_to_stop(study: Study) -> None:
    assert times_asked(study) == 0
    ask_to_stop(study)
    ask_to_stop(study)
    assert times_asked(study) == 2
    assert times_asked(create_study(study.database, "other", {"objective": "accuracy"})) == 0
