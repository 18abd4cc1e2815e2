"""Kills (SIGKILL) of workers, of their watcher and of their parent process: which runs are lost?

python -m benchmarks.kill_storm [KILLS [fork|spawn [WORKERS]]]
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.faults import kill_repeatedly
from tests.support.servers import empty_databases
from training_factors.study.running.settings import StartMethod

DEFAULTS = ("220", "fork", "8")


def main() -> None:
    kills, start, workers = ([*sys.argv[1:], *DEFAULTS[len(sys.argv) - 1 :]])[:3]
    method: StartMethod = "spawn" if start == "spawn" else "fork"
    with TemporaryDirectory() as place, empty_databases(Path(place)) as urls:
        for kind, url in urls.items():
            folder = Path(place) / kind
            folder.mkdir()
            began = time.monotonic()
            found = kill_repeatedly(url, folder, int(kills), int(workers), method)
            seconds = time.monotonic() - began
            print(f"{kind}: {kills} kills of {workers} workers ({method}) in {seconds:.0f} s")
            print(f"  {found}", flush=True)


if __name__ == "__main__":
    main()
