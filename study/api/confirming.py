"""Confirm a study: choose the factors and the smallest difference, and run stage by stage.

Imports stand inside the functions: only what is needed is loaded.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from training_factors.study.api.execution import WorkerSettings, prepare_stored, run_queue
from training_factors.study.api.output import Output

if TYPE_CHECKING:
    from training_factors.search_spaces.description import DescribedFactor
    from training_factors.storage.studies import Study
    from training_factors.study.analysis.answer import Answer

LEADING_FACTORS = 5
"""Number of factors to confirm where none is named: those with the largest shares."""


def run_confirmation(
    study: "Study",
    changes: dict[str, str],
    difference: float,
    settings: WorkerSettings,
    output: Output,
) -> tuple[int, "Study"]:
    """Plan and run a confirmation, stage by stage; return the exit code and its study.

    changes: factor -> the option to try where the best configuration has the baseline.
    difference: the smallest difference worth seeing, in the unit of the objective.
    """
    from training_factors.storage.studies import create_confirmation
    from training_factors.study.running.confirmation import ConfirmationRequest, plan_next

    prepared = prepare_stored(study, settings)
    confirmation = create_confirmation(study)
    request = ConfirmationRequest(changes, difference)
    while True:
        code = run_queue(confirmation, prepared, settings, output, is_stage=True)
        if code or not plan_next(study, confirmation, prepared.space, request):
            return code, confirmation


def smallest_difference(study: "Study", named: float | None) -> float:
    """Return the smallest difference worth seeing, in the unit of the objective.

    named: in points, or in the unit of a loss; None for one point, or 1 % of the loss at chance.
    Raises ValueError for a difference that is too small.
    """
    from training_factors.storage.metrics import metric_of

    metric = metric_of(study.stamp.objective)
    least = 0.0 if metric.unit else 0.01
    if named is not None and not (named >= least and named > 0):
        at_least = "greater than 0" if metric.unit else "0.01 or more"
        raise ValueError(f"--difference {named:g} must be {at_least}")
    if not metric.unit:
        return (1.0 if named is None else named) / 100
    return study.stamp.chance[metric.name] / 100 if named is None else named


def factors_to_confirm(study: "Study", named: Sequence[str] | None, jobs: int) -> dict[str, str]:
    """Return the factors to confirm, each with its best option other than the baseline.

    named: their names; None for those with the largest shares. jobs: number of processes that
    compute the answer. Raises ValueError for
    a factor that the study does not vary.
    """
    from training_factors.study.reporting.analyses import answer_of

    answer = answer_of(study, jobs)
    varied = [factor.name for factor in answer.factors]
    wanted = varied[:LEADING_FACTORS] if named is None else named
    for name in wanted:
        if name not in varied:
            near = get_close_matches(name, varied, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it varies {', '.join(varied)}"
            raise ValueError(f"factor {name!r} is not varied by {study.name}; {hint}")
    return {name: _best_alternative(answer, study.stamp.space.factor(name)) for name in wanted}


def _best_alternative(answer: "Answer", factor: "DescribedFactor") -> str:
    """Return the option with the highest mean besides the baseline; the baseline if alone."""
    means = {
        effect.option: effect.mean
        for effect in answer.effects
        if effect.factor == factor.name and effect.hyperparameter is None
    }
    others = [option.name for option in factor.options[1:]]
    return max(others, key=lambda option: means[option], default=factor.baseline.name)
