"""Studies side by side, as a table."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.storage.studies import Study
from training_factors.study.analysis.answer import as_plain
from training_factors.study.analysis.comparison import Comparison, compare
from training_factors.study.analysis.verdict import SIGNIFICANT
from training_factors.study.reporting.analyses import answer_of
from training_factors.study.reporting.formatting import percent, percents

WITH_INTERVALS = 3
"""Studies whose intervals fit beside each other in 80 columns."""


def compare_studies(studies: Sequence[Study], jobs: int) -> Comparison:
    """Compare studies. Raises NoAnswer, or ValueError when they have no factor in common."""
    return compare({study.name: answer_of(study, jobs) for study in studies})


def draw_comparison(comparison: Comparison) -> RenderableType:
    """Shares with intervals, a column per study; what differs for certain is marked.

    Intervals of more than a few studies do not fit beside each other.
    """
    names = list(next(iter(comparison.factors.values())))
    is_wide = len(names) > WITH_INTERVALS
    certain = [one for one in comparison.differences if one.p_value < SIGNIFICANT]
    table = Table(box=None, pad_edge=False, header_style="bold")
    heading = "share, %" if is_wide else "share, % (95 % interval)"
    table.add_column(heading, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for factor, by_study in comparison.factors.items():
        cells = []
        for name in names:
            interval = "" if is_wide else f" ({percents(by_study[name].interval, 0)})"
            cells.append(f"{percent(by_study[name].share)}{interval}")
        differs = any(one.factor == factor for one in certain)
        table.add_row(factor, *cells, style="bold" if differs else "")
    lines = [
        f"rank correlation of {one} and {other}: {rho:.2f}"
        for (one, other), rho in comparison.correlations.items()
        if rho is not None
    ]
    lines += [
        f"{one.factor} {'weighs more' if one.difference > 0 else 'weighs less'} in {one.one} than "
        f"in {one.other}: {100 * one.difference:+.1f} points of share (p {one.p_value:.3f})"
        for one in certain
    ] or ["no difference between these studies is more than noise"]
    return Group(table, Text(), *(Text(line) for line in lines))


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON."""
    document: dict[str, Any] = as_plain(
        {
            "schema": 1,
            "factors": [
                {
                    "name": name,
                    "studies": {
                        study: one._replace(hyperparameters=()) for study, one in own.items()
                    },
                }
                for name, own in comparison.factors.items()
            ],
            "correlations": [
                {"studies": list(pair), "spearman": rho}
                for pair, rho in comparison.correlations.items()
            ],
            "differences": comparison.differences,
        }
    )
    return document
