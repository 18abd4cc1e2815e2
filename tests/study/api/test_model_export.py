"""An exported model: its folder is complete, and the network is that of the stored run."""

import contextlib
import io
import json
import runpy
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import training_factors as tf
from tests.support.program import run_verb
from tests.support.session import once_per_session, session_folder
from training_factors.search_spaces.description import PLACEBO
from training_factors.search_spaces.own_configuration import open_configuration, read_settings
from training_factors.storage.arms import CONTRAST, RANK, Arm, add_arms
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.studies import Study, create_confirmation, create_study
from training_factors.storage.trials import Trial, read_trials
from training_factors.study.analysis.model_metrics import SeedMetrics, choose_network
from training_factors.study.api import model_folder
from training_factors.study.api.study_file import STUDY_KEYS
from training_factors.study.exporting import onnx_file, trained_network
from training_factors.study.exporting.own_code import own_files, refuse_names
from training_factors.study.reporting.markdown import code_span, escape_markdown
from training_factors.study.running.preparation import PreparedStudy, prepare_study
from training_factors.study.running.settings import WorkerTiming
from training_factors.study.running.signals import StopSignal
from training_factors.study.running.worker import open_context, work

OWN_MODEL = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, num_classes, in_features):
        super().__init__(nn.Linear(in_features, 16), nn.ReLU(), nn.Linear(16, num_classes))
"""

HIDDEN_STATE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_features):
        super().__init__()
        self.linear = nn.Linear(in_features, num_classes)
        self.total = torch.zeros(in_features)

    def forward(self, inputs):
        if self.training:
            self.total = self.total + inputs.detach().sum(0)
        return self.linear(inputs * self.total.abs())
"""


def write_images(folder: Path) -> None:
    """Write 60 small images of two classes: bright above, or bright below."""
    random = np.random.default_rng(0)
    for label in ("above", "be|low"):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(30):
            pixels = random.integers(0, 120, (8, 8), dtype=np.uint8)
            half = slice(0, 4) if label == "above" else slice(4, 8)
            pixels[half] += 100
            Image.fromarray(pixels).save(folder / "photos" / label / f"{i}.png")


