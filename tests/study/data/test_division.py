"""The division is fair, and only the confirmation and the export see the test part."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training_factors.search_spaces.problem import strata
from training_factors.study.data.dataset import Dataset, Decoded, to_dataset
from training_factors.study.data.division import (
    divide,
    load_all_parts,
    load_test_part,
    training_division,
)
from training_factors.study.data.parts import PartLabel, unassigned
from training_factors.study.data.selection import Selection
from training_factors.study.data.sources import load_dataset

ROOT = Path(__file__).parents[3]
MAY_NAME = {
    "load_test_part": ["study/exporting/data_parts.py", "study/running/confirmation.py"],
    "load_all_parts": ["study/exporting/data_parts.py"],
    "open_test_part": ["study/running/worker.py"],
    "load_measured_part": ["study/exporting/trained_network.py"],
}
"""Each function that gives the test part -> the only files that may name it: those of the
confirmation, and those of the export, which measures what is chosen already."""
CPU = torch.device("cpu")


def classified(counts: list[int], parts: list[PartLabel] | None = None) -> Dataset:
    targets = np.repeat(np.arange(len(counts)), counts)
    inputs = np.arange(2 * len(targets), dtype=np.float32).reshape(-1, 2)
    places = unassigned(len(targets)) if parts is None else np.array(parts, dtype=np.uint8)
    return to_dataset(Decoded(inputs, targets, tuple("abcdefgh"[: len(counts)]), places), "made")


def numbered(samples: int) -> Dataset:
    targets = np.random.default_rng(0).normal(150, 80, samples)
    inputs = np.arange(samples, dtype=np.float32)[:, None]
    return to_dataset(Decoded(inputs, targets, None, unassigned(samples)), "made")


def with_own_test() -> Dataset:
    parts = [PartLabel.TEST if i % 4 == 0 else PartLabel.POOL for i in range(90)]
    return classified([30, 30, 30], parts)


def mentioned(source: str) -> set[str]:
    """Return the functions of `MAY_NAME` that code imports, reads or names, but not defines."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                names.add(name)
            case ast.alias(name=name) | ast.Constant(value=str(name)):
                names.add(name)
    return names & set(MAY_NAME)


counts = st.lists(st.integers(10, 60), min_size=2, max_size=8)
datasets = st.one_of(counts.map(classified), st.integers(50, 300).map(numbered))


