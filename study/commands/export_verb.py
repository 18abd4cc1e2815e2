"""The verb export: a trained model to take home, or the tables of a study."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training_factors.study.api.settings import check_timing
from training_factors.study.commands.app import (
    app,
    count_cores,
    open_study,
    show,
    terminal,
    verb_context,
)
from training_factors.study.commands.options import (
    AllowCode,
    Device,
    Json,
    Quiet,
    StorageUrl,
    StudyName,
)

if TYPE_CHECKING:
    from training_factors.study.api.model_export import Exported

_MODEL, _TABLES = "Trained model", "Tables instead"


@app.command()
def export(
    folder: Annotated[
        Path | None,
        typer.Argument(help="New folder (default: export, in the folder of the study)."),
    ] = None,
    study: StudyName = None,
    storage: StorageUrl = None,
    trial: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of a run to take, instead of the best configuration.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Train this many networks (default 1, with the seed of the run); export that with "
            "the median validation value, and give the mean and its interval.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            help="Train on pool (the training part, the default) or all (with the validation "
            "part).",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    onnx: Annotated[
        bool,
        typer.Option("--onnx", help="Write model.onnx as well.", rich_help_panel=_MODEL),
    ] = False,
    no_data: Annotated[
        bool,
        typer.Option(
            "--no-data",
            help="Leave data.safetensors out, which train.py needs.",
            rich_help_panel=_MODEL,
        ),
    ] = False,
    device: Device = "auto",
    allow_code: AllowCode = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write all tables as .csv.", rich_help_panel=_TABLES)
    ] = False,
    parquet: Annotated[
        bool,
        typer.Option("--parquet", help="Write all tables as .parquet.", rich_help_panel=_TABLES),
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train the best configuration and write it as a folder to take home, with a model card.

    With --csv or --parquet: write trials, shares, effects, settings and contrasts as tables.
    """
    forms = [form for form, wanted in (("csv", csv), ("parquet", parquet)) if wanted]
    if forms:
        of_models = {
            "--trial": trial, "--seeds": seeds, "--on": on, "--onnx": onnx or None,
            "--no-data": no_data or None, "--device": None if device == "auto" else device,
            "--allow-code": allow_code or None,
        }  # fmt: skip
        _export_tables(folder, study, storage, forms, of_models, as_json)
        return
    with verb_context():
        opened = open_study(study, storage, quiet=quiet)
        from training_factors.study.api.execution import worker_settings
        from training_factors.study.api.model_export import ExportRequest, export_model

        settings = worker_settings(
            storage=storage, workers=0, per_gpu=1, device=device, start=None, cluster=None,
            allow_code=allow_code, timing=check_timing(),
        )  # fmt: skip
        request = ExportRequest(
            trial, 1 if seeds is None else seeds, on or "pool", onnx, not no_data
        )
        found = export_model(opened, folder, request, settings, terminal(quiet), count_cores())
    _show_exported(found, as_json)


def _show_exported(found: "Exported", as_json: bool) -> None:
    from training_factors.study.reporting.model_summary import describe_export, metrics_document

    if as_json:
        document = metrics_document(found.metrics, found.confirmation)
        show({"folder": str(found.folder), "files": list(found.files), **document})
        return
    print("\n".join(describe_export(found.metrics)))
    print(f"folder  {found.folder} ({', '.join(found.files)})")
    print(f"next    cd {shlex.quote(str(found.folder))} && python load.py")


def _export_tables(
    folder: Path | None,
    study: str | None,
    storage: str | None,
    forms: list[str],
    of_models: Mapping[str, object],
    as_json: bool,
) -> None:
    """Write all tables of a study. of_models: options of a trained model; None if not named."""
    with verb_context():
        named = [option for option, value in of_models.items() if value is not None]
        if named:
            raise ValueError(
                f"{named[0]} is for a trained model, and --{forms[0]} writes tables instead; leave "
                "one of them out"
            )
        opened = open_study(study, storage)
        from training_factors.storage.files import check_parent
        from training_factors.study.api.exports import tables_of, write_tables
        from training_factors.study.reporting.analyses import read_study_data

        place = folder or opened.folder / "tables"
        if folder is not None:
            check_parent(folder)  # before the answer is computed
        tables = tables_of(read_study_data(opened, jobs=count_cores()))
        files = [path for form in forms for path in write_tables(tables, place, form)]
    if as_json:
        show({"schema": 1, "files": [str(file) for file in files]})
    else:
        print("\n".join(map(str, files)))
