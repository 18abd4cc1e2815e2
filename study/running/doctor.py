"""What could be wrong with this machine, the database or a study; and what to do about it."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import torch
from sqlalchemy import Engine, text

from training_factors.storage.checkpoints import SUFFIX
from training_factors.storage.database import Database, folder_of
from training_factors.storage.files import PARTIAL
from training_factors.storage.owner import ProcessStatus, read_owner, status_of
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study, load_study, study_names
from training_factors.storage.trials import latest_trials, read_trials
from training_factors.study.training.cache import cache_folder

OK, WARNING, BAD = "ok", "warning", "bad"

FREE_BYTES = 2**30
"""Less free space than this is worth a word."""

SKEW_S = 5.0
"""Difference between two clocks that confuses whoever reads times from both."""

STAGED_S = 3600.0
"""Age after which nobody is still writing a file."""

_CLOCKS = {
    "postgresql": "SELECT extract(epoch FROM now())",
    "mysql": "SELECT unix_timestamp(now(6))",
}


class Check(NamedTuple):
    """What was looked at, in which state it is, what was found, and what to do about it."""

    subject: str
    state: str
    found: str
    remedy: str = ""


def diagnose(database: Database) -> list[Check]:
    """All checks, in the order in which one would look."""
    studies = [load_study(database, name) for name in study_names(database)]
    return [
        *check_database(database),
        *check_disk(folder_of(database), cache_folder()),
        *check_device(),
        *(check for study in studies for check in check_study(study)),
        *check_files(cache_folder(), studies),
    ]


def check_database(database: Database) -> Iterator[Check]:
    """Whether it answers, is whole, and has the same time."""
    engine = database.engine
    server = ".".join(str(part) for part in engine.dialect.server_version_info or ())
    if engine.name == "sqlite":
        with engine.connect() as connection:
            found = str(connection.execute(text("PRAGMA quick_check")).scalar())
        remedy = "copy what is whole: sqlite3 FILE .recover"
        yield Check("database", OK if found == "ok" else BAD, f"SQLite {server}, {found}", remedy)
    else:
        yield Check("database", OK, f"{engine.dialect.name} {server}, {database.url}")
        yield _check_clock(engine)
    tables = database.storage
    yield Check(
        "tables",
        OK if tables.get_current_version() == tables.get_head_version() else BAD,
        f"schema {tables.get_current_version()} of Optuna",
        "optuna storage upgrade --storage URL, with nobody at work",
    )


def _check_clock(engine: Engine) -> Check:
    with engine.connect() as connection:
        skew_s = abs(
            float(connection.execute(text(_CLOCKS[engine.name])).scalar_one()) - time.time()
        )
    state = OK if skew_s < SKEW_S else WARNING
    remedy = "switch on time synchronization; no run is lost by it, but times mislead"
    return Check("clock", state, f"{skew_s:.1f} s from the server's", remedy)


def check_disk(*folders: Path) -> Iterator[Check]:
    """Whether there is room where files are written."""
    for folder in folders:
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(there).free
        writable = os.access(there, os.W_OK)
        state = BAD if not writable else OK if free >= FREE_BYTES else WARNING
        found = f"{free / 2**30:.1f} GiB free in {folder}" + ("" if writable else ", not writable")
        yield Check("disk", state, found, "free some space, or work in another folder")


def check_device() -> Iterator[Check]:
    """What computes."""
    count = torch.cuda.device_count()
    for index in range(count):
        yield Check("device", OK, f"cuda:{index}, {torch.cuda.get_device_name(index)}")
    if not count:
        cards = list(Path("/dev").glob("nvidia[0-9]*"))
        cores = len(os.sched_getaffinity(0))
        remedy = (
            "install a driver that this torch can use: python -c 'import torch; torch.cuda.init()'"
        )
        found = f"{cores} processor cores, no GPU" + (" that torch can use" if cards else "")
        yield Check("device", WARNING if cards else OK, found, remedy)


def check_study(study: Study) -> Iterator[Check]:
    """Whether its runs and trials agree, and its packages are those of its start."""
    held = study.queue.active_claims()
    gone = [one for one in held if status_of(read_owner(one.claim.owner)) is ProcessStatus.ENDED]
    claimed = {one.claim.trial for one in held}
    trials = read_trials(study)
    adrift = [t.number for t in trials if t.state == "RUNNING" and t.number not in claimed]
    progress = study.queue.progress().values()
    done, total = sum(phase.done for phase in progress), sum(phase.total for phase in progress)
    failed = sum(trial.state == "FAIL" for trial in latest_trials(study))
    found = f"{done} of {total} runs done, {len(held)} held, {failed} failed"
    if gone:
        yield Check(
            study.name, WARNING, f"{found}; {len(gone)} held by processes that have ended",
            f"any worker hands them back: run_study.py worker {study.name}",
        )  # fmt: skip
    elif adrift:
        yield Check(
            study.name, WARNING, f"{found}; trials {adrift[:5]} run for nobody",
            "they were started outside this tool; tell Optuna that they failed",
        )  # fmt: skip
    else:
        yield Check(study.name, OK, found)
    differing = [
        f"{package} {there} there, {_version(package)} here"
        for package, there in study.stamp.versions.items()
        if there != _version(package)
    ]
    if differing:
        remedy = "results of different versions may differ; install the study's, or start another"
        yield Check(study.name, WARNING, "; ".join(differing), remedy)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def check_files(cache: Path, studies: Sequence[Study]) -> Iterator[Check]:
    """What killed processes left behind, and nobody will ask for again."""
    left = [path for study in studies for path in _dangling(study)]
    staged = [path for path in cache.glob("*.*") if path.is_dir()] if cache.is_dir() else []
    left += [path for path in staged if time.time() - path.stat().st_mtime > STAGED_S]
    if left:
        names = ", ".join(str(path) for path in left[:3])
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        yield Check("files", WARNING, f"left behind: {names}{more}", "delete them")
    else:
        yield Check("files", OK, "nothing left behind")


def _dangling(study: Study) -> Iterator[Path]:
    """Half-written files, and checkpoints of runs that have ended."""
    ended = {
        f"{run.phase}-{run.row}-{run.repeat}"
        for run in (
            Run(t.phase, t.row, t.repeat) for t in read_trials(study) if _has_ended(t.state)
        )
    }
    for path in study.folder.glob(f"**/.*{PARTIAL}"):
        if time.time() - path.stat().st_mtime > STAGED_S:
            yield path
    for path in study.folder.glob(f"checkpoints/*{SUFFIX}"):
        if path.name.split(".")[0] in ended:
            yield path


def _has_ended(state: str) -> bool:
    return state in ("COMPLETE", "PRUNED", "FAIL")