def write_table(folder: Path) -> None:
    """Write a table with numbers, some of them missing, and a column of texts."""
    random = np.random.default_rng(0)
    lines = ["height,colour,kind"]
    for i in range(120):
        colour = ("red", "green", "blue")[i % 3]
        height = "" if i % 11 == 0 else f"{random.normal(1 + (i % 3), 0.5):.3f}"
        lines.append(f"{height},{colour if i % 7 else ''},{'yes' if i % 3 == 0 else 'no'}")
    (folder / "plants.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_own_model(folder: Path) -> None:
    (folder / "my_net.py").write_text(OWN_MODEL, encoding="utf-8")


def nothing(folder: Path) -> None:
    """Write no file: the data has a name."""


KINDS: dict[str, tuple[Callable[[Path], None], dict[str, Any]]] = {
    "digits": (nothing, {}),
    "images": (write_images, {"source": "photos", "model": "cnn"}),
    "table": (write_table, {"source": "plants.csv", "target": "kind"}),
    "regression": (nothing, {"source": "diabetes"}),
    "own model": (write_own_model, {"source": "wine", "model": "my_net.py:Net"}),
}
"""Kind of study -> what writes its files, and its settings."""


@once_per_session
def folder_of_kind(kind: str) -> Path:
    """Run a few short runs on a kind of data; return the folder of the study."""
    folder = session_folder() / f"export-{kind.replace(' ', '-')}"
    folder.mkdir()
    prepare, settings = KINDS[kind]
    prepare(folder)
    with contextlib.chdir(folder):
        run_short_study("mine", **settings)
    return folder


@once_per_session
def exported_model(kind: str) -> tuple[Path, str]:
    """Export a kind of study with three seeds; return the folder, and what was printed."""
    folder = session_folder() / f"exported-{kind.replace(' ', '-')}"
    words = ("export", str(folder), "--allow-code", "--seeds", "3", "--json")
    ended = run_verb(folder_of_kind(kind), *words)
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


def run_short_study(name: str, **settings: Any) -> Study:
    """Run the baseline and two measured runs of two epochs in this process."""
    prepared = prepare_study(Definition(**{"epochs": 2, **settings}))
    Path("runs").mkdir(exist_ok=True)
    database = open_database("sqlite:///runs/studies.db", create=True)
    study = create_study(database, name, prepared.stamp())
    study.queue.add([Run("baseline", 0), Run("measure", 0), Run("measure", 1)])
    run_all(study, prepared)
    return study


def run_all(study: Study, prepared: PreparedStudy) -> None:
    """Train all runs of a study in this process."""
    context = open_context(study, prepared, "cpu", 0, WorkerTiming())
    assert work(study, context, StopSignal()) == 0


def confirm(study: Study) -> None:
    """Confirm the baseline with three seeds, against itself with another activation."""
    prepared = prepare_study(study.stamp.definition)
    best = {**prepared.space.baseline(), PLACEBO: 0.5}
    arms = [
        Arm(RANK, "trial 0", None, best),
        Arm(CONTRAST, "best", None, best),
        Arm(CONTRAST, "activation set to gelu", "activation", {**best, "activation": "gelu"}),
    ]
    confirmation = create_confirmation(study)
    add_arms(confirmation, [], arms)
    confirmation.queue.add([Run("confirm", row, seed) for row in range(3) for seed in range(3)])
    run_all(confirmation, prepared)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each kind of study, in its folder."""
    with contextlib.chdir(folder_of_kind(request.param)):
        yield request.param


@pytest.fixture
def digits() -> Iterator[tf.FactorStudy]:
    """The study of digits, in its folder."""
    with contextlib.chdir(folder_of_kind("digits")):
        yield tf.load("mine")


def stored(study: tf.FactorStudy, number: int) -> Trial:
    return next(trial for trial in read_trials(study._study) if trial.number == number)


def document(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def card(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


# The folder


def test_the_folder_is_complete_and_the_first_network_that_of_the_run(kind: str) -> None:
    folder, printed = exported_model(kind)
    shown, written = json.loads(printed), document(folder)
    trial = stored(tf.load("mine"), written["run"])
    assert written["reproduction"]["equal"]
    assert written["seeds"][0]["seed"] == trial.seed
    assert written["seeds"][0]["value"] == trial.value
    assert shown == {"folder": str(folder), "files": shown["files"], **written}
    expected = {
        "README.md", "config.toml", "data.safetensors", "load.py", "metrics.json",
        "model.safetensors", "preprocess.json", "train.py",
    }  # fmt: skip
    expected |= set() if kind == "regression" else {"classes.json"}
    expected |= {"my_net.py"} if kind == "own model" else set()
    assert {path.name for path in folder.iterdir()} == expected == {*shown["files"]}


def test_the_card_has_the_numbers_of_the_document(kind: str) -> None:
    folder, _ = exported_model(kind)
    text, written = card(folder), document(folder)
    kept = next(one for one in written["seeds"] if one["seed"] == written["kept"])
    for name, value in kept["test"].items():
        chance, validation = written["chance"][name], kept["validation"][name]
        assert f"| {name} | {validation:.4f} | {value:.4f} | {chance:z.4f} |" in text
        mean = written["test"][name]
        low, high = mean["interval"]
        assert f"{mean['mean']:z.4f} ({low:z.4f} to {high:z.4f})" in text
    for one in written["seeds"]:
        assert f"| {one['seed']} | " in text
    assert sorted(one["value"] for one in written["seeds"])[1] == kept["value"]
    assert "NaN" not in json.dumps(written)


def test_the_files_hold_every_part_of_the_data(kind: str) -> None:
    folder, _ = exported_model(kind)
    data = load_file(folder / "data.safetensors")
    study = tf.load("mine")._study
    samples = {part.name: part.samples for part in study.stamp.data_report.parts}
    for name, word in (("pool", "training"), ("validation", "validation"), ("test", "test")):
        inputs, targets = data[f"{name}.inputs"], data[f"{name}.targets"]
        assert len(inputs) == len(targets) == samples[word]
        assert inputs.dtype == (torch.uint8 if inputs.dim() == 4 else torch.float32)
        assert targets.dtype == (torch.float32 if kind == "regression" else torch.int64)
        assert not inputs.is_floating_point() or not inputs.isnan().any()
    if kind == "regression":
        assert data["pool.targets"].mean() > 100, "in the unit of the source"
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert weights.metadata()["weights"] == "last"
        assert not any(name.startswith("module.") for name in weights.keys())  # noqa: SIM118


def run_script(folder: Path, name: str, *words: str) -> list[str]:
    """Run a program of the folder in this process, as `python name` does; return what it prints."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(sys, "argv", [name, *words])
        patch.syspath_prepend(folder)
        for module in ("train", "my_net"):
            patch.delitem(sys.modules, module, raising=False)
        runpy.run_path(str(folder / name), run_name="__main__")
        for module in ("train", "my_net"):
            patch.delitem(sys.modules, module, raising=False)
    return out.getvalue().splitlines()


def test_the_programs_give_the_numbers_of_the_network(kind: str, tmp_path: Path) -> None:
    folder, _ = exported_model(kind)
    written = document(folder)
    name = "r2" if kind == "regression" else "accuracy"
    kept = next(one for one in written["seeds"] if one["seed"] == written["kept"])
    assert run_script(folder, "load.py")[-1] == f"test {name}: {kept['test'][name]:.4f}"
    lines = run_script(folder, "train.py", "--output", str(tmp_path / "anew"))
    for part, line in zip(("validation", "test"), lines[-3:-1], strict=True):
        words, value = line.rsplit(" ", 1)
        assert words == f"{part} {name}:"
        assert float(value) == pytest.approx(kept[part][name], abs=0.03)
    weights, anew = load_file(folder / "model.safetensors"), load_file(tmp_path / "anew")
    shapes, shapes_anew = ({n: each.shape for n, each in one.items()} for one in (weights, anew))
    assert shapes == shapes_anew


@pytest.mark.parametrize(
    ("name", "words"),
    [("images", ["photos/above/3.png"]), ("table", ["height=2.5", "colour=red"])],
)
def test_a_new_input_is_predicted(name: str, words: list[str]) -> None:
    folder, _ = exported_model(name)
    with contextlib.chdir(folder_of_kind(name)):
        (line,) = run_script(folder, "load.py", *words)
    classes = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
    assert any(f": {each} (" in line for each in classes)


def test_the_configuration_file_is_the_configuration_of_the_run(
    digits: tf.FactorStudy, tmp_path: Path
) -> None:
    exported, stamp = digits.export(tmp_path / "model"), digits._study.stamp
    file = str(tmp_path / "model" / "config.toml")
    (named,) = read_settings(file, STUDY_KEYS)
    found = open_configuration(named, stamp.space, dict(stamp.left_out))
    parameters = stored(digits, exported.metrics.run).parameters
    assert {**found, PLACEBO: parameters[PLACEBO]} == parameters


# Other networks than that of the best run


def test_on_all_there_is_no_validation_metric(digits: tf.FactorStudy, tmp_path: Path) -> None:
    pool = digits.export(tmp_path / "pool")
    both = digits.export(tmp_path / "all", on="all", seeds=2)
    assert both.metrics.reproduction is None and both.metrics.kept == pool.metrics.kept
    assert all(one.value is None and not one.validation for one in both.metrics.seeds)
    assert both.metrics.exported.test != pool.metrics.exported.test
    assert "There is no validation metric" in card(both.folder)
    assert "| accuracy | " in card(both.folder) and "validation |" not in card(both.folder)
    assert document(both.folder)["seeds"][0]["value"] is None


def test_a_run_is_taken_by_its_number(digits: tf.FactorStudy, tmp_path: Path) -> None:
    best = digits.export(tmp_path / "best").metrics.run
    number = next(trial.number for trial in read_trials(digits._study) if trial.number != best)
    other = digits.export(tmp_path / "other", trial=number, with_data=False)
    assert other.metrics.run == number and other.metrics.reproduction is not None
    assert other.metrics.reproduction.is_equal
    assert f"the best configuration of the study is run #{best}" in card(other.folder)
    assert not (other.folder / "data.safetensors").exists()


def test_averaged_weights_are_those_of_the_average(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        run_short_study("mine", space="full", fix=("weight_average=ema",))
        exported = tf.load().export("model")
        assert exported.metrics.weights == "averaged" and exported.metrics.reproduction.is_equal  # type: ignore[union-attr]
        with safe_open("model/model.safetensors", "pt") as weights:
            names = list(weights.keys())
            assert weights.metadata()["weights"] == "averaged"
        assert not [name for name in names if "module" in name or "n_averaged" in name]
        assert "the moving average over the steps of training" in card(Path("model"))


def test_the_median_is_chosen_and_nothing_by_the_test_part() -> None:
    def seed(number: int, value: float | None, test: float, diverged: bool = False) -> SeedMetrics:
        return SeedMetrics(number, value, {}, {"accuracy": test}, diverged)

    three = [seed(1, 0.9, 0.1), seed(2, 0.7, 0.9), seed(3, 0.8, 0.2)]
    assert choose_network(three) == 3
    assert choose_network([*three, seed(4, 0.95, 1.0)]) == 3, "the lower of the two in the middle"
    assert choose_network([seed(1, None, 0.1), seed(2, None, 0.9)]) == 1
    with pytest.raises(ValueError, match="2 of 3 networks diverged, so there is none to export"):
        choose_network([seed(1, 0.1, 0.1, True), seed(2, 0.1, 0.1, True), seed(3, 0.9, 0.9)])


def test_the_confirmed_configuration_is_exported_with_its_confirmation(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        confirm(run_short_study("mine", source="wine", space="small"))
        study, confirming = tf.load("mine"), tf.load("mine.confirm")
        tested = next(t for t in read_trials(confirming._study) if t.test_value is not None)
        of_arm = confirming.export("arm", trial=tested.number).metrics
        assert of_arm.reproduction is not None and of_arm.reproduction.is_equal
        assert of_arm.reproduction.now_test == tested.test_value
        assert of_arm.exported.test["accuracy"] == tested.test_value
        best = study.export("best")
        assert best.confirmation is not None
        text, numbers = card(best.folder), document(best.folder)["confirmation"]
        assert f"a test accuracy of {numbers['value']:.4f}" in text and numbers["seeds"] == 3
        assert "| activation set to gelu | 3 | " in text
        assert "ranked first over fresh seeds" in text and "partly luck" not in text
        with pytest.raises(ValueError, match="or one of the runs with --trial"):
            confirming.export("neither")


# What is not exported


def refusal(*words: str) -> str:
    """Return the one line with which the export is refused; nothing is written."""
    before = {*Path().rglob("*")}
    ended = run_verb(Path(), "export", *words)
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2 and ended.stdout == "" and {*Path().rglob("*")} == before
    return line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0"], "--seeds 0 must be 1 or more"),
        (["--on", "test"], "--on 'test' is unknown; use pool (the training part) or all"),
        (["--trial", "99"], "mine has no run #99; its runs are #0 to #2"),
        (["--trial", "-1"], "--trial '-1': must be greater than or equal to 0"),
        (["no/such"], "folder 'no' does not exist; create it first: mkdir -p no"),
        (["runs"], "folder 'runs' exists and is not empty; name another one"),
        (["runs/studies.db"], "'runs/studies.db' exists and is no folder; name another one"),
        (["--device", "toaster"], "device 'toaster' is unknown"),
        (["--study", "other"], "other"),
        (["--csv", "--trial", "1"], "--trial is for a trained model, and --csv writes tables"),
        (["--parquet", "--onnx"], "--onnx is for a trained model, and --parquet writes tables"),
    ],
)
def test_wrong_input_is_one_line(digits: tf.FactorStudy, words: list[str], message: str) -> None:
    if "other" in words:
        assert run_verb(Path(), "export", *words).returncode == 3
        return
    assert message in refusal(*words)


def test_code_of_the_user_needs_consent() -> None:
    with contextlib.chdir(folder_of_kind("own model")):
        assert "runs 'my_net.py:Net'; add --allow-code" in refusal()


def test_onnx_without_its_packages_says_what_to_install(
    digits: tf.FactorStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "PACKAGES", ("onnx", "no_such_package"))
    assert "--onnx needs no_such_package; pip install 'training-factors[onnx]'" in refusal("--onnx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "PRUNED"}, "run #0 of mine was pruned; only a run that was trained to its end"),
        ({"state": "FAIL", "attributes": {"reason": "out of memory"}}, "failed (out of memory)"),
        ({"attributes": {"diverged": True}}, "run #0 of mine diverged, so it left no network"),
        ({"phase": "division"}, "had another division of the data than the study"),
    ],
)
def test_a_run_without_a_network_is_refused(
    digits: tf.FactorStudy,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    message: str,
) -> None:
    trial = stored(digits, 0)._replace(**change)
    monkeypatch.setattr(
        "training_factors.study.running.reproducing.read_trials", lambda study: [trial]
    )
    assert message in refusal("--trial", "0")


