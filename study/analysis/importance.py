"""Compute the answer of a study: the importance of every factor, from its measured rows.

`analyse` is the entry point. Here everything is estimated; `assembly` makes the records of the
answer from these estimates.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from training_factors.search_spaces.description import SpaceDescription
from training_factors.storage.run_queue import DIVISION
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer
from training_factors.study.analysis.assembly import Estimates, IndexPair, Indices, assemble
from training_factors.study.analysis.blend import FOLDS, Blend, fit_blend
from training_factors.study.analysis.effects import (
    Effect,
    ExpectedBest,
    Level,
    baseline_levels,
    levels_of,
)
from training_factors.study.analysis.expected_best import compare_bests
from training_factors.study.analysis.features import Array, Groups
from training_factors.study.analysis.measurements import MeasuredStudy, read_measured
from training_factors.study.analysis.parallel_calls import single_threaded
from training_factors.study.analysis.rows import Rows
from training_factors.study.analysis.sensitivity import (
    Estimand,
    interaction_estimand,
    marginal_estimand,
    shapley_estimand,
    sobol_estimand,
)
from training_factors.study.analysis.shares import Evidence, SeedNoise, one_step
from training_factors.study.analysis.significance import holm, p_values
from training_factors.study.analysis.uncertainty import Estimate, SampledEstimand, estimate
from training_factors.study.analysis.verdict import unexplained_decline

METHOD_VERSION = 6
"""Method version; increase it to invalidate cached answers."""

FEW_ROWS = 64
"""Number of rows below which intervals are so wide that a quarter of the fine samples is enough."""

MAX_INTERACTING = 8
"""Maximum number of factors, those with the largest total index, whose pairs are estimated."""


class SampleSizes(NamedTuple):
    """Numbers of samples for an estimate.

    fine: for the estimate from the surrogates of all rows. coarse: for each estimate from a
    half-sample of the rows; these give the interval. A walk changes the factors of a point one
    after another, in random order; see `sensitivity.draw_walks`.

    Fewer are enough for half-samples: they all use the same sample points, and only the differences
    between them count.
    """

    fine: int
    coarse: int


HYPERPARAMETER_WALKS = SampleSizes(512, 32)
"""Numbers of walks for the shares of hyperparameters."""

INTERACTION_SAMPLES = SampleSizes(1024, 64)
"""Numbers of samples per set of factors for interactions."""

EFFECT_SAMPLES = SampleSizes(256, 16)
"""Numbers of samples per level for marginal means."""

INDEX_SAMPLES = 512
"""Number of samples per set of axes for Sobol indices, which have no interval."""


def analyse(trials: Sequence[Trial], space: SpaceDescription, *, seed: int, jobs: int) -> Answer:
    """Return the answer of a study's trials over a described space (`Space.describe()`).

    jobs: number of processes for the fits; the answer does not depend on it. Raises NoAnswer when
    too little was measured.
    """
    return analyse_measured(read_measured(trials, space, seed), jobs)


def analyse_measured(study: MeasuredStudy, jobs: int) -> Answer:
    """Return the answer of a study as the analysis reads it, whoever ran its trials.

    jobs: number of processes for the fits; the answer does not depend on it.
    """
    with single_threaded():
        return assemble(_estimate_all(study, jobs))


def evidence_digest(trials: Sequence[Trial], space: SpaceDescription, seed: int) -> str:
    """Return a digest of all that an answer depends on; it changes when runs are added to it."""
    packages = ("numpy", "scipy", "scikit-learn")
    measured = [
        (trial.row, trial.repeat, trial.number, trial.value, sorted(trial.parameters.items()))
        for trial in trials
        if trial.phase == "measure" and trial.complete
    ]
    under_other_divisions = [
        (trial.row, trial.repeat, trial.value)
        for trial in trials
        if trial.phase == DIVISION and trial.complete
    ]
    versions = [version(package) for package in packages]
    coordinates = space.as_document()["coordinates"]
    evidence = [sorted(measured), sorted(under_other_divisions)]
    document = json.dumps([METHOD_VERSION, versions, seed, coordinates, *evidence])
    return hashlib.sha256(document.encode()).hexdigest()[:32]


# Estimate everything


def _estimate_all(study: MeasuredStudy, jobs: int) -> Estimates:
    layout, rows = study.layout, study.rows
    groupings = (study.by_factor, study.by_topic)
    blend = fit_blend(rows, jobs, groupings=[layout.blocks(one) for one in groupings])
    indices = _sobol_indices(study, blend)
    by_total = sorted(study.factors, key=lambda name: -indices.factors[name].total)
    interacting = by_total[:MAX_INTERACTING]
    levels = levels_of(layout)
    estimands = _estimands(study, interacting, levels)
    hyperparameters, interactions, means = estimate(blend, rows, estimands, jobs)
    factors, topics = (
        collect_evidence(
            blend,
            rows,
            groups,
            number,
            _sum_by_group(hyperparameters.value, groups),
            study.measurements.seed_noise,
            study.placebo,
        )
        for number, groups in enumerate(groupings)
    )
    return Estimates(
        study=study,
        blend=blend,
        factors=factors,
        topics=topics,
        hyperparameters=hyperparameters,
        indices=indices,
        interacting=interacting,
        interactions=interactions,
        effects=_effects(study, levels, means),
        p_values=_corrected_p_values(study, blend),
        decline=_decline(blend, factors),
    )


def collect_evidence(
    blend: Blend,
    rows: Rows,
    groups: Groups,
    grouping: int,
    found: Array,
    noise: SeedNoise,
    placebo: str | None,
) -> Evidence:
    """Return what the shares of groups are computed from.

    grouping: number of the groups among those that `fit_blend` was given. found: of the variance of
    the blend, the share of every group. placebo: the group that causes nothing, if there is one.
    """
    held_out = blend.held_out
    phi, covariance = one_step(rows.values, held_out.predictions, held_out.shapley[grouping])
    blocks = rows.layout.blocks(groups)
    columns = [0 if name == placebo else len(b) for name, b in zip(groups, blocks, strict=True)]
    return Evidence(phi, covariance, found, np.array(columns), noise, rows.seed)


def _sum_by_group(shares: Array, groups: Groups) -> Array:
    """Return the sum of the axes' shares for every group."""
    return np.array([shares[list(axes)].sum() for axes in groups.values()])


