"""Estimates become the records of an answer."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from study.analysis.answer import PLACEBO, Factor, Interaction, Knob, Topic
from study.analysis.effects import Effect, Setting, baselines
from study.analysis.estimation import Estimate
from study.analysis.intervals import ahead_probability, first_probability
from study.analysis.rows import Measured
from study.analysis.verdict import (
    CERTAIN,
    NOT_DISTINGUISHABLE,
    PROBABLE,
    SIGNIFICANT,
    Contender,
    Fitness,
)


def effects_of(study: Measured, settings: list[Setting], found: Estimate) -> tuple[Effect, ...]:
    """What every setting does, over the baseline's."""
    over = found.minus(np.array(baselines(settings, study.space)))
    intervals = over.intervals(-np.inf, np.inf)
    return tuple(
        Effect(
            one.factor, one.option, one.knob, one.value,
            mean=float(mean), points=100 * float(points), interval=(100 * low, 100 * high),
        )
        for one, mean, points, (low, high) in zip(
            settings, found.value, over.value, intervals, strict=True
        )
    )  # fmt: skip


def knobs_of(
    study: Measured,
    found: Estimate,
    indices: Mapping[str, tuple[float, float]],
    variance: float,
    effects: Sequence[Effect],
) -> dict[str, list[Knob]]:
    """Factor -> its knobs, and the choice of its option, in the order of the space."""
    knobs: dict[str, list[Knob]] = {}
    for axis, share, interval in zip(
        study.layout.axes, found.value, found.intervals(), strict=True
    ):
        along = [e.mean for e in effects if (e.knob or e.factor) == axis.name]
        first, total = indices[f"knob {axis.name}"]
        knob = Knob(
            axis.name, float(share), interval, first, total, _points(share, variance), _range(along)
        )
        knobs.setdefault(axis.factor, []).append(knob)
    return knobs


def factors_of(
    study: Measured,
    found: Estimate,
    indices: Mapping[str, tuple[float, float]],
    variance: float,
    tested: Mapping[str, float],
    effects: Sequence[Effect],
    knobs: Mapping[str, list[Knob]],
) -> list[Factor]:
    """Every factor, the placebo among them, the largest share first."""
    p_first = first_probability(found.halves)
    floor = found.intervals()[list(study.by_factor).index(PLACEBO)][1]
    factors = []
    for i, (name, interval) in enumerate(zip(study.by_factor, found.intervals(), strict=True)):
        own = [effect for effect in effects if effect.factor == name]
        choices = [effect for effect in own if effect.knob is None] or own
        best = max(choices, key=lambda effect: effect.points, default=None)
        matters = tested[name] < SIGNIFICANT and found.value[i] > floor
        factors.append(
            Factor(
                name=name,
                topic=study.topics[name],
                share=float(found.value[i]),
                interval=interval,
                first_order=indices[name][0],
                total=indices[name][1],
                points=_points(found.value[i], variance),
                p_value=tested[name],
                p_first=float(p_first[i]),
                gain=best.points if best else 0.0,
                gain_interval=best.interval if best else (0.0, 0.0),
                best_option=_named(best) if best else "",
                range=_range([effect.mean for effect in own]),
                verdict=PROBABLE if matters else NOT_DISTINGUISHABLE,
                error=float(found.error[i]),
                knobs=tuple(sorted(knobs[name], key=lambda knob: -knob.share)),
            )
        )
    return sorted(factors, key=lambda factor: -factor.share)


def _named(effect: Effect) -> str:
    return effect.option if effect.knob is None else f"{effect.knob.split('.')[-1]} {effect.value}"


def topics_of(
    study: Measured,
    found: Estimate,
    indices: Mapping[str, tuple[float, float]],
    variance: float,
    factors: Sequence[Factor],
) -> tuple[Topic, ...]:
    """Every topic but the placebo's, the largest share first."""
    listed = [
        Topic(
            name,
            tuple(factor.name for factor in factors if factor.topic == name),
            float(share),
            interval,
            *indices[f"topic {name}"],
            _points(share, variance),
        )
        for name, share, interval in zip(
            study.by_topic, found.value, found.intervals(), strict=True
        )
        if name != PLACEBO
    ]
    return tuple(sorted(listed, key=lambda topic: -topic.share))


def interactions_of(names: Sequence[str], found: Estimate) -> tuple[Interaction, ...]:
    """The pairs whose interaction is there for certain: its interval lies above 0."""
    listed = [
        Interaction((one, other), float(share), interval)
        for (one, other), share, interval in zip(
            combinations(names, 2), found.value, found.intervals(-1.0), strict=True
        )
        if interval[0] > 0
    ]
    return tuple(sorted(listed, key=lambda interaction: -interaction.share))


def contenders_of(study: Measured, factors: Sequence[Factor], found: Estimate) -> list[Contender]:
    """Factors as the verdict sees them, against the first."""
    names = list(study.by_factor)
    places = [names.index(factor.name) for factor in factors]
    ahead = ahead_probability(found.halves)[places[0]]
    behind = found.minus(np.full(len(names), places[0])).error
    return [
        Contender(
            factor.name, factor.share, factor.interval, factor.p_value, factor.p_first,
            tied=place == places[0] or bool(ahead[place] < CERTAIN),
            behind_error=float(behind[place]),
        )
        for factor, place in zip(factors, places, strict=True)
    ]  # fmt: skip


def _points(share: float, variance: float) -> float:
    return 100 * math.sqrt(share * variance)


def _range(means: Sequence[float]) -> float:
    return 100 * (max(means) - min(means)) if means else 0.0


def remainder_of(fitness: Fitness) -> tuple[float | None, float]:
    """What the seed causes, and what nothing accounts for: with R² they make up 1.

    An R² above its estimated ceiling leaves the seed what remains.
    """
    rest = 1 - min(max(fitness.r2, 0.0), 1.0)
    if fitness.ceiling is None:
        return None, rest
    seed_noise = min(1 - fitness.ceiling, rest)
    return seed_noise, rest - seed_noise
