"""Hidden verbs: what the processes run that this program starts anew."""

from typing import Annotated

import typer

from training_factors.study.api.opening import database_url
from training_factors.study.api.settings import check_timing
from training_factors.study.commands.app import app, verb_context
from training_factors.study.commands.options import (
    AllowCode,
    Checkpoint,
    Device,
    Grace,
    Heartbeat,
    RetryTimeout,
    StorageUrl,
)

Parent = Annotated[int, typer.Option(help="Process id of the process that started this one.")]


@app.command("worker-process", hidden=True)
def worker_process(
    study: str,
    parent: Parent,
    number: Annotated[int, typer.Option(help="Number of the worker among those of its pool.")],
    storage: StorageUrl = None,
    device: Device = "auto",
    allow_code: AllowCode = False,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    retry_timeout: RetryTimeout = None,
) -> None:
    """Train runs of a study, as one worker of a pool that another process watches."""
    with verb_context():
        timing = check_timing(
            heartbeat_s=heartbeat,
            grace_s=grace,
            checkpoint_s=checkpoint,
            retry_timeout_s=retry_timeout,
        )
        from training_factors.study.running.pool_process import run_worker
        from training_factors.study.running.preparation import prepare_stored_study
        from training_factors.study.running.processes import log_to_stderr

        log_to_stderr()
        code = run_worker(
            study, database_url(storage), device, timing, number=number, parent=parent,
            prepare=lambda opened: prepare_stored_study(opened, allow_code=allow_code),
        )  # fmt: skip
    raise typer.Exit(code)


@app.command("heartbeat-process", hidden=True)
def heartbeat_process(
    study: str,
    parent: Parent,
    asked: Annotated[int, typer.Option(help="Number of requests to stop that do not count.")],
    storage: StorageUrl = None,
    heartbeat: Heartbeat = None,
    grace: Grace = None,
    checkpoint: Checkpoint = None,
    retry_timeout: RetryTimeout = None,
) -> None:
    """Report the workers of another process as alive, and requeue runs of dead workers."""
    with verb_context():
        timing = check_timing(
            heartbeat_s=heartbeat,
            grace_s=grace,
            checkpoint_s=checkpoint,
            retry_timeout_s=retry_timeout,
        )
        from training_factors.storage.database import open_database
        from training_factors.storage.studies import load_study
        from training_factors.study.running.heartbeat import run_heartbeat
        from training_factors.study.running.processes import log_to_stderr

        log_to_stderr()
        database = open_database(database_url(storage), retry_timeout_s=timing.retry_timeout_s)
        code = run_heartbeat(load_study(database, study), timing, parent, asked)
    raise typer.Exit(code)


@app.command("publish-process", hidden=True)
def publish_process(parent: Parent, storage: StorageUrl = None) -> None:
    """Keep the dashboard's charts of all studies up to date, for another process that serves it."""
    with verb_context():
        from training_factors.storage.database import open_database
        from training_factors.study.api.publishing import keep_published

        keep_published(open_database(database_url(storage)), parent)
