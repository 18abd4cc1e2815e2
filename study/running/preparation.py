"""Prepare a study for training: load its data, and build its space and its model."""

from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from training_factors.search_spaces.overrides import Overrides, open_space, override
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import LeftOut, Space
from training_factors.storage.definition import Definition
from training_factors.storage.stamp import DataStamp, Stamp, differences
from training_factors.storage.studies import Study
from training_factors.study.running.process_setup import configure_process
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
"""Packages whose versions a stamp records."""

UNRESTRICTED_PROBLEM = Problem(shape=(3, 32, 32), classes=10)
"""A problem to which every factor applies."""

MAX_LISTED_FILES = 20
"""Maximum number of unreadable files whose names a stamp records; the others are counted."""


class PreparedStudy(NamedTuple):
    """A study that is ready for training: its definition, data, space and model.

    left_out: the factors, options and hyperparameters that do not apply to the data.
    """

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
            skipped=dataset.skipped[:MAX_LISTED_FILES],
            left_out=self.left_out,
            class_names=dataset.classes or (),
            code=tuple(user_functions(self.definition)),
            versions={package: version(package) for package in PACKAGES},
        )


def prepare_study(definition: Definition) -> PreparedStudy:
    """Load the data and build the space and the model.

    Configures this process for training, and with it the processes that are forked from it; see
    `configure_process`.

    Raises ValueError, which names the value and the remedy, for a definition that cannot be used.
    """
    configure_process()
    space = open_space(definition.space)
    changes = Overrides(definition.fix, definition.drop, definition.range, definition.choices)
    override(space, changes, UNRESTRICTED_PROBLEM)  # fail before reading data, which may take long
    dataset = load_dataset(
        definition.source,
        limit=definition.limit,
        image_size=definition.image_size,
        target=definition.target,
    )
    edited = override(space, changes, dataset.problem)
    fitted, left_out = edited.for_problem(dataset.problem)
    if not fitted.varied:
        raise ValueError("no factor is left to vary; fix or drop fewer factors")
    model = open_model(definition.model, dataset.problem)
    recipe = fitted.build(fitted.baseline(), dataset.problem)
    try_model(model, definition.model, recipe, dataset.problem)
    return PreparedStudy(definition, dataset, fitted, left_out, model)


def prepare_stored_study(study: Study, *, allow_code: bool = False) -> PreparedStudy:
    """Prepare a study that is stored in a database.

    allow_code: allow functions as its data or model to be imported and run. They come from the
    database, so anyone who can write to it chooses them.

    Raises ValueError for such a function where that is not allowed, and, naming the differences,
    when data, space, model, epochs or seed are no longer those of the stored study.
    """
    definition = study.stamp.definition
    if not allow_code:
        refuse_code(definition, set())
    prepared = prepare_study(definition)
    refuse_differences(study, prepared.stamp())
    return prepared


def refuse_code(definition: Definition, trusted: Collection[str]) -> None:
    """Raise ValueError when the definition names a user's function that is not trusted."""
    for name in user_functions(definition):
        if name not in trusted:
            raise ValueError(
                f"the study imports and runs {name!r}; add --allow-code if you trust everyone who "
                "can write to its database"
            )


def user_functions(definition: Definition) -> list[str]:
    """Return the names of the user's functions that a definition uses as its data or model."""
    source, model = definition.source, definition.model
    names = [source] if ":" in source and not Path(source).exists() else []
    return names if normal_name(model) in ARCHITECTURES else [*names, model]


def refuse_differences(study: Study, stamp: Stamp) -> None:
    """Raise ValueError, naming the differences, when the stamp is not that of the study."""
    # A long message is cut: the many lines about the data come last.
    differing = sorted(differences(study.stamp, stamp), key=lambda line: line.startswith("data."))
    if differing:
        raise ValueError(
            f"study {study.name!r} has different settings; use the same, or another study "
            f"({'; '.join(differing)})"
        )
