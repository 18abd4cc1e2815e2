"""Every factor's share with its interval, the noise floor, and what all variance consists of."""

from training_factors.study.analysis.answer import Answer, FactorImportance, TopicImportance
from training_factors.study.reporting.chart import (
    Axis,
    Bars,
    Chart,
    Panel,
    Table,
    Zone,
    shares_panel,
    with_gray_names,
)
from training_factors.study.reporting.formatting import percent, percents, points, probability

ROOM = 1.45
"""Part of the axis, in longest intervals, so that labels have room behind them."""


def chart(answer: Answer, subject: str) -> Chart:
    """Factors that cannot be told from noise are grey. subject: the data's name, for the title."""
    rows = (*answer.factors, answer.placebo)
    quiet = [i for i, factor in enumerate(rows) if not factor.matters]
    bars = shares_panel(
        [factor.name for factor in rows], [factor.share for factor in rows],
        [factor.interval for factor in rows], [_color(factor, answer) for factor in rows],
        [_label(factor) for factor in rows], room=ROOM,
    )  # fmt: skip
    floor = Zone(0, 100 * answer.floor)
    panel = with_gray_names(bars._replace(marks=(floor, *bars.marks)), quiet)
    note = (
        f"{evidence(answer)}. Grey: not distinguishable from noise; the dashed line is the noise "
        f"floor, {percent(answer.floor)} %, which the placebo reaches, a parameter that training "
        "never reads. ± points: standard deviation of the objective that the factor causes, in "
        "hundredths."
    )
    return Chart("importance", title(answer, subject), note, (panel, _parts(answer)), table(rows))


def topics(answer: Answer) -> Chart | None:
    """Topics, where one holds several factors: these act as one."""
    if not any(len(topic.factors) > 1 for topic in answer.topics):
        return None
    rows = answer.topics
    telling = {factor.name for factor in answer.factors if factor.matters}
    known = [topic for topic in rows if telling & {*topic.factors}]
    panel = shares_panel(
        [topic.name for topic in rows], [topic.share for topic in rows],
        [topic.interval for topic in rows], ["other" if one in known else "pale" for one in rows],
        [f"{percent(topic.share, 0)} %" for topic in rows],
    )  # fmt: skip
    is_settled = answer.verdict.kind in ("leader", "tie")
    title = f"By topic, {rows[0].name} weighs most" if is_settled else "Shares by topic"
    note = (
        "All factors of a topic act as one, which is not the sum of their shares; estimated anew, "
        "so that a topic of one factor differs by the error of sampling. Grey: none of its factors "
        "can be told from noise."
    )
    return Chart("topics", title, note, (panel,), _topic_table(rows))


def title(answer: Answer, subject: str) -> str:
    """What the measured runs say, in a few words."""
    leaders = answer.verdict.leaders
    on = f" on {subject}" if subject else ""
    if answer.verdict.kind == "leader":
        return f"{leaders[0]} matters most{on}"
    if answer.verdict.kind == "tie":
        shown = leaders if len(leaders) <= 3 else (*leaders[:2], f"{len(leaders) - 2} others")
        if len(shown) == 1:
            return f"{shown[0]} comes first{on}, but not for certain"
        return f"{', '.join(shown[:-1])} and {shown[-1]} matter most{on}"
    if answer.verdict.kind == "nothing":
        return f"Nothing matters{on or ' here'} that {answer.evidence.runs} runs can show"
    return f"{answer.evidence.runs} runs{on} do not settle what matters most"


def evidence(answer: Answer) -> str:
    """On what the shares rest."""
    counts, quality = answer.evidence, answer.surrogate
    most = "" if quality.ceiling is None else f", where at most {quality.ceiling:.2f} is possible"
    return f"{counts.rows} configurations, {counts.runs} runs; R² {quality.r2:.2f}{most}"


def table(rows: tuple[FactorImportance, ...]) -> Table:
    """All that is known of every factor."""
    headings = (
        "factor", "share, %", "95 % interval", "alone, %", "with interactions, %", "± points",
        "gain, points", "best option", "p (Holm)", "first in, %", "standing",
    )  # fmt: skip
    return Table(
        headings,
        tuple(
            (
                factor.name, percent(factor.share), percents(factor.interval),
                percent(factor.first_order), percent(factor.total), f"{factor.points:.1f}",
                points(factor.gain), factor.best_option, probability(factor.p_value),
                percent(factor.p_first, 0), factor.verdict,
            )
            for factor in rows
        ),
    )  # fmt: skip


def _topic_table(rows: tuple[TopicImportance, ...]) -> Table:
    return Table(
        ("topic", "share, %", "95 % interval", "± points", "factors"),
        tuple(
            (t.name, percent(t.share), percents(t.interval), f"{t.points:.1f}",
             ", ".join(t.factors))
            for t in rows
        ),
    )  # fmt: skip


def _parts(answer: Answer) -> Panel:
    seed = [] if answer.seed_noise is None else [("seed noise", answer.seed_noise, "seed")]
    bars, start = [], 0.0
    for name, part, color in [
        ("factors", answer.explained, "other"), *seed,
        ("unexplained", answer.unexplained, "pale"),
    ]:  # fmt: skip
        shown = f"{name} {percent(part, 0)} %"
        bars.append(Bars(shown, (color,), (0,), (100 * part,), starts=(start,)))
        start += 100 * part
    return Panel(
        Axis("what all variance among the runs consists of, %", low=0, high=100),
        Axis(names=("",)), tuple(bars), 120,
    )  # fmt: skip


def _color(factor: FactorImportance, answer: Answer) -> str:
    if not factor.matters:
        return "pale"
    return "leading" if factor.name in answer.verdict.leaders else "other"


def _label(factor: FactorImportance) -> str:
    if not factor.matters:
        return ""
    return f"{percent(factor.share, 0)} % · ± {factor.points:.1f} points"
