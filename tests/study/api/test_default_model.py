"""The model of a study whose user names none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training_factors.storage.studies import Study
from training_factors.study.api.opening import (
    IMAGE_MODEL_NOTE,
    open_or_create,
    with_default_model,
)
from training_factors.study.api.settings import Given


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of images of two classes, in the current folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(12):
            pixels = random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{i}.png")
    return "pets"


def opened(settings: dict[str, object], name: str | None = None) -> tuple[Study, list[str]]:
    """Open or create a study; return it with what its user was told."""
    said: list[str] = []
    found = open_or_create(
        settings, Given(), name=name, storage=None, preset="smoke", rows=None, divisions=1,
        is_timed=False, also=(), allow_code=False, device="cpu", notify=said.append,
    )  # fmt: skip
    return found.study, said


def test_it_is_cnn_for_image_folders_and_what_is_named_stays(pets: str) -> None:
    assert with_default_model({"source": pets}) == {"source": pets, "model": "cnn"}
    for settings in ({"source": pets, "model": "mlp"}, {"source": "digits"}, {"source": ""}, {}):
        assert with_default_model(settings) is settings
    Path(pets, "state.json").touch()
    Path(pets, "dataset_info.json").touch()
    assert "model" not in with_default_model({"source": pets}), "a saved data set may be a table"


def test_a_new_study_says_so_and_a_stored_one_keeps_its_model(pets: str) -> None:
    earlier, said = opened({"source": pets, "model": "mlp"})
    assert IMAGE_MODEL_NOTE not in said
    again, _ = opened({"source": pets})
    assert again.name == earlier.name, "as an earlier version named it"
    assert again.stamp.model == "mlp:small"
    new, said = opened({"source": pets}, "pets")
    assert new.stamp.model == "cnn:small" and IMAGE_MODEL_NOTE in said
    same, said = opened({"source": pets}, "pets")
    assert same.key == new.key and IMAGE_MODEL_NOTE not in said
