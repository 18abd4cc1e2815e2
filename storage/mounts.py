"""On what kind of file system a path lies."""

from pathlib import Path

NETWORKED = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs",
        "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone",
    }
)  # fmt: skip
"""File systems that are shared over a network; locks and mapped memory are not sure on them."""


def network_mount(path: Path, table: Path = Path("/proc/self/mounts")) -> str | None:
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
            return kinds[folder] if kinds[folder] in NETWORKED else None
    return None
