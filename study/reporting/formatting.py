"""Consoles, and numbers and names as text, in one format on every screen."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training_factors.search_spaces.description import parse_parameter
from training_factors.storage.metrics import NEGATIVE, TARGET_UNIT, objective_unit
from training_factors.study.analysis.intervals import Interval

PLACEBO_MEANING = "The placebo is a parameter that training never reads."
"""Sentence below tables and charts of factors that list the placebo."""

SIGNIFICANT_DIGITS = 3
"""Significant digits of a difference that is shown in the unit of its metric."""

MAX_DECIMALS = 6
"""Maximum number of its decimals."""


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


def decimals(number: float, digits: int = 4) -> str:
    """Return a number with this many decimals: `0.9713`; one that rounds to 0 has no sign."""
    return f"{number:z.{digits}f}"


def signed(number: float, digits: int = 1) -> str:
    """Return a number with its sign: `+1.3`; one that rounds to 0 has none: `0.0`."""
    unsigned = decimals(number, digits)
    return f"+{unsigned}" if unsigned.strip("0.") and number > 0 else unsigned


def percent(share: float, digits: int = 1) -> str:
    """Return a share in per cent, without the sign: `26.9`."""
    return decimals(100 * share, digits)


def percents(interval: Interval, digits: int = 1) -> str:
    """Return an interval of shares in per cent: `14.1 to 39.6`."""
    return f"{percent(interval[0], digits)} to {percent(interval[1], digits)}"


def format_choice(factor: str, setting: Mapping[str, object]) -> str:
    """Return how a factor is set: `optimizer adam, lr 0.02`, `residual` where both are the same.

    setting: the parameters of the factor.
    """
    names = [parse_parameter(name) for name in setting]
    option = setting.get(factor) or next((one.option for one in names if one.option), "")
    hyperparameters = {name: value for name, value in setting.items() if name != factor}
    chosen = factor if option in ("", factor) else f"{factor} {option}"
    return ", ".join(part for part in (chosen, format_settings(hyperparameters)) if part)


class Unit(NamedTuple):
    """The unit in which differences of an objective are shown.

    Analyses give differences in hundredths of the objective. Those of a loss are shown in its own
    unit (nats, or that of the numbers that are predicted), all others in points, one hundredth
    each.

    name: in headings, `points`. words: in sentences, `accuracy points`. note: what the unit is,
    for the end of a sentence. is_own: whether it is the unit of the metric.
    """

    name: str
    words: str
    note: str
    is_own: bool = False

    @property
    def column(self) -> str:
        """The name as the heading of a narrow column, a word per line."""
        return self.name.replace(" ", "\n")

    def scaled(self, difference: float) -> float:
        """Return a difference in hundredths of the objective, in this unit."""
        return difference / 100 if self.is_own else difference

    def signed(self, difference: float, digits: int = 1) -> str:
        """Return a difference with its sign: `+1.3`. digits: decimals of points."""
        return signed(self.scaled(difference), self._decimals(difference, digits))

    def unsigned(self, size: float, digits: int = 1) -> str:
        """Return the size of a difference: `1.3`."""
        return decimals(self.scaled(size), self._decimals(size, digits))

    def interval(self, interval: Interval, digits: int = 1) -> str:
        """Return an interval of differences: `-0.2 to +2.8`."""
        low, high = interval
        return f"{self.signed(low, digits)} to {self.signed(high, digits)}"

    def _decimals(self, difference: float, digits: int) -> int:
        size = abs(self.scaled(difference))
        if not self.is_own or size == 0:
            return digits
        return min(MAX_DECIMALS, max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(size))))


def unit_of(objective: str) -> Unit:
    """Return the unit in which differences of an objective are shown."""
    own = objective_unit(objective)
    if not own:
        words = f"{objective.replace('_', ' ')} points"
        return Unit("points", words, "one point is 0.01")
    note = "one nat is a factor of e in probability"
    if own == TARGET_UNIT:
        note = "the unit is that of the numbers that are predicted"
    return Unit(own, own, note, is_own=True)


OWN_UNIT = Unit(
    "units", "the unit of the objective", "values are as the program returned them", is_own=True
)
"""The unit of another program's objective that is no fraction."""


def describe_objective(objective: str) -> str:
    """Return what a study maximizes, in words: its name, and what it is for a loss."""
    if not objective.startswith(NEGATIVE):
        return objective
    return f"{objective} (minus {objective.removeprefix(NEGATIVE)}, so that higher is better)"


def probability(p_value: float) -> str:
    """Return a p-value with three decimals, or `< 0.001`."""
    return f"{p_value:.3f}" if p_value >= 0.001 else "< 0.001"


def plural(count: int, noun: str) -> str:
    """Return a number with its noun: `1 run`, `2 runs`, `1,797 samples`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def as_sentence(words: str) -> str:
    """Return words as a sentence of its own, with a capital letter and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."


def slug(name: str) -> str:
    """Return the name in characters that file names and HTML ids may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:64] or "unnamed"


def whole_line(text: str) -> Text:
    """Return text that is never wrapped, so that it can be copied from the terminal."""
    return Text(text, no_wrap=True, overflow="ignore")
