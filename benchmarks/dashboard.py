"""Time the dashboard on a large study: until it answers, and until a browser shows our chart.

python -m benchmarks.dashboard [TRIALS]
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from tests.support.browser import ARGUMENTS, chromium_path
from tests.support.program import ENTRY
from tests.support.studies import create_simulated_study
from training_factors.study.reporting.analyses import read_study_data
from training_factors.study.reporting.dashboard_notes import (
    CHART_ID,
    dashboard_figure,
    save_to_dashboard,
)

LOOKS = 5
FORGETFUL = 3
"""Looks until a browser has compiled the dashboard's 6 MB of program for good."""
VIEW: Any = {"width": 1400, "height": 1000}


def main() -> None:
    trials = int(sys.argv[1]) if sys.argv[1:] else 1000
    table = Table("what", "seconds")
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/studies.db"
        study = create_simulated_study(url, trials)
        data = read_study_data(study, jobs=2)
        chart = dashboard_figure(data.conclusion, data.require_answer(), study.stamp.objective)
        began = time.perf_counter()
        save_to_dashboard(study, chart, "## verdict")
        table.add_row("chart and note kept", f"{time.perf_counter() - began:.2f}")
        began = time.perf_counter()
        save_to_dashboard(study, chart, "## verdict")
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
            opened.wait_for_selector(f'[id="user-defined-plot:{CHART_ID}"] .bars path')
            yield time.perf_counter() - began
            opened.close()
        browser.close()


def shown(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    main()
