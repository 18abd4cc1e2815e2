"""Run the queue of a study: on worker processes, in this process, or on a cluster.

Imports stand inside the functions: only what is needed is loaded.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import joblib

from training_factors.study.api.opening import (
    IMAGE_MODEL_NOTE,
    database_url,
    deleted_if_start_fails,
    open_or_create,
    retry_failed,
    with_default_model,
)
from training_factors.study.api.output import Output
from training_factors.study.api.settings import DefinitionValues, Given, check_definition
from training_factors.study.api.study_file import NO_FILE, RunOptions, StudyFile, refuse_code_of

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.study.running.planning import Plan
    from training_factors.study.running.preparation import PreparedStudy
    from training_factors.study.running.settings import StartMethod, WorkerTiming

INTERRUPTED = (130, 143)
"""Exit codes of workers that were asked to stop: by Ctrl-C, and by any other signal."""

START_METHODS: "tuple[StartMethod, ...]" = ("fork", "spawn", "none")
"""Ways in which worker processes come about; see `choose_start` in `study.running.processes`."""


class WorkerSettings(NamedTuple):
    """Workers of a study: their number, device, start and cluster.

    workers: None for one per core, or `per_gpu` for each GPU. start: None for the fastest way that
    works. cluster: address of the cluster that runs them; None for this machine. allow_code:
    whether the functions that the study names may be imported. given: the objects that the study
    uses. stop_requests: how many requests to stop the study had before these workers started; None:
    count them now.
    """

    url: str
    workers: int | None
    per_gpu: int
    device: str
    timing: "WorkerTiming"
    start: "StartMethod | None"
    cluster: str | None
    allow_code: bool
    given: Given = Given()
    stop_requests: int | None = None


class StudyStoppedError(RuntimeError):
    """The study stopped before its end; the same call resumes it.

    exit_code: 1 when too many runs failed, 2 when a process cannot prepare the study, 3 when the
    database was lost, 130 after Ctrl-C, 143 when somebody asked the workers to stop.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def worker_settings(
    *,
    storage: str | None,
    workers: int | None,
    per_gpu: int,
    device: str,
    start: str | None,
    cluster: str | None,
    allow_code: bool,
    timing: "WorkerTiming",
    stop_requests: int | None = None,
) -> WorkerSettings:
    """Check the settings of workers and return them as one record.

    workers: 0 runs the study in this process. cluster: an address; see `check_cluster`.

    Raises ValueError for a device, a start or a cluster that cannot be used.
    """
    _check_device(device)
    method = _start_method(start, workers)
    url = database_url(storage)
    if cluster is not None:
        from training_factors.study.running.cluster import check_cluster

        if method is not None:
            raise ValueError(f"--start {method} is for this machine; leave it out with --cluster")
        check_cluster(cluster, url)
    return WorkerSettings(
        url, workers or None, per_gpu, device, timing, method, cluster, allow_code,
        stop_requests=stop_requests,
    )  # fmt: skip


def _check_device(name: str) -> None:
    """Raise ValueError for a device that is not on this machine, before anything is stored."""
    if name not in ("auto", "cpu"):  # these always are
        from training_factors.study.training.device import open_device

        open_device(name)


def _start_method(start: str | None, workers: int | None) -> "StartMethod | None":
    """Return how workers start. Raises ValueError for an unknown way, or two that contradict."""
    if workers == 0:
        if start not in (None, "none"):
            raise ValueError(
                f"--workers 0 runs the study in this process; leave --start {start} out"
            )
        return "none"
    if start == "none" and workers not in (None, 1):
        raise ValueError(f"--start none runs everything in this process; leave --workers {workers} "
                         "out")  # fmt: skip
    if start is None:
        return None
    for method in START_METHODS:
        if method == start:
            return method
    near = get_close_matches(start, START_METHODS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(START_METHODS)}"
    raise ValueError(f"--start {start!r} is unknown; {hint}")


def run_study(
    values: DefinitionValues,
    settings: WorkerSettings,
    output: Output,
    *,
    name: str | None,
    storage: str | None,
    preset: str | None,
    rows: int | None,
    divisions: int,
    hours: float | None,
    also: Sequence[str],
    retries_failed: bool,
    repeats: int | None = None,
    search: int | None = None,
    file: StudyFile = NO_FILE,
) -> "tuple[Study, int]":
    """Open or create a study, and run it; return it with the exit code of its workers.

    values: the settings that the user named. hours: that it may take, instead of a preset or rows.
    retries_failed: whether runs that failed before are run again. file: the study file that values
    are from, for the code that it names. The others are as of `open_or_create`, which also says
    what is raised.
    """
    from training_factors.study.api.timed_runs import run_within, start_time_limit

    refuse_code_of(file, settings.allow_code)
    limit = start_time_limit(hours, preset, rows, divisions, repeats, search)
    start = open_or_create(
        values,
        settings.given,
        name=name,
        storage=storage,
        preset=preset,
        rows=rows,
        repeats=repeats,
        search=search,
        divisions=divisions,
        is_timed=limit is not None,
        also=also,
        allow_code=settings.allow_code,
        device=settings.device,
        notify=output.notify,
    )
    if retries_failed:
        retry_failed(start.study, output.notify)
    with deleted_if_start_fails(start):
        # Code that the stored study names and the user does not was refused above.
        allowed = settings._replace(allow_code=True)
        if limit is not None:
            return start.study, run_within(start.study, start.prepared, allowed, output, limit)
        return start.study, run_queue(start.study, start.prepared, allowed, output)


