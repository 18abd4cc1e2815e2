"""Search spaces: ordered sets of factors, each of which varies or is fixed at its baseline.

A configuration is the flat dict of parameters that Optuna stores: `{"optimizer": "sgd",
"optimizer.sgd.lr": 0.1, ...}`. It contains active parameters only: the chosen options and the
hyperparameters of these options. Parameters that it does not contain have their baseline values.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import optuna
from optuna.distributions import BaseDistribution

from training_factors.search_spaces.description import (
    PLACEBO,
    PLACEBO_BASELINE,
    Coordinate,
    DescribedFactor,
    ParameterName,
    SpaceDescription,
)
from training_factors.search_spaces.dimension import Fixed, Uniform, Value, dimension_document
from training_factors.search_spaces.factor import Factor, Hyperparameter, Option
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.problem import (
    EVERYWHERE,
    OWN_MODELS,
    WITH_WEIGHTS,
    Problem,
    Where,
)
from training_factors.search_spaces.recipe import Recipe, default_recipe
from training_factors.search_spaces.registry import known_factors

Config = dict[str, Value]
"""A configuration: the value of every active parameter, by the parameter's name."""

PLACEBO_COORDINATE = Coordinate(PLACEBO, PLACEBO, None, Uniform(0.0, 1.0))
"""The coordinate of the placebo, a parameter that training never reads."""

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
"""Topics that vary in the space `documented`, in the order in which they are listed; all others
follow in alphabetical order and vary in the space `full` only."""

SMALL_SPACE_FACTORS = (
    "normalization",
    "initialization",
    "optimizer",
    "activation",
    "batch_norm",
    "residual",
)
"""Names of the factors that vary in the space `small`."""

SPACES = ("documented", "full", "small")
"""Names of the spaces that `named_space` returns."""


class LeftOut(NamedTuple):
    """A factor, option or hyperparameter that was left out because it does not apply to a problem.

    name: its name, such as `augment_mix.cutmix`.
    where: a text that says which problems it applies to, such as "images only".
    """

    name: str
    where: str


@dataclass(frozen=True)
class Space:
    """An ordered set of factors.

    factors: every factor that applies; one that does not vary is held at its baseline.
    """

    name: str
    factors: tuple[Factor, ...]

    def factor(self, name: str) -> Factor:
        """Return the factor of this name. Raises KeyError when the space has none."""
        return {factor.name: factor for factor in self.factors}[name]

    @property
    def varied(self) -> tuple[Factor, ...]:
        """The factors that vary."""
        return tuple(factor for factor in self.factors if factor.coordinates())

    def coordinates(self) -> tuple[Coordinate, ...]:
        """Return the coordinates of the unit cube in order; the last one is the placebo."""
        of_factors = (axis for factor in self.factors for axis in factor.coordinates())
        return (*of_factors, PLACEBO_COORDINATE)

    def replace_factor(self, changed: Factor) -> "Space":
        """Return this space with the factor of the same name replaced by `changed`."""
        return replace(
            self, factors=tuple(changed if f.name == changed.name else f for f in self.factors)
        )

    def without(self, name: str) -> "Space":
        """Return this space without the factor of this name."""
        return replace(self, factors=tuple(f for f in self.factors if f.name != name))

    def for_problem(self, problem: Problem) -> tuple["Space", tuple[LeftOut, ...]]:
        """Return the part of this space that applies to `problem`, and what was left out.

        Raises ValueError when a factor applies but none of its options does.
        """
        left_out = tuple(part for factor in self.varied for part in _left_out(factor, problem))
        applying = tuple(
            factor.for_problem(problem) for factor in self.factors if factor.where.holds(problem)
        )
        return replace(self, factors=applying), left_out

    def decode(self, units: Sequence[float]) -> Config:
        """Return the configuration at a point of the unit cube.

        units: one number in [0, 1) for each coordinate, whether it is active or not.
        """
        config: Config = {}
        for coordinate, unit in zip(self.coordinates(), units, strict=True):
            if _is_active(coordinate, config):
                assert not isinstance(coordinate.dimension, Fixed)
                config[coordinate.name] = coordinate.dimension.decode(float(unit))
        return config

    def baseline(self) -> Config:
        """Return the configuration of baseline options with default hyperparameters."""
        defaults: Config = {PLACEBO: PLACEBO_BASELINE}
        for factor in self.factors:
            defaults |= _defaults(factor)
        config: Config = {}
        for coordinate in self.coordinates():
            if _is_active(coordinate, config):
                config[coordinate.name] = defaults[coordinate.name]
        return config

    def suggest(self, trial: optuna.Trial) -> Config:
        """Return the configuration that the trial's sampler proposes."""
        config: Config = {}
        for coordinate in self.coordinates():
            if _is_active(coordinate, config):
                config[coordinate.name] = _suggest(trial, coordinate)
        return config

    def distributions(self, config: Mapping[str, Value]) -> dict[str, BaseDistribution]:
        """Return the Optuna distribution of every parameter in `config`, by name."""
        return {
            coordinate.name: coordinate.dimension.distribution()
            for coordinate in self.coordinates()
            if coordinate.name in config and not isinstance(coordinate.dimension, Fixed)
        }

    def build(self, config: Mapping[str, Value], problem: Problem) -> Recipe:
        """Return the recipe of a configuration."""
        recipe = default_recipe(problem)
        for factor in self.factors:
            recipe = factor.apply(recipe, config)
        return recipe

    def describe(self) -> SpaceDescription:
        """Return the space as a plain record, which can be stored."""
        return SpaceDescription(
            name=self.name,
            coordinates=self.coordinates(),
            factors=tuple(factor.describe() for factor in self.factors),
            fingerprint=self.fingerprint(),
        )

    def fingerprint(self) -> str:
        """Return a digest of everything that decides what a configuration means.

        It covers the names, defaults and dimensions of all factors, but not the documentation.
        """
        meaning = [
            (factor.name, [_meaning(option) for option in factor.used]) for factor in self.factors
        ]
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]


