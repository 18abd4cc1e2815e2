"""A recipe becomes a trained network: one explicit loop that knows no factor and no database."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from search_spaces.recipe import Recipe, Transform
from study.training.division import Division, Part
from study.training.metrics import (
    Confusion,
    Metrics,
    chance,
    confusion,
    measure,
    objective,
    objective_name,
)
from study.training.network import Builder
from study.training.randomness import generator
from study.training.training import State, Training, as_numbers, prepare, resume, state

Report = Callable[[int, float, Callable[[], State]], bool]
"""(epoch from 0, validation objective, takes the state after it) -> whether to stop here."""

EVALUATION_BATCH = {"cpu": 512}
LARGE_EVALUATION_BATCH = 2048
"""Samples in an evaluation batch: large, since nothing is kept for a backward pass. On a CPU less
is more: 6,000 images of 32 × 32 took `cnn:small` 1.5 s in batches of 512, which left memory as it
was, and 3.4 s in batches of 2,048, which took 0.6 GB (one core, two pairs of runs)."""


class Outcome(NamedTuple):
    """What came of a run.

    value: the objective after the last epoch; chance when diverged.
    stopped: the report asked to stop before the last epoch; there are no metrics then.
    test: metrics on the test part; None where it was not given.
    confusion, test_confusion: on the two parts; empty for regression and where a run diverged.
    """

    value: float
    metrics: Metrics
    diverged: bool
    stopped: bool
    epochs: int
    test: Metrics | None = None
    confusion: Confusion = ()
    test_confusion: Confusion = ()


def train(
    recipe: Recipe,
    data: Division,
    model: Builder,
    epochs: int,
    seed: int,
    report: Report,
    test: Part | None = None,
    start: State | None = None,
) -> Outcome:
    """Train a network as the recipe says and measure it on the validation part.

    test: another part to measure it on, once, at the end.
    start: the state after an epoch of the same run, but not its last, to go on from.

    The same arguments give the same outcome, on a CPU with one thread to the last digit. A loss
    that is not finite ends the run as diverged: a result, not a failure.
    """
    problem = data.problem
    part = _training_part(recipe, data, seed)
    training = prepare(recipe, part, problem, model, epochs, seed)
    first = 0 if start is None else resume(training, start)
    for epoch in range(first, epochs):
        loss = train_epoch(training)
        outputs = predict(training, data.validation.inputs)
        # The first wait for the device in this epoch.
        if not bool(loss.isfinite() & outputs.isfinite().all()):
            return _diverged(data, epoch + 1, test)
        value = float(objective(outputs, data.validation.targets, problem))
        if report(epoch, value, partial(state, training, epoch)) and epoch + 1 < epochs:
            return Outcome(value, {}, diverged=False, stopped=True, epochs=epoch + 1)
    metrics = _measured(data, outputs, data.validation.targets)
    seen = objective(predict(training, part.inputs), part.targets, problem)
    metrics[f"train_{objective_name(problem)}"] = float(seen)
    taken_for = confusion(outputs, data.validation.targets, problem)
    outcome = Outcome(value, metrics, False, False, epochs, confusion=taken_for)
    return outcome if test is None else _tested(outcome, training, data, test)


def train_epoch(training: Training) -> Tensor:
    """One pass over the training part; the sum of the losses, still on the device.

    Whole batches only, so that every step has the same shape; what is left over differs by epoch.
    """
    training.network.train()
    device = training.inputs.device
    total = torch.zeros((), device=device)
    samples = torch.randperm(len(training.inputs), generator=training.draws["order"], device=device)
    for batch in samples.split(training.batch_size):
        if len(batch) == training.batch_size:
            total += train_step(training, batch)
    return total


def train_step(training: Training, batch: Tensor) -> Tensor:
    """One step on the samples of these indices; the loss."""
    recipe, draws = training.recipe, training.draws["augmentation"]
    inputs, targets = as_numbers(training.inputs[batch]), training.targets[batch]
    inputs, targets = augmented(recipe, inputs, targets, training.normalize, draws)
    for parameter in training.parameters:
        parameter.grad = None
    with _precision(inputs.device):
        loss = recipe.loss(training.network(_laid_out(inputs)).float(), targets)
    loss.backward()
    recipe.penalize(training.weights)
    recipe.clip(training.parameters)
    training.optimizer.step()
    training.rates.step()
    training.average.update()
    return loss.detach()


def augmented(
    recipe: Recipe, inputs: Tensor, targets: Tensor, normalize: Transform, draws: Generator
) -> tuple[Tensor, Tensor]:
    """What a step trains on: each input changed for itself, all normalized, and then mixed.

    inputs, targets: as `Recipe` has them for augmentation and for mixing.
    """
    for augment in (
        recipe.augment_crop_flip,
        recipe.augment_geometry,
        recipe.augment_color,
        recipe.augment_corruption,
    ):
        inputs = augment(inputs, draws)
    return recipe.mix(normalize(inputs), targets, draws)


@torch.inference_mode()
def predict(training: Training, inputs: Tensor) -> Tensor:
    """The evaluated network's outputs for inputs as stored: float32, (samples, outputs)."""
    network = training.average.network().eval()
    size = EVALUATION_BATCH.get(inputs.device.type, LARGE_EVALUATION_BATCH)
    with _precision(inputs.device):
        return torch.cat(
            [
                network(_laid_out(training.normalize(as_numbers(batch)))).float()
                for batch in inputs.split(size)
            ]
        )


def _training_part(recipe: Recipe, data: Division, seed: int) -> Part:
    targets = data.pool.targets
    chosen = recipe.split(targets, generator(seed, "split", targets.device))
    return Part(data.pool.inputs[chosen], targets[chosen])


def _measured(data: Division, outputs: Tensor, targets: Tensor) -> Metrics:
    return measure(_in_own_unit(data, outputs), _in_own_unit(data, targets), data.problem)


def _tested(outcome: Outcome, training: Training, data: Division, test: Part) -> Outcome:
    outputs = predict(training, test.inputs)
    return outcome._replace(
        test=_measured(data, outputs, test.targets),
        test_confusion=confusion(outputs, test.targets, data.problem),
    )


def _in_own_unit(data: Division, numbers: Tensor) -> Tensor:
    """Numbers of a regression in the unit of the source; for classes as they are."""
    if data.target_scale is None:
        return numbers
    return numbers * data.target_scale.deviation + data.target_scale.mean


def _laid_out(inputs: Tensor) -> Tensor:
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs


def _precision(device: torch.device) -> AbstractContextManager[Any]:
    # bfloat16 is slower than float32 on CPUs without matrix units, so it is for GPUs only.
    if device.type != "cuda":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _diverged(data: Division, epochs: int, test: Part | None) -> Outcome:
    name, level = objective_name(data.problem), chance(data.validation.targets, data.problem)
    return Outcome(
        level,
        {name: level},
        diverged=True,
        stopped=False,
        epochs=epochs,
        test=test and {name: chance(test.targets, data.problem)},
    )
