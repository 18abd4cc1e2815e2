"""Measure the memory of the processes of a pool, at its peak, by how workers come about.

Resident counts pages that processes share fully in each of them, proportional divides them among
those that share them, and own is what a process has written and no other has, so what another
worker needs (Linux: smaps_rollup).

python -m benchmarks.memory [--data digits] [--data images] [--start fork] [--start spawn]
"""

import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine

IMAGES = 60_000
"""Number of colour images of 32 × 32 pixels: 184 MB, as CIFAR-10 has."""

FIELDS = {"Rss": "resident", "Pss": "proportional", "Private_Dirty": "own"}
"""Lines of smaps_rollup that are read, and what they are called here."""

INTERVAL_S = 0.05
"""Seconds between two looks at the processes."""


def write_images(path: Path) -> None:
    """Write random images of ten classes, each with a mean of its own."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 10, IMAGES)
    images = random.integers(0, 156, (IMAGES, 32, 32, 3), np.uint8)
    images += (10 * targets).astype(np.uint8)[:, None, None, None]
    np.savez(path, x=images, y=targets)


def memory_of(process: int) -> dict[str, int]:
    """Return the fields of a process in kB; empty if it has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return {}
    lines = (line.split() for line in text.splitlines()[1:])
    sizes = {name.rstrip(":"): int(size) for name, size, *_ in lines}
    return {shown: sizes[name] for name, shown in FIELDS.items()}


def role_of(process: psutil.Process, parent: int) -> str:
    """Return `parent`, `heartbeat` or `worker`, by the log that its output goes to; or nothing."""
    if process.pid == parent:
        return "parent"
    output = Path(f"/proc/{process.pid}/fd/1").resolve().name
    return next((role for role in ("heartbeat", "worker") if f"{parent}-{role}" in output), "")


def peaks(words: list[str], folder: Path) -> dict[str, dict[str, int]]:
    """Run a study, and return the largest values of each kind of process, in kB."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    command = [sys.executable, "-m", "training_factors", "run", "--quiet", *words]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        pool = psutil.Process(process.pid)
        while process.poll() is None:
            for each in (pool, *pool.children()):
                try:
                    role = role_of(each, process.pid)
                except (psutil.Error, OSError):
                    continue
                memory = memory_of(each.pid)
                if not memory or not role or (role == "parent" and "worker" not in found):
                    continue
                for name, size in memory.items():
                    found[role][name] = max(found[role][name], size)
            time.sleep(INTERVAL_S)
        if process.returncode:
            sys.exit(process.stderr.read().decode() if process.stderr else "")
    return found


def main(
    data: Annotated[list[str] | None, typer.Option()] = None,
    start: Annotated[list[str] | None, typer.Option()] = None,
    rows: int = 16,
    workers: int = 2,
) -> None:
    """Print MB of the process that starts workers, of a worker and of the heartbeat process."""
    table = Table("data", "start", "process", "resident", "proportional", "own")
    with TemporaryDirectory() as place:
        images = Path(place) / "images.npz"
        for name in data or ["digits", "images"]:
            source = name
            if name == "images":
                write_images(images)
                source = str(images)
            for method in start or ["fork", "spawn"]:
                folder = Path(place) / f"{name}-{method}"
                folder.mkdir()
                words = ["--data", source, "--model", "mlp:small", "--epochs", "2", "--rows",
                         str(rows), "--search", "0", "--repeats", "2", "--workers", str(workers),
                         "--start", method]  # fmt: skip
                for role, sizes in sorted(peaks(words, folder).items()):
                    table.add_row(
                        name, method, role, *(f"{size / 1024:.0f}" for size in sizes.values())
                    )
    Console(width=110).print(machine(), table)


if __name__ == "__main__":
    typer.run(main)
