"""Explain how the runs of a study ended, without loading more than is needed.

Imports stand inside the functions: only what is needed is loaded.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.study.reporting.status import StudyStatus


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
