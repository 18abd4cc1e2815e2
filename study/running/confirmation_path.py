"""The path of a confirmation: from the baseline to the best configuration, factor by factor."""

from collections.abc import Mapping, Sequence

from training_factors.search_spaces.description import PLACEBO, SpaceDescription, factor_parameters
from training_factors.search_spaces.dimension import Value
from training_factors.storage.arms import CONTRAST, PATH, Arm
from training_factors.storage.trials import Trial
from training_factors.study.running.seed_power import paired_differences

Parameters = dict[str, Value]
"""A configuration: the value of every active parameter, by the parameter's name."""


def baseline_of(space: SpaceDescription) -> Parameters:
    """Return the configuration of baseline options with default hyperparameters.

    It has no placebo, which is no part of what is trained.
    """
    defaults: Parameters = dict(space.baseline)
    for factor in space.factors:
        path = f"{factor.name}.{factor.baseline.name}"
        defaults |= {f"{path}.{one.name}": one.default for one in factor.baseline.hyperparameters}
    active = (c for c in space.coordinates if c.option in (None, defaults.get(c.factor)))
    return {c.name: defaults[c.name] for c in active if c.factor != PLACEBO}


def replace_factor(config: Parameters, factor: str, other: Parameters) -> Parameters:
    """Return the configuration with a factor's parameters replaced by those of another one."""
    removed = factor_parameters(config, factor)
    kept = {name: value for name, value in config.items() if name not in removed}
    return kept | factor_parameters(other, factor)


def differing_factors(
    baseline: Parameters, best: Parameters, factors: Sequence[str]
) -> tuple[str, ...]:
    """Return those of the factors that two configurations set differently."""
    return tuple(
        name
        for name in factors
        if factor_parameters(baseline, name) != factor_parameters(best, name)
    )


def confirmed_effects(arms: Sequence[Arm], trials: Sequence[Trial]) -> dict[str, float]:
    """Return factor -> mean drop of the objective on the test part if it is changed.

    Where a factor was changed with a re-tuned learning rate too, that fairer comparison counts.
    """
    best, *others = (row for row, arm in enumerate(arms) if arm.purpose == CONTRAST)
    drops = {arms[row].factor or "": paired_differences(trials, best, row) for row in others}
    return {name: float(values.mean()) for name, values in drops.items() if len(values)}


def path_arms(
    baseline: Parameters, best: Parameters, factors: Sequence[str], effects: Mapping[str, float]
) -> list[Arm]:
    """Return the steps: the baseline, then one factor more at a time as in the best configuration.

    The factors with the largest drops come first, then those without paired runs. The placebo is
    the same in all steps, so that each differs from the one before in one factor only, and the last
    one is the best configuration.

    factors: all that vary, by share.
    """
    differing = differing_factors(baseline, best, factors)
    compared = sorted((name for name in differing if name in effects), key=lambda n: -effects[n])
    config = {**baseline, **factor_parameters(best, PLACEBO)}
    steps = [Arm(PATH, "path: the baseline", None, config)]
    for name in (*compared, *(name for name in differing if name not in effects)):
        config = replace_factor(config, name, best)
        steps.append(Arm(PATH, f"path: {name} as in the best", name, config))
    return steps
