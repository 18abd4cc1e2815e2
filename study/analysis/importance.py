"""The main answer: the importance of every factor, from the measured rows of a study."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import combinations
from typing import Any, NamedTuple

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
from training_factors.study.analysis.blend import Blend, fit_blend, one_thread_each
from training_factors.study.analysis.effects import Effect, Level, baseline_levels, levels_of
from training_factors.study.analysis.features import Groups
from training_factors.study.analysis.measurements import MeasuredStudy, read_measured
from training_factors.study.analysis.sensitivity import Sobol, marginals, pairs, shapley, sobol
from training_factors.study.analysis.significance import holm, p_values
from training_factors.study.analysis.uncertainty import (
    Estimate,
    Question,
    ahead_probability,
    estimate,
    first_probability,
)
from training_factors.study.analysis.verdict import (
    CERTAIN,
    NOT_DISTINGUISHABLE,
    PROBABLE,
    SIGNIFICANT,
    Contender,
    Fitness,
    judge,
)


def effects_of(study: MeasuredStudy, settings: list[Level], found: Estimate) -> tuple[Effect, ...]:
    """What every setting does, over the baseline's."""
    over = found.minus(np.array(baseline_levels(settings, study.space)))
    intervals = over.intervals(-np.inf, np.inf)
    return tuple(
        Effect(
            one.factor, one.option, one.hyperparameter, one.value,
            mean=float(mean), points=100 * float(points), interval=(100 * low, 100 * high),
        )
        for one, mean, points, (low, high) in zip(
            settings, found.value, over.value, intervals, strict=True
        )
    )  # fmt: skip


def hyperparameters_of(
    study: MeasuredStudy,
    found: Estimate,
    indices: Mapping[str, tuple[float, float]],
    variance: float,
    effects: Sequence[Effect],
) -> dict[str, list[HyperparameterImportance]]:
    """Factor -> its hyperparameters, and the choice of its option, in the order of the space."""
    hyperparameters: dict[str, list[HyperparameterImportance]] = {}
    for axis, share, interval in zip(
        study.layout.axes, found.value, found.intervals(), strict=True
    ):
        along = [e.mean for e in effects if (e.hyperparameter or e.factor) == axis.name]
        first, total = indices[f"hyperparameter {axis.name}"]
        hyperparameter = HyperparameterImportance(
            axis.name, float(share), interval, first, total, _points(share, variance), _range(along)
        )
        hyperparameters.setdefault(axis.factor, []).append(hyperparameter)
    return hyperparameters


def factors_of(
    study: MeasuredStudy,
    found: Estimate,
    indices: Mapping[str, tuple[float, float]],
    variance: float,
    tested: Mapping[str, float],
    effects: Sequence[Effect],
    hyperparameters: Mapping[str, list[HyperparameterImportance]],
) -> list[FactorImportance]:
    """Every factor, the placebo among them, the largest share first."""
    p_first = first_probability(found.halves)
    floor = found.intervals()[list(study.by_factor).index(PLACEBO)][1]
    factors = []
    for i, (name, interval) in enumerate(zip(study.by_factor, found.intervals(), strict=True)):
        own = [effect for effect in effects if effect.factor == name]
        choices = [effect for effect in own if effect.hyperparameter is None] or own
        best = max(choices, key=lambda effect: effect.points, default=None)
        matters = tested[name] < SIGNIFICANT and found.value[i] > floor
        factors.append(
            FactorImportance(
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
                hyperparameters=tuple(
                    sorted(hyperparameters[name], key=lambda hyperparameter: -hyperparameter.share)
                ),
            )
        )
    return sorted(factors, key=lambda factor: -factor.share)


def _named(effect: Effect) -> str:
    return (
        effect.option
        if effect.hyperparameter is None
        else f"{parse_parameter(effect.hyperparameter).hyperparameter} {effect.value}"
    )


