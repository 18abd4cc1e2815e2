"""Charts of what each factor does to the objective: its options and its hyperparameters."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from training_factors.search_spaces.description import SpaceDescription, parse_parameter
from training_factors.search_spaces.dimension import Dimension, LogUniform
from training_factors.study.analysis.answer import Answer, FactorImportance
from training_factors.study.analysis.effects import BEST_OF, CONFIGURATIONS, Effect
from training_factors.study.analysis.intervals import Interval
from training_factors.study.reporting.chart import (
    Axis,
    Chart,
    Line,
    Panel,
    Scatter,
    Table,
    forest_panel,
)
from training_factors.study.reporting.formatting import (
    Unit,
    decimals,
    percent,
    short_value,
    unit_of,
)

COLUMNS = 3
"""Number of hyperparameter panels side by side."""

PAIR_OFFSET = 0.2
"""Distance of the two marks of a row from its middle, in rows."""

PAIR_HEIGHT = 9
"""Additional height of a row with two marks, in pixels."""

BASELINE_INTERVAL = (0.0, 0.0)
"""Interval of a baseline option, whose difference from itself is exactly zero."""


def gains(answer: Answer, objective: str) -> Chart | None:
    """Return the gain of each factor's best option over its baseline, in the mean and in the best.

    Factors whose baseline is best by both are left out; None where no other is left.
    """
    unit = unit_of(objective)
    factors = [factor for factor in answer.factors if not _is_baseline_best(factor)]
    if not factors:
        return None
    panel = _paired_panel(
        unit,
        [
            Pair(
                _best_options(factor), factor.gain, factor.gain_interval, factor,
                factor.gain_in_best and factor.gain_in_best[1:],
            )
            for factor in factors
        ],
    )  # fmt: skip
    baselines = [factor.name for factor in answer.factors if _is_baseline_best(factor)]
    return Chart(
        "gains", _gains_title(factors, unit), _gains_note(baselines, objective), (panel,),
        _gains_table(factors, unit),
    )  # fmt: skip


def _is_baseline_best(factor: FactorImportance) -> bool:
    """Return whether no option of the factor is better than its baseline, by mean or by best."""
    in_best = factor.gain_in_best
    in_mean_only = factor.gain_interval == BASELINE_INTERVAL
    return in_mean_only and (in_best is None or in_best.interval == BASELINE_INTERVAL)


def _best_options(factor: FactorImportance) -> str:
    """Return the factor with its best option by mean, and that by best where it is another one."""
    in_best = factor.gain_in_best
    if in_best is None or in_best.option == factor.best_option:
        return f"{factor.name}: {factor.best_option}"
    return f"{factor.name}: {factor.best_option} / {in_best.option}"


def _gains_title(factors: Sequence[FactorImportance], unit: Unit) -> str:
    """Name the largest significant gains."""
    means = [
        (factor.gain, factor.name, factor.best_option)
        for factor in factors
        if factor.matters and factor.gain_interval[0] > 0
    ]
    bests = [
        (factor.gain_in_best.points, factor.name, factor.gain_in_best.option)
        for factor in factors
        if factor.matters and factor.gain_in_best and factor.gain_in_best.interval[0] > 0
    ]
    parts = [
        f"{name} gains most in the {where} ({unit.signed(gain)} {unit.name} with {option})"
        for where, found in (("mean", means), (BEST_OF, bests))
        for gain, name, option in sorted(found)[-1:]
    ]
    return "; ".join(parts) or "No option is significantly better than the baseline of its factor"


def _gains_note(baselines: Sequence[str], objective: str) -> str:
    note = (
        f"The best option of each factor minus its baseline; {unit_of(objective).note}. "
        f"{_marks_note(objective)} Of two options, the first one has the best mean, the second one "
        f"the highest {BEST_OF}. Grey: not significant, because the interval contains 0 or the "
        "factor is not distinguishable from noise."
    )
    if not baselines:
        return note
    return f"{note} The baseline is the best option of: {', '.join(baselines)}."


def _marks_note(objective: str) -> str:
    return (
        f"Circle: the mean {objective} over all other settings, many of which are broken. Diamond: "
        f"the expected best of {CONFIGURATIONS} measured configurations, which is what a modest "
        "search with the option would reach."
    )


def _gains_table(factors: Sequence[FactorImportance], unit: Unit) -> Table:
    rows = []
    for factor in factors:
        in_best = factor.gain_in_best
        rows.append(
            (
                factor.name, factor.best_option, unit.signed(factor.gain),
                unit.interval(factor.gain_interval), in_best.option if in_best else "",
                unit.signed(in_best.points) if in_best else "",
                unit.interval(in_best.interval) if in_best else "", percent(factor.share),
            )
        )  # fmt: skip
    headings = (
        "factor", "best option", f"gain, {unit.name}", "95 % interval", f"option in {BEST_OF}",
        f"gain in {BEST_OF}, {unit.name}", "95 % interval", "share, %",
    )  # fmt: skip
    return Table(headings, tuple(rows))


class Pair(NamedTuple):
    """A row of a forest plot: a difference in the mean, and the same in the best where it is known.

    factor: whose options are compared. Differences and intervals are in percentage points.
    """

    name: str
    points: float
    interval: Interval
    factor: FactorImportance
    in_best: tuple[float, Interval] | None


def _paired_panel(unit: Unit, pairs: Sequence[Pair]) -> Panel:
    """Return a forest plot with a circle for the mean, and below it a diamond for the best."""
    panel = forest_panel(
        _gain_title(unit), [pair.name for pair in pairs], [pair.points for pair in pairs],
        [pair.interval for pair in pairs], [_color(pair.interval, pair.factor) for pair in pairs],
        unit,
    )  # fmt: skip
    known = [
        (place, pair, *pair.in_best) for place, pair in enumerate(pairs) if pair.in_best is not None
    ]
    if not known:
        return panel
    line, means = panel.marks
    assert isinstance(means, Scatter), "the points come last"
    means = means._replace(name="mean", y=tuple(place - PAIR_OFFSET for place in means.y))
    bests = Scatter(
        BEST_OF, tuple(_color(interval, pair.factor) for _, pair, _, interval in known),
        tuple(unit.scaled(points) for *_, points, _ in known),
        tuple(place + PAIR_OFFSET for place, *_ in known),
        intervals=tuple((unit.scaled(low), unit.scaled(high)) for *_, (low, high) in known),
        shape="diamond",
        notes=tuple(
            f"{pair.name}, {BEST_OF} {unit.signed(points)}" for _, pair, points, _ in known
        ),
    )  # fmt: skip
    height = panel.height + PAIR_HEIGHT * len(pairs)
    return panel._replace(marks=(line, means, bests), height=height)


def charts(answer: Answer, space: SpaceDescription, objective: str) -> Iterator[Chart]:
    """Yield one chart per factor, the factor with the largest share first."""
    unit = unit_of(objective)
    dimensions = {coordinate.name: coordinate.dimension for coordinate in space.coordinates}
    for factor in answer.factors:
        effects = [effect for effect in answer.effects if effect.factor == factor.name]
        options = [effect for effect in effects if effect.hyperparameter is None]
        by_hyperparameter: dict[str, list[Effect]] = {}
        for effect in effects:
            if effect.hyperparameter is not None:
                by_hyperparameter.setdefault(effect.hyperparameter, []).append(effect)
        panels = [_options_panel(factor, options, unit)] if options else []
        panels += [
            _hyperparameter_panel(factor, name, values, dimensions[name], unit)
            for name, values in by_hyperparameter.items()
        ]
        yield Chart(
            f"effects.{factor.name}", _title(factor, options or effects, unit),
            _note(options, objective), tuple(panels), _table(effects, unit),
            COLUMNS if by_hyperparameter else 1,
        )  # fmt: skip


def _gain_title(unit: Unit) -> str:
    return f"{unit.words} over the baseline (95 % interval)"


def _options_panel(factor: FactorImportance, options: Sequence[Effect], unit: Unit) -> Panel:
    return _paired_panel(
        unit,
        [
            Pair(effect.option, effect.points, effect.interval, factor, _difference_of_best(effect))
            for effect in options
        ],
    )


def _difference_of_best(effect: Effect) -> tuple[float, Interval] | None:
    """Return the expected best less the baseline's, with its interval; None where it is unknown."""
    best = effect.expected_best
    if best is None or best.points is None or best.points_interval is None:
        return None
    return best.points, best.points_interval


