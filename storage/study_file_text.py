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
from collections.abc import Mapping, Sequence

from training_factors.search_spaces.description import (
    ParameterName,
    SpaceDescription,
    factor_parameters,
    parse_parameter,
)
from training_factors.search_spaces.user_code import GIVEN
from training_factors.storage.definition import Definition

RENAMED = {"source": "data", "factors": "factor"}
"""Field of a definition -> its key in a study file and its name on the command line, where they
differ; the key `factors` holds the tables of factors."""

SPACE_CHANGES = ("fix", "drop", "range", "choices")
"""Fields of a definition that a study file states as tables of factors."""

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
    lines += definition_lines(definition, leaves_out=("space", *SPACE_CHANGES), metric=metric)
    for field in ("range", "choices"):
        # A value that only the study's own range or choices allow is refused without these.
        paths = {path for path in settings if "." in path}
        kept = [t for t in getattr(definition, field) if t.partition("=")[0].strip() in paths]
        if kept:
            lines.append(f"{field} = {toml_value(kept)}")
    for factor in dict.fromkeys(parse_parameter(path).factor for path in settings):
        remark = (remarks or {}).get(factor, "")
        lines += ["", *_factor_table(factor, factor_parameters(settings, factor), remark)]
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


def definition_lines(
    definition: Definition, *, leaves_out: Sequence[str], metric: str | None = None
) -> list[str]:
    """Return a line for every setting of a definition that has a value.

    leaves_out: fields that are not written. metric: written instead of the definition's.
    """
    values = dict(definition)
    values["metric"] = metric or definition.metric
    lines = []
    for field, value in values.items():
        if field in leaves_out or value is None or value == ():
            continue
        key = RENAMED.get(field, field)
        if isinstance(value, str) and value.startswith(GIVEN):
            name = value.removeprefix(GIVEN)
            lines.append(_comment(f"{key}: the object {name} of a Python program; pass it there"))
        else:
            lines.append(f"{key} = {toml_value(value)}")
    return lines


def toml_value(value: object) -> str:
    """Return a value as TOML, which writes numbers, texts and lists of them as JSON does.

    JSON's escapes of characters beyond 16 bits are the exception, so no letter is escaped.
    """
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def hyperparameter_key(option: str, hyperparameter: str) -> str:
    """Return the key of a hyperparameter in its factor's table: `adamw.lr`."""
    if option in ("option", "options"):  # keys of the table itself
        return toml_value(f"{option}.{hyperparameter}")
    return f"{toml_key(option)}.{toml_key(hyperparameter)}"


def toml_key(name: str) -> str:
    """Return a key as TOML, in quotes where its signs need them."""
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)


def _factor_table(factor: str, settings: Mapping[str, object], remark: str) -> list[str]:
    """Return the lines of a factor's table in which everything is fixed. remark: a comment."""
    lines = [f"[factors.{toml_key(factor)}]"]
    for path, value in settings.items():
        _, option, hyperparameter = parse_parameter(path)
        key = "option" if option is None else hyperparameter_key(option, str(hyperparameter))
        lines.append(f"{key} = {toml_value(value)}")
    if remark:
        lines[1] += f"  {_comment(remark)}"
    return lines


def _comment(text: str) -> str:
    """Return a text as a TOML comment, in which control characters are not allowed."""
    return "# " + "".join(sign if sign.isprintable() else " " for sign in text)