def topics_of(
    study: MeasuredStudy,
    found: Estimate,
    indices: Mapping[str, tuple[float, float]],
    variance: float,
    factors: Sequence[FactorImportance],
) -> tuple[TopicImportance, ...]:
    """Every topic but the placebo's, the largest share first."""
    listed = [
        TopicImportance(
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


def contenders_of(
    study: MeasuredStudy, factors: Sequence[FactorImportance], found: Estimate
) -> list[Contender]:
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


METHOD_VERSION = 2
"""Of the method: what an earlier one stored is computed again."""

FEW_ROWS = 64
"""Below this, intervals are so wide that a quarter of the points for shares is plenty."""

INTERACTING = 8
"""Factors, those with the largest total index, of which all pairs are looked at."""


class SampleSizes(NamedTuple):
    """How many points an estimate takes: on the whole blend, and for every half-sample.

    2,048 walks have a Monte-Carlo error of about 0.008. Between half-samples, all of which are seen
    through the same points, differences count and not their level, so that fewer do.
    """

    fine: int
    coarse: int


WALKS = SampleSizes(2048, 128)
HYPERPARAMETER_WALKS = SampleSizes(512, 32)
PAIRS = SampleSizes(2048, 64)
EFFECTS = SampleSizes(256, 16)
INDICES = 1024


class Questions(NamedTuple):
    """All that is asked of the surrogates, or the answers."""

    factors: Any
    topics: Any
    hyperparameters: Any
    pairs: Any
    settings: Any


def analyse(trials: Sequence[Trial], space: SpaceDescription, *, seed: int, jobs: int) -> Answer:
    """The answer of a study's trials over a described space (`Space.describe()`).

    jobs: processes to spread the refits over; the answer does not depend on it. Raises NoAnswer
    when too little was measured.
    """
    study = read_measured(trials, space, seed)
    with one_thread_each():
        return _answer(study, jobs)


def _answer(study: MeasuredStudy, jobs: int) -> Answer:
    blend = fit_blend(study.rows, jobs)
    indices = _indices(study, blend)
    names = [name for name in study.by_factor if name != PLACEBO]
    leading = sorted(names, key=lambda name: -indices[name][1])[:INTERACTING]
    settings = levels_of(study.layout)
    found = Questions(*estimate(blend, study.rows, _questions(study, leading, settings), jobs))
    p = p_values(study.rows, study.layout, study.by_factor, jobs)
    tested = holm({name: p[name] for name in p if name != PLACEBO}) | {PLACEBO: p[PLACEBO]}
    fitness = Fitness(blend.r2, study.evidence.ceiling, study.evidence.rows)
    variance = max(0.0, blend.r2) * float(study.rows.values.var(ddof=1))
    effects = effects_of(study, settings, found.settings)
    hyperparameters = hyperparameters_of(study, found.hyperparameters, indices, variance, effects)
    listed = factors_of(study, found.factors, indices, variance, tested, effects, hyperparameters)
    factors = tuple(factor for factor in listed if factor.name != PLACEBO)
    (placebo,) = (factor for factor in listed if factor.name == PLACEBO)
    seed_noise, unexplained = remainder_of(fitness)
    evidence = study.evidence
    return Answer(
        evidence=RunCounts(evidence.rows, evidence.runs, evidence.diverged, evidence.at_chance),
        surrogate=SurrogateQuality(
            blend.r2, evidence.ceiling, tuple((m.name, m.r2, m.weight) for m in blend.members)
        ),
        factors=factors,
        topics=topics_of(study, found.topics, indices, variance, factors),
        placebo=placebo,
        interactions=interactions_of(leading, found.pairs),
        effects=effects,
        seed_noise=seed_noise,
        unexplained=unexplained,
        verdict=judge(contenders_of(study, factors, found.factors), placebo.interval[1], fitness),
    )


def evidence_digest(trials: Sequence[Trial], space: SpaceDescription, seed: int) -> str:
    """What an answer depends on, as a short text: it changes when runs are added."""
    packages = ("numpy", "scipy", "scikit-learn")
    measured = [
        (trial.row, trial.repeat, trial.number, trial.value, sorted(trial.parameters.items()))
        for trial in trials
        if trial.phase == "measure" and trial.complete
    ]
    versions = [version(package) for package in packages]
    coordinates = space.as_document()["coordinates"]
    known = json.dumps([METHOD_VERSION, versions, seed, coordinates, sorted(measured)])
    return hashlib.sha256(known.encode()).hexdigest()[:32]


def _questions(
    study: MeasuredStudy, leading: Sequence[str], settings: Sequence[Level]
) -> Questions:
    layout, seed = study.layout, study.rows.seed
    owners = [axis.factor for axis in layout.axes]
    together = {name: study.by_factor[name] for name in leading}
    pins = [setting.pins for setting in settings]

    fewer = 4 if study.evidence.rows < FEW_ROWS else 1

    def asked(build: Any, samples: SampleSizes, *of: Any) -> Question:
        fine, coarse = samples.fine // fewer, samples.coarse
        return Question(*(build(layout, of[0], number, seed, *of[1:]) for number in (fine, coarse)))

    return Questions(
        factors=asked(shapley, WALKS, study.by_factor),
        topics=asked(shapley, WALKS, study.by_topic),
        hyperparameters=asked(shapley, HYPERPARAMETER_WALKS, study.by_hyperparameter, owners),
        pairs=asked(pairs, PAIRS, together),
        settings=asked(marginals, EFFECTS, pins),
    )


def _indices(study: MeasuredStudy, blend: Blend) -> dict[str, tuple[float, float]]:
    """First-order and total index of every factor, topic and hyperparameter, under its name.

    A name that stands for several of them, such as a factor without hyperparameters, means the same axes.
    """
    groups = {**_prefixed("hyperparameter", study.by_hyperparameter), **_prefixed("topic", study.by_topic),
              **study.by_factor}  # fmt: skip
    asked: Sobol = sobol(study.layout, groups, INDICES, study.rows.seed)
    first, total = asked.of(blend.weights @ blend.each(asked.features)).reshape(2, -1)
    return {name: (float(s), float(t)) for name, s, t in zip(groups, first, total, strict=True)}


def _prefixed(kind: str, groups: Groups) -> Groups:
    return {f"{kind} {name}": axes for name, axes in groups.items()}
