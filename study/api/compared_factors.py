"""Choose the factors that a confirmation compares, and the option that each is changed to."""

import math
from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches
from statistics import fmean

from training_factors.search_spaces.description import DescribedFactor
from training_factors.storage.studies import Study
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer
from training_factors.study.running.confirmation_size import LEADING_FACTORS


def factors_to_confirm(
    study: Study, answer: Answer, trials: Sequence[Trial], named: Sequence[str] | None
) -> dict[str, str]:
    """Return the factors to confirm, each with its best option other than the baseline.

    trials: of the study. named: their names; None for those with the largest shares, and every one
    that the verdict names as possibly the most important.

    Raises ValueError for a factor that the study does not vary.
    """
    varied = [factor.name for factor in answer.factors]
    largest = [*varied[:LEADING_FACTORS], *answer.verdict.leaders]
    wanted = list(dict.fromkeys(largest)) if named is None else named
    for name in wanted:
        if name not in varied:
            near = get_close_matches(name, varied, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it varies {', '.join(varied)}"
            raise ValueError(f"factor {name!r} is not varied by {study.name}; {hint}")
    factors = {name: study.stamp.space.factor(name) for name in wanted}
    return {name: _best_alternative(answer, trials, one) for name, one in factors.items()}


def _best_alternative(answer: Answer, trials: Sequence[Trial], factor: DescribedFactor) -> str:
    """Return the option with the highest mean besides the baseline; the baseline if alone.

    The mean is that of the surrogates. Where they predict nothing, it is that of the measured runs
    with the option.
    """
    if answer.no_effects is None:
        means = {
            effect.option: effect.mean
            for effect in answer.effects
            if effect.factor == factor.name and effect.hyperparameter is None
        }
    else:
        means = _measured_means(trials, factor.name)
    others = [option.name for option in factor.options[1:]]
    return max(others, key=lambda name: means.get(name, -math.inf), default=factor.baseline.name)


def _measured_means(trials: Sequence[Trial], factor: str) -> dict[str, float]:
    """Return option -> mean objective of the measured runs with this option of a factor."""
    values: dict[str, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.phase == "measure" and trial.complete and trial.value is not None:
            values[str(trial.parameters.get(factor))].append(trial.value)
    return {option: fmean(found) for option, found in values.items()}
