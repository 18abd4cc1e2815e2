"""The verbs of the terminal: one function each. Heavy imports are inside, so --help stays quick."""

import atexit
import os
import sys
import traceback
from typing import NoReturn

import typer

from training_factors.study.commands import (  # noqa: F401 - each adds its verbs to the app
    dashboard_verb,
    report_verbs,
    result_verbs,
    run_verbs,
)
from training_factors.study.commands.app import RefusedError, app, plain
from training_factors.study.commands.command_lines import redacted


def main() -> None:
    """The terminal's entry: runs one verb, and ends with its exit code."""
    end(execute(sys.argv[1:]))


def end(code: int) -> NoReturn:
    """What Python itself does at an end, but for taking modules apart: with torch that is 1.4 s."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def execute(arguments: list[str]) -> int:
    """Parse the arguments of a command line and run its verb; the exit code."""
    debug = "--debug" in arguments
    if "--no-color" in arguments:
        os.environ["NO_COLOR"] = "1"
    arguments = [word for word in arguments if word not in ("--debug", "--no-color")]
    informing = ("--help", "--version", "--install-completion", "--show-completion")
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in informing):
        arguments.insert(0, "run")
    try:
        return app(arguments, prog_name="run_study.py", standalone_mode=False) or 0
    except typer.TyperException as error:
        code, message = error.exit_code, _worded(error, arguments)
    except OSError as error:
        code, message = 3, _unwritten(error)
    except Exception as error:
        # Not the user's doing. A traceback may show what is nobody's business, so it waits to be
        # asked for.
        code, message = 1, f"{type(error).__name__}: {error}; --debug shows where"
    if debug:
        print(redacted(traceback.format_exc()), file=sys.stderr)
    print(f"run_study.py: error: {_one_line(redacted(message))}", file=sys.stderr)
    return code


def _unwritten(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"a file cannot be read or written{where}: {error.strerror or error}; nothing is lost"


def _worded(error: typer.TyperException, arguments: list[str]) -> str:
    """The parser's message with the value that it is about, and where to read on."""
    if isinstance(error, RefusedError):
        return str(error)
    parameter = getattr(error, "param", None)
    message = error.format_message().rstrip(".")
    for option in getattr(parameter, "opts", ()):
        if option in arguments[:-1] and "Input should be" in message:
            value = arguments[arguments.index(option) + 1]
            return f"{option} {value!r}: {plain(message.partition(': ')[2])}"
    return f"{message}; verbs and options: run_study.py --help"


def _one_line(message: str) -> str:
    return " ".join(message.split())[:300]
