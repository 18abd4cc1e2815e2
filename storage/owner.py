"""Who holds a run: a process, named so that others can tell whether it is still there."""

import hashlib
import os
import socket
from enum import Enum
from functools import cache
from pathlib import Path
from typing import NamedTuple


class ProcessStatus(Enum):
    """What is known of a process."""

    ALIVE = "alive"
    STOPPED = "stopped"
    ENDED = "ended"
    ELSEWHERE = "elsewhere"


class Owner(NamedTuple):
    """A process. place: the machine's boot and the process namespace, as a digest.

    started: clock ticks since boot; process numbers are used again.
    """

    host: str
    pid: int
    place: str
    started: str

    def __str__(self) -> str:
        return ":".join(str(part) for part in self)


def this_process() -> Owner:
    """The process that this is called in."""
    pid = os.getpid()
    return Owner(socket.gethostname(), pid, _place(), _stat(pid)[1])


def read_owner(text: str) -> Owner:
    """The owner that `str` wrote; one of nowhere for what something else wrote."""
    try:
        host, pid, place, started = text.rsplit(":", 3)
        return Owner(host, int(pid), place, started)
    except ValueError:
        return Owner(text, 0, "", "")


def status_of(owner: Owner) -> ProcessStatus:
    """Whether the process lives; only its own machine can tell."""
    if owner.place != _place():
        return ProcessStatus.ELSEWHERE
    state, started = _stat(owner.pid)
    if not started and not Path("/proc/1").exists():
        return ProcessStatus.ELSEWHERE  # this user is not shown the processes of others
    if started != owner.started or state in ("Z", "X"):
        return ProcessStatus.ENDED
    return ProcessStatus.STOPPED if is_stopped(owner.pid) else ProcessStatus.ALIVE


def is_stopped(pid: int) -> bool:
    """Whether a process stands still, by a signal."""
    return _stat(pid)[0] in ("T", "t")


def _stat(pid: int) -> tuple[str, str]:
    """The state of a process, as a letter, and when it started; empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    state, *fields = stat.rpartition(")")[2].split()
    return state, fields[18]


@cache
def _place() -> str:
    """Containers may share a host's name, and process numbers differ from one to the next."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    namespace = Path("/proc/self/ns/pid").readlink()
    return hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:8]
