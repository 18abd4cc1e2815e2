"""Choose the precision in which a new study trains."""

import time
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn

from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.storage.precision import BFLOAT16, FLOAT32, Precision
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import DataPart, training_division
from training_factors.study.training.autocast import has_bfloat16
from training_factors.study.training.loop import batches, train_step
from training_factors.study.training.model import Model, try_model
from training_factors.study.training.seeds import generator, seeded_globals
from training_factors.study.training.training_state import start_training

MIN_GAIN = 1.2
"""Smallest ratio of a step's time in float32 to that in bfloat16 for which bfloat16 is chosen."""

SAMPLES = 32
"""Number of training samples in a step that is timed."""

STEPS = 2
"""Number of steps that are timed in each precision, of which the faster one counts."""


class PrecisionChoice(NamedTuple):
    """The precision of a new study, and why it was chosen, as words for brackets after it."""

    precision: Precision
    reason: str


def choose_precision(
    model: Model, recipe: Recipe, dataset: Dataset, device: torch.device
) -> PrecisionChoice:
    """Return the precision in which a recipe trains fastest on the device.

    On GPUs it is bfloat16 if they compute in it. On a CPU it is bfloat16 for convolutional networks
    whose steps are at least `MIN_GAIN` times as fast in it, where the processor has instructions
    for it. recipe: the baseline's, with which that is tried.
    """
    if device.type == "cuda":
        if has_bfloat16(device):
            return PrecisionChoice(BFLOAT16, "faster on this GPU")
        return PrecisionChoice(FLOAT32, "this GPU does not compute in bfloat16")
    if not has_bfloat16(device):
        return PrecisionChoice(FLOAT32, "this device has no instructions for bfloat16")
    if not _is_convolutional(model, recipe, dataset.problem):
        return PrecisionChoice(FLOAT32, "bfloat16 pays for convolutional networks only")
    try:
        gain = measure_gain(model, recipe, dataset)
    except ValueError as error:
        return PrecisionChoice(FLOAT32, str(error))
    if gain >= MIN_GAIN:
        return PrecisionChoice(BFLOAT16, f"a step is {gain:.1f} times as fast as in float32")
    return PrecisionChoice(
        FLOAT32, f"a step is {gain:.2f} times as fast in bfloat16, which pays from {MIN_GAIN} on"
    )


def measure_gain(model: Model, recipe: Recipe, dataset: Dataset) -> float:
    """Return how many times as fast a step is in bfloat16 as in float32, on the CPU.

    Raises ValueError for a model that fails in bfloat16.
    """
    pool = training_division(dataset, 0, torch.device("cpu")).pool
    part = DataPart(pool.inputs[:SAMPLES], pool.targets[:SAMPLES])
    in_float32, in_bfloat16 = (replace(model, precision=each) for each in (FLOAT32, BFLOAT16))
    try_model(in_bfloat16, recipe, dataset.problem)
    single_s, half_s = (
        _step_seconds(each, recipe, part, dataset.problem) for each in (in_float32, in_bfloat16)
    )
    return single_s / half_s


def _is_convolutional(model: Model, recipe: Recipe, problem: Problem) -> bool:
    with seeded_globals(0):
        network = model(recipe, problem, generator(0, "weights"), generator(0, "dropout"))
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return any(isinstance(module, kinds) for module in network.modules())


def _step_seconds(model: Model, recipe: Recipe, part: DataPart, problem: Problem) -> float:
    """Return the seconds of the fastest of `STEPS` steps, after one that is not timed."""
    with seeded_globals(0):
        training = start_training(recipe, part, problem, model, 1, seed=0)
        inputs, targets = next(batches(training))
        spent = []
        for _ in range(1 + STEPS):
            began = time.perf_counter()
            train_step(training, inputs, targets)
            spent.append(time.perf_counter() - began)
    return min(spent[1:])
