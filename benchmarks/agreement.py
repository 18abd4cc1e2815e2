"""Is accuracy bought with speed? The same configurations by the plain loop and by ours.

The rows of a `quick` study are trained by the loop of Optuna's own example, and three times by
ours, with other seeds each time. Each is compared with the others of ours: what ours differ by is
seed noise, and the plain loop must not differ by more. With `--precision bfloat16` ours train in
float32, and it is bfloat16 that must not differ by more. r is the correlation over rows, "ranks"
Spearman's of the factors' shares, both the mean over the others.

python -m benchmarks.agreement [--rows 128] [--precision bfloat16] [--data PATH --limit 1000
    --model cnn --epochs 5]
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr, t

from benchmarks.machine import cores, machine
from benchmarks.plain_loop import Loop
from tests.support.simulations import trial_of
from training_factors.storage.definition import Definition
from training_factors.study.analysis.importance import analyse
from training_factors.study.data.division import training_division
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.process_setup import configure_process
from training_factors.study.running.reporter import evaluation_interval
from training_factors.study.training.loop import train
from training_factors.study.training.seeds import derive_seed

Values = NDArray[np.float64]
SEEDS = ("first seeds", "second seeds", "third seeds")


class Found(NamedTuple):
    """values: accuracy of every row. shares: of every factor, by name."""

    values: Values
    shares: dict[str, float]


def plain(definition: Definition, rows: list[int]) -> list[float]:
    """Validation accuracy of these rows by the plain loop."""
    prepared = prepare_study(definition)
    configs = [designed_configuration(prepared.space, 0, row) for row in rows]
    seeds = [derive_seed(0, "plain", row) for row in rows]
    return Loop(prepared).optimize(configs, seeds)


def ours(definition: Definition, rows: list[int], name: str) -> list[float]:
    """Validation accuracy of these rows by our loop."""
    configure_process()
    prepared = prepare_study(definition)
    data = training_division(prepared.dataset, 0, torch.device("cpu"))
    epochs = prepared.definition.epochs
    found = []
    for row in rows:
        recipe = prepared.space.build(designed_configuration(prepared.space, 0, row), data.problem)
        seed, every = derive_seed(0, name, row), evaluation_interval(epochs)
        outcome = train(recipe, data, prepared.model, epochs, seed, _never, every=every)
        found.append(outcome.value)
    return found


def _never(*_: object) -> bool:
    return False


def shares(prepared: PreparedStudy, values: Values) -> dict[str, float]:
    """Return the answer of an analysis of these values."""
    trials = [
        trial_of(row, row, 0, designed_configuration(prepared.space, 0, row), float(value))
        for row, value in enumerate(values)
    ]
    answer = analyse(trials, prepared.space.describe(), seed=0, jobs=cores())
    return {factor.name: factor.share for factor in answer.factors}


def main(
    rows: int = 128,
    precision: str | None = None,
    data: str = "digits",
    limit: int | None = None,
    model: str = "mlp",
    epochs: int = 15,
) -> None:
    """Print how far apart they are."""
    single = Definition(source=data, limit=limit, model=model, epochs=epochs, precision="float32")
    other = "plain loop" if precision is None else precision
    parts = [list(range(rows))[core :: 4 * cores()] for core in range(4 * cores())]
    values: dict[str, Values] = {}
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        for name in (*SEEDS, other):
            if name == "plain loop":
                made = pool.map(partial(plain, single), parts)
            else:
                definition = single.model_copy(
                    update={"precision": precision if name == other else "float32"}
                )
                made = pool.map(partial(ours, definition, name=name), parts)
            values[name] = np.empty(rows)
            for part, accuracies in zip(parts, made, strict=True):
                values[name][part] = accuracies
    prepared = prepare_study(single)
    found = {name: Found(each, shares(prepared, each)) for name, each in values.items()}
    table = Table("", "mean", "best", "minus ours", "95 % interval", "r", "ranks", "leading")
    for name, (each, share) in found.items():
        others = [found[seeds] for seeds in SEEDS if seeds != name]
        lost = each - np.mean([other.values for other in others], axis=0)
        half = t.ppf(0.975, rows - 1) * lost.std(ddof=1) / rows**0.5
        order = sorted(share, key=lambda factor: -share[factor])
        ranks = [
            spearmanr([other.shares[f] for f in order], [share[f] for f in order]).statistic
            for other in others
        ]
        table.add_row(
            name,
            f"{each.mean():.4f}",
            f"{each.max():.4f}",
            f"{lost.mean():+.4f}",
            f"{lost.mean() - half:+.4f} to {lost.mean() + half:+.4f}",
            f"{np.mean([np.corrcoef(each, other.values)[0, 1] for other in others]):.3f}",
            f"{np.mean(ranks):.2f}",
            ", ".join(order[:4]),
        )
    Console(width=130).print(machine(), table)


if __name__ == "__main__":
    typer.run(main)
