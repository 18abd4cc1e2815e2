"""A data set is decoded once, and again if its cache entry is damaged."""

import logging
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from training_factors.study.data import cache
from training_factors.study.data.cache import allocate, cache_folder, load_or_decode
from training_factors.study.data.dataset import Dataset, Decoded
from training_factors.study.data.options import DataOptions
from training_factors.study.data.parts import unassigned
from training_factors.study.data.sources import load_dataset

ROOT = Path(__file__).parents[3]


class Source:
    """Counts how often it is decoded."""

    def __init__(self) -> None:
        self.decodings = 0

    def decode(self) -> Decoded:
        self.decodings += 1
        inputs = np.arange(40, dtype=np.uint8).reshape(20, 1, 1, 2)
        return Decoded(inputs, np.arange(20) % 2, ("a", "b"), unassigned(20), ("lost.png",))

    def load(self) -> Dataset:
        return load_or_decode(("made",), "made", self.decode)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Source()


def same(first: Dataset, second: Dataset) -> bool:
    tensors = [(getattr(first, f), getattr(second, f)) for f in cache.ARRAYS]
    return all(a.equal(b) for a, b in tensors) and all(
        getattr(first, f) == getattr(second, f)
        for f in ("name", "classes", "skipped", "fingerprint")
    )


def copy_of(dataset: Dataset) -> Dataset:
    """Return the data in memory of its own, for a test that damages the files that are mapped."""
    return dataset._replace(**{field: getattr(dataset, field).clone() for field in cache.ARRAYS})


def entry() -> Path:
    (only,) = cache_folder().iterdir()
    return only


def test_data_is_decoded_once(source: Source) -> None:
    assert same(source.load(), source.load())
    assert source.decodings == 1


@pytest.mark.skipif(sys.platform != "linux", reason="Linux lists the files that are mapped")
def test_all_data_is_mapped_from_the_entry_also_when_it_is_new(source: Source) -> None:
    for dataset in (source.load(), source.load()):
        address = dataset.inputs.data_ptr()
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            if first <= address < last:
                assert line.endswith(str(entry() / "inputs.npy"))
                break
        else:
            pytest.fail("the inputs lie in no mapped range")
    assert source.decodings == 1


def test_mapped_data_is_never_written_to(source: Source) -> None:
    dataset = source.load()
    before = (entry() / "inputs.npy").read_bytes()
    dataset.inputs[0] = 77
    assert (entry() / "inputs.npy").read_bytes() == before
    assert source.load().inputs[0].flatten().tolist() == [0, 1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps files that are mapped")
def test_mapped_data_outlives_its_entry(source: Source) -> None:
    dataset = source.load()
    shutil.rmtree(entry())
    assert dataset.inputs.flatten().tolist() == list(range(40))


def test_large_arrays_are_allocated_in_an_unnamed_file(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "is_large", lambda size_bytes: True)
    array = allocate((3, 2))
    array[:] = 5
    assert isinstance(array, np.memmap) and array.sum() == 30
    assert list(cache_folder().iterdir()) == []


@pytest.mark.parametrize("name", ["inputs.npy", "targets.npy", "parts.npy", "dataset.json"])
@pytest.mark.parametrize("keep", [0, 60, -1])
def test_a_damaged_entry_is_decoded_again(source: Source, name: str, keep: int) -> None:
    first = copy_of(source.load())
    file = entry() / name
    file.write_bytes(file.read_bytes()[:keep])
    assert same(source.load(), first)
    assert same(source.load(), first)
    assert source.decodings == 2


@pytest.mark.parametrize("name", ["inputs.npy", "dataset.json"])
def test_an_entry_without_a_file_is_decoded_again(source: Source, name: str) -> None:
    first = source.load()
    (entry() / name).unlink()
    assert same(source.load(), first)
    assert source.decodings == 2


def test_an_entry_with_another_array_is_decoded_again(source: Source) -> None:
    first = copy_of(source.load())
    np.save(entry() / "inputs.npy", np.zeros((20, 1, 1, 3), dtype=np.uint8))
    assert same(source.load(), first)


def test_concurrent_loads_leave_one_complete_entry(source: Source) -> None:
    with ThreadPoolExecutor(8) as threads:
        loaded = list(threads.map(lambda _: source.load(), range(24)))
    assert all(same(dataset, loaded[0]) for dataset in loaded)
    assert entry().is_dir()


def test_an_unwritable_cache_is_warned_about_once(
    source: Source, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert same(source.load(), source.load())
    assert source.decodings == 2
    assert len([r for r in caplog.records if r.name == cache.__name__]) == 1


@pytest.mark.slow
def test_cached_data_imports_neither_scikit_learn_nor_torchvision(source: Source) -> None:
    load_dataset("digits")
    before = {path: path.stat().st_mtime_ns for path in cache_folder().rglob("*")}
    code = (
        "import sys; from training_factors.study.data.sources import load_dataset; "
        "load_dataset('digits'); "
        "print([m for m in ('sklearn', 'torchvision') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True
    )
    assert ended.stdout.strip() == "[]"
    assert before == {path: path.stat().st_mtime_ns for path in cache_folder().rglob("*")} != {}


@pytest.mark.parametrize("name", ["arrays.npz", "table.csv"])
def test_notes_do_not_tell_where_the_data_lay_when_it_was_decoded(
    tmp_path: Path, source: Source, name: str
) -> None:
    loaded = []
    targets = np.arange(60) % 3
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        path = folder / name
        if path.suffix == ".npz":
            np.savez(path, X=np.arange(120.0).reshape(60, 2) % 7, y=targets)
        else:
            rows = "".join(f"{i % 7},{i % 5},{target}\n" for i, target in enumerate(targets))
            path.write_text("a,b,kind\n" + rows, encoding="utf-8")
        target = None if path.suffix == ".npz" else "kind"
        loaded.append(load_dataset(str(path), DataOptions(target=target)))
    first, second = ([note.text for note in dataset.notes] for dataset in loaded)
    assert first == second and any("taken as classes" in text for text in first)
    assert not any(str(tmp_path) in text for text in first)
