"""Reports of simulated studies, with all that a report may hold."""

import base64
import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.simulations import Simulation, measure
from search_spaces.problem import Problem
from search_spaces.space import Space, named_space
from storage.datasheet import Augmented, DataSheet
from storage.ledger import Progress
from storage.tables import Trial
from study.analysis.answer import rounded
from study.analysis.breakdowns import breakdowns, overall
from study.analysis.confusion import add_up
from study.analysis.contrasts import Confirmation, Contrast
from study.analysis.headline import analyse
from study.analysis.recommendation import recommend
from study.reporting.contents import Commands
from study.reporting.contrasts import Found
from study.reporting.overview import Overview, best_trial
from study.reporting.recommendation import Found as Advice
from study.reporting.report import Report
from study.reporting.summary import Summary

COMMANDS = Commands("run_study.py --data digits", "run_study.py confirm", "run_study.py --fix a=b")

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}}$x_1$[red]"

CLASSES = ("zero", "one", HOSTILE)


def _space() -> Space:
    """Four factors, two of them with knobs of every kind."""
    fitted, _ = named_space("small").fitted(Problem(shape=(1, 8, 8), classes=3))
    kept = ("normalization", "activation", "optimizer", "residual")
    factors = tuple(f if f.name in kept else f.held() for f in fitted.factors)
    return replace(fitted, factors=factors)


def _accuracy(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """The optimizer and its learning rate count most, and residual connections with them."""
    value = 0.2 + 0.4 * (units[:, 1] > 0.4) + 0.2 * (units[:, 1] > 0.4) * units[:, 2]
    found: NDArray[np.float64] = value + 0.1 * (units[:, -2] > 0.5)
    return found


@cache
def simulated(rows: int = 64) -> Report:
    """A study with everything: measured, searched, confirmed, with its data sheet."""
    space = _space().describe()
    measured = measure(Simulation(space, _accuracy), rows, noise=0.05)
    trials = tuple(_lived(trial) for trial in measured) + _searched(measured)
    answer = rounded(analyse(trials, space, seed=0, jobs=1))
    best = best_trial(trials)
    assert best is not None
    confirmation = _confirmation(best)
    settings = recommend(answer, space, best.parameters, confirmation)
    baseline = {factor["name"]: factor["options"][0]["name"] for factor in space["factors"]}
    return Report(
        name="digits-mlp",
        stamp=_stamp(space),
        overview=Overview(
            "digits-mlp", "accuracy", "digits", "mlp:small",
            {"measure": Progress(0, 0, rows)}, {"COMPLETE": len(trials)}, 1, best, 1.0, (),
            baseline, (), {"out of memory": 2},
        ),
        trials=trials,
        summary=Summary("digits-mlp", "digits", "accuracy", answer, best, confirmation, space),
        advice=Advice("digits-mlp", "accuracy", _definition(), "trial #3: confirmed", settings),
        nothing="",
        confirmed=Found("digits-mlp", "accuracy", {"trial 3": 0.97}, confirmation),
        test={"accuracy": [0.9, 0.92, 0.91]},
        confusion=add_up([[[0, 0, 5], [1, 2, 2], [2, 2, 4]]], CLASSES, "the best run, #3"),
        breakdowns=breakdowns(trials, space),
        overall=overall(trials),
        lenses=None,
        sheet=_sheet(),
    )  # fmt: skip


def _lived(trial: Trial) -> Trial:
    value = trial.value or 0.0
    diverged = trial.row % 16 == 3
    return trial._replace(
        curve={epoch: value * (epoch + 1) / 4 for epoch in range(2 if diverged else 4)},
        metrics={"accuracy": value, "macro_f1": value - 0.01, "auc": None},
        attributes={"chance": 0.3, "host": "here", "device": "cpu", "diverged": diverged},
    )


def _searched(measured: list[Trial]) -> tuple[Trial, ...]:
    first = len(measured)
    made = [
        _lived(trial)._replace(
            number=first + i, phase="search", row=i, repeat=0,
            state="PRUNED" if i % 2 else "COMPLETE",
        )
        for i, trial in enumerate(measured[:6])
    ]  # fmt: skip
    failed = measured[7]._replace(
        number=first + 6, phase="search", row=6, state="FAIL", value=None, time_s=None, repeat=0
    )
    return (*made, failed)


def _confirmation(best: Trial) -> Confirmation:
    contrasts = (
        Contrast("optimizer at its baseline", "optimizer", 5, 4.25, (2.5, 6.0), 0.0004, 1.0),
        Contrast("placebo moved", "placebo", 5, 0.0, (-0.5, 0.5), 1.0, 0.5),
    )
    return Confirmation(dict(best.parameters), 5, 0.91, (0.9, 0.92), contrasts)


def _definition() -> dict[str, Any]:
    return {
        "source": "digits", "limit": None, "image_size": None, "target": None, "model": "mlp",
        "space": "documented", "fix": (), "drop": (), "range": (), "choices": (), "epochs": 4,
        "seed": 0,
    }  # fmt: skip


def _stamp(space: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {
            "name": "digits", "samples": 1797, "shape": [1, 8, 8], "classes": 3,
            "fingerprint": "ab" * 32, "skipped": 0,
        },
        "space": "ef" * 8, "model": "mlp:small", "objective": "accuracy", "epochs": 4, "seed": 0,
        "left_out": [["augment_mix", "images only"]], "described": space,
        "class_names": list(CLASSES), "versions": {"torch": "2"}, "definition": _definition(),
    }  # fmt: skip


def _sheet() -> DataSheet:
    written = io.BytesIO()
    Image.new("L", (53, 8)).save(written, "PNG")
    picture = base64.b64encode(written.getvalue()).decode()
    parts = {"pool": [3, 4, 5], "validation": [1, 1, 2], "test": [1, 1, 1]}
    return DataSheet(
        CLASSES, parts, picture, (Augmented("augment_mix", "mixup", {"alpha": 0.2}, picture),)
    )


def without_answer(report: Report) -> Report:
    """The same study before there is enough for an answer."""
    return report._replace(
        summary=None, advice=None, nothing="too few rows: 3", confirmed=None, test={},
        confusion=None, breakdowns=(), overall=None, sheet=None,
        trials=report.trials[:1],
    )  # fmt: skip


def hostile(report: Report) -> Report:
    """The same study under names that want to be code."""
    overview = report.overview._replace(name=HOSTILE, data=HOSTILE, failures={HOSTILE: 1})
    assert report.summary is not None
    answer = report.summary.answer
    first = answer.factors[0]._replace(name=HOSTILE, best_option=HOSTILE)
    worded = answer.verdict._replace(sentence=f"{HOSTILE} matters most", leaders=(HOSTILE,))
    renamed = {answer.factors[0].name: HOSTILE}
    effects = tuple(e._replace(factor=renamed.get(e.factor, e.factor)) for e in answer.effects)
    answer = answer._replace(factors=(first, *answer.factors[1:]), verdict=worded, effects=effects)
    space = dict(report.space)
    named = {"name": HOSTILE, "topic": HOSTILE, "documentation": HOSTILE}
    space["factors"] = [{**space["factors"][0], **named}, *space["factors"]]
    return report._replace(
        name=HOSTILE, overview=overview, stamp={**report.stamp, "described": space},
        summary=report.summary._replace(study=HOSTILE, data=HOSTILE, answer=answer),
    )  # fmt: skip
