"""Open, create or load the study that a verb is about.

Imports stand inside the functions: a verb loads only what it needs.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from training_factors.storage.stamp import Stamp
    from training_factors.storage.studies import Study
    from training_factors.study.running.preparation import PreparedStudy

Settings = Mapping[str, object]
"""Settings of a study that the user named, under the field names of `Definition`."""


class OpenedStudy(NamedTuple):
    """A study with its runs in the queue.

    prepared: its data, space and model; None if the study was there and its settings are unchanged.
    is_new: whether it was just created.
    """

    study: "Study"
    prepared: "PreparedStudy | None"
    is_new: bool


def open_or_create(
    settings: Settings,
    *,
    name: str | None,
    storage: str | None,
    preset: str | None,
    rows: int | None,
    allow_code: bool,
) -> OpenedStudy:
    """Open the study that is named, or create it, and add the runs of its size to the queue.

    name: None for the default name of a study with these settings. Settings that are not named
    are those of the stored study. preset: the size; None for `quick` if the queue is empty, else to
    add nothing. rows: number of rows to measure, instead of the preset's; without a preset a stored
    study gets nothing else. allow_code: whether functions that only the stored study names may be
    imported.

    Raises ValueError for wrong input; then nothing was written.
    """
    from training_factors.storage.database import NoDatabaseError, open_database
    from training_factors.storage.definition import Definition, default_name
    from training_factors.storage.identity import new_key
    from training_factors.storage.studies import (
        CONFIRMATION_SUFFIX,
        check_name,
        create_study,
        find_study,
    )
    from training_factors.study.running.settings import Preset, open_preset

    size = open_preset("quick" if preset is None else preset, rows)
    name = default_name(Definition.model_validate(settings)) if name is None else name
    check_name(name)
    if name.endswith(CONFIRMATION_SUFFIX):
        raise ValueError(
            f"study name {name!r} ends in {CONFIRMATION_SUFFIX!r}, the ending of confirmations; "
            "choose another"
        )
    try:
        study = find_study(open_database(database_url(storage)), name)
    except NoDatabaseError:
        study = None
    stored = study.stamp.definition if study else Definition()
    definition = Definition.model_validate({**stored.model_dump(), **settings})
    if study is not None and not allow_code:
        from training_factors.study.running.preparation import refuse_code

        refuse_code(stored, _named_texts(settings))
    prepared, is_new = None, False
    if study is None or definition != stored:
        from training_factors.study.running.preparation import prepare_study

        if Path(definition.source).is_dir():
            print(f"reading {definition.source}", file=sys.stderr)
        prepared = prepare_study(definition, study.stamp if study else None)
        if study is None:
            database, key = open_database(database_url(storage), create=True), new_key()
            study = create_study(database, name, prepared.stamp(), key=key)
            is_new = study.key == key  # not if another process has created it meanwhile
    opened = OpenedStudy(study, prepared, is_new)
    with deleted_if_start_fails(opened):
        if prepared is not None:
            from training_factors.study.running.preparation import refuse_differences

            refuse_differences(study, prepared.stamp())
        if is_new:
            _print_left_out(study.stamp)
        if preset is not None or not study.queue.progress():
            study.queue.add(size.runs())
        elif rows is not None:
            study.queue.add(Preset(measure=rows, repeats=0, search=0).runs())
        _print_surprises(study, name)
    return opened


def _named_texts(settings: Settings) -> set[str]:
    """Return all texts among the settings, also those in lists."""
    lists = [value if isinstance(value, list) else [value] for value in settings.values()]
    return {str(text) for values in lists for text in values}


@contextmanager
def deleted_if_start_fails(opened: OpenedStudy) -> Iterator[None]:
    """Delete a new study if an error ends the block before any of its runs has begun."""
    try:
        yield
    except Exception:
        from training_factors.storage.identity import delete_unused
        from training_factors.storage.retry import StorageUnavailableError

        if opened.is_new:
            study = opened.study
            with suppress(StorageUnavailableError):  # the error that is raised again matters more
                delete_unused(study.database, study.study_id, study.key)
        raise


def _print_surprises(study: "Study", name: str | None) -> None:
    """Say that a study has another name by now, and that it has trials that others added."""
    from training_factors.storage.trials import describe_uncounted, uncounted_trials

    if name not in (None, study.name):
        print(f"study {name!r} is called {study.name!r} by now", file=sys.stderr)
    uncounted = uncounted_trials(study)
    if uncounted:
        print(f"{study.name}: {describe_uncounted(uncounted)}", file=sys.stderr)


def _print_left_out(stamp: "Stamp") -> None:
    from training_factors.storage.stamp import describe_left_out

    for line in stamp.data_report.lines():
        print(line, file=sys.stderr)
    if stamp.left_out:
        print(f"left out: {describe_left_out(stamp.left_out)}", file=sys.stderr)
    if stamp.reach:
        ways = ", ".join(f"{name} ({words})" for name, words in stamp.reach.items())
        print(f"acts on {stamp.model}: {ways}", file=sys.stderr)
    for note in stamp.notes:
        print(f"note: {note}", file=sys.stderr)


def load(name: str | None, storage: str | None, *, reading: bool = True) -> "Study":
    """Load the study of this name, or the only one; see `storage.studies.load_study`."""
    from training_factors.storage.database import open_database
    from training_factors.storage.studies import load_study

    study = load_study(open_database(database_url(storage), reading=reading), name)
    _print_surprises(study, name)
    return study


def retry_failed(study: "Study") -> None:
    """Put the runs that failed back into the queue."""
    from training_factors.storage.run_queue import Run
    from training_factors.storage.trials import read_trials

    trials = read_trials(study)
    count = study.queue.requeue(Run(t.phase, t.row, t.repeat) for t in trials if t.state == "FAIL")
    words = "1 failed run is" if count == 1 else f"{count} failed runs are"
    print(f"{words} retried", file=sys.stderr)


def database_url(storage: str | None) -> str:
    """Return the URL of the database: as named, else the default."""
    from training_factors.storage.urls import DEFAULT_URL

    return DEFAULT_URL if storage is None else storage


def check_device(name: str) -> None:
    """Raise ValueError for a device that is not on this machine, before anything is stored."""
    if name not in ("auto", "cpu"):  # these always are
        from training_factors.study.training.device import open_device

        open_device(name)


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
