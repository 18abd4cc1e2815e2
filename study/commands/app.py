"""Give all verbs the program, the start-up of its process, its errors and its output."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training_factors.study.api.command_lines import program_name
from training_factors.study.api.output import SILENT, TERMINAL, Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from training_factors.storage.studies import Study

Document = dict[str, Any]
"""A JSON document."""

GC_THRESHOLD = 200_000
"""New objects between two garbage collections: imports create many objects that all stay."""

app = typer.Typer(
    name="training-factors",
    help=(
        "Find out which training factor matters most for accuracy, how sure that is, and what to "
        "set. Without a command: run."
    ),
    epilog="With every command: --debug shows tracebacks, --no-color prints without colour.",
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"{program_name()} {version('training-factors')}")
        raise typer.Exit


@app.callback(invoke_without_command=False)
def _global_options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Declare the options that stand before a verb."""


class CommandError(typer.TyperException):
    """An error that the user can do something about.

    exit_code: 2 for wrong input; 3 for results that are not there yet or a database that is lost;
    130 for Ctrl-C.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@cache
def start_up() -> None:
    """Set up this process, once: fewer garbage collections, and no log lines of Optuna's."""
    gc.set_threshold(GC_THRESHOLD)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def verb_context() -> Iterator[None]:
    """Start up the process for a verb, and turn errors that users can mend into `CommandError`.

    Ctrl-C is one of them; while runs go on, signals are handled where these were started.
    """
    try:
        with _errors_as_command_errors():
            yield
    except KeyboardInterrupt as error:
        raise CommandError(
            "interrupted; nothing is lost: run the same command again", 130
        ) from error


@contextmanager
def _errors_as_command_errors() -> Iterator[None]:
    """Start up the process, and turn errors that users can mend into `CommandError`."""
    start_up()
    from pydantic import ValidationError

    from training_factors.storage.database import NoDatabaseError
    from training_factors.storage.retry import StorageUnavailableError
    from training_factors.storage.run_queue import StudyGoneError
    from training_factors.storage.studies import NoStudyError
    from training_factors.study.analysis.answer import NoAnswer

    try:
        yield
    except ValidationError:
        raise  # a bug of ours, though pydantic's error is a ValueError: settings are checked before
    except (
        NoDatabaseError,
        NoStudyError,
        StudyGoneError,
        NoAnswer,
        StorageUnavailableError,
    ) as error:
        raise CommandError(str(error), 3) from error
    except ValueError as error:
        raise CommandError(str(error), 2) from error


def count_cores() -> int:
    """Return the number of processor cores that this process may use."""
    from joblib import cpu_count

    return int(cpu_count())


def open_study(
    name: str | None, storage: str | None, *, reading: bool = True, quiet: bool = False
) -> "Study":
    """Open the study of this name, or the only one; unless quiet, print what one should know."""
    from training_factors.study.api.opening import open_stored

    return open_stored(name, storage, terminal(quiet).notify, reading=reading)


def terminal(quiet: bool) -> Output:
    """Return the output of a verb: messages and progress on standard error, or nothing."""
    return SILENT if quiet else TERMINAL


def show(content: "Document | RenderableType") -> None:
    """Print a document as JSON, and anything else as rich draws it, on standard output."""
    if isinstance(content, dict):
        print(json.dumps(content, indent=2))
        return
    from training_factors.study.reporting.formatting import open_console

    open_console().print(content, crop=False)
