"""The main answer: the importance of every factor, from the measured rows of a study."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from storage.tables import Trial
from study.analysis.answer import PLACEBO, Answer, Counts, Quality
from study.analysis.blend import Blend, fit_blend, one_thread_each
from study.analysis.effects import Setting, settings_of
from study.analysis.estimands import Sobol, marginals, pairs, shapley, sobol
from study.analysis.estimation import Question, estimate
from study.analysis.features import Groups
from study.analysis.records import (
    contenders_of,
    effects_of,
    factors_of,
    interactions_of,
    knobs_of,
    remainder_of,
    topics_of,
)
from study.analysis.rows import Measured, read_measured
from study.analysis.significance import holm, p_values
from study.analysis.verdict import Fitness, judge

VERSION = 2
"""Of the method: what an earlier one stored is computed again."""

FEW_ROWS = 64
"""Below this, intervals are so wide that a quarter of the points for shares is plenty."""

INTERACTING = 8
"""Factors, those with the largest total index, of which all pairs are looked at."""


class Samples(NamedTuple):
    """How many points an estimate takes: on the whole blend, and for every half-sample.

    2,048 walks have a Monte-Carlo error of about 0.008. Between half-samples, all of which are seen
    through the same points, differences count and not their level, so that fewer do.
    """

    fine: int
    coarse: int


WALKS = Samples(2048, 128)
KNOB_WALKS = Samples(512, 32)
PAIRS = Samples(2048, 64)
EFFECTS = Samples(256, 16)
INDICES = 1024


class Questions(NamedTuple):
    """All that is asked of the surrogates, or the answers."""

    factors: Any
    topics: Any
    knobs: Any
    pairs: Any
    settings: Any


def analyse(trials: Sequence[Trial], space: Mapping[str, Any], *, seed: int, jobs: int) -> Answer:
    """The answer of a study's trials over a described space (`Space.describe()`).

    jobs: processes to spread the refits over; the answer does not depend on it. Raises NoAnswer
    when too little was measured.
    """
    study = read_measured(trials, space, seed)
    with one_thread_each():
        return _answer(study, jobs)


def _answer(study: Measured, jobs: int) -> Answer:
    blend = fit_blend(study.rows, jobs)
    indices = _indices(study, blend)
    names = [name for name in study.by_factor if name != PLACEBO]
    leading = sorted(names, key=lambda name: -indices[name][1])[:INTERACTING]
    settings = settings_of(study.layout)
    found = Questions(*estimate(blend, study.rows, _questions(study, leading, settings), jobs))
    p = p_values(study.rows, study.layout, study.by_factor, jobs)
    tested = holm({name: p[name] for name in p if name != PLACEBO}) | {PLACEBO: p[PLACEBO]}
    fitness = Fitness(blend.r2, study.evidence.ceiling, study.evidence.rows)
    variance = max(0.0, blend.r2) * float(study.rows.values.var(ddof=1))
    effects = effects_of(study, settings, found.settings)
    knobs = knobs_of(study, found.knobs, indices, variance, effects)
    listed = factors_of(study, found.factors, indices, variance, tested, effects, knobs)
    factors = tuple(factor for factor in listed if factor.name != PLACEBO)
    (placebo,) = (factor for factor in listed if factor.name == PLACEBO)
    seed_noise, unexplained = remainder_of(fitness)
    evidence = study.evidence
    return Answer(
        evidence=Counts(evidence.rows, evidence.runs, evidence.diverged, evidence.at_chance),
        surrogate=Quality(
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


def digest(trials: Sequence[Trial], space: Mapping[str, Any], seed: int) -> str:
    """What an answer depends on, as a short text: it changes when runs are added."""
    packages = ("numpy", "scipy", "scikit-learn")
    measured = [
        (trial.row, trial.repeat, trial.number, trial.value, sorted(trial.parameters.items()))
        for trial in trials
        if trial.phase == "measure" and trial.complete
    ]
    versions = [version(package) for package in packages]
    known = json.dumps([VERSION, versions, seed, space["coordinates"], sorted(measured)])
    return hashlib.sha256(known.encode()).hexdigest()[:32]


def _questions(study: Measured, leading: Sequence[str], settings: Sequence[Setting]) -> Questions:
    layout, seed = study.layout, study.rows.seed
    owners = [axis.factor for axis in layout.axes]
    together = {name: study.by_factor[name] for name in leading}
    pins = [setting.pins for setting in settings]

    fewer = 4 if study.evidence.rows < FEW_ROWS else 1

    def asked(build: Any, samples: Samples, *of: Any) -> Question:
        fine, coarse = samples.fine // fewer, samples.coarse
        return Question(*(build(layout, of[0], number, seed, *of[1:]) for number in (fine, coarse)))

    return Questions(
        factors=asked(shapley, WALKS, study.by_factor),
        topics=asked(shapley, WALKS, study.by_topic),
        knobs=asked(shapley, KNOB_WALKS, study.by_knob, owners),
        pairs=asked(pairs, PAIRS, together),
        settings=asked(marginals, EFFECTS, pins),
    )


def _indices(study: Measured, blend: Blend) -> dict[str, tuple[float, float]]:
    """First-order and total index of every factor, topic and knob, under its name.

    A name that stands for several of them, such as a factor without knobs, means the same axes.
    """
    groups = {**_prefixed("knob", study.by_knob), **_prefixed("topic", study.by_topic),
              **study.by_factor}  # fmt: skip
    asked: Sobol = sobol(study.layout, groups, INDICES, study.rows.seed)
    first, total = asked.of(blend.weights @ blend.each(asked.features)).reshape(2, -1)
    return {name: (float(s), float(t)) for name, s, t in zip(groups, first, total, strict=True)}


def _prefixed(kind: str, groups: Groups) -> Groups:
    return {f"{kind} {name}": axes for name, axes in groups.items()}
