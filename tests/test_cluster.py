"""Workers on real Dask and Ray clusters of two processes, and files that start workers."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import yaml
from distributed import LocalCluster

from tests.support.program import ROOT, run_program, start_program
from tests.support.servers import fresh_database
from tests.support.workers import wait_until
from training_factors.storage.database import open_database
from training_factors.storage.definition import Definition
from training_factors.storage.run_queue import Run
from training_factors.storage.stamp import Stamp
from training_factors.storage.studies import Study, create_study
from training_factors.storage.trials import read_trials
from training_factors.study.commands import execute
from training_factors.study.running import cluster as cluster_module
from training_factors.study.running.preparation import prepare_study


@pytest.fixture(scope="module", params=["dask", "ray"])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a scheduler with two worker processes, as --cluster takes it."""
    folder = tmp_path_factory.mktemp(request.param)
    start = dask_cluster if request.param == "dask" else ray_cluster
    with pytest.MonkeyPatch.context() as patch:
        # As on machines that share nothing but the program.
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.chdir(folder)
        with start(folder) as address:
            yield address


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
        local_directory=str(folder),
    ) as started:  # fmt: skip
        yield str(started.scheduler_address).replace("tcp://", "dask://")


@contextmanager
def ray_cluster(folder: Path) -> Iterator[str]:
    """A Ray head with two processors, and its server for clients, on free ports."""
    port, client = free_ports(2)
    ray = str(Path(sys.executable).with_name("ray"))
    words = [
        "start", "--head", f"--port={port}", "--node-ip-address=127.0.0.1", "--num-cpus=2",
        f"--ray-client-server-port={client}", "--include-dashboard=false", f"--temp-dir={folder}",
        "--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats", "--block",
    ]  # fmt: skip
    with (folder / "head.log").open("w") as log:
        started = subprocess.Popen([ray, *words], stdout=log, stderr=log)
        try:
            # The port answers earlier, but the first connection would fail.
            wait_until(lambda: is_ready(folder / "head.log") or started.poll() is not None)
            assert started.poll() is None, (folder / "head.log").read_text(encoding="utf-8")
            yield f"ray://127.0.0.1:{client}"
        finally:
            head = psutil.Process(started.pid)
            for process in (*head.children(recursive=True), head):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            started.wait()


def free_ports(count: int) -> list[int]:
    """Different ports that nobody uses."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def is_ready(log: Path) -> bool:
    """Whether a Ray head has written that it runs."""
    return "Ray runtime started" in log.read_text(encoding="utf-8")


def planned(url: str, epochs: int, runs: int) -> Study:
    stamp = prepare_study(Definition(source="wine", space="small", epochs=epochs)).stamp()
    study = create_study(open_database(url, create=True), "mine", stamp)
    study.queue.add([Run("measure", row) for row in range(runs)])
    return study


@pytest.mark.slow
def test_a_cluster_works_on_a_study(cluster: str, postgresql: str, tmp_path: Path) -> None:
    with fresh_database(postgresql) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_STORAGE", url)
        study = planned(url, epochs=10, runs=40)
        result = run_program(tmp_path, "worker", "mine", "--cluster", cluster, "--workers", "2")
        assert result.returncode == 0, result.stderr
        assert "40 of 40 runs" in result.stderr
        trials = read_trials(study)
        assert sorted(trial.row for trial in trials) == list(range(40))
        assert {trial.state for trial in trials} == {"COMPLETE"}
        study.database.close()


@pytest.mark.slow
@pytest.mark.parametrize("cluster", ["dask"], indirect=True)
def test_interrupting_it_asks_its_workers_to_stop(
    cluster: str, postgresql: str, tmp_path: Path
) -> None:
    with fresh_database(postgresql) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_STORAGE", url)
        study = planned(url, epochs=40, runs=400)
        process = start_program(
            tmp_path, "worker", "mine", "--cluster", cluster, "--workers", "2", "--heartbeat", "1"
        )
        wait_until(lambda: sum(p.done for p in study.queue.progress().values()) > 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "resume:" in err
        progress = study.queue.progress().values()
        assert sum(p.running for p in progress) == 0
        assert sum(p.waiting for p in progress) > 0
        study.database.close()


@pytest.fixture
def printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Printer":
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:///runs/studies.db", create=True)
    create_study(database, "pets; rm -rf $HOME", Stamp("accuracy"))
    return Printer(capsys)


class Printer:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, kind: str) -> str:
        words = ["worker", "pets; rm -rf $HOME", "--cluster", kind, "--workers", "3"]
        assert execute([*words, "--grace", "60"]) == 0
        return self._capsys.readouterr().out


ARGUMENTS = [
    "worker", "pets; rm -rf $HOME", "--workers", "1", "--device", "auto", "--grace", "60",
]  # fmt: skip


def test_a_job_array_for_slurm_runs_the_worker(printed: "Printer", tmp_path: Path) -> None:
    script = printed("slurm")
    assert "#SBATCH --array=1-3" in script
    (line,) = (line for line in script.splitlines() if line.startswith("run-study"))
    assert shlex.split(line) == ["run-study", *ARGUMENTS, "&"]
    # A stand-in says what it was given, as bash reads the script.
    stand_in = tmp_path / "run-study"
    stand_in.write_text(
        f"#!{sys.executable}\nimport sys; print(sys.argv[1:], flush=True)\n", encoding="utf-8"
    )
    stand_in.chmod(0o700)
    path = f"{tmp_path}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", script], env={"PATH": path, "STUDY_STORAGE": "sqlite:///x.db"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stdout.strip() == str(ARGUMENTS)
    without = subprocess.run(
        ["bash", "-c", script], env={"PATH": path}, capture_output=True, text=True, check=False
    )
    assert without.returncode != 0 and "set STUDY_STORAGE" in without.stderr


def test_files_for_compose_and_kubernetes_run_the_worker(printed: "Printer") -> None:
    service = yaml.safe_load(printed("compose"))["services"]["worker"]
    assert service["command"] == ARGUMENTS
    assert service["deploy"]["replicas"] == 3
    job = yaml.safe_load(printed("kubernetes"))
    assert job["spec"]["parallelism"] == job["spec"]["completions"] == 3
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ARGUMENTS


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert execute(["run", "--cluster", "ray://localhost:10001"]) == 2
    assert "pip install -e '.[ray]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failures", [0, 2, 3])
def test_a_busy_ray_head_is_asked_again(failures: int) -> None:
    answers = [ConnectionError("not\nyet")] * failures

    def connect() -> None:
        if answers:
            raise answers.pop()

    if failures < cluster_module.RAY_CONNECTIONS:
        cluster_module._connect_to_ray("ray://head:1", connect)
    else:
        with pytest.raises(ValueError, match=r"'ray://head:1' accepts no client \(yet\)"):
            cluster_module._connect_to_ray("ray://head:1", connect)
    assert not answers
