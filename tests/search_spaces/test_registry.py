"""Factors from files and packages join the built-in ones."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from training_factors.search_spaces import registry
from training_factors.search_spaces.factors import FACTORS
from training_factors.search_spaces.overrides import open_space
from training_factors.search_spaces.registry import known_factors
from training_factors.search_spaces.space import Space

FILE = '''"""The temperature of the outputs."""

from training_factors import Factor, Recipe


def none(recipe: Recipe) -> Recipe:
    """Leave the outputs as they are."""
    return recipe


def halved(recipe: Recipe) -> Recipe:
    """Halve the outputs before the loss."""
    return recipe


FACTOR = Factor("{name}", topic="{topic}", options=(none, halved))
'''


def write(folder: Path, name: str = "temperature", topic: str = "outputs") -> str:
    path = folder / f"{name}_{topic.replace(' ', '_')}.py"
    path.write_text(FILE.format(name=name, topic=topic), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("topic", ["outputs", "optimizer"])
@pytest.mark.parametrize("space", ["small", "documented", "full"])
def test_a_factor_of_a_file_varies_in_every_space_and_comes_last(
    tmp_path: Path, space: str, topic: str
) -> None:
    file = write(tmp_path, topic=topic)
    opened: Space = open_space(space, [file])
    last = opened.factors[-1]
    assert (last.name, last.topic, last.source) == ("temperature", topic, file)
    assert last in opened.varied
    assert last.documentation == "The temperature of the outputs."
    assert opened.describe().factor("temperature").source == file


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'dropout' .* is declared twice; rename yours"):
        known_factors([write(tmp_path, name="dropout")])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1", "declares no factor; let it define FACTOR"),
        ("FACTOR = 3", "declares no factor"),
        ("import no_such_module", "cannot be imported: ModuleNotFoundError"),
        ("def", "cannot be imported: SyntaxError"),
        (None, "cannot be imported: FileNotFoundError"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "wrong.py"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        known_factors([str(path)])


@pytest.fixture
def fresh_entry_points() -> Iterator[None]:
    registry._installed_factors.cache_clear()
    yield
    registry._installed_factors.cache_clear()


def test_an_installed_package_brings_factors(
    monkeypatch: pytest.MonkeyPatch, fresh_entry_points: None
) -> None:
    name = "training_factors.search_spaces.factors.dropout:FACTOR"
    point = EntryPoint("mine", name, registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    monkeypatch.setattr(registry, "FACTORS", [f for f in FACTORS if f.name != "dropout"])
    (dropout,) = (factor for factor in known_factors() if factor.name == "dropout")
    assert dropout.source == "training_factors.search_spaces.factors.dropout"


def test_a_broken_package_is_named(
    monkeypatch: pytest.MonkeyPatch, fresh_entry_points: None
) -> None:
    point = EntryPoint("mine", "no_such_package:FACTOR", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    with pytest.raises(ValueError, match="factors of 'no_such_package:FACTOR' cannot be imported"):
        known_factors()
