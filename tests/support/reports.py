"""Reports of simulated studies, with every part that a report can have."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.support.session import once_per_session
from tests.support.simulations import Simulation, simulate_trials
from training_factors.search_spaces.description import SpaceDescription
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import Space, named_space
from training_factors.storage.datasheet import Augmented, DataSheet
from training_factors.storage.definition import Definition
from training_factors.storage.provenance import Provenance
from training_factors.storage.run_queue import PhaseProgress
from training_factors.storage.stamp import DataStamp, Stamp
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import rounded
from training_factors.study.analysis.best_configuration import BestConfiguration, best_trial
from training_factors.study.analysis.contrasts import (
    Confirmation,
    ConfirmedPath,
    Contrast,
    PathStep,
)
from training_factors.study.analysis.diagnostics import (
    breakdowns,
    mean_confusion,
    overall_breakdown,
)
from training_factors.study.analysis.importance import analyse
from training_factors.study.analysis.recommendation import recommend
from training_factors.study.reporting.conclusion import Progress, conclude
from training_factors.study.reporting.confirmation_table import ConfirmationResult
from training_factors.study.reporting.page import Commands
from training_factors.study.reporting.recommendation_table import Recommendation
from training_factors.study.reporting.report import Report
from training_factors.study.reporting.status import StudyStatus, describe_best

COMMANDS = Commands("run_study.py --data digits", "run_study.py confirm", "run_study.py --fix a=b")

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}}$x_1$[red]"

CLASSES = ("zero", "one", HOSTILE)


def _space() -> Space:
    """Return a space of four factors, two of them with hyperparameters of every kind."""
    fitted, _ = named_space("small").for_problem(Problem(shape=(1, 8, 8), classes=3))
    kept = ("normalization", "activation", "optimizer", "residual")
    factors = tuple(f if f.name in kept else f.hold() for f in fitted.factors)
    return replace(fitted, factors=factors)


def _accuracy(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return accuracies: optimizer and learning rate count most, then residual connections."""
    value = 0.2 + 0.4 * (units[:, 1] > 0.4) + 0.2 * (units[:, 1] > 0.4) * units[:, 2]
    found: NDArray[np.float64] = value + 0.1 * (units[:, -2] > 0.5)
    return found


@once_per_session
def simulated_report(rows: int = 64) -> Report:
    """Make the report of a measured, searched and confirmed study with its data sheet."""
    space = _space().describe()
    measured = simulate_trials(Simulation(space, _accuracy), rows, noise=0.05)
    trials = tuple(_with_results(trial) for trial in measured) + _search_trials(measured)
    answer = rounded(analyse(trials, space, seed=0, jobs=1))
    best = best_trial(trials)
    assert best is not None
    confirmation = _confirmation(best)
    settings = recommend(answer, space, best.parameters, confirmation)
    chosen = _best_configuration(best, (0.9, 0.92, 0.91))
    return Report(
        name="digits-mlp",
        stamp=_stamp(space),
        status=StudyStatus(
            "digits-mlp", "accuracy", "digits", "mlp:small",
            {"measure": PhaseProgress(0, 0, rows)}, {"COMPLETE": len(trials)}, 1, chosen, 1.0, (),
            space.baseline, (), {"out of memory": 2},
        ),
        trials=trials,
        conclusion=conclude(answer, "", chosen, confirmation, "accuracy", Progress(rows, rows)),
        answer=answer,
        advice=Recommendation(
            "digits-mlp", "accuracy", _definition(), "run #3: ranked first", settings
        ),
        confirmed=ConfirmationResult("digits-mlp", "accuracy", {"trial 3": 0.97}, confirmation),
        test={"accuracy": [0.9, 0.92, 0.91]},
        confusion=mean_confusion([[[0, 0, 5], [1, 2, 2], [2, 2, 4]]], CLASSES, "the best run, #3"),
        breakdowns=breakdowns(trials, space),
        overall=overall_breakdown(trials),
        lenses=None,
        sheet=_sheet(),
        provenance=Provenance(_stamp(space), {}),
    )  # fmt: skip


def _best_configuration(best: Trial, tested: tuple[float, ...] = ()) -> BestConfiguration:
    return BestConfiguration(f"run #{best.number}", best.parameters, best, tested)


def _with_results(trial: Trial) -> Trial:
    value = trial.value or 0.0
    diverged = trial.row % 16 == 3
    return trial._replace(
        curve={epoch: value * (epoch + 1) / 4 for epoch in range(2 if diverged else 4)},
        metrics={"accuracy": value, "macro_f1": value - 0.01, "auc": None},
        attributes={"chance": 0.3, "host": "here", "device": "cpu", "diverged": diverged},
    )


