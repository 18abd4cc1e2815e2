"""The rule that computes weight updates from gradients."""

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
    """Train with SGD and momentum: v ← momentum · v + g, w ← w − lr · v (Sutskever et al., 2013).

    With `nesterov`, the step is lr · (g + momentum · v).
    """
    _check(lr, momentum=momentum)
    nesterov = nesterov and momentum > 0
    optimizer = partial(optim.SGD, lr=lr, momentum=momentum, nesterov=nesterov, fused=True)
    return replace(recipe, optimizer=optimizer)


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
    return replace(recipe, optimizer=optimizer)


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
    return replace(recipe, optimizer=optimizer)


def adagrad(recipe: Recipe, lr: Annotated[float, LogUniform(1e-3, 0.3)] = 0.01) -> Recipe:
    """Train with Adagrad: w ← w − lr · g / (√Σg² + ε), Σ over all steps (Duchi et al., 2011)."""
    _check(lr)
    return replace(recipe, optimizer=partial(optim.Adagrad, lr=lr, fused=True))


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
    return replace(recipe, optimizer=optimizer)


def _check(lr: float, **decays: float) -> None:
    if lr <= 0:
        raise ValueError(f"lr must be above 0, got {lr}")
    for name, decay in decays.items():
        if not 0 <= decay < 1:
            raise ValueError(f"{name} must be in [0, 1), got {decay}")


FACTOR = Factor(
    "optimizer", topic="optimizer", options=(sgd, adam, adamw, adagrad, rmsprop), retune=True
)
