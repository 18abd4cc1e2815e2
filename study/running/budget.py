"""When so many runs fail that going on would waste time: the next ones would fail as well."""

from collections.abc import Sequence

from storage.tables import Trial

EQUAL = 5
"""Equal failures in a row."""

WINDOW, MOST = 20, 10
"""Failures among so many runs."""


def exhausted(trials: Sequence[Trial]) -> str | None:
    """Why the study should stop, seen from these trials; None when it may go on.

    Trials that stand or were interrupted do not count.
    """
    ended = [trial for trial in trials if trial.state in ("COMPLETE", "PRUNED", "FAIL")]
    reasons = [reason(trial) for trial in ended]
    last = reasons[-EQUAL:]
    if len(last) == EQUAL and last[0] is not None and len(set(last)) == 1:
        return f"{EQUAL} runs in a row failed: {last[0]}"
    failed = [one for one in reasons[-WINDOW:] if one is not None]
    if len(failed) >= MOST:
        return (
            f"{len(failed)} of the last {len(reasons[-WINDOW:])} runs failed, lately: {failed[-1]}"
        )
    return None


def reason(trial: Trial) -> str | None:
    """Why a run failed; None when it did not."""
    return str(trial.attributes.get("reason", "unknown")) if trial.state == "FAIL" else None
