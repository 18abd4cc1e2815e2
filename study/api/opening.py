"""Open, create or load a study.

Imports stand inside the functions: only what is needed is loaded.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from training_factors.study.api.settings import DefinitionValues, Given, check_definition

if TYPE_CHECKING:
    from training_factors.search_spaces.own_configuration import NamedSettings
    from training_factors.storage.definition import Definition
    from training_factors.storage.own_configurations import OwnConfiguration
    from training_factors.storage.run_queue import Run
    from training_factors.storage.stamp import Stamp
    from training_factors.storage.studies import Study
    from training_factors.study.running.preparation import PreparedStudy
    from training_factors.study.running.settings import Preset

IMAGE_MODEL = "cnn"
"""The model of an image folder where none is named; of all other data it is `mlp`."""

IMAGE_MODEL_NOTE = "model cnn is the default for image folders; --model names another"
"""Note for the user where it was chosen."""


class OpenedStudy(NamedTuple):
    """A study with its runs in the queue.

    prepared: its data, space and model; None if the study was there and nothing needed them yet.
    is_new: whether it was just created.
    """

    study: "Study"
    prepared: "PreparedStudy | None"
    is_new: bool


def open_or_create(
    settings: DefinitionValues,
    given: Given,
    *,
    name: str | None,
    storage: str | None,
    preset: str | None,
    rows: int | None,
    repeats: int | None = None,
    search: int | None = None,
    divisions: int,
    is_timed: bool,
    also: Sequence[str],
    allow_code: bool,
    device: str,
    notify: Callable[[str], None],
) -> OpenedStudy:
    """Open the study that is named, or create it, and add the runs of its size to the queue.

    name: None for the default name of a study with these settings. Settings that are not named
    are those of the stored study. given: the objects among the settings. preset: the size; None
    for `quick` if the queue is empty, else to add nothing. rows, repeats, search: numbers of rows
    to measure, of those that are repeated, and of runs of the search, instead of the preset's;
    without a preset a stored study gets nothing else. divisions: number of
    divisions of the data under which the repeated rows run, the study's own included. is_timed:
    whether a time decides on the size, so that a new study begins with the runs that are timed.
    also: files with configurations of the user's own. allow_code: whether functions that only the
    stored study names may be imported. device: that the study is to run on, for the choice of its
    precision. notify: shows a message.

    Raises ValueError for wrong input; then nothing was written.
    """
    from training_factors.search_spaces.own_configuration import read_settings
    from training_factors.storage.definition import Definition
    from training_factors.study.api.study_file import STUDY_KEYS
    from training_factors.study.running.settings import Preset, division_runs, open_preset
    from training_factors.study.running.sizing import FIRST

    name_of_preset = "quick" if preset is None else preset
    size = FIRST if is_timed else open_preset(name_of_preset, rows, repeats, search)
    _check_divisions(divisions)
    completed = with_default_model(settings)
    names = [_study_name(completed, name)]
    if completed is not settings and name is None:
        names.append(_study_name(settings, None))  # as earlier versions named it, with their model
    if name is None:
        names.append(_earlier_name(completed))
    own = [named for path in also for named in read_settings(path, STUDY_KEYS)]
    name, study = _find_first(names, storage)
    stored = study.stamp.definition if study else Definition()
    definition = check_definition({**stored.model_dump(), **(settings if study else completed)})
    if study is not None and not allow_code:
        from training_factors.study.running.preparation import refuse_code

        refuse_code(stored, _named_texts(settings))
    prepared = None
    if study is None or definition != stored or given.is_any or divisions > 1:
        prepared = _prepare(definition, given, study, size, divisions, device, notify)
    is_new = False
    if study is None:
        assert prepared is not None
        study, is_new = _create(name, storage, prepared, own)
    opened = OpenedStudy(study, prepared, is_new)
    with deleted_if_start_fails(opened):
        if prepared is not None:
            from training_factors.study.running.preparation import refuse_differences

            refuse_differences(study, prepared.stamp())
        own_configurations = _open_own(own, study.stamp)
        if is_new and prepared is not None:
            if completed is not settings:
                notify(IMAGE_MODEL_NOTE)
            _describe_new(prepared, notify)
        if study.stamp.space.is_fixed:
            size = size._replace(search=0)
        if preset is not None or not study.queue.progress():
            study.queue.add(size.runs())
        elif (rows, repeats, search) != (None, None, None):
            _refuse_repeats(repeats, max(rows or 0, study.queue.rows("measure")))
            study.queue.add(Preset(rows or 0, repeats or 0, search or 0).runs())
        if divisions > 1:
            study.queue.add(division_runs(study.queue.repeated_rows(), divisions))
        if own_configurations:
            _add_own(study, own_configurations, notify)
        _say_surprises(study, name, notify)
    return opened


def _prepare(
    definition: "Definition",
    given: Given,
    study: "Study | None",
    size: "Preset",
    divisions: int,
    device: str,
    notify: Callable[[str], None],
) -> "PreparedStudy":
    """Load the data of a definition, fit the space and the model to it, and say what is read.

    study: that is stored, None if there is none yet. The others are as of `open_or_create`.

    Raises ValueError for settings that do not fit the data, and for too many divisions of it.
    """
    from training_factors.study.running.preparation import prepare_study, refuse_few_divisions
    from training_factors.study.running.settings import division_runs
    from training_factors.study.training.device import open_device

    if definition.source and Path(definition.source).is_dir():
        notify(f"reading {definition.source}")
    prepared = prepare_study(
        definition, study.stamp if study else None, data=given.data, model=given.model,
        device=open_device(device),
    )  # fmt: skip
    repeated = {*range(size.repeats), *(study.queue.repeated_rows() if study else ())}
    refuse_few_divisions(prepared, division_runs(repeated, divisions))
    return prepared


def _create(
    name: str, storage: str | None, prepared: "PreparedStudy", own: "Sequence[NamedSettings]"
) -> "tuple[Study, bool]":
    """Create the study that was prepared; return it, and whether this process has created it.

    own: configurations of the user's own, which are checked before anything is stored.
    """
    from training_factors.storage.database import open_database
    from training_factors.storage.identity import new_key
    from training_factors.storage.studies import create_study

    stamp = prepared.stamp()
    _open_own(own, stamp)
    database, key = open_database(database_url(storage), create=True), new_key()
    study = create_study(database, name, stamp, key=key)
    return study, study.key == key  # another process may have created it meanwhile


def with_default_model(settings: DefinitionValues) -> DefinitionValues:
    """Return the settings of a new study, with `cnn` as the model of an image folder if unnamed."""
    source = settings.get("source")
    if settings.get("model") is not None or not isinstance(source, str) or not source:
        return settings
    folder = Path(source)
    if not folder.is_dir():
        return settings
    from training_factors.study.data.named_datasets import dataset_names
    from training_factors.study.data.saved_dataset import is_saved_dataset

    if source in dataset_names() or is_saved_dataset(folder):
        return settings
    return {**settings, "model": IMAGE_MODEL}


def _find_first(names: Sequence[str], storage: str | None) -> "tuple[str, Study | None]":
    """Return the first name under which a study is stored, with it; else the first, and None."""
    from training_factors.storage.database import NoDatabaseError, open_database
    from training_factors.storage.studies import find_study

    try:
        database = open_database(database_url(storage))
    except NoDatabaseError:
        return names[0], None
    found = ((name, find_study(database, name)) for name in names)
    return next((one for one in found if one[1] is not None), (names[0], None))


def _open_own(named: "Sequence[NamedSettings]", stamp: "Stamp") -> "list[OwnConfiguration]":
    """Return the user's configurations as points of a study's space; see `open_configuration`."""
    from training_factors.search_spaces.own_configuration import open_configuration
    from training_factors.storage.own_configurations import OwnConfiguration

    left_out = dict(stamp.left_out)
    return [
        OwnConfiguration(each.name, open_configuration(each, stamp.space, left_out))
        for each in named
    ]


def _add_own(
    study: "Study", own: "Sequence[OwnConfiguration]", notify: Callable[[str], None]
) -> None:
    """Store the user's configurations with the study, queue their runs, say how many are new."""
    from training_factors.storage.own_configurations import add_own_configurations

    new = study.queue.add(add_own_configurations(study, own))
    words = "1 configuration" if new == 1 else f"{new} configurations"
    notify(f"{words} of your own added" if new else "your configurations are in the study already")


