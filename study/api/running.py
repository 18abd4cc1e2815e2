"""Run, load, compare and verify studies from Python."""

from collections.abc import Callable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from joblib import cpu_count

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
from training_factors.study.api.results import Compared, Verified
from training_factors.study.api.settings import (
    FilePath,
    StudySettings,
    check_timing,
    definition_values,
)
from training_factors.study.api.verifying import VerificationRequest, verify_file

if TYPE_CHECKING:
    from training_factors.study.running.settings import StartMethod, WorkerTiming


def run(
    data: object = None,
    *,
    model: FilePath | Callable[..., object] | None = None,
    preset: str | None = None,
    rows: int | None = None,
    hours: float | None = None,
    also: FilePath | Sequence[FilePath] = (),
    divisions: int = 1,
    study: str | None = None,
    storage: str | None = None,
    retry_failed: bool = False,
    workers: int | None = None,
    per_gpu: int = 1,
    device: str = "auto",
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
        instead of those of the preset; without a preset a stored study gets nothing else.
    hours: that it may take, with the analysis that follows; picks the size that fits, instead of
        `preset` and `rows`. A stored study goes on for these hours.
    also: TOML files of your own configurations, as `recommend().toml()` gives them; they take part
        in the search and in `confirm`, never in importance.
    divisions: of the data; with more than 1, the rows that are repeated with other seeds run under
        other divisions too, which shows how much the division moves a result.
    study: its name; None for one that follows from data, model and settings.
    storage: URL of the database; None for `sqlite:///runs/studies.db`.
    retry_failed: run those again that failed.
    workers: processes that train; None for one per core, or per GPU; 0 trains in this process.
    per_gpu: processes for each GPU. device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
    start: how the processes come about: `fork`, `spawn` or `none`; None for the fastest that works.
    cluster: `dask://HOST:PORT` or `ray://HOST:PORT`, which then runs the processes.
    allow_code: allow importing code that only the stored study names.
    timing: intervals and timeouts of the workers.
    progress: True shows messages and a progress bar on standard error, False nothing.
    settings: of the data, the space and the study; see `StudySettings`.

    Raises ValueError, one line that names the value and the remedy, for wrong input, and
    StudyStoppedError when the study stops before its end.
    """
    values, given = definition_values(data, model, settings)
    files = [fspath(file) for file in ([also] if isinstance(also, str | PathLike) else also)]
    pool = worker_settings(
        storage=storage, workers=workers, per_gpu=per_gpu, device=device, start=start,
        cluster=cluster, allow_code=allow_code, timing=timing or check_timing(),
    )._replace(given=given)  # fmt: skip
    with kept_process_settings():
        opened, code = run_study(
            values, pool, choose_output(progress), name=study, storage=storage, preset=preset,
            rows=rows, divisions=divisions, hours=hours, also=files,
            retries_failed=retry_failed,
        )  # fmt: skip
    stop_if_interrupted(opened, code)
    return FactorStudy(opened, storage, given, trusted=True)


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


def verify(
    file: FilePath,
    *,
    data: object = None,
    model: FilePath | Callable[..., object] | None = None,
    confirm: bool = False,
    workers: int | None = None,
    per_gpu: int = 1,
    device: str = "auto",
    start: "StartMethod | None" = None,
    allow_code: bool = False,
    progress: bool | None = None,
) -> Verified:
    """Run the study of an answer again, and return whether the answer is the same.

    The study runs in a temporary database, of which nothing is left. The search is not repeated:
    what it proposes depends on the order in which runs end; its best run is trained again.

    file: with an answer, as `runs/STUDY/answer.json` or what `importance --json` prints.
    data, model: in place of those that the file names, as of `run`; the data must be the same.
    confirm: also repeat the runs of the confirmation. allow_code: allow importing code that only
    the file names. The others are as of `run`.

    Raises ValueError for a file that holds no answer, for other data, and where the study cannot be
    run as it was; StudyStoppedError when it stops before its end.
    """
    values, given = definition_values(data, model, {})
    pool = worker_settings(
        storage=None, workers=workers, per_gpu=per_gpu, device=device, start=start, cluster=None,
        allow_code=allow_code, timing=check_timing(),
    )._replace(given=given)  # fmt: skip
    request = VerificationRequest(values, confirm, cpu_count())
    return Verified(verify_file(Path(file), request, pool, choose_output(progress)))
