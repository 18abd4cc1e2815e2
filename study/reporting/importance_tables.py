"""The answer as a table of bars drawn in text, 80 columns wide."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from training_factors.search_spaces.description import SpaceDescription
from training_factors.storage.files import REPORT, write_atomically
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.answer import (
    Answer,
    FactorImportance,
    TopicImportance,
    as_plain,
)
from training_factors.study.analysis.answer import as_document as answer_document
from training_factors.study.analysis.contrasts import Confirmation
from training_factors.study.analysis.lenses import Lenses, LensResult, compute_lenses
from training_factors.study.analysis.recommendation import chosen_setting, evidence_for
from training_factors.study.analysis.uncertainty import Interval
from training_factors.study.reporting import importance_tables, matplotlib_charts
from training_factors.study.reporting.analyses import answer_of, kept
from training_factors.study.reporting.charts import importance
from training_factors.study.reporting.formatting import (
    format_settings,
    percent,
    percents,
    points,
    whole_line,
)
from training_factors.study.reporting.recommendation_table import confirmation_of
from training_factors.study.reporting.status import best_trial

BAR_WIDTH = 15
"""Characters for the longest bar, its interval included."""


MUCH_CHANCE = 0.4
"""Part of the runs at chance above which the ranges are too wide to learn from."""


def draw_importance(answer: Answer, objective: str = "objective") -> RenderableType:
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


def interval_bar(share: float, interval: Interval, longest: float) -> str:
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
    table.add_column("", width=BAR_WIDTH, no_wrap=True)
    for name in last:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _cells(
    row: FactorImportance | TopicImportance, rows: Sequence[FactorImportance | TopicImportance]
) -> tuple[str, ...]:
    longest = max(other.interval[1] for other in rows)
    drawn = interval_bar(row.share, row.interval, longest)
    return row.name, f"{percent(row.share)} %", percents(row.interval), drawn


def _cell(share: float, longest: float) -> int:
    return round(share / longest * (BAR_WIDTH - 1)) if longest else 0


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


class Summary(NamedTuple):
    """What a study says."""

    study: str
    data: str
    objective: str
    answer: Answer
    best: Trial
    confirmation: Confirmation | None
    space: SpaceDescription


def compute_summary(study: Study, jobs: int) -> Summary:
    """What a study has measured, analysed where that was not done before.

    Raises NoAnswer when that is too little.
    """
    trials = read_trials(study)
    answer = answer_of(study, jobs)
    best = best_trial(trials)
    assert best is not None, "an answer has complete runs"
    data, objective = study.stamp.data.name, study.stamp.objective
    space = study.stamp.space
    confirmation = confirmation_of(study)
    return Summary(study.name, data, objective, answer, best, confirmation, space)


def summary_document(summary: Summary) -> dict[str, Any]:
    """The summary as JSON: that of the answer, and the best run."""
    best = summary.best
    document = answer_document(summary.answer, summary.study)
    for factor, row in zip(summary.answer.factors, document["factors"], strict=True):
        contrast = summary.confirmation.of(factor.name) if summary.confirmation else None
        row["confirmed"] = as_plain(contrast)
        row["verdict"] = evidence_for(factor, contrast)
    return {
        **document,
        "best": {
            "trial": best.number,
            "value": best.value,
            "metrics": best.metrics,
            "seed": best.seed,
            "parameters": _complete(summary),
        },
    }


def write_summary(summary: Summary, folder: Path) -> list[Path]:
    """Write the chart of the answer as PNG and SVG, and the answer as JSON; the files."""
    document = folder / "importance.json"
    text = json.dumps(summary_document(summary), indent=2) + "\n"
    write_atomically(document, text.encode(), REPORT)
    return [
        *matplotlib_charts.save_chart(importance.chart(summary.answer, summary.data), folder),
        document,
    ]


def draw_summary(summary: Summary, chart: Path, page: Path, following: str) -> RenderableType:
    """The importance table, the best configuration, where the files lie, the next command."""
    best = summary.best
    title = Text.assemble(
        ("best configuration", "bold"),
        f"  trial #{best.number} ({best.phase}), "
        f"validation {summary.objective} {best.value:.4f}, one run",
        *([] if _is_confirmed(summary) else ["; another was confirmed: recommend"]),
    )
    return Group(
        importance_tables.draw_importance(summary.answer, summary.objective),
        Text(),
        title,
        _configuration(summary),
        Text(),
        whole_line(f"report  {page}"),
        whole_line(f"chart   {chart} (beside it .svg, .json)"),
        whole_line(f"next    {following}"),
    )


def _configuration(summary: Summary) -> RenderableType:
    """The option of each factor with its hyperparameters, a line each; then what no run varied."""
    table = Table(box=None, pad_edge=False, show_header=False)
    held = []
    for factor in summary.space.factors:
        option, hyperparameters = chosen_setting(factor, summary.best.parameters)
        if not {factor.name, *hyperparameters} & summary.best.parameters.keys():
            held.append(f"{factor.name} {option}")
            continue
        table.add_row(f"  {factor.name}", option, format_settings(hyperparameters))
    if not held:
        return table
    return Group(table, Padding(Text(f"held: {', '.join(held)}"), (0, 0, 0, 2)))


def _is_confirmed(summary: Summary) -> bool:
    """Whether the best run's configuration is the confirmed one, where one was."""
    confirmed = summary.confirmation
    return confirmed is None or confirmed.config == summary.best.parameters