@given(datasets, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_every_sample_is_in_exactly_one_part(dataset: Dataset, seed: int) -> None:
    together = torch.cat(divide(dataset, seed))
    assert together.sort().values.equal(torch.arange(len(dataset.targets)))


@given(datasets, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_every_group_is_divided_60_20_20(dataset: Dataset, seed: int) -> None:
    groups = strata(dataset.targets)
    sizes = groups.bincount()
    for part, share in zip(divide(dataset, seed), (0.6, 0.2, 0.2), strict=True):
        held = groups[part].bincount(minlength=len(sizes))
        assert held.min() >= 1
        assert (held - share * sizes).abs().max() <= 1


@given(datasets, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_the_division_depends_on_the_seed_alone(dataset: Dataset, seed: int) -> None:
    parts = divide(dataset, seed)
    assert all(a.equal(b) for a, b in zip(parts, divide(dataset, seed), strict=True))
    others = [divide(dataset, (seed + i) % 2**32) for i in range(1, 4)]
    assert any(not other.pool.equal(parts.pool) for other in others)


@given(
    st.lists(st.sampled_from(list(PartLabel)), min_size=60, max_size=60), st.integers(0, 2**32 - 1)
)
@settings(deadline=None)
def test_a_source_s_own_parts_are_kept(places: list[PartLabel], seed: int) -> None:
    dataset = classified([30, 30], places)
    parts = divide(dataset, seed)
    for place, part in ((PartLabel.VALIDATION, parts.validation), (PartLabel.TEST, parts.test)):
        own = (dataset.parts == place).nonzero().squeeze(1)
        assert part.equal(own) if len(own) else len(part) > 0


def test_a_missing_part_is_a_fifth_of_the_undivided_samples() -> None:
    dataset = with_own_test()
    parts = divide(dataset, 0)
    assert len(parts.test) == 23
    assert abs(len(parts.validation) - 67 / 5) <= 1


def test_only_the_confirmation_and_the_export_load_the_test_part() -> None:
    files = [*ROOT.glob("*.py")]
    for folder in ("search_spaces", "storage", "study", "benchmarks", "tests/support"):
        files += (ROOT / folder).rglob("*.py")
    assert len(files) > 20
    callers: dict[str, list[str]] = {name: [] for name in MAY_NAME}
    for file in sorted(files):
        for name in mentioned(file.read_text(encoding="utf-8")):
            callers[name].append(file.relative_to(ROOT).as_posix())
    assert callers == MAY_NAME


def test_loading_the_test_part_elsewhere_is_detected() -> None:
    package = "training_factors.study.training"
    for code in (
        f"from {package}.division import load_test_part as other",
        f"from {package} import division\ndivision.load_test_part(data, 0)",
        "getattr(division, 'load_test_part')",
    ):
        assert mentioned(code) == {"load_test_part"}


def contents(division: object) -> list[bytes | str]:
    """Return everything that a division gives, down to the bytes of its tensors."""
    if isinstance(division, Selection):
        return contents(division[:])
    if isinstance(division, Tensor):
        return [division.numpy().tobytes(), str(division.dtype), str(division.shape)]
    if isinstance(division, tuple):
        return [item for field in division for item in contents(field)]
    return [repr(division)]


@pytest.mark.parametrize("dataset", [classified([40, 20, 30]), with_own_test(), numbered(100)])
def test_training_does_not_depend_on_the_test_part(dataset: Dataset) -> None:
    indices = divide(dataset, 7)
    # The division depends on classes, so keep it: make its parts the source's own.
    parts = dataset.parts.clone()
    for part, place in zip(indices, PartLabel, strict=False):
        parts[part] = place
    inputs, targets = dataset.inputs.clone(), dataset.targets.clone()
    inputs[indices.test] = float("nan")
    targets[indices.test] = -(10**6)
    garbage = dataset._replace(inputs=inputs, targets=targets, parts=parts)
    clean = contents(training_division(dataset, 7, CPU))
    assert contents(training_division(garbage, 7, CPU)) == clean
    assert contents(load_test_part(garbage, 7, CPU)) != contents(load_test_part(dataset, 7, CPU))


def test_parts_are_samples_of_one_tensor_and_never_those_of_another_part() -> None:
    dataset = load_dataset("digits")
    division, test = training_division(dataset, 3, CPU), load_test_part(dataset, 3, CPU)
    for part, chosen in zip((*division[1:3], test), divide(dataset, 3), strict=True):
        assert isinstance(part.inputs, Selection)
        assert part.inputs.source is dataset.inputs, "the data are not copied"
        assert part.inputs.samples.equal(chosen)


def test_a_source_s_own_test_part_has_no_influence_at_all() -> None:
    dataset = with_own_test()
    targets = dataset.targets.clone()
    targets[dataset.parts == PartLabel.TEST] = -1
    division = training_division(dataset._replace(targets=targets), 3, CPU)
    assert contents(division) == contents(training_division(dataset, 3, CPU))


def test_the_division_of_digits() -> None:
    dataset = load_dataset("digits")
    division = training_division(dataset, 0, CPU)
    test = load_test_part(dataset, 0, CPU)
    assert len(test.targets) == division.test_size == 359
    assert (len(division.pool.targets), len(division.validation.targets)) == (1079, 359)
    assert division.pool.inputs[:].dtype == torch.uint8
    assert division.target_scale is None


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_all_parts_are_those_of_the_study_in_the_unit_of_the_source(name: str) -> None:
    dataset = load_dataset(name)
    division, parts = training_division(dataset, 3, CPU), load_all_parts(dataset, 3)
    assert parts.pool.inputs[:].equal(division.pool.inputs[:])
    assert parts.validation.inputs[:].equal(division.validation.inputs[:])
    assert parts.test.inputs[:].equal(load_test_part(dataset, 3, CPU).inputs[:])
    for part, chosen in zip(parts, divide(dataset, 3), strict=True):
        assert part.targets.equal(dataset.targets[chosen])


def test_regression_targets_are_standardized_by_the_pool() -> None:
    dataset = load_dataset("diabetes")
    division, test = training_division(dataset, 0, CPU), load_test_part(dataset, 0, CPU)
    assert division.target_scale is not None
    assert division.pool.targets.mean().abs() < 1e-6
    assert abs(division.pool.targets.std(correction=0) - 1) < 1e-6
    indices = divide(dataset, 0)
    mean, deviation = division.target_scale
    for part, chosen in ((division.validation, indices.validation), (test, indices.test)):
        assert part.targets.dtype == torch.float32
        torch.testing.assert_close(part.targets * deviation + mean, dataset.targets[chosen])


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=12, max_size=60),
    classes=st.integers(2, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_group_lies_in_two_parts(sizes: list[int], classes: int, seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    targets = np.arange(len(groups)) % classes
    inputs = np.random.default_rng(0).normal(size=(len(groups), 2)).astype(np.float32)
    names = tuple("abcd"[:classes])
    decoded = Decoded(inputs, targets, names, unassigned(len(groups)), groups=groups)
    dataset = to_dataset(decoded, "made")
    try:
        parts = divide(dataset, seed)
    except ValueError as error:
        assert "groups of 'made' leave the" in str(error)
        assert len(groups) < 10 * classes  # only where samples are few
        return
    places = [set(groups[part.numpy()].tolist()) for part in parts]
    assert sum(map(len, places)) == len(sizes)
    for part in (parts.validation, parts.test):
        assert abs(len(part) - 0.2 * len(groups)) <= max(sizes)
        for label in range(classes):
            share = (targets[part.numpy()] == label).mean()
            assert abs(share - (targets == label).mean()) <= max(sizes) / len(part)


def grouped(groups: list[int], parts: list[PartLabel] | None = None) -> Dataset:
    size = len(groups)
    places = unassigned(size) if parts is None else np.array(parts, dtype=np.uint8)
    inputs = np.arange(2 * size, dtype=np.float32).reshape(-1, 2)
    numbers = np.array(groups, dtype=np.int64)
    return to_dataset(Decoded(inputs, np.arange(size) % 2, ("a", "b"), places, groups=numbers), "g")


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the 2 groups of 'g' leave the .* part without samples"):
        divide(grouped([0] * 20 + [1] * 20), 0)
    with pytest.raises(ValueError, match="20 groups in two parts of its own; leave --group out"):
        own = [PartLabel.POOL] * 40 + [PartLabel.TEST] * 20
        divide(grouped([*range(40), *range(20)], own), 0)


def test_groups_leave_the_own_test_part_alone() -> None:
    own = [PartLabel.POOL] * 40 + [PartLabel.TEST] * 20
    dataset = grouped([i // 4 for i in range(60)], own)
    parts = divide(dataset, 3)
    assert parts.test.tolist() == list(range(40, 60))
    assert len(parts.validation) == 8 and len(parts.pool) == 32
    assert divide(dataset, 3).validation.tolist() == parts.validation.tolist()
