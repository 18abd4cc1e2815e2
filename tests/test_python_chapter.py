"""The pages on Python and on Optuna, whose examples are run as they stand."""

import doctest
import json
import os
import re
import warnings
from pathlib import Path

import jupytext
import optuna
import pytest

import training_factors as tf
from tests.support.program import ROOT
from training_factors.search_spaces import registry

PAGES = {"python": 50, "optuna": 25}
"""Name of a page with examples -> how many there are at least."""

TEXT = "\n".join((ROOT / f"docs/{page}.md").read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run_as_they_stand(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    verbosity = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a reader's program shows warnings, and goes on
        found = doctest.testfile(
            os.path.relpath(ROOT / f"docs/{page}.md", Path(__file__).parent),
            package=None,
            optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
        )
    registry._REGISTERED.clear()
    optuna.logging.set_verbosity(verbosity)
    assert found.failed == 0, capsys.readouterr().out
    assert found.attempted > PAGES[page]


def test_there_is_an_example_of_every_public_name() -> None:
    examples = "\n".join(re.findall(r"^(?:>>>|\.\.\.) .*$", TEXT, re.MULTILINE))
    missing = [name for name in tf.__all__ if not re.search(rf"\btf\.{name}\b", examples)]
    assert missing == []


def test_the_notebook_is_its_script_with_results() -> None:
    script = jupytext.read(ROOT / "docs/first-study.py")
    notebook = jupytext.read(ROOT / "docs/first-study.ipynb")
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in script.cells
    ]
    results = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert all(results)
    assert not any(output.output_type == "error" for outputs in results for output in outputs)
    text = json.dumps(notebook)
    assert "image/png" in text and "/tmp" not in text and "site-packages" not in text
