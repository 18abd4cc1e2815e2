"""Describe study files as a JSON Schema, which editors use to complete and check them."""

from typing import Any

from training_factors.search_spaces.description import (
    DescribedFactor,
    DescribedHyperparameter,
    DescribedOption,
)
from training_factors.search_spaces.dimension import OneOf
from training_factors.search_spaces.factor_tables import SCALES
from training_factors.search_spaces.registry import known_factors
from training_factors.search_spaces.space import named_space
from training_factors.storage.definition import Definition
from training_factors.storage.study_file_text import RENAMED
from training_factors.study.api.study_file import LISTS, RunOptions
from training_factors.study.commands.options import DEFINITION_OPTIONS, RUN_OPTIONS

Schema = dict[str, Any]
"""A JSON Schema."""

_TEXTS: Schema = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
}  # fmt: skip


def study_file_schema(files: tuple[str, ...] = ()) -> Schema:
    """Return the JSON Schema of study files, with every factor, option and hyperparameter.

    files: of own factors. Raises ValueError for a file that cannot be used.
    """
    definition = Definition.model_json_schema()["properties"]
    options = RunOptions.model_json_schema()["properties"]
    keys = {RENAMED.get(field, field): (definition[field], option)
            for field, option in DEFINITION_OPTIONS.items()}  # fmt: skip
    keys |= {name: (options[name], option) for name, option in RUN_OPTIONS.items()}
    space = named_space("full", known_factors(files)).describe()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Study file of training-factors",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **{key: _key_schema(key, *described) for key, described in keys.items()},
            "factors": _object({factor.name: _factor_schema(factor) for factor in space.factors}),
        },
    }


def _key_schema(key: str, schema: Schema, option: Any) -> Schema:
    """Return the schema of a key, with the help of its option on the command line."""
    (information,) = option.__metadata__
    allowed = _TEXTS if key in LISTS else {
        name: [one for one in value if one != {"type": "null"}] if name == "anyOf" else value
        for name, value in schema.items() if name not in ("title", "default")
    }  # fmt: skip
    return {"description": information.help, **allowed}


def _factor_schema(factor: DescribedFactor) -> Schema:
    """Return the schema of a factor: an option, several, or a table."""
    option: Schema = {"enum": [one.name for one in factor.options]}
    options: Schema = {"type": "array", "minItems": 1, "items": option}
    table: dict[str, Schema] = {"option": option, "options": options}
    for one in factor.options:
        if one.hyperparameters:
            parameters = {each.name: _hyperparameter_schema(each) for each in one.hyperparameters}
            table[one.name] = _object(parameters) | {"description": _first_line(one)}
            # The same with quotes around the dotted name.
            table |= {f"{one.name}.{name}": schema for name, schema in parameters.items()}
    forms = [option, options, _object(table)]
    if len(factor.options) == 1 and len(factor.baseline.hyperparameters) == 1:
        # The factor stands for its only hyperparameter.
        forms += _hyperparameter_schema(factor.baseline.hyperparameters[0])["anyOf"][:2]
    first = factor.documentation.partition("\n")[0]
    return {"description": first, "anyOf": forms}


def _hyperparameter_schema(hyperparameter: DescribedHyperparameter) -> Schema:
    """Return the schema of a hyperparameter: a value, choices or a range."""
    dimension, default = hyperparameter.dimension, hyperparameter.default
    kind: Schema = {"type": "number"}
    if isinstance(default, bool):
        kind = {"type": "boolean"}
    elif isinstance(default, str):
        assert isinstance(dimension, OneOf)
        kind = {"enum": list(dimension.choices)}
    number: Schema = {"type": "number"}
    interval = _object({"low": number, "high": number, "scale": {"enum": list(SCALES)}})
    forms: list[Schema] = [kind, {"type": "array", "minItems": 1, "items": kind}]
    if not isinstance(dimension, OneOf):
        forms.append({**interval, "required": ["low", "high"]})
    return {"description": f"{dimension}; default {default}", "anyOf": forms}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _first_line(option: DescribedOption) -> str:
    return option.documentation.partition("\n")[0]
