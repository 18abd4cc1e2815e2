"""Collect what the command line and a study file say about a study."""

import csv
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import typer

from training_factors.study.commands.app import verb_context
from training_factors.study.commands.options import DEFINITION_OPTIONS, Config

if TYPE_CHECKING:
    from training_factors.study.api.study_file import StudyFile

COMMA_LISTS = ("ignore", "factors", "drop", "only", "also")
"""Options of which one word may name several things, separated by commas; a name that has a comma
stands in double quotes, as in a CSV file."""

_NAMED = ("COMMANDLINE", "ENVIRONMENT")
"""Sources of options that the user has named, by their names in click."""

_COLLECTED = ("settings", "options", "file")
"""Parameters of a verb that are collected from options; the command line does not have them."""


def takes_definition(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb every option of a definition, and `--config`.

    What is named, or else stands in the study file, reaches the verb as `settings`, and its other
    options by their names. `options` are these once more, without defaults, and `file` is what
    counts of the study file, for verbs that have such parameters.
    """
    own = inspect.signature(verb)
    options = [
        inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for field, option in {**DEFINITION_OPTIONS, "config": Config}.items()
    ]
    others = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in own.parameters.items()
        if name not in _COLLECTED
    ]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    @wraps(verb)
    def with_settings(context: typer.Context, config: str | None, **values: Any) -> None:
        with verb_context():
            from training_factors.study.api.study_file import NO_FILE, read_study_file

            given = {field: values.pop(field, None) for field in DEFINITION_OPTIONS}
            settings = _separated({f: v for f, v in given.items() if v not in (None, [])})
            named = _separated({name: values[name] for name in values if _is_named(context, name)})
            file = NO_FILE if config is None else read_study_file(config)
            settings, options, counting = file.completing(settings, named)
        collected = {"settings": settings, "options": options, "file": counting}
        verb(
            **{**values, **{name: value for name, value in options.items() if name in values}},
            **{name: value for name, value in collected.items() if name in own.parameters},
        )

    vars(with_settings)["__signature__"] = own.replace(parameters=[context, *options, *others])
    with_settings.__annotations__ = {"context": typer.Context}
    return with_settings


@contextmanager
def errors_of(file: "StudyFile") -> Iterator[None]:
    """Put the file's name before the message of an error about one of its values."""
    from training_factors.study.api.study_file import named_in_errors

    with named_in_errors(file):
        yield


def _is_named(context: typer.Context, name: str) -> bool:
    """Return whether the command line or the environment names an option."""
    source = context.get_parameter_source(name)
    return source is not None and source.name in _NAMED


def _separated(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the words of lists taken apart at their commas."""
    return {
        name: [
            one.strip() for row in csv.reader(value, skipinitialspace=True) for one in row or [""]
        ]
        if name in COMMA_LISTS and value is not None
        else value
        for name, value in values.items()
    }
