"""Train a stored run again and compare it with what is stored.

Imports stand inside the functions: only what is needed is loaded.
"""

from typing import TYPE_CHECKING

from training_factors.study.api.execution import (
    WorkerSettings,
    kept_process_settings,
    prepare_stored,
)

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.study.analysis.reproduction import Reproduction


def reproduce(study: "Study", number: int, settings: WorkerSettings) -> "Reproduction":
    """Return how a run compares with the same run trained again in this process.

    settings: whose device and given objects count. Raises ValueError for a run that is not there or
    was not trained to its end, before anything is trained.
    """
    from training_factors.storage.trials import read_trials
    from training_factors.study.analysis.reproduction import NewResult, compare_runs
    from training_factors.study.running.preparation import installed_versions
    from training_factors.study.running.reproducing import find_run, train_again

    trial = find_run(study, number)
    with kept_process_settings():
        prepared = prepare_stored(study, settings)
        outcome, device = train_again(study, prepared, trial, settings.device)
    versions = installed_versions()
    new = NewResult(
        outcome.value, outcome.metrics, outcome.test_value, outcome.test or {}, device, versions
    )
    return compare_runs(trial, new, read_trials(study), study.stamp.versions)
