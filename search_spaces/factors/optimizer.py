"""How gradients become steps."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from torch import optim

from training_factors.search_spaces.dimension import LogUniform, OneOf, Uniform
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.recipe import Recipe


def sgd(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-3, 1.0)] = 0.1,
    momentum: Annotated[float, Uniform(0.0, 0.99)] = 0.9,
    nesterov: Annotated[bool, OneOf(False, True)] = False,
) -> Recipe:
    """v ← momentum · v + g, w ← w − lr · v; Nesterov looks ahead (Sutskever et al., 2013)."""
    _check(lr, momentum=momentum)
    nesterov = nesterov and momentum > 0
    made = partial(optim.SGD, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)
    return replace(recipe, optimizer=made)


def adam(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-4, 3e-2)] = 1e-3,
    beta1: Annotated[float, Uniform(0.5, 0.99)] = 0.9,
) -> Recipe:
    """w ← w − lr · m̂ / (√v̂ + ε), running means m of g and v of g² (Kingma & Ba, 2015)."""
    _check(lr, beta1=beta1)
    made = partial(optim.Adam, lr=lr, betas=(beta1, 0.999), fused=True)
    return replace(recipe, optimizer=made)


def adamw(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-4, 3e-2)] = 1e-3,
    beta1: Annotated[float, Uniform(0.5, 0.99)] = 0.9,
) -> Recipe:
    """Adam with a weight decay of 0.01 · lr apart from the gradient (Loshchilov & Hutter, 2019)."""
    _check(lr, beta1=beta1)
    made = partial(optim.AdamW, lr=lr, betas=(beta1, 0.999), fused=True)
    return replace(recipe, optimizer=made)


def adagrad(recipe: Recipe, lr: Annotated[float, LogUniform(1e-3, 0.3)] = 0.01) -> Recipe:
    """w ← w − lr · g / (√Σg² + ε), the sum over all steps so far (Duchi et al., 2011)."""
    _check(lr)
    return replace(recipe, optimizer=partial(optim.Adagrad, lr=lr, fused=True))


def rmsprop(
    recipe: Recipe,
    lr: Annotated[float, LogUniform(1e-4, 1e-2)] = 1e-3,
    alpha: Annotated[float, Uniform(0.8, 0.999)] = 0.99,
    momentum: Annotated[float, Uniform(0.0, 0.95)] = 0.0,
) -> Recipe:
    """w ← w − lr · g / (√v + ε), v the running mean of g² (Tieleman & Hinton, 2012)."""
    _check(lr, alpha=alpha, momentum=momentum)
    # It has no fused form; foreach takes half the time of the plain loop (18 tensors, one core).
    made = partial(optim.RMSprop, lr=lr, alpha=alpha, momentum=momentum, foreach=True)
    return replace(recipe, optimizer=made)


def _check(lr: float, **decays: float) -> None:
    if lr <= 0:
        raise ValueError(f"lr must be above 0, got {lr}")
    for name, decay in decays.items():
        if not 0 <= decay < 1:
            raise ValueError(f"{name} must be in [0, 1), got {decay}")


FACTOR = Factor(
    "optimizer", topic="optimizer", options=(sgd, adam, adamw, adagrad, rmsprop), retune=True
)
