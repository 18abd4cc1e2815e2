"""Files that are there whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

PARTIAL = ".partial"
"""What files end with that a killed process left half written."""

REPORT = 0o644
"""Permissions of what is written to be shown around."""


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in place at once, on the disk when this returns.

    mode: its permissions; its owner's alone where nothing else is said.

    Raises OSError, with an earlier file of this name as it was, when it cannot be written.
    """
    folder_mode = 0o755 if mode == REPORT else 0o700
    path.parent.mkdir(parents=True, exist_ok=True, mode=folder_mode)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    # The new name itself must outlive a crash of the machine.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


NETWORK_FILESYSTEMS = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs",
        "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone",
    }
)  # fmt: skip
"""File systems that are shared over a network; locks and mapped memory are not sure on them."""


def network_filesystem(path: Path, table: Path = Path("/proc/self/mounts")) -> str | None:
    """The kind of network file system that a path lies on, or will; None for local disks.

    table: the kernel's list of mounts, `device place kind options …` a line.
    """
    real = path.resolve()
    kinds = {}
    for line in table.read_text().splitlines():
        _, place, kind, *_ = line.split(" ")
        # The kernel writes spaces as \\040 and the like.
        kinds[Path(place.encode().decode("unicode_escape"))] = kind  # later mounts lie on top
    for folder in (real, *real.parents):
        if folder in kinds:
            return kinds[folder] if kinds[folder] in NETWORK_FILESYSTEMS else None
    return None
