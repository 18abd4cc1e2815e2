"""The options that several verbs share: names, types and help texts."""

from typing import Annotated, Any

import typer

_DATA, _SPACE, _STUDY = "Data and model", "Search space", "Study"
_RUNNING, _FAULTS = "Running", "Fault tolerance"

Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="digits, wine, breast_cancer, diabetes, one of torchvision's sets, an image folder, "
        "a table (.csv, .parquet), an .npz, or file.py:function or package.module:function.",
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
    str | None, typer.Option(help="Column of a table to predict.", rich_help_panel=_DATA)
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
Scale = Annotated[
    str | None,
    typer.Option(
        help="Values of image arrays that are black and white: 0:1, -1:1.", rich_help_panel=_DATA
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="Table with the file and the class of each image of a folder.", rich_help_panel=_DATA
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(help="Leave columns of a table out: age,name.", rich_help_panel=_DATA),
]
Impute = Annotated[
    str | None,
    typer.Option(
        help="How missing numbers are filled from the training part: median (the default) or "
        "most_frequent; none refuses them.",
        rich_help_panel=_DATA,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        help="Column or array of groups, such as patients: a group stays in one part.",
        rich_help_panel=_DATA,
    ),
]
GroupFrom = Annotated[
    str | None,
    typer.Option(
        help="Regular expression that finds the group in an image's path: 'patient(\\d+)'.",
        rich_help_panel=_DATA,
    ),
]
SplitColumn = Annotated[
    str | None,
    typer.Option(
        help="Column with the part of each row: train, validation or test.", rich_help_panel=_DATA
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="mlp (the default) or cnn (that of image folders), with :small or :medium; "
        "torchvision:NAME or timm:NAME; your own as file.py:callable or package.module:callable.",
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
        help="Add the factors of Python files of yours: factors.py.",
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
        help="Do not vary these factors, keep their baselines: augment_mix,dropout.",
        rich_help_panel=_SPACE,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        help="Vary these factors alone: optimizer,residual; all others keep their baselines, or "
        "what --fix says.",
        rich_help_panel=_SPACE,
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
        help="Vary only these options, the first is the baseline: activation=relu,gelu; or these "
        "values of a hyperparameter: batch_size=16,32, optimizer.adamw.lr=1e-3,3e-3.",
        rich_help_panel=_SPACE,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        help="What is maximized: accuracy (the default), balanced_accuracy, macro_f1, kappa, auc, "
        "log_loss; r2 (the default for regression), rmse, mae. Losses are minimized.",
        rich_help_panel=_STUDY,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="Of forward passes: auto (the default: the faster one for this model on this machine, "
        "then the same for all workers), float32 or bfloat16.",
        rich_help_panel=_STUDY,
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
Repeats = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Number of rows that run with two more seeds each, instead of the preset's.",
        rich_help_panel=_STUDY,
    ),
]
Search = Annotated[
    int | None,
    typer.Option(
        min=0, help="Runs of the search, instead of the preset's.", rich_help_panel=_STUDY
    ),
]
Hours = Annotated[
    float | None,
    typer.Option(
        "--hours",
        help="Hours that it may take; picks the size that fits.",
        rich_help_panel=_STUDY,
    ),
]
Divisions = Annotated[
    int,
    typer.Option(
        min=1,
        help="Run the repeated configurations under this many divisions of the data too, to see "
        "how much the division matters; adds to a stored study.",
        show_default=False,
        rich_help_panel=_STUDY,
    ),
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        "--also",
        help="TOML files of your own configurations, as recommend writes them: they take part in "
        "the search and in confirm.",
        rich_help_panel=_STUDY,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        help="Study file: TOML with these options and a table per factor. What is named here "
        "replaces what the file says: a list as a whole, a change of a factor for that factor.",
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
        min=0,
        help="Worker processes (default: one per GPU, or per core); 0 trains in this process.",
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
Start = Annotated[
    str | None,
    typer.Option(
        help="How worker processes come about: fork (on Linux without a GPU), spawn (anywhere) or "
        "none (train in this process); default: the fastest that works.",
        rich_help_panel=_RUNNING,
    ),
]
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
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Show results and errors only: no progress, no messages."),
]

DEFINITION_OPTIONS: dict[str, Any] = {
    "source": Data,
    "target": Target,
    "task": Task,
    "limit": Limit,
    "image_size": ImageSize,
    "fit": Fit,
    "scale": Scale,
    "labels": Labels,
    "ignore": Ignore,
    "impute": Impute,
    "group": Group,
    "group_from": GroupFrom,
    "split_column": SplitColumn,
    "model": Model,
    "weights": WeightsFile,
    "space": SpaceName,
    "factors": FactorFiles,
    "fix": Fix,
    "drop": Drop,
    "only": Only,
    "range": Range,
    "choices": Choices,
    "metric": Metric,
    "precision": Precision,
    "epochs": Epochs,
    "seed": Seed,
}
"""Field of `training_factors.storage.definition.Definition` -> its option."""

RUN_OPTIONS: dict[str, Any] = {
    "preset": PresetName,
    "rows": Rows,
    "repeats": Repeats,
    "search": Search,
    "hours": Hours,
    "divisions": Divisions,
    "also": Also,
    "study": NewStudyName,
    "storage": StorageUrl,
    "workers": Workers,
    "per_gpu": PerGpu,
    "device": Device,
    "start": Start,
    "cluster": Cluster,
    "heartbeat": Heartbeat,
    "grace": Grace,
    "checkpoint": Checkpoint,
    "retry_timeout": RetryTimeout,
}
"""Field of `training_factors.study.api.study_file.RunOptions` -> its option."""
