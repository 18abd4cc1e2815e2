"""How a verb puts worker processes to a study, and tells what became of them.

Imports are inside functions, as in every module of this folder: a verb waits only for what it
needs.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from training_factors.study.commands import command_lines, study_loading

PRINTED = ("slurm", "compose", "kubernetes")
"""Clusters that start workers from a file of their own, which is printed."""

LEADING = 5
"""Factors that are confirmed where none is named: those with the largest shares."""


class Effort(NamedTuple):
    """What is put to a study. workers: None for one per GPU (times per_gpu) or core.

    timing: see `training_factors.study.running.settings`. cluster: where workers are placed; None for here.
    allow_code: whether functions that the study names may be imported. asked: see `Crew`.
    """

    url: str
    workers: int
    device: str
    timing: Any
    cluster: str | None
    allow_code: bool
    asked: int | None = None


def read_effort(arguments: dict[str, Any], *, may_print: bool = False) -> Effort:
    """The effort that a verb's options describe. Raises ValueError for what cannot be.

    may_print: whether the verb prints what places workers elsewhere.
    """
    from training_factors.study.running.settings import WorkerTiming

    study_loading.check_device(arguments["device"])
    named = {
        f"{name}_s": arguments[name] for name in ("heartbeat", "grace", "checkpoint", "patience")
    }
    timing = WorkerTiming(**{name: value for name, value in named.items() if value is not None})
    workers = arguments["workers"] or default_workers(arguments["device"], arguments["per_gpu"])
    url = study_loading.url(arguments["storage"])
    cluster = arguments["cluster"]
    if cluster is not None and not (may_print and cluster in PRINTED):
        from training_factors.study.running.cluster import check_cluster

        check_cluster(cluster, url)
    elif cluster is not None and url.startswith("sqlite"):
        print("other machines cannot reach an SQLite file: they need a server", file=sys.stderr)
    device, allow_code = arguments["device"], arguments["allow_code"]
    return Effort(url, workers, device, timing, cluster, allow_code, arguments.get("asked"))


def run_waiting(study: Any, prepared: Any, effort: Effort, *, is_stage: bool = False) -> int:
    """Run what waits on worker processes, showing how far it is; the exit code.

    is_stage: more may be planned after it, so that it is too early to say that all is done.
    """
    from training_factors.storage.database import open_database
    from training_factors.storage.stop_requests import count_stop_requests
    from training_factors.storage.studies import load_study
    from training_factors.study.reporting.status import compute_status

    # Watching takes no write lock.
    study.database.close()
    watched = load_study(open_database(effort.url, reading=True), study.name)
    # Before torch is loaded, which takes seconds: who is asked to stop meanwhile does.
    asked = count_stop_requests(watched) if effort.asked is None else effort.asked
    before = compute_status(watched)
    if before.done == before.total:
        if not is_stage:
            print(f"all {before.total} runs of {study.name} are done", file=sys.stderr)
        return 0
    from training_factors.study.reporting.progress import show_progress

    if effort.cluster is not None:
        from training_factors.study.running.cluster import place

        with show_progress(watched, effort.workers, _where(effort)) as tick:
            return place(
                watched, effort.cluster, effort.url, effort.workers, worker_options(effort), tick
            )
    from training_factors.study.running.datasheet_builder import store_datasheet
    from training_factors.study.running.preparation import prepare_stored_study
    from training_factors.study.running.supervisor import WorkerPool, run_workers

    prepared = prepared or prepare_stored_study(study, allow_code=effort.allow_code)
    store_datasheet(watched, prepared)
    logs = study_loading.folder(study) / "logs"
    crew = WorkerPool(effort.workers, effort.device, effort.url, logs, effort.timing, asked)
    with show_progress(watched, effort.workers, _where(effort)) as tick:
        return run_workers(watched, prepared, crew, tick)


def print_failures(study: Any, storage: str | None) -> None:
    """Say how many runs failed, why, and how they are done again."""
    from training_factors.study.reporting.status import compute_status

    for reason, count in compute_status(study).failures.items():
        print(f"{count} runs failed: {reason}", file=sys.stderr)
    if compute_status(study).failures:
        again = command_lines.command_line("run", study, storage, "--retry-failed")
        print(f"do them again: {again}", file=sys.stderr)


def worker_options(effort: Effort) -> list[str]:
    """The options of `worker` that make the same effort elsewhere, with one process."""
    from training_factors.study.running.settings import WorkerTiming

    usual = WorkerTiming()
    words = ["--workers", "1", "--device", effort.device]
    for field in WorkerTiming.model_fields:
        value = getattr(effort.timing, field)
        if value != getattr(usual, field):
            words += ["--" + field.removesuffix("_s"), f"{value:g}"]
    return [*words, "--allow-code"] if effort.allow_code else words


def alternatives(study: Any, named: str | None) -> dict[str, str]:
    """The factors that are named, or the leading ones, each with its best further option."""
    from training_factors.study.reporting.analyses import answer_of

    answer = answer_of(study, study_loading.cores())
    names = [factor.name for factor in answer.factors]
    wanted = names[:LEADING] if named is None else [name.strip() for name in named.split(",")]
    for name in wanted:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it varies {', '.join(names)}"
            raise ValueError(f"factor {name!r} is not varied by {study.name}; {hint}")
    return {name: _further(answer, study.stamp.space, name) for name in wanted}


def _further(answer: Any, space: Any, name: str) -> str:
    """The option with the highest mean among those that are not the baseline, if there are any."""
    first, *others = (str(option.name) for option in space.factor(name).options)
    means = {
        e.option: e.mean for e in answer.effects if e.factor == name and e.hyperparameter is None
    }
    return max(others, key=lambda option: float(means[option]), default=first)


def run_confirmation(
    study: Any, changes: dict[str, str], difference: float, effort: Effort
) -> tuple[int, Any]:
    """Plan and run a confirmation, stage by stage; the exit code, and its study."""
    from training_factors.study.running.confirmation import (
        ConfirmationRequest,
        open_confirmation,
        plan_next,
    )
    from training_factors.study.running.preparation import prepare_stored_study

    prepared = prepare_stored_study(study, allow_code=effort.allow_code)
    confirmation = open_confirmation(study)
    while True:
        code = run_waiting(confirmation, prepared, effort, is_stage=True)
        if code:
            return code, confirmation
        if not plan_next(
            study, confirmation, prepared.space, ConfirmationRequest(changes, difference)
        ):
            return 0, confirmation


def explain(study: Any, code: int) -> None:
    """Say why a study ended before its end, and how it goes on."""
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.study.commands.command_lines import redacted
    from training_factors.study.reporting.status import compute_status

    if code not in (130, 143):
        lines = [line for log in _logs(study) for line in log.read_text().splitlines()[-1:]]
        print(f"{redacted(lines[-1]) if lines else 'workers ended'}", file=sys.stderr)
        print(f"logs:    {study_loading.folder(study)}/logs", file=sys.stderr)
    try:
        now = compute_status(study)
    except StorageUnavailableError as error:
        print(error, file=sys.stderr)
    else:
        left = now.total - now.done
        print(f"stopped: {now.done} of {now.total} runs are done, {left} wait", file=sys.stderr)
    print(f"resume:  {command_lines.this_command()}", file=sys.stderr)


def _logs(study: Any) -> list[Path]:
    """What the processes wrote that this one started, the latest last."""
    logs = (study_loading.folder(study) / "logs").glob(f"{os.getpid()}-worker-*.log")
    return sorted(logs, key=lambda log: log.stat().st_mtime)


def _where(effort: Effort) -> str:
    """Where an effort's workers are, in words; only they know which GPU `auto` is."""
    if effort.cluster is not None:
        return effort.cluster
    return "cpu" if effort.device == "auto" and not _gpus() else effort.device


def default_workers(device: str, per_gpu: int) -> int:
    """Workers for every GPU where there are any and they are wanted, else one per core."""
    gpus = _gpus()
    return gpus * per_gpu if gpus and device != "cpu" else study_loading.cores()


def _gpus() -> int:
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def render_deployment(kind: str, study: str, effort: Any, options: Sequence[str]) -> str:
    """The file of this kind that starts `worker` so many times.

    It names no database: a URL may hold a password, so it comes from the environment.
    """
    environment = Environment(
        loader=PackageLoader("training_factors.study.commands", "deployments"),
        autoescape=False,
        undefined=StrictUndefined,
        keep_trailing_newline=False,
    )
    words = ["worker", study, *options]
    return environment.get_template(f"{kind}.jinja").render(
        arguments=shlex.join(words), words=words, workers=effort.workers
    )
