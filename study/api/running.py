"""Run and load studies, and compare them, from Python."""

from collections.abc import Callable, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Unpack

from training_factors.storage.database import NoDatabaseError, open_database
from training_factors.storage.studies import NoStudyError, load_study
from training_factors.study.api.execution import (
    kept_process_settings,
    run_study,
    worker_settings,
)
from training_factors.study.api.factor_study import FactorStudy, stop_if_interrupted
from training_factors.study.api.opening import database_url
from training_factors.study.api.output import choose_output
from training_factors.study.api.results import Compared
from training_factors.study.api.settings import (
    FilePath,
    StudySettings,
    check_timing,
    definition_values,
)
from training_factors.study.api.study_file import (
    NO_FILE,
    RunOptions,
    named_in_errors,
    read_study_file,
)

if TYPE_CHECKING:
    from training_factors.study.running.settings import StartMethod, WorkerTiming


def run(
    data: object = None,
    *,
    model: FilePath | Callable[..., object] | None = None,
    preset: str | None = None,
    rows: int | None = None,
    repeats: int | None = None,
    search: int | None = None,
    hours: float | None = None,
    also: FilePath | Sequence[FilePath] | None = None,
    divisions: int | None = None,
    config: FilePath | None = None,
    study: str | None = None,
    storage: str | None = None,
    retry_failed: bool = False,
    workers: int | None = None,
    per_gpu: int | None = None,
    device: str | None = None,
    start: "StartMethod | None" = None,
    cluster: str | None = None,
    allow_code: bool = False,
    timing: "WorkerTiming | None" = None,
    progress: bool | None = None,
    **settings: Unpack[StudySettings],
) -> FactorStudy:
    """Run a study to its end, and return it; the same call resumes one that was interrupted.

    Nothing is printed unless `progress` asks for it, or in a notebook, which shows a bar.

    data: what to train on: a name such as `digits`, the path of a folder, table or .npz, or
        `file.py:function`; or an object: a DataFrame, `(X, y)`, a dictionary of arrays, a
        `torch.utils.data.Dataset`, `(train, test)` of these, or a function that returns such. None
        for digits, or for the data of the stored study.
    model: `mlp`, `cnn`, `torchvision:NAME`, `timm:NAME` or `file.py:callable`; or an `nn.Module`
        class, or a function that returns a network. None for the stored
        model; of a new study it is `cnn` for a folder of images, else `mlp`.
    preset: `smoke`, `quick` (the default), `standard` or `deep`. rows: configurations to measure,
        repeats: how many of them run with two more seeds, search: runs of the search, instead of
        those of the preset; without a preset a stored study gets nothing else.
    hours: that it may take, with the analysis that follows; picks the size that fits, instead of
        `preset` and `rows`. A stored study goes on for these hours.
    also: TOML files of your own configurations, as `recommend().toml()` gives them; they take part
        in the search and in `confirm`, never in importance.
    divisions: of the data; with more than 1, the rows that are repeated with other seeds run under
        other divisions too, which shows how much the division moves a result; None for 1.
    config: a study file, as `--config` reads it: it holds for every argument that is None or is
        left out, and for the factors that the settings do not change. Objects in `data` and `model`
        replace its names.
    study: its name; None for one that follows from data, model and settings.
    storage: URL of the database; None for `sqlite:///runs/studies.db`.
    retry_failed: run those again that failed.
    workers: processes that train; None for one per core, or per GPU; 0 trains in this process.
    per_gpu: processes for each GPU; None for 1. device: `cpu`, `cuda`, `cuda:N`, `mps` or, like
        None, `auto`.
    start: how the processes come about: `fork`, `spawn` or `none`; None for the fastest that works.
    cluster: `dask://HOST:PORT` or `ray://HOST:PORT`, which then runs the processes.
    allow_code: allow importing code that only the stored study names.
    timing: intervals and timeouts of the workers.
    progress: True shows messages and a progress bar on standard error, False nothing.
    settings: of the data, the space and the study; see `StudySettings`.

    Raises ValueError, one line that names the value and the remedy, for wrong input, and
    StudyStoppedError when the study stops before its end.
    """
    named = {
        "preset": preset, "rows": rows, "repeats": repeats, "search": search, "hours": hours,
        "also": _paths(also), "divisions": divisions, "study": study, "storage": storage,
        "workers": workers, "per_gpu": per_gpu, "device": device, "start": start,
        "cluster": cluster,
    }  # fmt: skip
    values, given = definition_values(data, model, settings)
    file = NO_FILE if config is None else read_study_file(fspath(config))
    given_options = {name: value for name, value in named.items() if value is not None}
    values, options, file = file.completing(values, given_options)
    call = RunOptions.model_construct(**options)
    with named_in_errors(file), kept_process_settings():
        pool = worker_settings(
            storage=call.storage, workers=call.workers, per_gpu=call.per_gpu,
            device=call.device, start=call.start, cluster=call.cluster,
            allow_code=allow_code, timing=timing or check_timing(**call.timing()),
        )._replace(given=given)  # fmt: skip
        opened, code = run_study(
            values, pool, choose_output(progress), name=call.study, storage=call.storage,
            preset=call.preset, rows=call.rows, repeats=call.repeats, search=call.search,
            divisions=call.divisions, hours=call.hours, also=call.also or (),
            retries_failed=retry_failed, file=file,
        )  # fmt: skip
    stop_if_interrupted(opened, code)
    return FactorStudy(opened, call.storage, given, trusted=True)


def _paths(files: FilePath | Sequence[FilePath] | None) -> list[str] | None:
    """Return the paths of files as texts; None for None."""
    if files is None:
        return None
    return [fspath(file) for file in ([files] if isinstance(files, str | PathLike) else files)]


def load(study: str | None = None, storage: str | None = None) -> FactorStudy:
    """Load a study, running or ended, to read its results.

    study: its name; None for the only one. storage: URL of the database; None for
    `sqlite:///runs/studies.db`.

    Raises NoStudyError when there is none of this name, ValueError when there are several.
    """
    try:
        database = open_database(database_url(storage), reading=True)
    except NoDatabaseError as error:
        raise NoStudyError(str(error)) from error
    return FactorStudy(load_study(database, study), storage)


def compare(*studies: FactorStudy) -> Compared:
    """Compare the importance of the factors that several studies vary.

    Raises ValueError for fewer than two studies, or when they have no factor in common; NoAnswer
    when one has measured too few configurations.
    """
    from training_factors.study.analysis.comparison import compare as compare_answers

    answers = {study.name: study.importance().answer for study in studies}
    if len(answers) < 2:
        raise ValueError(f"compare needs two studies, got {', '.join(answers) or 'none'}")
    objectives = {study.name: study.objective for study in studies}
    return Compared(compare_answers(answers), objectives)
