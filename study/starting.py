"""How a verb comes by its study, and puts worker processes to it.

Imports are inside functions, as in `study.commands`: a verb waits only for what it needs.
"""

import os
import shlex
import shutil
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

LEADING = 5
"""Factors that are confirmed where none is named: those with the largest shares."""


def given(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that define a study and were named, under the names of `Definition`."""
    from study.running.settings import Definition

    renamed = {"source": "data", "range": "range_"}
    named = {field: arguments[renamed.get(field, field)] for field in Definition.model_fields}
    return {field: value for field, value in named.items() if value not in (None, [])}


def open_or_create(
    given: dict[str, Any], name: str | None, storage: str | None, preset: str | None
) -> tuple[Any, Any]:
    """The study of this name with its runs planned; wrong input leaves nothing behind.

    With it what was prepared, None where that was not needed to know that the study is the same.
    """
    from storage.database import NoDatabaseError, open_database
    from storage.studies import check_name, create_study, find_study
    from study.running.presets import open_preset
    from study.running.settings import Definition, default_name

    size = open_preset("quick" if preset is None else preset)
    name = default_name(Definition(**given)) if name is None else name
    check_name(name)
    try:
        found = find_study(open_database(url(storage)), name)
    except NoDatabaseError:
        found = None
    stored = found.stamp["definition"] if found else {}
    definition = Definition(**{**stored, **given})
    prepared = None
    if found is None or definition != Definition(**stored):
        from study.running.preparation import prepare, refuse_differences

        if Path(definition.source).is_dir():
            print(f"reading {definition.source}", file=sys.stderr)
        prepared = prepare(definition)
        stamp = prepared.stamp()
        if found is not None:
            refuse_differences(found, stamp)
        else:
            found = create_study(open_database(url(storage), create=True), name, stamp)
            _tell_left_out(stamp)
    if preset is not None or not found.ledger.progress():
        found.ledger.plan(size.runs())
    return found, prepared


def work(
    study: Any,
    prepared: Any,
    storage: str | None,
    workers: int | None,
    device: str,
    *,
    is_stage: bool = False,
) -> int:
    """Run what waits on worker processes, showing how far it is; the exit code.

    is_stage: more may be planned after it, so that it is too early to say that all is done.
    """
    workers = workers or default_workers(device)
    from study.reporting.overview import compute
    from study.running.recovery import requeue_ended

    requeue_ended(study)
    before = compute(study)
    if before.done == before.total and is_stage:
        return 0
    if before.done == before.total:
        print(f"all {before.total} runs of {study.name} are done", file=sys.stderr)
        return 0
    from study.reporting.progress import following
    from study.running.launch import Crew, launch
    from study.running.preparation import prepare_for

    prepared = prepared or prepare_for(study)
    crew = Crew(workers, device, url(storage), folder(study) / "logs")
    with following(study, workers) as tick:
        return launch(study, prepared, crew, tick)


def alternatives(study: Any, named: str | None) -> dict[str, str]:
    """The factors that are named, or the leading ones, each with its best further option."""
    from study.reporting.analyses import answer_of

    answer = answer_of(study, cores())
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
    study: Any,
    changes: dict[str, str],
    difference: float,
    storage: str | None,
    workers: int | None,
    device: str,
) -> tuple[int, Any]:
    """Plan and run a confirmation, stage by stage; the exit code, and its study."""
    from study.running.confirmation import Wish, open_confirmation, plan_next
    from study.running.preparation import prepare_for

    prepared = prepare_for(study)
    confirmation = open_confirmation(study)
    while True:
        code = work(confirmation, prepared, storage, workers, device, is_stage=True)
        if code:
            return code, confirmation
        if not plan_next(study, confirmation, prepared.space, Wish(changes, difference)):
            return 0, confirmation


def explain(study: Any, code: int) -> None:
    """Say why a study ended before its end, and how it goes on."""
    from study.reporting.overview import compute

    if code in (130, 143):
        now = compute(study)
        left = now.total - now.done
        print(f"stopped: {now.done} of {now.total} runs are done, {left} wait", file=sys.stderr)
        print(f"resume:  {shlex.join([*entry(), *sys.argv[1:]])}", file=sys.stderr)
        return
    logs = sorted((folder(study) / "logs").glob("*.log"))
    lines = [line for log in logs for line in log.read_text().splitlines()[-1:]]
    print(f"{lines[-1] if lines else 'workers ended'}\nlogs: {folder(study)}/logs", file=sys.stderr)


def _tell_left_out(stamp: dict[str, Any]) -> None:
    if stamp["skipped"]:
        count, names = stamp["data"]["skipped"], ", ".join(stamp["skipped"][:3])
        more = f" and {count - 3} more" if count > 3 else ""
        print(f"{count} files cannot be read and are left out: {names}{more}", file=sys.stderr)
    if stamp["left_out"]:
        names = ", ".join(f"{name} ({where})" for name, where in stamp["left_out"])
        print(f"left out, since they do not apply to this data: {names}", file=sys.stderr)


def check_device(name: str) -> None:
    """Refuse a device that is not there before anything is stored; `auto` and `cpu` always are."""
    if name not in ("auto", "cpu"):
        from study.training.device import open_device

        open_device(name)


def load(name: str | None, storage: str | None) -> Any:
    """The study of this name, or the only one; see `storage.studies.load_study`."""
    from storage.database import open_database
    from storage.studies import load_study

    return load_study(open_database(url(storage)), name)


def url(storage: str | None) -> str:
    """The database to use where none is named."""
    from storage.database import DEFAULT_URL

    return storage or DEFAULT_URL


def folder(study: Any) -> Path:
    """Where the files of a study are kept."""
    from storage.database import folder_of

    return folder_of(study.database) / str(study.slug)


def default_workers(device: str) -> int:
    """One per GPU where there are any and they are wanted, else one per core."""
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return gpus if gpus and device != "cpu" else cores()


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def following(study: Any, storage: str | None, more_rows: int | None) -> str:
    """The next command: more rows where they would settle something, else the confirmation."""
    from study.running.presets import PRESETS

    rows = study.ledger.progress()["measure"].total
    sizes = [name for name, preset in PRESETS.items() if preset.measure > rows]
    if more_rows and sizes:
        return command("run", study, storage, "--preset", sizes[0])
    return command("confirm", study, storage)


def command(verb: str, study: Any, storage: str | None, *options: str) -> str:
    """A command line to paste."""
    words = [verb] if verb != "run" else []
    place = ["--storage", study.database.url] if storage else []
    return shlex.join([*entry(), *words, "--study", study.name, *options, *place])


def entry() -> list[str]:
    """How this program was called."""
    program = sys.argv[0]
    if not program.endswith(".py"):
        return [Path(program).name]
    found = shutil.which("python")
    same = found is not None and Path(found).samefile(sys.executable)
    return ["python" if same else sys.executable, program]
