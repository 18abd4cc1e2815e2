"""Prepare a study for training: load its data, and build its space and its model."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch

from training_factors.search_spaces.factors.start import fitting_weights
from training_factors.search_spaces.overrides import Overrides, open_space, override
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.registry import known_factors
from training_factors.search_spaces.space import Space, described_space
from training_factors.search_spaces.user_code import (
    GIVEN,
    file_digest,
    object_digest,
    source_digest,
)
from training_factors.storage.data_report import DataReport
from training_factors.storage.definition import Definition
from training_factors.storage.metrics import Metric, choose_metric
from training_factors.storage.precision import FLOAT32
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import DataStamp, Stamp, differences
from training_factors.storage.studies import Study
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import divide, report_data
from training_factors.study.data.options import DataOptions
from training_factors.study.data.other_divisions import other_division
from training_factors.study.data.sources import load_dataset
from training_factors.study.running.precision_choice import PrecisionChoice, choose_precision
from training_factors.study.running.probe import probe_space, set_fields
from training_factors.study.running.process_setup import use_one_thread
from training_factors.study.training.device import describe_processor
from training_factors.study.training.metrics import measure_chance
from training_factors.study.training.model import (
    LIBRARIES,
    Model,
    normal_name,
    open_model,
    try_model,
)
from training_factors.study.training.network import ARCHITECTURES
from training_factors.study.training.own_model import UNCHANGED_PARTS
from training_factors.study.training.seeds import generator
from training_factors.study.training.weights import describe_fit, read_weights

CPU = torch.device("cpu")

PACKAGES = ("torch", "optuna", "scikit-learn", "scipy", "numpy", "training-factors")
"""Packages whose versions a stamp records."""

SPACE_FIELDS = (
    "source", "image_size", "target", "task", "fit", "labels", "ignore", "model", "weights",
    "space", "factors", "fix", "drop", "only", "range", "choices",
)  # fmt: skip
"""Settings on which it depends which factors a study has."""

UNRESTRICTED_PROBLEM = Problem(shape=(3, 32, 32), classes=10, own_model=True)
"""A problem to which every factor applies."""

MAX_LISTED_FILES = 20
"""Maximum number of unreadable files whose names a stamp records; the others are counted."""


class PreparedStudy(NamedTuple):
    """A study that is ready for training: its definition, data, space and model.

    left_out: the factors, options and hyperparameters that do not apply to the data or do not act
        on the model.
    reach: how the recipe reaches a model that is not built in: factor -> words for it.
    notes: what the user should know about how the model is used.
    precision_reason: why the precision, which is the model's, was chosen; empty if it was stored.
    """

    definition: Definition
    dataset: Dataset
    space: Space
    left_out: tuple[tuple[str, str], ...]
    model: Model
    reach: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    precision_reason: str = ""

    @property
    def is_given(self) -> bool:
        """Return whether data, model or a factor are objects, which no other process can find."""
        names = (self.definition.source, self.definition.model)
        sources = (factor.source for factor in self.space.factors)
        return any(name.startswith(GIVEN) for name in (*names, *sources))

    @property
    def metric(self) -> Metric:
        """Return the metric that the study maximizes."""
        return choose_metric(self.definition.metric, self.dataset.problem.classes)

    @property
    def data_report(self) -> DataReport:
        """Return what was done to the data."""
        return report_data(self.dataset, self.definition.seed)

    def stamp(self) -> Stamp:
        """Return the stamp of the study."""
        dataset, problem = self.dataset, self.dataset.problem
        code = user_code(self.definition)
        return Stamp(
            objective=self.metric.objective,
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
            reach=self.reach,
            notes=self.notes,
            class_names=dataset.classes or (),
            code=tuple(code),
            digests=self._digests(code),
            versions=installed_versions(),
            data_report=self.data_report,
            chance=self._chance(),
            processor=describe_processor(),
            precision=self.model.precision,
        )

    def _chance(self) -> dict[str, float]:
        """Return every metric at chance, on the validation part."""
        dataset = self.dataset
        validation = divide(dataset, self.definition.seed).validation
        return measure_chance(dataset.targets[validation], dataset.problem)

    def _digests(self, code: Sequence[str]) -> dict[str, str]:
        """Return digests of the user's code, of packages with factors, and of the weights."""
        sources = {factor.source: factor for factor in self.space.factors if factor.source}
        found = {source for source in sources if not source.startswith(GIVEN)}
        digests = {name: source_digest(_location(name)) for name in (*code, *sorted(found))}
        for source, factor in sources.items():
            if source.startswith(GIVEN):
                digests[source] = "".join(object_digest(one.function) for one in factor.options)
        if self.definition.model.startswith(GIVEN) and self.model.own is not None:
            digests[self.definition.model] = object_digest(self.model.own.make)
        if self.definition.weights is not None:
            digests[self.definition.weights] = file_digest(self.definition.weights)
        return digests


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages on which results depend: package -> version."""
    return {package: version(package) for package in PACKAGES}


def prepare_study(
    definition: Definition,
    stored: Stamp | None = None,
    *,
    data: object = None,
    model: Callable[..., object] | None = None,
    device: torch.device = CPU,
) -> PreparedStudy:
    """Load the data and build the space and the model.

    This process, and those that are forked from it, use one thread from then on; see
    `use_one_thread`.

    stored: the stamp of a study that goes on. Its space is used as it was then, whatever factors
        have been declared since, unless the definition asks for another one.
    data, model: the objects that a program passed, where the definition names such.
    device: on which the fastest precision is chosen, if the definition leaves it open and no stamp
        names it.

    Raises ValueError, which names the value and the remedy, for a definition that cannot be used.
    """
    use_one_thread()
    space = open_space(definition.space, definition.factors)
    changes = space_changes(definition)
    override(space, changes, UNRESTRICTED_PROBLEM)  # fail before reading data, which may take long
    settings = definition.model_dump(include=set(DataOptions._fields))
    dataset = load_dataset(definition.source, DataOptions(**settings), data)
    choose_metric(definition.metric, dataset.problem.classes)  # fail before building the model
    weights = None if definition.weights is None else read_weights(definition.weights)
    opened = open_model(definition.model, dataset.problem, weights, model)
    choice = _given_precision(definition, stored)
    opened = replace(opened, precision=choice.precision if choice else FLOAT32)
    if stored is not None and _same_space(stored.definition, definition):
        known = known_factors(definition.factors)
        fitted = described_space(stored.space, known)
        left_out: Sequence[tuple[str, str]] = stored.left_out
        opened = _try_baseline(fitted, opened, dataset.problem)
        reach = stored.reach
    else:
        is_own = opened.own is not None and not opened.own.reads_recipe
        has_weights = opened.weights is not None
        problem = dataset.problem._replace(own_model=is_own, has_weights=has_weights)
        fitted, left_out = override(space, changes, problem).for_problem(problem)
        opened = _try_baseline(fitted, opened, dataset.problem)
        if opened.own is not None or has_weights or definition.factors:
            fitted, without_effect = probe_space(fitted, opened, dataset)
            left_out = (*left_out, *without_effect)
            opened = _try_baseline(fitted, opened, dataset.problem)
        reach = _reach(fitted, opened, dataset.problem)
    if not fitted.varied and not any(changes):
        raise ValueError("no factor is left to vary; bring other data or another model")
    notes = _notes(definition, fitted, opened, dataset.problem)
    if choice is None:
        recipe = fitted.build(fitted.baseline(), dataset.problem)
        choice = choose_precision(opened, recipe, dataset, device)
        opened = replace(opened, precision=choice.precision)
    return PreparedStudy(
        definition, dataset, fitted, tuple(left_out), opened, reach, notes, choice.reason
    )


def _given_precision(definition: Definition, stored: Stamp | None) -> PrecisionChoice | None:
    """Return the precision that is stored with a study or named; None where it is to be chosen."""
    if stored is not None and definition.precision == stored.definition.precision:
        return PrecisionChoice(stored.precision, "")
    if definition.precision != "auto":
        return PrecisionChoice(definition.precision, "named")
    return None


def space_changes(definition: Definition) -> Overrides:
    """Return the changes that a definition makes to its space."""
    return Overrides(
        fix=definition.fix, drop=definition.drop, range=definition.range,
        choices=definition.choices, only=definition.only,
    )  # fmt: skip


def _same_space(one: Definition, other: Definition) -> bool:
    """Return whether two definitions ask for the same factors on the same data and model."""
    return all(getattr(one, field) == getattr(other, field) for field in SPACE_FIELDS)


def _try_baseline(space: Space, model: Model, problem: Problem) -> Model:
    """Return the model as the space's factors use it, after trying it with the baseline."""
    set_by_factors = {field for factor in space.factors for field in set_fields(factor, problem)}
    fitted = model.keeping(UNCHANGED_PARTS.keys() - set_by_factors)
    return try_model(fitted, space.build(space.baseline(), problem), problem)


