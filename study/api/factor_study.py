"""A study as Python uses it: what `training_factors.run` and `load` return."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from joblib import cpu_count

from training_factors.storage.database import open_database
from training_factors.storage.files import check_parent
from training_factors.storage.run_queue import StudyGoneError
from training_factors.storage.studies import Study, load_study
from training_factors.storage.trials import read_trials
from training_factors.study.analysis.answer import NoAnswer
from training_factors.study.analysis.checks import Check
from training_factors.study.analysis.reproduction import Reproduction
from training_factors.study.api.confirming import Wanted, confirm_study
from training_factors.study.api.deleting import Deletion, delete_study
from training_factors.study.api.execution import (
    StudyStoppedError,
    describe_stop,
    kept_process_settings,
    stop_reason,
    worker_settings,
)
from training_factors.study.api.explaining import explain_outcomes
from training_factors.study.api.opening import database_url
from training_factors.study.api.output import choose_output
from training_factors.study.api.reproducing import reproduce
from training_factors.study.api.results import Confirmed, Importance, Recommended
from training_factors.study.api.settings import FilePath, Given, check_timing
from training_factors.study.reporting.analyses import read_study_data
from training_factors.study.reporting.confirmation_table import read_confirmation
from training_factors.study.reporting.other_metric import answer_for_metric
from training_factors.study.reporting.recommendation_table import compute_recommendation
from training_factors.study.reporting.report import checks_of, read_report
from training_factors.study.reporting.status import StudyStatus, compute_status

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from training_factors.study.api.model_export import Exported
    from training_factors.study.running.settings import StartMethod, WorkerTiming


class FactorStudy:
    """A study of training factors: its trials, its answer, and what follows from them.

    Everything is read from the database when it is asked for, so that a study that other processes
    work on shows its present state. An answer that takes seconds is computed once and cached there.

    study: as `training_factors.storage` opens it. storage: URL of its database, as it was given.
    given: the Python objects that it uses as data or model. trusted: whether the caller named the
    code that the study imports.
    """

    def __init__(
        self,
        study: Study,
        storage: str | None = None,
        given: Given | None = None,
        *,
        trusted: bool = False,
    ) -> None:
        self._study, self._storage = study, storage
        self._given, self._trusted = given or Given(), trusted

    @property
    def name(self) -> str:
        """The name of the study."""
        return self._study.name

    @property
    def folder(self) -> Path:
        """The folder of the study's files: its report and its logs."""
        return self._study.folder

    @property
    def objective(self) -> str:
        """The name of the metric that the study maximizes on the validation part."""
        return self._study.stamp.objective

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was done to the data, factors left out, and how the model is used."""
        stamp = self._study.stamp
        left_out = (f"left out: {name} ({reason})" for name, reason in stamp.left_out)
        return (*stamp.data_report.lines(), *left_out, *stamp.notes)

    @property
    def status(self) -> StudyStatus:
        """The progress of the study: its runs, workers, failures and best run."""
        return compute_status(self._study)

    def trials(self) -> "pd.DataFrame":
        """Return one row per trial; the columns are those of `frames.trials_frame`."""
        from training_factors.study.reporting.frames import trials_frame

        return trials_frame(read_trials(self._study), self._study.stamp.space)

    def importance(self, *, of: str | None = None, jobs: int | None = None) -> Importance:
        """Return the importance of every factor, how sure it is, and the verdict.

        of: another metric than the objective, of those that every run has stored, as `log_loss`.
        jobs: number of processes that compute it; None for one per core.

        Raises NoAnswer when too few configurations were measured, ValueError for a metric that the
        study has not stored.
        """
        if of is not None:
            found = answer_for_metric(self._study, of, jobs or cpu_count())
            return Importance(self.name, self._study.stamp.data.name, found.objective, found.answer)
        data = read_study_data(self._study, jobs or cpu_count())
        stamp = self._study.stamp
        return Importance(
            self.name, stamp.data.name, stamp.objective, data.require_answer(),
            conclusion=data.conclusion,
        )  # fmt: skip

    def recommend(self) -> Recommended:
        """Return what to set for every factor, each with its evidence.

        Raises NoAnswer when too few configurations were measured.
        """
        return Recommended(compute_recommendation(self._study, cpu_count()))

    def explanations(self) -> dict[str, str]:
        """Return what runs that failed or diverged have in common, as far as settings explain it.

        The keys are reasons of failures, and `diverged`.
        """
        return explain_outcomes(self._study, self.status)

    def checks(self) -> tuple[Check, ...]:
        """Return the weaknesses of the study, each with its remedy, the most serious first.

        The words of a remedy are options of the command line: `("--rows", "256")` is `rows=256`.
        """
        return checks_of(read_study_data(self._study, cpu_count()))

    def charts(self) -> dict[str, str]:
        """Return the names of the charts that the study has, each with its title."""
        from training_factors.study.reporting.chart_list import charts_of

        report = read_report(self._study, cpu_count())
        return {name: chart.title for name, chart in charts_of(report).items()}

    def plot(self, name: str = "importance") -> "Figure":
        """Return a chart of the report as a matplotlib figure.

        name: one of `charts()`. Raises ValueError when the study has no such chart, NoAnswer when
        no run is complete.
        """
        from training_factors.study.reporting.chart_list import charts_of, find_chart
        from training_factors.study.reporting.matplotlib_charts import (
            NotebookFigure,
            draw_chart,
        )

        charts = charts_of(read_report(self._study, cpu_count()))
        return draw_chart(find_chart(charts, name), NotebookFigure)

    def report(self, path: FilePath | None = None) -> Path:
        """Write the full report as one HTML page; return where it lies.

        path: of the file, in a folder that exists; None for `report.html` in the study's folder.
        Raises NoAnswer when no run is complete, ValueError for a folder that does not exist.
        """
        from training_factors.study.api.reports import write_report_page

        file = None if path is None else Path(path)
        if file is not None:
            check_parent(file)
        report = read_report(self._study, cpu_count())
        return write_report_page(self._study, report, self._storage, file).path

    def export(
        self,
        path: FilePath | None = None,
        *,
        trial: int | None = None,
        seeds: int = 1,
        on: Literal["pool", "all"] = "pool",
        onnx: bool = False,
        with_data: bool = True,
        device: str = "auto",
        allow_code: bool = False,
        progress: bool | None = None,
    ) -> "Exported":
        """Train the best configuration and write it as a folder to take home; return what it holds.

        It is trained in this process, with the seed of its run first, so that this network must be
        the one of the study. The folder has the weights, the data, the metrics, a model card, and
        two programs that need torch and safetensors alone.

        path: of a new folder, in one that exists; None for `export` in the study's folder. trial:
        number of another run to take. seeds: number of networks; the one with the median value on
        the validation part is written. on: train on the training part, or with `all` on the
        validation part as well. onnx: write model.onnx too, which needs the extra [onnx].
        with_data: write the data, which train.py needs. device, allow_code, progress: as of
        `training_factors.run`.

        Raises ValueError for wrong input, a run that did not reach its end and a folder that is not
        empty, NoAnswer when no run is complete. Nothing is written then.
        """
        from training_factors.study.api.model_export import ExportRequest, export_model

        settings = worker_settings(
            storage=self._storage, workers=0, per_gpu=1, device=device, start=None, cluster=None,
            allow_code=allow_code or self._trusted, timing=check_timing(),
        )._replace(given=self._given)  # fmt: skip
        request = ExportRequest(trial, seeds, on, onnx, with_data)
        folder = None if path is None else Path(path)
        return export_model(
            self._study, folder, request, settings, choose_output(progress), cpu_count()
        )

    def export_tables(self, folder: FilePath, form: str = "csv") -> list[Path]:
        """Write all tables into a folder; return the files.

        folder: is created if missing; the folder that holds it must exist. form: `csv`, or
        `parquet` with the extra [parquet]. Raises ValueError when it is neither, and for a missing
        folder.
        """
        from training_factors.study.api.exports import tables_of, write_tables

        check_parent(Path(folder))
        return write_tables(
            tables_of(read_study_data(self._study, cpu_count())), Path(folder), form
        )

    def confirm(
        self,
        factors: Sequence[str] | None = None,
        *,
        difference: float | None = None,
        top: int | None = None,
        seeds: int | None = None,
        hours: float | None = None,
        path: bool = False,
        retry_failed: bool = False,
        workers: int | None = None,
        per_gpu: int = 1,
        device: str = "auto",
        start: "StartMethod | None" = None,
        cluster: str | None = None,
        allow_code: bool = False,
        timing: "WorkerTiming | None" = None,
        progress: bool | None = None,
    ) -> Confirmed:
        """Compare the best configuration with one-factor changes in paired runs on the test part.

        factors: their names; None for the five with the largest shares, and all that the verdict
        names. difference: the smallest one to detect, in points of the objective or in the unit of
        a loss; it sets the number of seeds. None for one point, or for 1 % of the loss at chance.
        top: number of the best configurations that are ranked again; None for five. seeds: of each
        variant, 3 or more, instead of as many as the difference needs. hours: that it may take;
        the largest number of seeds, and then of candidates, that fits is chosen. path: also run
        the path from the baseline to the best configuration, one factor at a time. retry_failed:
        run those again that failed; what is not named stays as it was. The others are as of
        `training_factors.run`.

        Raises StudyStoppedError when it stops before its end, NoAnswer when too few configurations
        were measured, ValueError for wrong input.
        """
        study = load_study(open_database(database_url(self._storage)), self.name)
        wanted = Wanted(factors, difference, top, seeds, hours, path, retry_failed)
        settings = worker_settings(
            storage=self._storage, workers=workers, per_gpu=per_gpu, device=device, start=start,
            cluster=cluster, allow_code=allow_code or self._trusted,
            timing=timing or check_timing(),
        )._replace(given=self._given)  # fmt: skip
        with kept_process_settings():
            code, confirming = confirm_study(
                study, wanted, settings, choose_output(progress), cpu_count()
            )
        stop_if_interrupted(confirming, code)
        return Confirmed(read_confirmation(study, confirming))

    def reproduce(
        self, number: int, *, device: str = "auto", allow_code: bool = False
    ) -> Reproduction:
        """Train a run again in this process, and return how the results compare.

        number: of the run, that is of its trial. device: `auto`, `cpu`, `cuda` or `cuda:N`.
        allow_code: allow importing code that only the stored study names. Nothing is stored.

        Raises ValueError for a run that is not there or was not trained to its end.
        """
        settings = worker_settings(
            storage=self._storage, workers=0, per_gpu=1, device=device, start=None, cluster=None,
            allow_code=allow_code or self._trusted, timing=check_timing(),
        )._replace(given=self._given)  # fmt: skip
        return reproduce(self._study, number, settings)

    def delete(self) -> Deletion:
        """Delete the study, its confirmation, its runs and answers, and the files in its folder.

        Nobody is asked. Returns what was deleted, with the files that are kept because this tool
        has not written them. A study that confirms another one is deleted alone.

        Raises ValueError while workers run the study, StudyGoneError if it is not there any more.
        """
        opened = load_study(open_database(database_url(self._storage)), self.name)
        if opened.key != self._study.key:
            raise StudyGoneError(f"study {self.name!r} was deleted, and another one is called so")
        return delete_study(opened, self._storage)

    def __repr__(self) -> str:
        return f"FactorStudy({self.name!r}, {self._study.database.url!r})"

    def _repr_html_(self) -> str:
        try:
            shown = self.importance()._repr_html_()
        except NoAnswer as error:
            shown = f"<p>{html.escape(str(error))}</p>"
        status = self.status
        facts = f"{self.name}: {status.done} of {status.total} runs on {status.data}"
        return f"<p>{html.escape(facts)}</p>{shown}"


def stop_if_interrupted(study: Study, code: int) -> None:
    """Raise StudyStoppedError, with the reason, for the exit code of workers that ended early."""
    if code:
        words = (stop_reason(study, code), describe_stop(study))
        raise StudyStoppedError("; ".join(each for each in words if each), code)
