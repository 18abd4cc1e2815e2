import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from training_factors.storage.files import (
    PARTIAL,
    REPORT,
    check_new_folder,
    network_filesystem,
    write_atomically,
    write_folder,
)


class Mount(NamedTuple):
    """An entry of psutil's list of mounts."""

    device: str
    mountpoint: str
    fstype: str
    opts: str


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Mount]:
    mounts = [
        Mount("/dev/sda1", "/", "ext4", "rw"),
        Mount("server:/export", f"{tmp_path}/shared disk", "nfs4", "rw,vers=4.2"),
        Mount("/dev/sdb1", f"{tmp_path}/shared disk/local", "ext4", "rw"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    return mounts


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("studies.db", None),
        ("shared disk/studies.db", "nfs4"),
        ("shared disk/new/folder/studies.db", "nfs4"),
        ("shared disk/local/studies.db", None),
        ("shared disks/studies.db", None),
    ],
)
def test_the_innermost_mount_decides(
    tmp_path: Path, mounts: list[Mount], path: str, kind: str | None
) -> None:
    assert network_filesystem(tmp_path / path) == kind


def test_a_symbolic_link_is_followed(tmp_path: Path, mounts: list[Mount]) -> None:
    (tmp_path / "shared disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shared disk")
    assert network_filesystem(tmp_path / "link" / "studies.db") == "nfs4"


@pytest.mark.parametrize(
    ("fstype", "opts", "kind"),
    [
        ("smbfs", "rw,nosuid", "smbfs"),  # macOS
        ("nfs", "rw", "nfs"),
        ("afpfs", "rw", "afpfs"),
        ("webdav", "rw", "webdav"),
        ("apfs", "rw,local,rootfs", None),
        ("NTFS", "rw,remote", "NTFS"),  # Windows
        ("NTFS", "rw,fixed", None),
        ("fuse.sshfs", "rw", "fuse.sshfs"),  # Linux
        ("overlay", "rw", None),
    ],
)
def test_network_file_systems_of_every_platform(
    tmp_path: Path, mounts: list[Mount], fstype: str, opts: str, kind: str | None
) -> None:
    mounts.append(Mount("somewhere", str(tmp_path), fstype, opts))
    assert network_filesystem(tmp_path / "studies.db") == kind


def test_the_last_mount_at_a_place_covers_earlier_ones(tmp_path: Path, mounts: list[Mount]) -> None:
    mounts += [
        Mount("systemd-1", str(tmp_path), "autofs", "rw"),
        Mount("server:/home", str(tmp_path), "nfs", "rw"),
    ]
    assert network_filesystem(tmp_path / "studies.db") == "nfs"


def test_mounts_that_cannot_be_listed_are_taken_as_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(all: bool) -> None:
        raise FileNotFoundError("/proc/self/mounts")

    monkeypatch.setattr(psutil, "disk_partitions", missing)
    assert network_filesystem(tmp_path) is None


def test_the_disk_of_this_machine_is_local(tmp_path: Path) -> None:
    assert network_filesystem(tmp_path) is None


@pytest.mark.parametrize(("mode", "folder_mode"), [(0o600, 0o700), (REPORT, 0o755)])
def test_a_file_gets_its_permissions(tmp_path: Path, mode: int, folder_mode: int) -> None:
    path = tmp_path / "new" / "file"
    before = os.umask(0)
    try:
        write_atomically(path, b"content", mode)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(path.parent.stat().st_mode) == folder_mode


def test_writing_works_where_folders_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has no os.fchmod, and os.open refuses a folder there."""
    open_file = os.open

    def open_no_folder(path: str, flags: int, mode: int = 0o777) -> int:
        if Path(path).is_dir():
            raise PermissionError(path)
        return open_file(path, flags, mode)

    monkeypatch.delattr(os, "fchmod")
    monkeypatch.setattr(os, "open", open_no_folder)
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from training_factors.storage.files import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomically(Path(sys.argv[1]), bytes(2000))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "File too large" in ended.stderr
    assert path.read_bytes() == b"old"
    assert not list(tmp_path.glob(f"*{PARTIAL}"))


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_is_written_whole(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "model"
    if is_there:
        folder.mkdir()
    check_new_folder(folder)
    with write_folder(folder) as partial:
        (partial / "a").write_text("content", encoding="utf-8")
        (partial / "a").chmod(0o600)
        assert not (folder / "a").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (folder / "a").read_text(encoding="utf-8") == "content"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "a").stat().st_mode) == REPORT
    with pytest.raises(ValueError, match=r"model' exists and is not empty; name another one"):
        check_new_folder(folder)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_an_interrupted_folder_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), write_folder(tmp_path / "model") as partial:
        (partial / "a").write_text("content", encoding="utf-8")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_needs_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="is the current one; name one within it"):
        check_new_folder(Path())
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(ValueError, match=r"exists and is no folder; name another one"):
            check_new_folder(tmp_path / name)
    with pytest.raises(ValueError, match="create it first: mkdir -p"):
        check_new_folder(tmp_path / "no" / "model")
