"""The content of the scripts of a configuration, as a record."""

from collections.abc import Mapping
from typing import NamedTuple

from training_factors.search_spaces.dimension import Value
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe
from training_factors.storage.metrics import Metric
from training_factors.study.data.division import TargetScale
from training_factors.study.training.model import Model


class ScriptContent(NamedTuple):
    """The content of train.py and load.py: a configuration, and how it was trained.

    title: one line. recipe: of the configuration. model: as it was trained. epochs, seed: of the
    run. metric: the objective. target_scale: of regression targets; None for classes.
    augmented_at_once: number of batches that are augmented in one pass. on: the parts to train on:
    `pool`, or `all` for pool and validation together. settings: the configuration, as shown.
    """

    title: str
    recipe: Recipe
    model: Model
    problem: Problem
    epochs: int
    seed: int
    metric: Metric
    target_scale: TargetScale | None
    augmented_at_once: int
    on: str
    settings: Mapping[str, Value]
