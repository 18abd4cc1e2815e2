"""Estimate how long a study will take, from two probe runs, before anything is stored."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from training_factors.search_spaces.space import Config
from training_factors.storage.data_report import DataReport
from training_factors.study.data.division import DataPart, Division, training_division
from training_factors.study.running.confirmation_size import planned_size
from training_factors.study.running.design import designed_configuration
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.running.process_setup import configure_process
from training_factors.study.running.reporter import evaluation_interval
from training_factors.study.running.settings import Preset, division_runs
from training_factors.study.running.sizing import describe_size
from training_factors.study.training.device import open_device
from training_factors.study.training.loop import train
from training_factors.study.training.model import normal_name

PROBES = 2
"""Number of runs that are timed."""

WARM_UP_SAMPLES = 64
"""Number of training samples of the warm-up run, which is not timed."""


class Plan(NamedTuple):
    """The size and the estimated duration of a study.

    data_report: what was done to the data. objective: name of what is maximized. parameters: number
    of parameters that vary. left_out: (name, reason) of factors, options and hyperparameters that
    do not apply to the data or do not act on the model. reach: how the recipe reaches a model that
    is not built in, by factor. notes: about how the model is used. precision: of forward passes,
    and why. size: of the study, in words.
    probes_s: seconds of each probe run. confirm_runs: the least and the largest number of runs of
    the confirmation that follows; 0 where nothing varies.
    """

    data: str
    samples: int
    data_report: DataReport
    model: str
    objective: str
    device: str
    factors: tuple[str, ...]
    parameters: int
    left_out: tuple[tuple[str, str], ...]
    reach: Mapping[str, str]
    notes: tuple[str, ...]
    epochs: int
    precision: str
    size: str
    runs: int
    workers: int
    probes_s: tuple[float, ...]
    confirm_runs: tuple[int, int]

    @property
    def seconds(self) -> float:
        """Estimated wall time: runs × mean seconds of the probes / workers."""
        return self.runs * sum(self.probes_s) / len(self.probes_s) / self.workers

    @property
    def confirm_seconds(self) -> tuple[float, float]:
        """Estimated wall time of the confirmation, the shortest and the longest."""
        low, high = (runs * self.seconds / self.runs for runs in self.confirm_runs)
        return low, high


def make_plan(
    prepared: PreparedStudy,
    choose_size: Callable[[float], Preset],
    divisions: int,
    workers: int,
    device_name: str,
) -> Plan:
    """Return the plan of a study, after timing its first designed rows as a worker trains them.

    choose_size: runs per second of all workers -> the size of the study. divisions: number of
    divisions of the data under which repeated rows run.
    """
    definition, space = prepared.definition, prepared.space
    device = open_device(device_name)
    data = training_division(prepared.dataset, definition.seed, device)
    configure_process()
    rows = [designed_configuration(space, definition.seed, row) for row in range(PROBES)]
    # The first run of a process takes longer than the later ones, so it is not timed.
    _train_seconds(prepared, _first_samples(data, WARM_UP_SAMPLES), rows[0], epochs=1)
    probes = [_train_seconds(prepared, data, row, definition.epochs) for row in rows]
    size = choose_size(workers * len(probes) / sum(probes))
    return Plan(
        data=prepared.dataset.name,
        samples=len(prepared.dataset.targets),
        data_report=prepared.data_report,
        model=normal_name(definition.model),
        objective=prepared.metric.objective,
        device=str(device),
        factors=tuple(factor.name for factor in space.varied),
        parameters=len(space.coordinates()) - 1,
        left_out=prepared.left_out,
        reach=prepared.reach,
        notes=prepared.notes,
        epochs=definition.epochs,
        precision=f"{prepared.model.precision} ({prepared.precision_reason})",
        size=describe_size(size),
        runs=len([*size.runs(), *division_runs(range(size.repeats), divisions)]),
        workers=workers,
        probes_s=tuple(probes),
        confirm_runs=planned_size(space.describe()).runs if space.varied else (0, 0),
    )


def _first_samples(data: Division, samples: int) -> Division:
    """Return the division with the first samples of its training pool only."""
    inputs, targets = data.pool
    return data._replace(pool=DataPart(inputs[:samples], targets[:samples]))


def _train_seconds(prepared: PreparedStudy, data: Division, config: Config, epochs: int) -> float:
    """Train a configuration, without storing anything; return the seconds that it took."""
    start = time.perf_counter()
    recipe = prepared.space.build(config, data.problem)
    seed = prepared.definition.seed
    every = evaluation_interval(epochs)
    train(
        recipe, data, prepared.model, epochs, seed, lambda *_: False, every=every,
        metric=prepared.metric,
    )  # fmt: skip
    return time.perf_counter() - start
