"""Find out which training factor matters most for accuracy, how sure that is, and what to set.

Names are imported when they are first used, so that `import training_factors` does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training_factors.search_spaces.dimension import (
        Fixed,
        Integer,
        LogUniform,
        OneOf,
        Uniform,
    )
    from training_factors.search_spaces.factor import Factor
    from training_factors.search_spaces.problem import Problem, Where
    from training_factors.search_spaces.recipe import Recipe
    from training_factors.search_spaces.space import Space, named_space

__all__ = [
    "Factor",
    "Fixed",
    "Integer",
    "LogUniform",
    "OneOf",
    "Problem",
    "Recipe",
    "Space",
    "Uniform",
    "Where",
    "named_space",
]

_MODULES = {
    "Factor": "factor",
    "Fixed": "dimension",
    "Integer": "dimension",
    "LogUniform": "dimension",
    "OneOf": "dimension",
    "Problem": "problem",
    "Recipe": "recipe",
    "Space": "space",
    "Uniform": "dimension",
    "Where": "problem",
    "named_space": "space",
}
"""The module of `training_factors.search_spaces` that defines each public name."""


def __getattr__(name: str) -> object:
    """Import a public name on first use. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.search_spaces.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
