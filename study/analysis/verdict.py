"""State in one sentence what matters most, or that the study does not show it."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from training_factors.study.analysis.intervals import Interval

MIN_CONFIDENCE = 0.95
"""Minimum fraction of the resamples in which a factor must be ahead of others to be the leader."""

SIGNIFICANT = 0.05
"""Significance level: a factor with a smaller Holm-corrected p-value has a significant effect."""

MIN_PART_OF_CEILING = 0.5
"""Minimum R² of the surrogates, as a part of the largest R² that is possible, to name a leader."""

ONE_SIDED_95 = 1.645
"""Number of standard errors above 0 at which a difference is positive with probability 0.95."""

MAX_GROWTH = 16
"""Largest factor by which the study may have to grow for more rows to be suggested."""

CONFIRMED, PROBABLE = "confirmed", "probable"
NOT_DISTINGUISHABLE, UNTESTED = "not distinguishable", "untested"
"""Levels of evidence that a factor has an effect.

confirmed: paired runs show an effect. probable: the measured rows show an effect. not
distinguishable: an effect cannot be told from noise. untested: the study did not vary the factor.
"""

VerdictKind = Literal["leader", "tie", "inconclusive", "nothing"]
"""leader: one factor matters most. tie: several factors may matter most. inconclusive: more rows
are needed. nothing: no factor has a significant effect."""


class Verdict(NamedTuple):
    """The conclusion of an analysis.

    leaders: the factors that the sentence names as mattering most, the largest share first.
    more_rows: number of rows to add to answer an open question; None when there is none or when too
    many would be needed.
    """

    kind: VerdictKind
    leaders: tuple[str, ...]
    sentence: str
    more_rows: int | None


class Contender(NamedTuple):
    """A factor in the comparison with the leader, which is the factor with the largest share.

    p_first: fraction of the resamples in which its share is the largest. tied: the leader's share
    is larger in less than 95 % of the resamples. difference_error: standard error of the difference
    between the two shares.
    """

    name: str
    share: float
    interval: Interval
    p_value: float
    p_first: float
    tied: bool
    difference_error: float

    @property
    def significant(self) -> bool:
        """Return whether the factor has a significant effect."""
        return self.p_value < SIGNIFICANT


class GoodnessOfFit(NamedTuple):
    """The surrogates' R², the largest R² that is possible (None: unknown), and the rows."""

    r2: float
    ceiling: float | None
    rows: int

    @property
    def sufficient(self) -> bool:
        """Return whether R² is positive and at least half of the largest R² that is possible."""
        ceiling = 1 if self.ceiling is None else self.ceiling
        return self.r2 > 0 and self.r2 >= MIN_PART_OF_CEILING * ceiling

    @property
    def rows_to_double(self) -> int:
        """Number of rows to add to at least double the study, up to a power of two.

        A Sobol sequence is balanced where its length is a power of two.
        """
        return _next_power_of_two(2 * self.rows) - self.rows

    def rows_to_separate(self, difference: float, error: float) -> int | None:
        """Return how many rows to add until a difference is larger than 0 with probability 0.95.

        error: standard error of the difference; it shrinks as 1/√rows. The result at least doubles
        the study; None when the study would have to grow more than 16 times.
        """
        growth = (ONE_SIDED_95 * error / difference) ** 2 if difference > 0 else math.inf
        if growth > MAX_GROWTH:
            return None
        needed = max(2 * self.rows, math.ceil(growth * self.rows))
        return _next_power_of_two(needed) - self.rows


def judge(contenders: Sequence[Contender], floor: float, fit: GoodnessOfFit) -> Verdict:
    """Return the verdict on factors, which are given with the largest share first.

    floor: upper bound of the placebo's interval. A factor "matters most" only if its share is the
    largest in 95 % of the resamples, its effect is significant, its interval lies above the floor,
    and R² is at least half of what a configuration can explain.
    """
    leader, *others = contenders
    if fit.r2 <= 0 or not any(contender.significant for contender in contenders):
        return _no_effect(fit)
    if not fit.sufficient:
        return _poor_fit(contenders, fit)
    if not leader.significant or leader.interval[0] <= floor:
        return _leader_within_noise(leader, floor, fit)
    tied = [other for other in others if other.tied]
    if leader.p_first >= MIN_CONFIDENCE and not tied:
        sentence = f"{leader.name} matters most ({_ranked_first(leader)})"
        return Verdict("leader", (leader.name,), sentence, None)
    return _tie(leader, tied, fit)


