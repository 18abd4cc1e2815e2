"""Describe an exported model in words: the model card, the README.md of its folder."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from training_factors.storage.metrics import Metric, metric_of
from training_factors.storage.stamp import DataStamp, Stamp
from training_factors.storage.study_file_text import complete_settings, fixed_study_file
from training_factors.storage.trials import Trial
from training_factors.study.analysis.contrasts import Confirmation, ConfirmedPath
from training_factors.study.analysis.model_metrics import MetricMean, ModelMetrics
from training_factors.study.analysis.recommendation import chosen_setting, recommend
from training_factors.study.reporting.analyses import StudyData, confirmation_of
from training_factors.study.reporting.charts import path as path_chart
from training_factors.study.reporting.confirmation_table import contrast_cells
from training_factors.study.reporting.formatting import (
    as_sentence,
    decimals,
    format_settings,
    plural,
    unit_of,
)
from training_factors.study.reporting.markdown import (
    Markdown,
    code_span,
    escape_markdown,
    markdown_table,
)
from training_factors.study.reporting.model_summary import ON, WEIGHTS
from training_factors.study.reporting.recommendation_table import evidence_remark
from training_factors.study.reporting.reproduction_table import describe_reproduction

LIBRARIES = ("torchvision", "timm")
"""Packages that bring the models named after them."""

LISTED_CLASSES = 20
"""Number of classes that the card names; of more it gives the number."""

FILES = {
    "config.toml": "the configuration as a study file",
    "model.safetensors": "the weights of the trained network",
    "model.onnx": "the network with its normalization; its input is as in data.safetensors",
    "data.safetensors": "the training, validation and test part of the data",
    "preprocess.json": "how a file or a row becomes the input of the network",
    "start.safetensors": "the weights that training starts from",
    "classes.json": "the names of the classes, in the order of the outputs",
    "metrics.json": "the numbers of this page, of every network",
    "train.py": "trains this configuration in plain PyTorch, and writes model.safetensors anew",
    "load.py": "predicts with the trained network",
    "README.md": "this page",
}
"""Name of a file of the folder -> what it holds, in words."""

OWN_CODE = "code of the model, copied as it was; packages that it imports must be installed"
"""Words for the files of the user's model."""


class ExportedModel(NamedTuple):
    """Everything that the card of a model is about.

    data: the study that it comes from. trial: the run whose configuration it has. files: names of
    those of the folder. versions: package -> version, of this process.
    """

    data: StudyData
    trial: Trial
    metrics: ModelMetrics
    files: Sequence[str]
    versions: Mapping[str, str]

    @property
    def stamp(self) -> Stamp:
        """Return the stamp of the study."""
        return self.data.study.stamp

    @property
    def metric(self) -> Metric:
        """Return the metric that the study maximizes."""
        return metric_of(self.stamp.objective)

    @property
    def is_best(self) -> bool:
        """Return whether the configuration is the best one of the study."""
        best = self.data.best
        return best is not None and best.parameters == self.trial.parameters

    @property
    def confirmation(self) -> Confirmation | None:
        """Return the confirmation of this configuration; None if it, or any, is not confirmed."""
        return confirmation_of(self.data, self.trial)


