"""Finished and unfinished trials as tidy records: the only thing that analysis reads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial, TrialState

from training_factors.storage.retry import retry
from training_factors.storage.studies import Study


class Trial(NamedTuple):
    """One run of a study.

    phase: `baseline`, `measure`, `search` or `confirm`; row: its number within the phase;
    repeat: 0, or the number of the repetition of the same row with a fresh seed.
    parameters: the active ones only. value: the objective; None until there is one.
    metrics: name -> number of the trained network; empty until COMPLETE.
    test: the same on the test part, of a confirmation's contrasts alone; test_value: the objective
    there. confusion: (true class, predicted class, samples) on the validation part, most samples
    first, test_confusion on the test part; empty for regression and where there are no metrics.
    curve: epoch -> validation objective. time_s: seconds of training, over all attempts; None
    until then.
    """

    number: int
    state: str
    phase: str
    row: int
    repeat: int
    seed: int
    parameters: dict[str, Any]
    value: float | None
    metrics: dict[str, Any]
    curve: dict[int, float]
    time_s: float | None
    attributes: dict[str, Any]
    test: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to a record
    test_value: float | None = None
    confusion: Sequence[Sequence[int]] = ()
    test_confusion: Sequence[Sequence[int]] = ()

    @property
    def complete(self) -> bool:
        """Whether the run was trained to its end."""
        return self.state == TrialState.COMPLETE.name


def to_trial(trial: FrozenTrial) -> Trial:
    """The record of one of Optuna's trials."""
    attributes = dict(trial.user_attrs)
    test, test_value = attributes.pop("test", {}), attributes.pop("test_value", None)
    confusion = {name: attributes.pop(name, ()) for name in ("confusion", "test_confusion")}
    time_s = attributes.pop("time_s", None)
    if time_s is None and trial.duration is not None:
        time_s = trial.duration.total_seconds()
    return Trial(
        number=trial.number,
        state=trial.state.name,
        phase=attributes.pop("phase", ""),
        row=attributes.pop("row", -1),
        repeat=attributes.pop("repeat", 0),
        seed=attributes.pop("seed", -1),
        parameters=dict(trial.params),
        value=trial.value if trial.state.is_finished() else None,
        metrics=attributes.pop("metrics", {}),
        curve=dict(trial.intermediate_values),
        time_s=time_s,
        attributes=attributes,
        test=test,
        test_value=test_value,
        **confusion,
    )


def read_trials(study: Study) -> list[Trial]:
    """All trials of a study, in the order of their numbers."""
    return [to_trial(trial) for trial in read_frozen_trials(study)]


def latest_trials(study: Study) -> list[Trial]:
    """Those trials that no later attempt at the same run replaces."""
    trials = read_trials(study)
    latest = {(t.phase, t.row, t.repeat): t.number for t in trials}
    kept = set(latest.values())
    return [trial for trial in trials if trial.number in kept]


def read_frozen_trials(study: Study) -> list[FrozenTrial]:
    """The same as Optuna's own records, which its samplers take; not to be changed."""
    return retry(study.database, lambda again: study.optuna_study.get_trials(deepcopy=False))
