"""Make the records of an answer from the estimates of an analysis."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from training_factors.search_spaces.description import parse_parameter
from training_factors.study.analysis.answer import (
    Answer,
    DivisionNoise,
    FactorImportance,
    GainInBest,
    HyperparameterImportance,
    Interaction,
    RunCounts,
    SurrogateQuality,
    TopicImportance,
)
from training_factors.study.analysis.blend import Blend
from training_factors.study.analysis.effects import Effect
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.measurements import MeasuredStudy
from training_factors.study.analysis.shares import Evidence, Shares
from training_factors.study.analysis.uncertainty import Estimate
from training_factors.study.analysis.verdict import Findings, evidence_level, judge


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
    """All numbers that an answer is made from.

    factors, topics: what their shares are computed from, in the order of the groups. interacting:
    the factors whose pairs were estimated, in the order of `combinations`. p_values: factor ->
    p-value, Holm-corrected; that of the placebo is not corrected. decline: what is unexplained
    shrinks as rows^−decline.
    """

    study: MeasuredStudy
    blend: Blend
    factors: Evidence
    topics: Evidence
    hyperparameters: Estimate
    indices: Indices
    interacting: Sequence[str]
    interactions: Estimate
    effects: tuple[Effect, ...]
    p_values: Mapping[str, float]
    decline: float

    @property
    def variance(self) -> float:
        """The variance of the mean objective among rows."""
        return float(self.study.rows.values.var(ddof=1))

    @property
    def explicable(self) -> float:
        """The part of all variance that a perfect surrogate would explain."""
        return self.factors.noise.ceiling(self.factors.r2)

    def points(self, share: float) -> float:
        """Return the standard deviation that a share stands for, in percentage points."""
        return 100 * math.sqrt(share * self.variance)


def assemble(estimates: Estimates) -> Answer:
    """Return the answer."""
    measurements, blend = estimates.study.measurements, estimates.blend
    shares = estimates.factors.shares()
    factors_and_placebo = _factors(estimates, shares)
    placebo_name = estimates.study.placebo
    factors = tuple(factor for factor in factors_and_placebo if factor.name != placebo_name)
    placebo = next((one for one in factors_and_placebo if one.name == placebo_name), None)
    explained = estimates.factors.r2
    noise = estimates.factors.noise
    seed_noise = min(noise.part, 1 - explained)
    return Answer(
        evidence=RunCounts(
            measurements.rows, measurements.runs, measurements.diverged, measurements.at_chance
        ),
        surrogate=SurrogateQuality(
            blend.r2, measurements.ceiling, tuple((m.name, m.r2, m.weight) for m in blend.members)
        ),
        factors=factors,
        topics=_topics(estimates, factors),
        placebo=placebo,
        interactions=_interactions(estimates),
        effects=estimates.effects,
        seed_noise=seed_noise if noise.degrees else None,
        explained=explained,
        unexplained=1 - explained - seed_noise,
        verdict=judge(_findings(estimates, shares)),
        division_noise=_division_noise(estimates),
    )


def _division_noise(estimates: Estimates) -> DivisionNoise | None:
    """Return what another division of the data would change; None where that was not measured."""
    found = estimates.study.measurements.division
    if found is None:
        return None
    low, high = (bound / estimates.variance for bound in found.interval)
    share = found.value / estimates.variance
    return DivisionNoise(
        share=share,
        interval=(low, high),
        points=estimates.points(share),
        points_interval=(estimates.points(low), estimates.points(high)),
        rows=found.rows,
        runs=found.runs,
    )


def _findings(estimates: Estimates, shares: Shares) -> Findings:
    """Return what the verdict is made of; a placebo is the last group and takes no part."""
    names = list(estimates.study.factors)
    assert names == list(estimates.study.by_factor)[: len(names)], "a placebo is the last group"
    return Findings(
        names,
        shares,
        estimates.factors,
        {name: estimates.p_values[name] for name in names},
        estimates.study.measurements.rows,
        estimates.variance,
        estimates.decline,
    )


def _factors(estimates: Estimates, shares: Shares) -> list[FactorImportance]:
    """Return every factor, the placebo among them, the largest share first."""
    p_first = shares.first_probability()
    factors = []
    for i, (name, interval) in enumerate(
        zip(estimates.study.by_factor, shares.intervals(), strict=True)
    ):
        share = float(shares.value[i])
        first_order, total = estimates.indices.factors[name]
        effects = [effect for effect in estimates.effects if effect.factor == name]
        best = _best_effect(effects)
        factors.append(
            FactorImportance(
                name=name,
                topic=estimates.study.topics[name],
                share=share,
                interval=interval,
                shown=float(shares.shown[i]),
                first_order=first_order * estimates.explicable,
                total=total * estimates.explicable,
                points=estimates.points(share),
                p_value=estimates.p_values[name],
                p_first=float(p_first[i]),
                gain=best.points if best else 0.0,
                gain_interval=best.interval if best else (0.0, 0.0),
                best_option=_level_name(best) if best else "",
                range=_range(effects),
                verdict=evidence_level(estimates.p_values[name]),
                error=float(shares.error[i]),
                hyperparameters=_hyperparameters(estimates, name, share, interval),
                gain_in_best=_gain_in_best(effects),
            )
        )
    return sorted(factors, key=lambda factor: -factor.share)


def _hyperparameters(
    estimates: Estimates, factor: str, share: float, interval: Interval
) -> tuple[HyperparameterImportance, ...]:
    """Return a factor's hyperparameters and the choice of its option, the largest share first.

    share, interval: of the factor. It is divided as the variance of the blend is; the interval
    allows for the factor's and for the division's.
    """
    owned = estimates.study.by_factor[factor]
    of_all = estimates.hyperparameters
    divided = float(of_all.value[list(owned)].sum())
    intervals = of_all.intervals()
    found = []
    for i in owned:
        name = estimates.study.layout.axes[i].name
        effects = [e for e in estimates.effects if (e.hyperparameter or e.factor) == name]
        first_order, total = estimates.indices.hyperparameters[name]
        # Where the blend does not use the factor at all, nobody knows how to divide its share.
        parts = (float(of_all.value[i]), *intervals[i])
        part, low, high = (
            (min(1.0, each / divided) for each in parts) if divided > 0 else (1 / len(owned), 0, 1)
        )
        found.append(
            HyperparameterImportance(
                name=name,
                share=share * part,
                interval=(interval[0] * low, interval[1] * high),
                first_order=first_order * estimates.explicable,
                total=total * estimates.explicable,
                points=estimates.points(share * part),
                range=_range(effects),
            )
        )
    return tuple(sorted(found, key=lambda one: -one.share))


def _best_effect(effects: Sequence[Effect]) -> Effect | None:
    """Return the largest effect of an option, or of a value where the factor has one option."""
    options = [effect for effect in effects if effect.hyperparameter in (None, effect.factor)]
    return max(options or effects, key=lambda effect: effect.points, default=None)


def _gain_in_best(effects: Sequence[Effect]) -> GainInBest | None:
    """Return the gain of the option with the highest expected best; None where none is known."""
    gains = [
        GainInBest(_level_name(effect), best.points, best.points_interval)
        for effect in effects
        if (best := effect.expected_best) is not None
        and best.points is not None
        and best.points_interval is not None
    ]
    return max(gains, key=lambda gain: gain.points, default=None)


def _level_name(effect: Effect) -> str:
    """Return the name of the level: the option, or `lr 0.1`."""
    if effect.hyperparameter is None:
        return effect.option
    name = parse_parameter(effect.hyperparameter).hyperparameter or effect.hyperparameter
    value = f"{effect.value:.4g}" if isinstance(effect.value, float) else effect.value
    return f"{name} {value}"


def _range(effects: Sequence[Effect]) -> float:
    """Return the highest mean less the lowest, in percentage points; 0 without effects."""
    means = [effect.mean for effect in effects]
    return 100 * (max(means) - min(means)) if means else 0.0


def _topics(
    estimates: Estimates, factors: Sequence[FactorImportance]
) -> tuple[TopicImportance, ...]:
    """Return every topic but the placebo's, the largest share first."""
    shares = estimates.topics.shares()
    topics = [
        TopicImportance(
            name,
            tuple(factor.name for factor in factors if factor.topic == name),
            float(share),
            interval,
            float(shown),
            first_order=estimates.indices.topics[name].first * estimates.explicable,
            total=estimates.indices.topics[name].total * estimates.explicable,
            points=estimates.points(share),
        )
        for name, share, interval, shown in zip(
            estimates.study.by_topic,
            shares.value,
            shares.intervals(),
            shares.shown,
            strict=True,
        )
        if name != estimates.study.placebo
    ]
    return tuple(sorted(topics, key=lambda topic: -topic.share))


def _interactions(estimates: Estimates) -> tuple[Interaction, ...]:
    """Return the interactions whose interval lies above 0, the largest share first.

    There are none where the surrogates, whose interactions they are, predict nothing.
    """
    if estimates.blend.r2 <= 0:
        return ()
    shares, explicable = estimates.interactions, estimates.explicable
    interactions = [
        Interaction(pair, float(share) * explicable, (low * explicable, high * explicable))
        for pair, share, (low, high) in zip(
            combinations(estimates.interacting, 2),
            shares.value,
            shares.intervals(-1.0),
            strict=True,
        )
        if low > 0
    ]
    return tuple(sorted(interactions, key=lambda interaction: -interaction.share))
