"""How a verb comes by its study.

Imports are inside functions, as in every module of this folder: a verb waits only for what it
needs.
"""

import os
import sys
from pathlib import Path
from typing import Any


def given(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that define a study and were named, under the names of `Definition`."""
    from training_factors.storage.definition import Definition

    renamed = {"source": "data", "range": "range_"}
    named = {field: arguments[renamed.get(field, field)] for field in Definition.model_fields}
    return {field: value for field, value in named.items() if value not in (None, [])}


def open_or_create(
    given: dict[str, Any],
    name: str | None,
    storage: str | None,
    preset: str | None,
    allow_code: bool,
) -> tuple[Any, Any]:
    """The study of this name with its runs planned; wrong input leaves nothing behind.

    With it what was prepared, None where that was not needed to know that the study is the same.
    """
    from training_factors.storage.database import NoDatabaseError, open_database
    from training_factors.storage.definition import Definition, default_name
    from training_factors.storage.studies import (
        CONFIRMATION,
        check_name,
        create_study,
        find_study,
    )
    from training_factors.study.running.settings import open_preset

    size = open_preset("quick" if preset is None else preset)
    name = default_name(Definition(**given)) if name is None else name
    check_name(name)
    if name.endswith(CONFIRMATION):
        raise ValueError(f"study name {name!r} ends in {CONFIRMATION!r}; that is what confirm adds")
    try:
        found = find_study(open_database(url(storage)), name)
    except NoDatabaseError:
        found = None
    stored = found.stamp.definition if found else Definition()
    definition = Definition(**{**stored.model_dump(), **given})
    if found is not None and not allow_code:
        from training_factors.study.running.preparation import refuse_code

        refuse_code(stored, set(map(str, given.values())))
    prepared = None
    if found is None or definition != stored:
        from training_factors.study.running.preparation import prepare_study, refuse_differences

        if Path(definition.source).is_dir():
            print(f"reading {definition.source}", file=sys.stderr)
        prepared = prepare_study(definition)
        stamp = prepared.stamp()
        if found is None:
            found = create_study(open_database(url(storage), create=True), name, stamp)
            _tell_left_out(stamp)
        # Somebody else may have created it meanwhile.
        refuse_differences(found, stamp)
    if preset is not None or not found.queue.progress():
        found.queue.add(size.runs())
    return found, prepared


def _tell_left_out(stamp: Any) -> None:
    if stamp.skipped:
        count, names = stamp.data.skipped, ", ".join(stamp.skipped[:3])
        more = f" and {count - 3} more" if count > 3 else ""
        print(f"{count} files cannot be read and are left out: {names}{more}", file=sys.stderr)
    if stamp.left_out:
        names = ", ".join(f"{name} ({where})" for name, where in stamp.left_out)
        print(f"left out, since they do not apply to this data: {names}", file=sys.stderr)


def check_device(name: str) -> None:
    """Refuse a device that is not there before anything is stored; `auto` and `cpu` always are."""
    if name not in ("auto", "cpu"):
        from training_factors.study.training.device import open_device

        open_device(name)


def load(name: str | None, storage: str | None, *, reading: bool = True) -> Any:
    """The study of this name, or the only one; see `training_factors.storage.studies.load_study`."""
    from training_factors.storage.database import open_database
    from training_factors.storage.studies import load_study

    return load_study(open_database(url(storage), reading=reading), name)


def url(storage: str | None) -> str:
    """The database to use where none is named."""
    from training_factors.storage.urls import DEFAULT_URL

    return DEFAULT_URL if storage is None else storage


def folder(study: Any) -> Path:
    """Where the files of a study are kept."""
    return Path(study.folder)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def retry_failed(study: Any) -> None:
    """Put the runs that failed back into the list."""
    from training_factors.storage.run_queue import Run
    from training_factors.storage.trials import latest_trials

    trials = latest_trials(study)
    again = study.queue.requeue(Run(t.phase, t.row, t.repeat) for t in trials if t.state == "FAIL")
    print(f"{again} runs that failed are done again", file=sys.stderr)
