"""The effect of every option and hyperparameter, as a table and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.study.analysis.answer import Answer, as_plain
from training_factors.study.analysis.effects import BEST_OF, CONFIGURATIONS, Effect
from training_factors.study.reporting.formatting import (
    Unit,
    as_sentence,
    decimals,
    draw_notes,
    plural,
    short_value,
    unit_of,
)

LEVELS = "▁▂▃▄▅▆▇█"
"""Characters of a sketched curve, from the lowest mean to the highest."""


def draw_effects(answer: Answer, objective: str) -> RenderableType:
    """Draw the effects of each factor's options and hyperparameters, the largest share first.

    Factors that are not distinguishable from noise are dim. Where effects mean nothing, the reason
    is drawn instead of them.
    """
    if answer.no_effects is not None:
        return Text(f"{as_sentence(answer.no_effects)} {as_sentence(answer.verdict.sentence)}")
    unit = unit_of(objective)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("setting", no_wrap=True)
    best = BEST_OF.replace(" ", "\n", 1)
    for heading in ("mean", f"gain,\n{unit.column}", "95 % interval", best):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("curve", no_wrap=True)
    for factor in answer.factors:
        table.add_row(Text(factor.name, style="bold" if factor.matters else "dim"))
        for curve in _curves(answer.effects, factor.name):
            _add_row(table, curve, unit)
    return Group(table, Text(), draw_notes(_notes(answer, objective)))


def effects_document(answer: Answer, study: str) -> dict[str, Any]:
    """Return all effects as a JSON document; none where they mean nothing, with the reason."""
    effects = answer.effects if answer.no_effects is None else ()
    document: dict[str, Any] = as_plain(
        {"schema": 1, "study": study, "effects": effects, "no_effects": answer.no_effects}
    )
    return document


def _curves(effects: Sequence[Effect], factor: str) -> Iterator[list[Effect]]:
    """Yield a factor's effects: each option alone, and each hyperparameter's values together."""
    curves: dict[str, list[Effect]] = {}
    for effect in effects:
        if effect.factor == factor:
            key = effect.hyperparameter or f"option {effect.option}"
            curves.setdefault(key, []).append(effect)
    yield from curves.values()


def _add_row(table: Table, curve: Sequence[Effect], unit: Unit) -> None:
    """Add the row of an option, or of a hyperparameter at its best value with its curve."""
    best = max(curve, key=lambda effect: effect.mean)
    if best.hyperparameter is None:
        table.add_row(f"  {best.option}", *_numbers(best, unit), style=_style(best))
        return
    name = best.hyperparameter.removeprefix(f"{best.factor}.")
    cells = (f"    {name} = {short_value(best.value)}", *_numbers(best, unit), _sketch(curve))
    table.add_row(*cells, style=_style(best))


def _numbers(effect: Effect, unit: Unit) -> tuple[str, ...]:
    """Return the cells mean, points, interval and expected best; the baseline gains nothing."""
    best = "" if effect.expected_best is None else decimals(effect.expected_best.value)
    if effect.interval == (0, 0):
        return decimals(effect.mean), "", "baseline", best
    return decimals(effect.mean), unit.signed(effect.points), unit.interval(effect.interval), best


def _style(effect: Effect) -> str:
    """Return dim for an effect whose interval contains 0."""
    low, high = effect.interval
    return "" if low > 0 or high < 0 else "dim"


def _sketch(curve: Sequence[Effect]) -> str:
    """Return one character per value of a hyperparameter, the higher the higher its mean."""
    means = [effect.mean for effect in curve]
    span = (max(means) - min(means)) or 1.0
    levels = [(mean - min(means)) / span * (len(LEVELS) - 1) for mean in means]
    return "".join(LEVELS[round(level)] for level in levels)


def _notes(answer: Answer, objective: str) -> list[tuple[str, str]]:
    """Return the columns, each with a sentence that explains it."""
    unit = unit_of(objective)
    return [
        ("setting", "An option of the factor, or a hyperparameter at its best value."),
        (
            "mean",
            f"The mean {objective} with this setting over all other settings, many of which are "
            f"broken, from {plural(answer.evidence.rows, 'measured configuration')}.",
        ),
        (
            "gain",
            f"The mean minus that of the factor's baseline option, in {unit.words}; {unit.note}.",
        ),
        (
            BEST_OF,
            f"The {objective} that a modest search with this option would reach: the expected best "
            f"of {CONFIGURATIONS} measured configurations with it. It is empty where fewer have "
            "it; intervals are in the charts and in --json.",
        ),
        ("curve", "The mean along the hyperparameter's range, from its low end to its high end."),
        ("bold", "A factor that is distinguishable from noise; other factors' names are dim."),
        ("dim", "A setting whose 95 % interval contains 0."),
    ]
