"""Measure how long it takes until the run of a dead worker is requeued.

The workers pretend to be on other machines, so that only missing heartbeats tell.

python -m benchmarks.notice
"""

import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.servers import empty_databases
from tests.support.workers import FORK, NAME, prepare_short_runs
from training_factors.storage.database import open_database
from training_factors.storage.owner import Owner
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import create_study, load_study
from training_factors.study.running.heartbeat import run_heartbeat
from training_factors.study.running.settings import WorkerTiming

TIMING = WorkerTiming(heartbeat_s=1, grace_s=3)

WORKERS, LONG = 40, 8
"""Workers that vanish, and those that are inside long runs meanwhile."""


def notice(url: str) -> list[float]:
    """Seconds from the last heartbeat of each vanished worker until its run waits again."""
    study = create_study(open_database(url, create=True), NAME, prepare_short_runs().stamp())
    study.queue.add([Run("measure", row) for row in range(WORKERS + LONG)])
    owners = [str(Owner("elsewhere", i, "00000000", 1.0)) for i in range(WORKERS + LONG)]
    claims = {owner: study.queue.claim(owner) for owner in owners}
    gone, busy = owners[:WORKERS], owners[WORKERS:]
    study.database.close()
    watcher = FORK.Process(target=_watch, args=(url,), daemon=True)
    watcher.start()
    began = time.time()
    last: dict[str, float] = {}
    noticed: dict[str, float] = {}
    while len(noticed) < WORKERS:
        now = time.time()
        held = {one.claim.owner: one.heartbeat for one in study.queue.active_claims()}
        for owner in gone:
            if owner in last and owner not in held and owner not in noticed:
                noticed[owner] = now - last[owner]
        # One after another falls silent.
        living = [owner for i, owner in enumerate(gone) if now - began < 2 + i * 0.1]
        study.queue.record_heartbeat([*living, *busy])
        last |= {owner: time.time() for owner in living}
        time.sleep(0.05)
    assert {one.claim.owner for one in study.queue.active_claims()} == set(busy), (
        "a living one lost"
    )
    assert all(claims.values())
    watcher.kill()
    watcher.join()
    return list(noticed.values())


def _watch(url: str) -> None:
    import os

    run_heartbeat(load_study(open_database(url), NAME), TIMING, os.getppid(), 0)
    sys.exit(0)


def main() -> None:
    limit = TIMING.grace_s + 2 * TIMING.heartbeat_s
    with TemporaryDirectory() as place, empty_databases(Path(place)) as urls:
        for kind, url in urls.items():
            seconds = sorted(notice(url))
            p95 = seconds[int(0.95 * len(seconds))]
            print(
                f"{kind}: median {statistics.median(seconds):.1f} s, 95th percentile {p95:.1f} s, "
                f"longest {seconds[-1]:.1f} s; grace + 2 heartbeats is {limit:g} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
