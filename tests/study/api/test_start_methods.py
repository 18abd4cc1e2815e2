"""A study gives the same values however its workers come about, and stops and fails alike."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import training_factors as tf
from tests.support.program import ROOT
from training_factors.storage.database import NoDatabaseError, open_database
from training_factors.storage.stop_requests import request_stop
from training_factors.storage.studies import load_study
from training_factors.study.running.processes import choose_start
from training_factors.study.running.settings import StartMethod

URL = "sqlite:///runs/studies.db"

SMALL = {"data": "wine", "space": "small", "epochs": 2, "rows": 16, "preset": "smoke"}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(name: str, **named: object) -> tf.FactorStudy:
    return tf.run(study=name, **{**SMALL, **named})  # type: ignore[arg-type]


@contextmanager
def after_a_run(name: str, act: Callable[[], None]) -> Iterator[None]:
    """Call a function in a thread as soon as the study has finished a run."""

    def watch() -> None:
        while not done.wait(0.05):
            with suppress(NoDatabaseError, tf.NoStudyError, KeyError):  # it is being created
                if tf.load(name).status.done:
                    act()
                    return

    done = threading.Event()
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


@pytest.mark.slow
def test_the_values_are_equal_in_this_process_in_forked_and_in_started_ones() -> None:
    studies = {
        "none": run("none", workers=0, divisions=2),
        "fork": run("fork", workers=2, start="fork", divisions=2),
        "spawn": run("spawn", workers=1, start="spawn", divisions=2),
    }
    rows = {}
    for name, study in studies.items():
        trials = study.trials()
        measured = trials[trials.phase != "search"].sort_values(["phase", "row", "repeat"])
        rows[name] = measured.drop(columns=["time_s"]).reset_index(drop=True)
        assert list(study.folder.glob("logs/*")) == []
    assert len(rows["none"]) == 1 + 16 + 2 * 4 + 4
    assert rows["none"].equals(rows["fork"])
    assert rows["none"].equals(rows["spawn"])


@pytest.mark.slow
@pytest.mark.parametrize("start", ["none", "spawn"])
def test_a_request_to_stop_is_heard(start: StartMethod) -> None:
    """Somebody asks all workers of the study to stop; the same call goes on afterwards."""
    timing = tf.WorkerTiming(heartbeat_s=0.2, grace_s=2)

    def ask() -> None:
        request_stop(load_study(open_database(URL), "asked"))

    with (
        after_a_run("asked", ask),
        pytest.raises(tf.StudyStoppedError, match=r"stopped: \d+ of .* runs are done") as stop,
    ):
        run("asked", rows=600, epochs=4, workers=1, start=start, timing=timing)
    assert stop.value.exit_code == 143
    stopped = tf.load("asked").status
    assert 0 < stopped.done < stopped.total
    assert sum(phase.running for phase in stopped.progress.values()) == 0


@pytest.mark.slow
def test_ctrl_c_in_this_process_stops_after_the_epoch_and_resumes() -> None:
    handler = signal.getsignal(signal.SIGINT)
    with (
        after_a_run("broken", lambda: os.kill(os.getpid(), signal.SIGINT)),
        pytest.raises(tf.StudyStoppedError) as stop,
    ):
        run("broken", epochs=4, rows=64, workers=0)
    assert stop.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is handler
    done_before = tf.load("broken").status.done
    study = run("broken", epochs=4, rows=64, workers=0)
    assert 0 < done_before < study.status.done == study.status.total


def test_a_run_that_an_exception_ends_is_released() -> None:
    """Code that ends the program, in a notebook whose process lives on."""
    run("ending", workers=0)

    def end(*arguments: object, **named: object) -> None:
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr("training_factors.study.running.trial_runner.train", end)
        run("ending", workers=0, rows=24)
    stopped = tf.load("ending").status
    assert stopped.done == 33 and sum(p.running for p in stopped.progress.values()) == 0
    assert run("ending", workers=0, rows=24).status.done == 41


def test_too_many_failures_end_a_study_in_this_process_with_the_reason() -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise RuntimeError("no luck")

    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(tf.StudyStoppedError, match="failed: RuntimeError: no luck; stopped") as stop,
    ):
        patch.setattr("training_factors.study.running.trial_runner.train", fail)
        run("failing", workers=0)
    assert stop.value.exit_code == 1


@pytest.mark.slow
def test_a_started_worker_that_cannot_prepare_the_study_ends_it_with_the_reason(
    tmp_path: Path,
) -> None:
    """The model's file can be imported by this process alone."""
    (tmp_path / "net.py").write_text(
        f"import os\nfrom torch import nn\nassert os.getpid() == {os.getpid()}, 'not here'\n"
        "def make(in_features, num_classes):\n    return nn.Linear(in_features, num_classes)\n",
        encoding="utf-8",
    )
    with pytest.raises(tf.StudyStoppedError, match=r"net\.py.*not here.*stopped: 0 of") as stop:
        run("gone", model="net.py:make", start="spawn", workers=1)
    assert stop.value.exit_code == 2


_WITHOUT = """
import os, signal, sys
for place, names in (
    (os, ("fork", "sched_getaffinity", "setsid", "getuid")),
    (signal, ("SIGHUP", "SIGUSR1", "pthread_sigmask")),
):
    for name in names:
        delattr(place, name)
"""
"""What Windows or macOS lack, taken away."""


@pytest.mark.slow
def test_a_study_runs_where_there_is_no_fork_and_few_signals(tmp_path: Path) -> None:
    """`sitecustomize` takes them away in every process, those of the workers among them."""
    (tmp_path / "sitecustomize.py").write_text(_WITHOUT, encoding="utf-8")
    code = (
        "import os, training_factors as tf\n"
        "assert not hasattr(os, 'fork')\n"
        "study = tf.run('wine', space='small', epochs=1, rows=16, preset='smoke', workers=1)\n"
        "assert study.status.done == study.status.total == 33\n"
        "print(len(study.trials()))\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "33\n"


def test_how_workers_start() -> None:
    assert choose_start(None, "cpu", is_given=False) == "fork"
    assert choose_start(None, "cpu", is_given=True) == "fork"
    assert choose_start(None, "cuda", is_given=False) == "spawn"
    assert choose_start(None, "cuda", is_given=True) == "none"
    with pytest.raises(ValueError, match=r"--start fork does not work with the device cuda"):
        choose_start("fork", "cuda", is_given=False)
    with pytest.raises(ValueError, match=r"--start spawn does not work with data or a model"):
        choose_start("spawn", "cpu", is_given=True)


def test_how_workers_start_without_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    assert choose_start(None, "cpu", is_given=False) == "spawn"
    assert choose_start(None, "cpu", is_given=True) == "none"
    with pytest.raises(ValueError, match=r"--start fork works on Linux only"):
        choose_start("fork", "cpu", is_given=False)
