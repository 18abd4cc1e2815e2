"""Chart of the interactions of factors."""

from training_factors.study.analysis.answer import Answer
from training_factors.study.reporting.chart import Chart, Table, shares_panel
from training_factors.study.reporting.formatting import percent, percents

MAX_PAIRS = 12
"""Maximum number of interactions that are drawn, the largest first."""


def chart(answer: Answer) -> Chart | None:
    """Return the share of each significant interaction; None if there are none."""
    drawn = answer.interactions[:MAX_PAIRS]
    if not drawn:
        return None
    panel = shares_panel(
        [" × ".join(pair.factors) for pair in drawn], [pair.share for pair in drawn],
        [pair.share for pair in drawn], [pair.interval for pair in drawn],
        ["primary"] * len(drawn),
        [f"{percent(pair.share)} %" for pair in drawn],
    )  # fmt: skip
    note = (
        "An interaction is the effect of two factors together beyond the sum of their separate "
        "effects. All pairs of the factors, at most eight, with the largest total effects "
        "were tested; shown are those whose interval lies above 0."
    )
    table = Table(
        ("factors", "share, %", "95 % interval"),
        tuple(
            (" × ".join(pair.factors), percent(pair.share), percents(pair.interval))
            for pair in answer.interactions
        ),
    )
    first, second = drawn[0].factors
    title = f"The strongest interaction is between {first} and {second}"
    return Chart("interactions", title, note, (panel,), table)