def plan_study(
    values: DefinitionValues,
    given: Given,
    *,
    preset: str | None,
    rows: int | None,
    hours: float | None,
    divisions: int,
    workers: int | None,
    per_gpu: int,
    device: str,
    repeats: int | None = None,
    search: int | None = None,
    allow_code: bool = True,
    file: StudyFile = NO_FILE,
) -> "Plan":
    """Time two probe runs and estimate how long a study would take; nothing is stored.

    The arguments are as of `run_study` and `WorkerSettings`. Raises ValueError for wrong input.
    """
    from training_factors.study.api.timed_runs import size_chooser
    from training_factors.study.running.planning import make_plan
    from training_factors.study.running.preparation import refuse_few_divisions
    from training_factors.study.running.settings import division_runs, open_preset
    from training_factors.study.training.device import default_workers, open_device

    refuse_code_of(file, allow_code)
    choose_size = size_chooser(hours, preset, rows, divisions, repeats, search)
    chosen = open_device(device)
    prepared = _prepare_new(values, given, device)
    if divisions > 1:
        size = open_preset(preset or "quick", rows, repeats)
        refuse_few_divisions(prepared, division_runs(range(size.repeats), divisions))
    is_any = device in ("auto", chosen.type)
    usual = 1 if workers == 0 else default_workers(chosen, per_gpu, is_any=is_any)
    if prepared.space.varied:
        return make_plan(prepared, choose_size, divisions, workers or usual, device)
    return make_plan(
        prepared, lambda pace: choose_size(pace)._replace(search=0), divisions, workers or usual,
        device,
    )  # fmt: skip


def resolve_study_file(
    values: DefinitionValues,
    options: Mapping[str, object],
    *,
    allow_code: bool = True,
    file: StudyFile = NO_FILE,
) -> str:
    """Return the study file of a study with these settings, every default and factor included.

    Its data is read, but nothing is trained or stored. options: of `run`, as far as they are named;
    those that no study file has are left out.
    Raises ValueError for wrong input.
    """
    from training_factors.storage.definition import default_name
    from training_factors.storage.study_file_text import resolved_study_file

    refuse_code_of(file, allow_code)
    prepared = _prepare_new(values, Given(), "auto")
    name = default_name(check_definition(with_default_model(values)))
    named = {key: options[key] for key in RunOptions.model_fields if key in options}
    size = {} if "hours" in options else {"preset": "quick"}
    return resolved_study_file(
        prepared.definition,
        prepared.space.describe(),
        metric=prepared.metric.name,
        options={"study": name, **size, **named},
        left_out=prepared.left_out,
    )


def _prepare_new(values: DefinitionValues, given: Given, device: str) -> "PreparedStudy":
    """Prepare a study that is not stored; values: the settings that the user named."""
    from training_factors.study.running.preparation import prepare_study
    from training_factors.study.training.device import open_device

    completed = with_default_model(values)
    prepared = prepare_study(
        check_definition(completed), data=given.data, model=given.model, device=open_device(device)
    )
    if completed is values:
        return prepared
    return prepared._replace(notes=(IMAGE_MODEL_NOTE, *prepared.notes))


