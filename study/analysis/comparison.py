"""The same factors in different scenarios: where importance differs for certain, and where not."""

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

from scipy.stats import norm, spearmanr

from training_factors.study.analysis.answer import Answer, FactorImportance, rounded
from training_factors.study.analysis.significance import holm

LEAST_FACTORS = 3
"""Below this a rank correlation says nothing."""


class Difference(NamedTuple):
    """A factor's share in one study less that in another, with its Holm-corrected p-value."""

    factor: str
    one: str
    other: str
    difference: float
    p_value: float


class Comparison(NamedTuple):
    """Factors that all studies vary, by study; correlations: Spearman's, of each two studies."""

    factors: dict[str, dict[str, FactorImportance]]
    correlations: dict[tuple[str, str], float | None]
    differences: tuple[Difference, ...]


def compare(answers: Mapping[str, Answer]) -> Comparison:
    """Compare the shares of the factors that all answers have.

    A difference of two shares is set against √(error² + error²); studies are independent of each
    other. All differences together are corrected by Holm. Raises ValueError when the studies have
    no factor in common.
    """
    by_study = {name: {f.name: f for f in answer.factors} for name, answer in answers.items()}
    first, *rest = by_study.values()
    shared = [name for name in first if all(name in other for other in rest)]
    if not shared:
        raise ValueError(f"the studies {', '.join(answers)} have no factor in common")
    pairs = list(combinations(answers, 2))
    found = [
        _difference(name, (one, by_study[one][name]), (other, by_study[other][name]))
        for one, other in pairs
        for name in shared
    ]
    corrected = holm({f"{d.one}/{d.other}/{d.factor}": d.p_value for d in found})
    comparison: Comparison = rounded(
        Comparison(
            {name: {study: own[name] for study, own in by_study.items()} for name in shared},
            {
                (one, other): _correlation(by_study[one], by_study[other], shared)
                for one, other in pairs
            },
            tuple(d._replace(p_value=corrected[f"{d.one}/{d.other}/{d.factor}"]) for d in found),
        )
    )
    return comparison


def _difference(
    name: str, one: tuple[str, FactorImportance], other: tuple[str, FactorImportance]
) -> Difference:
    difference = one[1].share - other[1].share
    error = (one[1].error ** 2 + other[1].error ** 2) ** 0.5
    p_value = float(2 * norm.sf(abs(difference) / error)) if error else float(difference == 0)
    return Difference(name, one[0], other[0], difference, p_value)


def _correlation(
    one: Mapping[str, FactorImportance], other: Mapping[str, FactorImportance], shared: list[str]
) -> float | None:
    if len(shared) < LEAST_FACTORS:
        return None
    shares = [[answer[name].share for name in shared] for answer in (one, other)]
    return float(spearmanr(*shares).statistic)
