"""Verbs that train networks: run, plan, worker, confirm, stop."""

from typing import Annotated, Any

import typer

from training_factors.study.commands import command_lines, execution, study_loading
from training_factors.study.commands.app import app, refusing, show
from training_factors.study.commands.options import (
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
    PerGpu,
    PresetName,
    Range,
    RetryTimeout,
    Seed,
    SpaceName,
    StorageUrl,
    StudyName,
    Target,
    Workers,
)  # fmt: skip
from training_factors.study.commands.report_verbs import write_report_page
from training_factors.study.commands.result_verbs import importance


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
    storage: StorageUrl = None,
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
    patience: RetryTimeout = None,
    as_json: Json = False,
) -> None:
    """Run a study to its end and answer; the same command goes on with what is left."""
    given = study_loading.given(locals())
    with refusing():
        effort = execution.read_effort(locals())
        opened, prepared = study_loading.open_or_create(given, study, storage, preset, allow_code)
        if retry_failed:
            study_loading.retry_failed(opened)
        named = effort._replace(allow_code=True)  # what is stored and not named was refused
        code = execution.run_waiting(opened, prepared, named)
    _leave(opened, code)
    execution.print_failures(opened, storage)
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
    given = study_loading.given(locals())
    with refusing():
        from training_factors.storage.definition import Definition
        from training_factors.study.reporting.status import draw_plan
        from training_factors.study.running.planning import make_plan
        from training_factors.study.running.preparation import prepare_study
        from training_factors.study.running.settings import open_preset

        size = open_preset(preset or "quick")
        prepared = prepare_study(Definition(**given))
        made = make_plan(
            prepared, size, workers or execution.default_workers(device, per_gpu), device
        )
    document = {"schema": 1, **made._asdict(), "seconds": made.seconds}
    show(document if as_json else draw_plan(document))


@app.command()
def worker(
    study: Annotated[
        str | None, typer.Argument(help="Name of the study (default: the only one).")
    ] = None,
    storage: StorageUrl = None,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    patience: RetryTimeout = None,
    asked: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Work on a study that was created elsewhere, until none of its runs is left."""
    with refusing():
        effort = execution.read_effort(locals(), may_print=True)
        opened = study_loading.load(study, storage)
        if cluster in execution.PRINTED:
            from training_factors.study.commands.execution import render_deployment

            print(
                render_deployment(
                    str(cluster), opened.name, effort, execution.worker_options(effort)
                )
            )
            return
        code = execution.run_waiting(opened, None, effort)
    _leave(opened, code)


@app.command()
def confirm(
    study: StudyName = None,
    storage: StorageUrl = None,
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
    patience: RetryTimeout = None,
    as_json: Json = False,
) -> None:
    """Train the best configuration against itself with one factor changed, on the test part."""
    with refusing():
        effort = execution.read_effort(locals())
        opened = study_loading.load(study, storage, reading=False)
        changes = execution.alternatives(opened, factors)
        code, confirmation = execution.run_confirmation(opened, changes, difference / 100, effort)
    _leave(confirmation, code)
    from training_factors.study.reporting.confirmation_table import (
        confirmation_document,
        draw_confirmation,
        read_confirmation,
    )
    from training_factors.study.reporting.report import read_report

    found = read_confirmation(confirmation)
    page, _ = write_report_page(opened, read_report(opened, jobs=study_loading.cores()), storage)
    following = command_lines.command_line("recommend", opened, storage)
    show(confirmation_document(found) if as_json else draw_confirmation(found, page, following))


@app.command()
def stop(study: StudyName = None, storage: StorageUrl = None) -> None:
    """Ask the workers of a study, on all machines, to finish their epoch and hand back."""
    with refusing():
        from training_factors.storage.stop_requests import request_stop
        from training_factors.storage.studies import confirmation_name, find_study

        opened = study_loading.load(study, storage, reading=False)
        confirmation = find_study(opened.database, confirmation_name(opened.name))
        asked = [one for one in (opened, confirmation) if one is not None]
        for one in asked:
            request_stop(one)
        working_now = sum(len(one.queue.active_claims()) for one in asked)
    print(f"{working_now} workers of {opened.name} were asked to stop; status shows who still runs")


def _leave(study: Any, code: int) -> None:
    """Say what ended a verb before its end, and end with its exit code."""
    if code:
        execution.explain(study, code)
        raise typer.Exit(code)
