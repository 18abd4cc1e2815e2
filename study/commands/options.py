"""The options that verbs share: their names, types and help."""

from typing import Annotated

import typer

_DATA, _SPACE, _STUDY = "Data and model", "Search space", "Study"
_RUNNING, _FAULTS = "Running", "Faults"

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="digits, wine, breast_cancer, diabetes, one of torchvision's sets, an image folder, "
        "a .csv, an .npz or package.module:function.",
        rich_help_panel=_DATA,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(help="A class-balanced subset of so many samples.", rich_help_panel=_DATA),
]
ImageSize = Annotated[
    int | None, typer.Option(help="Side of the images in pixels.", rich_help_panel=_DATA)
]
Target = Annotated[
    str | None, typer.Option(help="Column of a .csv to predict.", rich_help_panel=_DATA)
]
Model = Annotated[
    str | None,
    typer.Option(
        help="mlp or cnn, with :small or :medium, or package.module:function.",
        rich_help_panel=_DATA,
    ),
]
SpaceName = Annotated[
    str | None,
    typer.Option("--space", help="documented, full or small.", rich_help_panel=_SPACE),
]
Fix = Annotated[
    list[str] | None,
    typer.Option(
        help="Hold a factor or a hyperparameter: optimizer=adamw, optimizer.adamw.lr=1e-3.",
        rich_help_panel=_SPACE,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(help="Hold a factor at its baseline: augment_mix.", rich_help_panel=_SPACE),
]
Range = Annotated[
    list[str] | None,
    typer.Option(
        "--range", help="Another range: optimizer.sgd.lr=1e-3:1:log.", rich_help_panel=_SPACE
    ),
]
Choices = Annotated[
    list[str] | None,
    typer.Option(
        help="Some options only, the first being the baseline: activation=relu,gelu.",
        rich_help_panel=_SPACE,
    ),
]
Epochs = Annotated[
    int | None, typer.Option(help="Epochs of every run (default 15).", rich_help_panel=_STUDY)
]
Seed = Annotated[
    int | None, typer.Option(help="Seed of the study (default 0).", rich_help_panel=_STUDY)
]
PresetName = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="smoke (49 runs), quick (177, the default), standard (353) or deep (673).",
        rich_help_panel=_STUDY,
    ),
]
StudyName = Annotated[
    str | None,
    typer.Option("--study", help="Name of the study.", rich_help_panel=_STUDY),
]
StorageUrl = Annotated[
    str | None,
    typer.Option(
        envvar=["STUDY_STORAGE", "OPTUNA_STORAGE"],
        show_envvar=False,
        help="Database URL (default sqlite:///runs/studies.db; also STUDY_STORAGE).",
        rich_help_panel=_STUDY,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes (default: one per GPU or core).", rich_help_panel=_RUNNING),
]
PerGpu = Annotated[
    int,
    typer.Option("--per-gpu", min=1, help="Processes on each GPU.", rich_help_panel=_RUNNING),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=_RUNNING)]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="Place the workers elsewhere: dask://HOST:PORT or ray://HOST:PORT; or print what "
        "places them: slurm, compose or kubernetes.",
        rich_help_panel=_RUNNING,
    ),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Import the functions that a stored study names as its data or model.",
        rich_help_panel=_RUNNING,
    ),
]
Heartbeat = Annotated[
    float | None,
    typer.Option(
        help="Seconds between two signs of life of a worker (default 5).",
        rich_help_panel=_FAULTS,
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        help="Seconds of silence after which a worker's run is given to another (default 30).",
        rich_help_panel=_FAULTS,
    ),
]
Checkpoint = Annotated[
    float | None,
    typer.Option(
        help="Seconds of training between two checkpoints (default 60).", rich_help_panel=_FAULTS
    ),
]
RetryTimeout = Annotated[
    float | None,
    typer.Option(
        help="Seconds to wait for a database that does not answer (default 600).",
        rich_help_panel=_FAULTS,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
