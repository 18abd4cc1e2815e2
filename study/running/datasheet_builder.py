"""Build the data sheet of a study: samples by class and part, example images, augmentations.

The images come from the training pool only; of the test part the sheet has the class counts alone.
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
from training_factors.storage.studies import Study
from training_factors.study.data.dataset import Dataset
from training_factors.study.data.division import PartIndices, divide
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.training.loop import augmented
from training_factors.study.training.seeds import generator
from training_factors.study.training.training_state import to_float

AUGMENTATION_TOPIC = "data augmentation"
"""Topic of the factors whose options are shown."""

NO_AUGMENTATION = "none"
"""Name of the option of these factors that leaves images as they are."""

PREVIEW_IMAGES = 6
"""Number of images in a picture."""

MAX_IMAGE_SIDE = 64
"""Longest side of an image in a picture, in pixels; larger images are scaled down."""

GAP = 1
"""Pixels between two images of a picture."""


def store_datasheet(study: Study, prepared: PreparedStudy) -> None:
    """Build and store the study's data sheet, if it has none; a confirmation needs none.

    Raises StorageUnavailableError when the database does not answer.
    """
    if not study.is_confirmation and read_sheet(study) is None:
        write_sheet(study, build_datasheet(prepared))


def build_datasheet(prepared: PreparedStudy) -> DataSheet:
    """Return the data sheet of a prepared study; the same study gives the same sheet."""
    dataset, seed = prepared.dataset, prepared.definition.seed
    indices = divide(dataset, seed)
    sheet = DataSheet(dataset.classes or (), _sizes(dataset, indices), "", ())
    if not dataset.problem.is_image:
        return sheet
    chosen = indices.pool[_choose_samples(dataset.targets[indices.pool], seed)]
    images = to_float(dataset.inputs[chosen])
    augmentations = tuple(
        _preview(prepared, images, factor, option) for factor, option in _augmentations(prepared)
    )
    return sheet._replace(originals=_picture(images), augmented=augmentations)


def _sizes(dataset: Dataset, indices: PartIndices) -> dict[str, list[int]]:
    """Return part -> samples of every class; for regression one number, the size of the part."""
    classes = len(dataset.classes) if dataset.classes else 1
    groups = dataset.targets if dataset.classes else torch.zeros(len(dataset.targets)).long()
    return {
        part: torch.bincount(groups[samples], minlength=classes).tolist()
        for part, samples in indices._asdict().items()
    }


def _choose_samples(targets: Tensor, seed: int) -> Tensor:
    """Draw the indices of a few samples, spread over the classes (or bands of numbers)."""
    order = torch.randperm(len(targets), generator=generator(seed, "data sheet"))
    groups = strata(targets)[order]
    sizes = groups.bincount()
    # Rank samples within their group, and take the first of every group before all second ones.
    within = torch.arange(len(order)) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    rank = torch.empty_like(within).scatter_(0, groups.argsort(stable=True), within)
    chosen = order[rank.argsort(stable=True)[:PREVIEW_IMAGES]]
    return chosen[targets[chosen].argsort(stable=True)]


def _augmentations(prepared: PreparedStudy) -> list[tuple[Factor, Option]]:
    """Return the options that augment images, with their factors."""
    return [
        (factor, option)
        for factor in prepared.space.factors
        for option in factor.used
        if factor.topic == AUGMENTATION_TOPIC and option.name != NO_AUGMENTATION
    ]


def _preview(prepared: PreparedStudy, images: Tensor, factor: Factor, option: Option) -> Augmented:
    """Show the images as an option augments them, with its hyperparameters at their defaults."""
    problem = prepared.dataset.problem
    recipe = prepared.space.build({factor.name: option.name}, problem)
    seed = prepared.definition.seed
    picture = _picture(_augment(recipe, images, f"{factor.name}.{option.name}", seed))
    hyperparameters = {
        hyperparameter.name: hyperparameter.default
        for hyperparameter in option.hyperparameters
        if hyperparameter.where.holds(problem)
    }
    return Augmented(factor.name, option.name, hyperparameters, picture)


def _augment(recipe: Recipe, images: Tensor, purpose: str, seed: int) -> Tensor:
    """Return the images as training would see them, but not normalized, so that they look right."""
    targets = torch.zeros(len(images), 1)  # unused, but mixing needs targets to mix
    return augmented(recipe, images, targets, identity, generator(seed, purpose))[0]


def _picture(images: Tensor) -> str:
    """Return images side by side, as a PNG in base64.

    images: in [0, 1], (samples, channels, height, width). Three channels are shown as colours; of
    any other number of channels the first is shown in grey.
    """
    colours = images if images.shape[1] == 3 else images[:, :1]
    pixels = colours.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).squeeze(3)
    tiles = [Image.fromarray(tile) for tile in pixels.numpy()]
    for tile in tiles:
        tile.thumbnail((MAX_IMAGE_SIDE, MAX_IMAGE_SIDE))  # scales down only
    width, height = tiles[0].size
    size = len(tiles) * (width + GAP) - GAP, height
    strip = Image.new(tiles[0].mode, size, "gray")
    for i, tile in enumerate(tiles):
        strip.paste(tile, (i * (width + GAP), 0))
    file = io.BytesIO()
    strip.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