def _study_name(settings: DefinitionValues, name: str | None) -> str:
    """Return the name of the study, as it is named or as it follows from its settings.

    Raises ValueError for a name that a study must not have.
    """
    from training_factors.storage.definition import default_name
    from training_factors.storage.studies import CONFIRMATION_SUFFIX, check_name

    name = default_name(check_definition(settings)) if name is None else name
    check_name(name)
    if name.endswith(CONFIRMATION_SUFFIX):
        raise ValueError(
            f"study name {name!r} ends in {CONFIRMATION_SUFFIX!r}, the ending of confirmations; "
            "choose another"
        )
    return name


def _earlier_name(settings: DefinitionValues) -> str:
    """Return the name by which earlier versions knew a study, from changes as they are written."""
    from training_factors.storage.definition import default_name

    written = {
        field: tuple(texts)
        for field in ("fix", "drop", "range", "choices")
        if isinstance(texts := settings.get(field), list | tuple)
    }
    return default_name(check_definition(settings).model_copy(update=written))


def _named_texts(settings: DefinitionValues) -> set[str]:
    """Return all texts among the settings, also those in lists."""
    lists = [value if isinstance(value, list | tuple) else [value] for value in settings.values()]
    return {str(text) for values in lists for text in values}


def _check_divisions(divisions: int) -> None:
    """Raise ValueError for a number of divisions of the data that cannot be."""
    if divisions < 1:
        raise ValueError(
            f"--divisions {divisions} must be 1, the study's own division alone, or more"
        )


