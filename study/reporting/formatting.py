"""Where text is drawn: names are data, and escape codes go only where they are wanted."""

import re
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from training_factors.search_spaces.description import parse_parameter
from training_factors.study.analysis.uncertainty import Interval


def open_console(*, stderr: bool = False) -> Console:
    """Standard output, or standard error, as rich draws on it.

    Nothing is read as markup: a study may be named `[red]`, and a class `:cat:`. Where NO_COLOR is
    set there are no escape codes at all, bold and dim included.
    """
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if console.no_color:
        return Console(stderr=stderr, highlight=False, markup=False, emoji=False, color_system=None)
    return console


def is_animated(console: Console) -> bool:
    """Whether lines may be drawn over again; FORCE_COLOR makes no terminal of a file."""
    return console.file.isatty() and not console.is_dumb_terminal and not console.no_color


def short_value(value: object) -> str:
    """A knob's value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def format_settings(
    hyperparameters: Mapping[str, object], *, sign: str = " ", between: str = ", "
) -> str:
    """Hyperparameter by their paths, in a line: `lr 0.02, momentum 0.9`."""
    return between.join(
        f"{parse_parameter(path).hyperparameter}{sign}{short_value(hyperparameters[path])}"
        for path in hyperparameters
    )


def percent(share: float, digits: int = 1) -> str:
    """A share as a number of hundredths, without the sign: `26.9`."""
    return f"{100 * share:.{digits}f}"


def percents(interval: Interval, digits: int = 1) -> str:
    """An interval of shares: `14.1 to 39.6`."""
    return f"{percent(interval[0], digits)} to {percent(interval[1], digits)}"


def points(difference: float, digits: int = 1) -> str:
    """A difference in points with its sign: `+1.3`."""
    return f"{difference:+.{digits}f}"


def points_interval(interval: Interval, digits: int = 1) -> str:
    """An interval of differences in points: `-0.2 to +2.8`."""
    return f"{points(interval[0], digits)} to {points(interval[1], digits)}"


def probability(p_value: float) -> str:
    """A p-value to three digits."""
    return f"{p_value:.3f}" if p_value >= 0.001 else "< 0.001"


def slug(name: str) -> str:
    """The name as a file or an element of a page may have it."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:64] or "unnamed"


def whole_line(text: str) -> Text:
    """A line that is never broken, so that it can be copied."""
    return Text(text, no_wrap=True, overflow="ignore")
