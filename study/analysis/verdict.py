"""State in one sentence what matters most, as far as the study shows it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from training_factors.study.analysis.shares import Evidence, Shares, leading_set

SIGNIFICANT = 0.05
"""Significance level: a factor with a smaller Holm-corrected p-value has a significant effect."""

CONFIDENCE = 0.95
"""Probability with which the factors that a verdict names hold the most important one."""

MAX_GROWTH = 16
"""Largest factor by which the study may have to grow for more rows to be suggested."""

GROWTH_STEP = 1.25
"""Factor from one size to the next that is tried to find out how many more rows are needed."""

ROUND_ROWS = 16
"""The number of further rows is rounded up to a multiple of this."""

CONFIRMED, PROBABLE = "confirmed", "probable"
NOT_DISTINGUISHABLE, UNTESTED = "not distinguishable", "untested"
"""Levels of evidence that a factor has an effect.

confirmed: paired runs show an effect. probable: the measured rows show an effect. not
distinguishable: an effect cannot be told from noise. untested: the study did not vary the factor.
"""

VerdictKind = Literal["leader", "set", "nothing"]
"""leader: one factor matters most. set: one of several factors matters most. nothing: no factor has
a significant effect."""


class Verdict(NamedTuple):
    """The conclusion of an analysis.

    leaders: the smallest set of factors that holds the most important one with 95 % confidence, the
    largest share first; empty where no factor has a significant effect. more_rows: number of rows
    to add for a smaller set; None when there is none or when too many would be needed.
    """

    kind: VerdictKind
    leaders: tuple[str, ...]
    sentence: str
    more_rows: int | None


class Findings(NamedTuple):
    """The numbers that a verdict follows from.

    names: of the varied factors, in the order of the shares' groups. p_values: Holm-corrected.
    variance: of the objective among rows. decline: what is unexplained shrinks as rows^−decline.
    """

    names: Sequence[str]
    shares: Shares
    evidence: Evidence
    p_values: Mapping[str, float]
    rows: int
    variance: float
    decline: float

    @property
    def leaders(self) -> tuple[str, ...]:
        """The smallest set that holds the most important factor, the largest share first."""
        numbers = leading_set(self.shares.first_probability()[: len(self.names)], CONFIDENCE)
        by_share = sorted(numbers, key=lambda number: -self.shares.value[number])
        return tuple(self.names[number] for number in by_share)

    @property
    def upper_deviation(self) -> float:
        """The most that a factor may move the objective, as a standard deviation."""
        highest = max(high for _, high in self.shares.intervals())
        return math.sqrt(highest * self.variance)


def evidence_level(p_value: float) -> str:
    """Return how a factor stands by the measured rows: the one rule of all screens.

    p_value: Holm-corrected.
    """
    return PROBABLE if p_value < SIGNIFICANT else NOT_DISTINGUISHABLE


def judge(findings: Findings) -> Verdict:
    """Return the verdict: the smallest set of factors that holds the most important one.

    Where no factor has a significant effect there is none: either all factors together can cause
    little, since most of the variance is seed noise, or the study is too small to show anything.
    """
    if all(p_value >= SIGNIFICANT for p_value in findings.p_values.values()):
        return _no_effect(findings)
    leaders = findings.leaders
    if len(leaders) == 1:
        return Verdict("leader", leaders, f"{leaders[0]} matters most (95 % confidence)", None)
    ruled_out = len(findings.names) - len(leaders)
    sentence = f"the most important factor is {_join(leaders, 'or')} (95 % confidence)"
    if ruled_out:
        others = f"one of the {ruled_out} others" if ruled_out > 1 else "the other one"
        sentence += f", not {others}"
    narrower = _rows_to_narrow(findings, len(leaders))
    if narrower is None:
        remedy = "more configurations would hardly narrow it"
        return Verdict("set", leaders, f"{sentence}; {remedy}", None)
    more, left = narrower
    remedy = f"about {more:,} more configurations may narrow it to {left} factor{'s' * (left > 1)}"
    return Verdict("set", leaders, f"{sentence}; {remedy}", more)


def _no_effect(findings: Findings) -> Verdict:
    evidence, rows = findings.evidence, findings.rows
    if evidence.noise.degrees and evidence.noise.part > 0.5:
        sentence = (
            f"no effect detected: with 95 % confidence no factor moves the objective by more than "
            f"{findings.upper_deviation:.2g} (standard deviation, {rows} configurations)"
        )
        return Verdict("nothing", (), sentence, None)
    because = ""
    if evidence.noise.degrees:
        because = (
            f": {100 * evidence.unexplained:.0f} % of the variance is neither explained nor seed "
            "noise"
        )
    more = _round_up(rows)
    sentence = (
        f"no effect detected yet; {rows} configurations are too few to see what matters{because}. "
        f"About {more:,} more are worth a try"
    )
    return Verdict("nothing", (), sentence, more)


def _rows_to_narrow(findings: Findings, size: int) -> tuple[int, int] | None:
    """Return how many more rows may give a smaller set, and its size; None if too many would.

    The sampling error shrinks as 1/√rows, and what is unexplained as it shrank so far.
    """
    for growth in _growths():
        projected = findings.evidence.projected(growth, findings.decline)
        p_first = projected.first_probability()[: len(findings.names)]
        left = len(leading_set(p_first, CONFIDENCE))
        if left < size:
            return _round_up((growth - 1) * findings.rows), left
    return None


def _growths() -> Iterator[float]:
    growth = GROWTH_STEP
    while growth <= MAX_GROWTH:
        yield growth
        growth *= GROWTH_STEP


def _round_up(rows: float) -> int:
    return math.ceil(rows / ROUND_ROWS) * ROUND_ROWS


def unexplained_decline(unexplained: float, at_half: float, part: float) -> float:
    """Return the exponent at which what is unexplained shrinks with the number of rows.

    at_half: what is unexplained by surrogates that saw half of the rows; unexplained: by those
    that saw a larger part. Between 0.05 and 1: two noisy numbers say no more.
    """
    if unexplained <= 0 or at_half <= 0:
        return 1.0
    return float(np.clip(math.log(at_half / unexplained) / math.log(part / 0.5), 0.05, 1.0))


def _join(names: Sequence[str], word: str) -> str:
    """Return the names as in a sentence: `a`, `a or b`, or `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last
