"""Write study files: TOML with the settings of a study and a table per factor.

    data = "digits"
    epochs = 15

    [factors.optimizer]
    option = "adamw"          # fixed; `options = ["adamw", "sgd"]` varies
    adamw.lr = 0.003          # fixed; a list gives choices, a table with low and high a range

`training_factors.study.api.study_file` reads them for `--config`, and
`training_factors.search_spaces.own_configuration` for `--also`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from training_factors.search_spaces.description import (
    DescribedFactor,
    ParameterName,
    SpaceDescription,
    factor_parameters,
    parse_parameter,
)
from training_factors.search_spaces.dimension import (
    Dimension,
    Fixed,
    Integer,
    LogUniform,
    OneOf,
    Uniform,
)
from training_factors.search_spaces.user_code import GIVEN
from training_factors.storage.definition import Definition
from training_factors.storage.stamp import describe_left_out

RENAMED = {"source": "data", "factors": "factor"}
"""Field of a definition -> its key in a study file and its name on the command line, where they
differ; the key `factors` holds the tables of factors."""

NOT_VARIED = "not varied"
"""Comment on a factor that stays at its baseline."""

_IN_TABLES = ("fix", "drop", "only", "range", "choices")
"""Fields of a definition that its tables of factors state."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def fixed_study_file(
    definition: Definition,
    settings: Mapping[str, object],
    *,
    metric: str | None = None,
    comments: Sequence[str] = (),
    remarks: Mapping[str, str] | None = None,
) -> str:
    """Return the study file of one configuration: every factor is fixed.

    definition: of the study; its data, model, weights, metric, epochs and seed are written.
    settings: factor -> option and path of a hyperparameter -> value, of all factors; see
    `complete_settings`. metric: name of what the study maximizes; None for the definition's.
    comments: lines at the top. remarks: factor -> comment on its setting.
    """
    lines = [*map(_comment, comments)]
    lines += _definition_lines(definition, ("space", *_IN_TABLES), metric)
    lines += _permitting_lines(definition, settings)
    for factor in dict.fromkeys(parse_parameter(path).factor for path in settings):
        remark = (remarks or {}).get(factor, "")
        lines += ["", *_factor_table(factor, factor_parameters(settings, factor), remark)]
    return "\n".join(lines) + "\n"


def resolved_study_file(
    definition: Definition,
    space: SpaceDescription,
    *,
    metric: str,
    options: Mapping[str, object],
    left_out: Sequence[tuple[str, str]],
) -> str:
    """Return the study file that says everything about a study, also what is a default.

    space: that of the study, in which every factor has a table. metric: name of what it maximizes.
    options: key -> value, of the size of the study and its workers. left_out: factors and options
    that do not apply, each as (name, reason), which become a comment.
    """
    varied = space.varied
    lines = [_comment("every setting of a study; `run --config FILE` trains it")]
    lines += [f"{key} = {toml_value(value)}" for key, value in options.items()]
    lines += _definition_lines(definition, _IN_TABLES, metric)
    values = {path: value for factor in space.factors for path, value in _values(factor)}
    fixed = {path: value for path, value in values.items() if not isinstance(value, Dimension)}
    lines += _permitting_lines(definition, fixed)
    for factor in space.factors:
        remark = "" if factor.name in varied else NOT_VARIED
        table = factor_parameters(values, factor.name)
        lines += ["", *_factor_table(factor.name, table, remark)]
    if left_out:
        lines += ["", _comment(f"left out: {describe_left_out(left_out)}")]
    return "\n".join(lines) + "\n"


def complete_settings(
    parameters: Mapping[str, object], space: SpaceDescription
) -> dict[str, object]:
    """Return the option of every factor, and the hyperparameters of these options by path.

    parameters: a configuration as a trial stores it; what it does not name has its baseline value.
    """
    settings: dict[str, object] = {}
    for factor in space.factors:
        option = factor.option(str(parameters.get(factor.name, factor.baseline.name)))
        settings[factor.name] = option.name
        for hyperparameter in option.hyperparameters:
            path = str(ParameterName(factor.name, option.name, hyperparameter.name))
            settings[path] = parameters.get(path, hyperparameter.default)
    return settings


