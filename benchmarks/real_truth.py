"""Compare the answer with true shares that were measured on thousands of real trainings.

python -m benchmarks.real_truth [--only digits-mlp] [--rows 128] [--rivals]

Every file `data/truth-*.npz` holds real trainings over the space `documented`, each with a seed of
its own (`benchmarks.make_truth`), and the true share of every factor with its standard error
(`benchmarks.true_shares`). A block of consecutive rows is what a study of that size measures, with
eight of its rows repeated twice. The program exits with 1 where a bound is missed. With --rivals
Optuna's fANOVA, PED-ANOVA and mean decrease of impurity are asked about the same rows.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import optuna
import typer
from joblib import Parallel, delayed
from numpy.typing import NDArray
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    MeanDecreaseImpurityImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from benchmarks.machine import cores
from benchmarks.true_shares import Trainings, read_trainings
from tests.support.simulations import decode_parameters
from training_factors.search_spaces.description import PLACEBO
from training_factors.search_spaces.dimension import Varied
from training_factors.study.analysis.blend import Blend, fit_blend
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.importance import collect_evidence
from training_factors.study.analysis.parallel_calls import single_threaded
from training_factors.study.analysis.rows import Rows
from training_factors.study.analysis.sensitivity import shapley_estimand
from training_factors.study.analysis.shares import SeedNoise, Shares, leading_set
from training_factors.study.analysis.verdict import CONFIDENCE

DATA = Path(__file__).parent / "data"

BLOCKS = {128: 16, 256: 8, 512: 4}
"""Number of rows of a block -> number of blocks in 2,048 rows; with more rows there are more."""

MIN_R2 = {128: 0.49, 256: 0.57, 512: 0.68}
MAX_ERROR = {128: 0.040, 256: 0.026, 512: 0.019}
MAX_LARGEST = {128: 0.14, 256: 0.095, 512: 0.075}
MIN_OPTIMIZER = {128: 0.08, 256: 0.12, 512: 0.15}
"""Bounds on digits, by number of rows: mean R² on rows that were not used, mean error of a share,
mean over blocks of the largest error, mean share of the optimizer. Shares are scaled to what can be
explained."""

MIN_COVERAGE, MIN_LARGE_COVERAGE = 0.93, 0.85
"""Smallest part of the 95 % intervals that cover: of all, and of every factor with a true share of
at least `LARGE`."""
LARGE = 0.05

MAX_SET = {128: 7.5, 256: 4.0, 512: 3.0}
MIN_FIRST, MIN_CLOSE = 0.95, 0.80
"""Largest mean size of the leading set by number of rows; the smallest parts of the blocks in which
it holds the most important factor, and each factor whose share is within `LARGE` of it."""

NOISE_DEGREES = 16
"""Degrees of freedom of the seed noise of a study: eight rows repeated twice."""

WALKS = 512

RIVALS: dict[str, type[BaseImportanceEvaluator]] = {
    "fANOVA": FanovaImportanceEvaluator,
    "PED-ANOVA": PedAnovaImportanceEvaluator,
    "MDI": MeanDecreaseImpurityImportanceEvaluator,
}


class Truth(NamedTuple):
    """Real trainings with the true shares of the factors, as parts of all variance."""

    name: str
    trainings: Trainings
    shares: Array
    errors: Array
    noise: float


class Found(NamedTuple):
    """The analysis of a block of rows. r2: on the rows of other blocks. leaders: numbers."""

    r2: float
    shares: Shares
    leaders: tuple[int, ...]


def main(
    only: Annotated[list[str] | None, typer.Option()] = None,
    rows: Annotated[list[int] | None, typer.Option()] = None,
    rivals: bool = False,
) -> None:
    """Print the tables; exit with 1 where a bound is missed."""
    missed: list[str] = []
    for truth in load_truths(only):
        console = Console(width=120)
        table = Table(
            "rows", "blocks", "R²", "mean error", "largest error", "right winner",
            "rank correlation", "optimizer", "covered", "of large", "set", "holds first",
            "holds close", title=truth.name,
        )  # fmt: skip
        console.print(truth_table(truth))
        for count in rows or BLOCKS:
            found = [study_block(truth, block) for block in blocks(truth, count)]
            missed += add_row(table, truth, count, found)
        console.print(table)
        if rivals:
            console.print(rivals_table(truth, rows or list(BLOCKS)))
    sys.exit("\n".join(missed) if missed else 0)


def load_truths(only: list[str] | None = None) -> Iterator[Truth]:
    """Yield the trainings of every file, or of those that are named."""
    for path in sorted(DATA.glob("truth-*.npz")):
        name = path.stem.removeprefix("truth-")
        if only and name not in only:
            continue
        with np.load(path) as stored:
            data = {name: stored[name] for name in stored.files}
        yield Truth(
            name, read_trainings(data), data["true_shares"], data["true_errors"],
            float(data["seed_noise"]),
        )  # fmt: skip


def blocks(truth: Truth, rows: int) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of the rows of every block, spread over the sequence."""
    total = len(truth.trainings.values)
    count = min(BLOCKS[rows] * (2 if total >= 4096 else 1), total // rows)
    step = total // count // rows * rows
    for block in range(count):
        yield np.arange(block * step, block * step + rows)


def study_block(truth: Truth, inside: NDArray[np.int64]) -> Found:
    """Analyse one block of consecutive rows as a study's analysis does."""
    every = truth.trainings.rows
    rows = every.subset(inside, int(inside[0]))
    groups = rows.layout.factors()
    noise = SeedNoise(truth.noise, NOISE_DEGREES)
    with single_threaded():
        blend = fit_blend(rows, cores(), groupings=[rows.layout.blocks(groups)])
        estimand = shapley_estimand(rows.layout, groups, WALKS, rows.seed)
        outputs = blend.weights @ blend.predict_each(estimand.features)
    found = estimand.estimate_from(outputs)
    shares = collect_evidence(blend, rows, groups, 0, found, noise, PLACEBO).shares()
    varied = len(truth.shares)
    leaders = leading_set(shares.first_probability()[:varied], CONFIDENCE)
    return Found(r2_outside(blend, every, inside), shares, leaders)


def r2_outside(blend: Blend, rows: Rows, inside: NDArray[np.int64]) -> float:
    """Return R² on the rows that the blend was not fitted on."""
    outside = rows.without(inside)
    predicted = blend.weights @ blend.predict_each(outside.features)
    return 1 - float(((outside.values - predicted) ** 2).mean() / outside.values.var())


def covered(truth: Truth, shares: Shares) -> NDArray[np.bool_]:
    """Return whether each interval covers the true share, whose own error counts: (factors,)."""
    inside = []
    for value, (low, high), true, error in zip(
        shares.value, shares.intervals(), truth.shares, truth.errors, strict=False
    ):
        margin = 1.96 * error
        below, above = np.hypot(value - low, margin), np.hypot(high - value, margin)
        inside.append(value - below <= true <= value + above)
    return np.array(inside)


def add_row(table: Table, truth: Truth, rows: int, found: list[Found]) -> list[str]:
    """Add the row of a number of rows to the table; return the bounds that are missed."""
    explicable = 1 - truth.noise
    true, varied = truth.shares / explicable, len(truth.shares)
    shares = np.array([one.shares.value[:varied] for one in found]) / explicable
    errors = np.abs(shares - true)
    cover = np.array([covered(truth, one.shares) for one in found])
    large = truth.shares >= LARGE
    first = int(truth.shares.argmax())
    close = np.flatnonzero(truth.shares >= truth.shares[first] - LARGE)
    holds = np.array([[number in one.leaders for number in range(varied)] for one in found])
    correlations: list[Any] = [spearmanr(one, true).statistic for one in shares]
    optimizer = shares[:, truth.trainings.names.index("optimizer")].mean()
    r2 = float(np.mean([one.r2 for one in found]))
    size = float(np.mean([len(one.leaders) for one in found]))
    least_close = holds[:, close].mean(axis=0).min()
    table.add_row(
        str(rows), str(len(found)), f"{r2:.3f}", f"{errors.mean():.3f}",
        f"{errors.max(axis=1).mean():.3f}",
        f"{np.mean(shares.argmax(axis=1) == first):.2f}", f"{np.mean(correlations):.2f}",
        f"{optimizer:.2f}", f"{cover.mean():.3f}", f"{cover[:, large].mean(axis=0).min():.2f}",
        f"{size:.1f}", f"{holds[:, first].mean():.2f}", f"{least_close:.2f}",
    )  # fmt: skip
    checks = [
        ("coverage", cover.mean(), MIN_COVERAGE, 1.0),
        ("coverage of a large share", cover[:, large].mean(axis=0).min(), MIN_LARGE_COVERAGE, 1.0),
        ("leading sets that hold the first factor", holds[:, first].mean(), MIN_FIRST, 1.0),
        ("leading sets that hold a close factor", least_close, MIN_CLOSE, 1.0),
        ("size of the leading set", size, 1.0, MAX_SET[rows]),
    ]
    if truth.name == "digits-mlp":
        checks += [
            ("R²", r2, MIN_R2[rows], 1.0),
            ("mean error", errors.mean(), 0.0, MAX_ERROR[rows]),
            ("largest error", errors.max(axis=1).mean(), 0.0, MAX_LARGEST[rows]),
            ("share of the optimizer", optimizer, MIN_OPTIMIZER[rows], 1.0),
        ]
    return [
        f"{truth.name}, {rows} rows: {what} is {value:.3f}, not within {low:g} to {high:g}"
        for what, value, low, high in checks
        if not low <= value <= high
    ]


def truth_table(truth: Truth) -> Table:
    table = Table("factor", "true share", "standard error", title=f"{truth.name}: the truth")
    for number in np.argsort(-truth.shares):
        table.add_row(
            truth.trainings.names[number],
            f"{truth.shares[number]:.3f}",
            f"{truth.errors[number]:.3f}",
        )
    table.add_row("seed", f"{truth.noise:.3f}", "")
    return table


def rivals_table(truth: Truth, sizes: list[int]) -> Table:
    """Return the errors of Optuna's evaluators, summed over each factor's parameters."""
    table = Table(
        "evaluator", "rows", "mean error", "largest error", "right winner", "rank correlation",
        title=f"{truth.name}: Optuna's evaluators",
    )  # fmt: skip
    true = truth.shares / truth.shares.sum()
    for rows in sizes:
        inside = list(blocks(truth, rows))
        for name in RIVALS:
            tasks = [delayed(ask_rival)(truth.trainings, block, name) for block in inside]
            shares = np.array(Parallel(cores())(tasks))
            errors = np.abs(shares - true)
            correlations: list[Any] = [spearmanr(one, true).statistic for one in shares]
            winners = np.mean(shares.argmax(axis=1) == true.argmax())
            table.add_row(
                name, str(rows), f"{errors.mean():.3f}", f"{errors.max(axis=1).mean():.3f}",
                f"{winners:.2f}", f"{np.nanmean(correlations):.2f}",
            )  # fmt: skip
    return table


def ask_rival(trainings: Trainings, inside: NDArray[np.int64], name: str) -> Array:
    """Return the importance of every factor by one of Optuna's evaluators, summing to 1."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    distributions = {
        axis.name: axis.dimension.distribution()
        for axis in trainings.layout.axes
        if isinstance(axis.dimension, Varied)
    }
    for row in inside:
        parameters = decode_parameters(trainings.layout, trainings.units[row])
        study.add_trial(
            optuna.trial.create_trial(
                params=parameters,
                distributions={each: distributions[each] for each in parameters},
                value=float(trainings.values[row]),
            )
        )
    evaluator = RIVALS[name]() if name == "PED-ANOVA" else RIVALS[name](seed=0)  # type: ignore[call-arg]
    importances = optuna.importance.get_param_importances(study, evaluator=evaluator)
    owners = {axis.name: axis.factor for axis in trainings.layout.axes}
    shares = dict.fromkeys(trainings.names, 0.0)
    for parameter, importance in importances.items():
        if owners[parameter] in shares:
            shares[owners[parameter]] += float(importance)
    summed = np.array(list(shares.values()))
    return summed / (summed.sum() or 1.0)


if __name__ == "__main__":
    typer.run(main)
