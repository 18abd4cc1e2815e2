"""Many short runs by many workers on one SQLite file: does memory grow, how long do claims take?

python -m benchmarks.soak [RUNS]
"""

import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from tests.support.faults import find_faults
from tests.support.workers import children_of, create_short_study, prepare_short_runs, start_pool
from training_factors.storage import run_queue
from training_factors.storage.run_queue import Claim, RunQueue
from training_factors.study.running.settings import WorkerTiming

WORKERS = 8


class Soak(NamedTuple):
    """growth: of the workers' mean resident memory, from a tenth of the runs to their end.

    claim_p99_ms: 99th percentile over all claims of all workers.
    """

    seconds: float
    growth: float
    claims: int
    claim_p99_ms: float


def soak(url: str, folder: Path, runs: int, workers: int = WORKERS) -> Soak:
    """Do so many runs."""
    prepared = prepare_short_runs()
    study = create_short_study(url, prepared, runs)
    _time_claims(folder / "claims")
    study.database.close()
    began = time.monotonic()
    pool = start_pool(url, prepared, folder, workers, WorkerTiming())
    sizes: list[tuple[int, float]] = []
    while pool.is_alive():
        time.sleep(0.5)
        memory = [size for size in map(_resident, children_of(pool)) if size]
        if len(memory) > workers:  # and the one that watches
            sizes.append((study.queue.progress()["measure"].done, float(np.mean(memory))))
    early = [size for done, size in sizes if 0.1 * runs <= done < 0.2 * runs]
    late = [size for done, size in sizes if done >= 0.9 * runs]
    claims = np.array(
        [float(line) for line in (folder / "claims").read_text(encoding="utf-8").split()]
    )
    return Soak(
        time.monotonic() - began,
        float(np.mean(late) / np.mean(early) - 1),
        len(claims),
        float(1000 * np.quantile(claims, 0.99)),
    )


def _time_claims(path: Path) -> None:
    """Make processes that are forked from now on log the seconds of every claim."""
    original = run_queue.RunQueue.claim
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def timed(self: RunQueue, owner: str) -> Claim | None:
        began = time.perf_counter()
        claim = original(self, owner)
        os.write(log, f"{time.perf_counter() - began}\n".encode())
        return claim

    setattr(run_queue.RunQueue, "claim", timed)  # noqa: B010 - records are not meant to be changed


def _resident(pid: int) -> float:
    """Megabytes; 0 for a process that has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with TemporaryDirectory() as place:
        url = f"sqlite:///{place}/studies.db"
        found = soak(url, Path(place), runs)
        print(f"{runs} runs by {WORKERS} workers: {found}")
        print(f"  {find_faults(url, Path(place) / 'none')}")


if __name__ == "__main__":
    main()
