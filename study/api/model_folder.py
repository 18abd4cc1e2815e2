"""Write the folder of an exported model: network, data, numbers, model card, and two programs."""

import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import save_file

from training_factors.search_spaces.recipe import Transform
from training_factors.storage.files import write_folder
from training_factors.storage.trials import Trial
from training_factors.study.analysis.model_metrics import ModelMetrics
from training_factors.study.data.division import divide
from training_factors.study.exporting.data_parts import write_data
from training_factors.study.exporting.normalization import model_metadata
from training_factors.study.exporting.onnx_file import WholeNetwork, write_onnx
from training_factors.study.exporting.own_code import own_files, refuse_names
from training_factors.study.exporting.preprocessing import describe_preprocessing
from training_factors.study.exporting.script_content import ScriptContent
from training_factors.study.exporting.trained_network import (
    TrainedNetwork,
    TrainingJob,
    fit_normalization,
    plain_weights,
)
from training_factors.study.exporting.training_loop import STARTING_WEIGHTS
from training_factors.study.exporting.training_script import (
    render_loading_script,
    render_training_script,
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
from training_factors.study.training.loop import batches_at_once, training_part

CARD = "README.md"
"""Name of the file with the model card."""


class ModelFolder(NamedTuple):
    """The content of the folder of an exported model, but for the trained network.

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
    def own_files(self) -> dict[str, Path]:
        """Return name -> what is copied of the user's own model; nothing for any other model."""
        return own_files(self.prepared.definition.model)

    def write(
        self, folder: Path, network: TrainedNetwork, metrics: ModelMetrics
    ) -> tuple[str, ...]:
        """Write all files, or none; return their names. folder: a new one."""
        with write_folder(folder) as partial:
            self._write_network(partial, network, metrics.weights)
            programs = self.programs(network.seed, network.normalize)
            for name, text in {**programs, **self._texts(metrics)}.items():
                (partial / name).write_text(text, encoding="utf-8")
            for name, path in self.own_files.items():
                _copy(path, partial / name)
            names = sorted(path.name for path in partial.iterdir())
            card = render_model_card(self._model(metrics, [*names, CARD]))
            (partial / CARD).write_text(card, encoding="utf-8")
        return (*names, CARD)

    def _write_network(self, folder: Path, network: TrainedNetwork, weights: str) -> None:
        """Write the weights, and the data and the ONNX file where they are wanted."""
        assert network.network is not None, "it did not diverge"
        about = model_metadata(weights == "averaged", network.normalize)
        save_file(plain_weights(network.network), folder / "model.safetensors", about)
        start = self.job.model.weights
        if start is not None:
            copied = {name: one.contiguous().clone() for name, one in start.items()}
            save_file(copied, folder / STARTING_WEIGHTS)
        if self.with_data:
            write_data(folder / "data.safetensors", self.prepared)
        if self.onnx:
            scale = self.job.data.target_scale
            whole = WholeNetwork(network.network, network.normalize, scale)
            write_onnx(folder / "model.onnx", whole, self.job.data.validation.inputs[:])

    def _texts(self, metrics: ModelMetrics) -> dict[str, str]:
        """Return the text of the configuration, the numbers and the classes."""
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

    def programs(self, seed: int, normalize: Transform) -> dict[str, str]:
        """Return the two programs, and the document by which load.py encodes new inputs.

        seed: of the network. normalize: its fitted normalization.

        Raises ValueError for what cannot be written as a program.
        """
        dataset, content = self.prepared.dataset, self._script(seed)
        pool = divide(dataset, self.prepared.definition.seed).pool
        preprocessing = describe_preprocessing(dataset, pool, content.target_scale, normalize)
        return {
            "train.py": render_training_script(content),
            "load.py": render_loading_script(content, preprocessing),
            "preprocess.json": _as_json(preprocessing.as_document()),
        }

    def _script(self, seed: int) -> ScriptContent:
        job, stamp = self.job, self.data.study.stamp
        part = training_part(job.recipe, job.data, seed)
        batch_size = min(job.recipe.batch_size, len(part.inputs))
        origin = f"run #{self.trial.number} of {self.data.study.name}"
        return ScriptContent(
            title=f"{stamp.model} on {stamp.data.name}: {origin}",
            recipe=job.recipe,
            model=job.model,
            problem=job.data.problem,
            epochs=job.epochs,
            seed=seed,
            metric=job.metric,
            target_scale=job.data.target_scale,
            augmented_at_once=batches_at_once(batch_size, part.inputs[:1].cpu()),
            on=self.on,
            settings=self.trial.parameters,
        )

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
    refuse_names(folder.own_files, FILES)
    folder.programs(seed, fit_normalization(folder.job, seed))
