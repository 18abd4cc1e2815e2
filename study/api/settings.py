"""The settings of a study as Python passes them, and their texts as a definition stores them."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from training_factors.search_spaces.user_code import GIVEN

if TYPE_CHECKING:
    from training_factors.search_spaces.dimension import (
        Integer,
        LogUniform,
        OneOf,
        Uniform,
        Value,
    )
    from training_factors.storage.definition import Definition
    from training_factors.study.running.settings import WorkerTiming

DefinitionValues = Mapping[str, object]
"""Settings of a study that the user named, under the field names of `Definition`."""

Names = str | Sequence[str]
"""One name, or several."""

FilePath = str | PathLike[str]
"""The path of a file or folder."""


class StudySettings(TypedDict, total=False):
    """The settings of a study besides its data and its model, each with its default.

    target: column of a table to predict. task: `classification` or `regression`, where the values
    to predict leave it open. limit: number of samples of a class-balanced subset. image_size: side
    of square images, in pixels. fit: how images of other shapes come to one: `pad`, `crop` or
    `stretch`. scale: `LOW:HIGH`, the values of image arrays that are black and white. labels: table
    with the file and the class of each image. ignore: columns to leave out. impute: how missing
    numbers are filled: `median`, `most_frequent` or `none`. group: column or array of groups; a
    group stays in one part. group_from: regular expression that finds the group in an image's path.
    split_column: column with the part of each row.

    weights: file of weights to start from. space: `documented`, `full` or `small`. factors: files
    with factors of your own. fix: factors and hyperparameters to fix, as
    `{"optimizer": "adamw", "optimizer.adamw.lr": 1e-3}`. drop: factors that stay at their baseline.
    only: the only factors that vary. range: ranges of hyperparameters, as
    `{"optimizer.sgd.lr": tf.LogUniform(1e-3, 1)}`. choices: options of factors, the baseline first,
    or values of hyperparameters, as `{"activation": ["relu", "gelu"], "batch_size": [16, 32]}`. The
    last five also take the texts of the command line.

    metric: to maximize: `accuracy` (the default), `balanced_accuracy`, `macro_f1`, `kappa`, `auc`,
    `log_loss`; `r2` (the default for regression), `rmse`, `mae`; losses are minimized. precision:
    of forward passes: `auto` (the default: the faster one for this model on this machine, then the
    same for all workers), `float32` or `bfloat16`. epochs: of each run (15). seed: of the study
    (0).
    """

    target: str
    task: str
    limit: int
    image_size: int
    fit: str
    scale: str
    labels: FilePath
    ignore: Names
    impute: str
    group: str
    group_from: str
    split_column: str
    weights: FilePath
    space: str
    factors: FilePath | Sequence[FilePath]
    fix: "Names | Mapping[str, Value]"
    drop: Names
    only: Names
    range: "Names | Mapping[str, Uniform | LogUniform | Integer | OneOf | tuple[float, float]]"
    choices: "Names | Mapping[str, Sequence[Value]]"
    metric: str
    precision: str
    epochs: int
    seed: int


LISTS = ("ignore", "factors", "fix", "drop", "only", "range", "choices")
"""Settings that may hold several texts."""


class Given(NamedTuple):
    """Data and model that are Python objects, not names; None where they are names."""

    data: object = None
    model: Callable[..., object] | None = None

    @property
    def is_any(self) -> bool:
        """Return whether one of them is an object."""
        return self.data is not None or self.model is not None


def definition_values(
    data: object, model: object, settings: Mapping[str, Any]
) -> tuple[dict[str, object], Given]:
    """Return the settings as a definition stores them, and the objects among them.

    data, model, settings: as `training_factors.run` takes them; None for what is not named.
    """
    values = {name: _stored(name, value) for name, value in settings.items() if value is not None}
    given = Given()
    if isinstance(data, str | PathLike):
        values["source"] = str(data)
    elif data is not None:
        name = getattr(data, "__name__", None) or type(data).__name__
        values["source"] = f"{GIVEN}{name}"
        given = given._replace(data=data() if callable(data) and _is_function(data) else data)
    if isinstance(model, str | PathLike):
        values["model"] = str(model)
    elif model is not None:
        values["model"], is_object = _model_name(model)
        if is_object:
            given = given._replace(model=_callable(model))
    return values, given


def check_definition(values: DefinitionValues) -> "Definition":
    """Return the definition with these values. Raises ValueError for a wrong one."""
    from pydantic import ValidationError

    from training_factors.storage.definition import Definition

    try:
        return Definition.model_validate(dict(values))
    except ValidationError as error:
        raise ValueError(_option_error(error.errors()[0])) from error


def check_timing(**seconds: float | None) -> "WorkerTiming":
    """Return the timing of workers; None leaves a default. Raises ValueError for a wrong value."""
    from pydantic import ValidationError

    from training_factors.study.running.settings import WorkerTiming

    named = {name: value for name, value in seconds.items() if value is not None}
    try:
        return WorkerTiming(**named)
    except ValidationError as error:
        raise ValueError(_option_error(error.errors()[0])) from error


def plain_message(message: str) -> str:
    """Return pydantic's message as our own messages are worded."""
    return message.replace("Input should be", "must be").partition(", unable")[0]


def _option_error(error: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's errors, with the option that it is about."""
    if not error["loc"]:
        return str(error["msg"]).removeprefix("Value error, ")
    option = "--" + str(error["loc"][0]).removesuffix("_s").replace("_", "-")
    message = error["msg"].removeprefix("Value error, ")
    return f"{option} {error['input']!r}: {plain_message(message)}"


def _stored(name: str, value: Any) -> object:
    """Return a setting as a definition stores it."""
    if isinstance(value, str | PathLike):
        return (str(value),) if name in LISTS else str(value)
    if isinstance(value, Mapping):
        return tuple(f"{name}={_as_text(each)}" for name, each in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(str(each) for each in value)
    return value


def _as_text(value: object) -> str:
    """Return the value of a fixed setting, a range or choices in the command line's syntax."""
    from training_factors.search_spaces.dimension import Integer, LogUniform, OneOf, Uniform

    if isinstance(value, Uniform):
        return f"{value.low}:{value.high}:linear"
    if isinstance(value, LogUniform):
        return f"{value.low}:{value.high}:log"
    if isinstance(value, Integer):
        return f"{value.low}:{value.high}"
    if isinstance(value, OneOf):
        return ",".join(str(choice) for choice in value.choices)
    if isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], str):
        return f"{value[0]}:{value[1]}"
    if isinstance(value, list | tuple):
        return ",".join(str(choice) for choice in value)
    return str(value)


def _is_function(value: object) -> bool:
    """Return whether something that can be called is no data set or array itself."""
    return not hasattr(value, "__getitem__") and not hasattr(value, "__array__")


def _model_name(model: object) -> tuple[str, bool]:
    """Return the name of a model, and whether only this process has it.

    A class or function of a module other than the main program is named as `module:name`, so that
    every process finds it.
    """
    name = getattr(model, "__qualname__", type(model).__name__)
    module = getattr(model, "__module__", "__main__")
    if module != "__main__" and "<" not in name and "." not in name:
        try:
            if getattr(importlib.import_module(module), name, None) is model:
                return f"{module}:{name}", False
        except ImportError:
            pass  # a module that was made by hand: only this process has it
    return f"{GIVEN}{name}", True


def _callable(model: object) -> Callable[..., object]:
    if not callable(model):
        raise ValueError(f"model {model!r} is no function or class; name one, or a text")
    return model
