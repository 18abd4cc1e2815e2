"""PED-ANOVA, the importance that Optuna and its dashboard show: it answers another question."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from search_spaces.dimension import Varied, restore
from study.analysis.evidence import Evidence


def ped_anova(evidence: Evidence, coordinates: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Which parameters set the best tenth of the rows apart from all (Watanabe et al., 2023).

    Of the designed rows alone: on adaptively chosen trials it inverts the ranking. It looks at one
    parameter at a time, so it sees no interactions, and it is no share of a variance.
    """
    dimensions = {one["name"]: restore(one["dimension"]) for one in coordinates}
    distributions = {
        name: dimension.distribution()
        for name, dimension in dimensions.items()
        if isinstance(dimension, Varied)
    }
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), direction="maximize")
    for parameters, value in zip(evidence.parameters, evidence.values, strict=True):
        own = {name: distributions[name] for name in parameters}
        study.add_trial(
            create_trial(params=dict(parameters), distributions=own, value=float(value))
        )
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(part) for name, part in found.items()}
