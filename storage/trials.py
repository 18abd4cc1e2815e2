"""Read the trials of a study as plain records, which are all that the analysis needs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial, TrialState

from training_factors.storage.retry import retry
from training_factors.storage.studies import Study


class Trial(NamedTuple):
    """One trial: an attempt, or several resumed ones, at a run of a study.

    state: name of Optuna's TrialState. phase: `baseline`, `measure`, `search` or `confirm`.
    row: number within the phase. repeat: 0, or the number of a repetition of the row with a fresh
    seed. parameters: the active ones alone. value: the objective; None until the trial has ended.
    metrics: name -> value on the validation part; empty until COMPLETE. curve: epoch -> objective
    on the validation part. time_s: seconds of training in all attempts; None until the end.
    attributes: all others that are stored with the trial.
    test, test_value: metrics and objective on the test part; only of the contrasts of a
    confirmation. confusion: (true class, predicted class, samples) on the validation part, most
    samples first; test_confusion: on the test part. Both are empty for regression, and where there
    are no metrics.
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
        """Return whether the run was trained to its last epoch."""
        return self.state == TrialState.COMPLETE.name


def to_trial(trial: FrozenTrial) -> Trial:
    """Convert one of Optuna's trials to a record."""
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
    """Return all trials of a study, in the order of their numbers."""
    return [to_trial(trial) for trial in read_frozen_trials(study)]


def latest_trials(study: Study) -> list[Trial]:
    """Return the last trial of each run; a run that was requeued after its end has several."""
    return latest_attempts(read_trials(study))


def latest_attempts(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials without those that a later attempt at the same run replaced."""
    last_numbers = {(t.phase, t.row, t.repeat): t.number for t in trials}
    kept = set(last_numbers.values())
    return [trial for trial in trials if trial.number in kept]


def read_frozen_trials(study: Study) -> list[FrozenTrial]:
    """Return all trials as Optuna's own records, which its samplers take; their times are in UTC.

    Do not change them: they are shared with later calls.
    """
    return retry(study.database, lambda is_retry: study.optuna_study.get_trials(deepcopy=False))
