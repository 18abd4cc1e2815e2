"""A PostgreSQL server that goes away under a crew, for so long and in such a way: what is lost?

python -m benchmarks.outages [SECONDS ...]
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.crews import (
    Faults,
    begin,
    examine,
    instead_of_training,
    log_ends,
    short_runs,
    start_crew,
    stub,
)
from benchmarks.servers import OwnPostgresql, fresh_database
from study.running.timing import Timing

TIMING = Timing(heartbeat_s=1, grace_s=8, patience_s=120)

WORKERS = 4


def outage(
    server: OwnPostgresql, folder: Path, downtimes: list[float], mode: str, timing: Timing = TIMING
) -> tuple[int | None, Faults]:
    """Stop the server for each of these times, a second of work in between; then let all end.

    The crew's exit code, and what the database says.
    """
    prepared = short_runs()
    log = folder / "ended.log"
    with fresh_database(server.url) as url:
        runs = 60 + int(20 * len(downtimes))
        study = begin(url, prepared, runs)
        instead_of_training(stub(0.2, epochs=4))
        log_ends(log)
        study.database.close()
        crew = start_crew(url, prepared, folder, WORKERS, timing)
        time.sleep(1)
        for seconds in downtimes:
            server.stop(mode)
            time.sleep(seconds)
            server.start()
            time.sleep(1)
        crew.join()
        return crew.exitcode, examine(url, log)


def main() -> None:
    asked = [float(word) for word in sys.argv[1:]] or [0, 1, 10, 60]
    with TemporaryDirectory() as place:
        server = OwnPostgresql(Path(place))
        cases = [([seconds], mode) for seconds in asked for mode in ("fast", "immediate")]
        for i, (downtimes, mode) in enumerate([*cases, ([1.0] * 5, "immediate")]):
            folder = Path(place) / str(i)
            folder.mkdir()
            code, found = outage(server, folder, downtimes, mode)
            times = ", ".join(f"{seconds:g} s" for seconds in downtimes)
            print(f"{mode}, {times}: exit {code}, {found}", flush=True)
        server.end()


if __name__ == "__main__":
    main()
