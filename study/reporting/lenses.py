"""Importance through other lenses, as a table: factors down, lenses across."""

from typing import Any

from pydantic import TypeAdapter
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from storage.studies import Study
from study.analysis.answer import Answer, as_plain
from study.analysis.lenses import Lenses, Seen, look
from study.reporting.analyses import kept

SHOWN = 8
"""Parameters of PED-ANOVA that are listed."""


def lenses_of(study: Study, jobs: int) -> Lenses:
    """Importance through the other lenses. Raises NoAnswer when too little was measured."""
    return kept(study, "lenses", look, TypeAdapter(Lenses), jobs)


def draw(lenses: Lenses, answer: Answer) -> RenderableType:
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


def as_document(lenses: Lenses) -> dict[str, Any]:
    """The lenses as JSON."""
    document: dict[str, Any] = as_plain(
        {"lenses": lenses.seen, "ped_anova": dict(lenses.ped_anova)}
    )
    return document


def _r2(r2: float | None) -> str:
    return "–" if r2 is None else f"{r2:.2f}"


def _note(seen: Seen) -> str:
    return seen.question if seen.nothing is None else f"{seen.question}: {seen.nothing}"


def _ped_anova(parts: dict[str, float]) -> RenderableType:
    largest = sorted(parts, key=lambda name: -parts[name])[:SHOWN]
    listed = ", ".join(f"{name} {100 * parts[name]:.0f} %" for name in largest)
    return Text(
        "PED-ANOVA, which optuna-dashboard shows as importance, asks which single parameters set "
        f"the best tenth apart; it is no share of the variance and sees no interactions: {listed}"
    )
