import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_factors.storage.checkpoints import SUFFIX, Checkpoints


def checkpoints(folder: Path, identity: str = "one") -> Checkpoints:
    return Checkpoints(folder / "checkpoints", "measure-3-0", identity)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_the_last_two_checkpoints_are_kept(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    assert list(kept.read()) == []
    for epoch in (1, 9, 10):
        kept.write(epoch, f"state {epoch}".encode())
    assert list(kept.read()) == [b"state 10", b"state 9"]
    kept.clear()
    assert files(tmp_path) == []


def test_only_the_owner_may_read_checkpoints(tmp_path: Path) -> None:
    checkpoints(tmp_path).write(1, b"state")
    (path,) = (tmp_path / "checkpoints").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@given(st.data())
def test_a_damaged_checkpoint_is_skipped(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    kept = checkpoints(folder)
    kept.write(1, b"older")
    kept.write(2, b"the newest state")
    path = folder / "checkpoints" / f"measure-3-0.000002{SUFFIX}"
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(content[:place])
    else:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    assert list(kept.read()) == [b"older"]


def test_checkpoints_of_another_run_are_ignored(tmp_path: Path) -> None:
    checkpoints(tmp_path, "one").write(1, b"state")
    assert list(checkpoints(tmp_path, "another").read()) == []
    assert list(checkpoints(tmp_path)._replace(name="measure-3").read()) == []
