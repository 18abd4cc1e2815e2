"""Charts of the importance of factors and topics, and of the parts of the variance."""

from collections.abc import Sequence

from training_factors.study.analysis.answer import Answer, FactorImportance, TopicImportance
from training_factors.study.reporting.chart import (
    Axis,
    Bars,
    Chart,
    Panel,
    Table,
    shares_panel,
    with_gray_names,
)
from training_factors.study.reporting.formatting import (
    PLACEBO_MEANING,
    Unit,
    decimals,
    percent,
    percents,
    plural,
    probability,
    unit_of,
)

MAX_TITLE_FACTORS = 4
"""Maximum number of leading factors that the title names; of more, it counts all but two."""

ROOM = 1.45
"""Length of the axis as a multiple of the largest upper bound; the labels need the space."""

DIVISION_ROOM = 1.7
"""The same for the bar of the division, whose label is longer."""


def chart(answer: Answer, subject: str, objective: str, unit: Unit | None = None) -> Chart:
    """Return the share of every factor and of the placebo, and the parts of the variance.

    subject: name of the data, for the title.
    """
    factors, unit = answer.factors_and_placebo, unit or unit_of(objective)
    shares = shares_panel(
        [factor.name for factor in factors], [factor.share for factor in factors],
        [factor.shown for factor in factors], [factor.interval for factor in factors],
        [_color(factor, answer) for factor in factors],
        [_label(factor, unit) for factor in factors],
        room=ROOM,
    )  # fmt: skip
    not_significant = [i for i, factor in enumerate(factors) if not factor.matters]
    panel = with_gray_names(shares, not_significant)
    placebo = "" if answer.placebo is None else f" {PLACEBO_MEANING}"
    note = (
        f"{_evidence(answer)}. Solid: the part of a share that the runs show. Hollow: how far it "
        "could reach, since nobody knows yet which factors cause what is not explained. Point: the "
        f"best estimate. Grey: not distinguishable from noise.{placebo} SD: the standard deviation "
        f"of the {objective} that the factor causes; {unit.note}."
    )
    if answer.division_noise is not None:
        note += f" {division_note(answer, unit)}"
    panels = (panel, _variance_panel(answer, unit))
    has_gains = answer.no_effects is None
    table = factor_table(factors, unit, has_gains=has_gains)
    return Chart("importance", _title(answer, subject), note, panels, table)


def topics(answer: Answer, objective: str) -> Chart | None:
    """Return the share of every topic; None if every topic has a single factor."""
    rows = answer.topics
    if not any(len(topic.factors) > 1 for topic in rows):
        return None
    significant = {factor.name for factor in answer.factors if factor.matters}
    panel = shares_panel(
        [topic.name for topic in rows], [topic.share for topic in rows],
        [topic.shown for topic in rows], [topic.interval for topic in rows],
        ["secondary" if significant & {*topic.factors} else "faint" for topic in rows],
        [f"{percent(topic.share, 0)} %" for topic in rows],
    )  # fmt: skip
    title = "Share of each topic"
    if answer.verdict.kind != "nothing":
        title = f"By topic, {rows[0].name} has the largest share"
    note = (
        "All factors of a topic count as one group; its share is not the sum of its factors' "
        "shares. It is estimated separately, so a topic of one factor differs from that factor by "
        "the sampling error. Grey: no factor of the topic is distinguishable from noise."
    )
    return Chart("topics", title, note, (panel,), _topic_table(rows, unit_of(objective)))


def _title(answer: Answer, subject: str) -> str:
    """Return the verdict as a short sentence."""
    leaders, runs = answer.verdict.leaders, answer.evidence.runs
    on = f" on {subject}" if subject else ""
    if answer.verdict.kind == "leader":
        return f"Averaged over all settings, {leaders[0]} matters most{on}"
    if answer.verdict.kind == "set":
        few = len(leaders) <= MAX_TITLE_FACTORS
        shown = leaders if few else (*leaders[:2], f"{len(leaders) - 2} others")
        matter = f"{', '.join(shown[:-1])} or {shown[-1]}"
        return f"Averaged over all settings, {matter} matters most{on}"
    return f"No effect detected{on} in {plural(runs, 'run')}"


def _evidence(answer: Answer) -> str:
    """Return the number of runs and the quality of the surrogates."""
    counts, quality = answer.evidence, answer.surrogate
    ceiling = "" if quality.ceiling is None else f" (at most {quality.ceiling:.2f} is possible)"
    runs = f"{plural(counts.rows, 'configuration')}, {plural(counts.runs, 'run')}"
    return f"{runs}; R² of the surrogates {decimals(quality.r2, 2)}{ceiling}"


