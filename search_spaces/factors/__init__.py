"""Every factor there is: one file per decision, found by listing this folder."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from training_factors.search_spaces.factor import Factor


def _declared(module_name: str) -> Factor:
    module = import_module(f"{__name__}.{module_name}")
    factor: Factor = module.FACTOR
    return replace(factor, documentation=(module.__doc__ or "").strip())


FACTORS: tuple[Factor, ...] = tuple(_declared(module.name) for module in iter_modules(__path__))
