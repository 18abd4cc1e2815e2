"""Run the study of an answer again, in a temporary database, and compare the two answers.

Imports stand inside the functions: only what is needed is loaded.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from training_factors.search_spaces.user_code import GIVEN
from training_factors.storage.definition import Definition
from training_factors.study.api.answer_file import AnswerFile, read_answer_file
from training_factors.study.api.execution import (
    WorkerSettings,
    kept_process_settings,
    run_queue,
)
from training_factors.study.api.output import Output
from training_factors.study.api.settings import DefinitionValues

if TYPE_CHECKING:
    from training_factors.storage.provenance import Provenance, Values
    from training_factors.storage.studies import Study
    from training_factors.storage.trials import Trial
    from training_factors.study.analysis.verification import Repeated, Verification
    from training_factors.study.running.preparation import PreparedStudy


class VerificationRequest(NamedTuple):
    """The wishes of a user for a verification.

    values: data and model in place of those that the file names; empty for the same. is_confirmed:
    whether the runs of the confirmation are repeated as well. jobs: number of processes that
    compute the answer.
    """

    values: DefinitionValues
    is_confirmed: bool
    jobs: int


def verify_file(
    path: Path, request: VerificationRequest, settings: WorkerSettings, output: Output
) -> "Verification":
    """Run the study of an answer again, and return how the two answers compare.

    settings: their database is not used; their given objects stand for the data and the model.

    Raises ValueError for a file that holds no answer, for data that are not here or are other ones,
    and where the study cannot be run as it was; StudyStoppedError when it stops before its end.
    """
    from sqlalchemy.engine import URL

    answer = read_answer_file(path)
    with kept_process_settings(), TemporaryDirectory(prefix="training-factors-") as folder:
        prepared = prepare_verification(answer, request.values, settings)
        url = URL.create("sqlite", database=str(Path(folder) / "studies.db")).render_as_string()
        # Code that the file names and the user does not was refused above.
        allowed = settings._replace(url=url, allow_code=True)
        return _verify(answer, request, prepared, allowed, output)


def prepare_verification(
    answer: AnswerFile, values: DefinitionValues, settings: WorkerSettings
) -> "PreparedStudy":
    """Load data, space and model of an answer's study; see `verify_file` for what is raised."""
    from training_factors.storage.stamp import differences
    from training_factors.study.running.preparation import changed_files, prepare_study

    stored = answer.provenance.stamp
    definition = stored.definition.model_copy(update=dict(values))
    _refuse_missing_data(answer.path, definition, settings)
    if not settings.allow_code:
        _refuse_code(answer.path, definition, values)
    given = settings.given
    prepared = prepare_study(
        definition, stored._replace(definition=definition), data=given.data, model=given.model
    )
    now = prepared.stamp()
    if now.data.fingerprint != stored.data.fingerprint:
        raise ValueError(
            f"{definition.source!r} holds other data than those of {str(answer.path)!r}: "
            f"fingerprint {now.data.fingerprint[:8]}, {now.data.samples:,} samples, then "
            f"{stored.data.fingerprint[:8]}, {stored.data.samples:,}; name the same data with "
            "--data"
        )
    differing = [f"{name} has changed" for name in changed_files(stored, now)]
    differing += [line for line in differences(stored, now) if not line.startswith("data.name:")]
    if differing:
        raise ValueError(
            f"the study of {str(answer.path)!r} cannot be run as it was: {'; '.join(differing)}"
        )
    return prepared


def _refuse_missing_data(path: Path, definition: Definition, settings: WorkerSettings) -> None:
    """Raise ValueError for data and a model that are not here, before anything is loaded."""
    given = settings.given
    for name, found, is_there in (
        ("data", definition.source, given.data is not None),
        ("model", definition.model, given.model is not None),
    ):
        if found.startswith(GIVEN) and not is_there:
            raise ValueError(
                f"the {name} of {str(path)!r} is a Python object ({found.removeprefix(GIVEN)}); "
                f"verify it from Python: training_factors.verify(file, {name}=...)"
            )
    from training_factors.study.data.named_datasets import dataset_names

    source = definition.source
    is_named = source in dataset_names() or source.startswith(GIVEN)
    if not is_named and ":" not in source and not Path(source).exists():
        raise ValueError(
            f"the data of {str(path)!r}, {source!r}, are not here; name them with --data PATH"
        )


