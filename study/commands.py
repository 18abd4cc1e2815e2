"""The verbs of the terminal: one function each. Heavy imports are inside, so --help stays quick."""

import json
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

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


@app.callback(invoke_without_command=False)
def _shared(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if show_version:
        print(f"run_study.py {version('training-factors')}")
        raise typer.Exit


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
    given = _given(locals())
    with _refusing():
        _check_device(device)
        opened, prepared = _open_or_create(given, study, storage, preset)
        code = _work(opened, prepared, storage, workers or _default_workers(device), device)
    if code:
        _explain(opened, code)
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
    given = _given(locals())
    with _refusing():
        from study.reporting import plan as drawing
        from study.running.planning import make_plan
        from study.running.preparation import prepare
        from study.running.presets import open_preset
        from study.running.settings import Definition

        size = open_preset(preset or "quick")
        prepared = prepare(Definition(**given))
        made = make_plan(prepared, size, workers or _default_workers(device), device)
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
        opened = _load(study, storage)
        _check_device(device)
        code = _work(opened, None, storage, workers or _default_workers(device), device)
    if code:
        _explain(opened, code)
        raise typer.Exit(code)


@app.command()
def status(study: StudyName = None, storage: Storage = None, as_json: Json = False) -> None:
    """How far a study is, and its best run."""
    with _refusing():
        from study.reporting import overview

        found = overview.compute(_load(study, storage))
    _show(overview.as_document(found) if as_json else overview.draw(found))


@app.command("list")
def list_(storage: Storage = None, as_json: Json = False) -> None:
    """All studies in a database."""
    with _refusing():
        from storage.database import open_database
        from storage.studies import load_study, study_names
        from study.reporting import overview

        database = open_database(_url(storage))
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
        opened = _load(study, storage)
        from study.reporting import lenses as drawing
        from study.reporting import summary
        from study.reporting.analyses import lenses_of

        found = summary.compute(opened, jobs=_cores())
        seen = lenses_of(opened, jobs=_cores()) if lenses else None
    files = summary.write(found, _folder(opened))
    if as_json:
        _show({**summary.as_document(found), **(drawing.as_document(seen) if seen else {})})
        return
    _show(summary.draw(found, files, _larger(opened, storage)))
    if seen:
        _show("")
        _show(drawing.draw(seen, found.answer))


@app.command()
def effects(study: StudyName = None, storage: Storage = None, as_json: Json = False) -> None:
    """What every option and every knob does, in points over the baseline."""
    with _refusing():
        opened = _load(study, storage)
        from study.reporting import effects as drawing
        from study.reporting.analyses import answer_of

        found = answer_of(opened, jobs=_cores())
    objective = opened.stamp["objective"]
    _show(drawing.as_document(found, opened.name) if as_json else drawing.draw(found, objective))


def main() -> None:
    """The terminal's entry: parses, runs one verb, and ends with its exit code."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    if "--no-color" in arguments:
        os.environ["NO_COLOR"] = "1"
    arguments = [word for word in arguments if word not in ("--debug", "--no-color")]
    informing = ("--help", "--version", "--install-completion", "--show-completion")
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in informing):
        arguments.insert(0, "run")
    try:
        code = app(arguments, prog_name="run_study.py", standalone_mode=False)
    except typer.TyperException as error:
        if debug:
            traceback.print_exc()
        print(f"run_study.py: error: {_one_line(error.format_message())}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


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
    from study.analysis.evidence import NoAnswer

    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        name = "--" + str(first["loc"][0]).replace("_", "-")
        raise _RefusedError(f"{name} {first['input']!r}: {first['msg']}", 2) from error
    except (NoDatabaseError, NoStudyError, NoAnswer) as error:
        raise _RefusedError(str(error), 3) from error
    except ValueError as error:
        raise _RefusedError(str(error), 2) from error


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that define a study and were named, under the names of `Definition`."""
    from study.running.settings import Definition

    renamed = {"source": "data", "range": "range_"}
    named = {field: arguments[renamed.get(field, field)] for field in Definition.model_fields}
    return {field: value for field, value in named.items() if value not in (None, [])}


def _open_or_create(
    given: dict[str, Any], name: str | None, storage: str | None, preset: str | None
) -> tuple[Any, Any]:
    """The study of this name with its runs planned; wrong input leaves nothing behind.

    With it what was prepared, None where that was not needed to know that the study is the same.
    """
    from storage.database import NoDatabaseError, open_database
    from storage.studies import create_study, find_study
    from study.running.presets import open_preset
    from study.running.settings import Definition, default_name

    size = open_preset(preset or "quick")
    name = name or default_name(Definition(**given))
    try:
        found = find_study(open_database(_url(storage)), name)
    except NoDatabaseError:
        found = None
    stored = found.stamp["definition"] if found else {}
    definition = Definition(**{**stored, **given})
    prepared = None
    if found is None or definition != Definition(**stored):
        from study.running.preparation import prepare, refuse_differences

        prepared = prepare(definition)
        stamp = prepared.stamp()
        if found is not None:
            refuse_differences(found, stamp)
        else:
            found = create_study(open_database(_url(storage), create=True), name, stamp)
            _tell_left_out(stamp)
    if preset is not None or not found.ledger.progress():
        found.ledger.plan(size.runs())
    return found, prepared


def _work(study: Any, prepared: Any, storage: str | None, workers: int, device: str) -> int:
    """Run what waits on worker processes, showing how far it is; the exit code."""
    from study.reporting.overview import compute
    from study.running.recovery import requeue_ended

    requeue_ended(study)
    before = compute(study)
    if before.done == before.total:
        print(f"all {before.total} runs of {study.name} are done", file=sys.stderr)
        return 0
    from study.reporting.progress import following
    from study.running.launch import Crew, launch
    from study.running.preparation import prepare_for

    prepared = prepared or prepare_for(study)
    crew = Crew(workers, device, _url(storage), _folder(study) / "logs")
    with following(study, workers) as tick:
        return launch(study, prepared, crew, tick)


def _explain(study: Any, code: int) -> None:
    """Say why a study ended before its end, and how it goes on."""
    from study.reporting.overview import compute

    if code in (130, 143):
        now = compute(study)
        left = now.total - now.done
        print(f"stopped: {now.done} of {now.total} runs are done, {left} wait", file=sys.stderr)
        print(f"resume:  {shlex.join([*_entry(), *sys.argv[1:]])}", file=sys.stderr)
        return
    logs = sorted((_folder(study) / "logs").glob("*.log"))
    lines = [line for log in logs for line in log.read_text().splitlines()[-1:]]
    print(
        f"{lines[-1] if lines else 'workers ended'}\nlogs: {_folder(study)}/logs", file=sys.stderr
    )


def _tell_left_out(stamp: dict[str, Any]) -> None:
    if stamp["skipped"]:
        names = ", ".join(stamp["skipped"][:3])
        print(f"{stamp['data']['skipped']} files cannot be read: {names}", file=sys.stderr)
    if stamp["left_out"]:
        names = ", ".join(f"{name} ({where})" for name, where in stamp["left_out"])
        print(f"left out, since they do not apply to this data: {names}", file=sys.stderr)


def _check_device(name: str) -> None:
    """Refuse a device that is not there before anything is stored; `auto` and `cpu` always are."""
    if name not in ("auto", "cpu"):
        from study.training.device import open_device

        open_device(name)


def _load(name: str | None, storage: str | None) -> Any:
    from storage.database import open_database
    from storage.studies import load_study

    return load_study(open_database(_url(storage)), name)


def _url(storage: str | None) -> str:
    from storage.database import DEFAULT_URL

    return storage or DEFAULT_URL


def _folder(study: Any) -> Path:
    from storage.database import folder_of

    return folder_of(study.database) / str(study.slug)


def _show(content: Any) -> None:
    """A document as JSON, anything else as rich draws it, on standard output."""
    if isinstance(content, dict):
        print(json.dumps(content, indent=2))
        return
    from rich.console import Console

    Console(highlight=False).print(content, crop=False)


def _default_workers(device: str) -> int:
    """One per GPU where there are any and they are wanted, else one per core."""
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return gpus if gpus and device != "cpu" else _cores()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _larger(study: Any, storage: str | None) -> str:
    """The command that narrows the intervals: the same study with the next larger preset."""
    from study.running.presets import PRESETS

    rows = study.ledger.progress()["measure"].total
    larger = [name for name, preset in PRESETS.items() if preset.measure > rows]
    words = ["--study", study.name, *(["--preset", larger[0]] if larger else ["--json"])]
    place = ["--storage", study.database.url] if storage else []
    return shlex.join([*_entry(), *([] if larger else ["importance"]), *words, *place])


def _entry() -> list[str]:
    """How this program was called."""
    program = sys.argv[0]
    return ["python", program] if program.endswith(".py") else [Path(program).name]


def _one_line(message: str) -> str:
    return " ".join(message.split())[:300]
