"""The comparison of several studies, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.storage.studies import Study
from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.comparison import Comparison, Difference, compare
from training_factors.study.analysis.verdict import SIGNIFICANT
from training_factors.study.reporting.analyses import answer_of
from training_factors.study.reporting.formatting import (
    decimals,
    percent,
    percents,
    probability,
    signed,
)

MOST_WITH_INTERVALS = 3
"""Number of studies up to which shares and their intervals fit side by side in 80 columns."""


def compare_studies(studies: Sequence[Study], jobs: int) -> Comparison:
    """Compare studies by their answers, which are computed unless they are cached.

    jobs: number of processes that compute an answer. Raises NoAnswer when a study has measured
    too few rows, ValueError when the studies have no factor in common.
    """
    return compare({study.name: answer_of(study, jobs) for study in studies})


def draw_comparison(
    comparison: Comparison, objectives: Mapping[str, str] = MappingProxyType({})
) -> RenderableType:
    """Draw one column of shares per study, then rank correlations and significant differences.

    objectives: study -> name of what it maximized; said where they differ.

    Factors with a significant difference are bold. Intervals are left out where they do not fit.
    """
    significant = [one for one in comparison.differences if one.p_value < SIGNIFICANT]
    lines = [
        f"The rank correlation of the shares in {one} and {other} is {decimals(rho, 2)}."
        for (one, other), rho in comparison.correlations.items()
        if rho is not None
    ]
    if len(set(objectives.values())) > 1:
        each = ", ".join(f"{study} {objective}" for study, objective in objectives.items())
        lines.insert(0, f"The studies maximized different objectives: {each}.")
    has_intervals = len(next(iter(comparison.factors.values()))) <= MOST_WITH_INTERVALS
    intervals = " with its 95 % interval" if has_intervals else ""
    lines += [_sentence(one) for one in significant]
    if comparison.differences and not significant:
        lines.append("No factor's share differs significantly between these studies.")
    lines += [*_inconclusive(comparison), *_partial(comparison)]
    return Group(
        _shares_table(comparison, {one.factor for one in significant}),
        Text(),
        Text(
            f"Each number is the factor's share in %{intervals}. Bold: the shares differ "
            "significantly."
        ),
        *(Text(line) for line in lines),
    )


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as a JSON document."""
    document: dict[str, Any] = as_plain(
        {
            "schema": 1,
            "factors": [
                {
                    "name": name,
                    "studies": {
                        study: factor._replace(hyperparameters=())
                        for study, factor in by_study.items()
                    },
                }
                for name, by_study in comparison.factors.items()
            ],
            "correlations": [
                {"studies": list(pair), "spearman": rho}
                for pair, rho in comparison.correlations.items()
            ],
            "differences": comparison.differences,
            "inconclusive": comparison.inconclusive,
            "partial": [
                {"name": name, "studies": studies} for name, studies in comparison.partial.items()
            ],
        }
    )
    return document


def _shares_table(comparison: Comparison, different: set[str]) -> Table:
    """Draw the shares. different: factors to print in bold."""
    names = list(next(iter(comparison.factors.values())))
    has_intervals = len(names) <= MOST_WITH_INTERVALS
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("factor", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for name, by_study in comparison.factors.items():
        cells = []
        for factor in by_study.values():
            interval = f" ({percents(factor.interval, 0)})" if has_intervals else ""
            cells.append(f"{percent(factor.share)}{interval}")
        table.add_row(name, *cells, style="bold" if name in different else "")
    return table


def _inconclusive(comparison: Comparison) -> list[str]:
    """Return a sentence on the studies that show nothing to compare; none where all do."""
    names = comparison.inconclusive
    if not names:
        return []
    show, their = ("shows", "its") if len(names) == 1 else ("show", "their")
    return [
        f"{' and '.join(names)} {show} no significant effect, so nothing is said about differences "
        f"from {their} shares."
    ]


def _partial(comparison: Comparison) -> list[str]:
    """Return a sentence for every group of studies that alone varies some factors."""
    factors: dict[tuple[str, ...], list[str]] = {}
    for name, studies in comparison.partial.items():
        factors.setdefault(studies, []).append(name)
    return [
        f"Only {' and '.join(studies)} {'varies' if len(studies) == 1 else 'vary'} "
        f"{', '.join(names)}."
        for studies, names in factors.items()
    ]


def _sentence(difference: Difference) -> str:
    comparative = "larger" if difference.difference > 0 else "smaller"
    return (
        f"The share of {difference.factor} is {comparative} in {difference.one} than in "
        f"{difference.other}: {signed(100 * difference.difference)} percentage points "
        f"(p {probability(difference.p_value)})."
    )
