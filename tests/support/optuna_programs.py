"""Plain Optuna programs for tests: objectives with conditional parameters and known answers."""

import math
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna import Study, Trial
from optuna.samplers import BaseSampler, RandomSampler

from training_factors.study.running.design_sampler import DesignSampler

GROUPS = {"opt": ["c", "x", "y"]}
"""Groups of the parameters of `branch`; `z` is alone."""

TOTALS = {"opt": 15 / 19, "z": 8 / 19}
SHARES = {"opt": 13 / 19, "z": 6 / 19}
"""Exact total indices and shares of `branch`; see `tests.support.simulations`."""


def branch(trial: Trial) -> float:
    """Return the branch function: x belongs to a, y to b, and z works the other way under b."""
    choice = trial.suggest_categorical("c", ["a", "b"])
    z = trial.suggest_int("z", -1, 1)
    if choice == "a":
        return 2 * trial.suggest_float("x", 0, 1) + 2 * z
    return 1 + 4 * trial.suggest_float("y", 0, 1)


def training(trial: Trial) -> float:
    """Return a made-up error rate, on a logarithmic learning rate that matters most."""
    optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd", "rmsprop"])
    rate = math.log10(trial.suggest_float("lr", 1e-5, 1e-1, log=True))
    error = 0.1 + 0.08 * (rate + 3) ** 2 + {"adam": 0.0, "sgd": 0.04, "rmsprop": 0.02}[optimizer]
    if optimizer != "adam":
        error -= 0.05 * trial.suggest_float("momentum", 0, 0.9)
    if optimizer == "sgd" and trial.suggest_categorical("nesterov", [False, True]):
        error -= 0.01 * trial.suggest_float("damp", 0, 1)
    for layer in range(trial.suggest_int("n_layers", 1, 3)):
        error -= 0.003 * math.log2(trial.suggest_int(f"units_{layer}", 8, 128, log=True))
    trial.suggest_float("placebo", 0, 1)
    return error


def run(
    objective: object, sampler: BaseSampler, trials: int = 200, direction: str = "maximize"
) -> Study:
    """Return a study of an objective in memory."""
    study = optuna.create_study(sampler=sampler, direction=direction)  # type: ignore[arg-type]
    study.optimize(objective, n_trials=trials)  # type: ignore[arg-type]
    return study


def random_study(
    objective: object, trials: int = 200, direction: str = "maximize", seed: int = 0
) -> Study:
    """Return a study with random trials."""
    return run(objective, RandomSampler(seed=seed), trials, direction)


def work(url: str, name: str, trials: int, seed: int = 0) -> None:
    """Run a worker process: designed trials of `branch` until so many are complete."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    stop = optuna.study.MaxTrialsCallback(trials, states=(optuna.trial.TrialState.COMPLETE,))
    study = optuna.load_study(study_name=name, storage=url, sampler=DesignSampler(seed))
    study.optimize(branch, callbacks=[stop])


def sqlite_url(folder: Path) -> str:
    """Return the URL of a SQLite database in a folder."""
    return f"sqlite:///{folder}/optuna.db"


def values_of(study: Study, names: Sequence[str]) -> list[tuple[object, ...]]:
    """Return the values of parameters in the trials that have them all, by trial number."""
    trials = sorted(study.get_trials(deepcopy=False), key=lambda trial: trial.number)
    return [
        tuple(trial.params[name] for name in names)
        for trial in trials
        if all(name in trial.params for name in names)
    ]
