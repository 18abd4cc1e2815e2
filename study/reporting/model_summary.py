"""Say what was exported: a few lines for the screen, and the numbers as metrics.json."""

from typing import Any

from training_factors.storage.metrics import metric_of
from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.contrasts import Confirmation
from training_factors.study.analysis.model_metrics import MetricMean, ModelMetrics
from training_factors.study.reporting.formatting import decimals
from training_factors.study.reporting.reproduction_table import describe_reproduction

WEIGHTS = {
    "last": "those after the last step",
    "averaged": "the moving average over the steps of training",
}
"""Which weights are exported -> words for them."""

ON = {
    "pool": "the training part",
    "all": "the training and the validation part together",
}
"""Samples that a model was trained on -> words for them."""


def describe_export(metrics: ModelMetrics) -> list[str]:
    """Return what was exported and what it reaches, as lines for the screen."""
    count = len(metrics.seeds)
    kept = metrics.exported
    name = metric_of(metrics.objective).name
    lines = []
    if metrics.reproduction is not None:
        lines += describe_reproduction(metrics.reproduction, metrics.objective)
    if count > 1:
        chosen = "with the median validation value" if metrics.on == "pool" else "the first one"
        lines.append(f"{count} networks, exported: that of seed {kept.seed}, {chosen}")
    parts = (("validation", kept.validation, metrics.validation), ("test", kept.test, metrics.test))
    for part, values, means in parts:
        value = values.get(name)
        if value is not None:
            lines.append(f"{part} {name} {decimals(value)}{_over_seeds(means.get(name))}")
    lines.append(f"weights: {WEIGHTS[metrics.weights]}; trained on {ON[metrics.on]}")
    return lines


def metrics_document(metrics: ModelMetrics, confirmation: Confirmation | None) -> dict[str, Any]:
    """Return the numbers of a model as a JSON document, that of metrics.json.

    study, run: where the configuration comes from. objective: what the study maximizes. on,
    weights: see `ModelMetrics`. kept: seed of the exported network. seeds: for every network its
    seed, objective, metrics on the validation and the test part, and whether it diverged.
    validation, test: metric -> mean over the seeds and its 95 % t-interval, null for one seed.
    chance: metric -> its value on the test part for a network that has learned nothing.
    reproduction: the first network against the stored run, null with `all`. confirmation: value,
    interval and seeds of the confirmed configuration on the test part; null where it is not.
    """
    found = metrics.reproduction
    reproduction = None if found is None else {**found._asdict(), "equal": found.is_equal}
    confirmed = None
    if confirmation is not None:
        names = ("value", "interval", "seeds")
        confirmed = {name: getattr(confirmation, name) for name in names}
    document: dict[str, Any] = as_plain(
        {
            "schema": 1,
            **metrics._asdict(),
            "validation": metrics.validation,
            "test": metrics.test,
            "reproduction": reproduction,
            "confirmation": confirmed,
        }
    )
    return document


def _over_seeds(mean: MetricMean | None) -> str:
    if mean is None or mean.interval is None:
        return ""
    low, high = map(decimals, mean.interval)
    return f", mean over seeds {decimals(mean.mean)} (95 % interval {low} to {high})"
