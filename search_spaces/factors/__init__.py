"""All factors, one module each. A new module in this folder is found without being listed."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from training_factors.search_spaces.factor import Factor


def _load(module_name: str) -> Factor:
    """Return the `FACTOR` of a module, with the module's docstring as its documentation."""
    module = import_module(f"{__name__}.{module_name}")
    factor: Factor = module.FACTOR
    return replace(factor, documentation=(module.__doc__ or "").strip())


FACTORS: tuple[Factor, ...] = tuple(_load(module.name) for module in iter_modules(__path__))
"""Every factor, sorted by name."""
