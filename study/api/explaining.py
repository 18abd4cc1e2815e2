"""Explain how the runs of a study ended, without loading more than is needed.

Imports stand inside the functions: only what is needed is loaded.
"""

from typing import TYPE_CHECKING, NamedTuple

from training_factors.study.api.command_lines import command_line

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
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
    from training_factors.study.reporting.status import compute_status

    status = compute_status(study)
    retry = _retry_command(study, storage) if status.failures else None
    return ExplainedStatus(status, explain_outcomes(study, status), retry)


def _retry_command(study: "Study", storage: str | None) -> str | None:
    """Return the command that runs the failed runs of a study again; None if none can be."""
    from training_factors.storage.arms import read_arms, retryable_runs
    from training_factors.storage.studies import find_confirmed
    from training_factors.storage.trials import read_trials

    if not study.is_confirmation:
        return command_line("run", study, storage, "--retry-failed")
    confirmed = find_confirmed(study)
    if confirmed is None or not retryable_runs(read_arms(study), read_trials(study)):
        return None
    return command_line("confirm", confirmed, storage, "--retry-failed")


def explain_outcomes(study: "Study", status: "StudyStatus") -> dict[str, str]:
    """Return what runs that failed or diverged have in common: outcome -> a sentence.

    Outcomes that no setting explains are left out. status: that of the study.
    """
    if not status.failures and not status.diverged:
        return {}
    from training_factors.storage.trials import read_trials
    from training_factors.study.analysis.failures import explain_failures

    found = explain_failures(read_trials(study), study.stamp.space)
    return {one.outcome: one.sentence for one in found}
