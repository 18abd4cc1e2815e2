"""Check the machine, the database and its studies for problems, and say how to solve them."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import joblib
import torch
from sqlalchemy import Engine, text

from training_factors.storage.checkpoints import SUFFIX
from training_factors.storage.database import (
    Database,
    NoDatabaseError,
    folder_of,
    open_database,
)
from training_factors.storage.files import PARTIAL
from training_factors.storage.owner import ProcessStatus, read_owner, status_of
from training_factors.storage.retry import StorageUnavailableError
from training_factors.storage.studies import Study, load_study, study_names
from training_factors.storage.trials import describe_uncounted, read_trials, uncounted_trials
from training_factors.study.data.cache import cache_folder
from training_factors.study.training.autocast import has_bfloat16
from training_factors.study.training.device import count_gpus

OK, WARNING, BAD = "ok", "warning", "bad"

MIN_FREE_BYTES = 2**30
"""Minimum free space on a disk; with less a warning is given."""

MAX_CLOCK_SKEW_S = 5.0
"""Maximum difference from the database server's clock in seconds; above it a warning is given."""

STALE_AFTER_S = 3600.0
"""Age in seconds after which a partial file counts as left behind: no process still writes it."""

MAX_LISTED = 3
"""Maximum number of files left behind that are named; the others are counted."""

_SERVER_TIME = {
    "postgresql": "SELECT extract(epoch FROM now())",
    "mysql": "SELECT unix_timestamp(now(6))",
}
"""Kind of database -> the statement that returns its server's time, in seconds since 1970."""


class Check(NamedTuple):
    """The result of one check.

    subject: what was checked. state: OK, WARNING or BAD. found: the result in words. remedy: how to
    solve the problem, if there is one.
    """

    subject: str
    state: str
    found: str
    remedy: str = ""


def diagnose(url: str) -> list[Check]:
    """Run all checks; the most basic ones come first.

    url: of the database; if it cannot be opened, this is one of the checks.
    """
    checks: list[Check] = []
    studies: list[Study] = []
    folder = Path("runs")
    try:
        database = open_database(url, reading=True)
        folder = folder_of(database)
        checks += check_database(database)
        studies = [load_study(database, name) for name in study_names(database)]
        if not studies:
            checks.append(Check("studies", WARNING, "there is no study yet", "start one with run"))
    except NoDatabaseError as error:
        checks.append(Check("database", WARNING, *_split(error)))
    except (ValueError, StorageUnavailableError) as error:
        checks.append(Check("database", BAD, *_split(error)))
    return [
        *checks,
        *check_disk(folder, cache_folder()),
        *check_device(),
        *(check for study in studies for check in check_study(study)),
        *check_files(cache_folder(), studies),
    ]


def _split(error: Exception) -> tuple[str, str]:
    """Return what is wrong and the remedy, which error messages put after a semicolon."""
    found, _, remedy = str(error).partition("; ")
    return found, remedy


def check_database(database: Database) -> Iterator[Check]:
    """Check that the database answers, is intact, has the right tables, and agrees on the time."""
    engine = database.engine
    server = ".".join(str(part) for part in engine.dialect.server_version_info or ())
    if engine.name == "sqlite":
        with engine.connect() as connection:
            result = str(connection.execute(text("PRAGMA quick_check")).scalar())
        remedy = "recover the data into a new file: sqlite3 FILE .recover | sqlite3 NEWFILE"
        words = f"SQLite {server}, {result}" + (", read-only" if database.is_read_only else "")
        yield Check("database", OK if result == "ok" else BAD, words, remedy)
    else:
        yield Check("database", OK, f"{engine.dialect.name} {server}, {database.url}")
        yield _check_clock(engine)
    tables = database.storage
    yield Check(
        "tables",
        OK if tables.get_current_version() == tables.get_head_version() else BAD,
        f"schema {tables.get_current_version()} of Optuna",
        "optuna storage upgrade --storage URL, while no worker runs",
    )


def _check_clock(engine: Engine) -> Check:
    with engine.connect() as connection:
        server_s = float(connection.execute(text(_SERVER_TIME[engine.name])).scalar_one())
    skew_s = abs(server_s - time.time())
    state = OK if skew_s < MAX_CLOCK_SKEW_S else WARNING
    remedy = "enable time synchronization; runs are safe, but the times shown are wrong"
    return Check("clock", state, f"{skew_s:.1f} s from the server's", remedy)


