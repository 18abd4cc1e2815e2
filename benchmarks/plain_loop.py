"""The loop of Optuna's own PyTorch example, for our recipes: what the benchmarks compare with.

As `pytorch_simple.py` of optuna-examples does it: one process with torch's own number of threads, a
study in memory, a DataLoader in which every image is opened and goes through torchvision's
transforms by itself, `zero_grad`, `backward`, `step`, another DataLoader to validate. Networks,
optimizers, losses and the division of the data are those of the recipe; a run whose loss is not
finite ends, as ours does.
"""

from collections.abc import Callable, Container, Sequence
from typing import Any

import optuna
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset, default_collate
from torchvision import transforms
from torchvision.transforms import v2

from training_factors.search_spaces.factors.augment_color import color_jitter
from training_factors.search_spaces.factors.augment_corruption import (
    add_noise,
    erase_rectangle,
    gaussian_blur,
)
from training_factors.search_spaces.factors.augment_crop_flip import (
    random_crop,
    random_flip,
    random_flip_and_crop,
)
from training_factors.search_spaces.factors.augment_geometry import random_affine
from training_factors.search_spaces.factors.augment_mix import cutmix_batch, mixup_batch
from training_factors.search_spaces.recipe import Recipe, Stage, identity, no_mixing
from training_factors.search_spaces.space import Config
from training_factors.study.data.division import DataPart, training_division
from training_factors.study.running.preparation import PreparedStudy
from training_factors.study.training.metrics import open_objective
from training_factors.study.training.seeds import generator
from training_factors.study.training.training_state import to_float

Transform = Callable[[Any], Any]


class Images(Dataset[tuple[Any, int]]):
    """Images of a part, opened and transformed one by one, as torchvision's own data sets do."""

    def __init__(self, part: DataPart, transform: Transform) -> None:
        pixels = part.inputs[:].permute(0, 2, 3, 1).numpy()
        self._pixels = pixels[..., 0] if pixels.shape[3] == 1 else pixels
        self._targets = part.targets.tolist()
        self._transform = transform

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._targets)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """An image, transformed, and its class."""
        return self._transform(Image.fromarray(self._pixels[index])), self._targets[index]


class Loop:
    """All that the example's `objective` needs to know of a study of ours."""

    def __init__(self, prepared: PreparedStudy, device: str = "cpu") -> None:
        self._prepared, self._device = prepared, torch.device(device)
        self._data = training_division(
            prepared.dataset, prepared.definition.seed, torch.device("cpu")
        )
        self._classes = self._data.problem.classes or 0

    def optimize(self, configs: Sequence[Config], seeds: Sequence[int]) -> list[float]:
        """A study of these configurations, one after another; the value of each."""
        study = optuna.create_study(direction="maximize", pruner=optuna.pruners.NopPruner())
        for config, seed in zip(configs, seeds, strict=True):
            study.enqueue_trial(config)
            trial = study.ask(dict(self._prepared.space.distributions(config)))
            study.tell(trial, self.objective(trial, seed))
        return [trial.value or 0.0 for trial in study.trials]

    def objective(self, trial: optuna.Trial, seed: int) -> float:
        """Train one configuration; the accuracy after its last epoch."""

        def report(accuracy: float, epoch: int) -> None:
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        recipe = self._prepared.space.build(trial.params, self._data.problem)
        return self.train(recipe, seed, report)

    def train(self, recipe: Recipe, seed: int, report: Callable[[float, int], None]) -> float:
        """The accuracy after the last epoch; chance where the loss is not finite."""
        torch.manual_seed(seed)
        data, epochs, device = self._data, self._prepared.definition.epochs, self._device
        chosen = recipe.split(data.pool.targets, generator(seed, "split"))
        part = DataPart(data.pool.inputs[chosen], data.pool.targets[chosen])
        weights, dropout = generator(seed, "weights"), generator(seed, "dropout", device)
        network = self._prepared.model(recipe, data.problem, weights, dropout).to(device)
        train_loader, valid_loader = self._loaders(recipe, part)
        optimizer = _plain_optimizer(recipe, network)
        steps = epochs * len(train_loader)
        rates = LambdaLR(
            optimizer, lambda step: recipe.schedule(step / steps) * recipe.warmup(step / steps)
        )
        penalized: list[Tensor] = [weight for weight in network.parameters() if weight.dim() > 1]
        for epoch in range(epochs):
            network.train()
            for inputs, targets in train_loader:
                optimizer.zero_grad()
                loss = recipe.loss(network(inputs.to(device)), targets.to(device))
                loss.backward()
                recipe.penalize(penalized)
                optimizer.step()
                rates.step()
            accuracy = self._accuracy(network, valid_loader)
            if not loss.isfinite():
                return open_objective(None, data.validation.targets, data.problem).at_chance
            report(accuracy, epoch)
        return accuracy

    def _accuracy(self, network: nn.Module, loader: DataLoader[Any]) -> float:
        network.eval()
        correct = samples = 0
        with torch.no_grad():
            for inputs, targets in loader:
                outputs = network(inputs.to(self._device))
                correct += int(outputs.argmax(dim=1).cpu().eq(targets).sum().item())
                samples += len(targets)
        return correct / samples

    def _loaders(self, recipe: Recipe, part: DataPart) -> tuple[DataLoader[Any], DataLoader[Any]]:
        height, width = part.inputs.shape[2:]
        prepared = [transforms.ToTensor(), _normalization(recipe, part)]
        augmented = [
            *_transforms(recipe, range(Stage.CORRUPTION), height, width),
            transforms.ToTensor(),
            *_transforms(recipe, [Stage.CORRUPTION], height, width),
            _normalization(recipe, part),
        ]
        mix = _mixing(recipe, self._classes)
        batch_size = min(recipe.batch_size, len(part.inputs))
        return (
            DataLoader(
                Images(part, transforms.Compose(augmented)),
                batch_size,
                shuffle=True,
                drop_last=True,
                collate_fn=lambda samples: mix(*default_collate(samples)),
            ),
            DataLoader(Images(self._data.validation, transforms.Compose(prepared)), batch_size),
        )


