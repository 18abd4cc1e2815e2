import pytest

from training_factors.search_spaces.description import (
    PLACEBO,
    UNRESTRICTED,
    ParameterName,
    factor_parameters,
    parse_parameter,
    read_description,
)
from training_factors.search_spaces.dimension import LogUniform
from training_factors.search_spaces.space import named_space

SPACE = named_space("documented").describe()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("optimizer", ParameterName("optimizer")),
        ("optimizer.sgd", ParameterName("optimizer", "sgd")),
        ("optimizer.sgd.lr", ParameterName("optimizer", "sgd", "lr")),
    ],
)
def test_a_parameter_name_is_parsed_and_printed(text: str, name: ParameterName) -> None:
    assert parse_parameter(text) == name
    assert str(name) == text


def test_the_parameters_of_a_factor_exclude_factors_with_a_longer_name() -> None:
    parameters = {"depth": "a", "depth.a.multiplier": 2.0, "depths": "b", "width": "c"}
    assert factor_parameters(parameters, "depth") == {"depth": "a", "depth.a.multiplier": 2.0}


def test_choices_are_told_from_hyperparameters_and_the_placebo() -> None:
    choices = {coordinate.name for coordinate in SPACE.coordinates if coordinate.is_choice}
    assert "optimizer" in choices
    assert not choices & {PLACEBO, "optimizer.sgd.lr"}


def test_varied_factors_exclude_fixed_ones_and_the_placebo() -> None:
    assert "optimizer" in SPACE.varied
    assert not set(SPACE.varied) & {"schedule", PLACEBO}
    assert SPACE.baseline["schedule"] == "constant"


def test_a_document_without_the_fields_of_later_versions_is_read() -> None:
    knob = {"name": "lr", "default": 0.1, "kind": "log_uniform", "low": 0.01, "high": 1.0}
    description = read_description(
        {"factors": [{"name": "optimizer", "options": [{"name": "sgd", "knobs": [knob]}]}]}
    )
    factor = description.factor("optimizer")
    assert (factor.topic, factor.where, factor.documentation) == ("", UNRESTRICTED, "")
    (hyperparameter,) = factor.option("sgd").hyperparameters
    assert hyperparameter.dimension == LogUniform(0.01, 1.0)
    assert hyperparameter.where == UNRESTRICTED
    assert (description.coordinates, description.fingerprint) == ((), "")
