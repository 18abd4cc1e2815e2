"""Outages of a PostgreSQL server under a pool of workers, of several lengths: what is lost?

python -m benchmarks.outages [--spawn] [SECONDS ...]
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.faults import stop_server_repeatedly
from tests.support.servers import PostgresqlServer
from training_factors.study.running.settings import StartMethod


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--spawn"]
    asked = [float(word) for word in words] or [0, 1, 10, 60]
    start: StartMethod = "spawn" if "--spawn" in sys.argv else "fork"
    with TemporaryDirectory() as place:
        server = PostgresqlServer(Path(place))
        cases = [([seconds], mode) for seconds in asked for mode in ("fast", "immediate")]
        for i, (downtimes, mode) in enumerate([*cases, ([1.0] * 5, "immediate")]):
            folder = Path(place) / str(i)
            folder.mkdir()
            code, found = stop_server_repeatedly(server, folder, downtimes, mode, start=start)
            times = ", ".join(f"{seconds:g} s" for seconds in downtimes)
            print(f"{mode}, {times}: exit {code}, {found}", flush=True)
        server.close()


if __name__ == "__main__":
    main()
