"""Which classes the best configuration takes for which."""

from collections.abc import Sequence

from training_factors.study.analysis.diagnostics import ConfusionMatrix
from training_factors.study.reporting.chart import (
    LONGEST,
    Axis,
    Bars,
    Cells,
    Chart,
    Panel,
    Table,
    height_of,
)

MOST_CLASSES = 20
"""Classes up to which all counts are drawn as a square."""

SHOWN = 20


def chart(found: ConfusionMatrix) -> Chart:
    """All counts as a square, or of many classes the pairs that are confused most."""
    drawn = _square(found) if len(found.classes) <= MOST_CLASSES else _pairs(found)
    rows = [
        (found.classes[true], found.classes[named], str(count))
        for (true, named), count in sorted(found.counts.items(), key=lambda item: -item[1])
    ]
    table = Table(("is", "is named", "samples"), tuple(rows))
    return Chart("confusion", _title(found), f"Of {found.source}.", (drawn,), table)


def _square(found: ConfusionMatrix) -> Panel:
    places = range(len(found.classes))
    rows = tuple(
        tuple(float(found.counts.get((true, named), 0)) for named in places) for true in places
    )
    names = tuple(found.classes)
    height = 110 + 32 * len(names) + 7 * min(max(map(len, names)), LONGEST // 2)
    return Panel(Axis("is named", names), Axis("is", names), (Cells(rows),), height)


def _pairs(found: ConfusionMatrix) -> Panel:
    rows = found.mistaken[:SHOWN]
    names = tuple(f"{found.classes[true]} as {found.classes[named]}" for (true, named), _ in rows)
    bars = Bars(
        "", ("warm",) * len(rows), tuple(range(len(rows))),
        tuple(float(count) for _, count in rows), labels=tuple(str(count) for _, count in rows),
    )  # fmt: skip
    return Panel(Axis("samples", low=0), Axis(names=names), (bars,), height_of(len(rows)))


def _title(found: ConfusionMatrix) -> str:
    if not found.mistaken:
        return "No class is taken for another"
    (true, named), count = found.mistaken[0]
    return f"{_quoted(found.classes, true, named)} is the commonest mistake: {count} samples"


def _quoted(classes: Sequence[str], true: int, named: int) -> str:
    return f"“{classes[true]}” named “{classes[named]}”"
