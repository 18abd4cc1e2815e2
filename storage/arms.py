"""The arms of a confirmation: configurations that are run again and again with the same seeds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from training_factors.storage.retry import retry
from training_factors.storage.studies import Study

_ARMS = "arms"

RANK, TUNE, CONTRAST = "rank", "tune", "contrast"
"""What an arm is for: ranking candidates, re-tuning a learning rate, or being compared."""


class Arm(NamedTuple):
    """One configuration of a confirmation; its number is the row of its runs.

    name: as on screen. factor: the one that is set back to its baseline; None for the best
    configuration itself and for candidates. config: its parameters.
    """

    purpose: str
    name: str
    factor: str | None
    config: dict[str, Any]


def read_arms(study: Study) -> list[Arm]:
    """The arms that were planned so far, in the order of their numbers."""
    attributes = retry(study.database, lambda again: study.optuna_study.user_attrs)
    return [Arm(*arm) for arm in attributes.get(_ARMS, [])]


def add_arms(study: Study, before: Sequence[Arm], arms: Sequence[Arm]) -> None:
    """Add arms behind those that were there before; nothing if somebody else has added some."""
    if len(read_arms(study)) != len(before):
        return
    plain = [list(arm) for arm in [*before, *arms]]
    retry(study.database, lambda again: study.optuna_study.set_user_attr(_ARMS, plain))
