"""The rule that computes weight updates from gradients."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn, optim

from training_factors.search_spaces.dimension import LogUniform, OneOf, Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.flat_parameters import in_memory_order, on_flat_parameters
from training_factors.search_spaces.recipe import Recipe


class Lion(optim.Optimizer):
    """Steps of the same size for every weight, in the direction of a running mean's sign."""

    def __init__(self, parameters: list[Tensor], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [each for each in group["params"] if each.grad is not None]
            gradients = [each.grad for each in parameters]
            for each in parameters:
                if not self.state[each]:
                    self.state[each]["mean"] = torch.zeros_like(each)
            means = [self.state[each]["mean"] for each in parameters]
            first, second = group["betas"]
            steps = torch._foreach_lerp(means, gradients, 1 - first)
            torch._foreach_sign_(steps)
            torch._foreach_mul_(steps, group["lr"])
            torch._foreach_sub_(parameters, steps)
            torch._foreach_lerp_(means, gradients, 1 - second)


class MuonWithAdamW(optim.Optimizer):
    """Muon for weights of linear layers and convolutions, AdamW for all other parameters.

    Muon takes matrices: the kernel of a convolution is one with a row for each output. The matrices
    and their gradients are views of the network's parameters and gradients.
    """

    def __init__(self, network: nn.Module, lr: float, momentum: float) -> None:
        trained = [each for each in network.parameters() if each.requires_grad]
        weights = [each for each in trained if each.dim() > 1 and _is_dense(each)]
        others = [each for each in trained if not any(each is weight for weight in weights)]
        muon = partial(
            optim.Muon, lr=lr, momentum=momentum, weight_decay=0, adjust_lr_fn="match_rms_adamw"
        )
        adamw = partial(optim.AdamW, lr=lr, weight_decay=0, fused=True)
        self.parts: list[optim.Optimizer] = []
        if weights:
            self.parts.append(muon([_as_matrix(weight) for weight in weights]))
        if others:
            self.parts.append(adamw(others))
        super().__init__(self._groups(), {})
        self.param_groups = self._groups()

    def _groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both optimizers."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put both optimizers into a saved state."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()


def _is_dense(weight: Tensor) -> bool:
    return weight.is_contiguous() or weight.is_contiguous(memory_format=torch.channels_last)


def _as_matrix(weight: Tensor) -> nn.Parameter:
    """View a weight and its gradient, which is created here, as matrices with a row per output.

    The columns are in the order of memory, which makes no difference to Muon.
    """
    weight.grad = torch.zeros_like(weight)
    matrix = nn.Parameter(in_memory_order(weight.detach()).view(len(weight), -1))
    matrix.grad = in_memory_order(weight.grad).view(len(weight), -1)
    return matrix


def sgd(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-3, 1.0)] = 0.1,
    momentum: Annotated[float, Uniform(0.0, 0.99)] = 0.9,
    nesterov: Annotated[bool, OneOf(False, True)] = False,
) -> Recipe:
    """Train with SGD and momentum: v ← momentum · v + g, w ← w − lr · v (Sutskever et al., 2013).

    With `nesterov`, the step is lr · (g + momentum · v).
    """
    _check(lr, momentum=momentum)
    nesterov = nesterov and momentum > 0
    optimizer = partial(optim.SGD, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)
    return _elementwise(recipe, optimizer)


def adam(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-4, 3e-2)] = 1e-3,
    beta1: Annotated[float, Uniform(0.5, 0.99)] = 0.9,
) -> Recipe:
    """Train with Adam: w ← w − lr · m̂ / (√v̂ + ε) (Kingma & Ba, 2015).

    m̂ and v̂ are the bias-corrected running means of g and g², with decay rates beta1 and 0.999.
    """
    _check(lr, beta1=beta1)
    optimizer = partial(optim.Adam, lr=lr, betas=(beta1, 0.999), fused=True)
    return _elementwise(recipe, optimizer)


