"""Time commands as whole processes: medians of several runs.

python -m benchmarks.start_up [--times 5]
"""

import statistics
from tempfile import TemporaryDirectory

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.processes import timed
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import create_study
from training_factors.study.running.preparation import prepare_study


def main(times: int = 5) -> None:
    """Print seconds from the command to its end."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/studies.db"
        prepared = prepare_study(Definition(epochs=1))
        study = create_study(open_database(url, create=True), "one", prepared.stamp())
        table = Table("command", "seconds", "from", "to")
        for name, words in {
            "--help": ["--help"],
            "status": ["status", "--storage", url],
            "worker, to the end of its first run": ["worker", "--storage", url, "--workers", "1"],
        }.items():
            spent = []
            for row in range(times):
                if words[0] == "worker":
                    study.queue.add([Run("measure", row)])
                study.database.close()
                spent.append(timed(*words)[0])
            table.add_row(name, *(f"{f(spent):.2f}" for f in (statistics.median, min, max)))
        assert study.queue.progress()["measure"].done == times
        study.database.close()
    Console(width=110).print(machine(), table)


if __name__ == "__main__":
    typer.run(main)
