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
    from training_factors.search_spaces.registry import register
    from training_factors.search_spaces.space import Space, named_space
    from training_factors.storage.studies import NoStudyError
    from training_factors.study.analysis.answer import NoAnswer
    from training_factors.study.analysis.optuna_evaluator import ShapleyImportanceEvaluator
    from training_factors.study.api.execution import StudyStoppedError
    from training_factors.study.api.factor_study import FactorStudy
    from training_factors.study.api.optuna_importance import importance
    from training_factors.study.api.results import Importance
    from training_factors.study.api.running import compare, load, run, verify
    from training_factors.study.running.design_sampler import DesignSampler
    from training_factors.study.running.settings import WorkerTiming

_MODULES = {
    "Factor": "search_spaces.factor",
    "DesignSampler": "study.running.design_sampler",
    "FactorStudy": "study.api.factor_study",
    "Fixed": "search_spaces.dimension",
    "Importance": "study.api.results",
    "Integer": "search_spaces.dimension",
    "LogUniform": "search_spaces.dimension",
    "NoAnswer": "study.analysis.answer",
    "NoStudyError": "storage.studies",
    "OneOf": "search_spaces.dimension",
    "Problem": "search_spaces.problem",
    "Recipe": "search_spaces.recipe",
    "Space": "search_spaces.space",
    "ShapleyImportanceEvaluator": "study.analysis.optuna_evaluator",
    "StudyStoppedError": "study.api.execution",
    "Uniform": "search_spaces.dimension",
    "Where": "search_spaces.problem",
    "WorkerTiming": "study.running.settings",
    "compare": "study.api.running",
    "importance": "study.api.optuna_importance",
    "load": "study.api.running",
    "named_space": "search_spaces.space",
    "register": "search_spaces.registry",
    "run": "study.api.running",
    "verify": "study.api.running",
}
"""The module below `training_factors` that defines each public name."""

__all__ = [
    "DesignSampler",
    "Factor",
    "FactorStudy",
    "Fixed",
    "Importance",
    "Integer",
    "LogUniform",
    "NoAnswer",
    "NoStudyError",
    "OneOf",
    "Problem",
    "Recipe",
    "ShapleyImportanceEvaluator",
    "Space",
    "StudyStoppedError",
    "Uniform",
    "Where",
    "WorkerTiming",
    "compare",
    "importance",
    "load",
    "named_space",
    "register",
    "run",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
