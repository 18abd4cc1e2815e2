"""Measure what a GPU gives, one row for each measurement; without one, say so.

python -m benchmarks.gpu [IMAGES.npz] [--only 3]

IMAGES.npz: `X` and `y` of colour images, such as CIFAR-10; random pixels where none is named, which
do for times but not for accuracy.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple
from unittest.mock import patch

import torch
import typer
from torch import nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.machine import machine
from benchmarks.plain_loop import Loop
from benchmarks.whole_studies import FULL, Workload, definition_of
from training_factors.search_spaces.recipe import Recipe
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.precision import BFLOAT16, FLOAT32
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import create_study
from training_factors.storage.trials import read_trials
from training_factors.study.data.division import Division, training_division
from training_factors.study.running import trial_runner
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.settings import WorkerPool, WorkerTiming
from training_factors.study.running.signals import StopSignal
from training_factors.study.running.supervisor import run_workers
from training_factors.study.running.worker import open_context, work
from training_factors.study.training.loop import Outcome, train

BATCH, EPOCHS, SEEDS = 512, 3, 5
MEMBERS = (8, 32)


class Place(NamedTuple):
    """A study of images, its data on the GPU, and its baseline with batches of BATCH."""

    prepared: PreparedStudy
    data: Division
    recipe: Recipe
    folder: Path


def resident(place: Place) -> str:
    """1: our loop against the example's."""
    epochs = place.prepared.definition.epochs
    ours = _seconds(lambda: _train(place)) / epochs
    example = Loop(place.prepared, "cuda")
    plain = _seconds(lambda: example.train(place.recipe, 0, lambda *_: None), 1) / epochs
    spent = f"{1000 * plain:.0f} ms an epoch by the example, {1000 * ours:.1f} ours"
    return f"{spent}: {plain / ours:.1f}×"


def precision(place: Place) -> str:
    """3: bfloat16 against float32, in time and in accuracy."""
    timed = []
    for precision in (BFLOAT16, FLOAT32):
        model = replace(place.prepared.model, precision=precision)
        there = place._replace(prepared=place.prepared._replace(model=model))
        timed.append((_seconds(lambda: _train(there)), _accuracies(there)))  # noqa: B023
    (half_s, half), (single_s, single) = timed
    return (
        f"{single_s / half_s:.2f}× as fast; accuracy {statistics.mean(half):.4f} against "
        f"{statistics.mean(single):.4f}, deviation of a seed {statistics.stdev(single):.4f}"
    )


def crowd(place: Place) -> str:
    """4: runs in a minute with several workers on the card."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # workers are forked
        return pool.submit(_crowd, place.prepared.definition, place.folder).result()


def _crowd(definition: Definition, folder: Path) -> str:
    prepared, found = prepare_study(definition, device=torch.device("cuda")), []
    for workers in (1, 2, 4, 8):
        url = f"sqlite:///{folder}/{workers}.db"
        study = create_study(open_database(url, create=True), "crowd", prepared.stamp())
        study.queue.add([Run("measure", row) for row in range(4 * workers)])
        began = time.perf_counter()
        run_workers(
            study, prepared, WorkerPool(workers, "cuda", url, folder, WorkerTiming()), lambda: None
        )
        found.append(f"{workers}: {60 * 4 * workers / (time.perf_counter() - began):.0f}")
        study.database.close()
    return "workers: runs in a minute, their start included: " + ", ".join(found)


def outside(place: Place) -> str:
    """7: the part of a run's time in which the GPU waits."""
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        seconds = _seconds(lambda: _train(place), 1)
    busy = 1e-6 * sum(event.self_device_time_total for event in seen.key_averages())
    return f"{100 * (1 - busy / seconds):.0f} % (watched, which slows the rest)"


