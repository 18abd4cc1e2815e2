"""Draw the plan of a study: its size, and about how long it takes."""

from collections.abc import Mapping
from typing import Protocol

from rich.console import RenderableType
from rich.table import Table

from training_factors.storage.data_report import DataReport
from training_factors.storage.stamp import describe_left_out
from training_factors.study.reporting.formatting import describe_objective, plural
from training_factors.study.reporting.status import about_runs, about_time, format_duration


class StudyPlan(Protocol):
    """The size and the expected duration of a study.

    `study.running.planning.Plan` is one; reporting may not import the running side.
    """

    @property
    def data(self) -> str:
        """Name of the data."""

    @property
    def samples(self) -> int:
        """Number of samples."""

    @property
    def data_report(self) -> DataReport:
        """Notes on what was done to the data, and its parts."""

    @property
    def model(self) -> str:
        """Name of the network, `mlp:small`."""

    @property
    def objective(self) -> str:
        """Name of what is maximized."""

    @property
    def epochs(self) -> int:
        """Number of epochs per run."""

    @property
    def precision(self) -> str:
        """Precision of forward passes, and why it was chosen."""

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors that vary."""

    @property
    def parameters(self) -> int:
        """Number of options and hyperparameters that vary."""

    @property
    def left_out(self) -> tuple[tuple[str, str], ...]:
        """Name and reason of everything that does not apply to the data or act on the model."""

    @property
    def reach(self) -> Mapping[str, str]:
        """Say, by factor, how the recipe reaches a model that is not built in."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know about how the model is used."""

    @property
    def device(self) -> str:
        """Device of the workers."""

    @property
    def size(self) -> str:
        """Numbers of configurations that are measured, repeated and searched, in words."""

    @property
    def runs(self) -> int:
        """Number of runs."""

    @property
    def workers(self) -> int:
        """Number of workers."""

    @property
    def probes_s(self) -> tuple[float, ...]:
        """Seconds of each probe run."""

    @property
    def seconds(self) -> float:
        """Expected duration of the study in seconds."""

    @property
    def confirm_runs(self) -> tuple[int, int]:
        """The least and the largest number of runs of the confirmation that follows."""

    @property
    def confirm_seconds(self) -> tuple[float, float]:
        """Expected duration of the confirmation in seconds, the shortest and the longest."""


def draw_plan(plan: StudyPlan) -> RenderableType:
    """Draw the plan as a short table, for the verb `plan`."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    mean_s = sum(plan.probes_s) / len(plan.probes_s)
    workers = plural(plan.workers, "worker")
    rows = {
        "data": f"{plan.data}, {plural(plan.samples, 'sample')}",
        "": "\n".join(plan.data_report.lines()),
        "model": f"{plan.model}, {plural(plan.epochs, 'epoch')} per run",
        "precision": plan.precision,
        "objective": f"validation {describe_objective(plan.objective)}",
        "varied": f"{plural(len(plan.factors), 'factor')}, {plural(plan.parameters, 'dimension')}",
        "act": ", ".join(f"{name} ({words})" for name, words in plan.reach.items()),
        "left out": describe_left_out(plan.left_out),
        "note": "; ".join(plan.notes),
        "size": plan.size,
        "device": f"{plan.device}, {workers}",
        "probe runs": " and ".join(f"{seconds:.2f} s" for seconds in plan.probes_s),
        "time": f"{plural(plan.runs, 'run')} x {mean_s:.2f} s / {workers}"
        f" = about {format_duration(plan.seconds)}",
    }
    if plan.factors:
        rows["confirm"] = (
            f"then about {about_runs(*plan.confirm_runs)}, about "
            f"{about_time(*plan.confirm_seconds)}"
        )
    for name, text in rows.items():
        if text:
            table.add_row(name, text)
    return table