def render_model_card(model: ExportedModel) -> str:
    """Return the card of a model as Markdown; equal arguments give equal text."""
    names = sorted(model.files, key=lambda name: [*FILES, name].index(name))
    environment = Environment(
        loader=PackageLoader("training_factors.study.reporting", "templates"),
        finalize=escape_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    card = {
        "title": f"{model.stamp.model} on {model.stamp.data.name}",
        "purpose": _purpose(model.stamp),
        "metrics": _metrics_table(model),
        "reading": list(_reading(model)),
        "seeds": _seeds_tables(model),
        "origin": list(_origin(model)),
        "confirmation": _confirmation(model),
        "training": _training_table(model),
        "settings": _settings_table(model),
        "data": _data_table(model.stamp),
        "notes": [str(note) for note in model.stamp.data_report.notes],
        "commands": _commands(model),
        "files": markdown_table(
            ("file", "content"), [(code_span(name), FILES.get(name, OWN_CODE)) for name in names]
        ),
        "limits": list(_limits(model)),
        "versions": markdown_table(
            ("package", "the study's runs", "this model"),
            [
                (name, model.stamp.versions.get(name, "not recorded"), now)
                for name, now in model.versions.items()
            ],
        ),
    }
    return environment.get_template("model_card.md.jinja").render(card=card)


def configuration_file(model: ExportedModel) -> str:
    """Return the configuration as a study file, in which every factor is fixed."""
    stamp, trial = model.stamp, model.trial
    return fixed_study_file(
        stamp.definition,
        complete_settings(trial.parameters, stamp.space),
        metric=model.metric.name,
        comments=[
            f"{model.data.study.name}: run #{trial.number}, seed {model.metrics.kept}",
            "Trains this configuration: run --config, in the folder that the study was run in.",
        ],
        remarks=_evidence(model),
    )


def _purpose(stamp: Stamp) -> str:
    """Return what the model is for, in a sentence."""
    inputs = _describe_inputs(stamp.data)
    names = stamp.class_names
    if not names:
        return f"Predicts a number from {inputs}, learned from {stamp.data.name}."
    listed = ", ".join(names) if len(names) <= LISTED_CLASSES else "see classes.json"
    return f"Sorts {inputs} into {len(names)} classes, learned from {stamp.data.name}: {listed}."


def _describe_inputs(data: DataStamp) -> str:
    if len(data.shape) == 3:
        channels, height, width = data.shape
        colour = "grey" if channels == 1 else "colour"
        return f"a {colour} image of {width} × {height} pixels"
    return f"a row of {plural(data.shape[0], 'number')}"


def _metrics_table(model: ExportedModel) -> Markdown:
    """Return the metrics of the exported network, that of the objective first."""
    kept, chance = model.metrics.exported, model.metrics.chance
    on_pool = model.metrics.on == "pool"
    rows = []
    for name in _metric_names(model):
        validation = [_number(kept.validation.get(name))] if on_pool else []
        rows.append((name, *validation, _number(kept.test[name]), _number(chance[name])))
    parts = ("validation", "test") if on_pool else ("test",)
    return markdown_table(("metric", *parts, "at chance"), rows)


def _metric_names(model: ExportedModel) -> list[str]:
    return sorted(model.metrics.exported.test, key=lambda name: name != model.metric.name)


def _number(value: float | None) -> str:
    return "undefined" if value is None else decimals(value)


def _reading(model: ExportedModel) -> list[str]:
    """Return how the metrics are to be read."""
    metrics = model.metrics
    sentences = []
    if metrics.on == "all":
        sentences.append(
            "There is no validation metric, since the validation part was trained on as well; the "
            "configuration was chosen with it held out."
        )
    elif model.is_best and model.confirmation is None:
        sentences.append(
            f"The run was chosen for its validation {metrics.objective}, the highest of the study, "
            "so that number is partly luck. The test part has chosen nothing."
        )
    if len(metrics.seeds) == 1:
        sentences.append(
            "This table is of the one network in this folder; another seed gives other numbers. "
            "Five networks and their interval: export --seeds 5."
        )
    else:
        sentences.append(
            "In brackets below: the 95 % interval (t) of the mean over seeds. It does not say how "
            "much other data would differ."
        )
    if metrics.reproduction is not None:
        sentences += [as_sentence(line) for line in describe_reproduction(
            metrics.reproduction, metrics.objective)]  # fmt: skip
    return sentences


def _seeds_tables(model: ExportedModel) -> list[Markdown]:
    """Return the means over the networks of all seeds, and each network; none for a single one."""
    metrics, objective = model.metrics, model.metric.name
    if len(metrics.seeds) == 1:
        return []
    parts = ["validation", "test"] if metrics.on == "pool" else ["test"]
    means = [metrics.validation, metrics.test][-len(parts) :]
    of_metrics = [
        (name, *(_mean(of_part.get(name)) for of_part in means)) for name in _metric_names(model)
    ]
    of_seeds = []
    for one in metrics.seeds:
        remark = "diverged" if one.diverged else "exported" if one.seed == metrics.kept else ""
        values = [one.validation, one.test][-len(parts) :]
        of_seeds.append((one.seed, *(_number(part.get(objective)) for part in values), remark))
    count = f"mean of {len(metrics.seeds)} seeds"
    return [
        markdown_table((count, *parts), of_metrics),
        markdown_table(("seed", *(f"{part} {objective}" for part in parts), ""), of_seeds),
    ]


def _mean(mean: MetricMean | None) -> str:
    """Return a mean over seeds with its interval."""
    if mean is None or mean.interval is None:
        return "undefined"
    return f"{decimals(mean.mean)} ({' to '.join(map(decimals, mean.interval))})"


def _origin(model: ExportedModel) -> list[str]:
    """Return where the configuration comes from and what speaks for it."""
    data, trial = model.data, model.trial
    study = data.study.name
    sentences = [
        f"The configuration is that of run #{trial.number} ({trial.phase}) of the study {study}, "
        f"which has {plural(data.progress.done, 'run')}."
    ]
    conclusion = data.conclusion
    if data.study.is_confirmation:
        return [*sentences, "It is a run of a confirmation, named by its number."]
    if not model.is_best:
        assert conclusion.best is not None, "a study with a complete run has a best one"
        sentences.append(
            f"It was named by its number; the best configuration of the study is "
            f"{conclusion.best.name}."
        )
    elif model.confirmation is not None:
        sentences.append(
            "It ranked first over fresh seeds, and was compared with its changes in paired runs."
        )
    else:
        sentences.append(
            f"It has the highest validation {model.stamp.objective} of them. No fresh seeds have "
            "confirmed it."
        )
    return [*sentences, f"What the study says: {conclusion.dated_sentence}."]


class CardConfirmation(NamedTuple):
    """The words and the tables of a confirmation.

    note: what a drop is. path: the way from the baseline; None where it was not run.
    """

    sentence: str
    table: Markdown
    note: str
    path: Markdown | None


def _confirmation(model: ExportedModel) -> CardConfirmation | None:
    found, objective = model.confirmation, model.stamp.objective
    if found is None:
        return None
    unit = unit_of(objective)
    low, high = map(decimals, found.interval)
    headings = ("one change", "seeds", "drop if changed", "95 % interval", "p", "evidence")
    return CardConfirmation(
        f"The configuration reached a test {objective} of {decimals(found.value)} (95 % interval "
        f"{low} to {high}), the mean of {found.seeds} seeds. With one change each:",
        markdown_table(headings, [contrast_cells(one, unit) for one in found.contrasts]),
        f"A drop is the mean difference to this configuration with the same seeds, in {unit.words} "
        f"({unit.note}); p is that of the paired t test, corrected for the number of changes "
        "(Holm). The placebo is a number that training never reads.",
        None if found.path is None else _path_table(found.path, objective),
    )


def _path_table(path: ConfirmedPath, objective: str) -> Markdown:
    headings = ("one factor more at a time", f"test {objective}", "gain", "95 % interval")
    rows = path_chart.table_rows(path, unit_of(objective))
    return markdown_table(headings, [(row[0], row[1], row[3], row[4]) for row in rows])


def _training_table(model: ExportedModel) -> Markdown:
    stamp, metrics = model.stamp, model.metrics
    rows = [
        ("model", stamp.model),
        ("epochs", stamp.epochs),
        ("precision", stamp.precision),
        ("seed", metrics.kept),
        ("trained on", ON[metrics.on]),
        ("weights", WEIGHTS[metrics.weights]),
    ]
    if stamp.definition.weights is not None:
        rows.insert(1, ("start", f"the weights of {stamp.definition.weights}"))
    return markdown_table(("training", "value"), rows)


def _settings_table(model: ExportedModel) -> Markdown:
    """Return the setting of every factor, with its evidence where the study can tell."""
    config, evidence = model.trial.parameters, _evidence(model)
    rows = []
    for factor in model.stamp.space.factors:
        option, hyperparameters = chosen_setting(factor, config)
        words = format_settings(hyperparameters, sign="=", between=" ")
        level = [evidence[factor.name]] if evidence else []
        rows.append((factor.name, f"{option} {words}".strip(), *level))
    return markdown_table(("factor", "set to", *(["evidence"] if evidence else [])), rows)


def _evidence(model: ExportedModel) -> dict[str, str]:
    """Return the evidence for the setting of every factor; empty where the study cannot tell."""
    data = model.data
    if data.answer is None or not model.is_best:
        return {}
    settings = recommend(data.answer, model.stamp.space, model.trial.parameters, model.confirmation)
    return {one.factor: evidence_remark(one.evidence_level) for one in settings}


def _data_table(stamp: Stamp) -> Markdown:
    data = stamp.data
    rows: list[tuple[str, object]] = [
        ("name", data.name),
        ("source", stamp.definition.source),
        ("samples", f"{data.samples:,}"),
        ("fingerprint (SHA-256)", code_span(data.fingerprint)),
    ]
    rows += [
        (f"{part.name} part", f"{part.samples:,} ({part.origin})")
        for part in stamp.data_report.parts
    ]
    return markdown_table(("data", "value"), rows)


def _commands(model: ExportedModel) -> Markdown:
    """Return the commands to paste, each with what it does."""
    library = model.stamp.model.partition(":")[0]
    is_image = len(model.stamp.data.shape) == 3
    packages = ["torch", "'safetensors>=0.8'", "numpy", *(["pillow"] if is_image else [])]
    packages += [library] if library in LIBRARIES else []
    lines = [
        (f"pip install {' '.join(packages)}", "once"),
        ("python load.py", "predicts the test part, and prints how good that is"),
        ("python load.py photo.png", "predicts an image") if is_image else
        ("python load.py COLUMN=VALUE …", "predicts a row; preprocess.json lists the columns"),
        ("python train.py", "trains it anew, to retrained.safetensors: another seed is --seed 3"),
    ]  # fmt: skip
    width = max(len(command) for command, _ in lines)
    return Markdown("\n".join(f"{command:{width}}  # {words}" for command, words in lines))


def _limits(model: ExportedModel) -> list[str]:
    """Return what the model must not be taken for."""
    stamp, name = model.stamp, model.metric.name
    words = "Probabilities are those of the softmax, and nobody has calibrated them."
    return [
        f"Its {name} was measured on the test part of this data alone. Other data (another camera, "
        "another place, another year) may differ; measure it there before you rely on it.",
        *([words] if stamp.class_names else []),
        "It always gives an answer, also for inputs that are nothing like its training data.",
    ]
