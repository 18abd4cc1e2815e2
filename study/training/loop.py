"""Train a network by a recipe: one explicit loop that knows no factor names and no database."""

from collections.abc import Callable, Iterator
from functools import partial
from math import isfinite
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from training_factors.search_spaces.recipe import Recipe, Transform
from training_factors.storage.metrics import Metric
from training_factors.study.data.division import DataPart, Division
from training_factors.study.data.selection import Inputs, choose
from training_factors.study.training.autocast import forward_context
from training_factors.study.training.metrics import (
    ConfusionCells,
    Metrics,
    Objective,
    confusion,
    in_source_unit,
    measure,
    measure_chance,
    open_objective,
)
from training_factors.study.training.model import Model, lay_out
from training_factors.study.training.seeds import derive_seed, generator, seeded_globals
from training_factors.study.training.training_state import (
    SavedState,
    Training,
    restore_state,
    save_state,
    start_training,
    to_float,
)

EpochCallback = Callable[[int, float | None, Callable[[], SavedState]], bool]
"""(epoch from 0, objective on the validation part or None if it was not measured, a function that
returns the state after the epoch) -> whether to stop here."""

CPU_EVALUATION_PIXELS = 2**16
CPU_EVALUATION_BATCHES = (32, 512)
GPU_EVALUATION_BATCH = 2048
"""Samples in an evaluation batch: large, since nothing is kept for a backward pass, but on a CPU no
more images than have so many pixels in all, within these limits, so that the outputs of a layer
stay in the processor's cache. `cnn:small` took 8 to 15 % less time for images of 28 × 28 to 64 × 64
pixels in batches of 83 to 32 than in batches of 512, and for digits of 8 × 8 least with 512 (8
designed rows each, one core of an AMD EPYC)."""

CPU_AUGMENTATION_BYTES = 2**20
GPU_AUGMENTATION_BYTES = 2**26
"""Size in bytes of the inputs that are augmented in one pass, which may be several batches: on few
small images a pass spends its time on calls. On augmented digits `mlp:small` took 1.2 to 1.3 times
as long batch by batch (one core); for images of 28 × 28 and 32 × 32 pixels, larger or smaller sizes
than 1 MiB made no difference."""


class Outcome(NamedTuple):
    """The result of a run.

    value: the objective on the validation part after the last epoch that was trained; chance if
        the run diverged.
    metrics: all metrics on the validation part, and that of the objective on the training part;
        empty if the run was stopped, at chance if it diverged.
    diverged: the loss or an output became infinite or NaN.
    stopped: the callback stopped the run before its last epoch.
    epochs: number of epochs that were trained, those before `start` included.
    test, test_value: all metrics and the objective on the test part, at chance if the run diverged;
        None if no test part was given or the run was stopped.
    confusion, test_confusion: the confusion matrix on the validation and the test part; empty for
        regression and for runs that were stopped or diverged.
    """

    value: float
    metrics: Metrics
    diverged: bool
    stopped: bool
    epochs: int
    test: Metrics | None = None
    confusion: ConfusionCells = ()
    test_confusion: ConfusionCells = ()
    test_value: float | None = None


def train(
    recipe: Recipe,
    data: Division,
    model: Model,
    epochs: int,
    seed: int,
    report: EpochCallback,
    test: DataPart | None = None,
    start: SavedState | None = None,
    every: int = 1,
    metric: Metric | None = None,
) -> Outcome:
    """Train a network by the recipe and measure it on the validation part.

    recipe: the callables by which every factor acts; see `Recipe`.
    data: training pool and validation part; they are on the device to train on.
    model: builds the network; see `open_model`.
    epochs: passes over the training part, at least 1. The learning rate schedule spans them all.
    seed: of the run; every generator of random numbers is derived from it.
    report: called after every epoch that did not diverge. The run stops if it returns True, but
        only after an epoch whose objective was measured and never after the last. An exception of
        the callback ends the run and is passed on.
    test: a part that is measured once, after the last epoch, and has no influence on training.
    start: state to resume from, of an earlier call with the same arguments; not of the last epoch.
    every: number of epochs between two measurements of the objective; the last epoch is always
        measured.
    metric: the objective; None for accuracy, or R² for regression.

    A loss or output that is not finite ends the run: it counts as a result, at chance, and not as a
    failure. Errors of the model or the device, such as torch.OutOfMemoryError, are passed on.

    The same arguments give the same outcome, on a CPU with one thread to the last digit, resumed or
    not. The global generators, from which a user's own model may draw, are seeded for the run and
    restored after it.
    """
    with seeded_globals(derive_seed(seed, "globals")):
        return _train(recipe, data, model, epochs, seed, report, test, start, every, metric)