def _notes(definition: Definition, space: Space, model: Model, problem: Problem) -> tuple[str, ...]:
    """Return what the user should know about how the model is used."""
    notes = () if model.own is None else model.own.notes
    if not space.varied:
        notes = (*notes, "nothing varies: one configuration is trained with different seeds")
    if definition.weights is None or model.weights is None:
        return notes
    recipe = space.build(space.baseline(), problem)
    network = model.build(recipe, problem, generator(0, "weights"), generator(0, "dropout"))
    fitting = fitting_weights(network, model.weights)
    return (*notes, describe_fit(network, model.weights, fitting, definition.weights))


def _reach(space: Space, model: Model, problem: Problem) -> dict[str, str]:
    """Return how the recipe reaches a model that is not built in: factor -> words for it."""
    if model.own is None:
        return {}
    by_field = model.own.reach(space.build(space.baseline(), problem), problem)
    fields = {"activation": "activation", "dropout": "dropout", "batch_norm": "norm",
              "initialization": "initialize"}  # fmt: skip
    return {
        factor.name: by_field[fields[factor.name]]
        for factor in space.varied
        if fields.get(factor.name) in by_field
    }


def prepare_stored_study(
    study: Study,
    *,
    allow_code: bool = False,
    data: object = None,
    model: Callable[..., object] | None = None,
) -> PreparedStudy:
    """Prepare a study that is stored in a database.

    allow_code: allow the user's code that it names to be imported and run. The names come from the
    database, so anyone who can write to it chooses them.

    Raises ValueError for such code where that is not allowed, and, naming the differences, when
    data, space, model, code, epochs or seed are no longer those of the stored study.
    """
    definition = study.stamp.definition
    if not allow_code:
        refuse_code(definition, set())
    prepared = prepare_study(definition, study.stamp, data=data, model=model)
    refuse_differences(study, prepared.stamp())
    return prepared