def _hyperparameter_panel(
    factor: FactorImportance,
    path: str,
    effects: Sequence[Effect],
    dimension: Dimension,
    unit: Unit,
) -> Panel:
    """Return a curve with its interval; a forest plot if the values are not numbers."""
    name = parse_parameter(path)
    title = f"{name.option}.{name.hyperparameter}"
    values = [effect.value for effect in effects]
    if any(isinstance(value, bool | str) for value in values):
        named = [effect._replace(option=str(effect.value)) for effect in effects]
        panel = _options_panel(factor, named, unit)
        x = Axis(f"difference, {unit.name}")
        return panel._replace(x=x, title=title, is_wide=False, height=200)
    line = Line(
        "", "primary" if factor.matters else "faint", tuple(float(value) for value in values),
        tuple(unit.scaled(effect.points) for effect in effects),
        band=tuple(
            (unit.scaled(low), unit.scaled(high)) for low, high in (e.interval for e in effects)
        ),
    )  # fmt: skip
    x = Axis(
        name.hyperparameter or "",
        is_log=isinstance(dimension, LogUniform),
        is_whole=all(isinstance(value, int) for value in values),
    )
    return Panel(x, Axis(f"difference, {unit.name}"), (line,), 200, is_wide=False, title=title)


def _title(factor: FactorImportance, effects: Sequence[Effect], unit: Unit) -> str:
    """Name the settings that are significantly better and worse than the baseline."""
    if not factor.matters:
        return f"{factor.name}: not distinguishable from noise"
    best = max(effects, key=lambda effect: effect.points)
    worst = min(effects, key=lambda effect: effect.points)
    parts = []
    if best.interval[0] > 0:
        parts.append(f"{_setting(best)} gains {unit.unsigned(best.points)} {unit.name}")
    if worst.interval[1] < 0:
        loss = unit.unsigned(abs(worst.points))
        parts.append(f"{_setting(worst)} loses {loss} {unit.name}")
    in_best = factor.gain_in_best
    if in_best is not None and in_best.interval[0] > 0:
        gain = unit.unsigned(in_best.points)
        parts.append(f"{in_best.option} gains {gain} {unit.name} in the {BEST_OF}")
    findings = ", ".join(parts) or "no setting differs significantly from the baseline"
    return f"{factor.name}: {findings}"


