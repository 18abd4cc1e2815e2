"""How long a study will take: measured on two probe runs, before anything is stored."""

import time
from typing import NamedTuple

from training_factors.search_spaces.space import Config
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.process_setup import keep_freed_memory
from training_factors.study.running.reporter import evaluation_interval
from training_factors.study.running.settings import Preset
from training_factors.study.training.device import open_device
from training_factors.study.training.division import DataPart, Division, training_division
from training_factors.study.training.loop import train
from training_factors.study.training.network import normal_name

PROBES = 2

WARM_UP = 64
"""Samples of a run that is not timed."""


class Plan(NamedTuple):
    """What a study would do.

    probes_s: seconds of each probe run. left_out: what does not apply to the data, and why.
    """

    data: str
    samples: int
    model: str
    device: str
    factors: tuple[str, ...]
    parameters: int
    left_out: tuple[tuple[str, str], ...]
    epochs: int
    runs: int
    workers: int
    probes_s: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """Wall time: runs times the mean of the probes, shared by the workers."""
        return self.runs * sum(self.probes_s) / len(self.probes_s) / self.workers


def make_plan(prepared: PreparedStudy, preset: Preset, workers: int, device_name: str) -> Plan:
    """Time the first designed rows, as a worker runs them."""
    definition, space = prepared.definition, prepared.space
    device = open_device(device_name)
    data = training_division(prepared.dataset, definition.seed, device)
    keep_freed_memory()
    rows = [designed_configuration(space, definition.seed, row) for row in range(PROBES)]
    few = data._replace(pool=DataPart(data.pool.inputs[:WARM_UP], data.pool.targets[:WARM_UP]))
    _seconds(prepared, few, rows[0], epochs=1)  # what only the first run of a worker waits for
    probes = [_seconds(prepared, data, row, definition.epochs) for row in rows]
    return Plan(
        data=prepared.dataset.name,
        samples=len(prepared.dataset.targets),
        model=normal_name(definition.model),
        device=str(device),
        factors=tuple(factor.name for factor in space.varied),
        parameters=len(space.coordinates()) - 1,
        left_out=prepared.left_out,
        epochs=definition.epochs,
        runs=len(list(preset.runs())),
        workers=workers,
        probes_s=tuple(probes),
    )


def _seconds(prepared: PreparedStudy, data: Division, config: Config, epochs: int) -> float:
    start = time.perf_counter()
    recipe = prepared.space.build(config, data.problem)
    seed = prepared.definition.seed
    every = evaluation_interval(epochs)
    train(recipe, data, prepared.model, epochs, seed, lambda *_: False, every=every)
    return time.perf_counter() - start
