"""How long a study will take: measured on two probe runs, before anything is stored."""

import time
from typing import NamedTuple

from study.running.design import designed
from study.running.preparation import Prepared
from study.running.presets import Preset
from study.training.device import open_device
from study.training.division import training_division
from study.training.loop import train


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


def make_plan(prepared: Prepared, preset: Preset, workers: int, device_name: str) -> Plan:
    """Time the baseline and the first designed row, each with one thread as a worker has it."""
    definition, space = prepared.definition, prepared.space
    device = open_device(device_name)
    data = training_division(prepared.dataset, definition.seed, device)
    probes = []
    for config in (space.baseline(), designed(space, definition.seed, 0)):
        start = time.perf_counter()
        recipe = space.build(config, data.problem)
        train(recipe, data, prepared.model, definition.epochs, definition.seed, lambda *_: False)
        probes.append(time.perf_counter() - start)
    return Plan(
        data=prepared.dataset.name,
        samples=len(prepared.dataset.targets),
        model=definition.model,
        device=str(device),
        factors=tuple(factor.name for factor in space.varied),
        parameters=len(space.coordinates()) - 1,
        left_out=prepared.left_out,
        epochs=definition.epochs,
        runs=len(list(preset.runs())),
        workers=workers,
        probes_s=tuple(probes),
    )
