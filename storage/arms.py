"""Arms of a confirmation: configurations that are each run several times with the same seeds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from training_factors.storage.retry import retry
from training_factors.storage.studies import Study

_ARMS = "arms"
"""Key of the study attribute that holds the arms, as a list of lists."""

RANK, TUNE, CONTRAST = "rank", "tune", "contrast"
"""Purposes of an arm: to rank candidates, to re-tune a learning rate, or to be compared."""


class Arm(NamedTuple):
    """One configuration of a confirmation; its position in the list is the row of its runs.

    purpose: RANK, TUNE or CONTRAST. name: for the screen. factor: the factor that is reset to its
    baseline; None for candidates and for the best configuration itself. config: the parameters.
    """

    purpose: str
    name: str
    factor: str | None
    config: dict[str, Any]


def read_arms(study: Study) -> list[Arm]:
    """Return the arms that were planned so far, in the order of their rows."""
    attributes = retry(study.database, lambda is_retry: study.optuna_study.user_attrs)
    return [Arm(*arm) for arm in attributes.get(_ARMS, [])]


def add_arms(study: Study, before: Sequence[Arm], arms: Sequence[Arm]) -> None:
    """Append arms to those that the caller has read before.

    Does nothing if another process has appended some since: both would plan the same arms.
    """
    if len(read_arms(study)) != len(before):
        return
    rows = [list(arm) for arm in [*before, *arms]]
    retry(study.database, lambda is_retry: study.optuna_study.set_user_attr(_ARMS, rows))
