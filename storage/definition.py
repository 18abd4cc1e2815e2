"""The definition of a study: the settings that decide what it is, checked and stored with it."""

import hashlib
import re
from pathlib import PurePath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from training_factors.search_spaces.dimension import normal_text
from training_factors.search_spaces.user_code import GIVEN
from training_factors.storage.metrics import DEFAULT_METRICS, metric_name

_LATER_FIELDS = (
    "factors", "weights", "task", "fit", "scale", "labels", "ignore", "impute", "group",
    "group_from", "split_column", "metric", "only",
    "precision",
)  # fmt: skip
"""Settings that earlier versions did not have; at their defaults they do not change names."""


class Definition(BaseModel):
    """The settings of a study. The same settings, on the same data, give the same study.

    source, and from limit to split_column: the data; see `training_factors.study.data.options`.
    weights: a file of weights to start from. metric: name of the metric that is maximized, or
    minimized if it is a loss (see `storage.metrics`); None for accuracy, or R² for regression.
    precision: of forward passes; `auto` for the fastest, which the stamp then names.
    factors: the user's files with factors; see `training_factors.search_spaces.registry`.
    fix, drop, only, range, choices: changes to the space, as texts in one form (see
    `normal_change`), sorted; see `training_factors.search_spaces.overrides`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "digits"
    limit: int | None = Field(default=None, ge=1)
    image_size: int | None = Field(default=None, ge=4, le=1024)
    target: str | None = None
    task: Literal["classification", "regression"] | None = None
    fit: Literal["pad", "crop", "stretch"] | None = None
    scale: str | None = None
    labels: str | None = None
    ignore: tuple[str, ...] = ()
    impute: Literal["median", "most_frequent", "none"] | None = None
    group: str | None = None
    group_from: str | None = None
    split_column: str | None = None
    model: str = "mlp"
    weights: str | None = None
    space: str = "documented"
    factors: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    range: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    metric: str | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    epochs: int = Field(default=15, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)

    @field_validator("metric")
    @classmethod
    def _name_metric(cls, metric: str | None) -> str | None:
        return None if metric is None else metric_name(metric)

    @field_validator("drop", "only")
    @classmethod
    def _separate_names(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(name.strip() for text in texts for name in text.split(",")))

    @field_validator("fix", "range", "choices")
    @classmethod
    def _sort_changes(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(map(normal_change, texts)))


def normal_change(text: str) -> str:
    """Return a change of the space in the form in which equal changes are equal texts.

    `optimizer.sgd.lr = 1e-3:1:log` is `optimizer.sgd.lr=0.001:1:log`, for instance.
    """
    path, equals, value = text.partition("=")
    choices = (":".join(map(normal_text, one.split(":"))) for one in value.split(","))
    return path.strip() + equals + ",".join(choices)


def default_name(definition: Definition) -> str:
    """Return the name of a study that the user has not named; equal definitions share it.

    It names data and model; a digest of the whole definition follows if any other setting is not
    the default. The metric that the data's task has by default changes no name.
    """
    if definition.metric in DEFAULT_METRICS:
        definition = definition.model_copy(update={"metric": None})
    source = definition.source.removeprefix(GIVEN)
    data = PurePath(source).stem.partition(":")[0] or "data"
    plain = f"{data}-{definition.model.removeprefix(GIVEN).partition(':')[0]}"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)[:40].strip("-.") or "study"
    default = Definition(source=definition.source, model=definition.model)
    if definition == default and definition.source.isidentifier():
        return name
    unset = {name for name in _LATER_FIELDS if getattr(definition, name) == getattr(default, name)}
    document = definition.model_dump_json(exclude=unset)
    digest = hashlib.sha256(document.encode()).hexdigest()
    return f"{name}-{digest[:6]}"