def exhausted(place: Place) -> str:
    """8: a run that needs more memory than there is."""
    url = f"sqlite:///{place.folder}/exhausted.db"
    study = create_study(open_database(url, create=True), "exhausted", place.prepared.stamp())
    study.queue.add([Run("measure", row) for row in range(2)])
    context = open_context(study, place.prepared, "cuda", 0, WorkerTiming())
    before, calls = torch.cuda.memory_allocated(), list[None]()

    def greedy(*arguments: Any, **named: Any) -> Outcome:
        calls.append(None)
        if len(calls) == 1:
            torch.empty(2**45, dtype=torch.uint8, device="cuda")
        return train(*arguments, **named)

    with patch.object(trial_runner, "train", greedy):
        work(study, context, StopSignal(None))
    kept = torch.cuda.memory_allocated() - before
    ended = [(t.state, t.attributes.get("reason", "")) for t in read_trials(study)]
    return f"{ended}; {kept / 2**20:.0f} MB more are in use"


def grouped(place: Place) -> str:
    """9: small networks as one grouped network against each by itself, both as CUDA graphs."""
    found = []
    for members in MEMBERS:
        one, many = (_step_s(count) for count in (1, members))
        found.append(f"{members} members: {members * one / many:.2f}×")
    return ", ".join(found)


def _step_s(members: int) -> float:
    """Seconds of a forward and backward pass of so many small networks, grouped."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
        sizes = inputs * members, outputs * members
        layers += [nn.Conv2d(*sizes, 3, stride=2, padding=1, groups=members), nn.ReLU()]
    network = nn.Sequential(*layers).cuda()
    network.to(memory_format=torch.channels_last)
    images = torch.rand(64, 3 * members, 32, 32, device="cuda")
    images = images.contiguous(memory_format=torch.channels_last)
    graphed: Any = torch.cuda.make_graphed_callables(network, (images,))
    return _seconds(lambda: [graphed(images).square().sum().backward() for _ in range(20)]) / 20


def _train(place: Place, seed: int = 0) -> Outcome:
    epochs, never = place.prepared.definition.epochs, lambda *_: False
    return train(place.recipe, place.data, place.prepared.model, epochs, seed, never)


def _accuracies(place: Place) -> list[float]:
    return [_train(place, seed).value for seed in range(SEEDS)]


def _seconds(does: Callable[[], object], times: int = 3) -> float:
    """Median, after a first time where there are several."""
    spent = []
    for _ in range(times + (times > 1)):
        torch.cuda.synchronize()
        began = time.perf_counter()
        does()
        torch.cuda.synchronize()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent[-times:])


ROWS = {1: resident, 3: precision, 4: crowd, 7: outside, 8: exhausted, 9: grouped}
"""Row 2, a whole step as one CUDA graph, is to be built where a card can be had; rows 5 and 6 are
studies: `run_study.py --preset standard` on the images, and `--preset quick` on
digits with `--device cuda` and `--device cpu`, of which `compare` shows the shares."""


@contextmanager
def opened(images: Path | None) -> Iterator[Place]:
    """The place to measure at."""
    with TemporaryDirectory() as folder:
        random = definition_of(Workload("cnn:small", EPOCHS, (20_000, 32, 3), 0, 0), Path(folder))
        source = str(images) if images else random.source
        definition = Definition(source=source, model="cnn", epochs=EPOCHS, fix=FULL)
        device = torch.device("cuda")
        prepared = prepare_study(definition, device=device)
        data = training_division(prepared.dataset, 0, device)
        recipe = prepared.space.build(prepared.space.baseline(), data.problem)
        yield Place(prepared, data, replace(recipe, batch_size=BATCH), Path(folder))


def main(
    images: Annotated[Path | None, typer.Argument()] = None,
    only: Annotated[list[int] | None, typer.Option()] = None,
) -> None:
    """Print a line for every row."""
    print(machine())
    if not torch.cuda.is_available():
        print("no GPU")
        return
    with opened(images) as place:
        for number in only or ROWS:
            print(f"{number}. {ROWS[number].__doc__}: {ROWS[number](place)}", flush=True)


if __name__ == "__main__":
    typer.run(main)
