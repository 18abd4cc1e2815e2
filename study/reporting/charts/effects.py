"""Charts of what each factor does to the objective: its options and its hyperparameters."""

from collections.abc import Iterator, Sequence

from training_factors.search_spaces.description import SpaceDescription, parse_parameter
from training_factors.search_spaces.dimension import Dimension, LogUniform
from training_factors.study.analysis.answer import Answer, FactorImportance
from training_factors.study.analysis.effects import Effect
from training_factors.study.analysis.intervals import Interval
from training_factors.study.reporting.chart import Axis, Chart, Line, Panel, Table, forest_panel
from training_factors.study.reporting.formatting import (
    Unit,
    decimals,
    percent,
    short_value,
    unit_of,
)

COLUMNS = 3
"""Number of hyperparameter panels side by side."""

BASELINE_INTERVAL = (0.0, 0.0)
"""Interval of a baseline option, whose difference from itself is exactly zero."""


def gains(answer: Answer, objective: str) -> Chart:
    """Return the gain of each factor's best option over its baseline."""
    factors, unit = answer.factors, unit_of(objective)
    panel = forest_panel(
        _gain_title(unit), [f"{factor.name}: {factor.best_option}" for factor in factors],
        [factor.gain for factor in factors], [factor.gain_interval for factor in factors],
        [_color(factor.gain_interval, factor) for factor in factors], unit,
    )  # fmt: skip
    significant = [factor for factor in factors if factor.matters and factor.gain_interval[0] > 0]
    best = max(significant, key=lambda factor: factor.gain, default=None)
    title = "No option is significantly better than the baseline of its factor"
    if best is not None:
        title = (
            f"{best.name} has the largest gain: {unit.signed(best.gain)} {unit.name} with "
            f"{best.best_option}"
        )
    note = (
        f"Mean {objective} with the best option of each factor minus that with its baseline, "
        f"averaged over all other factors; {unit.note}. It is 0 where the baseline is the "
        "best option. Grey: not significant, because the interval contains 0 or the factor is not "
        "distinguishable from noise."
    )
    table = Table(
        ("factor", "best option", f"difference, {unit.name}", "95 % interval", "share, %"),
        tuple(
            (
                factor.name, factor.best_option, unit.signed(factor.gain),
                unit.interval(factor.gain_interval), percent(factor.share),
            )
            for factor in factors
        ),
    )  # fmt: skip
    return Chart("gains", title, note, (panel,), table)


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
    return forest_panel(
        _gain_title(unit), [effect.option for effect in options],
        [effect.points for effect in options], [effect.interval for effect in options],
        [_color(effect.interval, factor) for effect in options], unit,
    )  # fmt: skip


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
    findings = " and ".join(parts) or "no setting differs significantly from the baseline"
    return f"{factor.name}: {findings}"


def _note(options: Sequence[Effect], objective: str) -> str:
    baseline = next((e.option for e in options if e.interval == BASELINE_INTERVAL), None)
    over = f"the baseline, {baseline}" if baseline else "the baseline"
    return (
        f"Difference in mean {objective} from {over}, averaged over all other factors; "
        f"{unit_of(objective).note}. Grey: not significant."
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
            "95 % interval",
        ),
        tuple(
            (
                effect.option, _short_name(effect),
                short_value(effect.value) if effect.hyperparameter else "",
                decimals(effect.mean), unit.signed(effect.points),
                "baseline" if baseline else unit.interval(effect.interval),
            )
            for effect, baseline in zip(effects, is_baseline, strict=True)
        ),
    )  # fmt: skip


def _color(interval: Interval, factor: FactorImportance) -> str:
    """Return the colour of a difference, by its sign and significance."""
    if interval == BASELINE_INTERVAL:
        return "text"
    if not factor.matters:
        return "faint"
    if interval[0] > 0:
        return "primary"
    return "warning" if interval[1] < 0 else "faint"
