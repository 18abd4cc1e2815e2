"""Answers of simulated studies, each computed once per test session."""

from tests.support.session import once_per_session
from tests.support.simulations import SIMULATIONS, simulate_trials
from training_factors.study.analysis.answer import Answer
from training_factors.study.analysis.importance import analyse


@once_per_session
def simulated_answer(name: str, rows: int, noise: float = 0.1) -> Answer:
    """Return the answer of a simulation with this number of designed rows, for seed 0."""
    simulation = SIMULATIONS[name]
    trials = simulate_trials(simulation, rows, noise=noise)
    return analyse(trials, simulation.space, seed=0, jobs=1)
