"""The verb that verifies an answer: it runs its study again and compares the two answers."""

from pathlib import Path
from typing import Annotated

import typer

from training_factors.study.api.settings import check_timing
from training_factors.study.commands.app import (
    CommandError,
    app,
    count_cores,
    show,
    terminal,
    verb_context,
)
from training_factors.study.commands.options import (
    AllowCode,
    Device,
    Json,
    PerGpu,
    Quiet,
    Start,
    Workers,
)

NOT_THE_SAME = 1
"""Exit code for an answer that is not the same, whether within noise or beyond it."""


@app.command()
def verify(
    file: Annotated[
        Path,
        typer.Argument(
            help="File with the answer: runs/STUDY/answer.json, or what importance --json printed."
        ),
    ],
    data: Annotated[
        str | None, typer.Option("--data", help="The same data, where they lie elsewhere now.")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Also repeat the runs of the confirmation.")
    ] = False,
    workers: Workers = None,
    per_gpu: PerGpu = 1,
    device: Device = "auto",
    start: Start = None,
    allow_code: AllowCode = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run the study of an answer again, and say whether the answer is the same.

    The study runs in a temporary database, of which nothing is left.

    The search is not repeated: what it proposes depends on the order in
    which runs end, and no share depends on it. Its best run is trained again.

    Exit code 0: the same to the last digit; 1: not the same.
    """
    with verb_context():
        from training_factors.study.api import execution, verifying
        from training_factors.study.reporting import verification_table

        settings = execution.worker_settings(
            storage=None, workers=workers, per_gpu=per_gpu, device=device, start=start,
            cluster=None, allow_code=allow_code, timing=check_timing(),
        )  # fmt: skip
        values = {} if data is None else {"source": data}
        request = verifying.VerificationRequest(values, confirm, count_cores())
        try:
            found = verifying.verify_file(file, request, settings, terminal(quiet))
        except execution.StudyStoppedError as error:
            words = f"{error}; nothing is kept, and the same command starts again"
            raise CommandError(words, error.exit_code) from error
    if as_json:
        show(verification_table.verification_document(found))
    else:
        print("\n".join(verification_table.describe_verification(found)))
    if not found.same:
        raise typer.Exit(NOT_THE_SAME)
