"""Kills (SIGKILL) of workers, of their watcher and of their parent process: which runs are lost?

python -m benchmarks.kill_storm [KILLS]
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.faults import kill_repeatedly
from tests.support.servers import empty_databases

WORKERS = 8


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 220
    with TemporaryDirectory() as place, empty_databases(Path(place)) as urls:
        for kind, url in urls.items():
            folder = Path(place) / kind
            folder.mkdir()
            began = time.monotonic()
            found = kill_repeatedly(url, folder, kills, WORKERS)
            print(f"{kind}: {kills} kills of {WORKERS} workers in {time.monotonic() - began:.0f} s")
            print(f"  {found}", flush=True)


if __name__ == "__main__":
    main()
