"""Seconds and memory of an analysis, by rows: a simulated study over the full space.

python -m benchmarks.analysis_time 512 5000
"""

import os
import resource
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.support.simulations import Simulation, simulate_trials
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import named_space
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.importance import analyse
from training_factors.study.analysis.lenses import compute_lenses

JOBS = os.cpu_count() or 1
WITH_LENSES = 1000
"""Rows up to which the lenses are timed too."""


def main() -> None:
    space, _ = named_space("full").for_problem(Problem(shape=(3, 32, 32), classes=10))
    simulation = Simulation(space.describe(), response)
    table = Table("rows", "parameters", "headline, s", "lenses, s", "memory, MB", "R²")
    for rows in [int(word) for word in sys.argv[1:]] or [512]:
        trials = [
            trial._replace(curve={0: 0.3, 1: trial.value or 0.0})
            for trial in simulate_trials(simulation, rows)
        ]
        start = time.perf_counter()
        answer = analyse(trials, simulation.space, seed=0, jobs=JOBS)
        headline_s, lenses_s = time.perf_counter() - start, ""
        if rows <= WITH_LENSES:
            start = time.perf_counter()
            compute_lenses(trials, simulation.space, seed=0, jobs=JOBS)
            lenses_s = f"{time.perf_counter() - start:.1f}"
        used = [
            resource.getrusage(who).ru_maxrss / 1024
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        table.add_row(
            f"{rows:,}",
            str(len(space.coordinates()) - 1),
            f"{headline_s:.1f}",
            lenses_s,
            f"{used[0]:.0f} + {JOBS} × {used[1]:.0f}",
            f"{answer.surrogate.r2:.2f}",
        )
    Console().print(table)


def response(units: Array) -> Array:
    """Smooth and stepped effects of several axes, and one interaction."""
    steps = (units[:, ::7] < 0.5) @ np.linspace(1, 0.1, units[:, ::7].shape[1])
    value: Array = steps + np.sin(5 * units[:, 3]) * (units[:, 0] < 0.3) + units[:, 10] ** 2
    return value


if __name__ == "__main__":
    main()