def toml_value(value: object) -> str:
    """Return a value as TOML, which writes numbers, texts and lists of them as JSON does.

    JSON's escapes of characters beyond 16 bits are the exception, so no letter is escaped.
    """
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _definition_lines(
    definition: Definition, leaves_out: Sequence[str], metric: str | None
) -> Iterator[str]:
    """Yield a line for every setting of a definition that has a value.

    leaves_out: fields that are not written. metric: written instead of the definition's.
    """
    for field, value in {**dict(definition), "metric": metric or definition.metric}.items():
        if field in leaves_out or value is None or value == ():
            continue
        key = RENAMED.get(field, field)
        if isinstance(value, str) and value.startswith(GIVEN):
            name = value.removeprefix(GIVEN)
            yield _comment(f"{key}: the object {name} of a Python program; pass it there")
        else:
            yield f"{key} = {toml_value(value)}"


def permitting_changes(
    definition: Definition, settings: Mapping[str, object]
) -> dict[str, tuple[str, ...]]:
    """Return the definition's ranges and choices of hyperparameters among the settings, by field.

    Without these, values that only they allow would be refused.
    """
    return {
        field: tuple(change for change in changes if _is_about_value(change, settings))
        for field, changes in (("range", definition.range), ("choices", definition.choices))
    }


def _permitting_lines(definition: Definition, settings: Mapping[str, object]) -> Iterator[str]:
    for field, changes in permitting_changes(definition, settings).items():
        if changes:
            yield f"{field} = {toml_value(changes)}"


def _is_about_value(change: str, settings: Mapping[str, object]) -> bool:
    """Return whether a change of the space is about a hyperparameter among the settings.

    A factor with a single hyperparameter may stand for it: `batch_size=16,32`.
    """
    path, _, values = change.partition("=")
    if "." in path or path not in settings:
        return path in settings
    names_options = settings[path] in values.split(",")
    return not names_options and any(name.startswith(f"{path}.") for name in settings)


def _values(factor: DescribedFactor) -> Iterator[tuple[str, object]]:
    """Yield the option or options of a factor, and each hyperparameter's value or dimension."""
    names = [option.name for option in factor.options]
    yield factor.name, names[0] if len(names) == 1 else OneOf(*names)
    for option in factor.options:
        for hyperparameter in option.hyperparameters:
            path = str(ParameterName(factor.name, option.name, hyperparameter.name))
            dimension = hyperparameter.dimension
            yield path, dimension.value if isinstance(dimension, Fixed) else dimension


def _factor_table(factor: str, values: Mapping[str, object], remark: str) -> list[str]:
    """Return the lines of a factor's table.

    values: path -> a value, or the dimension of what varies. remark: a comment.
    """
    lines = [f"[factors.{_key(factor)}]"]
    for path, value in values.items():
        _, option, hyperparameter = parse_parameter(path)
        if option is None:
            key = "options" if isinstance(value, OneOf) else "option"
        else:
            key = _hyperparameter_key(option, str(hyperparameter))
        lines.append(f"{key} = {_dimension_toml(value)}")
    if remark:
        lines[1] += f"  {_comment(remark)}"
    return lines


def _dimension_toml(value: object) -> str:
    """Return a value as TOML; of a dimension the list of its choices, or the table of its range."""
    if isinstance(value, OneOf):
        return toml_value(value.choices)
    if not isinstance(value, Uniform | LogUniform | Integer):
        return toml_value(value)
    bounds = f"low = {toml_value(value.low)}, high = {toml_value(value.high)}"
    if isinstance(value, Integer):
        return f"{{ {bounds} }}"
    scale = "log" if isinstance(value, LogUniform) else "linear"
    return f'{{ {bounds}, scale = "{scale}" }}'


def _hyperparameter_key(option: str, hyperparameter: str) -> str:
    """Return the key of a hyperparameter in its factor's table: `adamw.lr`."""
    if option in ("option", "options"):  # keys of the table itself
        return toml_value(f"{option}.{hyperparameter}")
    return f"{_key(option)}.{_key(hyperparameter)}"


def _key(name: str) -> str:
    """Return a key as TOML, in quotes where its signs need them."""
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)


def _comment(text: str) -> str:
    """Return a text as a TOML comment, in which control characters are not allowed."""
    return "# " + "".join(sign if sign.isprintable() else " " for sign in text)
