"""Find out which factors act on a model that is not built in, and which options it takes.

An option acts if it changes the network's weights, its outputs in training mode or, for a factor of
the user's own, the steps. A factor none of whose options acts is not part of the study: it would be
judged by noise alone.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import NamedTuple

import torch
from torch import Tensor

from training_factors.search_spaces.description import ParameterName
from training_factors.search_spaces.dimension import Fixed
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, default_recipe
from training_factors.search_spaces.space import Config, LeftOut, Space
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import DataPart, training_division
from training_factors.study.running.design import designed_configuration
from training_factors.study.training.loop import predict, train_epoch
from training_factors.study.training.model import Model, lay_out
from training_factors.study.training.seeds import generator, seeded_globals
from training_factors.study.training.training_state import start_training, to_float

MODEL_FIELDS = frozenset(
    ("activation", "branch", "depth", "dropout", "initialize", "norm", "shortcut", "start", "width")
)
"""Fields of a recipe that act through the network; the training loop reads all others itself."""

SAMPLES = 8
"""Number of training samples that the network is tried on."""

EPOCHS = 2
"""Number of epochs, of one step each, in which a factor of the user's own has to act."""

DESIGNED_ROWS = 3
"""Number of designed configurations, besides the baseline, in which a factor may act on a model
that reads the recipe: some act only together with an option of another factor."""

NO_EFFECT = "no effect on this model"
"""Reason for which a factor is left out."""


class Trace(NamedTuple):
    """Holds a digest of a network and of what it does with a recipe.

    failure: why the network cannot be used; else empty.
    """

    digest: str
    failure: str = ""


class Probe(NamedTuple):
    """Builds networks of a model and runs them on a few samples.

    seen: the traces so far, by configuration.
    """

    space: Space
    model: Model
    part: DataPart
    problem: Problem
    seen: dict[str, Trace]

    def trace(self, config: Config, with_steps: bool) -> Trace:
        """Return the trace of a configuration. with_steps: train it, and do not only run it."""
        key = repr((with_steps, sorted(config.items())))
        if key not in self.seen:
            self.seen[key] = self._trace(config, with_steps)
        return self.seen[key]

    def _trace(self, config: Config, with_steps: bool) -> Trace:
        try:
            recipe = self.space.build(config, self.problem)
            parts = self._train(recipe) if with_steps else self._run(recipe)
        except Exception as error:
            # A user's own model may raise anything.
            reason = (str(error).splitlines() or [""])[0][:120]
            return Trace("", f"fails on this model: {type(error).__name__}: {reason}")
        return Trace(_digest(parts))

    def _run(self, recipe: Recipe) -> list[object]:
        """Return the network's weights and outputs, without training it."""
        generators = (generator(0, "weights"), generator(0, "dropout"))
        network = self.model(recipe, self.problem, *generators)
        network.to(memory_format=self.model.memory_format)
        inputs = lay_out(to_float(self.part.inputs), self.model.memory_format)
        with seeded_globals(0):
            outputs = [network.train()(inputs)]
            outputs[0].float().sum().backward()  # may fail where outputs do not
            with torch.no_grad():
                outputs.append(network.eval()(inputs))
        return [*network.state_dict().values(), *outputs]

    def _train(self, recipe: Recipe) -> list[object]:
        """Return the samples, weights and outputs after two steps."""
        samples = recipe.split(self.part.targets, generator(0, "split"))
        part = DataPart(self.part.inputs[samples], self.part.targets[samples])
        with seeded_globals(0):
            training = start_training(recipe, part, self.problem, self.model, EPOCHS, seed=0)
            losses = [train_epoch(training) for _ in range(EPOCHS)]
            outputs = predict(training, self.part.inputs)
        return [samples, *losses, outputs, *training.network.state_dict().values()]


def probe_space(space: Space, model: Model, dataset: Dataset) -> tuple[Space, list[LeftOut]]:
    """Return the part of a space that acts on a model, and what was left out, with the reason.

    Left out are factors that do not act, and options with which the model fails.
    """
    problem = dataset.problem
    pool = training_division(dataset, 0, torch.device("cpu")).pool
    part = DataPart(pool.inputs[:SAMPLES], pool.targets[:SAMPLES])
    varied = space.varied
    probe = Probe(space, model, part, problem, {})
    bases = [space.baseline()]
    if model.own is None or model.own.reads_recipe or model.weights is not None:
        bases += [designed_configuration(space, 0, row) for row in range(DESIGNED_ROWS)]
    own_fields = {
        f for factor in space.factors if factor.source for f in set_fields(factor, problem)
    }
    left_out: list[LeftOut] = []
    for factor in space.factors:
        if not set_fields(factor, problem) & (MODEL_FIELDS | own_fields):
            continue
        with_steps = bool(set_fields(factor, problem) & own_fields)
        failures = _failures(probe, factor, bases[0], with_steps)
        kept = replace(factor, options=tuple(o for o in factor.options if o.name not in failures))
        reason = failures.get(factor.baseline.name, "")
        if not reason and not any(_acts(probe, kept, base, with_steps) for base in bases):
            reason = NO_EFFECT
        names = [str(ParameterName(factor.name, option)) for option in failures]
        out = [LeftOut(factor.name, reason)] if reason else map(LeftOut, names, failures.values())
        left_out += out if factor in varied else ()
        space = space.without(factor.name) if reason else space.replace_factor(kept)
    return space, left_out


def set_fields(factor: Factor, problem: Problem) -> set[str]:
    """Return the fields of the recipe that a factor sets."""
    recipe = default_recipe(problem)
    edited = [
        option.function(recipe, **{h.name: h.default for h in option.hyperparameters})
        for option in (*factor.options, *factor.further)
    ]
    return {
        field.name
        for each in edited
        for field in fields(recipe)
        if getattr(each, field.name) is not getattr(recipe, field.name)
    }


def _failures(probe: Probe, factor: Factor, base: Config, with_steps: bool) -> dict[str, str]:
    """Return the options with which the model fails, with the reasons."""
    traces = {
        option.name: probe.trace({**base, factor.name: option.name}, with_steps)
        for option in factor.options
    }
    return {name: trace.failure for name, trace in traces.items() if trace.failure}


def _acts(probe: Probe, factor: Factor, base: Config, with_steps: bool) -> bool:
    """Return whether any option or hyperparameter changes something in a configuration."""
    reference = probe.trace({**base, factor.name: factor.baseline.name}, with_steps)
    for variation in _variations(factor):
        trace = probe.trace({**base, **variation}, with_steps)
        if not trace.failure and not reference.failure and trace != reference:
            return True
    return False


def _variations(factor: Factor) -> Iterator[Config]:
    """Yield every option with its defaults, then with each hyperparameter at both ends."""
    for option in factor.options:
        yield {factor.name: option.name}
    for option in factor.options:
        for hyperparameter in option.hyperparameters:
            name = str(ParameterName(factor.name, option.name, hyperparameter.name))
            if not isinstance(hyperparameter.dimension, Fixed):
                for unit in (0.0, 0.99):
                    value = hyperparameter.dimension.decode(unit)
                    yield {factor.name: option.name, name: value}


def _digest(parts: list[object]) -> str:
    """Return a digest of texts and tensors."""
    digest = hashlib.blake2b()
    for part in parts:
        if isinstance(part, Tensor):
            content = part.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8)
            digest.update(content.numpy().data)
        else:
            digest.update(str(part).encode())
    return digest.hexdigest()
