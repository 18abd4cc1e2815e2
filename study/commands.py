"""The verbs of the terminal: one function each. Heavy imports are inside, so --help stays quick."""

import atexit
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import typer

from study import starting
from study.options import (
    Choices,
    Data,
    Device,
    Drop,
    Epochs,
    Fix,
    ImageSize,
    Json,
    Limit,
    Model,
    PresetName,
    Range,
    Seed,
    SpaceName,
    Storage,
    StudyName,
    Target,
    Workers,
)  # fmt: skip

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


@app.command()
def run(
    data: Data = None,
    model: Model = None,
    preset: PresetName = None,
    epochs: Epochs = None,
    seed: Seed = None,
    space: SpaceName = None,
    fix: Fix = None,
    drop: Drop = None,
    range_: Range = None,
    choices: Choices = None,
    limit: Limit = None,
    image_size: ImageSize = None,
    target: Target = None,
    study: StudyName = None,
    storage: Storage = None,
    workers: Workers = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Run a study to its end and answer; the same command goes on with what is left."""
    given = starting.given(locals())
    with _refusing():
        starting.check_device(device)
        opened, prepared = starting.open_or_create(given, study, storage, preset)
        code = starting.work(
            opened, prepared, storage, workers or starting.default_workers(device), device
        )
    if code:
        starting.explain(opened, code)
        raise typer.Exit(code)
    importance(study=opened.name, storage=storage, as_json=as_json)


@app.command()
def plan(
    data: Data = None,
    model: Model = None,
    preset: PresetName = None,
    epochs: Epochs = None,
    seed: Seed = None,
    space: SpaceName = None,
    fix: Fix = None,
    drop: Drop = None,
    range_: Range = None,
    choices: Choices = None,
    limit: Limit = None,
    image_size: ImageSize = None,
    target: Target = None,
    workers: Workers = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Time two probe runs and say how long a study would take; nothing is stored."""
    given = starting.given(locals())
    with _refusing():
        from study.reporting import plan as drawing
        from study.running.planning import make_plan
        from study.running.preparation import prepare
        from study.running.presets import open_preset
        from study.running.settings import Definition

        size = open_preset(preset or "quick")
        prepared = prepare(Definition(**given))
        made = make_plan(prepared, size, workers or starting.default_workers(device), device)
    document = {"schema": 1, **made._asdict(), "seconds": made.seconds}
    _show(document if as_json else drawing.draw(document))


@app.command()
def worker(
    study: Annotated[str, typer.Argument(help="Name of the study.")],
    storage: Storage = None,
    workers: Workers = None,
    device: Device = "auto",
) -> None:
    """Work on a study that was created elsewhere, until none of its runs waits."""
    with _refusing():
        opened = starting.load(study, storage)
        starting.check_device(device)
        code = starting.work(
            opened, None, storage, workers or starting.default_workers(device), device
        )
    if code:
        starting.explain(opened, code)
        raise typer.Exit(code)


@app.command()
def status(study: StudyName = None, storage: Storage = None, as_json: Json = False) -> None:
    """How far a study is, and its best run."""
    with _refusing():
        from study.reporting import overview

        found = overview.compute(starting.load(study, storage))
    _show(overview.as_document(found) if as_json else overview.draw(found))


@app.command("list")
def list_(storage: Storage = None, as_json: Json = False) -> None:
    """All studies in a database."""
    with _refusing():
        from storage.database import open_database
        from storage.studies import load_study, study_names
        from study.reporting import overview

        database = open_database(starting.url(storage))
        found = [overview.compute(load_study(database, name)) for name in study_names(database)]
    if as_json:
        _show({"schema": 1, "studies": [overview.as_document(item) for item in found]})
    else:
        _show(overview.draw_list(found))


@app.command()
def factors(
    space: SpaceName = None,
    markdown: Annotated[bool, typer.Option(help="As the table of the README.")] = False,
    as_json: Json = False,
) -> None:
    """Every factor: what it does, its options and ranges, and where it does not apply."""
    with _refusing():
        from search_spaces.overrides import open_space
        from study.reporting import catalogue

        described = open_space(space or "full").describe()
    if as_json:
        _show({"schema": 1, **described})
    elif markdown:
        print(catalogue.as_markdown(described))
    else:
        _show(catalogue.draw(described))


@app.command()
def importance(
    study: StudyName = None,
    storage: Storage = None,
    lenses: Annotated[
        bool, typer.Option("--lenses", help="Also other lenses: budgets, divergence, cost, …")
    ] = False,
    as_json: Json = False,
) -> None:
    """Which factor matters most, how sure that is, and the best configuration."""
    with _refusing():
        opened = starting.load(study, storage)
        from study.reporting import summary

        found = summary.compute(opened, jobs=starting.cores())
    files = summary.write(found, starting.folder(opened))
    following = starting.following(opened, storage, found.answer.verdict.more_rows)
    if not lenses:
        _show(summary.as_document(found) if as_json else summary.draw(found, files, following))
        return
    from study.reporting import lenses as drawing

    seen = drawing.lenses_of(opened, jobs=starting.cores())
    if as_json:
        _show({**summary.as_document(found), **drawing.as_document(seen)})
    else:
        _show(summary.draw(found, files, following))
        _show("")
        _show(drawing.draw(seen, found.answer))


@app.command()
def effects(study: StudyName = None, storage: Storage = None, as_json: Json = False) -> None:
    """What every option and every knob does, in points over the baseline."""
    with _refusing():
        opened = starting.load(study, storage)
        from study.reporting import effects as drawing
        from study.reporting.analyses import answer_of

        found = answer_of(opened, jobs=starting.cores())
    objective = opened.stamp["objective"]
    _show(drawing.as_document(found, opened.name) if as_json else drawing.draw(found, objective))


@app.command()
def confirm(
    study: StudyName = None,
    storage: Storage = None,
    factors: Annotated[
        str | None, typer.Option(help="Factors to change, with commas (default: the leading 5).")
    ] = None,
    difference: Annotated[
        float, typer.Option(min=0.01, help="Points worth seeing: seeds grow until they would be.")
    ] = 1.0,
    workers: Workers = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train the best configuration against itself with one factor changed, on the test part."""
    with _refusing():
        opened = starting.load(study, storage)
        starting.check_device(device)
        changes = starting.alternatives(opened, factors)
        code, confirmation = starting.confirm(
            opened, changes, difference / 100, storage, workers, device
        )
    if code:
        starting.explain(confirmation, code)
        raise typer.Exit(code)
    from study.reporting import contrasts as drawing

    found = drawing.compute(confirmation)
    following = starting.command("recommend", opened, storage)
    _show(drawing.as_document(found) if as_json else drawing.draw(found, following))


@app.command()
def recommend(study: StudyName = None, storage: Storage = None, as_json: Json = False) -> None:
    """What to set, factor by factor, with its evidence; as a command and as TOML."""
    with _refusing():
        opened = starting.load(study, storage)
        from study.reporting import recommendation as drawing

        found = drawing.compute(opened, jobs=starting.cores())
    if as_json:
        _show(drawing.as_document(found))
        return
    path = drawing.write(found, starting.folder(opened))
    _show(drawing.draw(found, path, starting.entry()))


@app.command()
def compare(
    studies: Annotated[list[str], typer.Argument(help="Two or more studies of one database.")],
    storage: Storage = None,
    as_json: Json = False,
) -> None:
    """The same factors in different studies: where importance differs for certain."""
    with _refusing():
        if len(set(studies)) < 2:
            raise ValueError(f"compare needs two studies, got {', '.join(studies)}")
        from study.reporting import comparison as drawing

        opened = [starting.load(name, storage) for name in studies]
        found = drawing.compute(opened, jobs=starting.cores())
    _show(drawing.as_document(found) if as_json else drawing.draw(found))


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
        if debug:
            traceback.print_exc()
        print(f"run_study.py: error: {_one_line(_worded(error, arguments))}", file=sys.stderr)
        return error.exit_code


def _worded(error: typer.TyperException, arguments: list[str]) -> str:
    """The parser's message with the value that it is about, and where to read on."""
    if isinstance(error, _RefusedError):
        return str(error)
    parameter = getattr(error, "param", None)
    message = error.format_message().rstrip(".")
    for option in getattr(parameter, "opts", ()):
        if option in arguments[:-1] and "Input should be" in message:
            value = arguments[arguments.index(option) + 1]
            return f"{option} {value!r}: {_plain(message.partition(': ')[2])}"
    return f"{message}; verbs and options: run_study.py --help"


def _plain(message: str) -> str:
    """pydantic's words in ours."""
    return message.replace("Input should be", "must be").partition(", unable")[0]


class _RefusedError(typer.TyperException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what a user got wrong into one line and exit code 2, what is not there yet into 3."""
    from pydantic import ValidationError

    from storage.database import NoDatabaseError
    from storage.studies import NoStudyError
    from study.analysis.no_answer import NoAnswer

    try:
        yield
    except ValidationError as error:
        if error.title != "Definition":
            raise
        first = error.errors()[0]
        name = "--" + str(first["loc"][0]).replace("_", "-")
        raise _RefusedError(f"{name} {first['input']!r}: {_plain(first['msg'])}", 2) from error
    except (NoDatabaseError, NoStudyError, NoAnswer) as error:
        raise _RefusedError(str(error), 3) from error
    except ValueError as error:
        raise _RefusedError(str(error), 2) from error


def _show(content: Any) -> None:
    """A document as JSON, anything else as rich draws it, on standard output."""
    if isinstance(content, dict):
        print(json.dumps(content, indent=2))
        return
    from rich.console import Console

    Console(highlight=False).print(content, crop=False)


def _one_line(message: str) -> str:
    return " ".join(message.split())[:300]
