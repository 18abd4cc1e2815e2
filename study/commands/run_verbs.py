"""Verbs that train networks: run, plan, worker, confirm.

Typer reads the options from the signatures, so these list every option.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from training_factors.study.commands import command_lines, execution, study_loading
from training_factors.study.commands.app import app, show, verb_context
from training_factors.study.commands.options import (
    AllowCode,
    Checkpoint,
    Cluster,
    Device,
    Grace,
    Heartbeat,
    Json,
    NewStudyName,
    PerGpu,
    PresetName,
    RetryTimeout,
    Rows,
    StorageUrl,
    StudyName,
    Workers,
    takes_definition,
)  # fmt: skip
from training_factors.study.commands.report_verbs import write_report_page
from training_factors.study.commands.result_verbs import importance

if TYPE_CHECKING:
    from training_factors.storage.studies import Study


@app.command()
@takes_definition
def run(
    settings: study_loading.Settings,
    preset: PresetName = None,
    rows: Rows = None,
    study: NewStudyName = None,
    storage: StorageUrl = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry the runs that failed.")
    ] = False,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    retry_timeout: RetryTimeout = None,
    as_json: Json = False,
) -> None:
    """Run a study and print its answer; the same command resumes an interrupted study."""
    with verb_context():
        timing = execution.read_timing(
            heartbeat=heartbeat, grace=grace, checkpoint=checkpoint, retry_timeout=retry_timeout
        )
        pool = execution.read_settings(
            storage=storage,
            workers=workers,
            per_gpu=per_gpu,
            device=device,
            cluster=cluster,
            allow_code=allow_code,
            timing=timing,
        )
        start = study_loading.open_or_create(
            settings,
            name=study,
            storage=storage,
            preset=preset,
            rows=rows,
            allow_code=allow_code,
        )
        opened = start.study
        if retry_failed:
            study_loading.retry_failed(opened)
        with study_loading.deleted_if_start_fails(start):
            # Code that the stored study names and the command line does not was refused above.
            code = execution.run_queue(opened, start.prepared, pool._replace(allow_code=True))
    _exit_early(opened, code)
    execution.print_failures(opened, storage)
    importance(study=opened.name, storage=storage, as_json=as_json)


@app.command()
@takes_definition
def plan(
    settings: study_loading.Settings,
    preset: PresetName = None,
    rows: Rows = None,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Time two probe runs and estimate how long a study would take; nothing is stored."""
    with verb_context():
        from training_factors.storage.definition import Definition
        from training_factors.study.reporting.status import draw_plan
        from training_factors.study.running.planning import make_plan
        from training_factors.study.running.preparation import prepare_study
        from training_factors.study.running.settings import open_preset

        size = open_preset(preset or "quick", rows)
        prepared = prepare_study(Definition.model_validate(settings))
        count = workers or execution.default_workers(device, per_gpu)
        estimate = make_plan(prepared, size, count, device)
    document = {
        "schema": 1,
        **estimate._asdict(),
        "data_report": estimate.data_report.as_document(),
        "seconds": estimate.seconds,
    }
    show(document if as_json else draw_plan(estimate))


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
    retry_timeout: RetryTimeout = None,
    asked: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run workers for a study that was created elsewhere, until no run is left."""
    with verb_context():
        timing = execution.read_timing(
            heartbeat=heartbeat, grace=grace, checkpoint=checkpoint, retry_timeout=retry_timeout
        )
        pool = execution.read_settings(
            storage=storage,
            workers=workers,
            per_gpu=per_gpu,
            device=device,
            cluster=cluster,
            allow_code=allow_code,
            timing=timing,
            stop_requests=asked,
            may_print=True,
        )
        opened = study_loading.load(study, storage)
        if cluster in execution.PRINTED_CLUSTERS:
            options = execution.worker_options(pool)
            print(execution.render_deployment(cluster, opened.name, pool, options))
            return
        code = execution.run_queue(opened, None, pool)
    _exit_early(opened, code)


@app.command()
def confirm(
    study: StudyName = None,
    storage: StorageUrl = None,
    factors: Annotated[
        str | None,
        typer.Option(
            help="Factors to change, separated by commas (default: the 5 with the largest shares)."
        ),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(
            help="Smallest difference to detect, in points of the objective (one point is 0.01, "
            "the default) or in the unit of a loss (default: 1 % of the loss at chance); it sets "
            "the number of seeds.",
        ),
    ] = None,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    retry_timeout: RetryTimeout = None,
    as_json: Json = False,
) -> None:
    """Compare the best configuration with variants that change one factor, on the test part."""
    with verb_context():
        timing = execution.read_timing(
            heartbeat=heartbeat, grace=grace, checkpoint=checkpoint, retry_timeout=retry_timeout
        )
        pool = execution.read_settings(
            storage=storage,
            workers=workers,
            per_gpu=per_gpu,
            device=device,
            cluster=cluster,
            allow_code=allow_code,
            timing=timing,
        )
        opened = study_loading.load(study, storage, reading=False)
        smallest = execution.smallest_difference(opened, difference)
        changes = execution.factors_to_confirm(opened, factors)
        code, confirmation = execution.run_confirmation(opened, changes, smallest, pool)
    _exit_early(confirmation, code)
    from training_factors.study.reporting.confirmation_table import (
        confirmation_document,
        draw_confirmation,
        read_confirmation,
    )
    from training_factors.study.reporting.report import read_report

    found = read_confirmation(opened, confirmation)
    report = read_report(opened, jobs=study_loading.cores())
    page = write_report_page(opened, report, storage).path
    following = command_lines.command_line("recommend", opened, storage)
    show(confirmation_document(found) if as_json else draw_confirmation(found, page, following))


def _exit_early(study: "Study", code: int) -> None:
    """Exit with the code of a study that ended before its end, and say why; else return."""
    if code:
        execution.print_interruption(study, code)
        raise typer.Exit(code)