def _complete(summary: Summary) -> dict[str, Any]:
    """Every factor's option and hyperparameters, also those that were held."""
    found: dict[str, Any] = {}
    for factor in summary.space.factors:
        option, hyperparameters = chosen_setting(factor, summary.best.parameters)
        found |= {factor.name: option, **hyperparameters}
    return found


LISTED_PARAMETERS = 8
"""Parameters of PED-ANOVA that are listed."""


def lenses_of(study: Study, jobs: int) -> Lenses:
    """Importance through the other lenses. Raises NoAnswer when too little was measured."""
    return kept(study, "lenses", compute_lenses, TypeAdapter(Lenses), jobs)


def draw_lenses(lenses: Lenses, answer: Answer) -> RenderableType:
    """Shares in percent, the factors in the order of the answer."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("share through a lens, %", no_wrap=True)
    table.add_column("raw", justify="right")
    shares = {seen.name: {one.factor: one.share for one in seen.shares} for seen in lenses.seen}
    for seen in lenses.seen:
        table.add_column(seen.name, justify="right")
    for factor in (*answer.factors, answer.placebo):
        cells = [shares[seen.name].get(factor.name) for seen in lenses.seen]
        table.add_row(
            factor.name,
            f"{100 * factor.share:.1f}",
            *("–" if share is None else f"{100 * share:.1f}" for share in cells),
            style="" if factor.matters else "dim",
        )
    table.add_row("R²", *(_r2(r2) for r2 in (answer.surrogate.r2, *(s.r2 for s in lenses.seen))))
    notes = Table(box=None, pad_edge=False, show_header=False)
    for seen in lenses.seen:
        notes.add_row(seen.name, _note(seen))
    return Group(table, Text(), notes, Text(), _ped_anova(lenses.ped_anova))


def lenses_document(lenses: Lenses) -> dict[str, Any]:
    """The lenses as JSON."""
    document: dict[str, Any] = as_plain(
        {"lenses": lenses.seen, "ped_anova": dict(lenses.ped_anova)}
    )
    return document


def _r2(r2: float | None) -> str:
    return "–" if r2 is None else f"{r2:.2f}"


def _note(seen: LensResult) -> str:
    return seen.question if seen.nothing is None else f"{seen.question}: {seen.nothing}"


def _ped_anova(parts: dict[str, float]) -> RenderableType:
    largest = sorted(parts, key=lambda name: -parts[name])[:LISTED_PARAMETERS]
    listed = ", ".join(f"{name} {100 * parts[name]:.0f} %" for name in largest)
    return Text(
        "PED-ANOVA, which optuna-dashboard shows as importance, asks which single parameters set "
        f"the best tenth apart; it is no share of the variance and sees no interactions: {listed}"
    )
