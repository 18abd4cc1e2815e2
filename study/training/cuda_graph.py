"""A training step as one CUDA graph: launched whole, not kernel by kernel.

Steps of small networks keep a GPU waiting for the next launch; all of ours have the same shapes, so
one recording serves them all (PyTorch's notes on CUDA graphs). Loops ask for it with `capture`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training_factors.study.training.training_state import Training

Step = Callable[[Tensor, Tensor], Tensor]
"""(inputs, targets) -> the loss."""

WARM_UP = 3
"""Steps that are taken before one is recorded: what is made at the first must be there."""


class GraphedStep:
    """A step that always works on the same two tensors, into which every batch is copied.

    On a GPU it is recorded after a few steps, and played from then on. Where there is none it is
    taken as it is: the numbers are the same.
    """

    def __init__(self, training: Training, step: Step) -> None:
        self._training, self._step = training, step
        self._inputs = self._targets = self._loss = torch.empty(0)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0
        for group in training.optimizer.param_groups:
            if "capturable" in group and training.inputs.is_cuda:
                group["capturable"] = True

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Take the step; the loss, until the next step is taken."""
        if self._taken == 0:
            self._inputs, self._targets = torch.empty_like(inputs), torch.empty_like(targets)
        self._inputs.copy_(inputs)
        self._targets.copy_(targets)
        self._taken += 1
        if not inputs.is_cuda:
            return self._step(self._inputs, self._targets)
        if self._graph is None and self._taken > WARM_UP:
            self._graph = self._record()
        if self._graph is None:
            return self._apart()
        self._graph.replay()
        return self._loss

    def _apart(self) -> Tensor:
        """As it is, on a stream of its own, as recording asks for."""
        here, other = torch.cuda.current_stream(), torch.cuda.Stream()
        other.wait_stream(here)
        with torch.cuda.stream(other):
            loss = self._step(self._inputs, self._targets)
        here.wait_stream(other)
        return loss

    def _record(self) -> torch.cuda.CUDAGraph:
        optimizer, graph = self._training.optimizer, torch.cuda.CUDAGraph()
        for group in optimizer.param_groups:
            # A number would be the same at every step that is played.
            group["lr"] = torch.as_tensor(group["lr"], device=self._inputs.device)
        for draw in self._training.draws.values():
            graph.register_generator_state(draw)
        with torch.cuda.graph(graph):
            self._loss = self._step(self._inputs, self._targets)
        return graph
