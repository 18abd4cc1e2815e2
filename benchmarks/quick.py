"""The quick study of digits from the command to the answer, with the share of every part of it.

The real command in a fresh folder, on a terminal, so that the live table is drawn. Functions are
timed where they stand; the stages of a run are those of `benchmarks.stopwatch`, seconds of all
workers divided by their number.

python -m benchmarks.quick [OPTIONS OF RUN ...]
"""

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.live import Live
from rich.table import Table

INSIDE = "--inside"
PARTS = "parts.json"


def inside(began: float, words: list[str]) -> None:
    """Run the command in this process, and write down the seconds of its parts."""
    from benchmarks.stopwatch import STAGES, Stopwatch
    from training_factors.study import commands
    from training_factors.study.api import execution, reports
    from training_factors.study.reporting import progress, report, summary
    from training_factors.study.running import pool_process, worker

    watch = Stopwatch()
    watch.seconds["imports"] = time.time() - began
    original = worker.work

    def work(*arguments: Any) -> int:
        own = Stopwatch()
        started = time.perf_counter()
        with own.watching():
            code = original(*arguments)
        own.seconds["loop"] = time.perf_counter() - started - sum(own.seconds.values())
        Path(f"{os.getpid()}.worker").write_text(json.dumps(own.seconds), encoding="utf-8")
        return code

    places = [
        (execution, "open_or_create", "data, space, study"),
        (execution, "run_queue", "runs"),
        (report, "read_report", "analysis"),
        (reports, "write_report_page", "page and chart"),
        (summary, "save_importance", "page and chart"),
        (progress, "compute_status", "live table"),
        (progress, "draw_live", "live table"),
        (Live, "update", "live table"),
    ]
    with patch.object(pool_process, "work", work), watch.watching(places):
        code = commands.execute(["run", *words])
    watch.seconds["all"] = time.time() - began
    processes = [json.loads(path.read_text(encoding="utf-8")) for path in Path().glob("*.worker")]
    stages = {
        stage: sum(one.get(stage, 0.0) for one in processes) / (len(processes) or 1)
        for stage in (*STAGES, "loop")
    }
    found = {"code": code, "parts": watch.seconds, "workers": len(processes), "stages": stages}
    Path(PARTS).write_text(json.dumps(found), encoding="utf-8")


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as folder:
        master, slave = pty.openpty()
        command = [
            sys.executable,
            "-m",
            "benchmarks.quick",
            INSIDE,
            str(time.time()),
            *sys.argv[1:],
        ]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        with subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment
        ) as process:
            os.close(slave)
            shown = _all_of(master)
        parts = Path(folder) / PARTS
        found = (
            json.loads(parts.read_text(encoding="utf-8"))
            if parts.exists()
            else {"code": process.returncode}
        )
    if found["code"]:
        print(shown[-2000:])
        sys.exit(found["code"])
    _draw(found)


def _all_of(terminal: int) -> str:
    shown = b""
    while True:
        try:
            read = os.read(terminal, 2**16)
        except OSError:  # the other side is closed
            return shown.decode(errors="replace")
        shown += read


def _draw(found: dict[str, Any]) -> None:
    from benchmarks.machine import machine

    parts, stages = found["parts"], found["stages"]
    everything = parts.pop("all")
    table = Table("part", "seconds", "share, %")

    def row(name: str, seconds: float) -> None:
        table.add_row(name, f"{seconds:.2f}", f"{100 * seconds / everything:.1f}")

    live, runs = parts["live table"], parts["runs"] + parts["live table"]
    outside = [name for name in parts if name not in ("live table", "runs", "building")]
    row("from the command to its end", everything)
    row(f"runs, on {found['workers']} workers", runs)
    for name, seconds in stages.items():
        row(f"  {name}", seconds)
    row("  starting and ending", runs - sum(stages.values()))
    row("  live table, beside the workers", live)
    for name in outside:
        row(name, parts[name])
    row("all else", everything - runs - sum(parts[name] for name in outside))
    Console(width=100).print(machine(), table)


if __name__ == "__main__":
    if sys.argv[1:2] == [INSIDE]:
        inside(float(sys.argv[2]), sys.argv[3:])
    else:
        main()
