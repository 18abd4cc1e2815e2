"""Read the trials of any Optuna study: what they tried, what came out, and what is left out."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from training_factors.search_spaces.dimension import Value
from training_factors.search_spaces.distribution import AnyDimension, choice_texts, dimension_of

Target = Callable[[FrozenTrial], float]
"""What to analyse of a trial, as in Optuna's own functions."""

Direction = Literal["maximize", "minimize"]
"""Which values are good ones."""

STATE_WORDS = {
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
"""States of trials that are left out, in words."""

KIND_WORDS: Mapping[type[BaseDistribution], str] = {
    CategoricalDistribution: "a choice",
    FloatDistribution: "a float",
    IntDistribution: "an integer",
}
"""Kinds of distributions, in words."""


class ReadTrials(NamedTuple):
    """The trials that an analysis uses.

    trials: the complete ones with a finite value, in the order of their numbers. values: the
    objective of each, or the target. direction: which of these are good. notes: sentences about
    those that are left out.
    """

    trials: tuple[FrozenTrial, ...]
    values: tuple[float, ...]
    direction: Direction
    notes: tuple[str, ...]


class Parameter(NamedTuple):
    """A parameter of the trials.

    dimension: all values that trials could take. values: of every trial; None where the trial does
    not have the parameter. A choice is known by its text. notes: sentences about what changed
    between the trials.
    """

    name: str
    dimension: AnyDimension
    values: tuple[Value | None, ...]
    notes: tuple[str, ...]

    @property
    def occurrences(self) -> int:
        """The number of trials that have the parameter."""
        return sum(value is not None for value in self.values)


class ReadParameters(NamedTuple):
    """The parameters whose effect the trials can show, by name, and the names of all others.

    The others had one value in all trials that have them.
    """

    varied: tuple[Parameter, ...]
    constant: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all parameters, sorted."""
        return tuple(sorted([*(parameter.name for parameter in self.varied), *self.constant]))

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about parameters that changed, and about those that are left out."""
        changed = [note for parameter in self.varied for note in parameter.notes]
        if not self.constant:
            return tuple(changed)
        verb = "has" if len(self.constant) == 1 else "have"
        names = ", ".join(self.constant)
        return (*changed, f"{names} {verb} one value in all trials, which shows no effect")


def read_trials(study: Study, target: Target | None, direction: Direction | None) -> ReadTrials:
    """Return the complete trials of a study with what is to be analysed.

    direction: of the target; without a target it is that of the study. Raises ValueError for
    several objectives without a target, and for a direction without a target.
    """
    if target is None and len(study.directions) > 1:
        raise ValueError(
            f"study {study.study_name!r} has {len(study.directions)} objectives; choose one with "
            "target, such as lambda trial: trial.values[0]"
        )
    if target is None and direction is not None:
        raise ValueError(
            f"direction {direction!r} belongs to a target; without one it is that of the study"
        )
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    values = [float(trial.values[0] if target is None else target(trial)) for trial in complete]
    finite = [pair for pair in zip(complete, values, strict=True) if math.isfinite(pair[1])]
    if target is None:
        direction = "minimize" if study.direction is StudyDirection.MINIMIZE else "maximize"
    return ReadTrials(
        tuple(trial for trial, _ in finite),
        tuple(value for _, value in finite),
        direction or "maximize",
        _count_notes(trials, len(complete) - len(finite)),
    )


def read_parameters(trials: Sequence[FrozenTrial]) -> ReadParameters:
    """Return the parameters of trials, sorted by name.

    Raises ValueError for a parameter that is of different kinds in different trials.
    """
    names = sorted({name for trial in trials for name in trial.distributions})
    varied, constant = [], []
    for name in names:
        having = [trial for trial in trials if name in trial.distributions]
        united, notes = _unite(
            name, [t.distributions[name] for t in having], [t.params[name] for t in having]
        )
        texts = _texts(united)
        values = tuple(_value_of(trial, name, texts) for trial in trials)
        if len({value for value in values if value is not None}) < 2:
            constant.append(name)
        else:
            varied.append(Parameter(name, dimension_of(united), values, notes))
    return ReadParameters(tuple(varied), tuple(constant))


# Notes


def _count_notes(trials: Sequence[FrozenTrial], not_finite: int) -> tuple[str, ...]:
    counts = Counter(trial.state for trial in trials)
    complete, total = counts[TrialState.COMPLETE], len(trials)
    others = [f"{counts[state]} {word}" for state, word in STATE_WORDS.items() if counts[state]]
    note = f"{complete} of {total} trials are complete"
    lost = [STATE_WORDS[s] for s in (TrialState.PRUNED, TrialState.FAIL) if counts[s]]
    if others:
        note = f"{note}; {', '.join(others)}"
    if lost:
        words = " and ".join(lost)
        note = (
            f"{note}; {words} trials are left out, which hides a part of the effect of whatever "
            f"they {words.replace('pruned', 'were pruned')} for"
        )
    if not not_finite:
        return (note,)
    return (
        note,
        f"{not_finite} complete {_plural('trial', not_finite)} without a finite value "
        f"{'is' if not_finite == 1 else 'are'} left out; return a poor finite value where a run "
        "diverges, or what makes it diverge looks harmless",
    )


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


# One distribution of all trials


def _unite(
    name: str, distributions: Sequence[BaseDistribution], values: Sequence[float]
) -> tuple[BaseDistribution, tuple[str, ...]]:
    """Return a distribution with the values of all trials, and what to say about it."""
    kinds = {kind for kind in KIND_WORDS if any(isinstance(one, kind) for one in distributions)}
    if len(kinds) > 1:
        words = " and ".join(KIND_WORDS[kind] for kind in KIND_WORDS if kind in kinds)
        raise ValueError(
            f"parameter {name!r} is {words} in different trials; rename one of them, or add the "
            "trials of one kind to a study of their own"
        )
    last = distributions[-1]
    if isinstance(last, CategoricalDistribution):
        united: BaseDistribution = _unite_choices(distributions)
        changed = any(repr(one) != repr(last) for one in distributions)
    else:
        united = _unite_ranges(distributions, values)
        changed = any(one != last for one in distributions)
    if not changed and united == last:
        return united, ()
    what = (
        f"the values of {name} changed between trials"
        if changed
        else (f"{name} has values outside of its range")
    )
    return united, () if united.single() else (f"{what}; used are {dimension_of(united)}",)


def _unite_choices(distributions: Sequence[BaseDistribution]) -> CategoricalDistribution:
    choices = {
        repr(choice): choice
        for distribution in distributions
        if isinstance(distribution, CategoricalDistribution)
        for choice in distribution.choices
    }
    return CategoricalDistribution(tuple(choices.values()))


def _unite_ranges(
    distributions: Sequence[BaseDistribution], values: Sequence[float]
) -> FloatDistribution | IntDistribution:
    """Return the smallest range that holds all ranges and values, on the scale of the last one.

    Steps that differ, or that a bound or a value does not keep, are given up.
    """
    ranges = [one for one in distributions if isinstance(one, FloatDistribution | IntDistribution)]
    last = ranges[-1]
    points = [*(one.low for one in ranges), *(one.high for one in ranges), *values]
    low, high = min(points), max(points)
    log = last.log and low > 0
    steps = {one.step for one in ranges}
    step = last.step if steps == {last.step} and not log else None
    if step is not None and any(
        abs((x - low) / step - round((x - low) / step)) > 1e-8 for x in points
    ):
        step = None
    if isinstance(last, IntDistribution):
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def _texts(distribution: BaseDistribution) -> Mapping[str, str] | None:
    """Return the text of each choice by its `repr`; None for a distribution of numbers."""
    if not isinstance(distribution, CategoricalDistribution):
        return None
    distinct = list(dict.fromkeys(map(repr, distribution.choices)))
    return dict(zip(distinct, choice_texts(distribution.choices), strict=True))


def _value_of(trial: FrozenTrial, name: str, texts: Mapping[str, str] | None) -> Value | None:
    """Return a trial's value of a parameter; None when it does not have it."""
    if name not in trial.params:
        return None
    value, distribution = trial.params[name], trial.distributions[name]
    if texts is None:
        return int(value) if isinstance(distribution, IntDistribution) else float(value)
    assert isinstance(distribution, CategoricalDistribution)
    if repr(value) not in texts:
        value = distribution.choices[int(distribution.to_internal_repr(value))]
    return texts[repr(value)]
