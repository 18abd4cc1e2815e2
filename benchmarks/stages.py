"""Time the stages of a run, and compare them with the speed of the machine.

Designed rows, trained on one core as a worker trains them, from claim to stored result. FLOP are
those of the layers, forward and backward, as torch counts them; the machine's FLOP/s are those of a
product of 1,024 × 1,024 matrices on one core. Watching costs a few per cent.

python -m benchmarks.stages [--rows 16] [--only "digits MLP"] [--precision float32]
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import machine
from benchmarks.stopwatch import STAGES, Stopwatch
from benchmarks.whole_studies import WORKLOADS, definition_of
from training_factors.storage.database import open_database
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import create_study, load_study
from training_factors.study.data.division import training_division
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.process_setup import configure_process
from training_factors.study.running.reporter import evaluation_interval
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import StopSignal
from training_factors.study.running.worker import open_context, work
from training_factors.study.training.loop import batches, predict, train_step
from training_factors.study.training.training_state import start_training as prepare_training


def gigaflops() -> float:
    """Of a matrix product on one core: 10⁹ operations in a second."""
    size, spent = 1024, []
    left, right = torch.rand(2, size, size)
    for _ in range(9):
        began = time.perf_counter()
        left @ right
        spent.append(time.perf_counter() - began)
    return 2e-9 * size**3 / statistics.median(spent)


def _operations(does: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        does()
    return float(counter.get_total_flops())


def operations(prepared: PreparedStudy, row: int) -> float:
    """10⁹ operations of a run: its steps, its measurements and the last look at what it learned."""
    data = training_division(prepared.dataset, 0, torch.device("cpu"))
    recipe, epochs = (
        prepared.space.build(designed_configuration(prepared.space, 0, row), data.problem),
        1,
    )
    training = prepare_training(recipe, data.pool, data.problem, prepared.model, epochs, 0)
    step = _operations(lambda: train_step(training, *next(batches(training))))
    look = _operations(lambda: predict(training, data.validation.inputs))
    chosen = len(recipe.split(data.pool.targets, torch.Generator().manual_seed(0)))
    steps = prepared.definition.epochs * (chosen // training.batch_size)
    measured = -(-prepared.definition.epochs // evaluation_interval(prepared.definition.epochs))
    looks = measured + chosen / len(data.validation.inputs)
    return 1e-9 * (steps * step + looks * look)


def main(
    rows: int = 16,
    only: Annotated[list[str] | None, typer.Option()] = None,
    precision: str = "auto",
) -> None:
    """Print milliseconds of a run by stage."""
    names = only or list(WORKLOADS)
    columns: list[dict[str, float]] = []
    torch.set_num_threads(1)
    speed = gigaflops()
    configure_process()
    for name in names:
        with TemporaryDirectory() as folder:
            prepared = prepare_study(definition_of(WORKLOADS[name], Path(folder), precision))
            url = f"sqlite:///{folder}/studies.db"
            create_study(open_database(url, create=True), "runs", prepared.stamp())
            study = load_study(open_database(url, retry_timeout_s=60), "runs")  # as a worker does
            context = open_context(study, prepared, "cpu", 0, WorkerTiming())
            study.queue.add([Run("measure", rows)])
            work(study, context, StopSignal(None))  # what only the first run of a worker waits for
            study.queue.add([Run("measure", row) for row in range(rows)])
            watch, began = Stopwatch(), time.perf_counter()
            with watch.watching():
                work(study, context, StopSignal(None))
            seconds = time.perf_counter() - began
            column = {stage: 1000 * watch.seconds[stage] / rows for stage in STAGES}
            column["loop"] = 1000 * seconds / rows - sum(column.values())
            column["a run"] = 1000 * seconds / rows
            work_done = sum(operations(prepared, row) for row in range(rows))
            column["of the machine's FLOP/s, %"] = 100 * work_done / seconds / speed
            columns.append(column)
            study.database.close()
    table = Table(f"ms of a run (machine: {speed:.0f} GFLOP/s)", *names)
    for stage in columns[0]:
        if any(column[stage] > 0 for column in columns):
            table.add_row(stage, *(f"{column[stage]:.1f}" for column in columns))
    Console(width=130).print(machine(), table)


if __name__ == "__main__":
    typer.run(main)
