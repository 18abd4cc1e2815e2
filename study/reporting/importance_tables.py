"""The importance of a study's factors on the terminal and as JSON, with lenses.

The tables are 80 columns wide, with bars drawn in text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.study.analysis.answer import (
    Answer,
    FactorImportance,
    TopicImportance,
    as_plain,
)
from training_factors.study.analysis.checks import MUCH_CHANCE
from training_factors.study.analysis.intervals import Interval
from training_factors.study.analysis.lenses import Lenses, LensResult
from training_factors.study.reporting.charts.importance import division_note
from training_factors.study.reporting.formatting import (
    PLACEBO_MEANING,
    Unit,
    as_sentence,
    decimals,
    describe_objective,
    draw_notes,
    percent,
    percents,
    unit_of,
)

BAR_WIDTH = 15
"""Width of the longest bar with its interval, in characters."""

BAR_NOTE = (
    "Thick: the part that the runs show; thin: how far the share could reach; ●: the estimate."
)
"""Explanation of the bars."""

LISTED_INTERACTIONS = 3
"""Number of interactions that are listed below the table."""

LISTED_PARAMETERS = 8
"""Number of parameters that are listed with their PED-ANOVA importance."""

LENSES_NOTE = (
    "A lens shows the same shares for another number than the final objective, for example for the "
    "run time. The column objective has the shares for the final objective itself. All numbers but "
    "R² are shares in %. Lenses use gradient boosting as the only surrogate, the column objective "
    "its blend with a Gaussian process; R² is that on configurations that they did not see."
)
"""Explanation of lenses, above their columns' own notes."""


def draw_importance(
    answer: Answer, objective: str = "objective", unit: Unit | None = None
) -> RenderableType:
    """Draw the verdict, and what it rests on.

    unit: of differences; None for that of our objective of this name.
    """
    sentence = Text(answer.verdict.sentence, style="bold")
    return Group(sentence, Text(), draw_shares(answer, objective, unit))


def draw_shares(
    answer: Answer, objective: str = "objective", unit: Unit | None = None
) -> RenderableType:
    """Draw the factors, the topics that hold several factors, and the notes.

    Factors that are not distinguishable from noise are dim. unit: as of `draw_importance`.
    """
    unit = unit or unit_of(objective)
    parts: list[RenderableType] = [_factor_table(answer, unit)]
    if any(len(topic.factors) > 1 for topic in answer.topics):
        parts += [Text(), _topic_table(answer)]
    return Group(*parts, Text(), _notes(answer, objective, unit))


def interval_bar(share: float, shown: float, interval: Interval, longest: float) -> str:
    """Return a bar of what is shown and how far the share could reach: `━━━━──●──┤`.

    longest: the share at which a bar would be as wide as its column.
    """
    end, here, high = (_cell(max(0.0, part), longest) for part in (shown, share, interval[1]))
    cells = list("━" * end + "─" * (high - end + 1))
    cells[high] = "┤"
    cells[here] = "●"
    return "".join(cells)


def _cell(share: float, longest: float) -> int:
    return round(share / longest * (BAR_WIDTH - 1)) if longest else 0


def _factor_table(answer: Answer, unit: Unit) -> Table:
    rows = answer.factors_and_placebo
    table = _share_table("factor", f"SD,\n{unit.column}", f"gain,\n{unit.column}")
    for factor in rows:
        gain = unit.signed(factor.gain) if answer.no_effects is None else "–"
        numbers = unit.unsigned(factor.points), gain
        style = "" if factor.matters else "dim"
        table.add_row(*_share_cells(factor, rows), *numbers, style=style)
    return table


def _topic_table(answer: Answer) -> Table:
    table = _share_table("topic", "factors")
    for topic in answer.topics:
        table.add_row(*_share_cells(topic, answer.topics), str(len(topic.factors)))
    return table


