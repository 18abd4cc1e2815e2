"""How long the dashboard takes over a large study: to answer, and until a browser shows our chart.

python -m benchmarks.dashboard [TRIALS]
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from rich.console import Console
from rich.table import Table

from storage.database import open_database
from storage.ledger import Run
from storage.studies import Study, create_study
from storage.trials import begin_trial
from study.reporting.publication import CHART, publish
from study.running.design import designed
from study.running.preparation import prepare
from study.running.settings import Definition
from tests.browser import ARGUMENTS, chromium_path

ENTRY = Path(__file__).parents[1] / "run_study.py"
LOOKS = 5
FORGETFUL = 3
"""Looks until a browser has compiled the dashboard's 6 MB of program for good."""
VIEW: Any = {"width": 1400, "height": 1000}
EPOCHS = 16


def main() -> None:
    trials = int(sys.argv[1]) if sys.argv[1:] else 1000
    table = Table("what", "seconds")
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/studies.db"
        study = simulate(url, trials)
        began = time.perf_counter()
        publish(study, figure(study), "## verdict")
        table.add_row("chart and note kept", f"{time.perf_counter() - began:.2f}")
        began = time.perf_counter()
        publish(study, figure(study), "## verdict")
        table.add_row("the same again", f"{time.perf_counter() - began:.3f}")
        study.database.close()
        began = time.perf_counter()
        with served(url) as page:
            table.add_row("from the command to its address", f"{time.perf_counter() - began:.2f}")
            first, size = ask(page)
            table.add_row(f"first answer, {size / 1e6:.1f} MB", f"{first:.2f}")
            table.add_row("further answers", shown([ask(page)[0] for _ in range(LOOKS)]))
            looks = list(look(page))
            table.add_row("a new browser until the chart shows", f"{looks[0]:.2f}")
            table.add_row("the same browser, later on", shown(looks[FORGETFUL:]))
    Console().print(f"{trials:,} trials", table)


def simulate(url: str, trials: int) -> Study:
    """A study of digits whose runs have ended without training."""
    prepared = prepare(Definition(source="digits"))
    study = create_study(open_database(url, create=True), "simulated", prepared.stamp())
    study.ledger.plan([Run("measure", row) for row in range(trials)])
    random = np.random.default_rng(0)
    for row in range(trials):
        claim = study.ledger.claim("benchmark")
        assert claim is not None
        config = designed(prepared.space, 0, row)
        attributes = {**claim.run._asdict(), "seed": row, "host": "here", "device": "cpu"}
        trial = begin_trial(study, claim, config, prepared.space.distributions(config), attributes)
        values = np.sort(random.uniform(0.1, 1, EPOCHS // 2))
        curve = dict(zip(range(1, EPOCHS, 2), values.tolist(), strict=True))
        metrics = {"accuracy": values[-1], "macro_f1": 0.9, "kappa": 0.9, "auc": 0.9}
        trial.complete(values[-1], {"time_s": 0.4, "metrics": metrics}, curve)
    return study


def figure(study: Study) -> dict[str, Any]:
    """As large as ours."""
    names = [factor["name"] for factor in study.stamp["described"]["factors"]]
    shares = [50 / 2**i for i in range(len(names))]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": names,
        "x": shares,
        "error_x": {"array": shares},
    }
    return {"data": [bars], "layout": {"title": {"text": "importance"}}}


@contextmanager
def served(url: str) -> Iterator[str]:
    """The address of the study's page while it is served."""
    command = [sys.executable, str(ENTRY), "dashboard", "--port", "0", "--storage", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0].decode()
        process.terminate()


def ask(page: str) -> tuple[float, int]:
    """Seconds and bytes of the answer that the page is drawn from."""
    began = time.perf_counter()
    connection = HTTPConnection(urlsplit(page).netloc)
    connection.request("GET", f"/api/studies/{page.rsplit('/', 1)[1]}?after=0")
    size = len(connection.getresponse().read())
    connection.close()
    return time.perf_counter() - began, size


def look(page: str) -> Iterator[float]:
    """Seconds from the address to our chart's bars, in one browser with a profile of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver, TemporaryDirectory() as profile:
        browser = driver.chromium.launch_persistent_context(
            profile, executable_path=chromium_path(), args=ARGUMENTS, viewport=VIEW
        )
        for _ in range(FORGETFUL + LOOKS):
            opened = browser.new_page()
            began = time.perf_counter()
            opened.goto(page, wait_until="commit")
            opened.wait_for_selector(f'[id="user-defined-plot:{CHART}"] .bars path')
            yield time.perf_counter() - began
            opened.close()
        browser.close()


def shown(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    main()
