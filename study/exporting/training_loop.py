"""Write the steps of the training loop that a configuration changes, each as one expression."""

import inspect
from collections.abc import Mapping
from functools import partial

from torch import optim

from training_factors.search_spaces.factors.split import sample_by_class, sample_by_stratum
from training_factors.search_spaces.factors.weight_average import moving_average
from training_factors.search_spaces.flat_parameters import on_flat_parameters
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.recipe import Recipe, default_recipe
from training_factors.storage.precision import BFLOAT16
from training_factors.study.exporting.normalization import describe_normalization
from training_factors.study.exporting.plain_layers import Piece, plain_text
from training_factors.study.exporting.script_content import ScriptContent
from training_factors.study.exporting.source_code import short_name
from training_factors.study.training.metrics import FORMULAS
from training_factors.study.training.seeds import generator

STARTING_WEIGHTS = "start.safetensors"
"""Name of the file in an exported folder with the weights that training starts from, if it starts
from some: those of `Model.weights`."""

IMPLEMENTATIONS = ("fused", "foreach", "capturable")
"""Keywords of torch's optimizers that change how they compute, not what."""


def loop_pieces(content: ScriptContent) -> dict[str, Piece]:
    """Return the pieces of the training loop; an empty text for those that change nothing."""
    recipe, problem = content.recipe, content.problem
    neutral = default_recipe(problem)
    x = "images" if problem.is_image else "rows"
    y = "labels" if problem.classes is not None else "numbers"
    has_class_weights = recipe.class_weight is not neutral.class_weight
    weighted = {"weight": "class_weights"} if has_class_weights else None
    is_bfloat16 = content.model.precision == BFLOAT16
    network = f"network({x}).float()" if is_bfloat16 else f"network({x})"
    calls = {
        "split": _split(recipe, problem),
        "mix": call_of(recipe.mix, x, y, "draws"),
        "class_weight": call_of(recipe.class_weight, "targets"),
        "penalize": call_of(recipe.penalize, "weights"),
        "clip": call_of(recipe.clip, _parameters(recipe.clip)),
        "start": call_of(recipe.start, "network", f'load_file(FOLDER / "{STARTING_WEIGHTS}")'),
    }
    if content.model.weights is None:
        calls["start"] = plain_text("")
    pieces = {
        name: plain_text("") if getattr(recipe, name) is getattr(neutral, name) else piece
        for name, piece in calls.items()
    }
    return {
        **pieces,
        **_average_pieces(recipe, neutral),
        "loss": call_of(recipe.loss, network, y, named=weighted),
        **_normalization_pieces(recipe, problem),
        "optimizer": _optimizer(recipe),
        "rate": _rate(recipe, neutral),
        "metric": _metric(content),
    }


def _split(recipe: Recipe, problem: Problem) -> Piece:
    """Return the choice of the samples to train on; of classes no strata need to be made."""
    split: object = recipe.split
    if isinstance(split, partial) and split.func is sample_by_stratum and problem.classes:
        split = partial(sample_by_class, **split.keywords)
    return call_of(split, "targets", 'generator(seed, "split", DEVICE)')


def _metric(content: ScriptContent) -> Piece:
    """Return the metric of a part, from the outputs of the network and its targets."""
    if content.metric.name == "accuracy":
        return plain_text("(outputs.argmax(1) == targets).double().mean()")
    count = "1" if content.problem.classes is None else "CLASSES"
    return call_of(FORMULAS[content.metric.name], "outputs", "targets", count)


def call_of(function: object, *arguments: str, named: Mapping[str, str] | None = None) -> Piece:
    """Return a call of a function; see `SourceCode.call`."""
    return Piece((function,), lambda code: code.call(function, *arguments, named=named))


def _parameters(function: object) -> str:
    """Return the network's parameters: torch takes an iterator, other functions a list."""
    while isinstance(function, partial):
        function = function.func
    is_torch = short_name(function) is not None
    return "network.parameters()" if is_torch else "list(network.parameters())"


