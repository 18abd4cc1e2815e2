"""Storage works where there is no /proc, as on macOS and Windows."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''
import os
import sys

import psutil


def refuse_proc(path):
    """Raise FileNotFoundError for a path below /proc, unless psutil asks for it."""
    if not isinstance(path, str | bytes | os.PathLike):
        return
    if not os.path.normpath(os.fsdecode(path)).startswith("/proc"):
        return
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").split(".")[0] == "psutil":
            return
        frame = frame.f_back
    raise FileNotFoundError(2, "there is no /proc", path)


def refusing(function):
    def call(path, *arguments, **keywords):
        refuse_proc(path)
        return function(path, *arguments, **keywords)

    return call


# An audit hook sees every way to open or list a path; the functions below raise no event.
sys.addaudithook(lambda event, arguments: arguments and refuse_proc(arguments[0]))
for name in ("stat", "lstat", "readlink", "access"):
    setattr(os, name, refusing(getattr(os, name)))

def main(url):
    from training_factors.storage.database import open_database
    from training_factors.storage.live_trial import start_trial
    from training_factors.storage.owner import (
        ProcessStatus, is_stopped, read_owner, status_of, this_process
    )
    from training_factors.storage.run_queue import Run
    from training_factors.storage.stamp import Stamp
    from training_factors.storage.studies import create_study, load_study
    from training_factors.storage.trials import read_trials

    study = create_study(open_database(url, create=True), "study", Stamp("accuracy"))
    study.queue.add([Run("measure", 0), Run("measure", 1)])
    claim = study.queue.claim(str(this_process()))
    start_trial(study, claim, {}, {}, {"phase": "measure", "row": 0})
    study.queue.record_heartbeat([claim.owner])

    reading = load_study(open_database(url, reading=True), None)
    (active,) = reading.queue.active_claims()
    assert status_of(read_owner(active.claim.owner)) is ProcessStatus.ALIVE
    ended = this_process()._replace(started=0.0)
    assert status_of(ended) is ProcessStatus.ENDED
    assert not is_stopped(os.getpid())
    assert [trial.state for trial in read_trials(reading)] == ["RUNNING"]
    print(dict(reading.queue.progress()))
'''

READS = [
    "open('/proc/self/mounts')",
    "os.open('/proc/self/stat', os.O_RDONLY)",
    "os.listdir('/proc')",
    "os.scandir('/proc/self')",
    "os.stat('/proc/1')",
    "os.readlink('/proc/self/ns/pid')",
    "pathlib.Path('/proc/self/mounts').read_text()",
    "pathlib.Path('/proc/self/ns/pid').readlink()",
    "list(pathlib.Path('/proc/self/task').iterdir())",
]


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc to refuse")
def test_a_study_is_written_and_read_without_proc(tmp_path: Path) -> None:
    status = (
        "from training_factors.__main__ import main as start\n"
        "sys.argv = ['training-factors', 'status', '--storage', sys.argv[1]]\nstart()"
    )
    url = f"sqlite:///{tmp_path}/studies.db"
    ended = run(f"{PROGRAM}\nmain(sys.argv[1])\n{status}", url)
    assert ended.returncode == 0, ended.stderr
    assert "PhaseProgress(waiting=1, running=1, done=0)" in ended.stdout
    assert "measure" in ended.stdout.partition("PhaseProgress")[2].partition("\n")[2]


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc to refuse")
def test_every_way_to_read_proc_is_refused() -> None:
    attempts = "".join(
        f"\ntry: {read}\nexcept FileNotFoundError: print('refused')" for read in READS
    )
    ended = run(f"{PROGRAM}\nimport pathlib{attempts}\nassert psutil.pids()")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["refused"] * len(READS)
