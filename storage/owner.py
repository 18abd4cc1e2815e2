"""Process identities: name the process that holds a claim, and find out whether it still runs."""

import hashlib
import socket
import uuid
from enum import Enum
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil

START_TOLERANCE_S = 2.0
"""Start times of one process may differ by this many seconds between two readings.

Linux states its boot time in whole seconds, and small corrections of the clock move it.
"""

_VERSION = "owner 2"
"""Version of `Owner`; part of `Owner.place`, so that other versions' owners are never compared."""

_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
_ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class ProcessStatus(Enum):
    """The state of an owner's process, as seen from this process.

    STOPPED: suspended by a signal or a debugger. ENDED: gone, or a zombie. ELSEWHERE: on another
    machine, in another container, hidden from this user, or written by another version of `Owner`;
    only its heartbeat tells whether it runs.
    """

    ALIVE = "alive"
    STOPPED = "stopped"
    ENDED = "ended"
    ELSEWHERE = "elsewhere"


class Owner(NamedTuple):
    """The identity of a process.

    place: digest of the machine, its boot and the container; process numbers are unique within it.
    started: start time of the process in seconds, since process numbers are reused; since boot
    on Linux and macOS, else since 1970.
    """

    host: str
    pid: int
    place: str
    started: float

    def __str__(self) -> str:
        return ":".join(str(part) for part in self)


def this_process() -> Owner:
    """Return the identity of the calling process."""
    process = psutil.Process()
    return Owner(socket.gethostname(), process.pid, _place(), _start_time(process))


def read_owner(text: str) -> Owner:
    """Parse an owner from its `str`; the status of any other text is ELSEWHERE."""
    try:
        host, pid, place, started = text.rsplit(":", 3)
        return Owner(host, int(pid), place, float(started))
    except ValueError:
        return Owner(text, 0, "", 0.0)


def status_of(owner: Owner) -> ProcessStatus:
    """Return the state of an owner's process; only its own machine can tell."""
    if owner.place != _place():
        return ProcessStatus.ELSEWHERE
    try:
        process = psutil.Process(owner.pid)
        with process.oneshot():
            state, started = process.status(), _start_time(process)
    except psutil.NoSuchProcess:
        return ProcessStatus.ELSEWHERE if _hides_processes() else ProcessStatus.ENDED
    except psutil.AccessDenied:
        return ProcessStatus.ELSEWHERE
    if state in _ENDED or abs(started - owner.started) > START_TOLERANCE_S:
        return ProcessStatus.ENDED
    return ProcessStatus.STOPPED if state in _STOPPED else ProcessStatus.ALIVE


def is_stopped(pid: int) -> bool:
    """Return whether a process is suspended by a signal or a debugger."""
    try:
        return psutil.Process(pid).status() in _STOPPED
    except psutil.Error:
        return False


def _start_time(process: psutil.Process) -> float:
    """Return the start time of a process, unaffected by later changes of the system clock.

    On Linux and macOS psutil's creation time moves with the clock, and so does its boot time;
    on Windows the creation time is fixed.
    """
    started = process.create_time()
    if psutil.LINUX or psutil.MACOS:
        started -= psutil.boot_time()
    return round(started, 2)


def _hides_processes() -> bool:
    """Return whether Linux hides the processes of other users (mount option hidepid=2)."""
    return psutil.LINUX and not psutil.pid_exists(1)


@cache
def _place() -> str:
    """Return the digest `Owner.place` of this process.

    On Linux it covers the boot and the process namespace: containers may share a host name and
    number their processes on their own. Elsewhere it covers the network address and the host name.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")
        namespace = Path("/proc/self/ns/pid").readlink()
        parts = [boot.strip(), str(namespace)]
    except OSError:
        parts = [str(uuid.getnode()), socket.gethostname()]
    return hashlib.sha256("\n".join([_VERSION, *parts]).encode()).hexdigest()[:8]
