"""Consoles, and numbers and names as text, in one format on every screen."""

import re
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training_factors.search_spaces.description import parse_parameter
from training_factors.study.analysis.intervals import Interval

PLACEBO_MEANING = "The placebo is a parameter that training never reads."
"""Sentence below tables and charts of factors that list the placebo."""


def open_console(*, stderr: bool = False) -> Console:
    """Return a console on standard output, or on standard error.

    Text is never read as markup, since a study may be named `[red]` and a class `:cat:`. Where
    NO_COLOR is set there are no escape codes at all, not even for bold and dim text.
    """
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if console.no_color:
        return Console(stderr=stderr, highlight=False, markup=False, emoji=False, color_system=None)
    return console


def is_animated(console: Console) -> bool:
    """Return whether lines may be overwritten: on real terminals, whatever FORCE_COLOR says."""
    return console.file.isatty() and not console.is_dumb_terminal and not console.no_color


def draw_notes(notes: Sequence[tuple[str, str]]) -> Table:
    """Draw the notes below a table: the name of a column, and the sentences that explain it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    for name, sentences in notes:
        table.add_row(name, sentences)
    return table


def short_value(value: object) -> str:
    """Return a hyperparameter's value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def format_settings(
    hyperparameters: Mapping[str, object], *, sign: str = " ", between: str = ", "
) -> str:
    """Return hyperparameters, given by their paths, in one line: `lr 0.02, momentum 0.9`."""
    return between.join(
        f"{parse_parameter(path).hyperparameter}{sign}{short_value(hyperparameters[path])}"
        for path in hyperparameters
    )


def percent(share: float, digits: int = 1) -> str:
    """Return a share in per cent, without the sign: `26.9`."""
    return f"{100 * share:.{digits}f}"


def percents(interval: Interval, digits: int = 1) -> str:
    """Return an interval of shares in per cent: `14.1 to 39.6`."""
    return f"{percent(interval[0], digits)} to {percent(interval[1], digits)}"


def points(difference: float, digits: int = 1) -> str:
    """Return a difference in points with its sign: `+1.3`."""
    return f"{difference:+.{digits}f}"


def points_interval(interval: Interval, digits: int = 1) -> str:
    """Return an interval of differences in points: `-0.2 to +2.8`."""
    return f"{points(interval[0], digits)} to {points(interval[1], digits)}"


def points_unit(objective: str) -> str:
    """Return the unit of differences in the objective, in the plural: `accuracy points`.

    One point is one hundredth of the objective.
    """
    return f"{objective.replace('_', ' ')} points"


def probability(p_value: float) -> str:
    """Return a p-value with three decimals, or `< 0.001`."""
    return f"{p_value:.3f}" if p_value >= 0.001 else "< 0.001"


def plural(count: int, noun: str) -> str:
    """Return a number with its noun: `1 run`, `2 runs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def slug(name: str) -> str:
    """Return the name in characters that file names and HTML ids may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:64] or "unnamed"


def whole_line(text: str) -> Text:
    """Return text that is never wrapped, so that it can be copied from the terminal."""
    return Text(text, no_wrap=True, overflow="ignore")
