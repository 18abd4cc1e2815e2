"""What to set, factor by factor, and how good the evidence for it is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from study.analysis.answer import Answer, Factor
from study.analysis.contrasts import Confirmation, Contrast
from study.analysis.verdict import CONFIRMED, NOT_DISTINGUISHABLE, PROBABLE, UNTESTED


class Setting(NamedTuple):
    """What to set a factor to.

    knobs: of the option, path -> value. share: None where the study did not vary it. gain: of this
    option over the baseline, in points; None where there is only one.
    contrast: of controlled runs, None without. standing: confirmed, probable, not distinguishable
    or untested.
    """

    factor: str
    option: str
    knobs: Mapping[str, Any]
    share: float | None
    gain: float | None
    contrast: Contrast | None
    standing: str


def recommend(
    answer: Answer,
    space: Mapping[str, Any],
    config: Mapping[str, Any],
    confirmation: Confirmation | None,
) -> tuple[Setting, ...]:
    """The setting of every factor of a described space, in its order, from a configuration."""
    varied = {factor.name: factor for factor in answer.factors}
    settings = []
    for factor in space["factors"]:
        name = factor["name"]
        option, knobs = chosen(factor, config)
        known = varied.get(name)
        contrast = confirmation.of(name) if confirmation else None
        settings.append(
            Setting(
                name,
                option,
                knobs,
                known.share if known else None,
                _gain(answer, name, option),
                contrast,
                standing(known, contrast),
            )
        )
    return tuple(settings)


def _gain(answer: Answer, factor: str, option: str) -> float | None:
    own = (e for e in answer.effects if (e.factor, e.option, e.knob) == (factor, option, None))
    return next((effect.points for effect in own), None)


def standing(factor: Factor | None, contrast: Contrast | None) -> str:
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


def chosen(factor: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The option, and all its knobs: from the configuration, else as they are held."""
    name = factor["name"]
    option = config.get(name, factor["options"][0]["name"])
    (described,) = (one for one in factor["options"] if one["name"] == option)
    paths = {f"{name}.{option}.{knob['name']}": knob["default"] for knob in described["knobs"]}
    return option, {path: config.get(path, default) for path, default in paths.items()}
