"""Decoded once; whole, or decoded again."""

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from training_factors.study.training import cache, large_arrays
from training_factors.study.training.cache import cache_folder, cached
from training_factors.study.training.dataset import Dataset, Decoded, unassigned

ROOT = Path(__file__).parents[3]


class Source:
    """Counts how often it is decoded."""

    def __init__(self) -> None:
        self.times = 0

    def decode(self) -> Decoded:
        self.times += 1
        inputs = np.arange(40, dtype=np.uint8).reshape(20, 1, 1, 2)
        return Decoded(inputs, np.arange(20) % 2, ("a", "b"), unassigned(20), ("lost.png",))

    def load(self) -> Dataset:
        return cached(("made",), "made", self.decode)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Source()


def same(one: Dataset, other: Dataset) -> bool:
    tensors = [(one.inputs, other.inputs), (one.targets, other.targets), (one.parts, other.parts)]
    return all(a.equal(b) for a, b in tensors) and all(
        getattr(one, f) == getattr(other, f) for f in ("name", "classes", "skipped", "fingerprint")
    )


def entry() -> Path:
    (found,) = cache_folder().iterdir()
    return found


def test_it_is_decoded_once(source: Source) -> None:
    assert same(source.load(), source.load())
    assert source.times == 1


def test_large_data_is_mapped(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = source.load()
    monkeypatch.setattr(large_arrays, "is_large", lambda size_bytes: True)
    mapped = source.load()
    before = (entry() / "inputs.npy").read_bytes()
    assert same(mapped, plain)
    mapped.inputs[0] = 77
    assert (entry() / "inputs.npy").read_bytes() == before


def test_room_for_large_data_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_arrays, "is_large", lambda size_bytes: True)
    room = large_arrays.allocate((3, 2), tmp_path)
    room[:] = 5
    assert isinstance(room, np.memmap) and room.sum() == 30
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["inputs.npy", "targets.npy", "parts.npy", "dataset.json"])
@pytest.mark.parametrize("keep", [0, 60, -1])
def test_a_damaged_entry_is_made_again(source: Source, name: str, keep: int) -> None:
    first = source.load()
    file = entry() / name
    file.write_bytes(file.read_bytes()[:keep])
    assert same(source.load(), first)
    assert same(source.load(), first)
    assert source.times == 2


@pytest.mark.parametrize("name", ["inputs.npy", "dataset.json"])
def test_a_missing_file_is_made_again(source: Source, name: str) -> None:
    first = source.load()
    (entry() / name).unlink()
    assert same(source.load(), first)
    assert source.times == 2


def test_a_swapped_array_is_made_again(source: Source) -> None:
    first = source.load()
    np.save(entry() / "inputs.npy", np.zeros((20, 1, 1, 3), dtype=np.uint8))
    assert same(source.load(), first)


def test_many_at_once_leave_one_whole_entry(source: Source) -> None:
    with ThreadPoolExecutor(8) as threads:
        loaded = list(threads.map(lambda _: source.load(), range(24)))
    assert all(same(dataset, loaded[0]) for dataset in loaded)
    assert entry().is_dir()


def test_without_a_cache_it_goes_on(
    source: Source, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert same(source.load(), source.load())
    assert source.times == 2
    assert len([r for r in caplog.records if r.name == cache.__name__]) == 1


def test_a_hit_needs_neither_scikit_learn_nor_torchvision(source: Source) -> None:
    code = (
        "import sys; from training_factors.study.training.sources import load_dataset; load_dataset('digits'); "
        "print([m for m in ('sklearn', 'torchvision') if m in sys.modules])"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert answers == ["['sklearn']", "[]"]