def _decline(blend: Blend, evidence: Evidence) -> float:
    """Return the exponent at which what is unexplained shrinks with the number of rows."""
    ceiling = evidence.noise.ceiling(evidence.r2)
    return unexplained_decline(ceiling - blend.r2, ceiling - blend.half_r2, 1 - 1 / FOLDS)


def _sobol_indices(study: MeasuredStudy, blend: Blend) -> Indices:
    """Estimate the indices of every hyperparameter, topic and factor from the same points."""
    kinds = (study.by_hyperparameter, study.by_topic, study.by_factor)
    sets = [axes for groups in kinds for axes in groups.values()]
    estimand = sobol_estimand(study.layout, sets, INDEX_SAMPLES, study.rows.seed)
    outputs = blend.weights @ blend.predict_each(estimand.features)
    first, total = estimand.estimate_from(outputs).reshape(2, -1).tolist()
    pairs = map(IndexPair, first, total)
    return Indices(*({name: next(pairs) for name in groups} for groups in kinds))


def _estimands(
    study: MeasuredStudy, interacting: Sequence[str], levels: Sequence[Level]
) -> list[SampledEstimand]:
    """Prepare the estimands of hyperparameters, of interactions and of levels."""
    layout, seed = study.layout, study.rows.seed
    reduction = 4 if study.measurements.rows < FEW_ROWS else 1

    def sampled(sizes: SampleSizes, prepare: Callable[[int], Estimand]) -> SampledEstimand:
        return SampledEstimand(prepare(sizes.fine // reduction), prepare(sizes.coarse))

    owners = [axis.factor for axis in layout.axes]
    pair_groups = {name: study.by_factor[name] for name in interacting}
    pins = [level.pins for level in levels]
    return [
        sampled(
            HYPERPARAMETER_WALKS,
            lambda n: shapley_estimand(layout, study.by_hyperparameter, n, seed, owners),
        ),
        sampled(INTERACTION_SAMPLES, lambda n: interaction_estimand(layout, pair_groups, n, seed)),
        sampled(EFFECT_SAMPLES, lambda n: marginal_estimand(layout, pins, n, seed)),
    ]


def _effects(study: MeasuredStudy, levels: Sequence[Level], means: Estimate) -> tuple[Effect, ...]:
    """Return the effect of every level, compared with its factor's baseline."""
    baselines = baseline_levels(levels, study.space)
    differences = means.minus(np.array(baselines))
    intervals = differences.intervals(-np.inf, np.inf)
    return tuple(
        Effect(
            level.factor, level.option, level.hyperparameter, level.value,
            mean=float(mean), points=100 * float(difference), interval=(100 * low, 100 * high),
            expected_best=best,
        )
        for level, mean, difference, (low, high), best in zip(
            levels, means.value, differences.value, intervals,
            _expected_bests(study, levels, baselines), strict=True,
        )
    )  # fmt: skip


def _expected_bests(
    study: MeasuredStudy, levels: Sequence[Level], baselines: Sequence[int]
) -> list[ExpectedBest | None]:
    """Return the expected best of every level that is an option, from the rows that have it."""
    rows = study.rows
    values = [
        None
        if level.hyperparameter is not None
        else rows.values[
            [p.get(level.factor) == level.value for p in study.measurements.parameters]
        ]
        for level in levels
    ]
    bounds = (0.0, 1.0) if rows.bounded else (-np.inf, np.inf)
    return compare_bests(values, baselines, bounds, rows.seed)


def _corrected_p_values(study: MeasuredStudy, blend: Blend) -> dict[str, float]:
    """Return p-values of all factors, Holm-corrected but for the placebo's, which is no factor."""
    p = dict(
        zip(study.by_factor, p_values(study.rows.values, blend.held_out).tolist(), strict=True)
    )
    return p | holm({name: p[name] for name in study.factors})
