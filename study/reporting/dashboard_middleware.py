"""WSGI middleware around optuna-dashboard: learning curves as pictures, and notes on trials.

The dashboard's page requests its study, with all trials, every few seconds. `with_trial_notes`
answers that request for two reasons:

- Optuna stores the notes of trials among the attributes of the study, and the dashboard reads all
  of these for every trial; a thousand stored notes would cost seconds per request. So our notes are
  not stored but inserted into the response.
- A trial that has ended never changes, so it is encoded as JSON only once. 1,000 trials are 10 MB,
  which take a second to encode.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from optuna.storages import BaseStorage

from training_factors.storage.stamp import read_stamp
from training_factors.storage.trials import Trial, to_trial
from training_factors.study.reporting.chart import Axis, Chart, Line, Panel, Table
from training_factors.study.reporting.dashboard_notes import trial_note
from training_factors.study.reporting.matplotlib_charts import draw_chart, encode_figure

CURVE_HEIGHT = 220
"""Height of the picture of a learning curve, in hundredths of an inch."""

MANY_TRIALS = 100
"""Number of trials from which the study's page leaves out the plot of all learning curves.

With 1,000 lines that plot takes a browser 5 s. The page of each trial still shows its own curve.
"""

_CURVE_PATH = re.compile(r"/curves/([0-9]+)/([0-9]+)\.svg")
_STUDY_PATH = re.compile(r"/api/studies/([0-9]+)/?")

_FINAL_STATES = ("Complete", "Pruned", "Fail")
"""States that a trial never leaves, as optuna-dashboard spells them."""


def with_curves(application: WSGIApplication, storage: BaseStorage) -> WSGIApplication:
    """Return middleware that serves the learning curve of each trial as an SVG picture."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        match = _CURVE_PATH.fullmatch(str(environ.get("PATH_INFO", "")))
        curve = _read_curve(storage, int(match[1]), int(match[2])) if match else {}
        if not curve:
            return application(environ, start_response)
        return _respond(start_response, "image/svg+xml", _draw_curve(curve))

    return answer


def curve_path(study_id: int, trial: Trial) -> str:
    """Return the path of the picture of a trial's learning curve; empty if it has no curve."""
    return f"/curves/{study_id}/{trial.number}.svg" if len(finite_curve(trial.curve)) > 1 else ""


def finite_curve(curve: Mapping[int, float]) -> dict[int, float]:
    """Return the points of a curve that can be drawn, in order of their epochs.

    curve: epoch, counted from 0, -> validation objective.
    """
    return {epoch: value for epoch, value in sorted(curve.items()) if math.isfinite(value)}


def _read_curve(storage: BaseStorage, study_id: int, number: int) -> dict[int, float]:
    """Read the curve of a trial; empty when there is no such trial."""
    try:
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
    except KeyError:
        return {}
    return finite_curve(storage.get_trial(trial_id).intermediate_values)


def _draw_curve(curve: Mapping[int, float]) -> bytes:
    epochs = tuple(epoch + 1.0 for epoch in curve)
    line = Line("", "primary", epochs, tuple(curve.values()))
    x, y = Axis("epoch", is_whole=True), Axis("validation objective")
    panel = Panel(x, y, (line,), CURVE_HEIGHT)
    return encode_figure(draw_chart(Chart("curve", "", "", (panel,), Table((), ()))), ".svg")


class CachedResponse(NamedTuple):
    """The parts of a study's response that cannot change any more, encoded as JSON.

    attributes: of the study at that time; a user's note on a trial is among them, so the cache is
    discarded when they change. trials: those before the first trial that may still change. rest:
    the response without its trials; None while some trials may still change.
    """

    attributes: tuple[Mapping[str, Any], Mapping[str, Any]]
    trials: tuple[str, ...] = ()
    rest: str | None = None


class NoStudyError(Exception):
    """The dashboard's response does not describe a study."""


