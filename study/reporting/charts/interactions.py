"""Which factors act together."""

from study.analysis.answer import Answer
from study.reporting.chart import Axis, Bars, Chart, Panel, Table, height_of
from study.reporting.wording import percent, percents

SHOWN = 12


def chart(answer: Answer) -> Chart | None:
    """The pairs whose interaction is there for certain; None when there are none."""
    rows = answer.interactions[:SHOWN]
    if not rows:
        return None
    names = tuple(" × ".join(pair.factors) for pair in rows)
    bars = Bars(
        "", ("leading",) * len(rows), tuple(range(len(rows))),
        tuple(100 * pair.share for pair in rows),
        intervals=tuple((100 * p.interval[0], 100 * p.interval[1]) for p in rows),
        labels=tuple(f"{percent(pair.share)} %" for pair in rows),
    )  # fmt: skip
    highest = max(pair.interval[1] for pair in rows)
    panel = Panel(
        Axis("share of the explained variance, % (95 % interval)", low=0, high=120 * highest),
        Axis(names=names), (bars,), height_of(len(rows)),
    )  # fmt: skip
    note = (
        "What two factors do together beyond what each does alone; of all pairs of the eight "
        "factors with the largest effects, those whose interval lies above 0."
    )
    table = Table(
        ("factors", "share, %", "95 % interval"),
        tuple(
            (" × ".join(p.factors), percent(p.share), percents(p.interval))
            for p in answer.interactions
        ),
    )
    first, second = rows[0].factors
    title = f"{first} and {second} depend on each other most"
    return Chart("interactions", title, note, (panel,), table)
