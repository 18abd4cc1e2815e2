"""Compute the answer of a study: the importance of every factor, from its measured rows.

`analyse` is the entry point. It fits the surrogates, estimates everything from them (`_find`), and
assembles the records of the answer from these findings.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from itertools import combinations
from typing import NamedTuple

import numpy as np

from training_factors.search_spaces.description import PLACEBO, SpaceDescription, parse_parameter
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import (
    Answer,
    FactorImportance,
    HyperparameterImportance,
    Interaction,
    RunCounts,
    SurrogateQuality,
    TopicImportance,
)
from training_factors.study.analysis.blend import Blend, fit_blend, single_threaded
from training_factors.study.analysis.effects import Effect, Level, baseline_levels, levels_of
from training_factors.study.analysis.intervals import ahead_probability, first_probability
from training_factors.study.analysis.measurements import MeasuredStudy, read_measured
from training_factors.study.analysis.sensitivity import (
    Estimand,
    interaction_estimand,
    marginal_estimand,
    shapley_estimand,
    sobol_estimand,
)
from training_factors.study.analysis.significance import holm, p_values
from training_factors.study.analysis.uncertainty import Estimate, SampledEstimand, estimate
from training_factors.study.analysis.verdict import (
    MIN_CONFIDENCE,
    NOT_DISTINGUISHABLE,
    PROBABLE,
    SIGNIFICANT,
    Contender,
    GoodnessOfFit,
    judge,
)

METHOD_VERSION = 3
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

    2,048 walks have a Monte-Carlo error of about 0.008. Fewer are enough for half-samples: they all
    use the same sample points, and only the differences between them count.
    """

    fine: int
    coarse: int


WALKS = SampleSizes(2048, 128)
"""Numbers of walks for the shares of factors and topics."""

HYPERPARAMETER_WALKS = SampleSizes(512, 32)
"""Numbers of walks for the shares of hyperparameters."""

INTERACTION_SAMPLES = SampleSizes(2048, 64)
"""Numbers of samples per set of factors for interactions."""

EFFECT_SAMPLES = SampleSizes(256, 16)
"""Numbers of samples per level for marginal means."""

INDEX_SAMPLES = 1024
"""Number of samples per set of axes for Sobol indices, which have no interval."""


class IndexPair(NamedTuple):
    """The Sobol indices of one group: alone (first order), and with all interactions (total)."""

    first: float
    total: float


class Indices(NamedTuple):
    """The Sobol indices of everything, by name."""

    hyperparameters: Mapping[str, IndexPair]
    topics: Mapping[str, IndexPair]
    factors: Mapping[str, IndexPair]


class Estimates(NamedTuple):
    """Everything that has an interval: shares of groups, interactions, and means at levels.

    Each is in the order of the groups, of the pairs of `Findings.interacting`, or of the levels.
    """

    factors: Estimate
    topics: Estimate
    hyperparameters: Estimate
    interactions: Estimate
    levels: Estimate


class Findings(NamedTuple):
    """All numbers that the answer is assembled from.

    p_values: factor -> p-value, Holm-corrected; that of the placebo is not corrected. interacting:
    the factors whose pairs were estimated. explained_variance: of the mean objective among rows.
    """

    study: MeasuredStudy
    blend: Blend
    indices: Indices
    interacting: Sequence[str]
    estimates: Estimates
    effects: tuple[Effect, ...]
    p_values: Mapping[str, float]
    explained_variance: float

    @property
    def fit(self) -> GoodnessOfFit:
        """The goodness of fit of the surrogates."""
        measurements = self.study.measurements
        return GoodnessOfFit(self.blend.r2, measurements.ceiling, measurements.rows)

    def points(self, share: float) -> float:
        """Return the standard deviation that a share stands for, in percentage points."""
        return 100 * math.sqrt(share * self.explained_variance)


def analyse(trials: Sequence[Trial], space: SpaceDescription, *, seed: int, jobs: int) -> Answer:
    """Return the answer of a study's trials over a described space (`Space.describe()`).

    jobs: number of processes for the fits; the answer does not depend on it. Raises NoAnswer when
    too little was measured.
    """
    study = read_measured(trials, space, seed)
    with single_threaded():
        return _assemble(_find(study, jobs))


def evidence_digest(trials: Sequence[Trial], space: SpaceDescription, seed: int) -> str:
    """Return a digest of all that an answer depends on; it changes when measured runs are added."""
    packages = ("numpy", "scipy", "scikit-learn")
    measured = [
        (trial.row, trial.repeat, trial.number, trial.value, sorted(trial.parameters.items()))
        for trial in trials
        if trial.phase == "measure" and trial.complete
    ]
    versions = [version(package) for package in packages]
    coordinates = space.as_document()["coordinates"]
    document = json.dumps([METHOD_VERSION, versions, seed, coordinates, sorted(measured)])
    return hashlib.sha256(document.encode()).hexdigest()[:32]


