"""Compare importance with exact values; count how often intervals cover and noise passes.

python -m benchmarks.ground_truth accuracy     # functions with exact values, 200 to 1,000 rows
python -m benchmarks.ground_truth coverage     # intervals of 20 simulated studies
python -m benchmarks.ground_truth null         # verdicts on 100 studies without effects
"""

import os
import sys
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.support.simulations import EXACT, NOISE, simulate_trials
from training_factors.search_spaces.description import PLACEBO
from training_factors.study.analysis.answer import Answer
from training_factors.study.analysis.importance import analyse
from training_factors.study.analysis.measurements import read_measured
from training_factors.study.analysis.sensitivity import shapley_estimand

JOBS = os.cpu_count() or 1
NOISE_PART = 0.1
"""Variance of the seed as a part of the function's."""


def main() -> None:
    parts: dict[str, Callable[[], Table]] = {
        "accuracy": accuracy,
        "coverage": coverage,
        "null": null,
    }
    for name in sys.argv[1:] or parts:
        Console().print(parts[name]())


def accuracy() -> Table:
    table = Table("function", "rows", "R²", "largest error of T", "of the share", "largest T")
    for name, (simulation, total, share) in EXACT.items():
        for rows in (200, 500, 1000):
            answer = analyse(simulate_trials(simulation, rows), simulation.space, seed=0, jobs=JOBS)
            found = {factor.name: factor for factor in answer.factors}
            scale = 1 + NOISE_PART
            errors = [abs(found[factor].total * scale - exact) for factor, exact in total.items()]
            of_shares = [
                abs(found[factor].share * scale - exact) for factor, exact in share.items()
            ]
            table.add_row(
                name,
                str(rows),
                f"{answer.surrogate.r2:.3f}",
                f"{max(errors):.3f}",
                f"{max(of_shares):.3f}" if of_shares else "",
                max(answer.factors, key=lambda factor: factor.total).name,
            )
    return table


def coverage(studies: int = 20, rows: int = 256) -> Table:
    table = Table("function", "studies", "rows", "intervals", "covering")
    for name, (simulation, _, share) in EXACT.items():
        exact = share or true_shares(name)
        covered = []
        for seed in range(studies):
            trials = simulate_trials(simulation, rows, seed=seed)
            answer = analyse(trials, simulation.space, seed=seed, jobs=JOBS)
            covered += [inside(answer, factor, value) for factor, value in exact.items()]
        table.add_row(name, str(studies), str(rows), str(len(covered)), f"{np.mean(covered):.3f}")
    return table


def null(studies: int = 100, rows: int = 128) -> Table:
    table = Table("factors", "p < 0.05 (Holm)", "studies that name a factor")
    found: list[float] = []
    verdicts = []
    for seed in range(studies):
        trials = simulate_trials(NOISE, rows, seed=seed)
        answer = analyse(trials, NOISE.space, seed=seed, jobs=JOBS)
        found += [factor.p_value for factor in answer.factors]
        verdicts.append(answer.verdict.kind)
    named = sum(kind != "nothing" for kind in verdicts)
    table.add_row(str(len(found)), str(sum(p < 0.05 for p in found)), f"{named} of {studies}")
    return table


def inside(answer: Answer, factor: str, value: float) -> bool:
    (own,) = (one for one in answer.factors if one.name == factor)
    return own.interval[0] <= value / (1 + NOISE_PART) <= own.interval[1]


def true_shares(name: str) -> dict[str, float]:
    """Shapley shares of the function itself, from so many walks that their error is 0.002."""
    simulation, _, _ = EXACT[name]
    study = read_measured(simulate_trials(simulation, 64), simulation.space, 0)
    asked = shapley_estimand(study.layout, study.by_factor, 2**15, seed=1)
    shares = asked.estimate_from(simulation.function(asked.features.astype(np.float64)))
    found = dict(zip(study.by_factor, shares.tolist(), strict=True))
    return {factor: share for factor, share in found.items() if factor != PLACEBO}


if __name__ == "__main__":
    main()
