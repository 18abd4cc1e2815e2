"""What to set, factor by factor, and how good the evidence for it is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from training_factors.search_spaces.description import (
    DescribedFactor,
    ParameterName,
    SpaceDescription,
)
from training_factors.study.analysis.answer import Answer, FactorImportance
from training_factors.study.analysis.contrasts import Confirmation, Contrast
from training_factors.study.analysis.verdict import (
    CONFIRMED,
    NOT_DISTINGUISHABLE,
    PROBABLE,
    UNTESTED,
)


class RecommendedSetting(NamedTuple):
    """What to set a factor to.

    hyperparameters: of the option, path -> value. share: None where the study did not vary it. gain: of this
    option over the baseline, in points; None where there is only one.
    contrast: of controlled runs, None without. standing: confirmed, probable, not distinguishable
    or untested.
    """

    factor: str
    option: str
    hyperparameters: Mapping[str, Any]
    share: float | None
    gain: float | None
    contrast: Contrast | None
    standing: str


def recommend(
    answer: Answer,
    space: SpaceDescription,
    config: Mapping[str, Any],
    confirmation: Confirmation | None,
) -> tuple[RecommendedSetting, ...]:
    """The setting of every factor of a described space, in its order, from a configuration."""
    varied = {factor.name: factor for factor in answer.factors}
    settings = []
    for factor in space.factors:
        name = factor.name
        option, hyperparameters = chosen_setting(factor, config)
        known = varied.get(name)
        contrast = confirmation.of(name) if confirmation else None
        settings.append(
            RecommendedSetting(
                name,
                option,
                hyperparameters,
                known.share if known else None,
                _gain(answer, name, option),
                contrast,
                evidence_for(known, contrast),
            )
        )
    return tuple(settings)


def _gain(answer: Answer, factor: str, option: str) -> float | None:
    own = (
        e
        for e in answer.effects
        if (e.factor, e.option, e.hyperparameter) == (factor, option, None)
    )
    return next((effect.points for effect in own), None)


def evidence_for(factor: FactorImportance | None, contrast: Contrast | None) -> str:
    """How good the evidence is that a factor's setting matters.

    Controlled runs have the last word: confirmed when the best loses by setting the factor back,
    not distinguishable when that cannot be seen. Without them, probable when the measured rows
    show the factor's effect.
    """
    if contrast is not None:
        return CONFIRMED if contrast.confirmed else NOT_DISTINGUISHABLE
    if factor is None:
        return UNTESTED
    return PROBABLE if factor.matters else NOT_DISTINGUISHABLE


def chosen_setting(
    factor: DescribedFactor, config: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The option, and all its hyperparameters: from the configuration, else as they are held."""
    option = config.get(factor.name, factor.baseline.name)
    paths = {
        str(ParameterName(factor.name, option, one.name)): one.default
        for one in factor.option(option).hyperparameters
    }
    return option, {path: config.get(path, default) for path, default in paths.items()}
