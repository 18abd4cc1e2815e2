"""The short answer that ends the screen of a command: what matters, how sure, and what is next."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.study.reporting.conclusion import Conclusion, describe_evidence
from training_factors.study.reporting.formatting import whole_line
from training_factors.study.reporting.status import describe_best, format_changed_options

NAME_WIDTH = 8
"""Width of the column of names, in characters."""


def draw_short_answer(
    conclusion: Conclusion, objective: str, baseline: Mapping[str, str], lines: Mapping[str, str]
) -> RenderableType:
    """Draw the conclusion and the best configuration in a few lines, then further lines.

    baseline: factor -> its baseline option. lines: name -> a path or a command, which is never
    wrapped, such as the next command.
    """
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=NAME_WIDTH - 2, no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    table.add_row("answer", Text(conclusion.dated_sentence, style="bold"))
    if conclusion.second:
        table.add_row("", conclusion.second)
    if conclusion.averaged:
        table.add_row("", f"averaged over all settings, {conclusion.averaged}")
    if conclusion.disagreement:
        table.add_row("", conclusion.disagreement)
    if conclusion.evidence:
        table.add_row("sure", describe_evidence(conclusion.evidence))
    if conclusion.best is not None:
        changes = format_changed_options(conclusion.best.parameters, baseline)
        table.add_row("best", describe_best(conclusion.best, objective, conclusion.interval))
        table.add_row("set to", changes or "the baseline of every factor")
    return Group(table, *(_line(name, text) for name, text in lines.items()))


def _line(name: str, text: str) -> Text:
    line = whole_line(f"{name:{NAME_WIDTH}}{text}")
    line.stylize("dim", 0, len(name))
    return line
