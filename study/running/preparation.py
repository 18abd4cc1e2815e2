"""From a definition to all that a run needs."""

from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch

from training_factors.search_spaces.overrides import Overrides, open_space, override
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import LeftOut, Space
from training_factors.storage.definition import Definition
from training_factors.storage.stamp import DataStamp, Stamp, differences
from training_factors.storage.studies import Study
from training_factors.study.training.dataset import Dataset
from training_factors.study.training.metrics import objective_name
from training_factors.study.training.network import (
    ARCHITECTURES,
    Builder,
    normal_name,
    open_model,
    try_model,
)
from training_factors.study.training.sources import load_dataset

PACKAGES = ("torch", "optuna", "scikit-learn", "numpy")

ANY = Problem(shape=(3, 32, 32), classes=10)
"""A problem that every factor applies to."""

LISTED_FILES = 20
"""Unreadable files that a stamp names; it counts the others."""


class PreparedStudy(NamedTuple):
    """A definition made real."""

    definition: Definition
    dataset: Dataset
    space: Space
    left_out: tuple[LeftOut, ...]
    model: Builder

    def stamp(self) -> Stamp:
        """Return the stamp of the study."""
        dataset, problem = self.dataset, self.dataset.problem
        return Stamp(
            objective=objective_name(problem),
            data=DataStamp(
                name=dataset.name,
                samples=len(dataset.targets),
                shape=problem.shape,
                classes=problem.classes,
                fingerprint=dataset.fingerprint,
                skipped=len(dataset.skipped),
            ),
            space=self.space.describe(),
            model=normal_name(self.definition.model),
            epochs=self.definition.epochs,
            seed=self.definition.seed,
            definition=self.definition,
            skipped=dataset.skipped[:LISTED_FILES],
            left_out=self.left_out,
            class_names=dataset.classes or (),
            code=tuple(code_in(self.definition)),
            versions={package: version(package) for package in PACKAGES},
        )


def prepare_study(definition: Definition) -> PreparedStudy:
    """Load the data and build the space and the model.

    From here on this process, and what is forked from it, computes with one thread: small networks
    are fastest with one worker per core, each alone on it, and threads do not survive a fork.

    Raises ValueError, with a line that names the value and the remedy, for whatever is wrong.
    """
    torch.set_num_threads(1)
    space = open_space(definition.space)
    changes = Overrides(definition.fix, definition.drop, definition.range, definition.choices)
    override(space, changes, ANY)  # before the data is read, which may take long
    dataset = load_dataset(
        definition.source,
        limit=definition.limit,
        image_size=definition.image_size,
        target=definition.target,
    )
    edited = override(space, changes, dataset.problem)
    fitted, left_out = edited.for_problem(dataset.problem)
    if not fitted.varied:
        raise ValueError("nothing is left to vary; fix or drop fewer factors")
    model = open_model(definition.model, dataset.problem)
    recipe = fitted.build(fitted.baseline(), dataset.problem)
    try_model(model, definition.model, recipe, dataset.problem)
    return PreparedStudy(definition, dataset, fitted, left_out, model)


def prepare_stored_study(study: Study, *, allow_code: bool = False) -> PreparedStudy:
    """All that a run of a stored study needs.

    allow_code: import the functions that it names as its data or model. Whoever can write to the
    database chooses them.

    Raises ValueError for such a function where that is not allowed; or, naming what differs, when
    data, space, model or budget are not what they were when the study was created.
    """
    definition = study.stamp.definition
    if not allow_code:
        refuse_code(definition, set())
    prepared = prepare_study(definition)
    refuse_differences(study, prepared.stamp())
    return prepared


def refuse_code(definition: Definition, trusted: Collection[str]) -> None:
    """Raise ValueError when the definition names code, apart from what is trusted."""
    for name in code_in(definition):
        if name not in trusted:
            raise ValueError(
                f"the study runs code of its own, {name!r}; add --allow-code if you trust all who "
                "can write to its database"
            )


def code_in(definition: Definition) -> list[str]:
    """The functions of a user's own that a definition names."""
    source, model = definition.source, definition.model
    names = [source] if ":" in source and not Path(source).exists() else []
    return names if normal_name(model) in ARCHITECTURES else [*names, model]


def refuse_differences(study: Study, stamp: Stamp) -> None:
    """Raise ValueError, naming what differs, when the stamp is not that of the study."""
    differing = differences(study.stamp, stamp)
    if differing:
        raise ValueError(
            f"study {study.name!r} has other settings; choose another --study "
            f"({'; '.join(differing)})"
        )
