"""The command line: parse the words, run one verb, and return its exit code.

One module per group of verbs. Heavy imports stand inside the functions, so that a verb loads only
what it needs and `--help` is quick.
"""

import os
import sys
import traceback
from pathlib import Path

import typer

from training_factors.study.api.command_lines import program_name, redacted
from training_factors.study.api.settings import plain_message
from training_factors.study.commands import (  # noqa: F401 - each adds its verbs to the app
    dashboard_verb,
    export_verb,
    process_verbs,
    report_verbs,
    result_verbs,
    run_verbs,
    study_verbs,
    verify_verb,
)
from training_factors.study.commands.app import CommandError, app

LONGEST_ERROR = 300
"""Maximum length of an error message on the screen, in characters."""

INFORMATION = ("--help", "-h", "--version", "--install-completion", "--show-completion")
"""Options that stand in place of a verb; any other option belongs to the verb `run`."""

EARLIER_NAMES = {"--patience": "--retry-timeout"}
"""Earlier name of an option that still works -> its name today."""


def execute(arguments: list[str]) -> int:
    """Parse the arguments of a command line, run its verb and return the exit code."""
    debug = "--debug" in arguments
    if "--no-color" in arguments:
        os.environ["NO_COLOR"] = "1"
    arguments = [_present_name(word) for word in arguments if word not in ("--debug", "--no-color")]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in INFORMATION):
        arguments.insert(0, "run")
    failure: Exception
    try:
        _refuse_undecodable(arguments)
        return app(arguments, prog_name=program_name(), standalone_mode=False) or 0
    except typer.TyperException as error:
        failure, code, message = error, error.exit_code, _error_message(error, arguments)
    except OSError as error:
        failure, code, message = error, 3, _file_error(error)
    except Exception as error:
        # A bug of ours. Its traceback may show private values, so it is shown only on request.
        failure, code = error, 1
        message = f"{type(error).__name__}: {error}; --debug shows the traceback"
    if debug:
        print(redacted("".join(traceback.format_exception(failure))), file=sys.stderr)
    line = " ".join(redacted(message).split())
    print(f"{program_name()}: error: {_shorten(line)}", file=sys.stderr)
    return code


def _refuse_undecodable(words: list[str]) -> None:
    """Raise CommandError for a word, or a current folder, that cannot be stored as UTF-8."""
    for word in (*words, str(Path.cwd())):
        try:
            word.encode()
        except UnicodeEncodeError:
            raise CommandError(
                f"{word!r} is no text in this locale; rename it, or set LC_ALL=C.UTF-8", 2
            ) from None


def _shorten(line: str) -> str:
    """Return an error message without its middle if it is too long; remedies stand at the end."""
    if len(line) <= LONGEST_ERROR:
        return line
    half = (LONGEST_ERROR - 3) // 2
    return f"{line[:half]} … {line[-half:]}"


def _present_name(word: str) -> str:
    """Return the word with an option's earlier name, which no help shows, replaced by today's."""
    name, equals, value = word.partition("=")
    return f"{EARLIER_NAMES.get(name, name)}{equals}{value}"


def _file_error(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return (
        f"a file cannot be read or written{where}: {error.strerror or error}; nothing is lost; "
        "free some space, or work in a folder that can be written"
    )


def _error_message(error: typer.TyperException, arguments: list[str]) -> str:
    """Return the message of a command line error, with the value that it is about."""
    if isinstance(error, CommandError):
        return str(error)
    from pydantic import ValidationError

    cause, parameter = error.__cause__, getattr(error, "param", None)
    if isinstance(cause, ValidationError) and parameter is not None:  # a wrong type or range
        (first, *_) = cause.errors(include_url=False)
        named = max(parameter.opts, key=len)
        name = named if named.startswith("-") else named.upper()
        return f"{name} {first['input']!r}: {plain_message(first['msg'])}"
    message = error.format_message().rstrip(".")
    unknown = getattr(error, "option_name", "")
    negative = [word for word in arguments if word.startswith(unknown) and word[1:].isdecimal()]
    if unknown[1:].isdecimal() and negative:  # `-1`; options are words
        message = f"{negative[0]!r} is no option, and no command takes a number below 0"
    return f"{message}; commands and options: {program_name()} --help"
