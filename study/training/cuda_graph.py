"""Run training steps as one CUDA graph, which launches all kernels of a step at once.

Small networks keep a GPU waiting for the next kernel launch. All our steps have the same shapes, so
one captured graph serves them all (PyTorch's notes on CUDA graphs). `train(capture=True)` uses it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training_factors.study.training.training_state import Training

Step = Callable[[Tensor, Tensor], Tensor]
"""(inputs, targets) -> the loss."""

WARM_UP_STEPS = 3
"""Number of steps before the capture; they create the optimizer's state and the buffers of
libraries, which must not be created during it."""


class GraphedStep:
    """A training step that copies every batch into the same two tensors before it runs.

    On a GPU the step is captured after `WARM_UP_STEPS` and replayed from then on. On other devices
    it runs as it is and gives the same numbers, which lets the copying be tested without a GPU.
    """

    def __init__(self, training: Training, step: Step) -> None:
        self._training, self._step = training, step
        self._inputs = self._targets = self._loss = torch.empty(0)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._steps_run = 0
        for group in training.optimizer.param_groups:
            if "capturable" in group and training.inputs.device.type == "cuda":
                group["capturable"] = True

    def __call__(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Run the step on a batch; the returned loss is overwritten by the next step."""
        if self._steps_run == 0:
            self._inputs, self._targets = torch.empty_like(inputs), torch.empty_like(targets)
        self._inputs.copy_(inputs)
        self._targets.copy_(targets)
        self._steps_run += 1
        if not inputs.is_cuda:
            return self._step(self._inputs, self._targets)
        if self._graph is None and self._steps_run > WARM_UP_STEPS:
            self._graph = self._capture()
        if self._graph is None:
            return self._run_on_side_stream()
        self._graph.replay()
        return self._loss

    def _run_on_side_stream(self) -> Tensor:
        """Run the step uncaptured, on a stream of its own, as warm-up before a capture must."""
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            loss = self._step(self._inputs, self._targets)
        current.wait_stream(side)
        return loss

    def _capture(self) -> torch.cuda.CUDAGraph:
        optimizer, graph = self._training.optimizer, torch.cuda.CUDAGraph()
        for group in optimizer.param_groups:
            # The graph would keep a plain number; a tensor can change between replays.
            group["lr"] = torch.as_tensor(group["lr"], device=self._inputs.device)
        for generator in self._training.generators.values():
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph):
            self._loss = self._step(self._inputs, self._targets)
        return graph