def run_queue(
    study: "Study",
    prepared: "PreparedStudy | None",
    settings: WorkerSettings,
    output: Output,
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

    # The progress display takes no write lock.
    study.database.close()
    watched = load_study(open_database(settings.url, reading=True), study.name)
    # Counted before torch is loaded, which takes seconds: a request in the meantime counts.
    stop_requests = settings.stop_requests
    if stop_requests is None:
        stop_requests = count_stop_requests(watched)
    done, total = _progress(watched)
    if done == total:
        if not is_stage:
            output.notify(f"all {total} runs of {study.name} are done")
        return 0
    open_database(settings.url).close()  # raises ValueError if it cannot be written
    try:
        if settings.cluster is not None:
            return _run_on_cluster(watched, settings, settings.cluster, output)
        prepared = prepared or prepare_stored(study, settings)
        return _run_here(watched, prepared, settings, output, stop_requests)
    finally:
        watched.database.close()


def prepare_stored(study: "Study", settings: WorkerSettings) -> "PreparedStudy":
    """Prepare a stored study with the objects that it uses."""
    from training_factors.study.running.preparation import prepare_stored_study

    return prepare_stored_study(
        study,
        allow_code=settings.allow_code,
        data=settings.given.data,
        model=settings.given.model,
    )


def _run_on_cluster(study: "Study", settings: WorkerSettings, cluster: str, output: Output) -> int:
    from training_factors.study.running.cluster import run_on_cluster

    count = count_workers(settings, is_given=False)
    words = worker_options(settings)
    with output.progress(study, count, cluster) as tick:
        return run_on_cluster(study, cluster, settings.url, count, words, tick)


def _run_here(
    study: "Study",
    prepared: "PreparedStudy",
    settings: WorkerSettings,
    output: Output,
    stop_requests: int,
) -> int:
    """Run the study on this machine; return the exit code."""
    from training_factors.study.running.datasheet_builder import store_datasheet
    from training_factors.study.running.in_process import run_in_process
    from training_factors.study.running.processes import choose_start
    from training_factors.study.running.settings import WorkerPool
    from training_factors.study.running.supervisor import run_workers
    from training_factors.study.training.autocast import describe_slow_precision
    from training_factors.study.training.device import open_device

    device = open_device(settings.device)
    slow = describe_slow_precision(prepared.model.precision, device)
    if slow:
        output.notify(slow)
    start = choose_start(settings.start, device.type, is_given=prepared.is_given)
    store_datasheet(study, prepared)
    pool = WorkerPool(
        count_workers(settings, is_given=prepared.is_given), settings.device, settings.url,
        study.folder / "logs", settings.timing, stop_requests, start,
    )  # fmt: skip
    place = device.type if settings.device in ("auto", device.type) else settings.device
    if start == "none":
        place += ", in this process"
    run = run_in_process if start == "none" else run_workers
    with output.progress(study, pool.workers, place) as tick:
        return run(study, prepared, pool, tick)


def count_workers(settings: WorkerSettings, *, is_given: bool) -> int:
    """Return how many workers the settings start.

    is_given: whether data or model are Python objects. Raises ValueError for a start that does not
    work here.
    """
    from training_factors.study.running.processes import choose_start
    from training_factors.study.training.device import default_workers, open_device

    if settings.cluster is not None:
        return settings.workers or int(joblib.cpu_count())
    device = open_device(settings.device)
    if choose_start(settings.start, device.type, is_given=is_given) == "none":
        return 1
    is_any = settings.device in ("auto", device.type)
    return settings.workers or default_workers(device, settings.per_gpu, is_any=is_any)


@contextmanager
def kept_process_settings() -> Iterator[None]:
    """Let the block train in this process; restore torch's threads and Optuna's log after it."""
    import optuna
    import torch

    threads, verbosity = torch.get_num_threads(), optuna.logging.get_verbosity()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        optuna.logging.set_verbosity(verbosity)


def _progress(study: "Study") -> tuple[int, int]:
    """Return how many runs of a study are done, and how many it has."""
    phases = study.queue.progress().values()
    return sum(phase.done for phase in phases), sum(phase.total for phase in phases)


def stop_reason(study: "Study", code: int) -> str | None:
    """Return why the workers of this process ended by themselves; None if they were asked to."""
    if code in INTERRUPTED:
        return None
    lines = [
        line
        for log in _worker_logs(study)
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
    ]
    if lines or code != 1:
        return lines[-1] if lines else "workers ended"
    from training_factors.study.reporting.status import compute_status

    # A study that runs in this process has no logs.
    return "; ".join(f"runs failed: {reason}" for reason in compute_status(study).failures)


def _worker_logs(study: "Study") -> list[Path]:
    """Return the logs of the workers that this process started, the latest last."""
    logs = (study.folder / "logs").glob(f"{os.getpid()}-worker-*.log")
    return sorted(logs, key=lambda log: log.stat().st_mtime)


def describe_stop(study: "Study") -> str:
    """Return how much of a study that stopped is done, or why that cannot be told."""
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.storage.run_queue import StudyGoneError
    from training_factors.study.reporting.status import compute_status

    try:
        status = compute_status(study)
    except (StorageUnavailableError, StudyGoneError) as error:
        return str(error)
    if study.is_confirmation:  # the stages to come are not planned yet
        return f"stopped: {status.done} runs of the confirmation are done, others are not"
    count = status.total - status.done
    left = "1 is not done" if count == 1 else f"{count} are not done"
    return f"stopped: {status.done} of {status.total} runs are done, {left}"


def worker_options(settings: WorkerSettings) -> list[str]:
    """Return the options of `worker` that run one worker with these settings elsewhere."""
    from training_factors.study.running.settings import timing_options

    words = ["--workers", "1", "--device", settings.device, *timing_options(settings.timing)]
    return [*words, "--allow-code"] if settings.allow_code else words
