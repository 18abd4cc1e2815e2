"""Verbs that train networks: run, plan, worker, confirm, reproduce.

Typer reads the options from the signatures, so these list every option.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from training_factors.study.api import command_lines
from training_factors.study.api.output import print_message
from training_factors.study.api.publishing import publish_conclusion
from training_factors.study.api.settings import (
    DefinitionValues,
    Given,
    check_definition,
    check_timing,
)
from training_factors.study.commands.app import (
    app,
    count_cores,
    open_study,
    show,
    terminal,
    verb_context,
)
from training_factors.study.commands.cluster_files import PRINTED_CLUSTERS, render_deployment
from training_factors.study.commands.given_settings import errors_of, takes_definition
from training_factors.study.commands.options import (
    AllowCode,
    Also,
    Checkpoint,
    Cluster,
    Device,
    Divisions,
    Grace,
    Heartbeat,
    Hours,
    Json,
    NewStudyName,
    PerGpu,
    PresetName,
    Quiet,
    Repeats,
    RetryTimeout,
    Rows,
    Search,
    Start,
    StorageUrl,
    StudyName,
    Workers,
)  # fmt: skip
from training_factors.study.commands.result_verbs import importance

if TYPE_CHECKING:
    from training_factors.storage.studies import Study
    from training_factors.study.api.study_file import StudyFile


@app.command()
@takes_definition
def run(
    settings: DefinitionValues,
    file: "StudyFile",
    preset: PresetName = None,
    rows: Rows = None,
    repeats: Repeats = None,
    search: Search = None,
    hours: Hours = None,
    also: Also = None,
    divisions: Divisions = 1,
    study: NewStudyName = None,
    storage: StorageUrl = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry the runs that failed.")
    ] = False,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    start: Start = None,
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    retry_timeout: RetryTimeout = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a study and print its answer; the same command resumes an interrupted study."""
    with verb_context(), errors_of(file):
        timing = check_timing(
            heartbeat_s=heartbeat,
            grace_s=grace,
            checkpoint_s=checkpoint,
            retry_timeout_s=retry_timeout,
        )
        from training_factors.study.api import execution

        pool = execution.worker_settings(
            storage=storage,
            workers=workers,
            per_gpu=per_gpu,
            device=device,
            start=start,
            cluster=cluster,
            allow_code=allow_code,
            timing=timing,
        )
        opened, code = execution.run_study(
            settings,
            pool,
            terminal(quiet),
            name=study,
            storage=storage,
            preset=preset,
            rows=rows,
            repeats=repeats,
            search=search,
            divisions=divisions,
            hours=hours,
            also=also or (),
            retries_failed=retry_failed,
            file=file,
        )
    _exit_early(opened, code)
    _print_failures(opened, storage)
    importance(study=opened.name, storage=storage, as_json=as_json)


