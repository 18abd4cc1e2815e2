"""Time the stages of a process by timing their functions in place."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import torch
from torch.optim.lr_scheduler import LambdaLR

from training_factors.search_spaces.recipe import Recipe
from training_factors.search_spaces.space import Space
from training_factors.storage.live_trial import LiveTrial
from training_factors.storage.run_queue import RunQueue
from training_factors.study.running import trial_runner
from training_factors.study.running.checkpointer import Checkpointer
from training_factors.study.training import loop
from training_factors.study.training.metrics import Objective

Place = tuple[Any, str, str]
"""(who owns it, its name, the stage that it belongs to)."""

OPTIMIZERS = tuple(
    getattr(torch.optim, name) for name in ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop")
)

STAGES = (
    "data", "augmentation", "forward", "backward", "optimizer", "evaluation", "metrics",
    "building", "checkpoints", "storage", "sampler",
)  # fmt: skip

PLACES: tuple[Place, ...] = (
    (loop, "to_float", "data"),
    (loop, "augmented", "augmentation"),
    (loop, "train_step", "forward"),  # what is left of a step without the others
    (torch.Tensor, "backward", "backward"),
    *((kind, "step", "optimizer") for kind in (*OPTIMIZERS, LambdaLR)),
    (loop, "predict", "evaluation"),
    (Objective, "evaluate", "evaluation"),
    (loop, "measure", "metrics"),
    (loop, "confusion", "metrics"),
    (loop, "start_training", "building"),
    (trial_runner, "designed_configuration", "building"),
    (Checkpointer, "save", "checkpoints"),
    (RunQueue, "claim", "storage"),
    (trial_runner, "start_trial", "storage"),
    (trial_runner, "resume_trial", "storage"),
    *((LiveTrial, name, "storage") for name in ("report", "complete", "prune", "fail")),
    (trial_runner, "read_frozen_trials", "storage"),
    (trial_runner, "propose_configuration", "sampler"),
    (trial_runner, "_pruning_thresholds", "sampler"),
)
"""The stages of a run; all else is "loop"."""


class Stopwatch:
    """Seconds of every stage, without those of stages inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted."""

        def wrapper(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            self._inside.append(0.0)
            try:
                return function(*arguments, **named)
            finally:
                spent = time.perf_counter() - began
                self.seconds[stage] += spent - self._inside.pop()
                if self._inside:
                    self._inside[-1] += spent

        return wrapper

    @contextmanager
    def watching(self, places: Iterable[Place] = PLACES) -> Iterator[None]:
        """Time what stands in these places meanwhile, and penalties and clipping with it."""
        build = Space.build

        def watched(space: Space, *arguments: Any) -> Recipe:
            recipe = build(space, *arguments)
            penalize, clip = (self.timed("optimizer", f) for f in (recipe.penalize, recipe.clip))
            return replace(recipe, penalize=penalize, clip=clip)

        with ExitStack() as stack:
            stack.enter_context(patch.object(Space, "build", self.timed("building", watched)))
            for owner, name, stage in places:
                timed = self.timed(stage, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, timed))
            yield
