"""Run the queue of a study on worker processes, and tell the user how that ended.

Imports stand inside the functions: a verb loads only what it needs.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from training_factors.study.commands import command_lines, study_loading

if TYPE_CHECKING:
    from training_factors.search_spaces.description import DescribedFactor
    from training_factors.storage.studies import Study
    from training_factors.study.analysis.answer import Answer
    from training_factors.study.running.preparation import PreparedStudy
    from training_factors.study.running.settings import WorkerTiming

PRINTED_CLUSTERS = ("slurm", "compose", "kubernetes")
"""Clusters that start workers from a file of their own, which `worker --cluster` prints."""

LEADING_FACTORS = 5
"""Number of factors to confirm where none is named: those with the largest shares."""

INTERRUPTED = (130, 143)
"""Exit codes of workers that were asked to stop: by Ctrl-C, and by any other signal."""


class WorkerSettings(NamedTuple):
    """Workers of a study: their number, device and cluster.

    cluster: address of the cluster that runs them; None for this machine. allow_code: whether the
    functions that the study names may be imported. stop_requests: how many requests to stop the
    study had before these workers started; None: count them now.
    """

    url: str
    workers: int
    device: str
    timing: "WorkerTiming"
    cluster: str | None
    allow_code: bool
    stop_requests: int | None = None


def read_timing(
    *,
    heartbeat: float | None,
    grace: float | None,
    checkpoint: float | None,
    retry_timeout: float | None,
) -> "WorkerTiming":
    """Return the timing of workers; None leaves the default. Raises pydantic.ValidationError."""
    from training_factors.study.running.settings import WorkerTiming

    named = {
        "heartbeat_s": heartbeat,
        "grace_s": grace,
        "checkpoint_s": checkpoint,
        "retry_timeout_s": retry_timeout,
    }
    return WorkerTiming(**{name: value for name, value in named.items() if value is not None})


def read_settings(
    *,
    storage: str | None,
    workers: int | None,
    per_gpu: int,
    device: str,
    cluster: str | None,
    allow_code: bool,
    timing: "WorkerTiming",
    stop_requests: int | None = None,
    may_print: bool = False,
) -> WorkerSettings:
    """Check the worker options of a verb and return them as one record.

    may_print: whether the verb prints the files of `PRINTED_CLUSTERS`.

    Raises ValueError for a device or a cluster that cannot be used.
    """
    study_loading.check_device(device)
    url = study_loading.database_url(storage)
    if cluster is not None and not (may_print and cluster in PRINTED_CLUSTERS):
        from training_factors.study.running.cluster import check_cluster

        check_cluster(cluster, url)
    elif cluster is not None and url.startswith("sqlite"):
        print("other machines cannot reach an SQLite file: they need a server", file=sys.stderr)
    count = workers or default_workers(device, per_gpu)
    return WorkerSettings(url, count, device, timing, cluster, allow_code, stop_requests)


def run_queue(
    study: "Study",
    prepared: "PreparedStudy | None",
    settings: WorkerSettings,
    *,
    is_stage: bool = False,
) -> int:
    """Run all waiting runs of a study, showing its progress; return the exit code.

    prepared: None to prepare the stored study. is_stage: more runs may be added afterwards, so
    that "all runs are done" is not said yet.
    """
    from training_factors.storage.database import open_database
    from training_factors.storage.stop_requests import count_stop_requests
    from training_factors.storage.studies import load_study
    from training_factors.study.reporting.status import compute_status

    # The progress display takes no write lock.
    study.database.close()
    watched = load_study(open_database(settings.url, reading=True), study.name)
    # Counted before torch is loaded, which takes seconds: a request in the meantime counts.
    stop_requests = settings.stop_requests
    if stop_requests is None:
        stop_requests = count_stop_requests(watched)
    before = compute_status(watched)
    if before.done == before.total:
        if not is_stage:
            print(f"all {before.total} runs of {study.name} are done", file=sys.stderr)
        return 0
    open_database(settings.url).close()  # raises ValueError if it cannot be written
    from training_factors.study.reporting.progress import show_progress

    if settings.cluster is not None:
        from training_factors.study.running.cluster import run_on_cluster

        words = worker_options(settings)
        with show_progress(watched, settings.workers, settings.cluster) as tick:
            return run_on_cluster(
                watched, settings.cluster, settings.url, settings.workers, words, tick
            )
    from training_factors.study.running.datasheet_builder import store_datasheet
    from training_factors.study.running.preparation import prepare_stored_study
    from training_factors.study.running.supervisor import WorkerPool, run_workers

    prepared = prepared or prepare_stored_study(study, allow_code=settings.allow_code)
    store_datasheet(watched, prepared)
    pool = WorkerPool(
        settings.workers,
        settings.device,
        settings.url,
        study.folder / "logs",
        settings.timing,
        stop_requests,
    )
    with show_progress(watched, settings.workers, _device_words(settings.device)) as tick:
        return run_workers(watched, prepared, pool, tick)


def run_confirmation(
    study: "Study", changes: dict[str, str], difference: float, settings: WorkerSettings
) -> tuple[int, "Study"]:
    """Plan and run a confirmation, stage by stage; return the exit code and its study.

    changes: factor -> the option to try where the best configuration has the baseline.
    difference: the smallest difference worth seeing, in the unit of the objective.
    """
    from training_factors.storage.studies import create_confirmation
    from training_factors.study.running.confirmation import ConfirmationRequest, plan_next
    from training_factors.study.running.preparation import prepare_stored_study

    prepared = prepare_stored_study(study, allow_code=settings.allow_code)
    confirmation = create_confirmation(study)
    request = ConfirmationRequest(changes, difference)
    while True:
        code = run_queue(confirmation, prepared, settings, is_stage=True)
        if code or not plan_next(study, confirmation, prepared.space, request):
            return code, confirmation


def smallest_difference(study: "Study", named: float | None) -> float:
    """Return the smallest difference worth seeing, in the unit of the objective.

    named: in points, or in the unit of a loss; None for one point, or 1 % of the loss at chance.
    Raises ValueError for a difference that is too small.
    """
    from training_factors.storage.metrics import metric_of

    metric = metric_of(study.stamp.objective)
    least = 0.0 if metric.unit else 0.01
    if named is not None and not (named >= least and named > 0):
        at_least = "greater than 0" if metric.unit else "0.01 or more"
        raise ValueError(f"--difference {named:g} must be {at_least}")
    if not metric.unit:
        return (1.0 if named is None else named) / 100
    return study.stamp.chance[metric.name] / 100 if named is None else named


def factors_to_confirm(study: "Study", named: str | None) -> dict[str, str]:
    """Return the factors to confirm, each with its best option other than the baseline.

    named: names with commas; None for the factors with the largest shares. Raises ValueError for
    a factor that the study does not vary.
    """
    from training_factors.study.reporting.analyses import answer_of

    answer = answer_of(study, study_loading.cores())
    varied = [factor.name for factor in answer.factors]
    if named is None:
        wanted = varied[:LEADING_FACTORS]
    else:
        wanted = [name.strip() for name in named.split(",")]
    for name in wanted:
        if name not in varied:
            near = get_close_matches(name, varied, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it varies {', '.join(varied)}"
            raise ValueError(f"factor {name!r} is not varied by {study.name}; {hint}")
    return {name: _best_alternative(answer, study.stamp.space.factor(name)) for name in wanted}


def _best_alternative(answer: "Answer", factor: "DescribedFactor") -> str:
    """Return the option with the highest mean besides the baseline; the baseline if alone."""
    means = {
        effect.option: effect.mean
        for effect in answer.effects
        if effect.factor == factor.name and effect.hyperparameter is None
    }
    others = [option.name for option in factor.options[1:]]
    return max(others, key=lambda option: means[option], default=factor.baseline.name)


def print_failures(study: "Study", storage: str | None) -> None:
    """Print how many runs failed and why, and the command that retries them."""
    from training_factors.study.reporting.status import compute_status

    failures = compute_status(study).failures
    for reason, count in failures.items():
        print(f"{count} {'run' if count == 1 else 'runs'} failed: {reason}", file=sys.stderr)
    if failures:
        line = command_lines.command_line("run", study, storage, "--retry-failed")
        print(f"retry them: {line}", file=sys.stderr)


def print_interruption(study: "Study", code: int) -> None:
    """Print why a study ended before its end, and the command that resumes it."""
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.storage.run_queue import StudyGoneError
    from training_factors.study.reporting.status import compute_status

    if code not in INTERRUPTED:
        lines = [
            line
            for log in _worker_logs(study)
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
        ]
        reason = command_lines.redacted(lines[-1]) if lines else "workers ended"
        print(reason, file=sys.stderr)
        print(f"logs:    {study.folder}/logs", file=sys.stderr)
    try:
        status = compute_status(study)
    except (StorageUnavailableError, StudyGoneError) as error:
        print(error, file=sys.stderr)
    else:
        left = status.total - status.done
        left_words = "1 is not done" if left == 1 else f"{left} are not done"
        print(
            f"stopped: {status.done} of {status.total} runs are done, {left_words}", file=sys.stderr
        )
    print(f"resume:  {command_lines.this_command()}", file=sys.stderr)


def _worker_logs(study: "Study") -> list[Path]:
    """Return the logs of the workers that this process started, the latest last."""
    logs = (study.folder / "logs").glob(f"{os.getpid()}-worker-*.log")
    return sorted(logs, key=lambda log: log.stat().st_mtime)


def worker_options(settings: WorkerSettings) -> list[str]:
    """Return the options of `worker` that run one worker with these settings elsewhere."""
    from training_factors.study.running.settings import WorkerTiming

    usual = WorkerTiming()
    words = ["--workers", "1", "--device", settings.device]
    for field in WorkerTiming.model_fields:
        value = getattr(settings.timing, field)
        if value != getattr(usual, field):
            words += [f"--{field.removesuffix('_s').replace('_', '-')}", f"{value:g}"]
    return [*words, "--allow-code"] if settings.allow_code else words


def render_deployment(
    kind: str, study: str, settings: WorkerSettings, options: Sequence[str]
) -> str:
    """Return the file with which a cluster of this kind starts the workers.

    The file names no database: a URL may hold a password, so it comes from the environment.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("training_factors.study.commands", "deployments"),
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=False,
    )
    words = ["worker", study, *options]
    return environment.get_template(f"{kind}.jinja").render(
        arguments=shlex.join(words), words=words, workers=settings.workers
    )


def default_workers(device: str, per_gpu: int) -> int:
    """Return `per_gpu` workers for each GPU, if GPUs are there and wanted, else one per core."""
    gpus = _count_gpus()
    return gpus * per_gpu if gpus and device != "cpu" else study_loading.cores()


def _device_words(device: str) -> str:
    """Return the device as shown before torch is loaded: only workers know which GPU is `auto`."""
    return "cpu" if device == "auto" and not _count_gpus() else device


def _count_gpus() -> int:
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
