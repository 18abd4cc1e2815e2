"""A recipe becomes a trained network: one explicit loop that knows no factor and no database."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from training_factors.search_spaces.recipe import Recipe, Transform
from training_factors.study.training.cuda_graph import GraphedStep, Step
from training_factors.study.training.division import DataPart, Division
from training_factors.study.training.metrics import (
    ConfusionCells,
    Metrics,
    chance,
    confusion,
    measure,
    objective,
    objective_name,
)
from training_factors.study.training.network import Builder
from training_factors.study.training.seeds import generator
from training_factors.study.training.training_state import (
    SavedState,
    Training,
    restore_state,
    save_state,
    start_training,
    to_float,
)

EpochCallback = Callable[[int, float | None, Callable[[], SavedState]], bool]
"""(epoch from 0, validation objective or None where it was not measured, takes the state after the
epoch) -> whether to stop here."""

EVALUATION_BATCH = {"cpu": 512}
LARGE_EVALUATION_BATCH = 2048
"""Samples in an evaluation batch: large, since nothing is kept for a backward pass. On a CPU less
is more: 6,000 images of 32 × 32 took `cnn:small` 1.5 s in batches of 512, which left memory as it
was, and 3.4 s in batches of 2,048, which took 0.6 GB (one core, two pairs of runs)."""


AT_ONCE = {"cpu": 2**20}
LARGE_AT_ONCE = 2**26
"""Bytes of inputs that are augmented in one pass: several batches, as passes over few small images
are mostly calls. Augmented digits took `mlp:small` 1.2 to 1.3 times as long batch by batch (one
core); at 28 × 28 and 32 × 32 pixels neither more nor less than 1 MB made a difference."""


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
    confusion: ConfusionCells = ()
    test_confusion: ConfusionCells = ()


def train(
    recipe: Recipe,
    data: Division,
    model: Builder,
    epochs: int,
    seed: int,
    report: EpochCallback,
    test: DataPart | None = None,
    start: SavedState | None = None,
    every: int = 1,
    capture: bool = False,
) -> Outcome:
    """Train a network as the recipe says and measure it on the validation part.

    test: another part to measure it on, once, at the end.
    start: the state after an epoch of the same run, but not its last, to go on from.
    every: so many epochs the objective is measured, and after the last.
    capture: take steps as one CUDA graph, where the device is a GPU; see `StaticStep`.

    The same arguments give the same outcome, on a CPU with one thread to the last digit. A loss
    that is not finite ends the run as diverged: a result, not a failure.
    """
    problem = data.problem
    part = _training_part(recipe, data, seed)
    training = start_training(recipe, part, problem, model, epochs, seed)
    first = 0 if start is None else restore_state(training, start)
    plain = partial(train_step, training)
    step = GraphedStep(training, plain) if capture else plain
    for epoch in range(first, epochs):
        loss = train_epoch(training, step)
        is_last = epoch + 1 == epochs
        is_measured = is_last or (epoch + 1) % every == 0
        outputs = predict(training, data.validation.inputs) if is_measured else loss
        # The first wait for the device in this epoch.
        if not bool(loss.isfinite() & outputs.isfinite().all()):
            return _diverged(data, epoch + 1, test)
        value = float(objective(outputs, data.validation.targets, problem)) if is_measured else None
        is_enough = report(epoch, value, partial(save_state, training, epoch))
        if is_enough and value is not None and not is_last:
            return Outcome(value, {}, diverged=False, stopped=True, epochs=epoch + 1)
    assert value is not None  # the last epoch is measured
    metrics = _measured(data, outputs, data.validation.targets)
    seen = objective(predict(training, part.inputs), part.targets, problem)
    metrics[f"train_{objective_name(problem)}"] = float(seen)
    taken_for = confusion(outputs, data.validation.targets, problem)
    outcome = Outcome(value, metrics, False, False, epochs, confusion=taken_for)
    return outcome if test is None else _tested(outcome, training, data, test)


def train_epoch(training: Training, step: Step) -> Tensor:
    """One pass over the training part; the sum of the losses, still on the device."""
    training.network.train()
    total = torch.zeros((), device=training.inputs.device)
    for inputs, targets in batches(training):
        total += step(inputs, targets)
        training.rates.step()
        training.average.update()
    return total


def batches(training: Training) -> Iterator[tuple[Tensor, Tensor]]:
    """The training part in a new order, batch by batch as steps take it; see `augmented`.

    Whole batches only, so that every step has the same shape; what is left over differs by epoch.
    Several are made at once, and samples are mixed with partners from any of them.
    """
    recipe, size, device = training.recipe, training.batch_size, training.inputs.device
    samples = torch.randperm(len(training.inputs), generator=training.draws["order"], device=device)
    used = samples[: len(samples) // size * size]
    for several in used.split(size * _batches_at_once(training)):
        inputs, targets = augmented(
            recipe,
            to_float(training.inputs[several]),
            training.targets[several],
            training.normalize,
            training.draws["augmentation"],
        )
        yield from zip(_laid_out(inputs).split(size), targets.split(size), strict=True)


def _batches_at_once(training: Training) -> int:
    batch = training.batch_size * training.inputs[0].numel() * torch.float32.itemsize
    return max(1, AT_ONCE.get(training.inputs.device.type, LARGE_AT_ONCE) // batch)


def train_step(training: Training, inputs: Tensor, targets: Tensor) -> Tensor:
    """One step on a batch; the loss."""
    recipe = training.recipe
    training.zero_gradients()
    with _precision(inputs.device):
        loss = recipe.loss(training.network(inputs).float(), targets)
    loss.backward()
    recipe.penalize(training.weights)
    recipe.clip(training.parameters)
    training.optimizer.step()
    return loss.detach()


def augmented(
    recipe: Recipe, inputs: Tensor, targets: Tensor, normalize: Transform, draws: Generator
) -> tuple[Tensor, Tensor]:
    """What steps train on: each input changed for itself, all normalized, and then mixed.

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
                network(_laid_out(training.normalize(to_float(batch)))).float()
                for batch in inputs.split(size)
            ]
        )


def _training_part(recipe: Recipe, data: Division, seed: int) -> DataPart:
    targets = data.pool.targets
    chosen = recipe.split(targets, generator(seed, "split", targets.device))
    return DataPart(data.pool.inputs[chosen], targets[chosen])


def _measured(data: Division, outputs: Tensor, targets: Tensor) -> Metrics:
    return measure(_in_own_unit(data, outputs), _in_own_unit(data, targets), data.problem)


def _tested(outcome: Outcome, training: Training, data: Division, test: DataPart) -> Outcome:
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


def _diverged(data: Division, epochs: int, test: DataPart | None) -> Outcome:
    name, level = objective_name(data.problem), chance(data.validation.targets, data.problem)
    return Outcome(
        level,
        {name: level},
        diverged=True,
        stopped=False,
        epochs=epochs,
        test=test and {name: chance(test.targets, data.problem)},
    )
