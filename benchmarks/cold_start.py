"""Many workers that start at once on a database that is empty: are all up?

python -m benchmarks.cold_start
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.crews import FORK, begin, databases, short_runs
from benchmarks.servers import fresh_database
from study.running.preparation import Prepared

WORKERS, ROUNDS = 16, 10


def cold_start(url: str, workers: int = WORKERS) -> int:
    """How many of the workers came to a claim of their own."""
    prepared = short_runs()
    processes = [FORK.Process(target=_start, args=(url, prepared, i)) for i in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return sum(process.exitcode == 0 for process in processes)


def _start(url: str, prepared: Prepared, number: int) -> None:
    claim = begin(url, prepared, WORKERS).ledger.claim(f"worker {number}")
    sys.exit(0 if claim is not None else 1)


def main() -> None:
    with TemporaryDirectory() as place, databases(Path(place)) as urls:
        for kind in urls:
            up, longest = [], 0.0
            for i in range(ROUNDS):
                began = time.monotonic()
                if kind == "SQLite":
                    up.append(cold_start(f"sqlite:///{place}/new{i}/studies.db"))
                else:
                    with fresh_database(urls[kind]) as url:
                        up.append(cold_start(url))
                longest = max(longest, time.monotonic() - began)
            print(f"{kind}: {up} of {WORKERS} up; the slowest round took {longest:.1f} s")


if __name__ == "__main__":
    main()
