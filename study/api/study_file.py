"""Read study files: TOML with the options of `run` and a table per factor.

The keys at the top are the options by their names (`image_size` or `image-size`). What is below
`factors` is described in `training_factors.search_spaces.factor_tables`. Every mistake raises
ValueError with one line that names the file, the key and the value, and says what would be right.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training_factors.search_spaces.factor_tables import as_toml, nearest, read_factor_tables
from training_factors.search_spaces.toml_files import read_toml
from training_factors.storage.definition import Definition
from training_factors.storage.study_file_text import RENAMED
from training_factors.storage.urls import read_url
from training_factors.study.api.settings import plain_message
from training_factors.study.api.space_changes import CHANGES, changed_values

_CODE = ("source", "model", "factors")
"""Fields of a definition that may name code."""

FACTORS = "factors"
"""Key of the tables of factors."""

LINE_ONLY = ("allow_code", "json", "quiet", "retry_failed", "config", "debug", "no_color")
"""Options that belong to one call, and are no keys of a study file."""


_SIZE = ("preset", "rows", "repeats", "search", "hours")
"""Options that together say how large a study is: one of them in a call replaces all of a file."""


class RunOptions(BaseModel):
    """The options of `run` beside those of the study's definition."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    preset: str | None = None
    rows: int | None = Field(default=None, ge=16)
    repeats: int | None = Field(default=None, ge=0)
    search: int | None = Field(default=None, ge=0)
    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    divisions: int = Field(default=1, ge=1)
    also: list[str] | None = None
    study: str | None = None
    storage: str | None = None
    workers: int | None = Field(default=None, ge=0)
    per_gpu: int = Field(default=1, ge=1)
    device: str = "auto"
    start: str | None = None
    cluster: str | None = None
    heartbeat: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    grace: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    checkpoint: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    retry_timeout: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    def timing(self) -> dict[str, float | None]:
        """Return the fields of the workers' timing, see `check_timing`."""
        return {
            "heartbeat_s": self.heartbeat,
            "grace_s": self.grace,
            "checkpoint_s": self.checkpoint,
            "retry_timeout_s": self.retry_timeout,
        }


DEFINITION_KEYS = {RENAMED.get(field, field): field for field in Definition.model_fields}
"""Key of a study file -> the field of the definition."""

STUDY_KEYS = (*DEFINITION_KEYS, *RunOptions.model_fields)
"""Keys of a study file, without that of the tables."""

LISTS = ("also", "ignore", "factor", "fix", "drop", "only", "range", "choices")
"""Keys that hold a list of texts; a single text is one, too."""


class StudyFile(NamedTuple):
    """The settings of a study file.

    path: of the file; empty where none was named. definition: by the field names of `Definition`.
    options: of `RunOptions`.
    """

    path: str = ""
    definition: Mapping[str, object] = {}
    options: Mapping[str, Any] = {}

    def completing(
        self, definition: Mapping[str, object], options: Mapping[str, Any]
    ) -> "Completed":
        """Return what a call names, completed by what the file says.

        A change of the space replaces what the file says about the same factor or hyperparameter;
        all other settings of the call replace those of the file. One that says how large the study
        is, such as `preset`, replaces all of the file that do.
        """
        changes = [(field, text) for field in CHANGES for text in _texts(definition.get(field))]
        others = {field: v for field, v in definition.items() if field not in CHANGES}
        left = self._without(definition, options)
        return Completed(
            changed_values({**left.definition, **others}, changes),
            {**left.options, **options},
            left,
        )

    def _without(self, definition: Mapping[str, object], options: Mapping[str, Any]) -> "StudyFile":
        """Return the file without the settings that a call replaces.

        Changes of the space stay: which of them a call replaces is decided for each of them.
        """
        replaced = set(options)
        if not replaced.isdisjoint(_SIZE):
            replaced |= set(_SIZE)
        if "hours" in options:
            replaced.add("divisions")
        return self._replace(
            definition={
                field: value
                for field, value in self.definition.items()
                if field in CHANGES or field not in definition
            },
            options={name: v for name, v in self.options.items() if name not in replaced},
        )


class Completed(NamedTuple):
    """The settings of a call, completed by a study file.

    definition: by the field names of `Definition`. options: of `RunOptions`, and others of the
    call. file: what counts of the file.
    """

    definition: dict[str, object]
    options: dict[str, Any]
    file: StudyFile


NO_FILE = StudyFile()
"""The file where none is named."""


