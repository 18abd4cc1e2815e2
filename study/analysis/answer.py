"""Which training factor matters most, how sure that is, and what remains unexplained."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from storage.tables import Trial
from study.analysis.evidence import gather
from study.analysis.features import read_layout
from study.analysis.importance import Indices
from study.analysis.intervals import Interval
from study.analysis.shares import Estimate, Fitted, estimate_shares, sobol_indices
from study.analysis.surrogate import boost, cross_validated_r2
from study.analysis.verdict import CERTAIN, Fitness, Verdict, judge

PLACEBO = "placebo"
"""The factor that training never reads, as spaces name it."""


class Counts(NamedTuple):
    """The evidence: rows of the design, runs with repeats; diverged, at_chance: parts of runs."""

    rows: int
    runs: int
    diverged: float
    at_chance: float | None


class Quality(NamedTuple):
    """Cross-validated R² of the surrogate, and the most that it could be; None: not known."""

    r2: float
    ceiling: float | None


class Factor(NamedTuple):
    """A factor's importance.

    share: Shapley effect, a share of what the surrogate explains, with its 95 % interval;
    first_order and total: alone, and with all interactions. points: the standard deviation that
    the factor causes, √(share · explained variance), in hundredths of the objective. p_first: in
    which part of the half-samples its share is the largest.
    """

    name: str
    topic: str
    share: float
    interval: Interval
    first_order: float
    total: float
    points: float
    p_first: float


class Topic(NamedTuple):
    """A topic's importance: its factors acting as one, which is not the sum of their shares."""

    name: str
    factors: tuple[str, ...]
    share: float
    interval: Interval


class Answer(NamedTuple):
    """What the measured runs say. Factors and topics come with the largest share first.

    seed_noise, unexplained: the parts of the variance among rows that the training seed causes
    (None without repeats), and that neither the seed nor the surrogate accounts for.
    """

    evidence: Counts
    surrogate: Quality
    factors: tuple[Factor, ...]
    topics: tuple[Topic, ...]
    placebo: Factor
    seed_noise: float | None
    unexplained: float
    verdict: Verdict

    @property
    def explained(self) -> float:
        """The part of the variance among rows that the surrogate explains."""
        return max(0.0, self.surrogate.r2)

    @property
    def floor(self) -> float:
        """The noise floor: the upper bound of the placebo's interval."""
        return self.placebo.interval[1]


def analyse(trials: Sequence[Trial], space: Mapping[str, Any], *, seed: int, jobs: int) -> Answer:
    """The answer of a study's trials over a described space (`Space.describe()`).

    jobs: processes to spread the refits over; the answer does not depend on it. Raises NoAnswer
    when too little was measured.
    """
    evidence = gather(trials)
    layout = read_layout(space["coordinates"])
    topics = {factor["name"]: factor["topic"] for factor in space["factors"]} | {PLACEBO: PLACEBO}
    features = layout.encode(evidence.parameters).astype(np.float32)
    values = evidence.values
    fitted = Fitted(layout, features, values, boost, boost(features, values, seed), seed)
    by_factor, by_topic = estimate_shares(fitted, [layout.factors(), layout.groups(topics)], jobs)
    bounds = sobol_indices(fitted, layout.factors())
    r2 = cross_validated_r2(boost, features, values, seed)
    fitness = Fitness(r2, evidence.ceiling, evidence.rows)
    found = _factors(by_factor, bounds, topics, max(0.0, r2) * float(values.var(ddof=1)))
    factors = tuple(factor for factor in found if factor.name != PLACEBO)
    (placebo,) = (factor for factor in found if factor.name == PLACEBO)
    seed_noise, unexplained = _remainder(fitness)
    return Answer(
        evidence=Counts(evidence.rows, evidence.runs, evidence.diverged, evidence.at_chance),
        surrogate=Quality(r2, evidence.ceiling),
        factors=factors,
        topics=_topics(by_topic, topics, factors),
        placebo=placebo,
        seed_noise=seed_noise,
        unexplained=unexplained,
        verdict=judge(factors[0], _tied(factors, by_factor), placebo.interval[1], fitness),
    )


def as_document(answer: Answer, study: str) -> dict[str, Any]:
    """The answer as JSON, under the study's name, every number to 6 decimals."""
    document: dict[str, Any] = _plain(
        {
            "schema": 1,
            "study": study,
            "evidence": answer.evidence,
            "surrogate": answer.surrogate,
            "factors": answer.factors,
            "topics": answer.topics,
            "placebo": answer.placebo,
            "seed_noise": answer.seed_noise,
            "unexplained": answer.unexplained,
            "verdict": answer.verdict,
        }
    )
    return document


def _factors(
    found: Estimate, bounds: Indices, topics: Mapping[str, str], variance: float
) -> list[Factor]:
    columns = zip(
        found.names, found.shares, found.intervals, bounds.first, bounds.total, found.p_first,
        strict=True,
    )  # fmt: skip
    factors = [
        Factor(
            name=name,
            topic=topics[name],
            share=float(share),
            interval=interval,
            first_order=float(first),
            total=float(total),
            points=100 * float(share * variance) ** 0.5,
            p_first=float(p_first),
        )
        for name, share, interval, first, total, p_first in columns
    ]
    return sorted(factors, key=lambda factor: -factor.share)


def _topics(
    found: Estimate, topics: Mapping[str, str], factors: Sequence[Factor]
) -> tuple[Topic, ...]:
    columns = zip(found.names, found.shares, found.intervals, strict=True)
    listed = [
        Topic(name, tuple(f.name for f in factors if f.topic == name), float(share), interval)
        for name, share, interval in columns
        if name != PLACEBO
    ]
    return tuple(sorted(listed, key=lambda topic: -topic.share))


def _tied(factors: Sequence[Factor], found: Estimate) -> list[str]:
    """The names of those that the first factor is not ahead of for certain, and its own."""
    ahead = found.p_ahead[found.names.index(factors[0].name)]
    return [
        factor.name
        for factor in factors
        if factor is factors[0] or ahead[found.names.index(factor.name)] < CERTAIN
    ]


def _remainder(fitness: Fitness) -> tuple[float | None, float]:
    """What the seed causes, and what nothing accounts for: with R² they make up 1.

    An R² above its estimated ceiling leaves the seed what remains.
    """
    rest = 1 - min(max(fitness.r2, 0.0), 1.0)
    if fitness.ceiling is None:
        return None, rest
    seed_noise = min(1 - fitness.ceiling, rest)
    return seed_noise, rest - seed_noise


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
