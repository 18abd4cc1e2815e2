"""Recommend a setting for every factor, with the level of evidence for it."""

from collections.abc import Mapping
from typing import NamedTuple

from training_factors.search_spaces.description import (
    DescribedFactor,
    ParameterName,
    SpaceDescription,
)
from training_factors.search_spaces.dimension import Value
from training_factors.study.analysis.answer import Answer, FactorImportance
from training_factors.study.analysis.contrasts import Confirmation, Contrast, PathStep
from training_factors.study.analysis.verdict import (
    CONFIRMED,
    NOT_DISTINGUISHABLE,
    PROBABLE,
    UNTESTED,
)


class RecommendedSetting(NamedTuple):
    """The recommended setting of a factor.

    hyperparameters: all of the option's, full name -> value. share: None when the study did not
    vary the factor. gain: mean objective of this option less the baseline's, in percentage points;
    None when the factor has only one option, and where effects mean nothing. contrast: the factor's
    paired runs; None without. evidence_level: confirmed, probable, not distinguishable or untested.
    step: the factor's step on the path from the baseline; None without.
    """

    factor: str
    option: str
    hyperparameters: Mapping[str, Value]
    share: float | None
    gain: float | None
    contrast: Contrast | None
    evidence_level: str
    step: PathStep | None = None


def recommend(
    answer: Answer,
    space: SpaceDescription,
    config: Mapping[str, Value],
    confirmation: Confirmation | None,
) -> tuple[RecommendedSetting, ...]:
    """Return the setting of every factor in a configuration, in the order of the space."""
    varied = {factor.name: factor for factor in answer.factors}
    settings = []
    for factor in space.factors:
        option, hyperparameters = chosen_setting(factor, config)
        importance = varied.get(factor.name)
        contrast = confirmation.of(factor.name) if confirmation else None
        settings.append(
            RecommendedSetting(
                factor=factor.name,
                option=option,
                hyperparameters=hyperparameters,
                share=importance.share if importance else None,
                gain=_gain(answer, factor.name, option),
                contrast=contrast,
                evidence_level=evidence_for(
                    importance, confirmation.confirms(factor.name) if confirmation else None
                ),
                step=confirmation.step(factor.name) if confirmation else None,
            )
        )
    return tuple(settings)


def evidence_for(factor: FactorImportance | None, is_confirmed: bool | None) -> str:
    """Return the level of evidence that the setting of a factor matters.

    Confirmed: paired runs show an effect of the factor, at the best configuration or on the path
    that leads to it. Probable: only the measured rows show one, averaged over all settings. Not
    distinguishable: neither does. Untested: the study did not vary the factor (None).

    is_confirmed: as of `Confirmation.confirms`.
    """
    if is_confirmed:
        return CONFIRMED
    if factor is None:
        return UNTESTED
    return PROBABLE if factor.matters else NOT_DISTINGUISHABLE


def chosen_setting(
    factor: DescribedFactor, config: Mapping[str, Value]
) -> tuple[str, dict[str, Value]]:
    """Return the option of a factor and all its hyperparameters, full name -> value.

    What the configuration does not name has its baseline or default value.
    """
    option = str(config.get(factor.name, factor.baseline.name))
    defaults = {
        str(ParameterName(factor.name, option, hyperparameter.name)): hyperparameter.default
        for hyperparameter in factor.option(option).hyperparameters
    }
    return option, {name: config.get(name, default) for name, default in defaults.items()}


def _gain(answer: Answer, factor: str, option: str) -> float | None:
    if answer.no_effects is not None:
        return None
    for effect in answer.effects:
        if (effect.factor, effect.option, effect.hyperparameter) == (factor, option, None):
            return effect.points
    return None