def test_without_a_complete_run_there_is_no_model(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        prepared = prepare_study(Definition(source="wine"))
        database = open_database("sqlite:///studies.db", create=True)
        create_study(database, "mine", prepared.stamp()).queue.add([Run("baseline", 0)])
        database.close()
        ended = run_verb(Path(), "export", "--storage", "sqlite:///studies.db")
        assert ended.returncode == 3 and "no run of mine is complete yet" in ended.stderr
        assert [path.name for path in Path().iterdir()] == ["studies.db"]


def test_a_model_that_hides_a_part_of_its_state_is_refused(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        Path("hidden.py").write_text(HIDDEN_STATE, encoding="utf-8")
        run_short_study("mine", source="wine", model="hidden.py:Net")
        line = refusal("--allow-code")
        assert "keeps something outside its parameters and buffers" in line


def test_what_an_own_model_imports_beside_it_is_copied(tmp_path: Path) -> None:
    (tmp_path / "parts" / "__pycache__").mkdir(parents=True)
    for name, text in {
        "net.py": "import torch\nfrom layers import Layer\nfrom parts.head import Head",
        "layers.py": "import net, math",
        "parts/__init__.py": "import blocks",
        "parts/head.py": "from . import other",
        "blocks.py": "",
        "unrelated.py": "",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = own_files(f"{tmp_path}/net.py:Net")
    assert list(found) == ["net.py", "layers.py", "parts", "blocks.py"]
    assert own_files("mlp:small") == own_files("torchvision:resnet18") == own_files("a.b:Net") == {}
    with pytest.raises(ValueError, match=r"blocks.py' has the name of a file that export writes"):
        refuse_names(found, {"blocks.py"})


@pytest.mark.parametrize("place", ["train", "write_data"])
def test_an_interruption_leaves_nothing(
    digits: tf.FactorStudy, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def interrupted(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    module = trained_network if place == "train" else model_folder
    monkeypatch.setattr(module, place, interrupted)
    before = {*Path().rglob("*")}
    assert run_verb(Path(), "export").returncode == 130
    assert run_verb(Path(), "export", "elsewhere").returncode == 130
    assert {*Path().rglob("*")} - before <= {Path("runs/mine")}


def test_hostile_names_stay_text() -> None:
    assert escape_markdown("a|b <img> `x` *y* _z_ [l](u) $1$") == (
        r"a\|b \<img\> \`x\` \*y\* \_z\_ \[l\](u) \$1\$"
    )
    assert escape_markdown("line\nbreak, macro_f1, run #3, # title") == (
        r"line break, macro_f1, run #3, \# title"
    )
    assert escape_markdown(code_span("a`b|c")) == r"`` a`b\|c ``"


# ONNX

needs_onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in onnx_file.PACKAGES),
    reason=f"needs {', '.join(onnx_file.PACKAGES)}: pip install 'training-factors[onnx]'",
)


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("name", ["images", "regression"])
def test_the_onnx_file_computes_what_torch_does(name: str, tmp_path: Path) -> None:
    with contextlib.chdir(folder_of_kind(name)):
        exported = tf.load("mine").export(tmp_path / "model", onnx=True)
    session = import_module("onnxruntime").InferenceSession(str(exported.folder / "model.onnx"))
    data = load_file(exported.folder / "data.safetensors")
    inputs, targets = data["test.inputs"], data["test.targets"].numpy()
    (outputs,) = session.run(None, {"inputs": inputs.numpy()})
    test = exported.metrics.exported.test
    if name == "regression":
        errors = outputs[:, 0] - targets
        assert np.sqrt((errors**2).mean()) == pytest.approx(test["rmse"], rel=1e-4)
    else:
        assert (outputs.argmax(1) == targets).mean() == test["accuracy"]
    assert "model.onnx" in card(exported.folder)
