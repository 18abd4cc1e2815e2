"""The data sheet of a study: its parts counted, some images of the training pool, augmented.

It shows images of the training pool alone; of the test part it has the number of samples.
"""

import base64
import io

import torch
from PIL import Image
from torch import Tensor

from training_factors.search_spaces.factor import Factor, Option
from training_factors.search_spaces.problem import strata
from training_factors.search_spaces.recipe import Recipe, identity
from training_factors.storage.datasheet import Augmented, DataSheet, read_sheet, write_sheet
from training_factors.storage.studies import CONFIRMATION, Study
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.training.dataset import Dataset
from training_factors.study.training.division import PartIndices, divide
from training_factors.study.training.loop import augmented
from training_factors.study.training.seeds import generator
from training_factors.study.training.training_state import to_float

TOPIC, NOTHING = "data augmentation", "none"
"""The topic whose options are shown, and the name of those that do nothing."""

PREVIEW_IMAGES = 6
"""Images in a picture."""

LARGEST, GAP = 64, 1
"""Pixels: the longest side of an image in a picture, and what separates two of them."""


def store_datasheet(study: Study, prepared: PreparedStudy) -> None:
    """Write the study's data sheet where there is none; a confirmation needs none of its own.

    Raises StorageLostError when the database does not answer.
    """
    if not study.name.endswith(CONFIRMATION) and read_sheet(study) is None:
        write_sheet(study, build_datasheet(prepared))


def build_datasheet(prepared: PreparedStudy) -> DataSheet:
    """The data sheet of a study on this data; the same every time."""
    dataset, seed = prepared.dataset, prepared.definition.seed
    indices = divide(dataset, seed)
    sheet = DataSheet(dataset.classes or (), _sizes(dataset, indices), "", ())
    if not dataset.problem.is_image:
        return sheet
    chosen = indices.pool[_various(dataset.targets[indices.pool], seed)]
    images = to_float(dataset.inputs[chosen])
    shown = tuple(_shown(prepared, images, *one) for one in _options(prepared))
    return sheet._replace(originals=_picture(images), augmented=shown)


def _sizes(dataset: Dataset, indices: PartIndices) -> dict[str, list[int]]:
    """Samples of every class in every part; of a regression in all."""
    classes = len(dataset.classes) if dataset.classes else 1
    groups = dataset.targets if dataset.classes else torch.zeros(len(dataset.targets)).long()
    return {
        part: torch.bincount(groups[own], minlength=classes).tolist()
        for part, own in indices._asdict().items()
    }


def _various(targets: Tensor, seed: int) -> Tensor:
    """Indices of a few samples, drawn from as many classes (or bands of numbers) as there are."""
    order = torch.randperm(len(targets), generator=generator(seed, "data sheet"))
    groups = strata(targets)[order]
    sizes = groups.bincount()
    # Which of its group's samples each one is: all first ones come before all second ones.
    within = torch.arange(len(order)) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    rank = torch.empty_like(within).scatter_(0, groups.argsort(stable=True), within)
    few = order[rank.argsort(stable=True)[:PREVIEW_IMAGES]]
    return few[targets[few].argsort(stable=True)]


def _options(prepared: PreparedStudy) -> list[tuple[Factor, Option]]:
    return [
        (factor, option)
        for factor in prepared.space.factors
        for option in factor.options
        if factor.topic == TOPIC and option.name != NOTHING
    ]


def _shown(prepared: PreparedStudy, images: Tensor, factor: Factor, option: Option) -> Augmented:
    """The images as the option changes them, with its hyperparameters at their defaults."""
    problem = prepared.dataset.problem
    recipe = prepared.space.build({factor.name: option.name}, problem)
    seed = prepared.definition.seed
    picture = _picture(_changed(recipe, images, f"{factor.name}.{option.name}", seed))
    hyperparameters = {
        hyperparameter.name: hyperparameter.default
        for hyperparameter in option.hyperparameters
        if hyperparameter.where.holds(problem)
    }
    return Augmented(factor.name, option.name, hyperparameters, picture)


def _changed(recipe: Recipe, images: Tensor, purpose: str, seed: int) -> Tensor:
    """The images as training would see them, but not normalized: nobody can look at that."""
    nothing = torch.zeros(len(images), 1)  # mixing mixes targets too
    return augmented(recipe, images, nothing, identity, generator(seed, purpose))[0]


def _picture(images: Tensor) -> str:
    """Images in [0, 1], (samples, channels, height, width), side by side: a PNG in base64.

    Three channels are colours; of any other number the first is shown in grey.
    """
    colours = images if images.shape[1] == 3 else images[:, :1]
    pixels = colours.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).squeeze(3)
    tiles = [Image.fromarray(tile) for tile in pixels.numpy()]
    for tile in tiles:
        tile.thumbnail((LARGEST, LARGEST))  # smaller ones stay as they are
    width, height = tiles[0].size
    size = len(tiles) * (width + GAP) - GAP, height
    strip = Image.new(tiles[0].mode, size, "gray")
    for i, tile in enumerate(tiles):
        strip.paste(tile, (i * (width + GAP), 0))
    written = io.BytesIO()
    strip.save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode()
