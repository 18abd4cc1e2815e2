"""Study files: what they say, what a call says instead, and what is refused with which words."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import training_factors as tf
from tests.support.program import run_verb
from training_factors.search_spaces.description import parse_parameter
from training_factors.search_spaces.dimension import Integer, OneOf
from training_factors.search_spaces.factor import Factor
from training_factors.search_spaces.overrides import open_space, override
from training_factors.search_spaces.problem import Problem
from training_factors.search_spaces.space import SPACES, Space
from training_factors.storage.definition import Definition, default_name
from training_factors.storage.study_file_text import resolved_study_file
from training_factors.study.api import execution
from training_factors.study.api.settings import check_definition
from training_factors.study.api.study_file import STUDY_KEYS, RunOptions, read_study_file
from training_factors.study.commands.options import DEFINITION_OPTIONS, RUN_OPTIONS
from training_factors.study.commands.study_file_schema import study_file_schema
from training_factors.study.data.options import DataOptions
from training_factors.study.running.preparation import prepare_study, space_changes

PROBLEMS = (
    Problem((1, 8, 8), 10),
    Problem((3, 32, 32), 10),
    Problem((13,), 3),
    Problem((10,), None),
)

EXAMPLE = """
data = "wine"
epochs = 2
preset = "smoke"
drop = ["split"]
workers = 0

[factors]
activation = ["relu", "gelu"]
batch_size = [16, 32]

[factors.optimizer]
options = ["adamw", "sgd"]
"adamw.lr" = { low = 1e-4, high = 1e-2, scale = "log" }
sgd.momentum = 0.9
sgd.lr = [0.001, 0.01]

[factors.residual]
option = "residual"
"""

LIKE_EXAMPLE = (
    "--data", "wine", "--epochs", "2", "--drop", "split", "--fix", "residual=residual",
    "--choices", "optimizer=adamw,sgd", "--choices", "activation=relu, gelu",
    "--range", "optimizer.adamw.lr=1e-4:0.010:log", "--fix", "optimizer.sgd.momentum=.9",
    "--choices", "batch_size=16,32", "--choices", "optimizer.sgd.lr=1e-3,1e-2",
)  # fmt: skip


def written(folder: Path, text: str, name: str = "study.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def definition_of(path: str, **named: object) -> Definition:
    return check_definition(read_study_file(path).completing(named, {}).definition)


def space_of(definition: Definition, problem: Problem) -> Space:
    space = open_space(definition.space)
    return override(space, space_changes(definition), problem).for_problem(problem)[0]


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Draw a definition with random changes of a space, at most a few per factor."""
    name = draw(st.sampled_from(SPACES))
    space = open_space(name)
    changes: dict[str, list[str]] = {"fix": [], "drop": [], "range": [], "choices": [], "only": []}
    for factor in space.factors:
        action = draw(st.sampled_from(["", "", "drop", "fix", "choices", "hyperparameters"]))
        options = [option.name for option in factor.options]
        if action == "drop":
            changes["drop"].append(factor.name)
        elif action == "fix":
            changes["fix"].append(f"{factor.name}={draw(st.sampled_from(options))}")
        elif action == "choices":
            chosen = draw(st.lists(st.sampled_from(options), min_size=1, unique=True))
            changes["choices"].append(f"{factor.name}={','.join(chosen)}")
        elif action == "hyperparameters":
            draw_hyperparameters(draw, factor, changes)
    if draw(st.booleans()):
        names = [factor.name for factor in space.factors if factor.name not in changes["drop"]]
        drawn = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
        ranged = [*changes["range"], *(text for text in changes["choices"] if "," in text)]
        needed = (parse_parameter(text.partition("=")[0]).factor for text in ranged)
        changes["only"] = list(dict.fromkeys((*drawn, *needed)))
    return Definition(space=name, **changes)  # type: ignore[arg-type]


