"""Train the configuration of a run again, and keep the network that results."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from training_factors.search_spaces.recipe import NoAveraging, Recipe, Transform
from training_factors.search_spaces.space import Config
from training_factors.storage.metrics import Metric
from training_factors.storage.studies import Study
from training_factors.study.data.division import DataPart, Division
from training_factors.study.exporting.data_parts import load_measured_part
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.process_setup import configure_process
from training_factors.study.running.reporter import evaluation_interval
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.worker import open_context
from training_factors.study.training.loop import (
    Outcome,
    measure_in_source_unit,
    predict,
    train,
    training_part,
)
from training_factors.study.training.metrics import Metrics, measure_chance
from training_factors.study.training.model import Model
from training_factors.study.training.seeds import seeded_globals
from training_factors.study.training.training_state import (
    SavedState,
    Training,
    restore_state,
    start_training,
    to_float,
)

POOL, ALL = PARTS = ("pool", "all")
"""Samples to train on: those of the training pool, or those of the validation part as well."""

TOLERANCE = 1e-2
"""Difference of a metric, relative or absolute, up to which a network that was built anew from
saved weights counts as the trained one: operations on a GPU are not deterministic."""


class TrainingJob(NamedTuple):
    """Everything that the networks of one configuration have in common, whatever their seed.

    data: its pool holds the validation part as well where networks are trained on all samples.
    test: the test part, on which every network is measured once. device: to train on.
    """

    recipe: Recipe
    data: Division
    test: DataPart
    model: Model
    epochs: int
    metric: Metric
    device: str

    @property
    def weights(self) -> Literal["last", "averaged"]:
        """Return which weights are evaluated: those after the last step, or their average."""
        return "last" if self.recipe.average is NoAveraging else "averaged"

    @property
    def chance(self) -> Metrics:
        """Return all metrics of a network that has learned nothing, on the test part."""
        data = self.data
        return measure_chance(self.test.targets, data.problem, data.target_scale)


class TrainedNetwork(NamedTuple):
    """A network that was trained with one seed, as it is evaluated.

    network: on the CPU, for evaluation; with its averaged weights if the recipe averages them.
    None if the run diverged. normalize: its fitted normalization, on the CPU.
    """

    seed: int
    outcome: Outcome
    network: nn.Module | None
    normalize: Transform


def open_job(
    study: Study, prepared: PreparedStudy, config: Config, device_name: str, on: str
) -> TrainingJob:
    """Return what it takes to train a configuration as the workers of a study do.

    on: one of `PARTS`.
    """
    configure_process()
    context = open_context(study, prepared, device_name, 0, WorkerTiming())
    return TrainingJob(
        recipe=context.space.build(config, context.data.problem),
        data=_with_validation(context.data) if on == ALL else context.data,
        test=load_measured_part(prepared, torch.device(context.device)),
        model=context.model,
        epochs=context.epochs,
        metric=context.objective.metric,
        device=context.device,
    )


def train_network(job: TrainingJob, seed: int, after_epoch: Callable[[], None]) -> TrainedNetwork:
    """Train a network with a seed and measure it on the validation and the test part.

    after_epoch: called whenever an epoch has ended.

    Raises ValueError when the network's weights alone do not give its outputs.
    """
    states: list[SavedState] = []

    def report(epoch: int, value: float | None, save: Callable[[], SavedState]) -> bool:
        after_epoch()
        if epoch + 1 == job.epochs:
            states.append(save())  # no step follows that would change its tensors
        return False

    outcome = train(
        job.recipe, job.data, job.model, job.epochs, seed, report, job.test,
        every=evaluation_interval(job.epochs), metric=job.metric,
    )  # fmt: skip
    if outcome.diverged:
        return TrainedNetwork(seed, outcome, None, fit_normalization(job, seed))
    training = _rebuilt(job, seed, states[-1])
    _refuse_hidden_state(job, training, outcome.metrics)
    evaluated = training.average.network()
    network = evaluated.module if isinstance(evaluated, AveragedModel) else evaluated
    return TrainedNetwork(seed, outcome, network.cpu().eval(), fit_normalization(job, seed))


def fit_normalization(job: TrainingJob, seed: int) -> Transform:
    """Return the normalization of a network, fitted on the CPU to what it is trained on."""
    part = training_part(job.recipe, job.data, seed)
    return job.recipe.normalize(to_float(part.inputs[:].cpu()))


def _with_validation(data: Division) -> Division:
    """Return the division with the validation part as a part of the pool."""
    parts = (data.pool, data.validation)
    inputs, targets = (torch.cat([part[i][:] for part in parts]) for i in range(2))
    return data._replace(pool=DataPart(inputs, targets))


def _rebuilt(job: TrainingJob, seed: int, state: SavedState) -> Training:
    """Build the network anew and give it the saved weights, as whoever loads them does."""
    with seeded_globals(0):  # restoring a state also sets the global generators
        part = training_part(job.recipe, job.data, seed)
        training = start_training(job.recipe, part, job.data.problem, job.model, job.epochs, seed)
        restore_state(training, state)
    return training


def _refuse_hidden_state(job: TrainingJob, training: Training, trained: Metrics) -> None:
    """Raise ValueError when a network that was rebuilt from saved weights measures differently.

    trained: all metrics of the trained network on the validation part.
    """
    validation = job.data.validation
    outputs = predict(training, validation.inputs)
    found = measure_in_source_unit(job.data, outputs, validation.targets)
    for name, value in found.items():
        is_undefined = math.isnan(value) and math.isnan(trained[name])
        is_near = math.isclose(value, trained[name], rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        if not is_near and not is_undefined:
            raise ValueError(
                f"model {job.model.name!r} keeps something outside its parameters and buffers: "
                f"built anew with its weights it has a {name} of {value:.4f}, not "
                f"{trained[name]:.4f}; register it with register_buffer"
            )


def plain_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of a network by name: on the CPU, each with memory of its own.

    Raises ValueError for a network whose state holds anything else.
    """
    state: dict[str, Any] = network.state_dict()
    others = [name for name, each in state.items() if not isinstance(each, torch.Tensor)]
    if others:
        raise ValueError(
            f"the network keeps {others[0]!r} in its state, which is no tensor, so its weights "
            "cannot leave as safetensors; keep it as an attribute or a buffer"
        )
    # Tensors that share memory, such as tied weights, are written twice.
    return {name: each.detach().cpu().contiguous().clone() for name, each in state.items()}
