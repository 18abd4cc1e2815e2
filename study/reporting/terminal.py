"""The answer as a table of bars drawn in text, 80 columns wide."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from study.analysis.answer import Answer, Factor, Topic
from study.analysis.intervals import Interval
from study.reporting.wording import percent, percents, points

BAR = 15
"""Characters for the longest bar, its interval included."""


MUCH_CHANCE = 0.4
"""Part of the runs at chance above which the ranges are too wide to learn from."""


def draw(answer: Answer, objective: str = "objective") -> RenderableType:
    """Verdict, factors, topics where one holds several factors, and what remains unexplained.

    A factor that cannot be told from noise is dim, and named so below the table. Where the
    surrogates explain nothing, shares of it would be noise, so there is no table.
    """
    parts: list[RenderableType] = [Text(answer.verdict.sentence, style="bold")]
    if answer.explained > 0:
        parts += [Text(), _factors(answer)]
        if any(len(topic.factors) > 1 for topic in answer.topics):
            parts += [Text(), _topics(answer)]
    return Group(*parts, Text(), _notes(answer, objective))


def bar(share: float, interval: Interval, longest: float) -> str:
    """A bar with its interval marked: `━━━━━├──●──┤`, the point at `share`.

    longest: the share that all of the width stands for.
    """
    low, here, high = (_cell(part, longest) for part in (interval[0], share, interval[1]))
    cells = list("━" * low + "─" * (high - low + 1))
    cells[low], cells[high] = "├", "┤"
    cells[here] = "●"
    return "".join(cells)


def _factors(answer: Answer) -> Table:
    listed = (*answer.factors, answer.placebo)
    table = _table("factor", "points", "gain")
    for factor in listed:
        numbers = f"± {factor.points:.1f}", points(factor.gain)
        table.add_row(*_cells(factor, listed), *numbers, style="" if factor.matters else "dim")
    return table


def _topics(answer: Answer) -> Table:
    table = _table("topic", "factors")
    for topic in answer.topics:
        table.add_row(*_cells(topic, answer.topics), str(len(topic.factors)))
    return table


def _table(first: str, *last: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("", width=BAR, no_wrap=True)
    for name in last:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(row: Factor | Topic, rows: Sequence[Factor | Topic]) -> tuple[str, ...]:
    longest = max(other.interval[1] for other in rows)
    drawn = bar(row.share, row.interval, longest)
    return row.name, f"{percent(row.share)} %", percents(row.interval), drawn


def _cell(share: float, longest: float) -> int:
    return round(share / longest * (BAR - 1)) if longest else 0


def _notes(answer: Answer, objective: str) -> Table:
    """What the columns mean, and what the shares leave out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    if answer.explained > 0:
        table.add_row("share", "part of what the factors explain, which is " + _parts(answer))
        table.add_row(
            "points",
            f"standard deviation that the factor causes, in hundredths of the {objective}",
        )
        table.add_row("gain", "best option less the baseline's, in points, on the average")
        table.add_row("noise", _noise(answer))
    if answer.interactions:
        table.add_row("together", _together(answer))
    table.add_row("runs", _runs(answer))
    return table


def _parts(answer: Answer) -> str:
    parts = [f"{percent(answer.explained, 0)} % of the variance"]
    if answer.seed_noise is not None:
        parts.append(f"{percent(answer.seed_noise, 0)} % is seed noise")
    return "; ".join([*parts, f"{percent(answer.unexplained, 0)} % is unexplained"])


def _noise(answer: Answer) -> str:
    below = [factor.name for factor in answer.factors if not factor.matters]
    reach = f"the placebo, which training never reads, reaches {percent(answer.floor)} %"
    return f"{reach}; not distinguishable from noise: {', '.join(below) or 'none'}"


def _together(answer: Answer) -> str:
    """The strongest interactions."""
    return "; ".join(
        f"{' × '.join(pair.factors)} {percent(pair.share)} % ({percents(pair.interval)})"
        for pair in answer.interactions[:3]
    )


def _runs(answer: Answer) -> str:
    counts = answer.evidence
    chance = "" if counts.at_chance is None else f", {100 * counts.at_chance:.0f} % ended at chance"
    line = f"{counts.rows} rows, {counts.runs} runs{chance}, {100 * counts.diverged:.0f} % diverged"
    if counts.at_chance is not None and counts.at_chance > MUCH_CHANCE:
        return f"{line}: too many learned nothing; narrow the ranges (--range, --choices, --drop)"
    return line