def _train(
    recipe: Recipe,
    data: Division,
    model: Model,
    epochs: int,
    seed: int,
    report: EpochCallback,
    test: DataPart | None,
    start: SavedState | None,
    every: int,
    metric: Metric | None,
) -> Outcome:
    """Train a network as `train` says."""
    problem = data.problem
    objective = open_objective(metric, data.validation.targets, problem, data.target_scale)
    part = training_part(recipe, data, seed)
    training = start_training(recipe, part, problem, model, epochs, seed)
    first_epoch = 0 if start is None else restore_state(training, start)
    for epoch in range(first_epoch, epochs):
        loss = train_epoch(training)
        is_last = epoch + 1 == epochs
        is_measured = is_last or (epoch + 1) % every == 0
        outputs = predict(training, data.validation.inputs) if is_measured else loss
        # This is the first time in the epoch that the program waits for the device.
        if not bool(loss.isfinite() & outputs.isfinite().all()):
            return _diverged_outcome(objective, data, epoch + 1, test)
        value = None
        if is_measured:
            value = float(objective.evaluate(outputs, data.validation.targets))
        should_stop = report(epoch, value, partial(save_state, training, epoch))
        if should_stop and value is not None and not is_last:
            return Outcome(value, {}, diverged=False, stopped=True, epochs=epoch + 1)
    metrics = measure_in_source_unit(data, outputs, data.validation.targets)
    value = objective.of(metrics)
    on_training = float(objective.evaluate(predict(training, part.inputs), part.targets))
    if isfinite(on_training):  # AUC is not defined where the recipe's part lacks a class
        metrics[f"train_{objective.metric.name}"] = objective.metric.signed(on_training)
    cells = confusion(outputs, data.validation.targets, problem)
    outcome = Outcome(value, metrics, False, False, epochs, confusion=cells)
    if test is None:
        return outcome
    return _add_test_part(outcome, objective.metric, training, data, test)


def train_epoch(training: Training) -> Tensor:
    """Run one pass over the training part; return the sum of the losses, still on the device."""
    training.network.train()
    total = torch.zeros((), device=training.inputs.device)
    for inputs, targets in batches(training):
        total += train_step(training, inputs, targets)
        training.scheduler.step()
        training.average.update()
    return total


