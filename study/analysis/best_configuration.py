"""Choose the best configuration of a study: the one rule of all screens.

Without a confirmation it is that of the run with the best validation objective, which is partly
luck. Once it is confirmed, it is the one that ranked first over fresh seeds.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from training_factors.search_spaces.dimension import Value
from training_factors.storage.arms import CONTRAST, RANK, Arm
from training_factors.storage.own_configurations import name_run
from training_factors.storage.trials import Trial

MIN_SEEDS = 3
"""Minimum number of test values of a configuration for it to count as confirmed."""


class BestConfiguration(NamedTuple):
    """The best configuration of a study.

    name: `run #3`, the run that it was found in. trial: that run; None for a configuration that
    the study has not run itself. tested: its objective on the test part, one value per seed; empty
    while it is not confirmed.
    """

    name: str
    parameters: Mapping[str, Value]
    trial: Trial | None
    tested: tuple[float, ...] = ()

    @property
    def is_confirmed(self) -> bool:
        """Return whether fresh seeds and the test part have confirmed it."""
        return bool(self.tested)

    @property
    def value(self) -> float:
        """The mean objective on the test part, or that of its single run on validation."""
        if self.tested:
            return sum(self.tested) / len(self.tested)
        assert self.trial is not None and self.trial.value is not None, "its run is complete"
        return self.trial.value


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Return the COMPLETE trial with the highest objective, the earliest of equals.

    Runs under other divisions of the data do not count: theirs may be an easier one.
    """
    complete = [t for t in trials if t.complete and t.value is not None and t.is_comparable]
    return max(complete, key=lambda trial: (trial.value or 0.0, -trial.number), default=None)


def find_best(
    trials: Sequence[Trial], arms: Sequence[Arm] = (), confirming: Sequence[Trial] = ()
) -> BestConfiguration | None:
    """Return the best configuration; None before any run is complete.

    trials: of the study. arms, confirming: those of its confirmation, and its trials.
    """
    rows = [row for row, arm in enumerate(arms) if arm.purpose == CONTRAST]
    tested = test_values(confirming, rows[0]) if rows else {}
    if len(tested) >= MIN_SEEDS:
        config = arms[rows[0]].config
        same = [trial for trial in trials if trial.parameters == config]
        names = (arm.name for arm in arms if arm.purpose == RANK and arm.config == config)
        trial = best_trial(same)
        name = run_name(next(names, "" if trial is None else f"trial {trial.number}"))
        return BestConfiguration(name, config, trial, tuple(tested.values()))
    trial = best_trial(trials)
    if trial is None:
        return None
    return BestConfiguration(name_run("run #", trial), trial.parameters, trial)


def test_values(confirming: Sequence[Trial], row: int) -> dict[int, float]:
    """Return repeat -> objective on the test part; equal repeats of all arms have equal seeds."""
    return {
        trial.repeat: float(trial.test_value)
        for trial in confirming
        if trial.row == row and trial.test_value is not None
    }


def run_name(candidate: str) -> str:
    """Return a candidate's stored name, `trial 3` at its start, as it is shown: `run #3`."""
    return re.sub(r"^trial (\d+)", r"run #\1", candidate)
