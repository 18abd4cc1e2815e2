"""Measure the time of a report, the size of its page, and how soon a browser has drawn it.

python -m benchmarks.reports [ROWS ...]
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.processes import asked
from tests.support.browser import ARGUMENTS, chromium_path
from tests.support.studies import create_simulated_study


def main() -> None:
    table = Table(
        "rows", "importance, s", "report again, s", "page, MB", "files",
        "browser until the first chart, s", "until all are drawn, s",
    )  # fmt: skip
    for rows in map(int, sys.argv[1:] or (128, 512, 2000, 5000)):
        with TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/studies.db"
            create_simulated_study(url, rows, search=rows // 4).database.close()
            analysed, _ = asked("importance", url)
            drawn, document = asked("report", url)
            found = json.loads(document)
            page = Path(found["page"])
            first, every = look(page)
            table.add_row(
                f"{rows:,}", f"{analysed:.1f}", f"{drawn:.1f}",
                f"{page.stat().st_size / 1e6:.1f}", str(len(found["charts"])), f"{first:.2f}",
                f"{every:.2f}",
            )  # fmt: skip
    Console().print(table)


def look(page: Path) -> tuple[float, float]:
    """Seconds until a browser shows the first bars, and until it has drawn every chart."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        opened = browser.new_page()
        began = time.perf_counter()
        opened.goto(page.as_uri(), wait_until="commit")
        opened.wait_for_selector(".bars path")
        first = time.perf_counter() - began
        opened.evaluate("places.forEach((place) => place.dataset.drawn || draw(place))")
        every = time.perf_counter() - began
        browser.close()
    return first, every


if __name__ == "__main__":
    main()
