"""A study trains in one precision, which is chosen once and kept by everything that follows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.precision import BFLOAT16, BY_DEVICE, FLOAT32
from training_factors.storage.stamp import read_stamp
from training_factors.storage.studies import create_study
from training_factors.study.data.division import training_division
from training_factors.study.running import precision_choice
from training_factors.study.running.precision_choice import MIN_GAIN, measure_gain
from training_factors.study.running.preparation import (
    PreparedStudy,
    prepare_stored_study,
    prepare_study,
    refuse_differences,
)
from training_factors.study.training import autocast
from training_factors.study.training.autocast import describe_slow_precision, has_bfloat16
from training_factors.study.training.loop import batches
from training_factors.study.training.training_state import start_training

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_choice, "has_bfloat16", lambda device: True)


def prepared(device: torch.device = CPU, **settings: Any) -> PreparedStudy:
    return prepare_study(Definition(limit=120, epochs=1, **settings), device=device)


def test_the_processor_tells_whether_it_computes_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for names, has in (((), False), (("avx2",), False), (("amx_bf16",), True), (("bf16",), True)):
        found = dict.fromkeys(names, True)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert has_bfloat16(CPU) is has
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert has_bfloat16(CPU) is False
    assert has_bfloat16(torch.device("mps")) is False


@pytest.mark.parametrize(
    ("gain", "chosen", "reason"),
    [
        (2.04, BFLOAT16, "a step is 2.0 times as fast as in float32"),
        (MIN_GAIN, BFLOAT16, "a step is 1.2 times as fast as in float32"),
        (1.1, FLOAT32, "a step is 1.10 times as fast in bfloat16, which pays from 1.2 on"),
        (0.5, FLOAT32, "a step is 0.50 times as fast in bfloat16, which pays from 1.2 on"),
    ],
)
@pytest.mark.usefixtures("with_bfloat16")
def test_convolutional_networks_train_in_what_is_faster(
    monkeypatch: pytest.MonkeyPatch, gain: float, chosen: str, reason: str
) -> None:
    monkeypatch.setattr(precision_choice, "measure_gain", lambda *_: gain)
    study = prepared(model="cnn")
    assert (study.model.precision, study.precision_reason) == (chosen, reason)
    assert study.stamp().precision == chosen
    assert prepared(model="mlp").model.precision == FLOAT32


def test_without_instructions_for_it_a_study_is_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision_choice, "has_bfloat16", lambda device: False)
    for device in (CPU, CUDA):
        study = prepared(device, model="cnn")
        assert study.model.precision == FLOAT32 and study.precision_reason


@pytest.mark.usefixtures("with_bfloat16")
def test_gpus_train_in_bfloat16() -> None:
    assert prepared(CUDA).model.precision == BFLOAT16


def test_steps_are_timed_in_both_precisions() -> None:
    study = prepared(model="cnn")
    recipe = study.space.build(study.space.baseline(), study.dataset.problem)
    assert measure_gain(study.model, recipe, study.dataset) > 0


FAILING = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(8, num_classes)

    def forward(self, inputs):
        outputs = torch.zeros(len(inputs), self.head.out_features)
        rows = torch.arange(len(inputs))
        return outputs.index_add(0, rows, self.head(self.body(inputs).flatten(1)))
"""


@pytest.mark.usefixtures("with_bfloat16")
def test_a_model_that_fails_in_bfloat16_trains_in_float32_unless_named(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(FAILING, encoding="utf-8")
    model = f"{tmp_path}/net.py:Net"
    study = prepared(model=model)
    assert study.model.precision == FLOAT32
    assert "cannot be used in bfloat16: RuntimeError" in study.precision_reason
    with pytest.raises(ValueError, match="cannot be used in bfloat16: RuntimeError"):
        prepared(model=model, precision="bfloat16")


@pytest.mark.parametrize("named", [FLOAT32, BFLOAT16])
def test_a_stored_study_keeps_its_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    study = prepared(model="cnn", precision=named)
    assert (study.model.precision, study.precision_reason) == (named, "named")
    chosen = study._replace(definition=study.definition.model_copy(update={"precision": "auto"}))
    database = open_database(f"sqlite:///{tmp_path}/studies.db", create=True)
    stored = create_study(database, "mine", chosen.stamp())

    def fail(*_: object) -> float:
        raise AssertionError("nothing is measured for a stored study")

    monkeypatch.setattr(precision_choice, "measure_gain", fail)
    again = prepare_stored_study(stored)
    assert again.model.precision == named
    other = FLOAT32 if named == BFLOAT16 else BFLOAT16
    differing = prepare_study(
        stored.stamp.definition.model_copy(update={"precision": other}), stored.stamp
    )
    with pytest.raises(ValueError, match=f"precision: {named} in the study, {other} now"):
        refuse_differences(stored, differing.stamp())
    database.close()


def test_a_study_of_an_earlier_version_goes_on_as_its_device_decided() -> None:
    document = prepared(model="cnn", precision=FLOAT32).stamp().as_document()
    del document["precision"], document["definition"]["precision"]
    stamp = read_stamp(document)
    assert stamp.precision == BY_DEVICE
    study = prepare_study(stamp.definition, stamp)
    assert study.model.precision == BY_DEVICE and study.stamp().identity() == stamp.identity()


def test_a_worker_whose_machine_is_slow_in_the_precision_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(autocast, "has_bfloat16", lambda device: False)
    said = describe_slow_precision(BFLOAT16, CPU)
    assert said is not None and "--precision float32" in said
    assert describe_slow_precision(FLOAT32, CPU) is None
    assert describe_slow_precision(BY_DEVICE, CPU) is None
    monkeypatch.setattr(autocast, "has_bfloat16", lambda device: True)
    assert describe_slow_precision(BFLOAT16, CPU) is None


def test_random_numbers_do_not_depend_on_the_precision() -> None:
    """The same samples are drawn, so that runs in both precisions can be compared in pairs."""
    study = prepared(model="cnn")
    data = study.dataset
    recipe = study.space.build(study.space.baseline(), data.problem)
    part = training_division(data, 0, CPU).pool
    first, second = (
        start_training(recipe, part, data.problem, replace(study.model, precision=each), 1, 0)
        for each in (FLOAT32, BFLOAT16)
    )
    for (one, _), (other, _) in zip(batches(first), batches(second), strict=True):
        assert np.array_equal(one, other)
    assert all(map(torch.equal, first.parameters, second.parameters))
