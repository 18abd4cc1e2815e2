"""How a verb puts worker processes to a study, and tells what became of them.

Imports are inside functions, as in every module of this folder: a verb waits only for what it
needs.
"""

import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from study.commands import shell, starting

PRINTED = ("slurm", "compose", "kubernetes")
"""Clusters that start workers from a file of their own, which is printed."""

LEADING = 5
"""Factors that are confirmed where none is named: those with the largest shares."""


class Effort(NamedTuple):
    """What is put to a study. workers: None for one per GPU (times per_gpu) or core.

    timing: see `study.running.timing`. cluster: where workers are placed; None for here.
    allow_code: whether functions that the study names may be imported. asked: see `Crew`.
    """

    url: str
    workers: int
    device: str
    timing: Any
    cluster: str | None
    allow_code: bool
    asked: int | None = None


def effort(arguments: dict[str, Any], *, may_print: bool = False) -> Effort:
    """The effort that a verb's options describe. Raises ValueError for what cannot be.

    may_print: whether the verb prints what places workers elsewhere.
    """
    from study.running.timing import Timing

    starting.check_device(arguments["device"])
    named = {
        f"{name}_s": arguments[name] for name in ("heartbeat", "grace", "checkpoint", "patience")
    }
    timing = Timing(**{name: value for name, value in named.items() if value is not None})
    workers = arguments["workers"] or places(arguments["device"], arguments["per_gpu"])
    url = starting.url(arguments["storage"])
    cluster = arguments["cluster"]
    if cluster is not None and not (may_print and cluster in PRINTED):
        from study.running.cluster import check_cluster

        check_cluster(cluster, url)
    elif cluster is not None and url.startswith("sqlite"):
        print("other machines cannot reach an SQLite file: they need a server", file=sys.stderr)
    device, allow_code = arguments["device"], arguments["allow_code"]
    return Effort(url, workers, device, timing, cluster, allow_code, arguments.get("asked"))


def work(study: Any, prepared: Any, effort: Effort, *, is_stage: bool = False) -> int:
    """Run what waits on worker processes, showing how far it is; the exit code.

    is_stage: more may be planned after it, so that it is too early to say that all is done.
    """
    from storage.database import open_database
    from storage.stops import times_asked
    from storage.studies import load_study
    from study.reporting.overview import compute

    # Watching takes no write lock.
    study.database.close()
    watched = load_study(open_database(effort.url, reading=True), study.name)
    # Before torch is loaded, which takes seconds: who is asked to stop meanwhile does.
    asked = times_asked(watched) if effort.asked is None else effort.asked
    before = compute(watched)
    if before.done == before.total:
        if not is_stage:
            print(f"all {before.total} runs of {study.name} are done", file=sys.stderr)
        return 0
    from study.reporting.progress import following

    if effort.cluster is not None:
        from study.running.cluster import place

        with following(watched, effort.workers, _where(effort)) as tick:
            return place(watched, effort.cluster, effort.url, effort.workers, options(effort), tick)
    from study.running.datasheet import keep_sheet
    from study.running.launch import Crew, launch
    from study.running.preparation import prepare_for

    prepared = prepared or prepare_for(study, allow_code=effort.allow_code)
    keep_sheet(watched, prepared)
    logs = starting.folder(study) / "logs"
    crew = Crew(effort.workers, effort.device, effort.url, logs, effort.timing, asked)
    with following(watched, effort.workers, _where(effort)) as tick:
        return launch(watched, prepared, crew, tick)


def tell_failures(study: Any, storage: str | None) -> None:
    """Say how many runs failed, why, and how they are done again."""
    from study.reporting.overview import compute

    for reason, count in compute(study).failures.items():
        print(f"{count} runs failed: {reason}", file=sys.stderr)
    if compute(study).failures:
        again = shell.command("run", study, storage, "--retry-failed")
        print(f"do them again: {again}", file=sys.stderr)


def options(effort: Effort) -> list[str]:
    """The options of `worker` that make the same effort elsewhere, with one process."""
    from study.running.timing import Timing

    usual = Timing()
    words = ["--workers", "1", "--device", effort.device]
    for field in Timing.model_fields:
        value = getattr(effort.timing, field)
        if value != getattr(usual, field):
            words += ["--" + field.removesuffix("_s"), f"{value:g}"]
    return [*words, "--allow-code"] if effort.allow_code else words


def alternatives(study: Any, named: str | None) -> dict[str, str]:
    """The factors that are named, or the leading ones, each with its best further option."""
    from study.reporting.analyses import answer_of

    answer = answer_of(study, starting.cores())
    names = [factor.name for factor in answer.factors]
    wanted = names[:LEADING] if named is None else [name.strip() for name in named.split(",")]
    for name in wanted:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it varies {', '.join(names)}"
            raise ValueError(f"factor {name!r} is not varied by {study.name}; {hint}")
    return {name: _further(answer, study.stamp["described"], name) for name in wanted}


def _further(answer: Any, space: dict[str, Any], name: str) -> str:
    """The option with the highest mean among those that are not the baseline, if there are any."""
    (factor,) = (one for one in space["factors"] if one["name"] == name)
    first, *others = (str(option["name"]) for option in factor["options"])
    means = {e.option: e.mean for e in answer.effects if e.factor == name and e.knob is None}
    return max(others, key=lambda option: float(means[option]), default=first)


def confirm(
    study: Any, changes: dict[str, str], difference: float, effort: Effort
) -> tuple[int, Any]:
    """Plan and run a confirmation, stage by stage; the exit code, and its study."""
    from study.running.confirmation import Wish, open_confirmation, plan_next
    from study.running.preparation import prepare_for

    prepared = prepare_for(study, allow_code=effort.allow_code)
    confirmation = open_confirmation(study)
    while True:
        code = work(confirmation, prepared, effort, is_stage=True)
        if code:
            return code, confirmation
        if not plan_next(study, confirmation, prepared.space, Wish(changes, difference)):
            return 0, confirmation


def explain(study: Any, code: int) -> None:
    """Say why a study ended before its end, and how it goes on."""
    from storage.patience import StorageLostError
    from study.commands.secrecy import redacted
    from study.reporting.overview import compute

    if code not in (130, 143):
        lines = [line for log in _logs(study) for line in log.read_text().splitlines()[-1:]]
        print(f"{redacted(lines[-1]) if lines else 'workers ended'}", file=sys.stderr)
        print(f"logs:    {starting.folder(study)}/logs", file=sys.stderr)
    try:
        now = compute(study)
    except StorageLostError as error:
        print(error, file=sys.stderr)
    else:
        left = now.total - now.done
        print(f"stopped: {now.done} of {now.total} runs are done, {left} wait", file=sys.stderr)
    print(f"resume:  {shell.same_again()}", file=sys.stderr)


def _logs(study: Any) -> list[Path]:
    """What the processes wrote that this one started, the latest last."""
    logs = (starting.folder(study) / "logs").glob(f"{os.getpid()}-worker-*.log")
    return sorted(logs, key=lambda log: log.stat().st_mtime)


def _where(effort: Effort) -> str:
    """Where an effort's workers are, in words; only they know which GPU `auto` is."""
    if effort.cluster is not None:
        return effort.cluster
    return "cpu" if effort.device == "auto" and not _gpus() else effort.device


def places(device: str, per_gpu: int) -> int:
    """Workers for every GPU where there are any and they are wanted, else one per core."""
    gpus = _gpus()
    return gpus * per_gpu if gpus and device != "cpu" else starting.cores()


def _gpus() -> int:
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
