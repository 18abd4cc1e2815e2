"""What each factor does to the objective: its options, and the way along each of its hyperparameters."""

from collections.abc import Iterator, Sequence

from training_factors.search_spaces.description import SpaceDescription, parse_parameter
from training_factors.search_spaces.dimension import Dimension, LogUniform
from training_factors.study.analysis.answer import Answer, FactorImportance
from training_factors.study.analysis.effects import Effect
from training_factors.study.analysis.uncertainty import Interval
from training_factors.study.reporting.chart import Axis, Chart, Line, Panel, Table, forest_panel
from training_factors.study.reporting.formatting import (
    percent,
    points,
    points_interval,
    short_value,
)

POINTS = "points over the baseline (95 % interval)"
COLUMNS = 3


def gains(answer: Answer) -> Chart:
    """What the best option of each factor brings over its baseline."""
    rows = answer.factors
    panel = forest_panel(
        POINTS, [f"{factor.name}: {factor.best_option}" for factor in rows],
        [factor.gain for factor in rows], [factor.gain_interval for factor in rows],
        [_color(factor.gain_interval, factor) for factor in rows],
    )  # fmt: skip
    certain = [factor for factor in rows if factor.matters and factor.gain_interval[0] > 0]
    best = max(certain, key=lambda factor: factor.gain, default=None)
    title = "No option is better than its baseline for certain"
    if best is not None:
        title = f"{best.name} set to {best.best_option} brings the most: {points(best.gain)} points"
    note = (
        "The mean over all other factors at the best option of each factor, less that at its "
        "baseline; 0 where the baseline is best. Grey: may be nothing, since the interval holds 0 "
        "or the factor cannot be told from noise."
    )
    table = Table(
        ("factor", "best option", "points", "95 % interval", "share, %"),
        tuple(
            (f.name, f.best_option, points(f.gain), points_interval(f.gain_interval),
             percent(f.share))
            for f in rows
        ),
    )  # fmt: skip
    return Chart("gains", title, note, (panel,), table)


def charts(answer: Answer, space: SpaceDescription) -> Iterator[Chart]:
    """A chart for every factor, in the order of their shares."""
    axes = {one.name: one.dimension for one in space.coordinates}
    for factor in answer.factors:
        own = [effect for effect in answer.effects if effect.factor == factor.name]
        options = [effect for effect in own if effect.hyperparameter is None]
        hyperparameters = list(
            dict.fromkeys(
                effect.hyperparameter for effect in own if effect.hyperparameter is not None
            )
        )
        along = [
            _along(
                factor, [e for e in own if e.hyperparameter == hyperparameter], axes[hyperparameter]
            )
            for hyperparameter in hyperparameters
        ]
        panels = ([_options(factor, options)] if options else []) + along
        yield Chart(
            f"effects.{factor.name}", _title(factor, options or own), _note(options), tuple(panels),
            _table(own), COLUMNS if along else 1,
        )  # fmt: skip


def _options(factor: FactorImportance, options: Sequence[Effect]) -> Panel:
    return forest_panel(
        POINTS, [effect.option for effect in options], [effect.points for effect in options],
        [effect.interval for effect in options],
        [_color(effect.interval, factor) for effect in options],
    )  # fmt: skip


def _along(factor: FactorImportance, effects: Sequence[Effect], dimension: Dimension) -> Panel:
    """The way along a hyperparameter: a curve with its band, or points where its values have no order."""
    hyperparameter = effects[0].hyperparameter or ""
    name = parse_parameter(hyperparameter)
    title = f"{name.option}.{name.hyperparameter}"
    values = [effect.value for effect in effects]
    if any(isinstance(value, bool | str) for value in values):
        named = [effect._replace(option=str(effect.value)) for effect in effects]
        panel = _options(factor, named)
        return panel._replace(x=Axis("points"), title=title, is_wide=False, height=200)
    line = Line(
        "", "leading" if factor.matters else "pale", tuple(float(value) for value in values),
        tuple(effect.points for effect in effects),
        band=tuple(effect.interval for effect in effects),
    )  # fmt: skip
    is_log = isinstance(dimension, LogUniform)
    return Panel(
        Axis(name.hyperparameter or "", is_log=is_log), Axis("points"), (line,), 200,
        is_wide=False, title=title,
    )  # fmt: skip


def _title(factor: FactorImportance, effects: Sequence[Effect]) -> str:
    """What the factor's best and worst do for certain."""
    if not factor.matters:
        return f"{factor.name}: not distinguishable from noise"
    best = max(effects, key=lambda effect: effect.points)
    worst = min(effects, key=lambda effect: effect.points)
    parts = []
    if best.interval[0] > 0:
        parts.append(f"{_named(best)} brings {points(best.points)} points")
    if worst.interval[1] < 0:
        parts.append(f"{_named(worst)} costs {abs(worst.points):.1f} points")
    said = " and ".join(parts) or "no setting differs from the baseline for certain"
    return f"{factor.name}: {said}"


def _named(effect: Effect) -> str:
    if effect.hyperparameter is None:
        return effect.option
    return f"{_short_name(effect)} {short_value(effect.value)}"


def _note(options: Sequence[Effect]) -> str:
    baseline = next((e.option for e in options if e.interval == (0, 0)), None)
    over = f"over the baseline, {baseline}" if baseline else "over the baseline"
    return f"Points {over}, on the average over all other factors. Grey: may be nothing."


def _short_name(effect: Effect) -> str:
    """Return the hyperparameter's name without its path; empty for an option."""
    return parse_parameter(effect.hyperparameter or "").hyperparameter or ""


def _table(effects: Sequence[Effect]) -> Table:
    return Table(
        ("option", "knob", "at", "mean", "points", "95 % interval"),
        tuple(
            (
                effect.option,
                _short_name(effect),
                short_value(effect.value) if effect.hyperparameter else "",
                f"{effect.mean:.4f}",
                points(effect.points),
                "baseline" if effect.interval == (0, 0) else points_interval(effect.interval),
            )
            for effect in effects
        ),
    )


def _color(interval: Interval, factor: FactorImportance) -> str:
    if interval == (0, 0):
        return "ink"  # the baseline itself
    if not factor.matters:
        return "pale"
    if interval[0] > 0:
        return "leading"
    return "warm" if interval[1] < 0 else "pale"
