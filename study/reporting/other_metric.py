"""The importance of factors for another metric than the objective, from what the runs have stored.

Nothing is trained, and nothing of the study is replaced: neither its files nor its chart in the
dashboard, which are about its objective. The answer is cached under a key of its own.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter
from rich.console import Group, RenderableType
from rich.text import Text

from training_factors.storage.datasheet import read_sheet
from training_factors.storage.metrics import (
    Metric,
    chance_levels,
    choose_metric,
    find_name,
    metrics_of,
    normal_name,
)
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.answer import Answer, NothingVaries, as_document
from training_factors.study.analysis.best_configuration import best_trial
from training_factors.study.analysis.importance import analyse
from training_factors.study.analysis.measurements import has_diverged
from training_factors.study.analysis.seed_mean import mean_over_seeds
from training_factors.study.reporting.analyses import answer_of, load_or_compute
from training_factors.study.reporting.conclusion import describe_seed_mean
from training_factors.study.reporting.formatting import describe_objective
from training_factors.study.reporting.importance_tables import draw_importance


class MetricAnswer(NamedTuple):
    """The answer of a study for a metric.

    objective: the metric, or minus it where lower is better. study_objective: what the study itself
    maximized. best: the complete run with the highest objective.
    """

    study: str
    metric: str
    objective: str
    study_objective: str
    answer: Answer
    best: Trial


def answer_for_metric(study: Study, name: str, jobs: int) -> MetricAnswer:
    """Return the importance of every factor for a metric, from the cache where it is there.

    It is that of a study with the same runs whose objective is the metric. name: of the metric,
    also with dashes. jobs: number of processes that compute the answer.

    Raises ValueError, which names the metrics that are stored, for an unknown metric, one of the
    other task, or one that some run lacks; NoAnswer when too few rows were measured.
    """
    trials, stamp = read_trials(study), study.stamp
    metric = _stored_metric(study, trials, name)
    if metric.objective == stamp.objective:
        answer = answer_of(study, jobs, trials)
    else:
        chance = _chance(study)
        trials = [_with_objective(trial, metric, chance) for trial in trials]
        if stamp.space.is_fixed:
            raise NothingVaries(describe_seed_mean(mean_over_seeds(trials), metric.objective))
        kind, records = f"importance of {metric.name}", TypeAdapter(Answer)
        answer = load_or_compute(study, kind, analyse, records, jobs, trials)
    best = best_trial(trials)
    assert best is not None, "a study with an answer has complete runs"
    return MetricAnswer(study.name, metric.name, metric.objective, stamp.objective, answer, best)


def draw_metric_answer(found: MetricAnswer) -> RenderableType:
    """Draw the importance for the metric, its best run, and what the study itself maximized."""
    best = found.best
    title = Text.assemble(
        ("importance for ", ""), (describe_objective(found.objective), "bold"),
        f", from what every run of {found.study} has stored",
    )  # fmt: skip
    lines = [f"best validation {found.objective} {best.value:.4f} (run #{best.number})"]
    if found.objective != found.study_objective:
        lines.append(
            f"The study maximized {describe_objective(found.study_objective)}: its search looked "
            "for that, and its report and chart show that."
        )
    drawn = draw_importance(found.answer, found.objective)
    return Group(title, Text(), drawn, Text(), *map(Text, lines))


def metric_answer_document(found: MetricAnswer) -> dict[str, Any]:
    """Return the answer as a JSON document: that of `importance`, with the metric's name."""
    best = found.best
    return {
        **as_document(found.answer, found.study),
        "metric": found.metric,
        "objective": found.objective,
        "study_objective": found.study_objective,
        "best": {"trial": best.number, "value": best.value, "metrics": best.metrics},
    }


def _stored_metric(study: Study, trials: Sequence[Trial], name: str) -> Metric:
    """Return the metric of this name. Raises ValueError where it is not stored for every run."""
    classes, chance = study.stamp.data.classes, _chance(study)
    complete = [trial for trial in trials if trial.complete]
    lacking = {
        metric: sum(_value(trial, metric, chance) is None for trial in complete)
        for metric in metrics_of(classes)
    }
    stored = [metric.name for metric, count in lacking.items() if not count]
    for metric, count in lacking.items():
        if count and metric.name == normal_name(name):
            raise ValueError(
                f"--of {name!r}: {count} of {len(complete)} runs of {study.name} have no usable "
                f"{metric.name}, as those of an earlier version; choose one of {', '.join(stored)}"
            )
    found = find_name(name, stored, f"--of {name!r} is no metric of {study.name}")
    return choose_metric(found, classes)


def _chance(study: Study) -> Mapping[str, float]:
    """Return the metrics at chance; of studies of earlier versions as far as they are known.

    For classification they follow from the classes of the validation part. For regression only R²
    does not depend on the targets.
    """
    stamp = study.stamp
    if stamp.chance:
        return stamp.chance
    if stamp.data.classes is None:
        return {"r2": 0.0}
    sheet = read_sheet(study)
    if sheet is None:
        return {}
    return chance_levels(np.array(sheet.parts["validation"]), stamp.data.classes)


def _value(trial: Trial, metric: Metric, chance: Mapping[str, float]) -> float | None:
    """Return the metric of a complete run; None if it is not known.

    A run that diverged is at chance, also where an earlier version stored its objective alone.
    """
    value = trial.metrics.get(metric.name)
    if value is None and has_diverged(trial):
        value = chance.get(metric.name)
    if value is None or not math.isfinite(value):
        return None
    return None if metric.has_floor and metric.name not in chance else float(value)


def _with_objective(trial: Trial, metric: Metric, chance: Mapping[str, float]) -> Trial:
    """Return a trial as it would be if the metric were the objective; incomplete ones unchanged.

    Learning curves stay those of the study's objective.
    """
    if not trial.complete:
        return trial
    value = _value(trial, metric, chance)
    assert value is not None, "every complete run has it"
    attributes = {key: trial.attributes[key] for key in trial.attributes if key != "chance"}
    attributes["perfect"] = metric.perfect
    level = chance.get(metric.name)
    if level is not None:
        attributes["chance"] = metric.signed(level)
    # Without a floor the chance level changes nothing.
    objective = metric.as_objective(value, value if level is None else level)
    return trial._replace(value=objective, attributes=attributes)
