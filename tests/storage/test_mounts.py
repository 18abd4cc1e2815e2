from pathlib import Path

import pytest

from training_factors.storage.files import network_filesystem


@pytest.fixture
def table(tmp_path: Path) -> Path:
    place = str(tmp_path / "shared disk").replace(" ", "\\040")
    path = tmp_path / "mounts"
    path.write_text(
        "/dev/sda1 / ext4 rw 0 0\n"
        f"server:/export {place} nfs4 rw,vers=4.2 0 0\n"
        f"/dev/sdb1 {place}/local ext4 rw 0 0\n"
    )
    return path


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
def test_what_a_path_lies_on(tmp_path: Path, table: Path, path: str, kind: str | None) -> None:
    assert network_filesystem(tmp_path / path, table) == kind


def test_a_link_lies_where_it_leads(tmp_path: Path, table: Path) -> None:
    (tmp_path / "shared disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shared disk")
    assert network_filesystem(tmp_path / "link" / "studies.db", table) == "nfs4"


def test_this_machine_s_own_disk(tmp_path: Path) -> None:
    assert network_filesystem(tmp_path) is None
