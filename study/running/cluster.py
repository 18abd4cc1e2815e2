"""Run workers on other machines, through joblib's backends for Dask and Ray.

A cluster's task starts the `worker` command that people also start by hand, as a process of its
own: the cluster's own processes can neither fork nor receive our signals.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlsplit

import joblib

from training_factors.storage.stop_requests import count_stop_requests, request_stop
from training_factors.storage.studies import Study
from training_factors.storage.urls import URL_VARIABLES
from training_factors.study.running.signals import EXIT_CODES, recorded_signals

CHECK_INTERVAL_S = 0.25
"""Seconds between two checks whether the workers have ended."""

CONNECT_TIMEOUT_S = 10
"""Seconds to wait for the cluster's scheduler to accept a connection."""

RAY_CONNECTIONS = 3
"""Number of attempts to connect to Ray. It gives a client 30 s to get a server process of its own,
which takes longer on a busy or new head; the next attempt then succeeds."""

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def check_cluster(address: str, url: str) -> None:
    """Raise ValueError for a cluster that cannot be used or cannot reach the database."""
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
    if url.startswith("sqlite") and parts.hostname not in LOCAL_HOSTS:
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
        socket.create_connection((parts.hostname, port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise ValueError(
            f"cluster {address!r} does not answer ({error.strerror or error}); is its scheduler "
            "running?"
        ) from None


def run_on_cluster(
    study: Study,
    address: str,
    url: str,
    workers: int,
    options: Sequence[str],
    tick: Callable[[], None],
) -> int:
    """Run workers on a cluster until no run of the study is left; return the exit code.

    On a stop signal, requests that all workers of the study stop, wherever they run, and waits for
    those of this cluster.

    options: of the `worker` command. tick: called about four times a second meanwhile.
    """
    stop_requests = count_stop_requests(study)
    call = joblib.delayed(run_worker)(study.name, url, list(options), stop_requests)
    calls = [call] * workers

    def run_all() -> list[tuple[int, str]]:
        with _joblib_backend(address):
            return list(joblib.Parallel(n_jobs=workers, batch_size=1, pre_dispatch="all")(calls))

    with recorded_signals() as received, ThreadPoolExecutor(1) as executor:
        future = executor.submit(run_all)
        is_stopping = False
        while not future.done():
            tick()
            time.sleep(CHECK_INTERVAL_S)
            if received and not is_stopping:
                is_stopping = True
                request_stop(study)
        results = future.result()
    for line in sorted({line for code, line in results if code in (1, 2, 3)}):
        print(f"on the cluster: {line}", file=sys.stderr)
    return EXIT_CODES[received[0]] if received else max(code for code, _ in results)


def run_worker(name: str, url: str, options: list[str], stop_requests: int) -> tuple[int, str]:
    """Run one worker process on this machine; return its exit code and its last line on stderr.

    stop_requests: number of stop requests before this worker; with a further one it stops as soon
    as it has started.
    """
    words = [sys.executable, "-m", "training_factors", "worker", name]
    words += ["--asked", str(stop_requests), *options]
    result = subprocess.run(
        words,
        env={**os.environ, URL_VARIABLES[0]: url},  # not an argument: it may hold a password
        check=False,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    if result.returncode < 0:
        return 1, f"a worker was killed by {signal.Signals(-result.returncode).name}"
    return result.returncode, "".join(result.stderr.splitlines()[-1:])


def _connect_to_ray(address: str, connect: Callable[[], object]) -> None:
    """Connect to a Ray cluster. Raises ValueError when that fails every time."""
    for attempt in range(RAY_CONNECTIONS):
        try:
            connect()
        except ConnectionError as error:
            if attempt < RAY_CONNECTIONS - 1:
                continue
            reason = str(error).strip().splitlines()[-1:] or ["no reason given"]
            raise ValueError(
                f"cluster {address!r} accepts no client ({reason[0]}); see its logs, and start it "
                "with '.[ray]' installed there as well"
            ) from error
        return


@contextmanager
def _joblib_backend(address: str) -> Iterator[None]:
    """Send joblib's calls to this cluster."""
    if address.startswith("dask"):
        from distributed import Client

        with Client(address.replace("dask", "tcp", 1)), joblib.parallel_config(backend="dask"):
            yield
    else:
        import ray
        from ray.util.joblib import register_ray

        logging.getLogger("ray").setLevel(logging.ERROR)  # it says what every connection does
        register_ray()
        connect = partial(
            ray.init, address=address, logging_level=logging.ERROR, log_to_driver=False
        )
        _connect_to_ray(address, connect)
        try:
            with joblib.parallel_config(backend="ray"):
                yield
        finally:
            ray.shutdown()