def _variance_panel(answer: Answer, unit: Unit) -> Panel:
    """Return one bar that divides the variance between configurations into its parts.

    They sum to 100 %, as do the solid bars of the factors, the seed noise and the rest. What
    another division of the data would change is none of these parts: it is a bar of its own below.
    """
    seed = [] if answer.seed_noise is None else [("seed noise", answer.seed_noise, "accent")]
    parts = [
        ("factors, as far as shown", answer.explained, "secondary"), *seed,
        ("not explained", answer.unexplained, "faint"),
    ]  # fmt: skip
    bars, start = [], 0.0
    for name, part, color in parts:
        label = f"{name} {percent(part, 0)} %"
        bars.append(Bars(label, (color,), (0,), (100 * part,), starts=(start,)))
        start += 100 * part
    title = "parts of the variance between configurations, %"
    noise = answer.division_noise
    if noise is None:
        return Panel(Axis(title, low=0, high=100), Axis(names=("",)), tuple(bars), 120)
    low, high = (100 * bound for bound in noise.interval)
    bars.append(
        Bars(
            "", ("warning",), (1,), (100 * noise.share,), intervals=((low, high),),
            labels=(
                f"another division {percent(noise.share)} % · SD "
                f"{unit.unsigned(noise.points)} {unit.name}",
            ),
        )
    )  # fmt: skip
    # A division may cause more variance than there is between configurations.
    x = Axis(title, low=0, high=max(100.0, DIVISION_ROOM * high))
    return Panel(x, Axis(names=("", "")), tuple(bars), 160)


def division_note(answer: Answer, unit: Unit) -> str:
    """Return how much another division of the data would move a result, which was measured.

    Gains are averages over configurations that share one division; one that is smaller than what
    the division moves may be another one elsewhere.
    """
    noise = answer.division_noise
    assert noise is not None
    sizes = " to ".join(unit.unsigned(bound) for bound in noise.points_interval)
    text = (
        f"Another division of the data into training and validation part would move a result by a "
        f"standard deviation of {unit.unsigned(noise.points)} {unit.name} (95 % interval {sizes}), "
        f"beyond seed noise. That is {percent(noise.share)} % "
        f"({percents(noise.interval)} %) of the variance between configurations, and no part of "
        f"it: these share one division. It was measured in {noise.runs} runs of {noise.rows} "
        "configurations."
    )
    smaller = [f.name for f in answer.factors if f.matters and 0 < f.gain < noise.points]
    if smaller:
        verb = "is" if len(smaller) == 1 else "are"
        gain = "gain" if len(smaller) == 1 else "gains"
        text += f" The {gain} of {', '.join(smaller)} {verb} smaller than that."
    return text


def _color(factor: FactorImportance, answer: Answer) -> str:
    if not factor.matters:
        return "faint"
    return "primary" if factor.name in answer.verdict.leaders else "secondary"


def _label(factor: FactorImportance, unit: Unit) -> str:
    if not factor.matters:
        return ""
    return f"{percent(factor.share, 0)} % · SD {unit.unsigned(factor.points)} {unit.name}"


def factor_table(
    factors: Sequence[FactorImportance], unit: Unit, *, has_gains: bool = True
) -> Table:
    """Return every number that is known of each factor. has_gains: whether gains mean anything."""
    headings = (
        "factor", "share, %", "95 % interval", "shown, %", "alone, %", "with interactions, %",
        f"SD, {unit.name}", f"gain, {unit.name}", "best option", "p (Holm)",
        "first with probability, %", "evidence from measured runs",
    )  # fmt: skip
    return Table(
        headings,
        tuple(
            (
                factor.name, percent(factor.share), percents(factor.interval),
                percent(factor.shown), percent(factor.first_order), percent(factor.total),
                unit.unsigned(factor.points), unit.signed(factor.gain) if has_gains else "",
                factor.best_option if has_gains else "",
                probability(factor.p_value), percent(factor.p_first, 0), factor.verdict,
            )
            for factor in factors
        ),
    )  # fmt: skip


def _topic_table(rows: Sequence[TopicImportance], unit: Unit) -> Table:
    return Table(
        ("topic", "share, %", "95 % interval", "shown, %", f"SD, {unit.name}", "factors"),
        tuple(
            (
                topic.name, percent(topic.share), percents(topic.interval), percent(topic.shown),
                unit.unsigned(topic.points), ", ".join(topic.factors),
            )
            for topic in rows
        ),
    )  # fmt: skip
