"""Analyse any Optuna study: the importance of every factor that its own trials show.

The trials say what was tried, `presence` which parameters depend on which, and names or the user
which parameters are one factor. What comes of it is a study as our own analysis reads it.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from optuna import Study

from training_factors.search_spaces.description import PLACEBO, SpaceDescription
from training_factors.search_spaces.dimension import Value
from training_factors.storage.trials import Trial
from training_factors.study.analysis.answer import Answer, NoAnswer
from training_factors.study.analysis.design_check import DesignCheck, check_design
from training_factors.study.analysis.effects import ExpectedBest
from training_factors.study.analysis.features import Array
from training_factors.study.analysis.importance import analyse_measured
from training_factors.study.analysis.measurements import MIN_ROWS, MeasuredStudy, summarize_rows
from training_factors.study.analysis.optuna_layout import (
    ABSENT,
    PRESENT,
    OptunaLayout,
    describe_conditions,
    lay_out,
    presence_axis,
)
from training_factors.study.analysis.optuna_trials import (
    Direction,
    Parameter,
    ReadParameters,
    ReadTrials,
    Target,
    read_parameters,
    read_trials,
)
from training_factors.study.analysis.parameter_groups import NamedGroups, unknown_name
from training_factors.study.analysis.rows import Rows


class StudyParameter(NamedTuple):
    """A parameter of an Optuna study as it was analysed.

    group: the factor that it belongs to. values: what it could be, in words. condition: when it is
    present, in words; empty where it always is. share: its part of the factor's share (Owen value).
    """

    name: str
    group: str
    values: str
    condition: str
    share: float


class StudyImportance(NamedTuple):
    """The importance of the factors of an Optuna study.

    answer: as for our own studies. Gains are positive where they are improvements; means are in the
    unit of the objective. direction: of the objective, or of the target. design: whether the trials
    look designed. notes: sentences about what was left out or assumed. parameters: all that have a
    share, the largest first. constant: those with one value in all trials, which shows nothing.
    """

    answer: Answer
    direction: Direction
    design: DesignCheck
    notes: tuple[str, ...]
    parameters: tuple[StudyParameter, ...]
    constant: tuple[str, ...]


def analyse_optuna_study(
    study: Study,
    *,
    groups: NamedGroups | None = None,
    placebo: str | None = None,
    target: Target | None = None,
    direction: Direction | None = None,
    seed: int = 0,
    jobs: int = 1,
) -> StudyImportance:
    """Return the importance of the factors of an Optuna study, whoever wrote its program.

    groups: the factors, by name; see `group_parameters`. placebo: the name of a parameter that the
    program never reads; `placebo` if there is one of this name. target: what to analyse instead of
    the objective, as in Optuna's own functions; needed for several objectives. direction: which
    values of the target are good; large ones if it is not given. jobs: number of processes; the
    answer does not depend on it.

    Trials with equal parameters are repeats, which show how much the objective varies by chance.

    Raises NoAnswer when the trials show too little. Raises ValueError for names that the study does
    not have, for several objectives without a target, and for a parameter of different kinds.
    """
    trials = read_trials(study, target, direction)
    parameters = read_parameters(trials.trials)
    found = lay_out(
        parameters.varied, parameters.constant, groups, _find_placebo(placebo, parameters)
    )
    runs_of_row = _group_runs(parameters.varied, len(trials.values))
    _check_size(parameters.varied, len(runs_of_row))
    measured = _measure(trials, parameters.varied, found, runs_of_row, seed)
    answer = analyse_measured(measured, jobs)
    if trials.direction == "minimize":
        answer = _mirrored_objectives(answer, trials.values)
    first_runs = [runs[0] for runs in runs_of_row]
    tried = [
        one._replace(values=tuple(one.values[i] for i in first_runs)) for one in parameters.varied
    ]
    return StudyImportance(
        answer=answer,
        direction=trials.direction,
        design=check_design(tried, seed),
        notes=(*trials.notes, *parameters.notes, *found.notes),
        parameters=_describe(answer, found),
        constant=parameters.constant,
    )


def _find_placebo(name: str | None, parameters: ReadParameters) -> str | None:
    """Return the name of the placebo, which all trials must have; None when there is none."""
    varied = {parameter.name: parameter for parameter in parameters.varied}
    if name is None:
        is_everywhere = PLACEBO in varied and None not in varied[PLACEBO].values
        return PLACEBO if is_everywhere else None
    if name not in parameters.names:
        raise unknown_name("placebo", name, parameters.names)
    if name not in varied or None in varied[name].values:
        raise ValueError(
            f"placebo {name!r} must be in every trial, with different values; leave it out, or "
            "name another one"
        )
    return name


def _group_runs(parameters: Sequence[Parameter], trials: int) -> list[list[int]]:
    """Return the numbers of the trials with equal parameters, in the order of the first ones."""
    runs: dict[tuple[Value | None, ...], list[int]] = defaultdict(list)
    for i in range(trials):
        runs[tuple(parameter.values[i] for parameter in parameters)].append(i)
    return list(runs.values())


def _check_size(parameters: Sequence[Parameter], rows: int) -> None:
    """Raise NoAnswer when there are too few parameters or configurations."""
    if rows and len(parameters) < 2:
        names = parameters[0].name if parameters else "none"
        raise NoAnswer(
            f"nothing to compare: fewer than two parameters vary between the trials ({names})"
        )
    if rows < MIN_ROWS:
        raise NoAnswer(
            f"too few trials: {rows} with different parameters are complete; at least {MIN_ROWS} "
            "are needed"
        )


def _measure(
    trials: ReadTrials,
    parameters: Sequence[Parameter],
    found: OptunaLayout,
    runs_of_row: Sequence[Sequence[int]],
    seed: int,
) -> MeasuredStudy:
    """Return the study as our own analysis reads it, with an objective that is to be maximized."""
    values = np.array(trials.values)
    if trials.direction == "minimize":
        values = _mirrored(values, trials.values)
    rows = [
        tuple(
            _as_run(trials.trials[i].number, row, repeat, _active(parameters, found, i), values[i])
            for repeat, i in enumerate(runs)
        )
        for row, runs in enumerate(runs_of_row)
    ]
    measurements = summarize_rows(rows)
    features = found.layout.encode(measurements.parameters).astype(np.float32)
    topics = {axis.factor: axis.factor for axis in found.layout.axes}
    return MeasuredStudy(
        measurements,
        found.layout,
        Rows(features, measurements.values, seed, found.layout),
        topics,
        SpaceDescription(),
        found.placebo,
    )


def _as_run(
    number: int, row: int, repeat: int, parameters: dict[str, Value], value: float
) -> Trial:
    return Trial(
        number, "COMPLETE", "measure", row, repeat, -1, parameters, float(value), {}, {}, None, {}
    )


def _active(parameters: Sequence[Parameter], found: OptunaLayout, trial: int) -> dict[str, Value]:
    """Return the values of a trial's active axes."""
    active: dict[str, Value] = {}
    for parameter in parameters:
        value, presence = parameter.values[trial], presence_axis(parameter.name)
        if presence in found.parameters:
            active[presence] = ABSENT if value is None else PRESENT
        if value is not None:
            active[parameter.name] = value
    return active


