"""What a study would take, for `plan`."""

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from study.reporting.overview import clock


def draw(plan: Mapping[str, Any]) -> RenderableType:
    """The plan as a short table."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    probes = " and ".join(f"{seconds:.2f} s" for seconds in plan["probes_s"])
    rows = {
        "data": f"{plan['data']}, {plan['samples']:,} samples",
        "model": f"{plan['model']}, {plan['epochs']} epoch{'s' * (plan['epochs'] > 1)} a run",
        "varied": f"{len(plan['factors'])} factors, {plan['parameters']} parameters",
        "left out": ", ".join(f"{name} ({where})" for name, where in plan["left_out"]),
        "device": f"{plan['device']}, {plan['workers']} workers",
        "probes": probes,
        "time": f"{plan['runs']} runs x {sum(plan['probes_s']) / len(plan['probes_s']):.2f} s"
        f" / {plan['workers']} workers = about {clock(plan['seconds'])}",
    }
    for name, text in rows.items():
        if text:
            table.add_row(name, text)
    return table