@app.command()
@takes_definition
def plan(
    settings: DefinitionValues,
    options: Mapping[str, object],
    file: "StudyFile",
    preset: PresetName = None,
    rows: Rows = None,
    repeats: Repeats = None,
    search: Search = None,
    hours: Hours = None,
    divisions: Divisions = 1,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    allow_code: AllowCode = False,
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config",
            help="Print the study file of this study, with every default and factor, instead; "
            "nothing is trained.",
        ),
    ] = False,
    print_schema: Annotated[
        bool,
        typer.Option(
            "--print-schema", help="Print the JSON Schema of study files, for editors, instead."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Time two probe runs and estimate how long a study would take; nothing is stored."""
    with verb_context(), errors_of(file):
        from training_factors.study.api import execution
        from training_factors.study.reporting.plan_table import draw_plan

        if print_schema:
            from training_factors.study.commands.study_file_schema import study_file_schema

            show(study_file_schema(check_definition(settings).factors))
            return
        if print_config:
            print(execution.resolve_study_file(settings, options, allow_code=allow_code, file=file))
            return
        estimate = execution.plan_study(
            settings, Given(), preset=preset, rows=rows, repeats=repeats, search=search,
            divisions=divisions, hours=hours, workers=workers, per_gpu=per_gpu,
            device=device, allow_code=allow_code, file=file,
        )  # fmt: skip
    document = {
        "schema": 1,
        **estimate._asdict(),
        "data_report": estimate.data_report.as_document(),
        "seconds": estimate.seconds,
        "confirm_seconds": estimate.confirm_seconds,
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
    start: Start = None,
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    retry_timeout: RetryTimeout = None,
    quiet: Quiet = False,
    asked: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run workers for a study that was created elsewhere, until no run is left."""
    printed = cluster if cluster in PRINTED_CLUSTERS else None
    with verb_context():
        timing = check_timing(
            heartbeat_s=heartbeat,
            grace_s=grace,
            checkpoint_s=checkpoint,
            retry_timeout_s=retry_timeout,
        )
        from training_factors.study.api import execution

        pool = execution.worker_settings(
            storage=storage,
            workers=workers,
            per_gpu=per_gpu,
            device=device,
            start=start,
            cluster=None if printed else cluster,
            allow_code=allow_code,
            timing=timing,
            stop_requests=asked,
        )
        opened = open_study(study, storage, quiet=quiet)
        if printed is not None:
            if pool.url.startswith("sqlite"):
                print_message("other machines cannot reach an SQLite file: they need a server")
            options = execution.worker_options(pool)
            print(render_deployment(printed, opened.name, workers or count_cores(), options))
            return
        code = execution.run_queue(opened, None, pool, terminal(quiet))
    _exit_early(opened, code)


@app.command()
def confirm(
    study: StudyName = None,
    storage: StorageUrl = None,
    factors: Annotated[
        str | None,
        typer.Option(
            help="Factors to change, separated by commas (default: the 5 with the largest shares, "
            "and all that may matter most)."
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
    top: Annotated[
        int | None, typer.Option(help="Best configurations to rank again (default 5).")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Runs of each variant, 3 or more, instead of as many as --difference needs."
        ),
    ] = None,
    hours: Hours = None,
    path: Annotated[
        bool,
        typer.Option(
            "--path",
            help="Also go from the baseline to the best configuration, one factor at a time.",
        ),
    ] = False,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    start: Start = None,
    cluster: Cluster = None,
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    retry_timeout: RetryTimeout = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare the best configuration with variants that change one factor, on the test part."""
    with verb_context():
        timing = check_timing(
            heartbeat_s=heartbeat,
            grace_s=grace,
            checkpoint_s=checkpoint,
            retry_timeout_s=retry_timeout,
        )
        from training_factors.study.api import confirming, execution

        pool = execution.worker_settings(
            storage=storage,
            workers=workers,
            per_gpu=per_gpu,
            device=device,
            start=start,
            cluster=cluster,
            allow_code=allow_code,
            timing=timing,
        )
        opened = open_study(study, storage, reading=False, quiet=quiet)
        names = None if factors is None else [name.strip() for name in factors.split(",")]
        wanted = confirming.Wanted(names, difference, top, seeds, hours, path)
        code, confirmation = confirming.confirm_study(
            opened, wanted, pool, terminal(quiet), count_cores()
        )
    _exit_early(confirmation, code)
    from training_factors.study.api.reports import closing_lines, write_report_page
    from training_factors.study.reporting import confirmation_table, short_answer
    from training_factors.study.reporting.report import read_report

    report = read_report(opened, jobs=count_cores())
    page = write_report_page(opened, report, storage).path
    if report.answer is not None:
        publish_conclusion(opened, report.conclusion, report.answer)
    found = confirmation_table.read_confirmation(opened, confirmation)
    if as_json:
        show(confirmation_table.confirmation_document(found))
        return
    lines = closing_lines(opened, report, storage, page)
    show(confirmation_table.draw_contrasts(found))
    show("")
    show(
        short_answer.draw_short_answer(
            report.conclusion, report.objective, report.space.baseline, lines
        )
    )


@app.command()
def reproduce(
    number: Annotated[int, typer.Argument(min=0, help="Number of the run, as screens show it.")],
    study: StudyName = None,
    storage: StorageUrl = None,
    device: Device = "auto",
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> None:
    """Train a run again, and say whether its result is the same; nothing is stored."""
    with verb_context():
        from training_factors.study.api import execution
        from training_factors.study.api.reproducing import reproduce as train_again
        from training_factors.study.reporting import reproduction_table

        settings = execution.worker_settings(
            storage=storage, workers=0, per_gpu=1, device=device, start=None, cluster=None,
            allow_code=allow_code, timing=check_timing(),
        )  # fmt: skip
        opened = open_study(study, storage)
        found = train_again(opened, number, settings)
    if as_json:
        show(reproduction_table.reproduction_document(found, opened.name))
    else:
        lines = reproduction_table.describe_reproduction(found, opened.stamp.objective)
        print("\n".join(lines))


def _exit_early(study: "Study", code: int) -> None:
    """Exit with the code of a study that ended before its end, and say why; else return."""
    if not code:
        return
    from training_factors.study.api.execution import describe_stop, stop_reason

    reason = stop_reason(study, code)
    if reason is not None:
        print_message(command_lines.redacted(reason))
        print_message(f"logs:    {study.folder}/logs")
    print_message(describe_stop(study))
    print_message(f"resume:  {command_lines.this_command()}")
    raise typer.Exit(code)


def _print_failures(study: "Study", storage: str | None) -> None:
    """Print how many runs failed or diverged, and why, and the command that retries them."""
    from training_factors.study.api.explaining import explain_outcomes
    from training_factors.study.reporting.status import compute_status, explained_outcomes

    status = compute_status(study)
    for line in explained_outcomes(status, explain_outcomes(study, status)):
        print_message(line)
    if status.failures:
        line = command_lines.command_line("run", study, storage, "--retry-failed")
        print_message(f"retry them: {line}")
