"""Chart of the data's division into training pool, validation set and test set, by class."""

from collections.abc import Mapping, Sequence

from training_factors.study.reporting.chart import Axis, Bars, Chart, Panel, Table, panel_height
from training_factors.study.reporting.formatting import plural

MAX_CLASSES = 30
"""Maximum number of classes that get a bar each; with more, one bar stands for all samples."""

_COLORS = {"pool": "secondary", "validation": "accent", "test": "good"}

_TITLES = {"pool": "training pool", "validation": "validation set", "test": "test set"}
"""Name of a part in a data sheet -> its name on screen."""


def chart(classes: Sequence[str], parts: Mapping[str, Sequence[int]]) -> Chart:
    """Return the number of samples in each part.

    classes: their names; empty for regression. parts: name of a part -> samples of each class, or
    one number where there are no classes.
    """
    sizes = ", ".join(f"{_title(name)} {sum(counts):,}" for name, counts in parts.items())
    total = sum(map(sum, parts.values()))
    stratified = ", with the same proportions of classes in each part" if classes else ""
    note = (
        "A validation or test set that the source brings is kept. A missing one was drawn once, "
        f"with the study's seed{stratified}. Networks are trained on the training pool and "
        "compared on the validation set; the test set is used for the confirmation only."
    )
    panel = _panel(classes, parts)
    return Chart(
        "division", f"{plural(total, 'sample')}: {sizes}", note, (panel,), _table(classes, parts)
    )


def _title(part: str) -> str:
    """Return the name of a part on screen."""
    return _TITLES.get(part, part)


def _panel(classes: Sequence[str], parts: Mapping[str, Sequence[int]]) -> Panel:
    has_class_bars = 1 < len(classes) <= MAX_CLASSES
    names = tuple(classes) if has_class_bars else ("all",)
    places = tuple(range(len(names)))
    starts = (0.0,) * len(names)
    bars = []
    for name, counts in parts.items():
        lengths = tuple(map(float, counts)) if has_class_bars else (float(sum(counts)),)
        colors = (_COLORS.get(name, "faint"),) * len(names)
        bars.append(Bars(f"{_title(name)} {sum(counts):,}", colors, places, lengths, starts))
        starts = tuple(start + length for start, length in zip(starts, lengths, strict=True))
    samples = Axis("samples", low=0, is_whole=True)
    return Panel(samples, Axis(names=names), tuple(bars), panel_height(len(names)))


def _table(classes: Sequence[str], parts: Mapping[str, Sequence[int]]) -> Table:
    names = classes or ("all",)
    rows = [(name, *(str(counts[i]) for counts in parts.values())) for i, name in enumerate(names)]
    total = ("all", *(str(sum(counts)) for counts in parts.values()))
    return Table(("class", *map(_title, parts)), (*rows, total) if classes else tuple(rows))
