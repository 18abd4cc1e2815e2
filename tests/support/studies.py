"""Studies for tests and benchmarks: simulated ones, with results from a formula, and real ones."""

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.program import SMOKE_STUDY, run_program, run_verb
from tests.support.session import once_per_session, session_folder
from training_factors.storage.arms import CONTRAST, RANK, Arm, add_arms
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.live_trial import start_trial
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study, create_confirmation, create_study
from training_factors.storage.trials import read_trials
from training_factors.study.running.datasheet_builder import store_datasheet
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.preparation import prepare_study

EPOCHS = 15
CHANCE = 0.1


def create_simulated_study(
    url: str, rows: int, *, search: int = 0, name: str = "simulated", space: str = "documented"
) -> Study:
    """Create a study with this number of measured rows and searched runs; see `accuracy_of`."""
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    prepared = prepare_study(Definition(source="digits", space=space, epochs=EPOCHS))
    study = create_study(open_database(url, create=True), name, prepared.stamp())
    store_datasheet(study, prepared)
    runs = [Run("measure", row) for row in range(rows)]
    study.queue.add([*runs, *(Run("search", row) for row in range(search))])
    end_simulated_runs(study)
    return study


def end_simulated_runs(study: Study) -> None:
    """End all waiting runs of a simulated study."""
    prepared = prepare_study(study.stamp.definition)
    done = sum(phase.done for phase in study.queue.progress().values())
    random = np.random.default_rng(done)
    for row in itertools.count(done):
        claim = study.queue.claim("simulation")
        if claim is None:
            return
        config = designed_configuration(prepared.space, 0, row)
        value = float(np.clip(accuracy_of(config) + 0.03 * random.standard_normal(), CHANCE, 1))
        attributes = {
            **claim.run._asdict(), "seed": row, "host": "here", "device": "cpu", "chance": CHANCE,
        }  # fmt: skip
        trial = start_trial(study, claim, config, prepared.space.distributions(config), attributes)
        curve = {epoch: value * (1 - 0.6 ** (epoch + 1)) for epoch in range(1, EPOCHS, 2)}
        if claim.run.phase == "search" and row % 2:
            trial.prune(value / 2, {"time_s": 0.2}, dict(list(curve.items())[:3]))
        else:
            trial.complete(value, {"time_s": 0.4, **_results(value, row)}, curve)


def add_simulated_confirmation(study: Study, *, seeds: int = 5) -> Study:
    """Confirm a simulated study: two ranked arms, and the first one against its residual factor."""
    measured = [trial for trial in read_trials(study) if trial.phase == "measure"]
    first, second = (trial.parameters for trial in measured[:2])
    changed = {**first, "residual": "residual" if first["residual"] == "none" else "none"}
    arms = [
        Arm(RANK, "trial 0", None, first),
        Arm(RANK, "trial 1", None, second),
        Arm(CONTRAST, "best", None, first),
        Arm(CONTRAST, "residual changed", "residual", changed),
    ]
    confirmation = create_confirmation(study)
    add_arms(confirmation, [], arms)
    rows = range(len(arms))
    confirmation.queue.add([Run("confirm", row, seed) for row in rows for seed in range(seeds)])
    space = prepare_study(study.stamp.definition).space
    random = np.random.default_rng(1)
    while (claim := confirmation.queue.claim("simulation")) is not None:
        arm = arms[claim.run.row]
        value = float(accuracy_of(arm.config) + 0.01 * random.standard_normal())
        attributes = {**claim.run._asdict(), "seed": claim.run.repeat}
        distributions = space.distributions(arm.config)
        trial = start_trial(confirmation, claim, arm.config, distributions, attributes)
        tested = {"test": {"accuracy": value}, "test_value": value}
        results = {"time_s": 0.4, **_results(value, 0)}
        trial.complete(value, results | (tested if arm.purpose == CONTRAST else {}), {})
    return confirmation


def accuracy_of(config: Mapping[str, Any]) -> float:
    """Return the accuracy without noise: dropout, residual connections and Adam count."""
    if config.get("initialization") == "zeros":
        return CHANCE
    value = 0.6 + 0.15 * (config.get("residual") == "residual")
    value -= 0.5 * float(config.get("dropout.dropout.rate", 0.0))
    return value + 0.1 * (config.get("optimizer") == "adam")


def _results(value: float, row: int) -> dict[str, Any]:
    metrics = {"accuracy": value, "macro_f1": value, "kappa": value, "auc": value, "log_loss": 0.3}
    right = round(36 * value)
    confusion = [[i, i, right] for i in range(10)]
    confusion += [[i, (i + 1) % 10, 36 - right] for i in range(10)]
    return {"metrics": metrics, "confusion": confusion, "diverged": row % 97 == 96}


@once_per_session
def smoke_study() -> tuple[Path, str, str]:
    """Run a smoke study to its end with one worker; return its folder and what was printed."""
    folder = session_folder() / "smoke-study"
    folder.mkdir()
    result = run_program(folder, *SMOKE_STUDY, "--workers", "1")
    assert result.returncode == 0, result.stderr
    return folder, result.stdout, result.stderr


@once_per_session
def smoke_study_twice() -> Path:
    """Run the same study again with two workers, named twin, in a copy of the folder."""
    folder = shutil.copytree(smoke_study()[0], session_folder() / "smoke-study-twice")
    result = run_verb(folder, *SMOKE_STUDY, "--workers", "2", "--study", "twin")
    assert result.returncode == 0, result.stderr
    return folder
