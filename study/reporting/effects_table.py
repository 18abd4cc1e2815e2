"""What every option and hyperparameter does, as tables: one per factor."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.study.analysis.answer import Answer, as_plain
from training_factors.study.analysis.effects import Effect
from training_factors.study.reporting.formatting import points, points_interval, short_value

LEVELS = "▁▂▃▄▅▆▇█"


def draw_effects(answer: Answer, objective: str) -> RenderableType:
    """Factors in the order of their shares; what cannot be told from noise is dim."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("setting", no_wrap=True)
    for heading in ("mean", "points", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("along", no_wrap=True)
    for factor in answer.factors:
        own = [effect for effect in answer.effects if effect.factor == factor.name]
        table.add_row(Text(factor.name, style="bold" if factor.matters else "dim"))
        for effect in own:
            if effect.hyperparameter is None:
                table.add_row(f"  {effect.option}", *_numbers(effect), style=_style(effect))
            elif effect.hyperparameter not in {
                other.hyperparameter for other in own[: own.index(effect)]
            }:
                along = [other for other in own if other.hyperparameter == effect.hyperparameter]
                best = max(along, key=lambda other: other.mean)
                name = effect.hyperparameter.removeprefix(f"{factor.name}.")
                table.add_row(
                    f"    {name} = {short_value(best.value)}", *_numbers(best), _sketch(along),
                    style=_style(best),
                )  # fmt: skip
    note = (
        f"mean: {objective} over all other factors, from {answer.evidence.rows} rows. points: "
        "over the factor's baseline, in hundredths. A hyperparameter stands at its best value, with the mean "
        "along its range from low to high."
    )
    return Group(table, Text(), Text(note))


def effects_document(answer: Answer, study: str) -> dict[str, Any]:
    """Every effect as JSON."""
    document: dict[str, Any] = as_plain({"schema": 1, "study": study, "effects": answer.effects})
    return document


def _numbers(effect: Effect) -> tuple[str, str, str]:
    if effect.interval == (0, 0):
        return f"{effect.mean:.4f}", "", "baseline"
    return f"{effect.mean:.4f}", points(effect.points), points_interval(effect.interval)


def _style(effect: Effect) -> str:
    """Dim unless it differs from the baseline for certain."""
    low, high = effect.interval
    return "" if low > 0 or high < 0 else "dim"


def _sketch(along: Sequence[Effect]) -> str:
    """A character per point, higher for higher means."""
    means = [effect.mean for effect in along]
    span = (max(means) - min(means)) or 1.0
    places = [(mean - min(means)) / span * (len(LEVELS) - 1) for mean in means]
    return "".join(LEVELS[round(place)] for place in places)