def _share_table(first: str, *last: str) -> Table:
    """Return an empty table for names, shares, intervals, bars and further numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("", width=BAR_WIDTH, no_wrap=True)
    for name in last:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _share_cells(
    row: FactorImportance | TopicImportance, rows: Sequence[FactorImportance | TopicImportance]
) -> tuple[str, ...]:
    longest = max(other.interval[1] for other in rows)
    bar = interval_bar(row.share, row.shown, row.interval, longest)
    return row.name, f"{percent(row.share)} %", percents(row.interval), bar


def _notes(answer: Answer, objective: str, unit: Unit) -> Table:
    """Draw the explanation of each column, and what the shares rest on."""
    sd_note = (
        f"How much the factor makes {describe_objective(objective)} vary: the standard deviation "
        f"that it causes, in {unit.words}; {unit.note}."
    )
    gain_note = (
        f"The mean {objective} with the factor's best option minus that with its baseline option, "
        f"in {unit.words}."
    )
    if answer.no_effects is not None:
        gain_note = as_sentence(answer.no_effects)
    notes = [
        ("share", _share_note(answer)),
        ("bar", BAR_NOTE),
        ("SD", sd_note),
        ("gain", gain_note),
        ("noise", _noise_note(answer)),
    ]
    if answer.division_noise is not None:
        notes.append(("division", division_note(answer, unit)))
    if answer.interactions:
        notes.append(("pairs", _pairs_note(answer)))
    return draw_notes([*notes, ("runs", _runs_note(answer))])


def _share_note(answer: Answer) -> str:
    seed_noise = ""
    if answer.seed_noise is not None:
        seed_noise = f", {percent(answer.seed_noise, 0)} % is seed noise"
    return (
        "The part of all variance between configurations that the factor causes: the best estimate "
        f"and its 95 % interval. The runs show where {percent(answer.explained, 0)} % comes from"
        f"{seed_noise}, and {percent(answer.unexplained, 0)} % is not explained yet; every factor "
        "may have a part of it."
    )


def _noise_note(answer: Answer) -> str:
    noisy = [factor.name for factor in answer.factors if not factor.matters]
    test = (
        "A factor is distinguishable from noise if its effect is significant (randomization test, "
        "Holm's correction)."
    )
    if answer.placebo is not None:
        test += f" {PLACEBO_MEANING}"
    if not noisy:
        return f"{test} All factors are distinguishable from noise."
    return f"{test} Not distinguishable (dim): {', '.join(noisy)}."


def _pairs_note(answer: Answer) -> str:
    strongest = ", ".join(
        f"{' × '.join(pair.factors)} {percent(pair.share)} % ({percents(pair.interval)})"
        for pair in answer.interactions[:LISTED_INTERACTIONS]
    )
    return f"The strongest interactions of two factors, with their shares: {strongest}."


def _runs_note(answer: Answer) -> str:
    counts = answer.evidence
    sentence = f"{counts.rows} configurations were measured in {counts.runs} runs"
    diverged = f"{100 * counts.diverged:.0f} % of them diverged"
    if counts.at_chance is None:  # as in another program's study
        return f"{sentence}; {diverged}." if counts.diverged else f"{sentence}."
    sentence = (
        f"{sentence}; {diverged} and {100 * counts.at_chance:.0f} % were no better than chance: "
        "they diverged, or reached at most 5 % of the way from the chance level to a perfect value."
    )
    if counts.at_chance > MUCH_CHANCE:
        return f"{sentence} That is too many; narrow the ranges (--range, --choices, --drop)."
    return sentence


def draw_lenses(lenses: Lenses, answer: Answer) -> RenderableType:
    """Draw the shares through every lens in per cent, the factors in the order of the answer."""
    notes = [(lens.name, _lens_note(lens)) for lens in lenses.seen]
    return Group(
        _lens_table(lenses, answer), Text(), Text(LENSES_NOTE), draw_notes(notes), Text(),
        Text(_ped_anova_note(lenses.ped_anova)),
    )  # fmt: skip


def lenses_document(lenses: Lenses) -> dict[str, Any]:
    """Return the lenses as a JSON document."""
    document: dict[str, Any] = as_plain(
        {"lenses": lenses.seen, "ped_anova": dict(lenses.ped_anova)}
    )
    return document


def _lens_table(lenses: Lenses, answer: Answer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("factor", no_wrap=True)
    table.add_column("objective", justify="right")
    columns = [{one.factor: one.share for one in lens.shares} for lens in lenses.seen]
    for lens in lenses.seen:
        table.add_column(lens.name, justify="right")
    for factor in answer.factors_and_placebo:
        shares = [column.get(factor.name) for column in columns]
        table.add_row(
            factor.name,
            percent(factor.share),
            *("–" if share is None else percent(share) for share in shares),
            style="" if factor.matters else "dim",
        )
    table.add_row("R²", *(_r2(r2) for r2 in (answer.surrogate.r2, *(s.r2 for s in lenses.seen))))
    return table


def _r2(r2: float | None) -> str:
    return "–" if r2 is None else decimals(r2, 2)


def _lens_note(lens: LensResult) -> str:
    return lens.question if lens.nothing is None else f"{lens.question}: {lens.nothing}"


def _ped_anova_note(importances: Mapping[str, float]) -> str:
    largest = sorted(importances, key=lambda name: -importances[name])[:LISTED_PARAMETERS]
    listed = ", ".join(f"{name} {100 * importances[name]:.0f} %" for name in largest)
    return (
        "PED-ANOVA, which optuna-dashboard shows as importance, measures which single parameters "
        "distinguish the best tenth of the configurations from the others. Its numbers are not "
        f"shares of the variance and leave interactions out: {listed}. Here it is computed on "
        "measured configurations only, so the numbers of optuna-dashboard differ."
    )
