"""Write files and folders atomically; find out whether a path lies on a network file system."""

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PARTIAL = ".partial"
"""Suffix of a file that is being written; a killed process may leave one behind."""

REPORT = 0o644
"""Permissions of reports, pictures and tables, which everybody may read."""

FOLDER = 0o755
"""Permissions of their folders."""

NETWORK_FILESYSTEMS = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "afpfs", "webdav", "ceph", "lustre", "gpfs",
        "beegfs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone",
    }
)  # fmt: skip
"""Names of network file systems on Linux and macOS.

File locks and memory maps are not reliable on them.
"""


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that it is either complete or not there; it is on the disk on return.

    mode: permissions of the file; by default only its owner may read it.

    Raises OSError when the file cannot be written; an earlier file of this name is unchanged.
    """
    folder_mode = FOLDER if mode == REPORT else 0o700
    path.parent.mkdir(parents=True, exist_ok=True, mode=folder_mode)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            partial.chmod(mode)
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            partial.unlink()
        raise
    _sync_folder(path.parent)


@contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """Let the block write the files of a new folder, which is then complete or not there at all.

    Yields a hidden folder beside it, which takes its name when the block ends, and is deleted when
    an error or Ctrl-C ends the block. Everybody may read the files.

    folder: is not there, or empty; see `check_new_folder`.

    Raises OSError when it cannot be written.
    """
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=PARTIAL, dir=folder.parent))
    try:
        yield partial
        for path in partial.rglob("*"):
            path.chmod(FOLDER if path.is_dir() else REPORT)
        partial.chmod(FOLDER)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial)
        raise
    _sync_folder(folder.parent)


def check_new_folder(folder: Path) -> None:
    """Raise ValueError, with the remedy, unless a folder can be written anew: it holds nothing."""
    if folder.is_dir():
        if any(folder.iterdir()):
            raise ValueError(f"folder {str(folder)!r} exists and is not empty; name another one")
        if folder.resolve() == Path.cwd():  # it would be replaced below whoever works in it
            raise ValueError(f"folder {str(folder)!r} is the current one; name one within it")
    elif folder.exists() or folder.is_symlink():
        raise ValueError(f"{str(folder)!r} exists and is no folder; name another one")
    else:
        check_parent(folder)


def check_parent(path: Path) -> None:
    """Raise ValueError, with the remedy, unless the folder that is to hold the path exists."""
    parent = path.parent
    if parent.is_dir():
        return
    if parent.exists():
        raise ValueError(f"{str(parent)!r} is no folder, so nothing can be written in it")
    remedy = f"create it first: mkdir -p {shlex.quote(str(parent))}"
    raise ValueError(f"folder {str(parent)!r} does not exist; {remedy}")


def _sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a crash of the machine, where folders can be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # on Windows
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def network_filesystem(path: Path) -> str | None:
    """Return the name of the network file system that holds a path, which need not exist.

    Returns None for a local disk, and where the mounts cannot be listed. On Windows the name is
    that of the server's file system.
    """
    real = path.resolve()
    # Windows lists drives, but not shares that are named by their server, \\server\share.
    if real.drive.startswith("\\\\") and "?" not in real.drive:
        return "a network share"
    try:
        mounts = {Path(mount.mountpoint): mount for mount in psutil.disk_partitions(all=True)}
    except OSError:
        return None
    for folder in (real, *real.parents):
        if folder in mounts:
            mount = mounts[folder]  # the last one mounted there, which covers earlier ones
            is_remote = "remote" in mount.opts.split(",")  # a network drive of Windows
            return mount.fstype if is_remote or mount.fstype in NETWORK_FILESYSTEMS else None
    return None
