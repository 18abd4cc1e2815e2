import pytest

from training_factors.storage.trials import Trial
from training_factors.study.running.worker import failure_limit_reached


def trial(state: str, reason: str = "") -> Trial:
    attributes = {"reason": reason} if reason else {}
    return Trial(0, state, "measure", 0, 0, 0, {}, None, {}, {}, 1.0, attributes)


OK, WAITING = trial("COMPLETE"), trial("WAITING")
FULL, ODD = trial("FAIL", "out of memory"), trial("FAIL", "ValueError: odd")


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ([], None),
        ([FULL] * 4, None),
        ([OK, *[FULL] * 5], "5 runs in a row failed: out of memory"),
        ([FULL] * 2 + [WAITING] + [FULL] * 3, "5 runs in a row"),
        ([FULL, FULL, ODD, FULL, FULL], None),
        ([*[FULL] * 5, OK], None),
        ([FULL, OK, ODD] * 6, "12 of the last 18 runs failed, lately: ValueError: odd"),
        ([FULL, OK] * 9, None),
        ([FULL, OK] * 10, "10 of the last 20 runs failed"),
        ([FULL, OK] * 5 + [OK] * 12, None),
    ],
)
def test_when_it_is_enough(trials: list[Trial], words: str | None) -> None:
    found = failure_limit_reached(trials)
    assert (found is None) == (words is None)
    assert words is None or words in (found or "")
