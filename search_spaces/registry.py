"""All factors that a study may use: built in, of installed packages, and of the user's files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import entry_points
from types import ModuleType

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.user_code import GIVEN, import_module

ENTRY_POINTS = "training_factors.factors"
"""Group of entry points by which an installed package brings factors: each names a `Factor`, or a
module with one in `FACTOR` or several in `FACTORS`."""


_REGISTERED: dict[str, Factor] = {}
"""Factors that this process has registered, by name."""


def register(factor: Factor) -> Factor:
    """Add a factor to every space that this process makes from now on, and return it.

    A factor of the same name that was registered before is replaced. Other processes do not know
    it: a study that uses it goes on only where it has been registered. For factors that every
    process finds, name their file with `factors="my_factors.py"`.

    Raises ValueError when a built-in factor or one of an installed package has this name.
    """
    for other in (*FACTORS, *_installed_factors()):
        if other.name == factor.name:
            raise ValueError(
                f"factor {factor.name!r} of {other.source or 'this tool'} is declared twice; "
                "rename yours"
            )
    _REGISTERED[factor.name] = replace(factor, source=factor.source or f"{GIVEN}{factor.name}")
    return factor


def known_factors(files: Sequence[str] = ()) -> tuple[Factor, ...]:
    """Return all factors: built-in ones first, then those of packages, registered ones and files'.

    files: Python files or modules with a `FACTOR`, or several in `FACTORS`.

    Raises ValueError when a file or package cannot be used, or two factors have one name.
    """
    factors = [*FACTORS, *_installed_factors(), *_REGISTERED.values()]
    for file in files:
        factors += _read_factors(file)
    names = [factor.name for factor in factors]
    for factor in factors:
        if names.count(factor.name) > 1:
            raise ValueError(
                f"factor {factor.name!r} of {factor.source or 'this tool'} is declared twice; "
                "rename yours"
            )
    return tuple(factors)


@lru_cache(maxsize=1)
def _installed_factors() -> tuple[Factor, ...]:
    found: list[Factor] = []
    for point in entry_points(group=ENTRY_POINTS):
        try:
            loaded = point.load()
        except Exception as error:
            # A package may raise anything when it is imported; --debug shows the traceback.
            raise ValueError(
                f"the factors of {point.value!r} cannot be imported ({error}); fix or uninstall "
                f"{point.dist.name if point.dist else 'its package'}"
            ) from error
        found += _factors_in(loaded, point.module)
    return tuple(found)


def _read_factors(file: str) -> list[Factor]:
    try:
        module = import_module(file)
    except ValueError as error:
        raise ValueError(f"--factor {file!r} cannot be imported: {error}") from error
    return list(_factors_in(module, file))


def _factors_in(loaded: object, source: str) -> Iterator[Factor]:
    """Yield the factors of a module, or the factor itself, each with its source."""
    if isinstance(loaded, ModuleType):
        factors = getattr(loaded, "FACTORS", None) or [getattr(loaded, "FACTOR", None)]
        documentation = (loaded.__doc__ or "").strip()
    else:
        factors, documentation = [loaded], ""
    for factor in factors:
        if not isinstance(factor, Factor):
            raise ValueError(
                f"{source} declares no factor; let it define FACTOR = Factor(...), or FACTORS"
            )
        yield replace(factor, source=source, documentation=factor.documentation or documentation)