def check_disk(*folders: Path) -> Iterator[Check]:
    """Check that folders, which need not exist yet, are writable and have free space."""
    for folder in folders:
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        is_writable = os.access(existing, os.W_OK)
        state = BAD if not is_writable else OK if free >= MIN_FREE_BYTES else WARNING
        space = f"{free / 2**30:.1f} GiB free in {folder}"
        words = space if is_writable else f"{space}, not writable"
        remedy = "free some space" if is_writable else "make the folder writable"
        yield Check("disk", state, words, f"{remedy}, or work in another folder")


def check_device() -> Iterator[Check]:
    """List the GPUs, or the processor cores where torch can use no GPU."""
    count = count_gpus()
    for index in range(count):
        yield Check("device", OK, f"cuda:{index}, {torch.cuda.get_device_name(index)}")
    if not count:
        cards = list(Path("/dev").glob("nvidia[0-9]*"))
        cores = joblib.cpu_count()
        remedy = (
            "install a driver that this torch can use: python -c 'import torch; torch.cuda.init()'"
        )
        words = f"{cores} processor cores, no GPU" + (" that torch can use" if cards else "")
        has_it = has_bfloat16(torch.device("cpu"))
        words += f", {'with' if has_it else 'no'} instructions for bfloat16"
        yield Check("device", WARNING if cards else OK, words, remedy)


def check_study(study: Study) -> Iterator[Check]:
    """Check that runs and trials agree, that workers live, and that package versions match."""
    yield _check_runs(study)
    differing = [
        f"{package} {recorded} in the study, {_installed_version(package)} now"
        for package, recorded in study.stamp.versions.items()
        if recorded != _installed_version(package)
    ]
    if differing:
        remedy = "other versions may give other results; install the study's, or start a new study"
        yield Check(study.name, WARNING, "; ".join(differing), remedy)


def _check_runs(study: Study) -> Check:
    active = study.queue.active_claims()
    dead = [a for a in active if status_of(read_owner(a.claim.owner)) is ProcessStatus.ENDED]
    trials = read_trials(study)
    uncounted = uncounted_trials(study)
    progress = study.queue.progress().values()
    done, total = sum(phase.done for phase in progress), sum(phase.total for phase in progress)
    failed = sum(trial.state == "FAIL" for trial in trials)
    counts = f"{done} of {total} runs done, {len(active)} running, {failed} failed"
    if dead:
        return Check(
            study.name, WARNING, f"{counts}; {_words_for_dead(len(dead))}",
            f"start a worker, which requeues them: training-factors worker {study.name}",
        )  # fmt: skip
    if uncounted:
        return Check(
            study.name, WARNING,
            f"{counts}; {describe_uncounted(uncounted)}",
            "nothing needs to be done; another study is a better place for them",
        )  # fmt: skip
    return Check(study.name, OK, counts)


def _words_for_dead(count: int) -> str:
    if count == 1:
        return "1 belongs to a process that has ended"
    return f"{count} belong to processes that have ended"


def _installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def check_files(cache: Path, studies: Sequence[Study]) -> Iterator[Check]:
    """Check for files that killed processes left behind and nobody will read."""
    files = [path for study in studies for path in _stale_files(study)]
    partial = [path for path in cache.glob("*.*") if path.is_dir()] if cache.is_dir() else []
    files += [path for path in partial if _is_stale(path)]
    if files:
        names = ", ".join(str(path) for path in files[:MAX_LISTED])
        more = f" and {len(files) - MAX_LISTED} more" if len(files) > MAX_LISTED else ""
        yield Check("files", WARNING, f"left behind: {names}{more}", "delete them")
    else:
        yield Check("files", OK, "nothing left behind")


def _stale_files(study: Study) -> Iterator[Path]:
    """Yield files that are only partly written, and checkpoints of runs that have ended."""
    ended = {
        f"{trial.phase}-{trial.row}-{trial.repeat}"
        for trial in read_trials(study)
        if _has_ended(trial.state)
    }
    for path in study.folder.glob(f"**/.*{PARTIAL}"):
        if _is_stale(path):
            yield path
    for path in study.folder.glob(f"checkpoints/*{SUFFIX}"):
        if path.name.split(".")[0] in ended:
            yield path


def _is_stale(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > STALE_AFTER_S


def _has_ended(state: str) -> bool:
    return state in ("COMPLETE", "PRUNED", "FAIL")
