"""The README, and the tables of docs/, say what the code does."""

from pathlib import Path

import pandas as pd
import pytest

from tests.support.optuna_programs import branch, random_study
from tests.support.studies import create_simulated_study
from training_factors.search_spaces.space import named_space
from training_factors.study.reporting.factor_list import factors_markdown
from training_factors.study.running.settings import PRESETS

ROOT = Path(__file__).parents[1]
README, FACTORS, STUDIES = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/factors.md", "docs/studies.md")
)


def test_the_table_of_factors_is_the_code_s() -> None:
    """Written anew by `python run_study.py factors --space full --markdown`."""
    _, _, rest = FACTORS.partition("<!-- factors:")
    table = rest.partition("-->\n")[2].partition("<!-- /factors -->")[0]
    assert table.strip() == factors_markdown(named_space("full").describe())


def test_the_table_of_presets_is_the_code_s() -> None:
    for name, preset in PRESETS.items():
        runs = len(list(preset.runs()))
        row = f"| {name} | {preset.measure} | {preset.repeats}×2 | {preset.search} | {runs} |"
        assert row in STUDIES


def test_both_commands_are_complete() -> None:
    assert "pip install -e . && python run_study.py" in README
    assert "pip install -e '.[test]' && pytest" in README


@pytest.mark.slow
def test_the_example_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated study stands for the one that the reader has run before."""
    monkeypatch.chdir(tmp_path)
    simulated = create_simulated_study("sqlite:///runs/studies.db", 32, name="digits-mlp")
    simulated.database.close()
    _, _, rest = README.partition("```python\nimport training_factors as tf\n")
    example = rest.partition("```")[0]
    theirs = random_study(branch, trials=32)
    exec(f"import training_factors as tf\n{example}", {"optuna_study": theirs})
    assert pd.read_csv("importance.csv").factor.iloc[-1] == "placebo"
    assert Path("gains.png").stat().st_size > 10_000
