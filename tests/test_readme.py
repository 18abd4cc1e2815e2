"""The README, and the tables of docs/, say what the code does."""

from pathlib import Path

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
