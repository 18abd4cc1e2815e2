"""Write the folder of an exported model: network, data, numbers, model card, and two programs."""

import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import save_file

from training_factors.storage.files import write_folder
from training_factors.storage.trials import Trial
from training_factors.study.analysis.model_metrics import ModelMetrics
from training_factors.study.exporting.data_parts import write_data
from training_factors.study.exporting.onnx_file import WholeNetwork, write_onnx
from training_factors.study.exporting.own_code import own_files, refuse_names
from training_factors.study.exporting.trained_network import (
    TrainedNetwork,
    TrainingJob,
    plain_weights,
)
from training_factors.study.reporting.analyses import StudyData
from training_factors.study.reporting.model_card import (
    FILES,
    ExportedModel,
    configuration_file,
    render_model_card,
)
from training_factors.study.reporting.model_summary import metrics_document
from training_factors.study.running.preparation import PACKAGES, PreparedStudy

CARD = "README.md"
"""Name of the file with the model card."""


class ModelFolder(NamedTuple):
    """What goes into the folder of an exported model, but for the trained network.

    data, trial: the study and its run whose configuration it is. on: samples trained on. onnx:
    whether to write model.onnx. with_data: whether to write data.safetensors.
    """

    data: StudyData
    trial: Trial
    prepared: PreparedStudy
    job: TrainingJob
    on: str
    onnx: bool
    with_data: bool

    @property
    def own_files(self) -> list[Path]:
        """Return what is copied of the user's own model; nothing for any other model."""
        return own_files(self.prepared.definition.model)

    def write(
        self, folder: Path, network: TrainedNetwork, metrics: ModelMetrics
    ) -> tuple[str, ...]:
        """Write all files, or none; return their names. folder: a new one."""
        with write_folder(folder) as partial:
            self._write_network(partial, network, metrics.weights)
            for name, text in self._texts(network.seed, metrics).items():
                (partial / name).write_text(text, encoding="utf-8")
            for path in self.own_files:
                _copy(path, partial / path.name)
            names = sorted(path.name for path in partial.iterdir())
            card = render_model_card(self._model(metrics, [*names, CARD]))
            (partial / CARD).write_text(card, encoding="utf-8")
        return (*names, CARD)

    def _write_network(self, folder: Path, network: TrainedNetwork, weights: str) -> None:
        """Write the weights, and the data and the ONNX file where they are wanted."""
        assert network.network is not None and network.normalize is not None, "it did not diverge"
        state = plain_weights(network.network)
        save_file(state, folder / "model.safetensors", {"format": "pt", "weights": weights})
        if self.with_data:
            write_data(folder / "data.safetensors", self.prepared)
        if self.onnx:
            scale = self.job.data.target_scale
            whole = WholeNetwork(network.network, network.normalize, scale)
            write_onnx(folder / "model.onnx", whole, self.job.data.validation.inputs)

    def _texts(self, seed: int, metrics: ModelMetrics) -> dict[str, str]:
        """Return the text of every file that has one, but for the model card."""
        model = self._model(metrics)
        documents: dict[str, object] = {
            "metrics.json": metrics_document(metrics, model.confirmation),
        }
        if self.prepared.dataset.classes is not None:
            documents["classes.json"] = list(self.prepared.dataset.classes)
        return {
            "config.toml": configuration_file(model),
            **{name: _as_json(document) for name, document in documents.items()},
        }

    def _model(self, metrics: ModelMetrics, files: Sequence[str] = ()) -> ExportedModel:
        versions = {package: version(package) for package in PACKAGES}
        return ExportedModel(self.data, self.trial, metrics, files, versions)


def _copy(path: Path, place: Path) -> None:
    """Copy a file, or a folder without what Python has compiled."""
    if path.is_dir():
        shutil.copytree(path, place, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(path, place)


def _as_json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def refuse_unwritable(folder: ModelFolder, seed: int) -> None:
    """Raise ValueError, before anything is trained, for a model that cannot leave as a program."""
    refuse_names(folder.own_files, set(FILES))
