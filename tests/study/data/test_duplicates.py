"""Samples that are nearly the same are found, and those in two parts are warned about."""

import numpy as np
import torch

from training_factors.study.data.dataset import Decoded, to_dataset
from training_factors.study.data.division import divide, report_data
from training_factors.study.data.duplicates import NO_TWIN, crossing_twins, find_twins
from training_factors.study.data.parts import unassigned


def smooth_images(count: int) -> np.ndarray:
    """Colour images, 32 × 32, of random patches of 8 × 8 pixels."""
    patches = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 4))
    return patches.repeat(8, axis=2).repeat(8, axis=3).astype(np.uint8)


def test_equal_rows_are_twins() -> None:
    rows = np.array([[1, 2], [3, 4], [1, 2], [5, 6], [3, 4], [1, 2]], dtype=np.float32)
    twins = find_twins(rows)
    assert twins[0] == twins[2] == twins[5] != twins[1] == twins[4]
    assert twins[3] == NO_TWIN


def test_nearly_equal_images_are_twins_and_others_are_not() -> None:
    images = smooth_images(400)
    noise = np.random.default_rng(1).integers(-3, 4, images[:20].shape)
    near = (images[:20].astype(int) + noise).clip(0, 255).astype(np.uint8)
    twins = find_twins(np.concatenate([images, near]))
    assert (twins[:20] == twins[400:]).all() and (twins[:20] != NO_TWIN).all()
    assert (twins[20:400] == NO_TWIN).all()


def test_flat_images_are_no_twins() -> None:
    assert (find_twins(np.full((50, 1, 32, 32), 7, dtype=np.uint8)) == NO_TWIN).all()


def test_twins_in_two_parts_are_counted_and_said() -> None:
    images = smooth_images(300)
    images[150:] = images[:150]
    targets = np.arange(300) % 2
    dataset = to_dataset(Decoded(images, targets, ("a", "b"), unassigned(300)), "pairs")
    parts = divide(dataset, 0)
    pool = set((parts.pool % 150).tolist())
    expected = sum(int(i) % 150 in pool for i in parts.test)
    assert crossing_twins(dataset.twins.numpy(), parts.test.numpy(), parts.pool.numpy()) == expected
    report = report_data(dataset, 0)
    assert f"warning: {expected} test samples have a nearly equal one in training" in "\n".join(
        report.lines()
    )
    assert [part.samples for part in report.parts] == [180, 60, 60]
    assert torch.tensor([part.classes for part in report.parts]).sum() == 300
    assert any("validation has 60 samples, so one of them is 1.7 points" in line
               for line in report.lines())  # fmt: skip