def _search_trials(measured: list[Trial]) -> tuple[Trial, ...]:
    first = len(measured)
    made = [
        _with_results(trial)._replace(
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
    return Confirmation(dict(best.parameters), 5, 0.91, (0.9, 0.92), contrasts, confirmed_path())


def confirmed_path() -> ConfirmedPath:
    """Return a path with a gain, a loss and a step that cannot be told from none."""
    steps = (
        PathStep(
            "optimizer", {"optimizer": "adam", "optimizer.adam.lr": 0.02}, 0.93, (0.92, 0.94),
            4.25, (2.5, 6.0), 0.003,
        ),
        PathStep("residual", {"residual": "residual"}, 0.935, (0.92, 0.95), 0.5, (-0.5, 1.5), 0.4),
        PathStep(
            "activation", {"activation": "tanh"}, 0.91, (0.9, 0.92), -2.5, (-3.0, -2.0), 0.001
        ),
    )  # fmt: skip
    return ConfirmedPath(5, 0.8875, (0.87, 0.905), steps, 2.25, (1.0, 3.5))


def _definition() -> Definition:
    return Definition(source="digits", model="mlp", epochs=4)


def _stamp(space: SpaceDescription) -> Stamp:
    return Stamp(
        "accuracy",
        DataStamp("digits", 1797, (1, 8, 8), 3, "ab" * 32, 0),
        space._replace(fingerprint="ef" * 8),
        model="mlp:small",
        epochs=4,
        definition=_definition(),
        left_out=(("augment_mix", "images only"),),
        class_names=CLASSES,
        versions={"torch": "2"},
    )


def _sheet() -> DataSheet:
    written = io.BytesIO()
    Image.new("L", (53, 8)).save(written, "PNG")
    picture = base64.b64encode(written.getvalue()).decode()
    parts = {"pool": [3, 4, 5], "validation": [1, 1, 2], "test": [1, 1, 1]}
    return DataSheet(
        CLASSES, parts, picture, (Augmented("augment_mix", "mixup", {"alpha": 0.2}, picture),)
    )


def report_of(
    trials: Sequence[Trial],
    objective: str = "accuracy",
    *,
    left: int = 0,
    confirm: Callable[[Trial], Confirmation] | None = None,
) -> Report:
    """Return the report of measured trials over the space of `simulated_report`.

    left: number of runs that have not ended. confirm: the best trial -> its confirmation.
    """
    space = _space().describe()
    answer = rounded(analyse(trials, space, seed=0, jobs=1))
    best = best_trial(trials)
    assert best is not None
    confirmation = confirm(best) if confirm else None
    chosen = _best_configuration(best, (0.9, 0.92, 0.91) if confirm else ())
    total = len(trials) + left
    conclusion = conclude(answer, "", chosen, confirmation, objective, Progress(len(trials), total))
    ranking = {f"trial {best.number}": 0.97}
    stamp = _stamp(space)._replace(objective=objective)
    status = StudyStatus(
        "digits-mlp", objective, "digits", "mlp:small",
        {"measure": PhaseProgress(left, 0, len(trials))}, {"COMPLETE": len(trials)}, 1, chosen, 1.0,
        (), space.baseline, (), {},
    )  # fmt: skip
    settings = recommend(answer, space, best.parameters, confirmation)
    source = describe_best(chosen, objective, conclusion.interval)
    return Report(
        name="digits-mlp",
        stamp=stamp,
        status=status,
        trials=tuple(trials),
        conclusion=conclusion,
        answer=answer,
        advice=Recommendation(
            "digits-mlp", objective, _definition(), source, settings, no_effects=answer.no_effects
        ),
        confirmed=confirmation
        and ConfirmationResult("digits-mlp", objective, ranking, confirmation),
        test={},
        confusion=None,
        breakdowns=breakdowns(trials, space),
        overall=overall_breakdown(trials),
        lenses=None,
        sheet=None,
        provenance=Provenance(stamp, {}),
    )


def simulated_space() -> SpaceDescription:
    """Return the space of `simulated_report` and `report_of`."""
    return _space().describe()


def report_without_answer(report: Report) -> Report:
    """Return the report of the same study before it has enough rows for an answer."""
    chosen = _best_configuration(report.trials[0])
    reason = "too few configurations: 3"
    return report._replace(
        conclusion=conclude(None, reason, chosen, None, "accuracy", Progress(3, 64)), answer=None,
        advice=None, confirmed=None, test={}, confusion=None, breakdowns=(), overall=None,
        sheet=None, trials=report.trials[:1],
    )  # fmt: skip


def hostile_report(report: Report) -> Report:
    """Return the report of the same study with names that contain code."""
    status = report.status._replace(name=HOSTILE, data=HOSTILE, failures={HOSTILE: 1})
    answer = report.require_answer()
    first = answer.factors[0]._replace(name=HOSTILE, best_option=HOSTILE)
    worded = answer.verdict._replace(sentence=f"{HOSTILE} matters most", leaders=(HOSTILE,))
    renamed = {answer.factors[0].name: HOSTILE}
    effects = tuple(e._replace(factor=renamed.get(e.factor, e.factor)) for e in answer.effects)
    answer = answer._replace(factors=(first, *answer.factors[1:]), verdict=worded, effects=effects)
    factors = report.space.factors
    named = factors[0]._replace(name=HOSTILE, topic=HOSTILE, documentation=HOSTILE)
    space = report.space._replace(factors=(named, *factors))
    conclusion = conclude(
        answer, "", report.best, report.confirmation, "accuracy", Progress(64, 64)
    )
    return report._replace(
        name=HOSTILE, status=status, stamp=report.stamp._replace(space=space), answer=answer,
        conclusion=conclusion,
    )  # fmt: skip
