"""The stamp of a study: its identity, definition, data and space.

It is written once, when the study is created, and compared before each later run.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from training_factors.search_spaces.description import (
    DescribedFactor,
    SpaceDescription,
    read_description,
)
from training_factors.storage.data_report import DataReport, read_data_report
from training_factors.storage.definition import Definition
from training_factors.storage.precision import BY_DEVICE, Precision

SCHEMA = 1
"""Version of the stamp's JSON document."""

SHOWN_CHARACTERS = 40
"""Maximum length of a value in `differences`; longer ones, such as digests, show 8 characters."""


class DataStamp(NamedTuple):
    """The data of a study.

    samples: number of samples. shape: of one input. classes: number of classes; None for
    regression. fingerprint: digest of the content. skipped: number of all unreadable
    files; the names of the first ones are in `Stamp.skipped`.
    """

    name: str = ""
    samples: int = 0
    shape: tuple[int, ...] = ()
    classes: int | None = None
    fingerprint: str = ""
    skipped: int = 0


class Stamp(NamedTuple):
    """The stamp of a study.

    objective: name of what is maximized, a metric or minus a metric (see `storage.metrics`).
    skipped: names of the first unreadable files; how many there are in all is in
    `DataStamp.skipped`. left_out: factors and options that do not apply to the data or do not act
    on the model, each as (name, reason). reach: how the recipe reaches a model that is not built
    in, by factor. notes: about how the model is used.
    class_names: empty for regression. code: the user's code that the study runs. digests: of the
    files of that code, and of packages that bring factors. versions: package name -> version, of
    the process that created the study. data_report: what was done to the data. chance: metric ->
    its value at chance on the validation part; empty in studies of earlier versions. processor: of
    the process that created the study, with the vector instructions that torch uses on it; empty
    in studies of earlier versions. precision: of all forward passes.
    """

    objective: str
    data: DataStamp = DataStamp()
    space: SpaceDescription = SpaceDescription()
    model: str = ""
    epochs: int = 0
    seed: int = 0
    definition: Definition = Definition()
    skipped: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    reach: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    digests: Mapping[str, str] = {}
    versions: Mapping[str, str] = {}
    data_report: DataReport = DataReport()
    chance: Mapping[str, float] = {}
    processor: str = ""
    precision: Precision = BY_DEVICE

    def as_document(self) -> dict[str, Any]:
        """Return the JSON document of the stamp, which `read_stamp` reads."""
        return {
            "schema": SCHEMA,
            **self.identity(),
            "definition": self.definition.model_dump(mode="json"),
            "skipped": list(self.skipped),
            "left_out": [list(item) for item in self.left_out],
            "reach": dict(self.reach),
            "notes": list(self.notes),
            "described": self.space.as_document(),
            "class_names": list(self.class_names),
            "code": list(self.code),
            "digests": dict(self.digests),
            "versions": dict(self.versions),
            "data_report": self.data_report.as_document(),
            "chance": dict(self.chance),
            "processor": self.processor,
        }

    def identity(self) -> dict[str, Any]:
        """Return the part of the document that must be equal for all runs of a study.

        The results of runs that differ in any of it are not comparable.
        """
        return {
            "data": {**self.data._asdict(), "shape": list(self.data.shape)},
            "space": self.space.fingerprint,
            "model": self.model,
            "objective": self.objective,
            "epochs": self.epochs,
            "seed": self.seed,
            "precision": self.precision,
        }


def read_stamp(document: Mapping[str, Any]) -> Stamp:
    """Read a stamp from its JSON document; fields that older versions lack get their defaults.

    Raises ValueError if the definition has a setting that only a newer version knows.
    """
    try:
        definition = Definition.model_validate(document.get("definition", {}))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ValueError(
            f"a newer version of training-factors made this study (its setting {field!r} is "
            "unknown here); update training-factors on this machine"
        ) from error
    data = {key: value for key, value in document.get("data", {}).items()
            if key in DataStamp._fields}  # fmt: skip
    described = read_description(document.get("described", {}))
    return Stamp(
        objective=document["objective"],
        data=DataStamp(**{**data, "shape": tuple(data.get("shape", ()))}),
        space=described._replace(fingerprint=document.get("space", described.fingerprint)),
        model=document.get("model", ""),
        epochs=document.get("epochs", 0),
        seed=document.get("seed", 0),
        definition=definition,
        skipped=tuple(document.get("skipped", ())),
        left_out=tuple((name, where) for name, where in document.get("left_out", ())),
        reach=document.get("reach", {}),
        notes=tuple(document.get("notes", ())),
        class_names=tuple(document.get("class_names", ())),
        code=tuple(document.get("code", ())),
        digests=document.get("digests", {}),
        versions=document.get("versions", {}),
        data_report=read_data_report(document.get("data_report", {})),
        chance=document.get("chance", {}),
        processor=document.get("processor", ""),
        precision=document.get("precision", BY_DEVICE),
    )


def describe_left_out(left_out: Iterable[tuple[str, str]]) -> str:
    """Return what was left out as words, by reason: `depth, width (images only); start (…)`."""
    names_by_reason: dict[str, list[str]] = {}
    for name, reason in left_out:
        names_by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in names_by_reason.items())


def differences(stored: Stamp, current: Stamp) -> list[str]:
    """Return the differences of two stamps, a line each: `epochs: 15 in the study, 20 now`."""
    lines = list(_compare("", stored.identity(), current.identity()))
    if stored.space.fingerprint != current.space.fingerprint:
        lines = [line for line in lines if not line.startswith("space:")]
        lines.insert(
            0, f"space: {', '.join(_changed_factors(stored, current)) or 'its definition'}"
        )
    return lines


def _changed_factors(stored: Stamp, current: Stamp) -> list[str]:
    """Return the names of factors whose options or hyperparameters differ."""
    there, here = (
        {factor.name: _meaning(factor) for factor in stamp.space.factors}
        for stamp in (stored, current)
    )
    return [name for name in {**there, **here} if there.get(name) != here.get(name)]


def _meaning(factor: DescribedFactor) -> list[object]:
    """Return what defines a factor's configurations: its options, without their documentation."""
    return [
        (option.name, [(p.name, p.default, p.dimension) for p in option.hyperparameters])
        for option in factor.options
    ]


def _compare(path: str, stored: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each value that differs; path: prefix of the keys, `data.` for instance."""
    keys = stored if not path else sorted({*stored, *current})
    for key in keys:
        there, here = stored.get(key), current.get(key)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            yield from _compare(f"{path}{key}.", there, here)
        elif there != here:
            yield f"{path}{key}: {_shorten(there)} in the study, {_shorten(here)} now"


def _shorten(value: object) -> str:
    """Return a value as text, cut if it is longer than SHOWN_CHARACTERS."""
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:8]}…"
