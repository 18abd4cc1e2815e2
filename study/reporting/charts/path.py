"""Chart of the path: from the baseline to the best configuration, one factor at a time."""

from collections.abc import Iterator, Mapping

from training_factors.study.analysis.contrasts import ConfirmedPath, PathStep
from training_factors.study.analysis.intervals import Interval
from training_factors.study.reporting.chart import (
    Axis,
    Bars,
    Chart,
    Line,
    Panel,
    Table,
    panel_height,
    with_gray_names,
)
from training_factors.study.reporting.formatting import Unit, format_choice, unit_of

BASELINE, BEST, TOTAL = "baseline", "best configuration", "in all"
"""Names of the first and the last bar, and of the last row of the table."""

ROOM = 0.3
"""Space for labels behind the longest bar, as a fraction of the axis."""

_KINDS = {"good": "gain", "warning": "loss", "faint": "not distinguishable from 0"}
"""Colour of a step's bar -> its entry in the legend."""


def chart(path: ConfirmedPath, objective: str, baseline: Mapping[str, str]) -> Chart | None:
    """Return a waterfall of the mean test objective; None where the path has no step.

    baseline: factor -> its baseline option.
    """
    if not path.steps:
        return None
    unit = unit_of(objective)
    names = (BASELINE, *(format_choice(one.factor, one.setting) for one in path.steps), BEST)
    lows = [path.interval[0], *(low for low, _ in _reaches(path)), path.steps[-1].interval[0]]
    highs = [path.interval[1], *(high for _, high in _reaches(path)), path.steps[-1].interval[1]]
    span = max(highs) - min(lows) or 0.01
    start = _start(min(lows), span)
    panel = Panel(
        Axis(
            f"test {objective}, mean of {path.seeds} seeds (95 % interval)", low=start,
            high=max(highs) + ROOM * (max(highs) - start),
        ),
        Axis(names=names),
        (_levels(path), *_steps(path, unit), _ends(path, start)),
        panel_height(len(names)),
    )  # fmt: skip
    unclear = [i for i, one in enumerate(path.steps, start=1) if not one.is_distinguishable]
    table = Table(
        ("step", f"test {objective}", "95 % interval", f"gain, {unit.name}", "95 % interval"),
        tuple(table_rows(path, unit)),
    )
    return Chart(
        "path", _title(path, unit), _note(path, objective, baseline, is_cut=start != 0),
        (with_gray_names(panel, unclear),), table,
    )  # fmt: skip


def table_rows(path: ConfirmedPath, unit: Unit) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the baseline, every step and the gain in all as text."""
    yield BASELINE, f"{path.value:.4f}", _between(path.interval), "", ""
    for one in path.steps:
        gain = unit.signed(one.gain, 2), unit.interval(one.gain_interval, 2)
        name = format_choice(one.factor, one.setting)
        yield name, f"{one.value:.4f}", _between(one.interval), *gain
    yield TOTAL, "", "", unit.signed(path.total, 2), unit.interval(path.total_interval, 2)


def _between(interval: Interval) -> str:
    low, high = interval
    return f"{low:.4f} to {high:.4f}"


def _start(lowest: float, span: float) -> float:
    """Return where the axis begins: at 0, unless the differences would be too small to see."""
    return 0.0 if 0 <= lowest < span else lowest - 0.04 * span


def _befores(path: ConfirmedPath) -> list[float]:
    """Return the mean objective before each step."""
    return [path.value, *(one.value for one in path.steps[:-1])]


def _reaches(path: ConfirmedPath) -> list[Interval]:
    """Return where each step may end, by the interval of its gain."""
    return [
        (before + one.gain_interval[0] / 100, before + one.gain_interval[1] / 100)
        for before, one in zip(_befores(path), path.steps, strict=True)
    ]


def _color(step: PathStep) -> str:
    if not step.is_distinguishable:
        return "faint"
    return "good" if step.gain > 0 else "warning"


def _steps(path: ConfirmedPath, unit: Unit) -> Iterator[Bars]:
    """Yield the floating bars, those of one colour together, for the legend."""
    befores, reaches = _befores(path), _reaches(path)
    for color, name in _KINDS.items():
        chosen = [i for i, one in enumerate(path.steps) if _color(one) == color]
        if chosen:
            yield Bars(
                name, (color,) * len(chosen), tuple(float(i + 1) for i in chosen),
                tuple(path.steps[i].value - befores[i] for i in chosen),
                starts=tuple(befores[i] for i in chosen),
                intervals=tuple(reaches[i] for i in chosen),
                labels=tuple(_label(path.steps[i].gain, unit) for i in chosen),
            )  # fmt: skip


def _label(gain: float, unit: Unit) -> str:
    return unit.signed(gain, 2 if abs(gain) < 10 else 1)  # the longest that fits on a phone


def _ends(path: ConfirmedPath, start: float) -> Bars:
    """Return the bars of the baseline and of the best configuration, from the axis' beginning."""
    last = path.steps[-1]
    values = path.value, last.value
    return Bars(
        "", ("secondary", "primary"), (0.0, len(path.steps) + 1.0),
        tuple(value - start for value in values), starts=(start, start),
        intervals=(path.interval, last.interval), labels=tuple(f"{v:.4f}" for v in values),
    )  # fmt: skip


def _levels(path: ConfirmedPath) -> Line:
    """Return the thin lines that join the end of each bar with the beginning of the next."""
    x: list[float | None] = []
    y: list[float | None] = []
    for place, value in enumerate([path.value, *(one.value for one in path.steps)]):
        x += [value, value, None]
        y += [place, place + 1.0, None]
    return Line("", "muted", tuple(x), tuple(y), width=1.0)


def _title(path: ConfirmedPath, unit: Unit) -> str:
    low, high = path.total_interval
    total = f"{unit.signed(path.total, 2)} {unit.words}"
    if low <= 0 <= high:
        return f"From the baseline to the best configuration: no certain change ({total})"
    clear = [one for one in path.steps if one.is_distinguishable and one.gain > 0]
    if not clear or path.total < 0:
        return f"From the baseline to the best configuration: {total}"
    largest = max(clear, key=lambda one: one.gain)
    return (
        f"From the baseline to the best configuration: {total}; "
        f"the largest certain step is {largest.factor}, {unit.signed(largest.gain, 2)}"
    )


def _note(path: ConfirmedPath, objective: str, baseline: Mapping[str, str], *, is_cut: bool) -> str:
    cut = " The axis does not begin at 0." if is_cut else ""
    first = ", ".join(f"{one.factor} {baseline[one.factor]}" for one in path.steps)
    return (
        f"Every row sets one factor more as in the best configuration, trained with the same "
        f"{path.seeds} seeds; its bar is the change of the mean test {objective}, with the 95 % "
        f"interval of the paired difference; {unit_of(objective).note}. The baseline has {first}. "
        "The factors with the largest effects in the paired comparison come first; what a factor "
        "adds depends on those that are set before. Grey: not significant (paired t test, "
        f"Holm-corrected).{cut}"
    )
