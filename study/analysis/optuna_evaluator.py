"""Give Optuna's own functions and charts the shares of our analysis."""

from collections.abc import Callable

from optuna import Study
from optuna.importance import BaseImportanceEvaluator
from optuna.trial import FrozenTrial

from training_factors.study.analysis.optuna_study import analyse_optuna_study
from training_factors.study.analysis.parameter_groups import NamedGroups, unknown_name


class ShapleyImportanceEvaluator(BaseImportanceEvaluator):
    """The Shapley share of every parameter, conditional ones included, for Optuna's functions.

    A parameter's importance is its part of the variance of the objective, between 0 and 1; together
    they are the part that can be explained. The shares of the parameters in a group sum to that of
    the group (Owen, 1977). Use it with `optuna.importance.get_param_importances` and with
    `optuna.visualization.plot_param_importances`.

    groups: the factors, by name; see `parameter_groups.group_parameters`. seed: of all that is
    drawn; the same study and seed give the same numbers.
    """

    def __init__(self, groups: NamedGroups | None = None, seed: int = 0) -> None:
        self._groups = groups
        self._seed = seed

    def evaluate(
        self,
        study: Study,
        params: list[str] | None = None,
        *,
        target: Callable[[FrozenTrial], float] | None = None,
    ) -> dict[str, float]:
        """Return the share of every parameter, the largest first; 0 for one that does not vary.

        params: the parameters to return; all of them without it. Shares are computed with all
        parameters in any case. target: what to analyse instead of the objective.

        Raises NoAnswer when the trials show too little, TypeError when params is no list of names,
        and ValueError for a name that no complete trial has and for several objectives without a
        target.
        """
        if params is not None and (
            not isinstance(params, list | tuple) or not all(isinstance(p, str) for p in params)
        ):
            raise TypeError(f"params must be a list of the names of parameters, got {params!r}")
        found = analyse_optuna_study(study, groups=self._groups, target=target, seed=self._seed)
        shares = {parameter.name: parameter.share for parameter in found.parameters}
        shares |= dict.fromkeys(found.constant, 0.0)
        for name in params or ():
            if name not in shares:
                raise unknown_name("parameter", name, shares)
        return {name: share for name, share in shares.items() if params is None or name in params}