def _note(options: Sequence[Effect], objective: str) -> str:
    baseline = next((e.option for e in options if e.interval == BASELINE_INTERVAL), None)
    over = f"the baseline, {baseline}" if baseline else "the baseline"
    unit = unit_of(objective)
    if any(_difference_of_best(option) for option in options):
        return (
            f"Difference from {over}; {unit.note}. Circle: in mean {objective}, averaged over all "
            f"other factors. Diamond: in the expected best of {CONFIGURATIONS} measured "
            "configurations. Grey: not significant."
        )
    return (
        f"Difference in mean {objective} from {over}, averaged over all other factors; "
        f"{unit.note}. Grey: not significant."
    )


def _setting(effect: Effect) -> str:
    """Name an option, or a hyperparameter with its value: `lr 0.01`."""
    if effect.hyperparameter is None:
        return effect.option
    return f"{_short_name(effect)} {short_value(effect.value)}"


def _short_name(effect: Effect) -> str:
    """Return the hyperparameter's name without its path; empty for an option."""
    return parse_parameter(effect.hyperparameter or "").hyperparameter or ""


def _table(effects: Sequence[Effect], unit: Unit) -> Table:
    is_baseline = [effect.interval == BASELINE_INTERVAL for effect in effects]
    return Table(
        (
            "option", "hyperparameter", "value", "mean", f"difference, {unit.name}",
            "95 % interval", BEST_OF, f"difference in {BEST_OF}, {unit.name}", "95 % interval",
        ),
        tuple(
            (
                effect.option, _short_name(effect),
                short_value(effect.value) if effect.hyperparameter else "",
                decimals(effect.mean), unit.signed(effect.points),
                "baseline" if baseline else unit.interval(effect.interval),
                *_best_cells(effect, unit, is_baseline=baseline),
            )
            for effect, baseline in zip(effects, is_baseline, strict=True)
        ),
    )  # fmt: skip


def _best_cells(effect: Effect, unit: Unit, *, is_baseline: bool) -> tuple[str, str, str]:
    """Return the expected best, its difference from the baseline's and the interval of that."""
    best = effect.expected_best
    if best is None:
        return "", "", ""
    if best.points is None or best.points_interval is None:
        return f"{best.value:.4f}", "", ""
    interval = "baseline" if is_baseline else unit.interval(best.points_interval)
    return f"{best.value:.4f}", unit.signed(best.points), interval


def _color(interval: Interval, factor: FactorImportance) -> str:
    """Return the colour of a difference, by its sign and significance."""
    if interval == BASELINE_INTERVAL:
        return "text"
    if not factor.matters:
        return "faint"
    if interval[0] > 0:
        return "primary"
    return "warning" if interval[1] < 0 else "faint"
