"""Runs per second of a whole study, against the loop of Optuna's own PyTorch example.

Both train the same designed rows, in turn, round by round. The example's loop: one process with all
threads and a study in memory. Ours: a study in SQLite with a worker per core, from its creation to
its last run, every row also with fresh seeds (a study is longer than its start). Imports and data
are loaded before, on both sides.

python -m benchmarks.whole_studies [--rounds 3] [--only "digits MLP"] [--per-core]
    [--precision float32]

Ours train in the precision that a study chooses by itself, or in the one that is named; the
example's loop trains in float32.
"""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import cores, machine
from benchmarks.plain_loop import Loop
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import create_study
from training_factors.storage.trials import read_trials
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.settings import WorkerPool, WorkerTiming
from training_factors.study.running.supervisor import run_workers
from training_factors.study.training.seeds import derive_seed

CORES = cores()
FULL = (
    "augment_geometry=affine",
    "augment_color=jitter",
    "augment_corruption=erase",
    "augment_crop_flip=none",
    "augment_mix=none",
)
"""Every image is moved, tinted and partly hidden, by amounts that differ from row to row."""


class Workload(NamedTuple):
    """The trainings to compare. shape: of random images (count, side, channels); None for digits.

    rows: in a round. seeds: of every row, on our side.
    """

    model: str
    epochs: int
    shape: tuple[int, int, int] | None
    rows: int
    seeds: int


WORKLOADS = {
    "digits MLP": Workload("mlp:small", 15, None, 6, 24),
    "digits CNN": Workload("cnn:small", 15, None, 6, 6),
    "28 × 28 CNN": Workload("cnn:small", 6, (1280, 28, 1), 6, 3),
    "32 × 32 colour CNN": Workload("cnn:small", 6, (640, 32, 3), 6, 4),
    "64 × 64 colour CNN": Workload("cnn:small", 6, (320, 64, 3), 6, 4),
}


class Round(NamedTuple):
    """Runs per second of the same rows. per_core: the example in as many processes as cores."""

    example: float
    per_core: float | None
    ours: float


def compare(name: str, rounds: int, per_core: bool, precision: str) -> tuple[str, list[Round]]:
    """So many rounds of a workload, each on rows of its own; first the precision of ours."""
    workload = WORKLOADS[name]
    found = []
    with TemporaryDirectory() as folder:
        definition = definition_of(workload, Path(folder), precision)
        prepared = prepare_study(definition)
        for number in range(rounds):
            rows = range(number * workload.rows, (number + 1) * workload.rows)
            found.append(
                Round(
                    example(definition, [rows], CORES),
                    example(definition, _shared(rows), 1) if per_core else None,
                    ours(prepared, Path(folder), rows, workload.seeds),
                )
            )
    return prepared.model.precision, found


def ours(prepared: PreparedStudy, folder: Path, rows: range, seeds: int) -> float:
    """Runs per second of a study, from its creation to its last run."""
    url = f"sqlite:///{folder}/{rows.start}.db"
    began = time.perf_counter()
    study = create_study(open_database(url, create=True), "ours", prepared.stamp())
    study.queue.add([Run("measure", row, repeat) for repeat in range(seeds) for row in rows])
    code = run_workers(
        study, prepared, WorkerPool(CORES, "cpu", url, folder, WorkerTiming()), lambda: None
    )
    seconds = time.perf_counter() - began
    states = [trial.state for trial in read_trials(study)]
    assert code == 0 and states.count("COMPLETE") == len(rows) * seeds
    study.database.close()
    return len(states) / seconds


def example(definition: Definition, shares: list[range], threads: int) -> float:
    """Runs per second of the example's loop, in a fresh process for each share of the rows."""
    with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
        spans = list(
            pool.map(_example, [definition] * len(shares), shares, [threads] * len(shares))
        )
    seconds = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return sum(map(len, shares)) / seconds


def _example(definition: Definition, rows: range, threads: int) -> tuple[float, float]:
    prepared = prepare_study(definition)
    configs = [designed_configuration(prepared.space, definition.seed, row) for row in rows]
    seeds = [derive_seed(definition.seed, "measure", row, 0) for row in rows]
    torch.set_num_threads(threads)
    loop, began = Loop(prepared), time.perf_counter()
    loop.optimize(configs, seeds)
    return began, time.perf_counter()


def _shared(rows: range) -> list[range]:
    return [rows[core::CORES] for core in range(CORES)]


def definition_of(workload: Workload, folder: Path, precision: str = "auto") -> Definition:
    """Its study; images are written to the folder."""
    source = "digits"
    if workload.shape is not None:
        count, side, channels = workload.shape
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
        source = str(folder / "images.npz")
        np.savez(source, X=images, y=np.arange(count) % 10)
    return Definition.model_validate(
        {
            "source": source, "model": workload.model, "epochs": workload.epochs, "fix": FULL,
            "precision": precision,
        }
    )  # fmt: skip


def main(
    rounds: int = 3,
    only: Annotated[list[str] | None, typer.Option()] = None,
    per_core: bool = False,
    precision: str = "auto",
) -> None:
    """Print a table of medians, with the range of the ratio over the rounds."""
    table = Table(
        "workload",
        "precision",
        "example, runs/s",
        "example per core, runs/s",
        "ours, runs/s",
        "ratio",
        "range",
    )
    for name in only or WORKLOADS:
        chosen, found = compare(name, rounds, per_core, precision)
        ratios = [each.ours / each.example for each in found]
        shared = [each.per_core for each in found if each.per_core is not None]
        table.add_row(
            name,
            chosen,
            f"{statistics.median(each.example for each in found):.3f}",
            f"{statistics.median(shared):.3f}" if shared else "",
            f"{statistics.median(each.ours for each in found):.3f}",
            f"{statistics.median(ratios):.1f}",
            f"{min(ratios):.1f} to {max(ratios):.1f}",
        )
    Console().print(machine(), table)


if __name__ == "__main__":
    typer.run(main)