def _refuse_code(path: Path, definition: Definition, values: DefinitionValues) -> None:
    """Raise ValueError when the study runs code that the file names and the user does not."""
    from training_factors.study.running.preparation import user_code

    for name in user_code(definition):
        if name not in values.values():
            raise ValueError(
                f"the study of {str(path)!r} imports and runs {name!r}; add --allow-code if you "
                "trust whoever wrote the file and that code"
            )


def _verify(
    answer: AnswerFile,
    request: VerificationRequest,
    prepared: "PreparedStudy",
    settings: WorkerSettings,
    output: Output,
) -> "Verification":
    """Run the study in the settings' database, and compare the answers."""
    from training_factors.storage.database import open_database
    from training_factors.storage.own_configurations import add_own_configurations
    from training_factors.storage.studies import create_study
    from training_factors.study.analysis.verification import compare_answers

    provenance = answer.provenance
    database = open_database(settings.url, create=True)
    study = create_study(database, str(answer.document["study"]), prepared.stamp())
    try:
        add_own_configurations(study, provenance.own)
        study.queue.add(provenance.runs)
        _run(study, prepared, settings, output)
        repeated = _repeat(study, provenance, request, prepared, settings, output)
    finally:
        database.close()
    return compare_answers(answer.document, provenance, repeated)


def _run(
    study: "Study", prepared: "PreparedStudy", settings: WorkerSettings, output: Output
) -> None:
    """Run all runs that wait. Raises StudyStoppedError when they stop before their end."""
    from training_factors.study.api.factor_study import stop_if_interrupted

    stop_if_interrupted(study, run_queue(study, prepared, settings, output))


def _repeat(
    study: "Study",
    provenance: "Provenance",
    request: VerificationRequest,
    prepared: "PreparedStudy",
    settings: WorkerSettings,
    output: Output,
) -> "Repeated":
    """Return the results of a study that was run again, after the rest of it has run as well."""
    from training_factors.storage.trials import read_trials
    from training_factors.study.analysis.verification import Repeated, Surroundings
    from training_factors.study.reporting.analyses import answer_of
    from training_factors.study.reporting.report import values_of
    from training_factors.study.running.preparation import installed_versions
    from training_factors.study.training.device import describe_processor

    best = _train_best(study, provenance, prepared, settings)
    confirmed = None
    if request.is_confirmed and provenance.arms:
        confirmed = _confirm(study, provenance, prepared, settings, output)
    trials = read_trials(study)
    devices = {str(trial.attributes["device"]) for trial in trials}
    return Repeated(
        runs=values_of(trials),
        answer=answer_of(study, request.jobs, trials),
        best=best,
        confirmed=confirmed,
        surroundings=Surroundings(
            installed_versions(), describe_processor(), tuple(sorted(devices))
        ),
    )


def _train_best(
    study: "Study",
    provenance: "Provenance",
    prepared: "PreparedStudy",
    settings: WorkerSettings,
) -> float | None:
    """Train the best run of the search again; return its objective, None where there is none."""
    from training_factors.study.running.reproducing import train_again

    if provenance.best is None:
        return None
    outcome, _ = train_again(study, prepared, _as_trial(provenance), settings.device)
    return outcome.value


def _as_trial(provenance: "Provenance") -> "Trial":
    """Return the best run of the search as the record of its trial, as far as it is known."""
    from training_factors.storage.trials import Trial

    best = provenance.best
    assert best is not None
    return Trial(
        best.number, "COMPLETE", *best.run, seed=best.seed, parameters=dict(best.parameters),
        value=best.value, metrics={}, curve={}, time_s=None, attributes={},
    )  # fmt: skip


def _confirm(
    study: "Study",
    provenance: "Provenance",
    prepared: "PreparedStudy",
    settings: WorkerSettings,
    output: Output,
) -> "Values":
    """Run the runs of a confirmation again; return their objectives."""
    from training_factors.storage.arms import add_arms
    from training_factors.storage.studies import create_confirmation
    from training_factors.storage.trials import read_trials
    from training_factors.study.reporting.report import confirmed_values

    confirmation = create_confirmation(study)
    add_arms(confirmation, [], provenance.arms)
    confirmation.queue.add(provenance.confirmed)
    _run(confirmation, prepared, settings, output)
    return confirmed_values(read_trials(confirmation))
