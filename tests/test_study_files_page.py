"""The page on study files: its files are read, its equal files are equal, its messages are said."""

import re
from pathlib import Path

import pytest

from tests.support.program import ROOT, run_verb
from training_factors.search_spaces.own_configuration import read_settings
from training_factors.storage.definition import Definition
from training_factors.study.api.settings import check_definition
from training_factors.study.api.study_file import STUDY_KEYS, read_study_file
from training_factors.study.running.preparation import prepare_study

PAGE = (ROOT / "docs/study-files.md").read_text(encoding="utf-8")
FILES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| `(.*?)` \| .* \| `--(\w+) (.*?)` \|$", PAGE, re.MULTILINE)
MESSAGES = re.findall(r"^study\.toml: .*$", PAGE, re.MULTILINE)

CAUSES = {
    "epoch'": "epoch = 3",
    "three": 'epochs = "three"',
    "adamw.lr": "[factors.optimizer]\nadamw.lr = 5",
}
"""Part of a message of the page -> the file that causes it."""


def definition_of(folder: Path, text: str) -> Definition:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return check_definition(read_study_file(str(path)).completing({}, {}).definition)


@pytest.mark.parametrize("text", FILES)
def test_its_files_are_studies(tmp_path: Path, text: str) -> None:
    definition = definition_of(tmp_path, text)
    assert prepare_study(definition).definition == definition


def test_a_line_of_a_table_is_its_flag(tmp_path: Path) -> None:
    assert len(ROWS) == 5
    for line, flag, value in ROWS:
        found = definition_of(tmp_path, f"[factors.optimizer]\n{line}")
        assert found == check_definition({flag: (value,)})


def test_the_file_that_fixes_everything_is_a_configuration(tmp_path: Path) -> None:
    (text,) = (text for text in FILES if "recommend" in text or "# probable" in text)
    definition_of(tmp_path, text)
    (named,) = read_settings(str(tmp_path / "study.toml"), STUDY_KEYS)
    assert named.settings["optimizer.adamw.lr"] == 0.0031


def test_its_messages_are_said(tmp_path: Path) -> None:
    assert len(MESSAGES) == len(CAUSES)
    for message, (part, text) in zip(MESSAGES, CAUSES.items(), strict=True):
        (tmp_path / "study.toml").write_text(text, encoding="utf-8")
        assert part in message
        refused = run_verb(tmp_path, "run", "--config", "study.toml")
        assert refused.stderr == f"run_study.py: error: {message}\n"


def test_its_commands_are_there(tmp_path: Path) -> None:
    definition_of(tmp_path, FILES[0])
    commands = re.findall(r"^python run_study\.py (plan --print.*?)(?: >.*)?$", PAGE, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert run_verb(tmp_path, *command.split()).returncode == 0
    planned = run_verb(tmp_path, "plan", "--config", "study.toml", "--epochs", "1")
    assert planned.returncode == 0 and "1 epoch per run" in planned.stdout
