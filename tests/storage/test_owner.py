import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from training_factors.storage import owner as owner_module
from training_factors.storage.owner import (
    START_TOLERANCE_S,
    Owner,
    ProcessStatus,
    is_stopped,
    read_owner,
    status_of,
    this_process,
)

PROGRAM = (
    "import sys; from training_factors.storage.owner import this_process\n"
    "print(this_process(), flush=True); sys.stdin.read()"
)


@contextmanager
def another_process() -> Iterator[tuple["subprocess.Popen[str]", Owner]]:
    """Start a process that prints its identity and ends when its input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdin is not None
        try:
            yield process, read_owner(process.stdout.readline().strip())
        finally:
            process.kill()


def test_an_owner_is_read_as_it_was_written() -> None:
    assert read_owner(str(this_process())) == this_process()
    assert read_owner("a:b:12:00000000:3.25") == Owner("a:b", 12, "00000000", 3.25)


def test_this_process_is_alive() -> None:
    assert status_of(this_process()) is ProcessStatus.ALIVE


def test_a_process_is_alive_then_stopped_then_a_zombie_then_gone() -> None:
    with another_process() as (process, owner):
        assert owner.pid == process.pid
        assert status_of(owner) is ProcessStatus.ALIVE
        assert not is_stopped(process.pid)
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        assert status_of(owner) is ProcessStatus.STOPPED
        assert is_stopped(process.pid)
        process.send_signal(signal.SIGCONT)
        assert process.stdin is not None
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert status_of(owner) is ProcessStatus.ENDED
        process.wait()
        assert not psutil.pid_exists(process.pid)
        assert status_of(owner) is ProcessStatus.ENDED
        assert not is_stopped(process.pid)


@pytest.mark.parametrize("later_s", [START_TOLERANCE_S + 1, -START_TOLERANCE_S - 1, 1e6])
def test_a_reused_process_number_is_another_process(later_s: float) -> None:
    with another_process() as (_, owner):
        earlier = owner._replace(started=owner.started - later_s)
        assert status_of(earlier) is ProcessStatus.ENDED
        process = psutil.Process(owner.pid)
        process.suspend()
        assert status_of(earlier) is ProcessStatus.ENDED, "whatever the other process does"
        process.resume()


@pytest.mark.skipif(not psutil.LINUX, reason="replaces the boot time that psutil reads on Linux")
@pytest.mark.parametrize("step_s", [-3600.0, -1.0, 1.0, 3600.0])
def test_a_change_of_the_system_clock_ends_nobody(
    monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    with another_process() as (_, owner):
        created, boot = psutil.Process(owner.pid).create_time(), psutil.boot_time()
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + step_s)
        assert psutil.Process(owner.pid).create_time() == pytest.approx(created + step_s)
        assert status_of(owner) is ProcessStatus.ALIVE


def test_a_reading_within_the_tolerance_is_the_same_process() -> None:
    mine = this_process()
    assert status_of(mine._replace(started=mine.started + 1)) is ProcessStatus.ALIVE


@pytest.mark.parametrize("text", ["", "me", "host:1:2", "host:one:00000000:3", "host:1:0:x"])
def test_any_other_text_is_elsewhere(text: str) -> None:
    assert status_of(read_owner(text)) is ProcessStatus.ELSEWHERE


def test_only_its_own_machine_knows_of_a_process() -> None:
    mine = this_process()
    # Containers may share a host name, and a host may be renamed.
    assert status_of(mine._replace(host="renamed")) is ProcessStatus.ALIVE
    assert status_of(mine._replace(place="00000000")) is ProcessStatus.ELSEWHERE


@pytest.mark.skipif(not psutil.LINUX, reason="earlier versions ran on Linux only")
def test_an_owner_of_an_earlier_version_is_never_ended() -> None:
    """Earlier versions stored the start in clock ticks, which must not be read as seconds."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")
    namespace = Path("/proc/self/ns/pid").readlink()
    place = hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:8]
    owner = read_owner(f"{this_process().host}:{os.getpid()}:{place}:123456")
    assert owner.started == 123456
    assert status_of(owner) is ProcessStatus.ELSEWHERE


def test_a_process_that_may_not_be_read_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = this_process()

    def refuse(pid: int) -> None:
        raise psutil.AccessDenied(pid)

    monkeypatch.setattr(psutil, "Process", refuse)
    assert status_of(mine) is ProcessStatus.ELSEWHERE
    assert not is_stopped(mine.pid)


@pytest.mark.skipif(not psutil.LINUX, reason="hidepid is an option of Linux")
def test_a_process_of_another_user_may_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with another_process() as (process, owner):
        process.kill()
        process.wait()
        assert status_of(owner) is ProcessStatus.ENDED
        monkeypatch.setattr(psutil, "pid_exists", lambda pid: False)
        assert status_of(owner) is ProcessStatus.ELSEWHERE


def test_a_machine_without_boot_id_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = this_process()

    def missing(path: Path, **options: object) -> str:
        raise FileNotFoundError(path)

    owner_module._place.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", missing)
        patch.setattr("uuid.getnode", lambda: 42)
        mine = this_process()
        assert mine.place != usual.place
        assert status_of(mine) is ProcessStatus.ALIVE
        assert status_of(usual) is ProcessStatus.ELSEWHERE
    owner_module._place.cache_clear()
    assert this_process() == usual
