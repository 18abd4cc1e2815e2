"""Explain how the runs of a study ended, without loading more than is needed.

Imports stand inside the functions: only what is needed is loaded.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from training_factors.study.api.command_lines import command_line

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.storage.trials import Trial
    from training_factors.study.reporting.status import StudyStatus


class ExplainedStatus(NamedTuple):
    """The status of a study, with why runs ended as they did and what to do about it.

    explanations: as of `explain_outcomes`. retry: the command that runs failed runs again; None
    where there are none, or none that can be.
    """

    status: "StudyStatus"
    explanations: dict[str, str]
    retry: str | None


def explain_status(study: "Study", storage: str | None) -> ExplainedStatus:
    """Return the present status of a study, explained.

    storage: the database's URL as the user gave it.
    """
    return explain_statuses(study, storage)[0]


def explain_statuses(study: "Study", storage: str | None) -> list[ExplainedStatus]:
    """Return the present status of a study and then that of its confirmation, if it has one."""
    from training_factors.storage.arms import read_arms
    from training_factors.storage.studies import find_confirmation
    from training_factors.storage.trials import read_trials
    from training_factors.study.analysis.best_configuration import find_best
    from training_factors.study.reporting.status import compute_status

    trials = read_trials(study)
    confirmation = None if study.is_confirmation else find_confirmation(study)
    if confirmation is None:
        return [_explain(study, compute_status(study, trials, find_best(trials)), trials, storage)]
    confirming = read_trials(confirmation)
    best = find_best(trials, read_arms(confirmation), confirming)
    status = compute_status(confirmation, confirming, find_best(confirming))
    return [
        _explain(study, compute_status(study, trials, best), trials, storage),
        _explain(confirmation, status, confirming, storage),
    ]


def _explain(
    study: "Study", status: "StudyStatus", trials: "Sequence[Trial]", storage: str | None
) -> ExplainedStatus:
    retry = _retry_command(study, trials, storage) if status.failures else None
    return ExplainedStatus(status, explain_outcomes(study, status, trials), retry)


def _retry_command(study: "Study", trials: "Sequence[Trial]", storage: str | None) -> str | None:
    """Return the command that runs the failed runs of a study again; None if none can be."""
    from training_factors.storage.arms import read_arms, retryable_runs
    from training_factors.storage.studies import find_confirmed

    if not study.is_confirmation:
        return command_line("run", study, storage, "--retry-failed")
    confirmed = find_confirmed(study)
    if confirmed is None or not retryable_runs(read_arms(study), trials):
        return None
    return command_line("confirm", confirmed, storage, "--retry-failed")


def explain_outcomes(
    study: "Study", status: "StudyStatus", trials: "Sequence[Trial] | None" = None
) -> dict[str, str]:
    """Return what runs that failed or diverged have in common: outcome -> a sentence.

    Outcomes that no setting explains are left out. status, trials: those of the study; trials are
    read if they are needed and not given.
    """
    if not status.failures and not status.diverged:
        return {}
    from training_factors.storage.trials import read_trials
    from training_factors.study.analysis.failures import explain_failures

    found = explain_failures(read_trials(study) if trials is None else trials, study.stamp.space)
    return {one.outcome: one.sentence for one in found}