def draw_hyperparameters(draw: st.DrawFn, factor: Factor, changes: dict[str, list[str]]) -> None:
    for option in factor.options:
        for hyperparameter in option.hyperparameters:
            path, dimension = (
                f"{factor.name}.{option.name}.{hyperparameter.name}",
                hyperparameter.dimension,
            )
            values = [dimension.decode(draw(st.floats(0, 0.99))) for _ in range(3)]  # type: ignore[union-attr]
            distinct = sorted(set(values))
            action = draw(st.sampled_from(["", "fix", "range", "choices"]))
            if action == "fix" and factor.held and option is not factor.baseline:
                continue  # it would have no effect, and is refused
            if action == "fix":
                changes["fix"].append(f"{path}={values[0]}")
            elif action == "choices":
                changes["choices"].append(f"{path}={','.join(map(str, distinct))}")
            elif action == "range" and len(distinct) > 1 and not isinstance(dimension, OneOf):
                scale = (
                    "" if isinstance(dimension, Integer) else draw(st.sampled_from(["", ":linear"]))
                )
                changes["range"].append(f"{path}={distinct[0]}:{distinct[-1]}{scale}")


@settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(definition=definitions(), problem=st.sampled_from(PROBLEMS))
def test_the_printed_file_is_the_same_study(
    tmp_path_factory: pytest.TempPathFactory, definition: Definition, problem: Problem
) -> None:
    try:
        space = space_of(definition, problem)
    except ValueError as error:
        assume("does not apply here" not in str(error))
        raise
    described = space.describe()

    def text_of(of: Definition, space: Space) -> str:
        return resolved_study_file(
            of, space.describe(), metric="accuracy", options={"study": "x"}, left_out=[]
        )

    path = written(tmp_path_factory.getbasetemp(), text_of(definition, space))
    again = definition_of(path)
    assert space_of(again, problem).describe() == described
    assert text_of(again, space_of(again, problem)) == text_of(definition, space)


def test_a_file_is_the_study_that_the_same_flags_are(tmp_path: Path) -> None:
    path = written(tmp_path, EXAMPLE)
    from_flags = run_verb(tmp_path, "plan", "--print-config", *LIKE_EXAMPLE, "--preset", "smoke",
                          "--workers", "0")  # fmt: skip
    from_file = run_verb(tmp_path, "plan", "--print-config", "--config", path)
    assert from_file.returncode == from_flags.returncode == 0, from_file.stderr
    assert from_file.stdout == from_flags.stdout
    document = tomllib.loads(from_file.stdout)
    assert document["study"] == default_name(definition_of(path))
    assert document["factors"]["batch_size"]["minibatch"] == {"samples": [16, 32]}
    assert document["factors"]["split"]["option"] == "stratified"
    printed = written(tmp_path, from_file.stdout, "printed.toml")
    identities = [prepare_study(definition_of(one)).stamp().identity() for one in (path, printed)]
    assert identities[0] == identities[1]
    schema = study_file_schema()
    for one in (document, tomllib.loads(EXAMPLE)):
        jsonschema.validate(one, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"factors": {"optimizer": {"option": "sdg"}}}, schema)


def test_what_a_call_names_replaces_what_the_file_says(tmp_path: Path) -> None:
    path = written(tmp_path, EXAMPLE + '[factors.dropout]\noption = "none"')
    file = read_study_file(path)
    named, options, left = file.completing(
        {
            "epochs": 3,
            "fix": ["optimizer=sgd"],
            "drop": ["dropout"],
            "range": ["optimizer.sgd.lr=0.1:1"],
        },
        {"rows": 20},
    )
    assert check_definition(named) == Definition(
        source="wine", epochs=3, drop=("split", "dropout"), range=("optimizer.sgd.lr=0.1:1",),
        fix=("optimizer=sgd", "optimizer.sgd.momentum=0.9", "residual=residual"),
        choices=("activation=relu,gelu", "batch_size=16,32"),
    )  # fmt: skip
    assert options == {"rows": 20, "workers": 0}  # a size replaces a size
    assert "epochs" not in left.definition and "preset" not in left.options
    kept = file.completing({}, {"hours": 2}).options
    assert kept == {"hours": 2, "workers": 0}


