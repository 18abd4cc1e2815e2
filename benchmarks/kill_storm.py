"""A storm of kill -9 on workers, on what watches them and on what starts them: what is lost?

python -m benchmarks.kill_storm [KILLS]
"""

import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.crews import (
    Faults,
    begin,
    children_of,
    databases,
    examine,
    kill,
    log_ends,
    short_runs,
    start_crew,
)
from storage.ledger import Run
from study.running.timing import Timing

TIMING = Timing(heartbeat_s=0.5, grace_s=2, checkpoint_s=0, patience_s=60)

WORKERS = 8

CREW_SHARE = 0.05
"""Of the kills that hit the process that starts and watches the workers."""


def storm(url: str, folder: Path, kills: int, workers: int = WORKERS, seed: int = 0) -> Faults:
    """Kill until there were so many kills; then let the study end."""
    draws = random.Random(seed)
    prepared = short_runs()
    study = begin(url, prepared, 100)
    log_ends(folder / "ended.log")
    planned = 100
    crew = start_crew(url, prepared, folder, workers, TIMING)
    while crew.is_alive() or crew.exitcode != 0:
        if not crew.is_alive():
            study.database.close()
            crew = start_crew(url, prepared, folder, workers, TIMING)
        if not kills:
            crew.join(0.5)
            continue
        time.sleep(draws.expovariate(1 / 0.15))
        if study.ledger.progress()["measure"].waiting < 50:
            planned += 50
            study.ledger.plan([Run("measure", row) for row in range(planned)])
        victims = children_of(crew)
        if draws.random() < CREW_SHARE and crew.pid is not None:
            victims = [crew.pid]
        if victims:
            kills -= kill(draws.choice(victims))
    study.database.close()
    return examine(url, folder / "ended.log")


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 220
    with TemporaryDirectory() as place, databases(Path(place)) as urls:
        for kind, url in urls.items():
            folder = Path(place) / kind
            folder.mkdir()
            began = time.monotonic()
            found = storm(url, folder, kills)
            print(f"{kind}: {kills} kills of {WORKERS} workers in {time.monotonic() - began:.0f} s")
            print(f"  {found}", flush=True)


if __name__ == "__main__":
    main()
