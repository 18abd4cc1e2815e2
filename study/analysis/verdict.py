"""What the numbers say, in words, and when they say nothing."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from study.analysis.intervals import Interval

CERTAIN = 0.95
"""P(first), and P(g > h), from which on an order is stated."""

OF_CEILING = 0.5
"""The part of what can be explained that the surrogate must explain."""

Kind = Literal["leader", "tie", "inconclusive", "nothing"]


class Verdict(NamedTuple):
    """kind; leaders: the factors that the sentence names, the largest share first; sentence."""

    kind: Kind
    leaders: tuple[str, ...]
    sentence: str


class Contender(Protocol):
    """A factor as the verdict sees it."""

    @property
    def name(self) -> str:
        """As the space names it."""

    @property
    def share(self) -> float:
        """Its Shapley share."""

    @property
    def interval(self) -> Interval:
        """The share's 95 % interval."""

    @property
    def p_first(self) -> float:
        """In which part of the half-samples its share is the largest."""


class Fitness(NamedTuple):
    """How far the surrogate can be believed: R², its ceiling (None: not known), and the rows."""

    r2: float
    ceiling: float | None
    rows: int

    @property
    def suffices(self) -> bool:
        """Whether the surrogate explains half of what a configuration can explain."""
        return self.r2 > 0 and self.r2 >= OF_CEILING * (1 if self.ceiling is None else self.ceiling)

    @property
    def more_rows(self) -> int:
        """Rows to add: at least as many again, up to a power of two, where designs balance."""
        return int(2 ** (2 * self.rows - 1).bit_length()) - self.rows


def judge(leader: Contender, tied: Sequence[str], floor: float, fit: Fitness) -> Verdict:
    """The verdict on the factor with the largest share.

    tied: those that it is not ahead of with P ≥ 0.95, itself included. floor: the upper
    bound of the placebo's interval. "Matters most" is said only if it is first in
    95 % of the half-samples, its interval lies above the floor, and R² is at least half of what a
    configuration can explain.
    """
    if fit.r2 <= 0 or leader.share <= floor:
        return Verdict("nothing", (), _nothing(fit))
    if not fit.suffices:
        return Verdict("inconclusive", (), _too_little_explained(fit))
    if leader.interval[0] <= floor:
        return Verdict("inconclusive", (), _within_noise(leader.name, fit))
    if leader.p_first >= CERTAIN and len(tied) == 1:
        return Verdict("leader", (leader.name,), _leads(leader))
    return Verdict("tie", tuple(tied), _tie(leader, tied, fit))


def _leads(leader: Contender) -> str:
    return f"{leader.name} matters most (first in {100 * leader.p_first:.0f} % of half-samples)"


def _tie(leader: Contender, tied: Sequence[str], fit: Fitness) -> str:
    names = f"{', '.join(tied[:-1])} and {tied[-1]}"
    first = f"{leader.name} is first in {100 * leader.p_first:.0f} % of half-samples"
    return (
        f"{names} matter most, in no certain order ({first}): "
        f"run {fit.more_rows} more rows to tell them apart"
    )


def _too_little_explained(fit: Fitness) -> str:
    most = "" if fit.ceiling is None else f" where at most {fit.ceiling:.2f} could be"
    return (
        f"inconclusive: {fit.rows} rows explain {fit.r2:.2f} of the variance{most}: "
        f"run {fit.more_rows} more rows"
    )


def _within_noise(name: str, fit: Fitness) -> str:
    return (
        f"inconclusive: {name} comes first but its interval reaches the placebo's: "
        f"run {fit.more_rows} more rows"
    )


def _nothing(fit: Fitness) -> str:
    sentence = f"nothing matters here that these runs can show ({fit.rows} rows, R² {fit.r2:.2f})"
    unseen = fit.ceiling is not None and fit.ceiling >= OF_CEILING
    return f"{sentence}: run {fit.more_rows} more rows" if unseen else sentence
