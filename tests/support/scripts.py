"""What tests of exported scripts share: contents, training in both ways, and guarded execution."""

import builtins
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.registry import known_factors
from training_factors.search_spaces.space import Config, named_space
from training_factors.storage.metrics import choose_metric
from training_factors.study.data.division import DataPart, TargetScale
from training_factors.study.exporting.training_script import ScriptContent
from training_factors.study.training.loop import train_epoch
from training_factors.study.training.model import Model, open_model
from training_factors.study.training.seeds import derive_seed, generator, seeded_globals
from training_factors.study.training.training_state import Training, start_training

ALLOWED = {"torch", "safetensors", *sys.stdlib_module_names}
"""Packages that a script may import."""

SCALE = TargetScale(150.0, 70.0)
AT_ONCE = 2
SEED = 5

Data = dict[str, Tensor]


def content_of(
    config: Config,
    problem: Problem,
    model: str = "mlp",
    *,
    epochs: int = 2,
    factors: tuple[Factor, ...] = (),
    **changes: Any,
) -> ScriptContent:
    """Return the content of the scripts of a configuration, which is completed by the baseline."""
    is_own = ":" in model and not model.startswith(("mlp:", "cnn:"))
    problem = problem._replace(own_model=is_own)
    space, _ = named_space("full", (*known_factors(), *factors)).for_problem(problem)
    settings = {**space.baseline(), **config}
    opened: Model = open_model(model, problem, changes.pop("weights", None))
    return ScriptContent(
        title="tiny, run #3",
        recipe=space.build(settings, problem),
        model=opened,
        problem=problem,
        epochs=epochs,
        seed=SEED,
        metric=choose_metric(None, problem.classes),
        target_scale=None if problem.classes else SCALE,
        augmented_at_once=AT_ONCE,
        on="pool",
        settings=settings,
    )._replace(**changes)


def make_data(problem: Problem, samples: int = 90) -> Data:
    """Return the data of an exported folder: random samples of every part."""
    rng = torch.Generator().manual_seed(11)
    data = {}
    for part in ("pool", "validation", "test"):
        count = samples if part == "pool" else 20
        if problem.is_image:
            inputs = torch.randint(256, (count, *problem.shape), generator=rng, dtype=torch.uint8)
        else:
            inputs = torch.randn(count, *problem.shape, generator=rng) * 3 + 1
        if problem.classes is None:
            targets = torch.randn(count, generator=rng) * SCALE.deviation + SCALE.mean
        else:
            targets = torch.arange(count) % problem.classes
        data[f"{part}.inputs"], data[f"{part}.targets"] = inputs, targets
    return data


def train_here(content: ScriptContent, data: Data) -> Training:
    """Train the configuration by the loop of a study, in batches that are augmented as the script
    does it."""
    inputs, targets = data["pool.inputs"], data["pool.targets"]
    if content.on == "all":
        inputs = torch.cat([inputs, data["validation.inputs"]])
        targets = torch.cat([targets, data["validation.targets"]])
    if content.target_scale is not None:
        scale = content.target_scale
        targets = ((targets.double() - scale.mean) / scale.deviation).float()
    with seeded_globals(derive_seed(content.seed, "globals")):
        chosen = content.recipe.split(targets, generator(content.seed, "split"))
        part = DataPart(inputs[chosen], targets[chosen])
        training = start_training(
            content.recipe, part, content.problem, content.model, content.epochs, content.seed
        )
        for _ in range(content.epochs):
            train_epoch(training)
    return training


def run_script(
    text: str, name: str = "train", *, folder: Path | None = None, also: Mapping[str, Any] = {}
) -> ModuleType:
    """Execute a script as a module that may import torch, safetensors and the standard library.

    also: modules that it may import besides, by their names.
    """
    module = ModuleType(name)

    def guarded_import(wanted: str, *arguments: Any, **named: Any) -> Any:
        top = wanted.partition(".")[0]
        if wanted in also:
            return also[wanted]
        if top not in ALLOWED:
            raise AssertionError(f"the script imports {wanted}")
        return builtins.__import__(wanted, *arguments, **named)

    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": guarded_import}
    module.__dict__["__file__"] = str((folder or Path()) / f"{name}.py")
    sys.modules[name] = module  # dataclasses look up the module of a class
    try:
        exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module
