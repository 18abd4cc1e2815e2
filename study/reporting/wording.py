"""How numbers and lines are written, the same on every screen and every page."""

import re
from collections.abc import Mapping

from rich.text import Text

from study.analysis.intervals import Interval


def short(value: object) -> str:
    """A knob's value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def settings(knobs: Mapping[str, object], *, sign: str = " ", between: str = ", ") -> str:
    """Knobs by their paths, in a line: `lr 0.02, momentum 0.9`."""
    return between.join(f"{path.split('.')[-1]}{sign}{short(knobs[path])}" for path in knobs)


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
