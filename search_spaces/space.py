"""A space: an ordered set of factors, each varied or held, and what can be done with it.

A configuration is the flat dict that Optuna stores: `{"optimizer": "sgd", "optimizer.sgd.lr":
0.1, ...}`. It names the active parameters only; what it does not name is at its baseline.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import optuna
from optuna.distributions import BaseDistribution

from training_factors.search_spaces.description import (
    PLACEBO,
    Coordinate,
    ParameterName,
    SpaceDescription,
)
from training_factors.search_spaces.dimension import Dimension, Fixed, Uniform, Value, describe
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, plain_recipe

Config = dict[str, Value]

PLACEBO_COORDINATE = Coordinate(PLACEBO, PLACEBO, None, Uniform(0.0, 1.0))
"""A parameter that training never reads: it shows what "nothing" looks like."""

DOCUMENTED_TOPICS = (
    "data split",
    "normalization",
    "data augmentation",
    "initialization",
    "optimizer",
    "activation",
    "dropout",
    "batch normalization",
    "residual connections",
)
FURTHER_TOPICS = ("learning rate schedule", "batch size", "loss", "gradient clipping",
                  "network size", "weight averaging")  # fmt: skip
SMALL = ("normalization", "initialization", "optimizer", "activation", "batch_norm", "residual")


class LeftOut(NamedTuple):
    """A factor, option or hyperparameter that does not apply to a problem, and where it would."""

    name: str
    where: str


@dataclass(frozen=True)
class Space:
    """An ordered set of factors for one problem.

    Every factor there is belongs to it; one that does not vary is held at its baseline.
    """

    name: str
    factors: tuple[Factor, ...]

    def factor(self, name: str) -> Factor:
        """The factor of this name. Raises KeyError when there is none."""
        return {factor.name: factor for factor in self.factors}[name]

    @property
    def varied(self) -> tuple[Factor, ...]:
        """The factors with something to vary."""
        return tuple(factor for factor in self.factors if factor.coordinates())

    def coordinates(self) -> tuple[Coordinate, ...]:
        """The axes of the unit cube, in order; the placebo is the last."""
        return (
            *(axis for factor in self.factors for axis in factor.coordinates()),
            PLACEBO_COORDINATE,
        )

    def replace_factor(self, changed: Factor) -> "Space":
        """The same space with another factor in the place of the one of the same name."""
        return replace(
            self,
            factors=tuple(
                changed if factor.name == changed.name else factor for factor in self.factors
            ),
        )

    def fitted(self, problem: Problem) -> tuple["Space", tuple[LeftOut, ...]]:
        """The part of this space that applies to `problem`, and what was left out of it."""
        left_out: list[LeftOut] = []
        for factor in self.varied:
            if not factor.where.holds(problem):
                left_out.append(LeftOut(factor.name, factor.where.words))
                continue
            for option in factor.options:
                path = factor.name, option.name
                if not option.where.holds(problem):
                    left_out.append(LeftOut(str(ParameterName(*path)), option.where.words))
                    continue
                left_out += [
                    LeftOut(
                        str(ParameterName(*path, hyperparameter.name)), hyperparameter.where.words
                    )
                    for hyperparameter in option.hyperparameters
                    if not hyperparameter.where.holds(problem)
                ]
        fitting = tuple(
            factor.fitted(problem) for factor in self.factors if factor.where.holds(problem)
        )
        return replace(self, factors=fitting), tuple(left_out)

    def decode(self, units: Sequence[float]) -> Config:
        """The active parameters at a point of the unit cube, one number in [0, 1) per axis."""
        config: Config = {}
        for axis, unit in zip(self.coordinates(), units, strict=True):
            if _is_active(axis, config):
                assert not isinstance(axis.dimension, Fixed)
                config[axis.name] = axis.dimension.decode(float(unit))
        return config

    def baseline(self) -> Config:
        """Every factor at its first option and every hyperparameter of it at its default."""
        defaults = {
            str(
                ParameterName(factor.name, option.name, hyperparameter.name)
            ): hyperparameter.default
            for factor in self.factors
            for option in factor.options
            for hyperparameter in option.hyperparameters
        } | {factor.name: factor.baseline.name for factor in self.factors}
        config: Config = {}
        for axis in self.coordinates():
            if _is_active(axis, config):
                config[axis.name] = defaults.get(axis.name, 0.5)
        return config

    def suggest(self, trial: optuna.Trial) -> Config:
        """The active parameters that the trial's sampler proposes."""
        config: Config = {}
        for axis in self.coordinates():
            if _is_active(axis, config):
                config[axis.name] = _suggest(trial, axis)
        return config

    def distributions(self, config: Mapping[str, Value]) -> dict[str, BaseDistribution]:
        """Optuna's distribution of every active parameter of `config`."""
        return {
            axis.name: axis.dimension.distribution()
            for axis in self.coordinates()
            if axis.name in config and not isinstance(axis.dimension, Fixed)
        }

    def build(self, config: Mapping[str, Value], problem: Problem) -> Recipe:
        """The recipe that `config` stands for."""
        recipe = plain_recipe(problem)
        for factor in self.factors:
            recipe = factor.apply(recipe, config)
        return recipe

    def describe(self) -> SpaceDescription:
        """Return the space as a plain record, which can be stored."""
        return SpaceDescription(
            self.name,
            self.coordinates(),
            tuple(factor.describe() for factor in self.factors),
            self.fingerprint(),
        )

    def fingerprint(self) -> str:
        """A digest of all that decides what a configuration means; documentation is not in it."""
        meaning = [
            (
                factor.name,
                [
                    (
                        option.name,
                        [
                            (
                                hyperparameter.name,
                                hyperparameter.default,
                                describe(hyperparameter.dimension),
                            )
                            for hyperparameter in option.hyperparameters
                        ],
                    )
                    for option in factor.options
                ],
            )
            for factor in self.factors
        ]
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]


def named_space(name: str) -> Space:
    """The space `documented`, `full` or `small`. Raises KeyError for another name."""
    order = {topic: rank for rank, topic in enumerate(DOCUMENTED_TOPICS + FURTHER_TOPICS)}
    ordered = sorted(FACTORS, key=lambda factor: order[factor.topic])
    varied = {
        "documented": {f.name for f in ordered if f.topic in DOCUMENTED_TOPICS},
        "full": {factor.name for factor in ordered},
        "small": set(SMALL),
    }[name]
    return Space(name, tuple(f if f.name in varied else f.held() for f in ordered))


SPACES = ("documented", "full", "small")


def _is_active(axis: Coordinate, config: Mapping[str, Value]) -> bool:
    return axis.option is None or config[axis.factor] == axis.option


def _suggest(trial: optuna.Trial, axis: Coordinate) -> Value:
    distribution = _varied(axis.dimension)
    if isinstance(distribution, optuna.distributions.FloatDistribution):
        low, high = distribution.low, distribution.high
        return trial.suggest_float(axis.name, low, high, log=distribution.log)
    if isinstance(distribution, optuna.distributions.IntDistribution):
        return trial.suggest_int(axis.name, distribution.low, distribution.high)
    assert isinstance(distribution, optuna.distributions.CategoricalDistribution)
    return trial.suggest_categorical(axis.name, distribution.choices)  # type: ignore[return-value]


def _varied(dimension: Dimension) -> BaseDistribution:
    assert not isinstance(dimension, Fixed)
    return dimension.distribution()
