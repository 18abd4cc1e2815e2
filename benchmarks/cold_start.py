"""Workers started at once on an empty database: how many get a run of their own?

python -m benchmarks.cold_start
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.faults import start_simultaneously
from tests.support.servers import empty_databases, fresh_database

WORKERS, ROUNDS = 16, 10


def main() -> None:
    with TemporaryDirectory() as place, empty_databases(Path(place)) as urls:
        for kind in urls:
            up, longest = [], 0.0
            for i in range(ROUNDS):
                began = time.monotonic()
                if kind == "SQLite":
                    new = f"sqlite:///{place}/new{i}.db"
                    up.append(start_simultaneously(new, WORKERS))
                else:
                    with fresh_database(urls[kind]) as url:
                        up.append(start_simultaneously(url, WORKERS))
                longest = max(longest, time.monotonic() - began)
            print(f"{kind}: {up} of {WORKERS} up; the slowest round took {longest:.1f} s")


if __name__ == "__main__":
    main()
