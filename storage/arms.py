"""Arms of a confirmation: configurations that are each run several times with the same seeds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from training_factors.storage.attribute_lists import extend_list, read_list
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial

_ARMS = "arms"
"""Name of the list of arms among the attributes of the study, each as a list."""

RANK, TUNE, CONTRAST, PATH = "rank", "tune", "contrast", "path"
"""Purposes of an arm: to rank candidates, to re-tune a learning rate, to be compared with the best
configuration, or to be a step on the path from the baseline to it."""

STAGE_NAMES = {
    RANK: "ranking candidates",
    TUNE: "re-tuning learning rates",
    CONTRAST: "paired comparison",
    PATH: "path from the baseline",
}
"""Purpose of an arm -> what the stage in which such arms run is called on the screen."""

TESTED = (CONTRAST, PATH)
"""Purposes of the arms that are measured on the test part, all of them with the same seeds."""


class Arm(NamedTuple):
    """One configuration of a confirmation; its position in the list is the row of its runs.

    purpose: RANK, TUNE, CONTRAST or PATH. name: for the screen. factor: the factor that is changed:
    reset to its baseline, or set as in the best configuration by a step of the path; None for
    candidates, the best configuration and the baseline. config: the parameters.
    """

    purpose: str
    name: str
    factor: str | None
    config: dict[str, Any]


def read_arms(study: Study) -> list[Arm]:
    """Return the arms that were planned so far, in the order of their rows."""
    return [Arm(*arm) for arm in read_list(study, _ARMS)]


def row_of_runs(arms: Sequence[Arm], row: int) -> int:
    """Return the row whose runs an arm has, its own or that of an earlier equal configuration.

    A configuration that is compared already is not run again as a step of the path: both have the
    same seeds.
    """
    if arms[row].purpose != PATH:
        return row
    return next(
        number
        for number, arm in enumerate(arms)
        if arm.purpose in TESTED and arm.config == arms[row].config
    )


def retryable_runs(arms: Sequence[Arm], trials: Sequence[Trial]) -> list[Run]:
    """Return the failed runs that can be retried: of the arms on the test part, and the last ones.

    The choices of an earlier stage hold: other runs have followed from them. trials: of all runs.
    """
    purposes = {*TESTED, *(arm.purpose for arm in arms[-1:])}
    return [
        Run(trial.phase, trial.row, trial.repeat)
        for trial in trials
        if trial.state == "FAIL" and arms[trial.row].purpose in purposes
    ]


def add_arms(study: Study, before: Sequence[Arm], arms: Sequence[Arm]) -> None:
    """Append arms to those that the caller has read before.

    Does nothing if another process has appended some since: both would plan the same arms.
    """
    rows = [list(arm) for arm in arms]
    extend_list(study, _ARMS, lambda present: rows if len(present) == len(before) else [])
