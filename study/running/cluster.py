"""Workers on other machines, placed through joblib's backends for Dask and Ray.

What is placed is the same `worker` that people start by hand, as a process of its own: a cluster's
own processes may neither fork nor be interrupted.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import joblib

from training_factors.storage.stop_requests import count_stop_requests, request_stop
from training_factors.storage.studies import Study
from training_factors.study.running.signals import EXIT_CODES, recorded_signals

LOOK_S = 0.25

CONNECT_S = 10
"""Seconds that a cluster has to answer."""

LOCAL = ("127.0.0.1", "localhost", "::1")


def check_cluster(address: str, url: str) -> None:
    """Raise ValueError for a cluster that cannot be used, or cannot reach the database."""
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("dask", "ray") or not parts.hostname or not port:
        raise ValueError(
            f"cluster {address!r} is unknown; use dask://HOST:PORT, ray://HOST:PORT, "
            "or worker NAME --cluster slurm, compose or kubernetes"
        )
    if url.startswith("sqlite") and parts.hostname not in LOCAL:
        raise ValueError(
            f"cluster {address!r} cannot reach an SQLite file; use --storage postgresql://USER@HOST"
            "/NAME"
        )
    try:
        __import__("distributed" if parts.scheme == "dask" else "ray")
    except ImportError:
        raise ValueError(
            f"cluster {address!r} needs a package; pip install -e '.[{parts.scheme}]'"
        ) from None
    try:
        socket.create_connection((parts.hostname, port), CONNECT_S).close()
    except OSError as error:
        raise ValueError(
            f"cluster {address!r} does not answer ({error.strerror or error}); is its scheduler "
            "running?"
        ) from None


def place(
    study: Study,
    address: str,
    url: str,
    workers: int,
    options: Sequence[str],
    tick: Callable[[], None],
) -> int:
    """Have workers of a cluster work on the study; the exit code.

    Asked to stop, it asks the study's workers everywhere to stop, and waits for them.
    """
    asked = count_stop_requests(study)
    call = joblib.delayed(run_worker)(study.name, url, list(options), asked)
    calls = [call] * workers

    def run_all() -> list[tuple[int, str]]:
        with _backend(address):
            return list(joblib.Parallel(n_jobs=workers, batch_size=1, pre_dispatch="all")(calls))

    with recorded_signals() as received, ThreadPoolExecutor(1) as pool:
        placed = pool.submit(run_all)
        is_asked = False
        while not placed.done():
            tick()
            time.sleep(LOOK_S)
            if received and not is_asked:
                is_asked = True
                request_stop(study)
        ends = placed.result()
    for line in sorted({line for code, line in ends if code in (1, 2, 3)}):
        print(f"on the cluster: {line}", file=sys.stderr)
    return EXIT_CODES[received[0]] if received else max(code for code, _ in ends)


def run_worker(name: str, url: str, options: list[str], asked: int) -> tuple[int, str]:
    """Run one worker here; its exit code, and the last line that it wrote.

    asked: how often the study's workers were asked to stop before; once more, and it stops as
    soon as it could start. The URL, which may hold a password, is no argument.
    """
    words = [sys.executable, "-m", "run_study", "worker", name, "--asked", str(asked), *options]
    ended = subprocess.run(
        words,
        env={**os.environ, "STUDY_STORAGE": url},
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    if ended.returncode < 0:
        return 1, f"a worker was killed by {signal.Signals(-ended.returncode).name}"
    return ended.returncode, "".join(ended.stderr.splitlines()[-1:])


@contextmanager
def _backend(address: str) -> Iterator[None]:
    """joblib's calls go to this cluster."""
    if address.startswith("dask"):
        from distributed import Client

        with Client(address.replace("dask", "tcp", 1)), joblib.parallel_config(backend="dask"):
            yield
    else:
        import ray
        from ray.util.joblib import register_ray

        register_ray()
        ray.init(address=address)
        try:
            with joblib.parallel_config(backend="ray"):
                yield
        finally:
            ray.shutdown()
