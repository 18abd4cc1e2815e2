"""Read the trials of a study as plain records, which are all that the analysis needs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Table, exists, select

from training_factors.storage.retry import retry
from training_factors.storage.run_queue import DIVISION, StudyGoneError
from training_factors.storage.studies import Study

MAX_LISTED = 5
"""Maximum number of trials that are named in a message; the others are counted."""

DIVERGED = "diverged"
"""Outcome of complete runs whose loss stopped being finite."""

UNKNOWN = "unknown"
"""Reason of failed runs that have none."""

_TRIALS: Table = models.TrialModel.__table__
_ATTRIBUTES: Table = models.TrialUserAttributeModel.__table__


class Trial(NamedTuple):
    """One trial: an attempt, or several resumed ones, at a run of a study.

    state: name of Optuna's TrialState. phase: one of `run_queue.PHASES`. row: number within the
    phase; in `division` that of the repeated row of `measure`. repeat: 0, or the number of a
    repetition of the row with a fresh seed, in `division` also under another division of the data.
    parameters: the active ones alone. value: the objective; None until the trial has ended.
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

    @property
    def reason(self) -> str:
        """The reason why the run failed."""
        return str(self.attributes.get("reason", UNKNOWN))

    @property
    def is_comparable(self) -> bool:
        """Return whether the run used the study's own division of the data, as all others do."""
        return self.phase != DIVISION


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
    """Return the trials of a study's runs, in the order of their numbers, one per run at most."""
    return [to_trial(trial) for trial in read_frozen_trials(study)]


def read_frozen_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials of `read_trials` as Optuna's own records; their times are in UTC.

    Trials that the queue does not name are left out: those of failed attempts that are repeated,
    and those that other programs added (see `uncounted_trials`).

    Do not change the records: they are shared with later calls.

    Raises StudyGoneError if the study was deleted or renamed.
    """
    counted = study.queue.trial_numbers()
    try:
        trials = retry(
            study.database, lambda is_retry: study.optuna_study.get_trials(deepcopy=False)
        )
    except KeyError:
        raise StudyGoneError(f"study {study.name!r} was deleted or renamed meanwhile") from None
    return [trial for trial in trials if trial.number in counted]


def uncounted_trials(study: Study) -> list[int]:
    """Return the numbers of trials that others added to the study, and that count nowhere.

    Failed attempts at runs of ours, which were repeated, are not among them.
    """
    counted = study.queue.trial_numbers()
    failed_attempts = (
        exists()
        .where(_ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id, _ATTRIBUTES.c.key == "phase")
        .where(_TRIALS.c.state == TrialState.FAIL)
    )
    query = select(_TRIALS.c.number).where(_TRIALS.c.study_id == study.study_id, ~failed_attempts)

    def attempt(is_retry: bool) -> list[int]:
        with study.database.engine.connect() as connection:
            return sorted(set(connection.execute(query).scalars()) - counted)

    return retry(study.database, attempt)


def describe_uncounted(numbers: Sequence[int]) -> str:
    """Return a sentence about the trials of `uncounted_trials`, of which there are some."""
    if len(numbers) == 1:
        return f"trial {numbers[0]} was not made by this tool and counts nowhere"
    names = ", ".join(str(number) for number in numbers[:MAX_LISTED])
    more = f" and {len(numbers) - MAX_LISTED} more" if len(numbers) > MAX_LISTED else ""
    return f"trials {names}{more} were not made by this tool and count nowhere"
