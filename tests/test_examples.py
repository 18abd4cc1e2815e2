"""The examples: their commands parse, their READMEs say what their answers say, all can be run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from examples.commands import EXAMPLES, FOLDER, PROGRAM, Example, find_examples
from examples.words import fill, fill_index, fill_readme, read_results
from tests.support.program import parse_command
from training_factors.storage.definition import Definition
from training_factors.study.api.answer_file import read_answer_file
from training_factors.study.api.execution import worker_settings
from training_factors.study.api.settings import check_timing
from training_factors.study.api.verifying import prepare_verification
from training_factors.study.commands.options import DEFINITION_OPTIONS

EXAMPLE = pytest.mark.parametrize("example", EXAMPLES, ids=[one.name for one in EXAMPLES])

SETTINGS = worker_settings(
    storage=None, workers=0, per_gpu=1, device="cpu", start=None, cluster=None, allow_code=False,
    timing=check_timing(),
)  # fmt: skip


@EXAMPLE
def test_its_commands_are_those_of_its_answer(example: Example) -> None:
    verbs = [parse_command(line) for line in example.commands() if line.startswith(PROGRAM)]
    assert [verb["verb"] for verb in verbs] == ["run", "confirm", "recommend", "verify"]
    named = {key: verbs[0][key] for key in DEFINITION_OPTIONS if verbs[0][key] not in (None, [])}
    stored = read_answer_file(example.folder / "answer.json").provenance.stamp.definition
    usual = {"model": "cnn"} if example.script else {}  # the default of an image folder
    assert Definition(**{**usual, **named}) == stored


@EXAMPLE
def test_its_readme_says_what_its_answer_says(example: Example) -> None:
    """Written anew by `python -m examples.make --words`."""
    text = (example.folder / "README.md").read_text(encoding="utf-8")
    assert text == fill_readme(example)
    found = read_results(example)
    conclusion = found.answer["conclusion"]
    for sentence in (conclusion["sentence"], conclusion["averaged"]):
        assert sentence and sentence in text
    for factor in found.answer["factors"]:
        assert f"| `{factor['name']}` |" in text
    assert found.confirmation["confirmation"]["path"]["steps"]
    assert conclusion["confirmed"] and conclusion["as_of"] == ""


@EXAMPLE
def test_its_pictures_are_there(example: Example) -> None:
    text = (example.folder / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert pictures == ["importance.png", "path.png"]
    for picture in pictures:
        with Image.open(example.folder / picture) as image:
            assert image.width >= 800


@EXAMPLE
def test_its_answer_can_be_verified(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data, space, model and settings are those of then; only the runs are left to be trained."""
    monkeypatch.chdir(tmp_path)
    if example.script:
        shutil.copy(example.folder / example.script, tmp_path)
        subprocess.run([sys.executable, example.script], check=True)
        Path("images").rename("elsewhere")
    answer = read_answer_file(example.folder / "answer.json")
    if example.script:
        with pytest.raises(ValueError, match="'images', are not here; name them with --data PATH"):
            prepare_verification(answer, {}, SETTINGS)
    values = {"source": "elsewhere"} if example.script else {}
    prepared = prepare_verification(answer, values, SETTINGS)
    assert prepared.dataset.fingerprint == answer.provenance.stamp.data.fingerprint
    assert prepared.stamp().space.fingerprint == answer.provenance.stamp.space.fingerprint
    assert answer.provenance.runs and answer.provenance.arms


def test_the_list_of_all_examples_is_that_of_their_answers() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == fill_index()
    folders = {path.parent.name for path in FOLDER.glob("*/README.md")}
    assert folders == {example.name for example in EXAMPLES}


def test_a_place_or_an_example_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="the text has no place '<!-- answer: "):
        fill("no place", "answer", "new")
    assert fill("<!-- a: b -->\nold\n<!-- /a -->", "a", r"\1") == "<!-- a: b -->\n\\1\n<!-- /a -->"
    with pytest.raises(SystemExit, match="no example 'whine'; name some of digits-mlp, "):
        find_examples(["whine"])