def _mirrored(values: Array, of: Sequence[float]) -> Array:
    """Return values with their order reversed, within the range of others.

    Values between 0 and 1 are modelled by their logits, so they stay there: 1 less each of them. An
    error rate then has the shares of the accuracy.
    """
    low, high = min(of), max(of)
    centre = 1.0 if low >= 0 and high <= 1 else low + high
    mirrored: Array = centre - values
    return mirrored


def _mirrored_objectives(answer: Answer, values: Sequence[float]) -> Answer:
    """Return the answer with mean and best objectives in their own unit again."""

    def mirrored(value: float) -> float:
        return float(_mirrored(np.array(value), values))

    def of_best(best: ExpectedBest | None) -> ExpectedBest | None:
        if best is None:
            return None
        low, high = best.interval
        return best._replace(value=mirrored(best.value), interval=(mirrored(high), mirrored(low)))

    effects = tuple(
        effect._replace(mean=mirrored(effect.mean), expected_best=of_best(effect.expected_best))
        for effect in answer.effects
    )
    return answer._replace(effects=effects)


def _describe(answer: Answer, found: OptunaLayout) -> tuple[StudyParameter, ...]:
    """Return the parameters with their shares; that of a presence is its parameter's."""
    shares: dict[str, float] = defaultdict(float)
    for factor in answer.factors_and_placebo:
        for hyperparameter in factor.hyperparameters:
            shares[found.parameters[hyperparameter.name]] += hyperparameter.share
    described = [
        StudyParameter(
            axis.name,
            axis.factor,
            str(axis.dimension),
            describe_conditions(found.layout, axis),
            shares[axis.name],
        )
        for axis in found.layout.axes
        if found.parameters[axis.name] == axis.name
    ]
    return tuple(sorted(described, key=lambda one: (-one.share, one.name)))
