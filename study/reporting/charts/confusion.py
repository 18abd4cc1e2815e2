"""Chart of the classes that the best configuration confuses."""

from training_factors.study.analysis.diagnostics import ConfusionMatrix
from training_factors.study.reporting.chart import (
    MAX_NAME_LENGTH,
    Axis,
    Bars,
    Chart,
    Heatmap,
    Panel,
    Table,
    panel_height,
)
from training_factors.study.reporting.formatting import decimals, plural

MAX_MATRIX_CLASSES = 20
"""Maximum number of classes for which the whole confusion matrix is drawn."""

MAX_PAIRS = 20
"""Maximum number of confused pairs that are drawn where there are too many classes for a matrix."""


def chart(matrix: ConfusionMatrix) -> Chart:
    """Return the confusion matrix, or the pairs confused most often if there are many classes."""
    is_small = len(matrix.classes) <= MAX_MATRIX_CLASSES
    panel = _matrix_panel(matrix) if is_small else _pairs_panel(matrix)
    rows = [
        (matrix.classes[true], matrix.classes[predicted], _number(count, matrix, 2))
        for (true, predicted), count in sorted(matrix.counts.items(), key=lambda item: -item[1])
    ]
    table = Table(("true class", "predicted class", _quantity(matrix)), tuple(rows))
    note = f"Predictions of {matrix.source}: number of {_quantity(matrix)}."
    return Chart("confusion", _title(matrix), note, (panel,), table)


def _quantity(matrix: ConfusionMatrix) -> str:
    """Return what is counted: samples, of one run or on average over the seeds."""
    return "samples" if matrix.runs == 1 else f"samples, mean of {matrix.runs} seeds"


def _number(count: float, matrix: ConfusionMatrix, digits: int) -> str:
    return str(round(count)) if matrix.runs == 1 else decimals(count, digits)


def _matrix_panel(matrix: ConfusionMatrix) -> Panel:
    places = range(len(matrix.classes))
    rows = tuple(
        tuple(round(matrix.counts.get((true, predicted), 0.0), 1) for predicted in places)
        for true in places
    )
    names = tuple(matrix.classes)
    height = 110 + 32 * len(names) + 7 * min(max(map(len, names)), MAX_NAME_LENGTH // 2)
    x, y = Axis("predicted class", names), Axis("true class", names)
    return Panel(x, y, (Heatmap(rows),), height)


def _pairs_panel(matrix: ConfusionMatrix) -> Panel:
    rows = matrix.mistaken[:MAX_PAIRS]
    names = tuple(
        f"{matrix.classes[true]} as {matrix.classes[predicted]}" for (true, predicted), _ in rows
    )
    bars = Bars(
        "", ("warning",) * len(rows), tuple(range(len(rows))),
        tuple(float(count) for _, count in rows),
        labels=tuple(_number(count, matrix, 1) for _, count in rows),
    )  # fmt: skip
    samples = Axis(_quantity(matrix), low=0, is_whole=True)
    return Panel(samples, Axis(names=names), (bars,), panel_height(len(rows)))


def _title(matrix: ConfusionMatrix) -> str:
    if not matrix.mistaken:
        return "Every sample is classified correctly"
    (true, predicted), count = matrix.mistaken[0]
    number = plural(round(count), "sample")
    if matrix.runs > 1:
        number = f"{_number(count, matrix, 1)} samples on average over {matrix.runs} seeds"
    return (
        f"The most frequent mistake: “{matrix.classes[true]}” classified as "
        f"“{matrix.classes[predicted]}”, {number}"
    )
