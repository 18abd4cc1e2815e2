"""How the data is divided: training pool, validation and test, by class."""

from collections.abc import Mapping, Sequence

from training_factors.study.reporting.chart import Axis, Bars, Chart, Panel, Table, height_of

MOST_CLASSES = 30
"""Classes up to which each has a bar."""

_COLORS = {"pool": "other", "validation": "seed", "test": "good"}


def chart(classes: Sequence[str], parts: Mapping[str, Sequence[int]]) -> Chart:
    """parts: name -> samples per class, or one number where there are no classes."""
    total = sum(map(sum, parts.values()))
    has_bars = 1 < len(classes) <= MOST_CLASSES
    names = tuple(classes) if has_bars else ("all",)
    starts = [0.0] * len(names)
    bars = []
    for name, counts in parts.items():
        lengths = [float(count) for count in counts] if has_bars else [float(sum(counts))]
        places = tuple(range(len(names)))
        color = _COLORS.get(name, "pale")
        bars.append(
            Bars(
                f"{name} {sum(counts):,}", (color,) * len(names), places, tuple(lengths),
                starts=tuple(starts),
            )
        )  # fmt: skip
        starts = [start + length for start, length in zip(starts, lengths, strict=True)]
    panel = Panel(Axis("samples", low=0), Axis(names=names), tuple(bars), height_of(len(names)))
    sizes = ", ".join(f"{sum(counts):,} {name}" for name, counts in parts.items())
    note = (
        f"Divided once, by the study's seed{', of every class alike' if classes else ''}. Networks "
        "learn from the pool and are compared on validation; test is for the confirmation alone."
    )
    return Chart("division", f"{total:,} samples: {sizes}", note, (panel,), _table(classes, parts))


def _table(classes: Sequence[str], parts: Mapping[str, Sequence[int]]) -> Table:
    names = classes or ("all",)
    rows = [(name, *(str(counts[i]) for counts in parts.values())) for i, name in enumerate(names)]
    total = ("all", *(str(sum(counts)) for counts in parts.values()))
    return Table(("class", *parts), (*rows, total) if classes else tuple(rows))
