"""Compare the importance of the same factors in different studies."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from scipy.stats import norm, spearmanr

from training_factors.study.analysis.answer import Answer, FactorImportance, rounded
from training_factors.study.analysis.significance import holm

MIN_FACTORS = 3
"""Minimum number of common factors for a rank correlation; with fewer it has no meaning."""


class Difference(NamedTuple):
    """The share of a factor in one study less that in another.

    one, other: names of the studies. p_value: Holm-corrected over all differences.
    """

    factor: str
    one: str
    other: str
    difference: float
    p_value: float


class Comparison(NamedTuple):
    """The factors that all studies vary: factor -> study -> importance.

    correlations: Spearman's rank correlation of the shares, for every two studies; None where they
    have too few factors in common. partial: factors that some studies vary and others do not ->
    the studies that vary them. inconclusive: studies in which no factor has a significant effect;
    their shares are next to unknown, so they have no correlations and no differences.
    """

    factors: dict[str, dict[str, FactorImportance]]
    correlations: dict[tuple[str, str], float | None]
    differences: tuple[Difference, ...]
    partial: Mapping[str, tuple[str, ...]]
    inconclusive: tuple[str, ...]


def compare(answers: Mapping[str, Answer]) -> Comparison:
    """Compare the shares of the factors that all answers have. answers: study -> answer.

    The standard error of a difference of shares is √(error² + error²), since studies are
    independent of each other. All differences together are corrected by Holm's method. Raises
    ValueError when the studies have no factor in common.
    """
    by_study = {name: {f.name: f for f in answer.factors} for name, answer in answers.items()}
    first, *rest = by_study.values()
    common = [name for name in first if all(name in other for other in rest)]
    if not common:
        raise ValueError(f"the studies {', '.join(answers)} have no factor in common")
    study_pairs = list(combinations(answers, 2))
    inconclusive = tuple(name for name in answers if answers[name].verdict.kind == "nothing")
    conclusive = [pair for pair in study_pairs if not {*pair} & {*inconclusive}]
    differences = [
        _difference(name, (one, by_study[one][name]), (other, by_study[other][name]))
        for one, other in conclusive
        for name in common
    ]
    correlations = {
        (one, other): _correlation(by_study[one], by_study[other], common)
        if (one, other) in conclusive
        else None
        for one, other in study_pairs
    }
    comparison: Comparison = rounded(
        Comparison(
            factors={
                name: {study: factors[name] for study, factors in by_study.items()}
                for name in common
            },
            correlations=correlations,
            differences=_corrected(differences),
            partial=_partial(by_study),
            inconclusive=inconclusive,
        )
    )
    return comparison


def _partial(
    by_study: Mapping[str, Mapping[str, FactorImportance]],
) -> dict[str, tuple[str, ...]]:
    """Return the factors that not all studies vary, each with the studies that do."""
    names = dict.fromkeys(name for factors in by_study.values() for name in factors)
    varying = {
        name: tuple(study for study, factors in by_study.items() if name in factors)
        for name in names
    }
    return {name: studies for name, studies in varying.items() if len(studies) < len(by_study)}


def _difference(
    factor: str, one: tuple[str, FactorImportance], other: tuple[str, FactorImportance]
) -> Difference:
    """Return the difference of a factor between two studies, each with its name."""
    (one_study, one_factor), (other_study, other_factor) = one, other
    difference = one_factor.share - other_factor.share
    error = (one_factor.error**2 + other_factor.error**2) ** 0.5
    p_value = float(2 * norm.sf(abs(difference) / error)) if error else float(difference == 0)
    return Difference(factor, one_study, other_study, difference, p_value)


def _corrected(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """Return the differences with Holm-corrected p-values."""
    corrected = holm({f"{d.one}/{d.other}/{d.factor}": d.p_value for d in differences})
    return tuple(
        d._replace(p_value=corrected[f"{d.one}/{d.other}/{d.factor}"]) for d in differences
    )


def _correlation(
    one: Mapping[str, FactorImportance],
    other: Mapping[str, FactorImportance],
    common: Sequence[str],
) -> float | None:
    if len(common) < MIN_FACTORS:
        return None
    shares = [[study[name].share for name in common] for study in (one, other)]
    return float(spearmanr(*shares).statistic)
