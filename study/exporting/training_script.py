"""Write a configuration as scripts of plain PyTorch: train.py trains it, load.py predicts."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined

from training_factors.search_spaces.description import PLACEBO, parse_parameter
from training_factors.storage.precision import BFLOAT16
from training_factors.study.exporting.built_in_network import BuiltInNetwork, describe_built_in
from training_factors.study.exporting.line_wrapping import wrap_long_lines
from training_factors.study.exporting.module_source import Import, Reference, Target
from training_factors.study.exporting.own_network import OwnNetwork, Replacement, describe_own
from training_factors.study.exporting.plain_layers import Piece, plain_text
from training_factors.study.exporting.preprocessing import (
    ColumnPreprocessing,
    ImagePreprocessing,
    Preprocessing,
)
from training_factors.study.exporting.script_content import ScriptContent
from training_factors.study.exporting.source_code import (
    SourceCode,
    collect_source,
    import_block,
    literal,
)
from training_factors.study.exporting.training_loop import (
    call_of,
    keeps_gradients,
    learning_rate,
    loop_pieces,
)

WITHOUT_EFFECT = ("none", "unchanged")
"""Names of options that change nothing, which the settings of a script leave out."""

FROM_TRAINING = ("CLASSES", "DEVICE", "build_network", "predict")
"""What load.py may import from train.py, besides the definitions of the configuration."""

__all__ = ["ScriptContent", "render_loading_script", "render_training_script"]

IMPORTS: Mapping[str, Import] = {
    "Callable": Import("collections.abc", "Callable"),
    "Iterator": Import("collections.abc", "Iterator"),
    "Generator": Import("torch", "Generator"),
    "Path": Import("pathlib", "Path"),
    "Tensor": Import("torch", "Tensor"),
    "argparse": Import("argparse", None),
    "functional": Import("torch.nn", "functional"),
    "hashlib": Import("hashlib", None),
    "datetime": Import("datetime", "datetime"),
    "json": Import("json", None),
    "load_file": Import("safetensors.torch", "load_file"),
    "nn": Import("torch", "nn"),
    "numpy": Import("numpy", None),
    "partial": Import("functools", "partial"),
    "random": Import("random", None),
    "TensorSpec": Import("safetensors", "TensorSpec"),
    "serialize_file": Import("safetensors", "serialize_file"),
    "safe_open": Import("safetensors", "safe_open"),
    "sys": Import("sys", None),
    "timezone": Import("datetime", "timezone"),
    "torch": Import("torch", None),
}
"""Imports by the names that templates and expressions use."""

TEMPLATE_NAMES = frozenset((
    "BATCHES_AT_ONCE", "BATCH_SIZE", "CLASSES", "DEVICE", "EPOCHS", "FOLDER", "GAIN",
    "LEARNING_RATE", "SEED", "TARGET_DEVIATION", "TARGET_MEAN", "about", "average", "batch",
    "batches", "block", "body", "build_network", "chosen", "class_weights", "data", "device",
    "digest", "draws", "dropout", "epoch", "epochs", "features", "gain", "generator", "images",
    "inputs", "labels", "layer", "layers", "loss", "main", "module", "name", "network",
    "normalize", "numbers", "optimizer", "options", "order", "outputs", "parameter", "parser",
    "part", "path", "paths", "predict", "projection", "purpose", "rows", "samples", "scheduler",
    "seed", "size", "statistics", "step", "steps", "stride", "targets", "tensor", "tensors",
    "train", "value", "weights",
))  # fmt: skip
"""Names that the templates bind, which nothing else in a script may have."""


class Script(NamedTuple):
    """The parts of a script, before they are put together.

    texts: by the names that the templates use; the empty text for what the configuration lacks.
    """

    code: SourceCode
    network: BuiltInNetwork | OwnNetwork
    texts: Mapping[str, str]
    augmentations: tuple[str, ...]


def render_training_script(content: ScriptContent) -> str:
    """Return train.py: a script that trains the configuration with torch and safetensors alone.

    On a CPU with one thread it gives the same numbers as the study, but for rounding. From a
    user's file it contains the functions that the configuration uses; a user's model is imported
    from a copy of its file, under the name of `own_model_module`.

    Raises ValueError, one line with the remedy, for what cannot be written as a script.
    """
    script = _prepare(content)
    recipe = content.recipe
    is_own = content.model.own is not None
    template = "own_network.jinja" if is_own else "built_in_network.jinja"
    shown = {
        "c": content,
        "t": {**script.texts, "augmentations": script.augmentations},
        "network": script.network,
        "gain": script.network.gain,
        "own": is_own,
        "is_bfloat16": content.model.precision == BFLOAT16,
        "draws": any(re.search(r"\bdropout\b", text) for text in script.texts.values()),
        "pairs": _pairs,
        "literal": literal,
        "batch_size": recipe.batch_size,
        "learning_rate": learning_rate(recipe),
        "keeps_gradients": keeps_gradients(content),
        "definitions": script.code.definitions,
        "metric_name": content.metric.name.replace("_", " "),
        "copied": "contiguous().clone()" if is_own else "contiguous()",
        "weights": "averaged" if script.texts["average"] else "last",
    }
    shown["network_text"] = _templates().get_template(template).render(shown).strip()
    body = _templates().get_template("train.py.jinja").render(shown)
    use = "    python train.py --seed 3 --epochs 5"
    docstring = f"{content.title}.\n\n{use}\n\n{_settings(content)}".strip()
    return _assembled(_escaped(docstring), body, _names(script))


def render_loading_script(content: ScriptContent, preprocessing: Preprocessing) -> str:
    """Return load.py: a script that predicts new inputs with what train.py wrote.

    It imports train.py, and reads model.safetensors, preprocess.json and, for classes,
    classes.json beside it.

    preprocessing: the content of preprocess.json.
    """
    script = _prepare(content)
    inputs = preprocessing.inputs
    image = inputs if isinstance(inputs, ImagePreprocessing) else None
    columns = () if isinstance(inputs, ImagePreprocessing) else inputs.columns
    shown = {
        "c": content,
        "t": script.texts,
        "image": image,
        "kinds": {str(column.encoding.kind) for column in columns},
        "is_scaled": any(column.encoding.scaling is not None for column in columns),
        "metric_name": content.metric.name.replace("_", " "),
    }
    body = _templates().get_template("load.py.jinja").render(shown)
    names = dict(_names(script))
    for target, name in script.code.names.items():
        if isinstance(target, Reference):
            del names[target]
            names[Import("train", name)] = name
    names |= {Import("train", name): name for name in FROM_TRAINING}
    use = "    python load.py photo.png" if image else f"    python load.py {_example(columns)}"
    docstring = f"Predict with {content.title}.\n\n{use}\n    python load.py   (the test part)"
    return _assembled(_escaped(docstring), body, names)


def _example(columns: Sequence[ColumnPreprocessing]) -> str:
    """Return what names the first columns of a row on the command line."""
    values = (column.encoding.values[-1:] or ("...",) for column in columns[:2])
    shown = zip(columns, values, strict=False)
    return " ".join(f'"{column.encoding.name}={value}"' for column, (value,) in shown)


def _prepare(content: ScriptContent) -> Script:
    """Find what the configuration uses, and write each piece of it."""
    recipe = content.recipe
    network = _describe_network(content)
    pieces = {**_network_pieces(network), **loop_pieces(content)}
    augmentations = [call_of(augment, "images", "draws") for _, augment in recipe.augmentations]
    every = (*pieces.values(), *augmentations)
    code = collect_source(
        (need for piece in every for need in piece.needs), TEMPLATE_NAMES, IMPORTS
    )
    texts = {name: piece.write(code) for name, piece in pieces.items()}
    texts["augment"] = "yes" if augmentations or texts["mix"] else ""
    return Script(code, network, texts, tuple(piece.write(code) for piece in augmentations))


def _describe_network(content: ScriptContent) -> BuiltInNetwork | OwnNetwork:
    model = content.model
    if model.own is None:
        return describe_built_in(model.name, content.recipe, content.problem)
    is_channels_last = model.memory_format is torch.channels_last and content.problem.is_image
    return describe_own(model.own, content.recipe, content.problem, content.seed, is_channels_last)


def _pairs(group: Replacement) -> str:
    """Return the paths of modules and their numbers of features as the items of a dict."""
    pairs = zip(group.paths, group.features, strict=True)
    return ", ".join(f"{literal(path)}: {features}" for path, features in pairs)


def _network_pieces(network: BuiltInNetwork | OwnNetwork) -> dict[str, Piece]:
    if isinstance(network, BuiltInNetwork):
        parts = ("norm", "dropout", "branch", "shortcut")
        return {**dict.fromkeys(parts, plain_text("")), **network.pieces}
    pieces = {f"replacement {i}": each.layer for i, each in enumerate(network.replacements)}
    return {
        "call": network.call,
        "initialize": network.initialize or plain_text(""),
        **pieces,
    }


def _settings(content: ScriptContent) -> str:
    """Return the settings of the configuration as lines of text."""
    factors: dict[str, str] = {}
    held: dict[str, list[str]] = {}
    for name, value in content.settings.items():
        path = parse_parameter(name)
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        if path.hyperparameter is None:
            factors[path.factor] = shown
        elif content.settings.get(path.factor, path.option) == path.option:
            held.setdefault(path.factor, []).append(f"{path.hyperparameter} {shown}")
    texts = [
        " ".join(filter(None, (factor, factors.get(factor), _in_brackets(held.get(factor, ())))))
        for factor in dict.fromkeys((*factors, *held))
        if factor != PLACEBO and factors.get(factor) not in WITHOUT_EFFECT
    ]
    lines = textwrap.wrap("; ".join(texts) + ".", 98, break_on_hyphens=False) if texts else []
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Return the text as it stands in a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''")


def _in_brackets(texts: Sequence[str]) -> str:
    return f"({', '.join(texts)})" if texts else ""


def _assembled(docstring: str, body: str, names: Mapping[Target, str]) -> str:
    """Return a script with its imports, in lines that are not too long."""
    text = f'"""{docstring}\n"""\n\n{import_block(names, body)}\n\n{body.strip()}\n'
    return wrap_long_lines(re.sub(r"\n{4,}", "\n\n\n", text))


def _names(script: Script) -> dict[Target, str]:
    """Return the names of all that train.py may import or defines."""
    names: dict[Target, str] = {target: name for name, target in IMPORTS.items()}
    names |= script.code.names
    if isinstance(script.network, OwnNetwork):
        imported = script.network.imported
        names[imported] = imported.name or imported.module
    return names


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("training_factors.study.exporting"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