def with_trial_notes(application: WSGIApplication, storage: BaseStorage) -> WSGIApplication:
    """Return middleware that adds a note to every trial that has ended.

    storage: the one that the application reads.
    """
    cache: dict[int, CachedResponse] = {}
    lock = Lock()

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        match = _STUDY_PATH.fullmatch(str(environ.get("PATH_INFO", "")))
        first = _first_number(environ)
        if match is None or first is None or environ["REQUEST_METHOD"] != "GET":
            return application(environ, start_response)
        study_id = int(match[1])
        try:
            # Browsers repeat the request before they have the first response, which is then cached.
            with lock:
                trials, rest = _study_json(application, environ, storage, cache, study_id, first)
        except (KeyError, NoStudyError):
            return application(environ, start_response)
        body = f'{rest[:-1]}, "trials": [{", ".join(trials)}]}}'.encode()
        return _respond(start_response, "application/json", body)

    return answer


def _respond(start_response: StartResponse, content_type: str, body: bytes) -> Iterable[bytes]:
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def _first_number(environ: WSGIEnvironment) -> int | None:
    """Return the trial number that the query starts at; None where it is not a number."""
    (word,) = parse_qs(str(environ.get("QUERY_STRING", ""))).get("after", ["0"])[:1]
    return int(word) if word.isascii() and word.isdigit() else None


def _study_json(
    application: WSGIApplication,
    environ: WSGIEnvironment,
    storage: BaseStorage,
    cache: dict[int, CachedResponse],
    study_id: int,
    first: int,
) -> tuple[Sequence[str], str]:
    """Return the JSON of the trials from number `first` on, and of the rest of the study.

    Updates the cache. Raises KeyError when the study does not exist, NoStudyError when the
    dashboard does not return it.
    """
    attributes = storage.get_study_system_attrs(study_id), storage.get_study_user_attrs(study_id)
    cached = cache.get(study_id)
    if cached is None or cached.attributes != attributes:
        cached = CachedResponse(attributes)
    if cached.rest is not None and storage.get_n_trials(study_id) == len(cached.trials):
        return cached.trials[first:], cached.rest
    start = max(first, len(cached.trials))
    document = _request_study(application, environ, start)
    fresh = document.pop("trials")
    total = start + len(fresh)
    document["has_intermediate_values"] &= total < MANY_TRIALS
    _add_notes((*fresh, *document["best_trials"]), storage, study_id, attributes[1].get("stamp"))
    encoded, rest = [json.dumps(trial) for trial in fresh], json.dumps(document)
    if start == len(cached.trials):
        trials = (*cached.trials, *encoded[: _count_leading_ended(fresh)])
        cache[study_id] = CachedResponse(attributes, trials, rest if len(trials) == total else None)
    return [*cached.trials[first:], *encoded], rest


def _request_study(
    application: WSGIApplication, environ: WSGIEnvironment, first: int
) -> dict[str, Any]:
    """Return the application's response for the study, with the trials from number `first` on."""
    statuses: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        statuses.append(status)
        return lambda _: None

    body = b"".join(application({**environ, "QUERY_STRING": f"after={first}"}, start))
    if not statuses[-1].startswith("200"):
        raise NoStudyError
    document: dict[str, Any] = json.loads(body)
    return document


def _add_notes(
    trials: Iterable[dict[str, Any]], storage: BaseStorage, study_id: int, stamp: object
) -> None:
    """Insert our note into every trial that has ended, unless a user has written one.

    trials: as optuna-dashboard encodes them. stamp: the study's, as it is stored. A study of
    another program has none and gets no notes, nor does one of a newer version of this program.
    """
    if not isinstance(stamp, dict):
        return
    try:
        study_stamp = read_stamp(stamp)
    except ValueError:
        return
    stored = {trial.number: trial for trial in storage.get_all_trials(study_id, deepcopy=False)}
    for trial in trials:
        if trial["state"] in _FINAL_STATES and trial["note"]["version"] == 0:
            ended = to_trial(stored[trial["number"]])
            trial["note"]["body"] = trial_note(ended, study_stamp, curve_path(study_id, ended))


def _count_leading_ended(trials: Sequence[Mapping[str, Any]]) -> int:
    """Return how many trials have ended before the first one that has not."""
    running = (i for i, trial in enumerate(trials) if trial["state"] not in _FINAL_STATES)
    return next(running, len(trials))
