"""Charts in a window."""

import matplotlib
from matplotlib import pyplot

from study.reporting.chart import Chart
from study.reporting.picture import STYLE, draw


def show(chart: Chart) -> None:
    """The chart in a window, until it is closed. Raises ValueError where there is no display."""
    with matplotlib.rc_context(STYLE):
        draw(chart, pyplot.figure)
        if matplotlib.get_backend().lower() == "agg":  # what is left without a display
            raise ValueError("no window can be opened here; write a file with --output FILE.png")
        pyplot.show()