def _tie(leader: Contender, tied: Sequence[Contender], fit: GoodnessOfFit) -> Verdict:
    """Return the verdict when a leader is clear of the noise, but perhaps not of other factors."""
    group = (leader.name, *(other.name for other in tied if other.significant))
    needed = [
        fit.rows_to_separate(leader.share - other.share, other.difference_error) for other in tied
    ]
    rows = None if None in needed else max((n for n in needed if n is not None), default=None)
    if len(group) == 1:
        sentence = (
            f"{leader.name} has the largest share, but not with 95 % confidence "
            f"({_ranked_first(leader)})"
        )
    else:
        first = f"{leader.name} {_ranked_first(leader)}"
        sentence = f"{_join(group)} matter most; their order is uncertain ({first})"
    remedy = _run_more(rows) if rows else "more configurations would hardly tell them apart"
    return Verdict("tie", group, f"{sentence}: {remedy}", rows)


def _poor_fit(contenders: Sequence[Contender], fit: GoodnessOfFit) -> Verdict:
    """Return the verdict when factors are significant but too little variance is explained."""
    most = "" if fit.ceiling is None else f"; at most {100 * fit.ceiling:.0f} % is possible"
    names = [contender.name for contender in contenders if contender.significant]
    verb = "has" if len(names) == 1 else "have"
    sentence = (
        f"inconclusive: {fit.rows} configurations explain {100 * fit.r2:.0f} % of the variance"
        f"{most} ({_join(names)} {verb} a significant effect): {_run_more(fit.rows_to_double)}"
    )
    return Verdict("inconclusive", (), sentence, fit.rows_to_double)


def _leader_within_noise(leader: Contender, floor: float, fit: GoodnessOfFit) -> Verdict:
    """Return the verdict when the leader's share may be as small as the placebo's."""
    error = (leader.share - leader.interval[0]) / 1.96
    rows = fit.rows_to_separate(leader.share - floor, error) or fit.rows_to_double
    sentence = (
        f"inconclusive: {leader.name} has the largest share but cannot be told from the placebo: "
        f"{_run_more(rows)}"
    )
    return Verdict("inconclusive", (), sentence, rows)


def _no_effect(fit: GoodnessOfFit) -> Verdict:
    """Return the verdict when no factor is significant or nothing is predicted.

    If rows differ much more than repeats of one row, something does matter and the study is too
    small to see it. Otherwise, or without repeats, no effect is detected.
    """
    if fit.ceiling is not None and fit.ceiling >= MIN_PART_OF_CEILING:
        sentence = (
            f"inconclusive: {fit.rows} configurations are too few to see what matters (the "
            f"surrogates' R² is {fit.r2:.2f}; at most {fit.ceiling:.2f} is possible): "
            f"{_run_more(fit.rows_to_double)}"
        )
        return Verdict("inconclusive", (), sentence, fit.rows_to_double)
    numbers = f"{fit.rows} configurations; the surrogates' R² is {fit.r2:.2f}"
    sentence = f"no effect detected yet; the study may be too small ({numbers})"
    return Verdict("nothing", (), sentence, None)


def _ranked_first(leader: Contender) -> str:
    return f"ranked first in {100 * leader.p_first:.0f} % of resamples"


def _run_more(rows: int) -> str:
    return f"about {rows:,} more configurations are needed"


def _join(names: Sequence[str]) -> str:
    """Return the names as in a sentence: `a`, `a and b`, or `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _next_power_of_two(number: int) -> int:
    return int(2 ** (number - 1).bit_length())