def batches(training: Training) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the training part in a new order, augmented, as (inputs, targets) of one batch.

    All batches are full, so that every step has the same shapes; the samples that are left over
    differ from epoch to epoch. Several batches are augmented at once, and samples are mixed with
    partners from any of them.
    """
    recipe, size, device = training.recipe, training.batch_size, training.inputs.device
    order_generator = training.generators["order"]
    order = torch.randperm(len(training.inputs), generator=order_generator, device=device)
    used = order[: len(order) // size * size]
    for samples in used.split(size * batches_at_once(size, training.inputs)):
        inputs, targets = augmented(
            recipe,
            to_float(training.inputs[samples]),
            training.targets.index_select(0, samples),
            training.normalize,
            training.generators["augmentation"],
        )
        laid_out = lay_out(inputs, training.memory_format)
        yield from zip(laid_out.split(size), targets.split(size), strict=True)


def batches_at_once(batch_size: int, inputs: Inputs) -> int:
    """Return the number of batches of these inputs that are augmented in one pass, at least 1."""
    is_cpu = inputs.device.type == "cpu"
    limit_bytes = CPU_AUGMENTATION_BYTES if is_cpu else GPU_AUGMENTATION_BYTES
    batch_bytes = batch_size * inputs.shape[1:].numel() * torch.float32.itemsize
    return max(1, limit_bytes // batch_bytes)


def augmented(
    recipe: Recipe, inputs: Tensor, targets: Tensor, normalize: Transform, rng: Generator
) -> tuple[Tensor, Tensor]:
    """Augment each input on its own, normalize all, and mix them: the input of training steps.

    inputs, targets: floats, as `Recipe` describes them for augmentation and for mixing.
    """
    for _, augment in recipe.augmentations:
        inputs = augment(inputs, rng)
    return recipe.mix(normalize(inputs), targets, rng)


def train_step(training: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    """Run one optimizer step on a batch; return the loss, detached and on the device."""
    recipe = training.recipe
    training.zero_gradients()
    with forward_context(training.precision, inputs.device):
        loss = training.loss(training.network(inputs).float(), targets)
    loss.backward()
    recipe.penalize(training.weights)
    recipe.clip(training.parameters)
    training.optimizer.step()
    return loss.detach()


@torch.inference_mode()
def predict(training: Training, inputs: Inputs) -> Tensor:
    """Return the outputs of the (averaged) network, float32, (samples, outputs).

    inputs: as stored, neither augmented nor normalized.
    """
    network = training.average.network().eval()
    size = _evaluation_batch(inputs)
    layout = training.memory_format
    with forward_context(training.precision, inputs.device):
        return torch.cat(
            [
                network(lay_out(training.normalize(to_float(batch)), layout)).float()
                for batch in inputs.split(size)
            ]
        )


def training_part(recipe: Recipe, data: Division, seed: int) -> DataPart:
    """Return the samples of the pool that the recipe trains on; the inputs are not copied."""
    targets = data.pool.targets
    samples = recipe.split(targets, generator(seed, "split", targets.device))
    return DataPart(choose(data.pool.inputs, samples), targets[samples])


def _evaluation_batch(inputs: Inputs) -> int:
    """Return the number of these inputs, images or rows of a table, in an evaluation batch."""
    if inputs.device.type != "cpu":
        return GPU_EVALUATION_BATCH
    least, most = CPU_EVALUATION_BATCHES
    pixels = inputs.shape[2:].numel()
    return max(least, min(most, CPU_EVALUATION_PIXELS // pixels))


def measure_in_source_unit(data: Division, outputs: Tensor, targets: Tensor) -> Metrics:
    """Measure all metrics; those of regression in the unit of the source."""
    scale = data.target_scale
    if scale is not None:
        outputs, targets = (in_source_unit(numbers, scale) for numbers in (outputs, targets))
    return measure(outputs, targets, data.problem)


def _add_test_part(
    outcome: Outcome, metric: Metric, training: Training, data: Division, test: DataPart
) -> Outcome:
    outputs = predict(training, test.inputs)
    metrics = measure_in_source_unit(data, outputs, test.targets)
    objective = open_objective(metric, test.targets, data.problem, data.target_scale)
    return outcome._replace(
        test=metrics,
        test_value=objective.of(metrics),
        test_confusion=confusion(outputs, test.targets, data.problem),
    )


def _diverged_outcome(
    objective: Objective, data: Division, epochs: int, test: DataPart | None
) -> Outcome:
    problem, scale = data.problem, data.target_scale
    metrics = measure_chance(data.validation.targets, problem, scale)
    outcome = Outcome(objective.at_chance, metrics, diverged=True, stopped=False, epochs=epochs)
    if test is None:
        return outcome
    on_test = open_objective(objective.metric, test.targets, problem, scale)
    return outcome._replace(
        test=measure_chance(test.targets, problem, scale), test_value=on_test.at_chance
    )
