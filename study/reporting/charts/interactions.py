"""Which factors act together."""

from training_factors.study.analysis.answer import Answer
from training_factors.study.reporting.chart import Chart, Table, shares_panel
from training_factors.study.reporting.formatting import percent, percents

SHOWN = 12


def chart(answer: Answer) -> Chart | None:
    """The pairs whose interaction is there for certain; None when there are none."""
    rows = answer.interactions[:SHOWN]
    if not rows:
        return None
    names = tuple(" × ".join(pair.factors) for pair in rows)
    panel = shares_panel(
        names, [pair.share for pair in rows], [pair.interval for pair in rows],
        ["leading"] * len(rows), [f"{percent(pair.share)} %" for pair in rows],
        title="share of the explained variance, % (95 % interval)",
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
