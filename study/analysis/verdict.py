"""What the numbers say, in words, and when they say nothing."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from training_factors.study.analysis.uncertainty import Interval

CERTAIN = 0.95
"""P(first), and P(g > h), from which on an order is stated."""

SIGNIFICANT = 0.05
"""The Holm-corrected p-value below which a factor does something."""

OF_CEILING = 0.5
"""The part of what can be explained that the surrogates must explain."""

ONE_SIDED = 1.645
"""Standard errors that put P(g > h) at 0.95."""

MOST_TIMES = 16
"""Rows are extrapolated to so many times those there are; beyond, it is not worth it."""

CONFIRMED, PROBABLE = "confirmed", "probable"
NOT_DISTINGUISHABLE, UNTESTED = "not distinguishable", "untested"
"""How a factor stands: shown by controlled runs, by the measured rows, by neither, never varied."""

VerdictKind = Literal["leader", "tie", "inconclusive", "nothing"]


class Verdict(NamedTuple):
    """What to say.

    kind; leaders: the factors that the sentence names, the largest share first; more_rows: that
    would settle what is open, None when nothing is, or when too many would be needed.
    """

    kind: VerdictKind
    leaders: tuple[str, ...]
    sentence: str
    more_rows: int | None


class Contender(NamedTuple):
    """A factor as the verdict sees it.

    tied: the first is not ahead of it with P ≥ 0.95. behind_error: standard error of the
    difference of the two shares.
    """

    name: str
    share: float
    interval: Interval
    p_value: float
    p_first: float
    tied: bool
    behind_error: float

    @property
    def significant(self) -> bool:
        """Whether it does anything."""
        return self.p_value < SIGNIFICANT


class Fitness(NamedTuple):
    """How far the surrogates can be believed: R², its ceiling (None: not known), and the rows."""

    r2: float
    ceiling: float | None
    rows: int

    @property
    def suffices(self) -> bool:
        """Whether the surrogates explain half of what a configuration can explain."""
        return self.r2 > 0 and self.r2 >= OF_CEILING * (1 if self.ceiling is None else self.ceiling)

    @property
    def doubled(self) -> int:
        """Rows to add to have twice as many, up to a power of two, where designs balance."""
        return int(2 ** (2 * self.rows - 1).bit_length()) - self.rows

    def settling(self, difference: float, error: float) -> int | None:
        """Rows to add until a difference shows for certain; errors shrink as 1/√rows.

        At least as many again; None when that is more than 16 times what there is.
        """
        times = (ONE_SIDED * error / difference) ** 2 if difference > 0 else math.inf
        if times > MOST_TIMES:
            return None
        wanted = max(2 * self.rows, math.ceil(times * self.rows))
        return int(2 ** (wanted - 1).bit_length()) - self.rows


def judge(contenders: Sequence[Contender], floor: float, fit: Fitness) -> Verdict:
    """The verdict on factors, the one with the largest share first.

    floor: the upper bound of the placebo's interval. "Matters most" is said only if the first is
    so in 95 % of the half-samples, significant, its interval above the floor, and R² at least half
    of what a configuration can explain.
    """
    leader, *others = contenders
    if fit.r2 <= 0 or not any(contender.significant for contender in contenders):
        return _nothing(fit)
    if not fit.suffices:
        return _too_little_explained(contenders, fit)
    if not leader.significant or leader.interval[0] <= floor:
        return _within_noise(leader, floor, fit)
    tied = [other for other in others if other.tied]
    if leader.p_first >= CERTAIN and not tied:
        first = f"first in {100 * leader.p_first:.0f} % of half-samples"
        return Verdict("leader", (leader.name,), f"{leader.name} matters most ({first})", None)
    return _tie(leader, tied, fit)


def _tie(leader: Contender, tied: Sequence[Contender], fit: Fitness) -> Verdict:
    group = (leader.name, *(other.name for other in tied if other.significant))
    needed = [fit.settling(leader.share - other.share, other.behind_error) for other in tied]
    rows = None if None in needed else max((n for n in needed if n is not None), default=None)
    first = f"{leader.name} is first in {100 * leader.p_first:.0f} % of half-samples"
    if len(group) == 1:
        sentence = f"{leader.name} comes first, but not for certain ({first})"
    else:
        names = f"{', '.join(group[:-1])} and {group[-1]}"
        sentence = f"{names} matter most, in no certain order ({first})"
    further = _run(rows) if rows else "more rows would hardly tell them apart"
    return Verdict("tie", group, f"{sentence}: {further}", rows)


def _too_little_explained(contenders: Sequence[Contender], fit: Fitness) -> Verdict:
    most = "" if fit.ceiling is None else f" where at most {fit.ceiling:.2f} could be"
    seen = ", ".join(contender.name for contender in contenders if contender.significant)
    sentence = (
        f"inconclusive: {fit.rows} rows explain {fit.r2:.2f} of the variance{most} "
        f"({seen} did something): {_run(fit.doubled)}"
    )
    return Verdict("inconclusive", (), sentence, fit.doubled)


def _within_noise(leader: Contender, floor: float, fit: Fitness) -> Verdict:
    error = (leader.share - leader.interval[0]) / 1.96
    rows = fit.settling(leader.share - floor, error) or fit.doubled
    sentence = (
        f"inconclusive: {leader.name} comes first but cannot be told from the placebo: {_run(rows)}"
    )
    return Verdict("inconclusive", (), sentence, rows)


def _nothing(fit: Fitness) -> Verdict:
    """Repeats differ as much as rows: nothing matters. They do not: there are too few rows."""
    if fit.ceiling is not None and fit.ceiling >= OF_CEILING:
        sentence = (
            f"inconclusive: {fit.rows} rows are too few to see what matters (R² {fit.r2:.2f} where "
            f"at most {fit.ceiling:.2f} could be): {_run(fit.doubled)}"
        )
        return Verdict("inconclusive", (), sentence, fit.doubled)
    sentence = f"nothing matters here that these runs can show ({fit.rows} rows, R² {fit.r2:.2f})"
    return Verdict("nothing", (), sentence, None)


def _run(rows: int) -> str:
    return f"run {rows:,} more rows"