def adamw(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-4, 3e-2)] = 1e-3,
    beta1: Annotated[float, Uniform(0.5, 0.99)] = 0.9,
) -> Recipe:
    """Train with AdamW: Adam with decoupled weight decay (Loshchilov & Hutter, 2019).

    Each step also subtracts 0.01 · lr · w from the weights w.
    """
    _check(lr, beta1=beta1)
    optimizer = partial(optim.AdamW, lr=lr, betas=(beta1, 0.999), fused=True)
    return _elementwise(recipe, optimizer)


def adagrad(recipe: Recipe, lr: Annotated[float, LogUniform(1e-3, 0.3)] = 0.01) -> Recipe:
    """Train with Adagrad: w ← w − lr · g / (√Σg² + ε), Σ over all steps (Duchi et al., 2011)."""
    _check(lr)
    return _elementwise(recipe, partial(optim.Adagrad, lr=lr, fused=True))


def rmsprop(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-4, 1e-2)] = 1e-3,
    alpha: Annotated[float, Uniform(0.8, 0.999)] = 0.99,
    momentum: Annotated[float, Uniform(0.0, 0.95)] = 0.0,
) -> Recipe:
    """Train with RMSprop: w ← w − lr · g / (√v + ε) (Tieleman & Hinton, 2012).

    v is the running mean of g²: v ← alpha · v + (1 − alpha) · g². With momentum, the step is lr · u
    with u ← momentum · u + g / (√v + ε).
    """
    _check(lr, alpha=alpha, momentum=momentum)
    # RMSprop has no fused implementation; `foreach` takes half the time of the plain loop (18
    # tensors, one core).
    optimizer = partial(optim.RMSprop, lr=lr, alpha=alpha, momentum=momentum, foreach=True)
    return _elementwise(recipe, optimizer)


def muon(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-4, 3e-2)] = 1e-3,
    momentum: Annotated[float, Uniform(0.5, 0.99)] = 0.95,
) -> Recipe:
    """Train with Muon: w ← w − 0.2 √max(n, k) · lr · O(g + momentum · v) (Jordan et al., 2024).

    v is the running mean of the gradient g of an n × k matrix of weights; O(m) is the nearest
    matrix to m with orthogonal rows or columns, so that all directions get steps of one size. The
    factor 0.2 √max(n, k) makes steps as large as those of AdamW (Liu et al., 2025), which trains
    the biases and the parameters of normalization layers, with the same lr.
    """
    _check(lr, momentum=momentum)
    return replace(recipe, optimizer=partial(MuonWithAdamW, lr=lr, momentum=momentum))


def lion(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-5, 3e-3)] = 1e-4,
    beta1: Annotated[float, Uniform(0.5, 0.99)] = 0.9,
) -> Recipe:
    """Train with Lion: w ← w − lr · sign(beta1 · m + (1 − beta1) · g) (Chen et al., 2023).

    m is the running mean of g with a decay rate of 0.99. Every weight moves by lr in each step.
    """
    _check(lr, beta1=beta1)
    return _elementwise(recipe, partial(Lion, lr=lr, betas=(beta1, 0.99)))


def _elementwise(recipe: Recipe, optimizer: Callable[[list[Tensor]], optim.Optimizer]) -> Recipe:
    """Set an optimizer that needs no shapes, and thus may update all parameters as one vector."""
    return replace(recipe, optimizer=partial(on_flat_parameters, optimizer=optimizer))


def _check(lr: float, **decays: float) -> None:
    if lr <= 0:
        raise ValueError(f"lr must be above 0, got {lr}")
    for name, decay in decays.items():
        if not 0 <= decay < 1:
            raise ValueError(f"{name} must be in [0, 1), got {decay}")


FACTOR = Factor(
    "optimizer",
    topic="optimizer",
    options=(sgd, adam, adamw, adagrad, rmsprop),
    further=(muon, lion),
    retune=True,
)