def _refuse_repeats(repeats: int | None, rows: int) -> None:
    """Raise ValueError for more repeated rows than a stored study has rows."""
    if repeats is not None and repeats > rows:
        raise ValueError(f"--repeats {repeats} must be at most the study's number of rows, {rows}")


@contextmanager
def deleted_if_start_fails(opened: OpenedStudy) -> Iterator[None]:
    """Delete a new study if an error ends the block before any of its runs has begun."""
    try:
        yield
    except Exception:
        from training_factors.storage.deletion import delete_unused
        from training_factors.storage.retry import StorageUnavailableError

        if opened.is_new:
            study = opened.study
            with suppress(StorageUnavailableError):  # the error that is raised again matters more
                delete_unused(study.database, study.study_id, study.key)
        raise


def _say_surprises(study: "Study", name: str | None, notify: Callable[[str], None]) -> None:
    """Say that a study has another name by now, and that it has trials that others added."""
    from training_factors.storage.trials import describe_uncounted, uncounted_trials

    if name not in (None, study.name):
        notify(f"study {name!r} is called {study.name!r} by now")
    uncounted = uncounted_trials(study)
    if uncounted:
        notify(f"{study.name}: {describe_uncounted(uncounted)}")


def _describe_new(prepared: "PreparedStudy", notify: Callable[[str], None]) -> None:
    """Say what was done to the data of a new study, and how its factors and its model are used."""
    from training_factors.storage.precision import BFLOAT16
    from training_factors.storage.stamp import describe_left_out

    for line in prepared.data_report.lines():
        notify(line)
    if prepared.left_out:
        notify(f"left out: {describe_left_out(prepared.left_out)}")
    if prepared.reach:
        ways = ", ".join(f"{name} ({words})" for name, words in prepared.reach.items())
        notify(f"acts on {prepared.model.name}: {ways}")
    for note in prepared.notes:
        notify(f"note: {note}")
    if prepared.model.precision == BFLOAT16 and prepared.definition.precision == "auto":
        notify(f"precision: {BFLOAT16} ({prepared.precision_reason}); see --precision")


def open_stored(
    name: str | None,
    storage: str | None,
    notify: Callable[[str], None],
    *,
    reading: bool = True,
) -> "Study":
    """Open the study of this name, or the only one; see `storage.studies.load_study`."""
    from training_factors.storage.database import open_database
    from training_factors.storage.studies import load_study

    study = load_study(open_database(database_url(storage), reading=reading), name)
    _say_surprises(study, name, notify)
    return study


def retry_failed(study: "Study", notify: Callable[[str], None]) -> None:
    """Put the runs that failed back into the queue, and say how many."""
    from training_factors.storage.run_queue import Run
    from training_factors.storage.trials import read_trials

    trials = read_trials(study)
    retry_runs(study, [Run(t.phase, t.row, t.repeat) for t in trials if t.state == "FAIL"], notify)


def retry_runs(study: "Study", failed: "Sequence[Run]", notify: Callable[[str], None]) -> None:
    """Put these failed runs back into the queue, and say how many."""
    count = study.queue.requeue(failed)
    words = "1 failed run is" if count == 1 else f"{count} failed runs are"
    notify(f"{words} retried")


def database_url(storage: str | None) -> str:
    """Return the URL of the database: as named, else the default."""
    from training_factors.storage.urls import DEFAULT_URL

    return DEFAULT_URL if storage is None else storage


def check_device(name: str) -> None:
    """Raise ValueError for a device that is not on this machine, before anything is stored."""
    if name not in ("auto", "cpu"):  # these always are
        from training_factors.study.training.device import open_device

        open_device(name)