def refuse_few_divisions(prepared: PreparedStudy, runs: Iterable[Run]) -> None:
    """Raise ValueError when the data cannot be divided as these runs of the phase division need."""
    last = {run.row: run.repeat for run in sorted(runs)}  # it is drawn after all earlier ones
    for row, number in last.items():
        other_division(prepared.dataset, prepared.definition.seed, row, number)


def refuse_code(definition: Definition, trusted: Collection[str]) -> None:
    """Raise ValueError when the definition names a user's code that is not trusted."""
    for name in user_code(definition):
        if name not in trusted:
            raise ValueError(
                f"the study imports and runs {name!r}; add --allow-code if you trust everyone who "
                "can write to its database"
            )


def user_code(definition: Definition) -> list[str]:
    """Return the names of the user's code that a definition uses: data, model and factors."""
    source, model = definition.source, definition.model
    is_code = ":" in source and not source.startswith(GIVEN) and not Path(source).exists()
    names = [source] if is_code else []
    is_built_in = normal_name(model) in ARCHITECTURES or model.startswith(GIVEN)
    if not is_built_in and model.partition(":")[0] not in LIBRARIES:
        names.append(model)
    return [*names, *definition.factors]


def _location(name: str) -> str:
    """Return the module or file of a user's code: of `file.py:function` it is `file.py`."""
    return name if name.endswith(".py") else name.rpartition(":")[0] or name


def refuse_differences(study: Study, stamp: Stamp) -> None:
    """Raise ValueError, naming the differences, when the stamp is not that of the study."""
    for name in changed_files(study.stamp, stamp):
        raise ValueError(
            f"{name} has changed since study {study.name!r} was created, so its runs would not "
            "be comparable; undo the change, or name another study with --study"
        )
    # A long message is cut: the many lines about the data come last.
    differing = sorted(differences(study.stamp, stamp), key=lambda line: line.startswith("data."))
    if differing:
        raise ValueError(
            f"study {study.name!r} has different settings; use the same, or another study "
            f"({'; '.join(differing)})"
        )


def changed_files(stored: Stamp, now: Stamp) -> list[str]:
    """Return the names of the code and weights that have changed since a study was created."""
    return [
        name for name, digest in stored.digests.items() if now.digests.get(name, digest) != digest
    ]