def named_space(name: str, known: Sequence[Factor] | None = None) -> Space:
    """Return the space `documented`, `full` or `small`. Raises KeyError for any other name.

    known: all factors; None for those of `known_factors`. Those of the user's own vary in every
    space.
    """
    factors = sorted(known_factors() if known is None else known, key=_place)
    if name == "full":
        return Space(name, tuple(factor.with_further() for factor in factors))
    varied = {
        "documented": {factor.name for factor in factors if factor.topic in DOCUMENTED_TOPICS},
        "small": set(SMALL_SPACE_FACTORS),
    }[name]
    return Space(name, tuple(f if f.source or f.name in varied else f.hold() for f in factors))


def described_space(description: SpaceDescription, known: Sequence[Factor] = FACTORS) -> Space:
    """Return the space that a description records, so that a stored study goes on with it.

    Factors, options and hyperparameters that were declared since then are not part of it.

    known: all factors. Raises ValueError when something that is recorded is not among them.
    """
    declared = {factor.name: factor for factor in known}
    factors = []
    for recorded in description.factors:
        if recorded.name not in declared:
            remedy = f"; it came from {recorded.source}" if recorded.source else ""
            raise ValueError(f"factor {recorded.name!r} of the study is unknown here{remedy}")
        factors.append(_as_described(declared[recorded.name], recorded))
    space = Space(description.name, tuple(factors))
    if space.coordinates() != description.coordinates:
        raise ValueError(
            "the study's search space was stored in another form; create another study"
        )
    return space


def _place(factor: Factor) -> tuple[bool, int, str, str]:
    """Return what factors are sorted by: topics in their order, then names.

    Factors that are not built in are the last ones, so that they may build on what others set.
    """
    documented = factor.topic in DOCUMENTED_TOPICS
    rank = DOCUMENTED_TOPICS.index(factor.topic) if documented else len(DOCUMENTED_TOPICS)
    return bool(factor.source), rank, factor.topic, factor.name


def _as_described(factor: Factor, recorded: DescribedFactor) -> Factor:
    """Return a declared factor with the options and hyperparameters that a study has recorded."""
    options = []
    for described in recorded.options:
        path = ParameterName(factor.name, described.name)
        try:
            option = factor.option(described.name)
        except KeyError:
            raise ValueError(f"option {path} of the study is unknown here") from None
        known = {hyperparameter.name for hyperparameter in option.hyperparameters}
        for hyperparameter in described.hyperparameters:
            if hyperparameter.name not in known:
                name = path._replace(hyperparameter=hyperparameter.name)
                raise ValueError(f"hyperparameter {name} of the study is unknown here")
        options.append(
            replace(
                option,
                where=Where(described.where, EVERYWHERE.holds),
                hyperparameters=tuple(
                    Hyperparameter(h.name, h.dimension, h.default, Where(h.where, EVERYWHERE.holds))
                    for h in described.hyperparameters
                ),
            )
        )
    return replace(
        factor.replace_options(options),
        topic=recorded.topic,
        where=Where(recorded.where, EVERYWHERE.holds),
        documentation=recorded.documentation,
    )


def _left_out(factor: Factor, problem: Problem) -> Iterator[LeftOut]:
    """Yield the factor, or those of its options and hyperparameters, that do not apply."""
    if factor.where is WITH_WEIGHTS and not problem.has_weights:
        return  # nobody misses it who gave no weights
    if not factor.where.holds(problem):
        yield LeftOut(factor.name, factor.where.text)
        return
    for option in factor.options:
        if option.where is OWN_MODELS and not problem.own_model:
            continue  # what no built-in model has is not missed
        if not option.where.holds(problem):
            yield LeftOut(str(ParameterName(factor.name, option.name)), option.where.text)
            continue
        for hyperparameter in option.hyperparameters:
            if not hyperparameter.where.holds(problem):
                name = ParameterName(factor.name, option.name, hyperparameter.name)
                yield LeftOut(str(name), hyperparameter.where.text)


def _defaults(factor: Factor) -> Config:
    """Return the baseline option and the defaults of all hyperparameters, by parameter name."""
    defaults: Config = {factor.name: factor.baseline.name}
    for option in factor.options:
        for hyperparameter in option.hyperparameters:
            name = ParameterName(factor.name, option.name, hyperparameter.name)
            defaults[str(name)] = hyperparameter.default
    return defaults


def _meaning(option: Option) -> tuple[str, list[object]]:
    """Return the part of an option that the fingerprint covers."""
    return option.name, [
        (h.name, h.default, dimension_document(h.dimension)) for h in option.hyperparameters
    ]


def _is_active(coordinate: Coordinate, config: Mapping[str, Value]) -> bool:
    """Return whether `config` chooses the option that the coordinate belongs to."""
    return coordinate.option is None or config[coordinate.factor] == coordinate.option


def _suggest(trial: optuna.Trial, coordinate: Coordinate) -> Value:
    assert not isinstance(coordinate.dimension, Fixed)
    distribution = coordinate.dimension.distribution()
    if isinstance(distribution, optuna.distributions.FloatDistribution):
        low, high = distribution.low, distribution.high
        return trial.suggest_float(coordinate.name, low, high, log=distribution.log)
    if isinstance(distribution, optuna.distributions.IntDistribution):
        return trial.suggest_int(coordinate.name, distribution.low, distribution.high)
    assert isinstance(distribution, optuna.distributions.CategoricalDistribution)
    return trial.suggest_categorical(coordinate.name, distribution.choices)  # type: ignore[return-value]
