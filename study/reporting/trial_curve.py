"""The learning curve of one run as a small SVG picture, which its note shows."""

import math
import re
from collections.abc import Iterable, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from optuna.storages import BaseStorage

from storage.tables import Trial

WIDTH, HEIGHT = 420, 150
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 30

_PLACE = re.compile(r"/curves/([0-9]+)/([0-9]+)\.svg")


def place_of(study_id: int, trial: Trial) -> str:
    """Where the picture of a run's curve is served; empty when there is nothing to draw."""
    return f"/curves/{study_id}/{trial.number}.svg" if len(drawable(trial.curve)) > 1 else ""


def with_curves(application: WSGIApplication, storage: BaseStorage) -> WSGIApplication:
    """The application, with the pictures of curves beside it. storage: where trials are read."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = _PLACE.fullmatch(str(environ.get("PATH_INFO", "")))
        curve = _read(storage, int(asked[1]), int(asked[2])) if asked else {}
        if not curve:
            return application(environ, start_response)
        body = svg_of(curve).encode()
        headers = [("Content-Type", "image/svg+xml"), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return answer


def _read(storage: BaseStorage, study_id: int, number: int) -> dict[int, float]:
    """The curve of a trial; empty when there is no such trial."""
    try:
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
    except KeyError:
        return {}
    return drawable(storage.get_trial(trial_id).intermediate_values)


def drawable(curve: Mapping[int, float]) -> dict[int, float]:
    """What of a curve can be drawn. curve: epoch, from 0, -> validation objective."""
    return {step: value for step, value in sorted(curve.items()) if math.isfinite(value)}


def svg_of(curve: Mapping[int, float]) -> str:
    """The picture of a curve that can be drawn and is not empty."""
    steps, values = tuple(curve), tuple(curve.values())
    low, high = min(values), max(values)
    points = [
        (_place(step, steps[0], steps[-1], LEFT, WIDTH - RIGHT),
         _place(value, low, high, HEIGHT - BOTTOM, TOP))
        for step, value in zip(steps, values, strict=True)
    ]  # fmt: skip
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            'font-family="sans-serif" font-size="12" fill="#5f5f5f">'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" '
            'stroke="#b4b4b4"/>',
            _text(LEFT - 6, TOP + 4, f"{high:.3f}", "end"),
            _text(LEFT - 6, HEIGHT - BOTTOM, f"{low:.3f}", "end") if low < high else "",
            _text(LEFT, HEIGHT - 12, f"epoch {steps[0] + 1}", "start"),
            _text(WIDTH - RIGHT, HEIGHT - 12, str(steps[-1] + 1), "end"),
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" '
            'stroke="#0072b2" stroke-width="2"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#0072b2"/>' for x, y in points),
            "</svg>",
        )
    )


def _place(value: float, low: float, high: float, start: float, end: float) -> float:
    """Where a value of a range lies on an axis."""
    return start + (end - start) * ((value - low) / (high - low) if high > low else 0.5)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
