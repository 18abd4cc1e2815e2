"""Verbs that train networks: run, plan, worker, confirm, stop."""

from typing import Annotated, Any

import typer

from study.commands import shell, starting, working
from study.commands.app import app, refusing, show
from study.commands.drawing import write_page
from study.commands.options import (
    AllowCode,
    Checkpoint,
    Choices,
    Cluster,
    Data,
    Device,
    Drop,
    Epochs,
    Fix,
    Grace,
    Heartbeat,
    ImageSize,
    Json,
    Limit,
    Model,
    Patience,
    PerGpu,
    PresetName,
    Range,
    Seed,
    SpaceName,
    Storage,
    StudyName,
    Target,
    Workers,
)  # fmt: skip
from study.commands.reading import importance


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
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do the runs again that failed.")
    ] = False,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    patience: Patience = None,
    as_json: Json = False,
) -> None:
    """Run a study to its end and answer; the same command goes on with what is left."""
    given = starting.given(locals())
    with refusing():
        effort = working.effort(locals())
        opened, prepared = starting.open_or_create(given, study, storage, preset, allow_code)
        if retry_failed:
            starting.retry_failed(opened)
        named = effort._replace(allow_code=True)  # what is stored and not named was refused
        code = working.work(opened, prepared, named)
    _leave(opened, code)
    working.tell_failures(opened, storage)
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
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Time two probe runs and say how long a study would take; nothing is stored."""
    given = starting.given(locals())
    with refusing():
        from study.reporting import plan as drawing
        from study.running.planning import make_plan
        from study.running.preparation import prepare
        from study.running.presets import open_preset
        from study.running.settings import Definition

        size = open_preset(preset or "quick")
        prepared = prepare(Definition(**given))
        made = make_plan(prepared, size, workers or working.places(device, per_gpu), device)
    document = {"schema": 1, **made._asdict(), "seconds": made.seconds}
    show(document if as_json else drawing.draw(document))


@app.command()
def worker(
    study: Annotated[
        str | None, typer.Argument(help="Name of the study (default: the only one).")
    ] = None,
    storage: Storage = None,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    patience: Patience = None,
    asked: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Work on a study that was created elsewhere, until none of its runs is left."""
    with refusing():
        effort = working.effort(locals(), may_print=True)
        opened = starting.load(study, storage)
        if cluster in working.PRINTED:
            from study.commands.deployment import render

            print(render(str(cluster), opened.name, effort, working.options(effort)))
            return
        code = working.work(opened, None, effort)
    _leave(opened, code)


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
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    patience: Patience = None,
    as_json: Json = False,
) -> None:
    """Train the best configuration against itself with one factor changed, on the test part."""
    with refusing():
        effort = working.effort(locals())
        opened = starting.load(study, storage, reading=False)
        changes = working.alternatives(opened, factors)
        code, confirmation = working.confirm(opened, changes, difference / 100, effort)
    _leave(confirmation, code)
    from study.reporting import contrasts as drawing
    from study.reporting.report import compute

    found = drawing.compute(confirmation)
    page, _ = write_page(opened, compute(opened, jobs=starting.cores()), storage)
    following = shell.command("recommend", opened, storage)
    show(drawing.as_document(found) if as_json else drawing.draw(found, page, following))


@app.command()
def stop(study: StudyName = None, storage: Storage = None) -> None:
    """Ask the workers of a study, on all machines, to finish their epoch and hand back."""
    with refusing():
        from storage.stops import ask_to_stop
        from storage.studies import confirmation_name, find_study

        opened = starting.load(study, storage, reading=False)
        confirmation = find_study(opened.database, confirmation_name(opened.name))
        asked = [one for one in (opened, confirmation) if one is not None]
        for one in asked:
            ask_to_stop(one)
        working_now = sum(len(one.ledger.running()) for one in asked)
    print(f"{working_now} workers of {opened.name} were asked to stop; status shows who still runs")


def _leave(study: Any, code: int) -> None:
    """Say what ended a verb before its end, and end with its exit code."""
    if code:
        working.explain(study, code)
        raise typer.Exit(code)