def read_study_file(path: str) -> StudyFile:
    """Read a study file and check its keys, the types of their values and their bounds.

    Whether the space has its factors is checked where the space is known.
    """
    values = _known_keys(path, read_toml(path, "--config"))
    tables = values.pop(FACTORS, {})
    definition = {DEFINITION_KEYS[k]: v for k, v in values.items() if k in DEFINITION_KEYS}
    options = {key: value for key, value in values.items() if key not in DEFINITION_KEYS}
    for change in read_factor_tables(tables, path):
        field, text = change.as_text()
        definition[field] = (*_texts(definition.get(field)), text)
    _check(path, Definition, definition)
    _check(path, RunOptions, options)
    if "storage" in options and read_url(options["storage"]).password:
        raise ValueError(
            f"{path}: storage has a password, which does not belong into a file; leave it out and "
            "put the URL into the environment variable STUDY_STORAGE"
        )
    return StudyFile(path, definition, options)


def refuse_code_of(file: StudyFile, allow_code: bool) -> None:
    """Raise ValueError when a file names code to import and run, unless that is allowed.

    file: without the names that the call gives itself.
    """
    from training_factors.study.running.preparation import user_code

    named = {field: file.definition[field] for field in _CODE if field in file.definition}
    if allow_code or not named:
        return
    for name in user_code(Definition.model_validate(named)):
        raise ValueError(
            f"{file.path} imports and runs {name!r}; add --allow-code if you trust the file"
        )


@contextmanager
def named_in_errors(file: StudyFile) -> Iterator[None]:
    """Put the file's name before the message of a ValueError about one of its values."""
    try:
        yield
    except ValueError as error:
        message = str(error)
        if type(error) is not ValueError or file.path in message or not _is_about(message, file):
            raise
        shown = re.sub(r"--(?:fix|range|choices) ([\w.-]+)=(\S+?)(?=[:;]? |$)",
                       r"factors.\1 = \2", message, count=1)  # fmt: skip
        raise ValueError(f"{file.path}: {shown}") from error


def _known_keys(path: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a document by the names of the keys, lists of texts as such."""
    values: dict[str, Any] = {}
    for key, value in document.items():
        name = key.replace("-", "_")
        if name in LINE_ONLY:
            raise ValueError(f"{path}: {key} is for the command line alone; remove it from the "
                             "file")  # fmt: skip
        if name == "factor" and isinstance(value, dict):
            raise ValueError(f"{path}: tables of factors are called [{FACTORS}.NAME], not "
                             f"[{key}.NAME]")  # fmt: skip
        if name not in (*STUDY_KEYS, FACTORS):
            _refuse_factor(path, key)
            known = "put factors into tables, [factors.NAME]; the other keys are the options of run"
            raise ValueError(
                f"{path}: the key {key!r} is unknown; "
                f"{nearest(name, (*STUDY_KEYS, FACTORS), known)}"
            )
        if name in values:
            raise ValueError(f"{path}: {name} is given twice, also as {key}; keep one of them")
        values[name] = [value] if name in LISTS and isinstance(value, str) else value
    return values


def _refuse_factor(path: str, key: str) -> None:
    """Raise ValueError when an unknown key is the name of a factor."""
    from training_factors.search_spaces.registry import known_factors

    if key in {factor.name for factor in known_factors()}:
        raise ValueError(
            f"{path}: {key} is a factor; put it below [{FACTORS}], or into [{FACTORS}.{key}]"
        )


def _check(path: str, model: type[BaseModel], values: Mapping[str, Any]) -> None:
    """Raise ValueError for a value of the wrong type or out of bounds."""
    as_tuples = {k: tuple(v) if model is Definition and isinstance(v, list) else v
                 for k, v in values.items()}  # fmt: skip
    try:
        model.model_validate(as_tuples, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        key = RENAMED.get(field, field) if model is Definition else field
        message = plain_message(first["msg"].removeprefix("Value error, "))
        if key in LISTS:
            message = "must be a list of texts"
        raise ValueError(f"{path}: {key} = {as_toml(values[field])}: {message}") from None


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)  # type: ignore[arg-type]


def _is_about(message: str, file: StudyFile) -> bool:
    """Return whether an error's message names a value of the file."""
    for field, value in {**file.definition, **file.options}.items():
        flag = "--" + RENAMED.get(field, field).replace("_", "-")
        for text in value if isinstance(value, list | tuple) else [value]:
            path, _, rest = str(text).partition("=")
            words = [path, *path.split("."), *rest.split(",")] if field in CHANGES else [text]
            if f"{flag} {text}" in message or f"{flag} {path}" in message:
                return True
            if field in CHANGES and message.startswith(f"{path} "):
                return True
            if any(word and repr(word) in message for word in words):
                return True
    return False
