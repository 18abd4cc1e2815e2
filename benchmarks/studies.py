"""Studies of digits whose runs have ended without training, for what reads them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from storage.database import open_database
from storage.ledger import Run
from storage.studies import Study, create_study
from storage.trials import begin_trial
from study.running.datasheet import keep_sheet
from study.running.design import designed
from study.running.preparation import prepare
from study.running.settings import Definition

EPOCHS = 15
CHANCE = 0.1


def simulate(
    url: str, rows: int, *, search: int = 0, name: str = "simulated", space: str = "documented"
) -> Study:
    """A study with so many measured rows and searched runs; what matters is `worth`."""
    prepared = prepare(Definition(source="digits", space=space, epochs=EPOCHS))
    study = create_study(open_database(url, create=True), name, prepared.stamp())
    keep_sheet(study, prepared)
    runs = [Run("measure", row) for row in range(rows)]
    study.ledger.plan([*runs, *(Run("search", row) for row in range(search))])
    random = np.random.default_rng(0)
    for row in range(rows + search):
        claim = study.ledger.claim("simulation")
        assert claim is not None
        config = designed(prepared.space, 0, row)
        value = float(np.clip(worth(config) + 0.03 * random.standard_normal(), CHANCE, 1))
        attributes = {
            **claim.run._asdict(), "seed": row, "host": "here", "device": "cpu", "chance": CHANCE,
        }  # fmt: skip
        trial = begin_trial(study, claim, config, prepared.space.distributions(config), attributes)
        curve = {epoch: value * (1 - 0.6 ** (epoch + 1)) for epoch in range(1, EPOCHS, 2)}
        if claim.run.phase == "search" and row % 2:
            trial.prune(value / 2, {"time_s": 0.2}, dict(list(curve.items())[:3]))
        else:
            trial.complete(value, {"time_s": 0.4, **_measured(value, row)}, curve)
    return study


def worth(config: Mapping[str, Any]) -> float:
    """Accuracy before noise: dropout and residual connections count, and zeros never learn."""
    if config.get("initialization") == "zeros":
        return CHANCE
    value = 0.6 + 0.15 * (config.get("residual") == "residual")
    value -= 0.5 * float(config.get("dropout.dropout.rate", 0.0))
    return value + 0.1 * (config.get("optimizer") == "adam")


def _measured(value: float, row: int) -> dict[str, Any]:
    metrics = {"accuracy": value, "macro_f1": value, "kappa": value, "auc": value, "log_loss": 0.3}
    right = round(36 * value)
    confusion = [[i, i, right] for i in range(10)]
    confusion += [[i, (i + 1) % 10, 36 - right] for i in range(10)]
    return {"metrics": metrics, "confusion": confusion, "diverged": row % 97 == 96}
