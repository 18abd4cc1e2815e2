"""Train thousands of networks from which the true importance of every factor follows.

python -m benchmarks.make_truth SOURCE MODEL EPOCHS FILE [--rows 2048] [--walks 256]

Writes two designs to a file that `benchmarks.true_shares` completes and `benchmarks.real_truth`
reads. The rows are one scrambled Sobol sequence: a block of consecutive rows is what a study of
that size measures. The walks go from a point to an independent one and take over the coordinates of
one factor at a time, in random order; they give Shapley effects without a surrogate (Goda, 2021).
Some rows are trained again, for the variance that the seed alone causes. Every training has a seed
of its own.
"""

import json
import time
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from scipy.stats import qmc

from benchmarks.machine import cores
from training_factors.search_spaces.description import PLACEBO
from training_factors.storage.definition import Definition
from training_factors.study.analysis.features import Array, read_layout
from training_factors.study.data.division import Division, training_division
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.training.loop import train
from training_factors.study.training.seeds import derive_seed

REPEATED_ROWS = 128
"""Number of rows that are trained twice."""

POINTS_PER_TASK = 16
"""Number of trainings that a process does before it reports back."""


def main(
    source: str,
    model: str,
    epochs: int,
    file: Path,
    rows: int = 2048,
    walks: int = 256,
    seed: int = 20261128,
) -> None:
    """Train the rows, their repeats and the walks; write them to the file."""
    definition = Definition(source=source, model=model, epochs=epochs, space="documented")
    described = prepare_study(definition).space.describe()
    layout = read_layout(described.coordinates)
    groups = {name: axes for name, axes in layout.factors().items() if name != PLACEBO}
    random = np.random.default_rng(seed)
    axes = len(layout.axes)
    sobol = qmc.Sobol(axes, scramble=True, rng=random).random(rows).astype(np.float32)
    start, end = random.random((2, walks, axes), dtype=np.float32)
    order = random.permuted(np.tile(np.arange(len(groups)), (walks, 1)), axis=1)
    points = walk_points(start, end, order, list(groups.values()))
    units = np.concatenate([sobol, sobol[:REPEATED_ROWS], points.reshape(-1, axes)])
    curves = train_all(definition, units, seed)
    last, repeats = curves[:, -1], rows + REPEATED_ROWS
    np.savez_compressed(
        file,
        rows=sobol,
        row_accuracy=last[:rows],
        repeat_accuracy=last[rows:repeats],
        walk_start=start,
        walk_end=end,
        walk_order=order.astype(np.int8),
        walk_accuracy=last[repeats:].reshape(walks, -1),
        coordinates=np.array(json.dumps(described.as_document()["coordinates"])),
        trained=np.array(f"{source}, {model}, {epochs} epochs"),
    )


def walk_points(
    start: NDArray[np.floating],
    end: NDArray[np.floating],
    order: NDArray[np.int64],
    groups: list[tuple[int, ...]],
) -> Array:
    """Return the points of every walk from start to end: (walks, groups + 1, axes).

    order: (walks, groups), the group whose coordinates each step takes from the end. Axes of no
    group stay as they are at the start.
    """
    points = np.repeat(start[:, None].astype(np.float64), order.shape[1] + 1, axis=1)
    for walk, steps in enumerate(order):
        for step, group in enumerate(steps):
            axes = list(groups[group])
            points[walk, step + 1 :, axes] = end[walk, axes][:, None]
    return points


def train_all(definition: Definition, units: NDArray[np.floating], seed: int) -> Array:
    """Train every point, with a seed of its own; return the objective by epoch: (points, epochs).

    A run that diverges is at chance from then on.
    """
    tasks = [
        (definition, units[first : first + POINTS_PER_TASK], first, seed)
        for first in range(0, len(units), POINTS_PER_TASK)
    ]
    began = time.monotonic()
    found: list[Array] = []
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        for one in pool.map(_train_some, tasks):
            found.append(one)
            if len(found) % 16 == 0:
                seconds = time.monotonic() - began
                print(f"{len(found)} of {len(tasks)} in {seconds:.0f} s", flush=True)
    return np.concatenate(found)


@lru_cache(maxsize=1)
def _prepare(definition: Definition) -> tuple[PreparedStudy, Division]:
    prepared = prepare_study(definition)
    data = training_division(prepared.dataset, definition.seed, torch.device("cpu"))
    return prepared, data


def _train_some(task: tuple[Definition, NDArray[np.floating], int, int]) -> Array:
    definition, units, first, seed = task
    return np.array(
        [
            _train_one(definition, unit.tolist(), derive_seed(seed, "truth", first + number))
            for number, unit in enumerate(units)
        ]
    )


def _train_one(definition: Definition, unit: list[float], seed: int) -> Array:
    """Return the objective after every epoch: (epochs,)."""
    prepared, data = _prepare(definition)
    recipe = prepared.space.build(prepared.space.decode(unit), data.problem)
    curve = np.zeros(definition.epochs)

    def keep(epoch: int, value: float | None, _: object) -> bool:
        curve[epoch:] = value
        return False

    outcome = train(recipe, data, prepared.model, definition.epochs, seed, keep)
    curve[outcome.epochs - 1 :] = outcome.value
    return curve


if __name__ == "__main__":
    typer.run(main)