def _normalization_pieces(recipe: Recipe, problem: Problem) -> dict[str, Piece]:
    """Return how inputs are normalized; empty texts if they are not."""
    fitted_to = "inputs.float() / 255" if problem.is_image else "inputs"
    source = describe_normalization(recipe, problem, fitted_to)
    if source is None:
        names = ("normalize", "rebuild", "statistics", "annotation")
        return dict.fromkeys(names, plain_text(""))
    return {
        "normalize": source.fit,
        "rebuild": source.rebuild,
        "statistics": plain_text(source.statistics),
        "annotation": source.annotation,
    }


def _average_pieces(recipe: Recipe, neutral: Recipe) -> dict[str, Piece]:
    """Return how weights are averaged, and which network is evaluated."""
    average = recipe.average
    if average is neutral.average:
        texts = {"average": "", "update": "", "evaluated": "network"}
    elif isinstance(average, partial) and average.func is moving_average:
        decay = average.keywords["decay"]
        made = (
            "torch.optim.swa_utils.AveragedModel(network, multi_avg_fn="
            f"torch.optim.swa_utils.get_ema_multi_avg_fn({decay!r}), use_buffers=True)"
        )
        texts = {
            "average": made, "update": "update_parameters(network)", "evaluated": "average.module"
        }  # fmt: skip
    else:
        return {
            "average": call_of(average, "network"),
            "update": plain_text("update()"),
            "evaluated": plain_text("average.network()"),
        }
    return {name: plain_text(text) for name, text in texts.items()}


def _rate(recipe: Recipe, neutral: Recipe) -> Piece:
    """Return the multiplier of the learning rate at a step; empty if it is always 1."""
    functions = tuple(
        getattr(recipe, name)
        for name in ("schedule", "warmup")
        if getattr(recipe, name) is not getattr(neutral, name)
    )
    return Piece(
        functions, lambda code: " * ".join(code.call(each, "step / steps") for each in functions)
    )


def _optimizer(recipe: Recipe) -> Piece:
    """Return the optimizer of the network's own parameters, without what only makes it faster."""
    optimizer: object = recipe.optimizer
    if not (isinstance(optimizer, partial) and optimizer.func is on_flat_parameters):
        return _optimizer_call(optimizer, "network")
    made = optimizer.keywords["optimizer"]
    return _optimizer_call(made, _parameters(made))


def _optimizer_call(function: object, argument: str) -> Piece:
    named = {}
    without: set[str] = set()
    if isinstance(function, partial):
        if "lr" in function.keywords:
            named["lr"] = "LEARNING_RATE"
        if isinstance(function.func, type) and getattr(optim, function.func.__name__, None):
            defaults = inspect.signature(function.func).parameters
            without = {
                name
                for name, value in function.keywords.items()
                if name in IMPLEMENTATIONS or value == defaults[name].default
            } - {"lr"}
    return Piece(
        (function,), lambda code: code.call(function, argument, named=named, without=without)
    )


def learning_rate(recipe: Recipe) -> float | None:
    """Return the learning rate that stands at the top of the script, if the optimizer has one."""
    optimizer: object = recipe.optimizer
    while isinstance(optimizer, partial):
        if "lr" in optimizer.keywords:
            return float(optimizer.keywords["lr"])
        optimizer = optimizer.keywords.get("optimizer")
    return None


def keeps_gradients(content: ScriptContent) -> bool:
    """Return whether the optimizer sets gradients itself, which are then zeroed in place."""
    optimizer: object = content.recipe.optimizer
    if isinstance(optimizer, partial) and optimizer.func is on_flat_parameters:
        return False
    weights, dropout = generator(0, "weights"), generator(0, "dropout")
    network = content.model(content.recipe, content.problem, weights, dropout)
    groups = content.recipe.optimizer(network).param_groups
    return any(each.grad is not None for group in groups for each in group["params"])
