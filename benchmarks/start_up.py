"""How long it takes until something is seen: whole processes, medians.

python -m benchmarks.start_up [--times 5]
"""

import statistics
from tempfile import TemporaryDirectory

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.processes import timed
from storage.database import open_database
from storage.ledger import Run
from storage.studies import create_study
from study.running.preparation import prepare
from study.running.settings import Definition


def main(times: int = 5) -> None:
    """Print seconds from the command to its end."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/studies.db"
        prepared = prepare(Definition(epochs=1))
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
                    study.ledger.plan([Run("measure", row)])
                study.database.close()
                spent.append(timed(*words)[0])
            table.add_row(name, *(f"{f(spent):.2f}" for f in (statistics.median, min, max)))
        assert study.ledger.progress()["measure"].done == times
        study.database.close()
    Console(width=110).print(machine(), table)


if __name__ == "__main__":
    typer.run(main)
