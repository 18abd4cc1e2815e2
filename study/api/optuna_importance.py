"""The importance of factors in Optuna studies of other programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from joblib import cpu_count
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from training_factors.study.analysis.answer import as_document, as_plain
from training_factors.study.analysis.design_check import DesignCheck
from training_factors.study.analysis.optuna_study import (
    StudyParameter,
    analyse_optuna_study,
)
from training_factors.study.analysis.optuna_trials import Direction, Target
from training_factors.study.analysis.parameter_groups import NamedGroups
from training_factors.study.api.factor_study import FactorStudy
from training_factors.study.api.results import Importance
from training_factors.study.reporting.formatting import OWN_UNIT, Unit, percent, unit_of
from training_factors.study.reporting.frames import parameters_frame
from training_factors.study.reporting.importance_tables import draw_importance

if TYPE_CHECKING:
    import optuna
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class OptunaImportance(Importance):
    """The importance of the factors in an Optuna study that another program made.

    is_fraction: whether the objective lies between 0 and 1, as an accuracy does. parameters: every
    parameter with its share, the largest first. design: whether the trials look designed; shares of
    trials that a sampler chose adaptively are biased.
    """

    is_fraction: bool
    parameters: tuple[StudyParameter, ...]
    design: DesignCheck

    @property
    def unit(self) -> Unit:
        """Points for a fraction, else the unit of the objective."""
        return unit_of(self.objective) if self.is_fraction else OWN_UNIT

    def hyperparameters(self) -> "pd.DataFrame":
        """Return a row per parameter; see `frames.parameters_frame`."""
        return parameters_frame(self.parameters)

    def drawn(self) -> RenderableType:
        """Draw the design, the notes, the factors and the parameters of factors with several."""
        return Group(
            *(Text(note) for note in self.notes),
            Text(),
            draw_importance(self.answer, self.objective, self.unit),
            *self._drawn_parameters(),
        )

    def document(self) -> dict[str, Any]:
        """Return everything as a JSON document."""
        document: Mapping[str, Any] = {
            **as_document(self.answer, self.study),
            "objective": self.objective,
            "design": as_plain(self.design),
            "notes": list(self.notes),
            "parameters": as_plain(self.parameters),
        }
        return dict(document)

    def _drawn_parameters(self) -> list[RenderableType]:
        groups = [parameter.group for parameter in self.parameters]
        if len(set(groups)) == len(groups):
            return []
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("parameter", "factor", "share", "values", "present"):
            right = heading == "share"
            table.add_column(heading, justify="right" if right else "left", overflow="fold")
        for one in self.parameters:
            share = f"{percent(one.share)} %"
            table.add_row(one.name, one.group, share, one.values, one.condition or "always")
        return [Text(), table]


@overload
def importance(study: FactorStudy, *, jobs: int | None = None) -> Importance: ...


@overload
def importance(
    study: "optuna.Study",
    *,
    groups: NamedGroups | None = None,
    placebo: str | None = None,
    target: Target | None = None,
    direction: Direction | None = None,
    seed: int = 0,
    jobs: int | None = None,
) -> OptunaImportance: ...


def importance(
    study: "FactorStudy | optuna.Study",
    *,
    groups: NamedGroups | None = None,
    placebo: str | None = None,
    target: Target | None = None,
    direction: Direction | None = None,
    seed: int = 0,
    jobs: int | None = None,
) -> Importance:
    """Return which factor matters most in a study of ours, or in any Optuna study.

    Of an Optuna study the complete trials count. Parameters that depend on others are found from
    the trials; whether trials look designed or chosen adaptively is tested, and said in `notes`.

    study: what `run` and `load` return, or an `optuna.Study`. The other arguments but jobs are for
        an Optuna study.
    groups: the factors: name -> the parameters in it, or what their names begin with. None: by the
        part of a name before the first `.` or `/`; a parameter that depends on another one is in
        the other one's factor.
    placebo: a parameter that the program never reads; `placebo` if there is one of this name.
    target: what to analyse instead of the objective: trial -> number. direction: `minimize` or
        `maximize`, of the target.
    seed: of all that is drawn; the same study and seed give the same numbers.
    jobs: number of processes that compute it; None for one per core.

    Raises NoAnswer when the trials show too little; ValueError for names that the study does not
    have, for several objectives without a target, and for a study of this tool that was not opened
    with `load`.
    """
    if isinstance(study, FactorStudy):
        if groups is not None or placebo is not None or target is not None:
            raise ValueError(
                f"study {study.name!r} is of this tool and has its factors; leave groups, placebo "
                "and target out"
            )
        return study.importance(jobs=jobs)
    if "stamp" in study.user_attrs:
        raise ValueError(
            f"study {study.study_name!r} was made by this tool; open it with "
            "training_factors.load, which knows its phases and factors"
        )
    found = analyse_optuna_study(
        study, groups=groups, placebo=placebo, target=target, direction=direction, seed=seed,
        jobs=jobs or cpu_count(),
    )  # fmt: skip
    names = study.metric_names
    objective = names[0] if names and target is None else "objective value"
    notes = (found.design.sentence, *found.notes)
    if found.direction == "minimize":
        notes = (*notes, f"The {objective} is minimized: a positive gain is a decrease.")
    means = [effect.mean for effect in found.answer.effects]
    return OptunaImportance(
        study.study_name, study.study_name, objective, found.answer, notes,
        is_fraction=bool(means) and min(means) >= 0 and max(means) <= 1,
        parameters=found.parameters, design=found.design,
    )  # fmt: skip
