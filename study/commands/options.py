"""The options that several verbs share: names, types and help texts."""

from typing import Annotated

import typer

_DATA, _SPACE, _STUDY = "Data and model", "Search space", "Study"
_RUNNING, _FAULTS = "Running", "Fault tolerance"

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="digits, wine, breast_cancer, diabetes, one of torchvision's sets, an image folder, "
        "a .csv or .npz file, or file.py:function or package.module:function.",
        rich_help_panel=_DATA,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(help="Use a class-balanced subset of this many samples.", rich_help_panel=_DATA),
]
ImageSize = Annotated[
    int | None,
    typer.Option(help="Resize images to squares with this side, in pixels.", rich_help_panel=_DATA),
]
Target = Annotated[
    str | None, typer.Option(help="Column of a .csv file to predict.", rich_help_panel=_DATA)
]
Task = Annotated[
    str | None,
    typer.Option(
        help="classification or regression, where the values to predict leave it open.",
        rich_help_panel=_DATA,
    ),
]
Fit = Annotated[
    str | None,
    typer.Option(
        help="How images of other shapes come to one: pad (black borders, the default), crop or "
        "stretch.",
        rich_help_panel=_DATA,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="mlp or cnn, with :small or :medium; torchvision:NAME or timm:NAME; your own as "
        "file.py:callable or package.module:callable.",
        rich_help_panel=_DATA,
    ),
]
WeightsFile = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Start from the weights of a .safetensors file or a saved state dictionary.",
        rich_help_panel=_DATA,
    ),
]
SpaceName = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="documented (default), full (all factors) or small (six factors).",
        rich_help_panel=_SPACE,
    ),
]
FactorFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--factor",
        help="Add the factors of a Python file of yours: factors.py.",
        rich_help_panel=_SPACE,
    ),
]
Fix = Annotated[
    list[str] | None,
    typer.Option(
        help="Fix a factor or a hyperparameter: optimizer=adamw, optimizer.adamw.lr=1e-3.",
        rich_help_panel=_SPACE,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        help="Do not vary a factor, keep its baseline: augment_mix.", rich_help_panel=_SPACE
    ),
]
Range = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        help="Set the range of a hyperparameter: optimizer.sgd.lr=1e-3:1:log.",
        rich_help_panel=_SPACE,
    ),
]
Choices = Annotated[
    list[str] | None,
    typer.Option(
        help="Vary only these options, the first is the baseline: activation=relu,gelu.",
        rich_help_panel=_SPACE,
    ),
]
Epochs = Annotated[
    int | None, typer.Option(help="Epochs of each run (default 15).", rich_help_panel=_STUDY)
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
Rows = Annotated[
    int | None,
    typer.Option(
        min=16,
        help="Configurations to measure, instead of those of the preset; adds to a stored study.",
        rich_help_panel=_STUDY,
    ),
]
StudyName = Annotated[
    str | None,
    typer.Option(
        "--study", help="Name of the study (default: the only one).", rich_help_panel=_STUDY
    ),
]
NewStudyName = Annotated[
    str | None,
    typer.Option(
        "--study",
        help="Name of the study (default: from data and model, such as digits-mlp).",
        rich_help_panel=_STUDY,
    ),
]
StorageUrl = Annotated[
    str | None,
    typer.Option(
        envvar=["STUDY_STORAGE", "OPTUNA_STORAGE"],
        show_envvar=False,
        help="Database URL (default sqlite:///runs/studies.db), or the environment variable "
        "STUDY_STORAGE.",
        rich_help_panel=_STUDY,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Worker processes (default: one per GPU, or per core).",
        rich_help_panel=_RUNNING,
    ),
]
PerGpu = Annotated[
    int,
    typer.Option(
        "--per-gpu", min=1, help="Worker processes on each GPU.", rich_help_panel=_RUNNING
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=_RUNNING)]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="dask://HOST:PORT or ray://HOST:PORT runs the workers on a cluster; the command "
        "worker also takes slurm, compose or kubernetes: it then prints a file that starts the "
        "workers.",
        rich_help_panel=_RUNNING,
    ),
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Allow importing the code that the stored study names as data, model or factors.",
        rich_help_panel=_RUNNING,
    ),
]
Heartbeat = Annotated[
    float | None,
    typer.Option(
        help="Seconds between two heartbeats of a worker (default 5).",
        rich_help_panel=_FAULTS,
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        help="Seconds without a heartbeat after which a worker's run is requeued (default 30).",
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
        "--retry-timeout",
        help="Seconds to retry while the database does not answer (default 600).",
        rich_help_panel=_FAULTS,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