# Estimate everything


def _find(study: MeasuredStudy, jobs: int) -> Findings:
    blend = fit_blend(study.rows, jobs)
    indices = _sobol_indices(study, blend)
    names = [name for name in study.by_factor if name != PLACEBO]
    by_total = sorted(names, key=lambda name: -indices.factors[name].total)
    interacting = by_total[:MAX_INTERACTING]
    levels = levels_of(study.layout)
    estimands = _estimands(study, interacting, levels)
    estimates = Estimates(*estimate(blend, study.rows, estimands, jobs))
    return Findings(
        study=study,
        blend=blend,
        indices=indices,
        interacting=interacting,
        estimates=estimates,
        effects=_effects(study, levels, estimates.levels),
        p_values=_corrected_p_values(study, jobs),
        explained_variance=max(0.0, blend.r2) * float(study.rows.values.var(ddof=1)),
    )


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
    """Prepare all estimands, in the order of the fields of `Estimates`."""
    layout, seed = study.layout, study.rows.seed
    reduction = 4 if study.measurements.rows < FEW_ROWS else 1

    def sampled(sizes: SampleSizes, prepare: Callable[[int], Estimand]) -> SampledEstimand:
        return SampledEstimand(prepare(sizes.fine // reduction), prepare(sizes.coarse))

    owners = [axis.factor for axis in layout.axes]
    pair_groups = {name: study.by_factor[name] for name in interacting}
    pins = [level.pins for level in levels]
    return [
        sampled(WALKS, lambda n: shapley_estimand(layout, study.by_factor, n, seed)),
        sampled(WALKS, lambda n: shapley_estimand(layout, study.by_topic, n, seed)),
        sampled(
            HYPERPARAMETER_WALKS,
            lambda n: shapley_estimand(layout, study.by_hyperparameter, n, seed, owners),
        ),
        sampled(INTERACTION_SAMPLES, lambda n: interaction_estimand(layout, pair_groups, n, seed)),
        sampled(EFFECT_SAMPLES, lambda n: marginal_estimand(layout, pins, n, seed)),
    ]


def _effects(study: MeasuredStudy, levels: Sequence[Level], means: Estimate) -> tuple[Effect, ...]:
    """Return the effect of every level, compared with its factor's baseline."""
    differences = means.minus(np.array(baseline_levels(levels, study.space)))
    intervals = differences.intervals(-np.inf, np.inf)
    return tuple(
        Effect(
            level.factor, level.option, level.hyperparameter, level.value,
            mean=float(mean), points=100 * float(difference), interval=(100 * low, 100 * high),
        )
        for level, mean, difference, (low, high) in zip(
            levels, means.value, differences.value, intervals, strict=True
        )
    )  # fmt: skip


def _corrected_p_values(study: MeasuredStudy, jobs: int) -> dict[str, float]:
    """Return p-values of all factors, Holm-corrected but for the placebo's, which is no factor."""
    p = p_values(study.rows, study.layout, study.by_factor, jobs)
    return holm({name: p[name] for name in p if name != PLACEBO}) | {PLACEBO: p[PLACEBO]}


# Assemble the answer


def _assemble(findings: Findings) -> Answer:
    measurements, blend, fit = findings.study.measurements, findings.blend, findings.fit
    factors_and_placebo = _factors(findings)
    factors = tuple(factor for factor in factors_and_placebo if factor.name != PLACEBO)
    (placebo,) = (factor for factor in factors_and_placebo if factor.name == PLACEBO)
    seed_noise, unexplained = _remainders(fit)
    return Answer(
        evidence=RunCounts(
            measurements.rows, measurements.runs, measurements.diverged, measurements.at_chance
        ),
        surrogate=SurrogateQuality(
            blend.r2, fit.ceiling, tuple((m.name, m.r2, m.weight) for m in blend.members)
        ),
        factors=factors,
        topics=_topics(findings, factors),
        placebo=placebo,
        interactions=_interactions(findings),
        effects=findings.effects,
        seed_noise=seed_noise,
        unexplained=unexplained,
        verdict=judge(_contenders(findings, factors), placebo.interval[1], fit),
    )


def _factors(findings: Findings) -> list[FactorImportance]:
    """Return every factor, the placebo among them, the largest share first."""
    shares = findings.estimates.factors
    names = list(findings.study.by_factor)
    intervals = shares.intervals()
    floor = intervals[names.index(PLACEBO)][1]
    p_first = first_probability(shares.halves)
    hyperparameters = _hyperparameters(findings)
    factors = []
    for i, (name, share, interval) in enumerate(zip(names, shares.value, intervals, strict=True)):
        first_order, total = findings.indices.factors[name]
        effects = [effect for effect in findings.effects if effect.factor == name]
        best = _best_effect(effects)
        shows_effect = findings.p_values[name] < SIGNIFICANT and share > floor
        factors.append(
            FactorImportance(
                name=name,
                topic=findings.study.topics[name],
                share=float(share),
                interval=interval,
                first_order=first_order,
                total=total,
                points=findings.points(share),
                p_value=findings.p_values[name],
                p_first=float(p_first[i]),
                gain=best.points if best else 0.0,
                gain_interval=best.interval if best else (0.0, 0.0),
                best_option=_level_name(best) if best else "",
                range=_range(effects),
                verdict=PROBABLE if shows_effect else NOT_DISTINGUISHABLE,
                error=float(shares.error[i]),
                hyperparameters=tuple(sorted(hyperparameters[name], key=lambda one: -one.share)),
            )
        )
    return sorted(factors, key=lambda factor: -factor.share)


def _hyperparameters(findings: Findings) -> dict[str, list[HyperparameterImportance]]:
    """Return factor -> its hyperparameters, and the choice of its option, in the space's order."""
    shares = findings.estimates.hyperparameters
    by_factor: dict[str, list[HyperparameterImportance]] = {}
    for axis, share, interval in zip(
        findings.study.layout.axes, shares.value, shares.intervals(), strict=True
    ):
        effects = [e for e in findings.effects if (e.hyperparameter or e.factor) == axis.name]
        first_order, total = findings.indices.hyperparameters[axis.name]
        by_factor.setdefault(axis.factor, []).append(
            HyperparameterImportance(
                name=axis.name,
                share=float(share),
                interval=interval,
                first_order=first_order,
                total=total,
                points=findings.points(share),
                range=_range(effects),
            )
        )
    return by_factor


def _best_effect(effects: Sequence[Effect]) -> Effect | None:
    """Return the largest effect of an option, or of a value where the factor has one option."""
    options = [effect for effect in effects if effect.hyperparameter is None]
    return max(options or effects, key=lambda effect: effect.points, default=None)


def _level_name(effect: Effect) -> str:
    """Return the name of the level: the option, or `lr 0.1`."""
    if effect.hyperparameter is None:
        return effect.option
    return f"{parse_parameter(effect.hyperparameter).hyperparameter} {effect.value}"


def _range(effects: Sequence[Effect]) -> float:
    """Return the highest mean less the lowest, in percentage points; 0 without effects."""
    means = [effect.mean for effect in effects]
    return 100 * (max(means) - min(means)) if means else 0.0


def _topics(findings: Findings, factors: Sequence[FactorImportance]) -> tuple[TopicImportance, ...]:
    """Return every topic but the placebo's, the largest share first."""
    shares = findings.estimates.topics
    topics = [
        TopicImportance(
            name,
            tuple(factor.name for factor in factors if factor.topic == name),
            float(share),
            interval,
            *findings.indices.topics[name],
            findings.points(share),
        )
        for name, share, interval in zip(
            findings.study.by_topic, shares.value, shares.intervals(), strict=True
        )
        if name != PLACEBO
    ]
    return tuple(sorted(topics, key=lambda topic: -topic.share))


def _interactions(findings: Findings) -> tuple[Interaction, ...]:
    """Return the interactions whose interval lies above 0, the largest share first."""
    shares = findings.estimates.interactions
    interactions = [
        Interaction(pair, float(share), interval)
        for pair, share, interval in zip(
            combinations(findings.interacting, 2), shares.value, shares.intervals(-1.0), strict=True
        )
        if interval[0] > 0
    ]
    return tuple(sorted(interactions, key=lambda interaction: -interaction.share))


def _contenders(findings: Findings, factors: Sequence[FactorImportance]) -> list[Contender]:
    """Return the factors, the largest share first, in comparison with the first of them."""
    shares = findings.estimates.factors
    names = list(findings.study.by_factor)
    numbers = [names.index(factor.name) for factor in factors]
    leader = numbers[0]
    leader_ahead = ahead_probability(shares.halves)[leader]
    difference_errors = shares.minus(np.full(len(names), leader)).error
    return [
        Contender(
            factor.name, factor.share, factor.interval, factor.p_value, factor.p_first,
            tied=number == leader or bool(leader_ahead[number] < MIN_CONFIDENCE),
            difference_error=float(difference_errors[number]),
        )
        for factor, number in zip(factors, numbers, strict=True)
    ]  # fmt: skip


def _remainders(fit: GoodnessOfFit) -> tuple[float | None, float]:
    """Return the parts of the variance that the seed causes and that nothing accounts for.

    With R² they sum to 1. If R² is above its estimated ceiling, the seed gets all that remains. The
    part of the seed is None when the ceiling is unknown.
    """
    rest = 1 - min(max(fit.r2, 0.0), 1.0)
    if fit.ceiling is None:
        return None, rest
    seed_noise = min(1 - fit.ceiling, rest)
    return seed_noise, rest - seed_noise
