"""Train the best configuration of a study, or that of a run, and write it as a folder to take home.

This module loads torch: import it where a model is exported, not before.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from training_factors.storage.files import check_new_folder
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.answer import NoAnswer
from training_factors.study.analysis.contrasts import Confirmation
from training_factors.study.analysis.model_metrics import (
    ModelMetrics,
    SeedMetrics,
    choose_network,
    finite,
)
from training_factors.study.analysis.reproduction import NewResult, Reproduction, compare_runs
from training_factors.study.api.execution import (
    WorkerSettings,
    kept_process_settings,
    prepare_stored,
)
from training_factors.study.api.model_folder import ModelFolder, refuse_unwritable
from training_factors.study.api.output import Output
from training_factors.study.exporting.onnx_file import refuse_missing_packages
from training_factors.study.exporting.trained_network import (
    ALL,
    PARTS,
    TrainedNetwork,
    TrainingJob,
    open_job,
    train_network,
)
from training_factors.study.reporting.analyses import StudyData, confirmation_of, read_study_data
from training_factors.study.reporting.formatting import decimals
from training_factors.study.running.preparation import PACKAGES
from training_factors.study.running.reproducing import find_run
from training_factors.study.training.seeds import derive_seed

FOLDER = "export"
"""Name of the folder, within that of the study, where the user names none."""


class ExportRequest(NamedTuple):
    """Says what to export.

    trial: number of a run; None for the best configuration. seeds: number of networks to train.
    on: samples to train on, `pool`, or `all` for the validation part as well. onnx: whether to
    write model.onnx. with_data: whether to write data.safetensors.
    """

    trial: int | None = None
    seeds: int = 1
    on: str = "pool"
    onnx: bool = False
    with_data: bool = True


class Exported(NamedTuple):
    """An exported model: where it lies, the names of its files, and what it reaches.

    confirmation: of its configuration; None where that is not confirmed.
    """

    folder: Path
    files: tuple[str, ...]
    metrics: ModelMetrics
    confirmation: Confirmation | None


def export_model(
    study: Study,
    folder: Path | None,
    request: ExportRequest,
    settings: WorkerSettings,
    output: Output,
    jobs: int,
) -> Exported:
    """Train a configuration in this process, and write everything about it into a new folder.

    folder: None for `export` in the folder of the study. settings: whose device and given objects
    count. jobs: number of processes that compute the study's answer, unless it is cached.

    The networks have different seeds, that of the run first; the one with the median value on the
    validation part is written. Nothing is written unless everything is.

    Raises ValueError for wrong input and for a run, a model or a folder that cannot be used;
    NoAnswer when no run is complete.
    """
    place = folder or study.folder / FOLDER
    _check_request(request)
    if folder is not None or place.exists():  # the folder of the study is made when it is needed
        check_new_folder(place)
    data = read_study_data(study, jobs)
    trial = choose_run(data, request.trial)
    with kept_process_settings():
        prepared = prepare_stored(study, settings)
        job = open_job(study, prepared, trial.parameters, settings.device, request.on)
        contents = ModelFolder(data, trial, prepared, job, request.on, request.onnx,
                               request.with_data)  # fmt: skip
        refuse_unwritable(contents, trial.seed)
        networks = _train(job, trial, request, output)
        metrics = _model_metrics(data.study, trial, job, request, networks)
        kept = next(one for one in networks if one.seed == metrics.kept)
        place.parent.mkdir(parents=True, exist_ok=True)
        files = contents.write(place, kept, metrics)
    return Exported(place, files, metrics, confirmation_of(data, trial))


def choose_run(data: StudyData, number: int | None) -> Trial:
    """Return the run of this number, or that of the study's best configuration.

    Raises ValueError for a run whose network cannot be exported, NoAnswer when none is complete.
    """
    study, best = data.study, data.best
    if number is not None:
        trial = find_run(study, number)
    elif study.is_confirmation:
        raise ValueError(
            f"{study.name} holds the paired runs that confirm another study; name that study with "
            "--study, or one of the runs with --trial"
        )
    elif best is None:
        raise NoAnswer(f"no run of {study.name} is complete yet, so there is no model to export")
    else:
        confirming = data.confirmation.trials if data.confirmation else ()
        same = (one for one in confirming if one.complete and one.parameters == best.parameters)
        trial = best.trial or next(same)
    if trial.attributes.get("diverged"):
        raise ValueError(
            f"run #{trial.number} of {study.name} diverged, so it left no network; choose another "
            "run with --trial"
        )
    if not trial.is_comparable:
        raise ValueError(
            f"run #{trial.number} of {study.name} had another division of the data than the study; "
            "choose a run of another phase with --trial"
        )
    return trial


def _check_request(request: ExportRequest) -> None:
    """Raise ValueError for a request that cannot be met, before anything is read or trained."""
    if request.seeds < 1:
        raise ValueError(f"--seeds {request.seeds} must be 1 or more")
    if request.on not in PARTS:
        raise ValueError(
            f"--on {request.on!r} is unknown; use pool (the training part) or all (with the "
            "validation part)"
        )
    if request.onnx:
        refuse_missing_packages()


def _train(
    job: TrainingJob, trial: Trial, request: ExportRequest, output: Output
) -> list[TrainedNetwork]:
    """Train the networks, and say how each one ends."""
    seeds = [trial.seed]
    seeds += [derive_seed(trial.seed, "export", i) for i in range(1, request.seeds)]
    networks = []
    for i, seed in enumerate(seeds, start=1):
        count = f"network {i} of {len(seeds)}" if len(seeds) > 1 else "network"
        with output.epochs(job.epochs, count) as tick:
            networks.append(train_network(job, seed, tick))
        output.notify(f"{count}: {_describe_network(networks[-1], job, request)}")
    return networks


def _describe_network(network: TrainedNetwork, job: TrainingJob, request: ExportRequest) -> str:
    """Return how the training of a network ended, in words."""
    if network.outcome.diverged:
        return f"seed {network.seed} diverged"
    part, value = "validation", network.outcome.value
    if request.on == ALL:
        assert network.outcome.test_value is not None, "every network is measured on the test part"
        part, value = "test", network.outcome.test_value
    return f"seed {network.seed}, {part} {job.metric.objective} {decimals(value)}"


def _model_metrics(
    study: Study,
    trial: Trial,
    job: TrainingJob,
    request: ExportRequest,
    networks: Sequence[TrainedNetwork],
) -> ModelMetrics:
    """Return what the networks reach, and which of them is exported."""
    seeds = tuple(_seed_metrics(network, request.on) for network in networks)
    return ModelMetrics(
        study=study.name,
        run=trial.number,
        objective=job.metric.objective,
        on=request.on,
        weights=job.weights,
        seeds=seeds,
        kept=choose_network(seeds),
        reproduction=None if request.on == ALL else _reproduction(study, trial, job, networks[0]),
        chance=job.chance,
    )


def _seed_metrics(network: TrainedNetwork, on: str) -> SeedMetrics:
    outcome = network.outcome
    held_out = {} if on == ALL else outcome.metrics
    return SeedMetrics(
        network.seed,
        None if on == ALL else outcome.value,
        finite({name: one for name, one in held_out.items() if not name.startswith("train_")}),
        finite(outcome.test or {}),
        outcome.diverged,
    )


def _reproduction(
    study: Study, trial: Trial, job: TrainingJob, network: TrainedNetwork
) -> Reproduction:
    """Return the network with the seed of the run, compared with what is stored of the run."""
    outcome = network.outcome
    # Runs other than those of a confirmation have stored nothing about the test part.
    is_tested = trial.test_value is not None
    new = NewResult(
        outcome.value,
        outcome.metrics,
        outcome.test_value if is_tested else None,
        (outcome.test or {}) if is_tested else {},
        job.device,
        {package: version(package) for package in PACKAGES},
    )
    return compare_runs(trial, new, read_trials(study), study.stamp.versions)
