"""What all verbs share: the program they belong to, how they refuse, and how they print."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="run_study.py",
    help=(
        "Which training factor matters most for accuracy, how sure that is, and what to set. "
        "Without a verb: run."
    ),
    epilog="Everywhere: --debug shows tracebacks, --no-color draws without colour.",
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"run_study.py {version('training-factors')}")
        raise typer.Exit


@app.callback(invoke_without_command=False)
def _shared(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Shared by all verbs."""


class RefusedError(typer.TyperException):
    """What the user asked for cannot be; exit_code: 2 wrong input, 3 not there yet or lost."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what a user got wrong into one line and exit code 2, what is not there into 3."""
    from pydantic import ValidationError

    from training_factors.storage.database import NoDatabaseError
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.storage.studies import NoStudyError
    from training_factors.study.analysis.answer import NoAnswer

    try:
        yield
    except ValidationError as error:
        if error.title not in ("Definition", "Timing"):
            raise
        raise RefusedError(_first_of(error.errors()[0]), 2) from error
    except (NoDatabaseError, NoStudyError, NoAnswer, StorageUnavailableError) as error:
        raise RefusedError(str(error), 3) from error
    except ValueError as error:
        raise RefusedError(str(error), 2) from error


def _first_of(wrong: Mapping[str, Any]) -> str:
    """One of pydantic's errors, with the option that it is about."""
    if not wrong["loc"]:
        return str(wrong["msg"]).removeprefix("Value error, ")
    name = "--" + str(wrong["loc"][0]).removesuffix("_s").replace("_", "-")
    return f"{name} {wrong['input']!r}: {plain(wrong['msg'])}"


def plain(message: str) -> str:
    """pydantic's words in ours."""
    return message.replace("Input should be", "must be").partition(", unable")[0]


def show(content: Any) -> None:
    """A document as JSON, anything else as rich draws it, on standard output."""
    if isinstance(content, dict):
        print(json.dumps(content, indent=2))
        return
    from training_factors.study.reporting.formatting import open_console

    open_console().print(content, crop=False)
