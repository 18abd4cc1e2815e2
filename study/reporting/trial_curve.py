"""The learning curve of one run as a small SVG picture, which its note shows."""

import math
import re
from collections.abc import Iterable, Mapping
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from optuna.storages import BaseStorage

from storage.tables import Trial
from study.reporting.chart import Axis, Chart, Line, Panel, Table
from study.reporting.picture import draw, encoded

HEIGHT = 220
"""Hundredths of an inch."""

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
        body = drawing_of(curve)
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


def drawing_of(curve: Mapping[int, float]) -> bytes:
    """The picture of a curve that can be drawn."""
    epochs = tuple(epoch + 1.0 for epoch in curve)
    line = Line("", "leading", epochs, tuple(curve.values()))
    panel = Panel(Axis("epoch"), Axis("validation objective"), (line,), HEIGHT)
    return encoded(draw(Chart("curve", "", "", (panel,), Table((), ()))), ".svg")