def _taken_apart(seam: Any) -> tuple[Any, dict[str, float]]:
    """The function at a seam of a recipe, and the amounts that are bound to it."""
    return getattr(seam, "func", seam), getattr(seam, "keywords", {})


def _plain_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer of the parameters one by one, not of one flat buffer."""
    on_flat: Any = recipe.optimizer
    optimizer: torch.optim.Optimizer = on_flat.keywords["optimizer"](list(network.parameters()))
    return optimizer


def _normalization(recipe: Recipe, part: DataPart) -> Transform:
    normalize = recipe.normalize(to_float(part.inputs))
    if normalize is identity:
        return identity
    return lambda image: normalize(image.unsqueeze(0)).squeeze(0)


def _transforms(recipe: Recipe, stages: Container[int], height: int, width: int) -> list[Transform]:
    return [
        _transform(augment, height, width)
        for stage, augment in recipe.augmentations
        if stage in stages
    ]


def _transform(augmentation: Any, height: int, width: int) -> Transform:
    """Return torchvision's transform for one of our augmentations."""
    function, amounts = _taken_apart(augmentation)
    made: dict[Any, Callable[..., Transform]] = {
        random_flip: transforms.RandomHorizontalFlip,
        random_crop: lambda padding: _crop(padding, height, width),
        random_flip_and_crop: lambda padding: transforms.Compose(
            [transforms.RandomHorizontalFlip(), _crop(padding, height, width)]
        ),
        random_affine: lambda rotation, shift, zoom: transforms.RandomAffine(
            rotation,
            (shift, shift),
            (1 - zoom, 1 + zoom),
            interpolation=transforms.InterpolationMode.BILINEAR,
        ),
        color_jitter: transforms.ColorJitter,
        add_noise: lambda sigma: (
            lambda image: (image + torch.randn_like(image) * torch.rand(1) * sigma).clamp(0, 1)
        ),
        erase_rectangle: lambda area: transforms.RandomErasing(1.0, (0.0, area), (0.5, 2.0)),
        gaussian_blur: lambda sigma: _blur(sigma, min(height, width)),
    }
    return made[function](**amounts)


def _crop(padding: float, height: int, width: int) -> Transform:
    rows, columns = (max(1, round(padding * side)) for side in (height, width))
    crop: Transform = transforms.RandomCrop((height, width), (columns, rows))
    return crop


def _blur(sigma: float, side: int) -> Transform:
    reach = min(max(1, round(2 * sigma * side)), side - 1)
    blur: Transform = transforms.GaussianBlur(2 * reach + 1, (1e-3, sigma * side + 1e-3))
    return blur


def _mixing(recipe: Recipe, classes: int) -> Callable[[Tensor, Tensor], Any]:
    """On a whole batch, with one share for all of it: torchvision has no other."""
    function, amounts = _taken_apart(recipe.mix)
    if function is no_mixing:
        return lambda inputs, targets: (inputs, one_hot(targets, classes).float())
    kind: Any = {mixup_batch: v2.MixUp, cutmix_batch: v2.CutMix}[function]
    mix: Callable[[Tensor, Tensor], Any] = kind(num_classes=classes, **amounts)
    return mix