def test_a_study_that_an_earlier_version_named_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is the digest of the changes as they were written, `1e-3` and in their order."""
    monkeypatch.setattr(execution, "run_queue", lambda *arguments: 130)  # nothing is trained
    words = ["--data", "wine", "--fix", "residual=none", "--fix", "activation=relu", "--range",
             "optimizer.sgd.lr=1e-3:1", "--preset", "smoke"]  # fmt: skip
    written = {"fix": ("residual=none", "activation=relu"), "range": ("optimizer.sgd.lr=1e-3:1",)}
    definition = Definition(source="wine", **written)  # type: ignore[arg-type]
    earlier = default_name(definition.model_copy(update=written))
    assert earlier != default_name(definition)
    for study in (["--study", earlier], []):
        assert run_verb(tmp_path, "run", *words, *study).returncode == 130
    assert run_verb(tmp_path, "list").stdout.count("wine-mlp") == 1


def test_a_flag_replaces_a_list_of_the_file_and_commas_separate(tmp_path: Path) -> None:
    path = written(tmp_path, 'ignore = ["a", "b"]\nonly = "optimizer,residual"\n')
    assert definition_of(path).ignore == ("a", "b")
    assert definition_of(path).only == ("optimizer", "residual")
    assert definition_of(path, ignore=["c"]).ignore == ("c",)
    printed = run_verb(tmp_path, "plan", "--print-config", "--data", "wine", "--drop",
                       "optimizer, dropout", "--only", "residual")  # fmt: skip
    tables = tomllib.loads(printed.stdout)["factors"]
    assert {name for name, table in tables.items() if "options" in table} == {"residual"}


def test_every_option_of_run_is_a_key() -> None:
    assert set(DEFINITION_OPTIONS) == set(Definition.model_fields)
    assert set(RUN_OPTIONS) == set(RunOptions.model_fields)
    assert {*STUDY_KEYS, "factors"} == set(study_file_schema()["properties"])


def test_python_reads_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, EXAMPLE)
    study = tf.run(config=path, rows=16, repeats=0, search=0, epochs=1, study="mine")
    assert study.status.total == 17 and study.status.varied == 9
    assert study._study.stamp.epochs == 1 and study._study.stamp.data.name == "wine"
    with pytest.raises(ValueError, match=r"study.toml: data 'none.csv' does not exist"):
        tf.run(config=written(tmp_path, 'data = "none.csv"'))


def test_code_that_only_a_file_names_has_to_be_allowed(tmp_path: Path) -> None:
    written(tmp_path, "def Net(num_classes):\n    raise ValueError('reached')", "net.py")
    path = written(tmp_path, 'model = "net.py:Net"')
    refused = run_verb(tmp_path, "plan", "--config", path)
    assert refused.returncode == 2
    assert "imports and runs 'net.py:Net'; add --allow-code if you trust the file" in refused.stderr
    for words in (["--allow-code"], ["--model", "net.py:Net"]):
        assert "reached" in run_verb(tmp_path, "plan", "--config", path, *words).stderr


WRONG = {
    "epoch = 3": "the key 'epoch' is unknown; did you mean 'epochs'?",
    'optimizer = "adamw"': "optimizer is a factor; put it below [factors], or into [factors.opt",
    '[factor.optimizer]\noption = "sgd"': "tables of factors are called [factors.NAME], not ",
    'only = ["dropout"]\n[factors]\nbatch_size = [16, 32]': "batch_size does not vary, since it is",
    'epochs = "three"': 'epochs = "three": must be a valid integer',
    "epochs = 0": "epochs = 0: must be greater than or equal to 1",
    "rows = 3": "rows = 3: must be greater than or equal to 16",
    "data = wine": "is no TOML: Invalid value (at line 1",
    "epochs = 3\nepochs = 4": "is no TOML: Cannot overwrite a value (at ",
    "image_size = 8\nimage-size = 9": "image_size is given twice, also as image-size",
    "allow_code = true": "allow_code is for the command line alone",
    'storage = "postgresql://me:secret@host/x"': "put the URL into the environment variable",
    'device = "tpu"': "device 'tpu' is unknown",
    'data = "none.csv"': "data 'none.csv' does not exist",
    'factors = ["mine.py"]': "must be tables, [factors.NAME]",
    "drop = [3]": "drop = [3]: must be a list of texts",
    '[factors.optimzer]\noption = "sgd"': "did you mean 'optimizer'?",
    '[factors.optimizer]\noption = "sgdx"': "did you mean 'sgd'?",
    '[factors.optimizer]\noption = ["sgd"]': 'write option = "NAME" or options = ["NAME", "NAME"]',
    '[factors.optimizer]\noption = "sgd"\noptions = ["sgd"]': "has both option",
    '[factors.optimizer]\nopton = "sgd"': "did you mean 'option'?",
    "[factors.optimizer]\nsgd.lrr = 1": "did you mean 'lr'?",
    '[factors.optimizer]\nsgd.lr = 1\n"sgd.lr" = 1': "factors.optimizer.sgd.lr is given twice",
    "[factors.optimizer]\nadamw.lr = 5": "factors.optimizer.adamw.lr = 5 is outside its range",
    '[factors.optimizer]\nadamw.lr = "fast"': "optimizer.adamw.lr = fast: expected a number",
    "[factors.optimizer]\nadamw.lr = [-1, 2]": "lr must be above 0",
    "[factors.optimizer]\nadamw.lr = { low = 1 }": "low and high must be numbers",
    '[factors.optimizer]\nadamw.lr = { low = 1, high = 2, scale = "l" }': "'log' or 'linear'",
    '[factors.optimizer]\nadamw.lr = { low = 1, high = 2, scal = "log" }': "did you mean 'scale'?",
    "[factors.optimizer]\nadamw.lr = { low = 2, high = 1 }": "must be below the upper bound",
    "[factors.optimizer]\nadamw.lr = 1979-05-27": "must be a value, which is fixed",
    "[factors]\nbatch_size = [1.5, 16]": "batch_size.minibatch.samples = 1.5,16: expected a",
    'drop = ["optimizer"]\n[factors]\noptimizer = "sgd"': "is both fixed and dropped",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_refused_with_its_name_and_the_remedy(tmp_path: Path, text: str) -> None:
    written(tmp_path, text)
    refused = run_verb(tmp_path, "run", "--config", "study.toml")
    (line,) = refused.stderr.splitlines()
    assert refused.returncode == 2 and refused.stdout == ""
    assert "error: study.toml" in line and WRONG[text] in line
    assert "secret" not in line and len(line) < 320
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


@pytest.mark.parametrize(
    ("name", "words"), [("none.toml", "No such file"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, words: str) -> None:
    refused = run_verb(tmp_path, "run", "--config", name)
    assert (
        refused.returncode == 2 and f"--config '{name}' cannot be read: {words}" in refused.stderr
    )


def test_an_error_of_the_command_line_does_not_name_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "epochs = 2")
    refused = run_verb(tmp_path, "run", "--config", path, "--fix", "optimizer=sgdx")
    assert "error: option of optimizer 'sgdx' is unknown" in refused.stderr


def test_the_schema_is_printed(tmp_path: Path) -> None:
    printed = run_verb(tmp_path, "plan", "--print-schema")
    assert json.loads(printed.stdout) == study_file_schema()
    assert list(tmp_path.iterdir()) == []


def test_data_options_are_those_of_the_definition() -> None:
    assert set(DataOptions._fields) <= set(Definition.model_fields)
